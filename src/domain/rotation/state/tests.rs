//! Each state by the look that shows it.

use jiff::SignedDuration;
use rstest::rstest;

use super::*;
use crate::domain::account::{AccountId, Kind, Site, Subject};
use crate::domain::gateway::Gateway;
use crate::domain::rotation::answer::Doubt;
use crate::domain::rotation::protocol::Maker;
use crate::domain::rotation::snapshot::{Owner, Pending, Predecessor, Revision, Superseded, Version};
use crate::domain::token::Token;

const NOW: i64 = 10_000;
const DOUBT: Answer = Answer::Ambiguous(Doubt::TimedOut);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn subject() -> Subject {
    Subject { site: Site::Emulator, kind: Kind::SubAccount, id: AccountId("a".into()) }
}

fn base() -> Token {
    Token::of_attempt(&subject(), Token::placeholder(), 0)
}

fn attempt(number: u32) -> Token {
    Token::of_attempt(&subject(), base(), number)
}

fn version(token: Token, owner: Owner, written: i64) -> Version {
    Version { token, owner, created_at: Some(at(written)) }
}

fn ours(number: u32, written: i64) -> Version {
    version(attempt(number), Owner::Ours { generation: base(), attempt: number }, written)
}

fn with_current(owner: Owner) -> Snapshot {
    let absent = Snapshot::absent(at(NOW), Revision([1; 32]));
    Snapshot { current: Some(version(base(), owner, 1)), counts_permits: true, ..absent }
}

fn idle() -> Snapshot {
    with_current(Owner::Ours { generation: Token::placeholder(), attempt: 0 })
}

fn pending(version: Version, superseded: u32) -> Snapshot {
    let candidate = version.token;
    Snapshot {
        pending: Some(Pending { version, candidate, predecessor: Predecessor::Nothing, permits: Some(1) }),
        superseded: (0..superseded)
            .map(|old| Superseded { version: ours(old, 100 + i64::from(old)), at: Some(at(NOW - 60)) })
            .collect(),
        ..idle()
    }
}

fn fenced() -> Snapshot {
    let mut snapshot = pending(ours(0, NOW - 60), 0);
    let predecessor = Predecessor::Ended { candidate: Some(base()), at: Some(at(NOW - 60)), permits: None };
    snapshot.pending.as_mut().unwrap().predecessor = predecessor;
    snapshot
}

fn first() -> Snapshot {
    pending(ours(0, 100), 0)
}

fn look(snapshot: Snapshot, sends: &[Answer]) -> Look {
    let mut record = Record::new();
    if let Some(pending) = &snapshot.pending {
        for answer in sends {
            record.sending(pending.candidate);
            record.answered(pending.candidate, *answer);
        }
    }
    Look {
        plan: Plan {
            subject: subject(),
            gateway: Gateway::default(),
            settle: SignedDuration::ZERO,
            goal: Goal::Rotate,
            maker: Maker::Us,
            insists: Insistence::Adopt,
        },
        now: at(NOW),
        gateway: Ok(Heard { age: SignedDuration::ZERO, skew: SignedDuration::ZERO }),
        record: Some(record),
        read: Ok(snapshot),
    }
}

fn waits(why: Waiting) -> State {
    State::Waits { why, until: None }
}

const BLOCKED: Answer = Answer::Blocked(Block::Permission);

#[rstest]
#[case::idle(idle(), &[], State::Idle)]
#[case::absent(Snapshot::absent(at(NOW), Revision([0; 32])), &[], State::Idle)]
#[case::placeholder(with_current(Owner::Placeholder), &[], State::Idle)]
#[case::never_ours(with_current(Owner::NeverOurs), &[], State::Idle)]
#[case::never_sent(first(), &[], State::Ready)]
#[case::edited(with_current(Owner::Edited), &[], State::Ready)]
#[case::accepted(first(), &[Answer::Accepted], State::Ready)]
#[case::refused_once(first(), &[Answer::Refused], State::Ready)]
#[case::refused_twice(
    pending(ours(1, 200), 1), &[Answer::Refused],
    State::Waits { why: Waiting::Spacing, until: Some(at(NOW - 60 + 15 * 60)) }
)]
#[case::doubtful(first(), &[DOUBT], waits(Waiting::Doubt(Doubt::TimedOut)))]
#[case::doubtful_and_then_blocked(first(), &[DOUBT, BLOCKED], waits(Waiting::Blocked(Block::Permission)))]
#[case::keys_refused(
    first(), &[Answer::Blocked(Block::Authentication)], waits(Waiting::Blocked(Block::Authentication))
)]
#[case::fence(fenced(), &[], State::Waits { why: Waiting::Fence, until: Some(at(NOW - 60 + 480)) })]
#[case::held(pending(ours(8, 200), 8), &[Answer::Refused], State::Held)]
#[case::stranger(with_current(Owner::Stranger), &[], State::Frozen(Freeze::ForeignCurrent))]
#[case::another_account(with_current(Owner::OtherAccount), &[], State::Frozen(Freeze::OtherAccount))]
#[case::foreign_pending(
    pending(version(attempt(7), Owner::NeverOurs, 50), 0), &[], State::Frozen(Freeze::ForeignPending)
)]
#[case::managed(
    Snapshot { hindrance: Some(Freeze::ManagedRotation), ..idle() }, &[], State::Frozen(Freeze::ManagedRotation)
)]
#[case::rollback_refused(
    pending(version(attempt(0), Owner::Rollback { generation: base(), attempt: 0 }, 50), 0), &[Answer::Refused],
    State::RollbackStopped(RollbackStop::Refused)
)]
fn a_look_shows(#[case] snapshot: Snapshot, #[case] sends: &[Answer], #[case] expected: State) {
    assert_eq!(look(snapshot, sends).state(), expected);
}

#[test]
fn a_send_that_was_never_answered_is_a_doubt() {
    let mut unanswered = look(first(), &[]);
    let mut record = Record::new();
    record.sending(attempt(0));
    unanswered.record = Some(record);
    assert_eq!(unanswered.state(), waits(Waiting::Doubt(Doubt::NeverHeard)));
}

#[test]
fn a_gateway_that_is_not_heard_is_waited_for_wherever_it_is_needed() {
    let told = [(None, Waiting::Provider), (Some(Block::NoKeys), Waiting::Blocked(Block::NoKeys))];
    for (gateway, why) in told {
        for (snapshot, sends) in [(first(), &[][..]), (first(), &[DOUBT]), (with_current(Owner::Edited), &[])] {
            let unheard = Look { gateway: Err(gateway), ..look(snapshot, sends) };
            assert_eq!(unheard.state(), waits(why));
        }
        let accepted = Look { gateway: Err(gateway), ..look(first(), &[Answer::Accepted]) };
        assert_eq!(accepted.state(), State::Ready, "promotion waits for nothing");
        let frozen = Look { gateway: Err(gateway), ..look(with_current(Owner::Stranger), &[]) };
        assert_eq!(frozen.state(), State::Frozen(Freeze::ForeignCurrent));
    }
}

#[test]
fn a_clock_that_is_off_is_told() {
    let skew = SignedDuration::from_mins(10);
    let off = Look { gateway: Ok(Heard { age: SignedDuration::ZERO, skew }), ..look(first(), &[]) };
    assert_eq!(off.state(), waits(Waiting::ClockSkew));
}

#[test]
fn a_journal_that_cannot_be_read_holds_up_what_would_be_sent() {
    assert_eq!(Look { record: None, ..look(first(), &[]) }.state(), waits(Waiting::Journal));
    assert_eq!(Look { record: None, ..look(idle(), &[]) }.state(), State::Idle);
}

#[rstest]
fn a_vault_that_cannot_be_read_is_waited_for(
    #[values(
        VaultTrouble::Moved,
        VaultTrouble::Doubtful,
        VaultTrouble::Unavailable,
        VaultTrouble::Denied,
        VaultTrouble::Unreadable
    )]
    trouble: VaultTrouble,
) {
    assert_eq!(Look { read: Err(trouble), ..look(idle(), &[]) }.state(), waits(Waiting::Vault(trouble)));
}

#[test]
fn where_the_vault_does_not_count_a_permit_more_is_no_end() {
    let counted = look(first(), &[DOUBT, DOUBT]);
    let uncounted = look(
        Snapshot {
            pending: first().pending.map(|pending| Pending { permits: None, ..pending }),
            counts_permits: false,
            ..first()
        },
        &[DOUBT],
    );
    for look in [counted, uncounted] {
        assert_eq!(look.state(), waits(Waiting::Doubt(Doubt::TimedOut)));
    }
}

#[test]
fn it_is_unfinished_since_the_first_of_its_candidates() {
    assert_eq!(first().unfinished_since(), Some(at(100)));
    assert_eq!(pending(ours(2, 300), 2).unfinished_since(), Some(at(100)));
    assert_eq!(with_current(Owner::Edited).unfinished_since(), Some(at(1)));
    assert_eq!(Snapshot::absent(at(NOW), Revision([0; 32])).unfinished_since(), None);
}
