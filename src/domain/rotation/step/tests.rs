//! The diagram of [`super`] and the rules of `protocol.md`, branch by branch, as sentences.

mod recovery;

use rstest::rstest;

use super::*;
use crate::domain::account::{AccountId, Kind, Site, Subject};
use crate::domain::gateway::Gateway;
use crate::domain::rotation::answer::Doubt;
use crate::domain::rotation::protocol::Heard;
use crate::domain::rotation::snapshot::{Predecessor, Revision, Superseded};

/// Eight minutes: [`Gateway::default`] over a vault that settles at once.
const FENCE: i64 = 480;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn subject() -> Subject {
    Subject { site: Site::Emulator, kind: Kind::SubAccount, id: AccountId("a".into()) }
}

/// The version that is current in most of these stories.
fn base() -> Token {
    attempt(Token::placeholder(), 0)
}

fn attempt(current: Token, attempt: u32) -> Token {
    Token::of_attempt(&subject(), current, attempt)
}

fn ours(generation: Token, attempt: u32) -> Version {
    let token = self::attempt(generation, attempt);
    Version { token, owner: Owner::Ours { generation, attempt }, created_at: None }
}

fn revision(byte: u8) -> Revision {
    Revision([byte; 32])
}

/// An idle secret that was ours before, read at second 0.
fn idle() -> Snapshot {
    Snapshot {
        as_of: at(0),
        revision: revision(1),
        current: Some(ours(Token::placeholder(), 0)),
        pending: None,
        superseded: Vec::new(),
        counts_permits: true,
        ..Snapshot::absent(at(0), revision(1))
    }
}

fn absent() -> Snapshot {
    Snapshot { current: None, revision: revision(0), ..idle() }
}

fn placed() -> Snapshot {
    Snapshot {
        current: Some(Version { token: Token::placeholder(), owner: Owner::Placeholder, created_at: None }),
        ..idle()
    }
}

/// Attempt `number` pending over the base, with one permit and nothing to wait for.
fn pending(number: u32) -> Snapshot {
    let version = ours(base(), number);
    Snapshot {
        revision: revision(2),
        pending: Some(Pending {
            candidate: version.token,
            version,
            predecessor: Predecessor::Nothing,
            permits: Some(1),
        }),
        superseded: (0..number).map(|old| Superseded { version: ours(base(), old), at: Some(at(0)) }).collect(),
        ..idle()
    }
}

/// The same with a predecessor that stopped being pending at second 0.
fn fenced(ended: Option<i64>, permits: Option<u32>) -> Snapshot {
    let predecessor = Predecessor::Ended { candidate: Some(base()), at: ended.map(at), permits };
    let mut snapshot = pending(0);
    snapshot.pending.as_mut().unwrap().predecessor = predecessor;
    snapshot
}

fn read_at(seconds: i64, snapshot: Snapshot) -> Event {
    Event::Read(Snapshot { as_of: at(seconds), ..snapshot })
}

fn record(sends: &[(Token, Option<Answer>)]) -> Record {
    let mut record = Record::new();
    for (token, answer) in sends {
        record.sending(*token);
        if let Some(answer) = answer {
            record.answered(*token, *answer);
        }
    }
    record
}

const DOUBT: Answer = Answer::Ambiguous(Doubt::TimedOut);

/// A rotation, told one event after the other.
struct Story {
    rotation: Rotation,
    now: i64,
    heard: Option<Heard>,
}

impl Story {
    fn of(goal: Goal, insists: Insistence, known: &[(Token, Option<Answer>)]) -> Self {
        let gateway = Gateway::default();
        let plan = Plan { subject: subject(), gateway, settle: SignedDuration::ZERO, goal, maker: Maker::Us, insists };
        let heard = Some(Heard { age: SignedDuration::ZERO, skew: SignedDuration::ZERO });
        let mut story = Self { rotation: Rotation::new(plan), now: 0, heard };
        assert_eq!(story.told(Event::Begin(record(known))), Action::Read, "everything begins with a read");
        story
    }

    fn new() -> Self {
        Self::of(Goal::Rotate, Insistence::None, &[])
    }

    fn knowing(known: &[(Token, Option<Answer>)]) -> Self {
        Self::of(Goal::Rotate, Insistence::None, known)
    }

    fn told(&mut self, event: Event) -> Action {
        let moment = Moment { now: at(self.now), heard: self.heard };
        let (rotation, action) = step(self.rotation.clone(), moment, event);
        self.rotation = rotation;
        action
    }

    /// Reads `snapshot` now.
    fn reads(&mut self, snapshot: &Snapshot) -> Action {
        self.told(read_at(self.now, snapshot.clone()))
    }

    /// Stages attempt 0 over the base and is about to send it.
    fn about_to_send() -> Self {
        let mut story = Self::new();
        assert!(matches!(story.reads(&idle()), Action::Stage { .. }));
        assert_eq!(story.told(Event::Written(pending(0))), SEND(0, 0));
        story
    }
}

#[expect(non_snake_case, reason = "reads as the action that it makes")]
fn SEND(number: u32, signed_at: i64) -> Action {
    Action::Send { token: attempt(base(), number), candidate: attempt(base(), number), signed_at: at(signed_at) }
}

#[expect(non_snake_case, reason = "reads as the action that it makes")]
fn STAGE(number: u32, over: u8) -> Action {
    let (generation, over) = (base(), revision(over));
    let token = attempt(generation, number);
    Action::Stage { over, token, generation, attempt: number, content: Content::Fresh }
}

fn waits(action: Action) -> Option<(i64, Waiting)> {
    match action {
        Action::Wait { until, why } => Some((until.as_second() - at(0).as_second(), why)),
        _ => None,
    }
}

// Steps 1 to 3.

#[test]
fn a_rotation_stages_sends_what_it_staged_and_promotes_what_was_accepted() {
    let mut story = Story::new();
    assert_eq!(story.reads(&idle()), STAGE(0, 1));
    assert_eq!(story.told(Event::Written(pending(0))), SEND(0, 0));
    let token = attempt(base(), 0);
    assert_eq!(story.told(Event::Answered(Answer::Accepted)), Action::Promote { over: revision(2), token });
    let promoted = Snapshot { current: Some(ours(base(), 0)), ..idle() };
    assert_eq!(story.told(Event::Written(promoted)), Action::Finish(Outcome::Rotated(token)));
}

#[test]
fn a_secret_without_a_version_gets_its_placeholder_first() {
    let mut story = Story::new();
    assert_eq!(story.reads(&absent()), Action::Place { over: revision(0) });
    let Action::Stage { generation, content: Content::Fresh, .. } = story.told(Event::Written(placed())) else {
        panic!("a placed secret is staged over");
    };
    assert_eq!(generation, Token::placeholder());
}

#[test]
fn nothing_is_staged_before_the_gateway_was_heard_since_the_vault_stamps_with_its_time() {
    let mut story = Story::new();
    story.heard = None;
    assert_eq!(story.reads(&idle()), Action::Probe);
    assert_eq!(story.told(Event::Probed), Action::Read);
}

#[rstest]
#[case::nothing_pending(idle())]
#[case::no_version(absent())]
#[case::placeholder(placed())]
fn finishing_never_starts_anything(#[case] found: Snapshot) {
    let mut story = Story::of(Goal::Finish, Insistence::None, &[]);
    assert_eq!(story.reads(&found), Action::Finish(Outcome::Idle));
}

#[test]
fn finishing_applies_what_is_pending() {
    let mut story = Story::of(Goal::Finish, Insistence::None, &[]);
    let token = attempt(base(), 0);
    assert_eq!(story.reads(&pending(0)), Action::Permit { over: revision(2), token });
    let mut permitted = pending(0);
    permitted.pending.as_mut().unwrap().permits = Some(2);
    assert_eq!(story.told(Event::Written(permitted)), SEND(0, 0));
}

#[test]
fn a_lost_promotion_is_settled_by_reading() {
    let mut story = Story::about_to_send();
    let token = attempt(base(), 0);
    assert!(matches!(story.told(Event::Answered(Answer::Accepted)), Action::Promote { .. }));
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::Doubtful)), Action::Read);
    assert_eq!(story.reads(&pending(0)), Action::Promote { over: revision(2), token });
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::Moved)), Action::Read);
    let promoted = Snapshot { current: Some(ours(base(), 0)), ..idle() };
    assert_eq!(story.reads(&promoted), Action::Finish(Outcome::Rotated(token)));
}

#[test]
fn where_reads_may_be_late_a_lost_answer_is_settled_by_one_that_is_not() {
    let mut story = Story::new();
    story.rotation.plan.settle = SignedDuration::from_secs(30);
    assert_eq!(story.reads(&idle()), STAGE(0, 1));
    let wait = story.told(Event::VaultFailed(VaultTrouble::Doubtful));
    assert_eq!(waits(wait), Some((30, Waiting::Vault(VaultTrouble::Doubtful))));
    assert_eq!(story.told(Event::Woken), Action::Read);
}

#[test]
fn a_rotation_that_somebody_else_finished_is_over() {
    let mut story = Story::new();
    assert_eq!(story.reads(&idle()), STAGE(0, 1));
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::Moved)), Action::Read);
    let promoted = Snapshot { current: Some(ours(base(), 0)), ..idle() };
    assert_eq!(story.reads(&promoted), Action::Finish(Outcome::RotatedElsewhere(attempt(base(), 0))));
}

#[rstest]
#[case(VaultTrouble::Unavailable)]
#[case(VaultTrouble::Denied)]
#[case(VaultTrouble::Unreadable)]
fn a_vault_that_fails_is_asked_again_later_even_to_promote(#[case] trouble: VaultTrouble) {
    let mut story = Story::about_to_send();
    assert!(matches!(story.told(Event::Answered(Answer::Accepted)), Action::Promote { .. }));
    let Some((_, why)) = waits(story.told(Event::VaultFailed(trouble))) else { panic!("it waits") };
    assert_eq!(why, Waiting::Vault(trouble));
    assert_eq!(story.told(Event::Woken), Action::Read);
    story.now = 100_000;
    story.heard = None;
    assert!(matches!(story.reads(&pending(0)), Action::Promote { .. }), "promotion waits for nothing");
}

#[test]
fn lost_races_are_answered_at_once_thrice_and_then_with_a_pause() {
    let mut story = Story::new();
    for _ in 0..3 {
        assert!(matches!(story.reads(&idle()), Action::Stage { .. }));
        assert_eq!(story.told(Event::VaultFailed(VaultTrouble::Moved)), Action::Read);
    }
    assert!(matches!(story.reads(&idle()), Action::Stage { .. }));
    assert!(waits(story.told(Event::VaultFailed(VaultTrouble::Moved))).is_some());
}

// Rule 1: the fence.

#[test]
fn the_fence_counts_from_when_the_predecessor_stopped_being_pending() {
    let mut story = Story::new();
    story.now = 100;
    assert_eq!(waits(story.reads(&fenced(Some(0), None))), Some((FENCE, Waiting::Fence)));
    story.now = FENCE - 1;
    assert_eq!(waits(story.reads(&fenced(Some(0), None))), Some((FENCE, Waiting::Fence)));
    story.now = FENCE;
    assert!(matches!(story.reads(&fenced(Some(0), None)), Action::Permit { .. }), "a fence of exactly its length");
}

#[test]
fn after_the_fence_a_read_from_before_its_end_is_not_good_enough() {
    let mut story = Story::new();
    story.now = FENCE + 1;
    assert_eq!(story.told(read_at(FENCE - 1, fenced(Some(0), None))), Action::Read);
}

#[test]
fn the_vaults_own_delay_lengthens_the_fence() {
    let mut story = Story::new();
    story.rotation.plan.settle = SignedDuration::from_secs(30);
    assert_eq!(waits(story.reads(&fenced(Some(0), None))), Some((FENCE + 30, Waiting::Fence)));
}

#[rstest]
#[case::unknown(None)]
#[case::far_in_the_future(Some(1_000_000))]
#[case::soon_no_longer_in_the_future(Some(100 + FENCE / 2))]
fn an_origin_that_is_unknown_or_in_the_future_counts_from_the_first_look_and_never_again(#[case] ended: Option<i64>) {
    let mut story = Story::new();
    story.now = 100;
    assert_eq!(waits(story.reads(&fenced(ended, None))), Some((100 + FENCE, Waiting::Fence)));
    story.now = 200;
    assert_eq!(waits(story.reads(&fenced(ended, None))), Some((100 + FENCE, Waiting::Fence)));
    story.now = 100 + FENCE;
    assert!(matches!(story.reads(&fenced(ended, None)), Action::Permit { .. }));
}

#[test]
fn an_unknown_origin_counts_afresh_for_another_pending_version() {
    let mut story = Story::new();
    assert_eq!(waits(story.reads(&fenced(None, None))), Some((FENCE, Waiting::Fence)));
    story.now = 300;
    let mut other = fenced(None, None);
    other.pending.as_mut().unwrap().version = ours(base(), 1);
    other.pending.as_mut().unwrap().candidate = attempt(base(), 1);
    assert_eq!(waits(story.reads(&other)), Some((300 + FENCE, Waiting::Fence)));
}

// Rules 2 and 8: signing time and clocks.

#[test]
fn a_request_is_signed_with_the_time_of_the_read_and_not_with_that_of_sending() {
    let mut story = Story::new();
    assert!(matches!(story.reads(&pending(0)), Action::Permit { .. }));
    story.now = 75;
    assert_eq!(story.told(Event::Written(pending(0))), SEND(0, 0));
}

#[test]
fn a_read_older_than_a_quarter_of_the_lifetime_is_made_again_and_the_permit_is_kept() {
    let mut story = Story::new();
    assert!(matches!(story.reads(&pending(0)), Action::Permit { .. }));
    story.now = 76;
    assert_eq!(story.told(Event::Written(pending(0))), Action::Read);
    assert_eq!(story.reads(&pending(0)), SEND(0, 76));
}

#[test]
fn a_read_from_a_time_that_has_not_come_is_made_again() {
    let mut story = Story::new();
    assert!(matches!(story.reads(&pending(0)), Action::Permit { .. }));
    assert_eq!(
        story.told(Event::Written(Snapshot { as_of: at(240), ..pending(0) })),
        Action::Read,
        "it was made by a clock that has been put right since; its signature would outlive the fence"
    );
}

#[test]
fn after_waiting_for_permission_to_send_it_reads_again() {
    let mut story = Story::about_to_send();
    assert_eq!(story.told(Event::Delayed), Action::Read);
    story.now = 5;
    assert_eq!(story.reads(&pending(0)), SEND(0, 5));
}

#[test]
fn a_gateway_last_heard_more_than_a_minute_ago_is_heard_again() {
    let mut story = Story::new();
    story.heard = Some(Heard { age: SignedDuration::from_secs(61), skew: SignedDuration::ZERO });
    assert_eq!(story.reads(&pending(0)), Action::Probe);
    assert_eq!(story.told(Event::Probed), Action::Read);
    story.heard = Some(Heard { age: SignedDuration::from_secs(60), skew: SignedDuration::ZERO });
    assert!(matches!(story.reads(&pending(0)), Action::Permit { .. }));
}

#[test]
fn a_superseding_is_never_stamped_by_a_clock_that_was_last_set_more_than_a_minute_ago() {
    let mut story = Story::knowing(&[(attempt(base(), 0), Some(Answer::Refused))]);
    story.heard = Some(Heard { age: SignedDuration::from_secs(61), skew: SignedDuration::ZERO });
    assert_eq!(story.reads(&pending(0)), Action::Probe, "the stamp is where the successor's fence counts from");
    story.heard = Some(Heard { age: SignedDuration::from_secs(60), skew: SignedDuration::ZERO });
    assert_eq!(story.reads(&pending(0)), STAGE(1, 2));
}

#[rstest]
#[case(31, false)]
#[case(-31, false)]
#[case(30, true)]
#[case(-30, true)]
fn nothing_is_applied_while_the_clocks_disagree(#[case] skew: i64, #[case] applied: bool) {
    let mut story = Story::new();
    story.heard = Some(Heard { age: SignedDuration::ZERO, skew: SignedDuration::from_secs(skew) });
    let action = story.reads(&pending(0));
    assert_eq!(matches!(action, Action::Permit { .. }), applied);
    assert_eq!(waits(action).map(|(_, why)| why), (!applied).then_some(Waiting::ClockSkew));
}

#[rstest]
#[case(None, Waiting::Provider)]
#[case(Some(Block::Permission), Waiting::Blocked(Block::Permission))]
fn a_gateway_that_cannot_be_heard_is_waited_for(#[case] block: Option<Block>, #[case] expected: Waiting) {
    let mut story = Story::new();
    story.heard = None;
    assert_eq!(story.reads(&pending(0)), Action::Probe);
    assert_eq!(waits(story.told(Event::ProbeFailed(block))).map(|(_, why)| why), Some(expected));
}

#[test]
fn a_clock_that_was_not_heard_lately_decides_about_no_fence() {
    let mut story = Story::new();
    story.heard = Some(Heard { age: SignedDuration::from_hours(9), skew: SignedDuration::ZERO });
    assert_eq!(story.reads(&fenced(None, None)), Action::Probe, "an unknown origin would count from a wrong now");
    assert_eq!(story.told(Event::Probed), Action::Read);
    story.heard = Some(Heard { age: SignedDuration::ZERO, skew: SignedDuration::ZERO });
    story.now = 300;
    assert_eq!(waits(story.reads(&fenced(None, None))), Some((300 + FENCE, Waiting::Fence)));
}

#[test]
fn a_read_that_is_ahead_within_bounds_does_not_end_the_fence_early() {
    let mut story = Story::new();
    story.now = FENCE - 20;
    let action = story.told(read_at(FENCE, fenced(Some(0), None)));
    assert_eq!(waits(action), Some((FENCE, Waiting::Fence)));
}

// Rule 3: generations.

#[test]
fn a_pending_of_another_generation_is_superseded_at_once_and_never_applied() {
    let mut story = Story::new();
    let mut other = pending(0);
    other.pending.as_mut().unwrap().version = ours(attempt(base(), 7), 3);
    assert_eq!(story.reads(&other), STAGE(0, 2));
}

#[test]
fn a_pending_whose_token_is_not_that_of_its_attempt_is_superseded() {
    let mut story = Story::new();
    let mut other = pending(0);
    other.pending.as_mut().unwrap().version.token = attempt(base(), 5);
    assert_eq!(story.reads(&other), STAGE(1, 2));
}

// Rule 4: used tokens.

#[test]
fn a_used_token_is_read_about_and_then_the_next_attempt_is_taken() {
    let mut story = Story::new();
    assert_eq!(story.reads(&idle()), STAGE(0, 1));
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::TokenUsed)), Action::Read);
    assert_eq!(story.reads(&idle()), STAGE(1, 1));
}

#[test]
fn a_used_token_that_turns_out_to_be_pending_is_worked_with() {
    let mut story = Story::new();
    assert_eq!(story.reads(&idle()), STAGE(0, 1));
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::TokenUsed)), Action::Read);
    assert!(matches!(story.reads(&pending(0)), Action::Permit { .. }));
}

#[test]
fn where_reads_may_be_late_a_used_token_that_no_read_shows_is_looked_for_until_they_have_settled() {
    let mut story = Story::new();
    story.rotation.plan.settle = SignedDuration::from_secs(30);
    assert_eq!(story.reads(&idle()), STAGE(0, 1));
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::TokenUsed)), Action::Read);
    let late = Some((30, Waiting::Vault(VaultTrouble::TokenUsed)));
    assert_eq!(waits(story.reads(&idle())), late, "attempt 0 may be pending: attempt 1 would take its place unseen");
    story.now = 29;
    assert_eq!(waits(story.reads(&idle())), late);
    story.now = 31;
    assert_eq!(story.told(read_at(29, idle())), Action::Read);
    assert_eq!(story.reads(&idle()), STAGE(1, 1), "nobody holds it pending");
}

// Rule 5: doubt.

#[rstest]
#[case(DOUBT, Waiting::Doubt(Doubt::TimedOut))]
#[case(Answer::Blocked(Block::Throttled), Waiting::Blocked(Block::Throttled))]
fn the_same_password_is_sent_again_with_ever_longer_pauses(#[case] answer: Answer, #[case] expected: Waiting) {
    let mut story = Story::about_to_send();
    let mut pauses = Vec::new();
    for _ in 0..6 {
        let Action::Wait { until, why } = story.told(Event::Answered(answer)) else { panic!("it waits") };
        assert_eq!(why, expected);
        pauses.push(until.duration_since(at(story.now)));
        assert_eq!(story.told(Event::Woken), Action::Read);
        assert!(matches!(story.reads(&pending(0)), Action::Permit { .. }));
        assert_eq!(story.told(Event::Written(pending(0))), SEND(0, story.now));
    }
    assert!(pauses[0] <= SignedDuration::from_secs(1), "the first retry starts under a second");
    assert!(pauses.windows(2).all(|pair| pair[1] > pair[0]), "{pauses:?}");
}

#[test]
fn a_send_that_the_journal_cannot_record_is_not_made_and_keeps_its_permit() {
    let mut story = Story::about_to_send();
    assert_eq!(waits(story.told(Event::NotRecorded)).map(|(_, why)| why), Some(Waiting::Journal));
    assert_eq!(story.told(Event::Woken), Action::Read);
    assert_eq!(story.reads(&pending(0)), SEND(0, 0));
}

#[test]
fn an_aged_signature_is_made_afresh_once() {
    let mut story = Story::about_to_send();
    assert_eq!(story.told(Event::Answered(Answer::Blocked(Block::Authentication))), Action::Read);
    assert!(matches!(story.reads(&pending(0)), Action::Permit { .. }));
    assert_eq!(story.told(Event::Written(pending(0))), SEND(0, 0));
    let second = story.told(Event::Answered(Answer::Blocked(Block::Authentication)));
    assert_eq!(waits(second).map(|(_, why)| why), Some(Waiting::Blocked(Block::Authentication)));
}

// What the journal knows.

#[test]
fn what_was_accepted_is_promoted_without_sending_it_again() {
    let token = attempt(base(), 0);
    for known in [vec![Some(Answer::Accepted)], vec![Some(Answer::Accepted), Some(Answer::Refused), None]] {
        let known: Vec<_> = known.into_iter().map(|answer| (token, answer)).collect();
        let mut story = Story::knowing(&known);
        story.heard = None;
        assert_eq!(story.reads(&pending(0)), Action::Promote { over: revision(2), token });
    }
}

#[test]
fn a_candidate_that_is_staged_now_was_never_accepted_whatever_the_journal_says_of_its_token() {
    let mut story = Story::knowing(&[(attempt(base(), 0), Some(Answer::Accepted))]);
    assert_eq!(story.reads(&idle()), STAGE(0, 1), "the vault was restored or made anew, and asks for the token again");
    let mut written = pending(0);
    written.pending.as_mut().unwrap().candidate = attempt(base(), 0).candidate(Some(at(7)));
    assert!(matches!(story.told(Event::Written(written)), Action::Send { .. }), "what is live must be what is current");
}

#[test]
fn a_first_candidate_waits_for_what_a_lost_vault_may_have_sent() {
    let mut story = Story::knowing(&[(attempt(base(), 7), None)]);
    assert_eq!(waits(story.reads(&pending(0))), Some((FENCE, Waiting::Fence)));
}

// Rule 6: refusals.

#[test]
fn the_first_refused_candidate_is_superseded_at_once() {
    let mut story = Story::about_to_send();
    assert_eq!(story.told(Event::Answered(Answer::Refused)), STAGE(1, 2));
}

#[rstest]
#[case::second(1, 15)]
#[case::third(2, 30)]
#[case::fourth(3, 60)]
#[case::seventh(6, 480)]
#[case::eighth(7, 960)]
fn later_supersedings_stand_ever_further_apart(#[case] number: u32, #[case] minutes: i64) {
    let refused = [(attempt(base(), number), Some(Answer::Refused))];
    let mut story = Story::knowing(&refused);
    assert_eq!(waits(story.reads(&pending(number))), Some((minutes * 60, Waiting::Spacing)));
    story.now = minutes * 60;
    assert_eq!(story.reads(&pending(number)), STAGE(number + 1, 2));
}

#[test]
fn a_person_who_insists_waives_the_spacing_once() {
    let mut story = Story::of(Goal::Rotate, Insistence::Spacing, &[(attempt(base(), 1), Some(Answer::Refused))]);
    assert_eq!(story.reads(&pending(1)), STAGE(2, 2));
    assert_eq!(story.told(Event::Written(pending(2))), SEND(2, 0));
    assert_eq!(waits(story.told(Event::Answered(Answer::Refused))), Some((30 * 60, Waiting::Spacing)));
}

#[test]
fn a_person_who_insists_on_what_is_under_way_waives_the_spacing_once_and_never_the_fence() {
    let mut story = Story::knowing(&[(attempt(base(), 1), Some(Answer::Refused))]);
    assert_eq!(waits(story.reads(&pending(1))), Some((15 * 60, Waiting::Spacing)));
    story.rotation.insist(Goal::Rotate, Insistence::Spacing);
    assert_eq!(story.reads(&pending(1)), STAGE(2, 2));
    assert_eq!(story.told(Event::Written(pending(2))), SEND(2, 0));
    assert_eq!(waits(story.told(Event::Answered(Answer::Refused))), Some((30 * 60, Waiting::Spacing)));

    let mut story = Story::about_to_send();
    assert!(waits(story.told(Event::Answered(DOUBT))).is_some());
    story.rotation.insist(Goal::Rotate, Insistence::Hold);
    let mut patient = Story::about_to_send();
    patient.told(Event::Answered(DOUBT));
    assert_eq!(story.reads(&pending(0)), patient.reads(&pending(0)));
    story.now = FENCE - 1;
    patient.now = FENCE - 1;
    assert_eq!(story.told(Event::Answered(Answer::Refused)), patient.told(Event::Answered(Answer::Refused)));
}

#[rstest]
#[case::doubt_then_refusal(&[Some(DOUBT), Some(Answer::Refused)])]
#[case::refusal_then_silence(&[Some(Answer::Refused), None])]
fn a_password_refused_beside_a_doubt_is_superseded_without_spacing(#[case] answers: &[Option<Answer>]) {
    let known: Vec<_> = answers.iter().map(|answer| (attempt(base(), 3), *answer)).collect();
    let mut story = Story::knowing(&known);
    assert_eq!(story.reads(&pending(3)), STAGE(4, 2));
}

#[rstest]
#[case::refused(&[Some(Answer::Refused)])]
#[case::refused_after_doubt(&[None, Some(Answer::Refused)])]
fn with_eight_superseded_it_holds_and_waits_for_an_operator(#[case] answers: &[Option<Answer>]) {
    let known: Vec<_> = answers.iter().map(|answer| (attempt(base(), 8), *answer)).collect();
    let mut story = Story::of(Goal::Rotate, Insistence::Spacing, &known);
    story.now = 10_000_000;
    assert_eq!(story.reads(&pending(8)), Action::Finish(Outcome::Held));
}

#[test]
fn an_operator_who_names_a_held_account_gets_one_more_candidate() {
    let refused = [(attempt(base(), 8), Some(Answer::Refused))];
    let mut story = Story::of(Goal::Rotate, Insistence::Spacing, &refused);
    assert_eq!(story.reads(&pending(8)), Action::Finish(Outcome::Held), "all of them were asked for, not this one");
    let mut story = Story::of(Goal::Rotate, Insistence::Hold, &refused);
    assert_eq!(story.reads(&pending(8)), STAGE(9, 2));
    assert!(matches!(story.told(Event::Written(pending(9))), Action::Send { .. }));
    let held = story.told(Event::Answered(Answer::Refused));
    assert_eq!(held, Action::Finish(Outcome::Held), "one, and not another");
}

#[test]
fn the_spacing_is_not_measured_by_a_clock_that_never_heard_the_gateway() {
    let mut story = Story::knowing(&[(attempt(base(), 1), Some(Answer::Refused))]);
    story.heard = None;
    story.now = -1_000_000_000;
    assert_eq!(story.reads(&pending(1)), Action::Probe, "or it would sleep until the wall clock's year has come");
}

// Rule 7: skipping the fence.

fn successor_of(known: &[Option<Answer>], permits: Option<u32>, counts_permits: bool) -> Action {
    let known: Vec<_> = known.iter().map(|answer| (base(), *answer)).collect();
    let mut story = Story::knowing(&known);
    story.reads(&Snapshot { counts_permits, ..fenced(Some(0), permits) })
}

#[rstest]
#[case::accepted(&[Some(Answer::Accepted)])]
#[case::refused(&[Some(Answer::Refused)])]
#[case::blocked_then_accepted(&[Some(Answer::Blocked(Block::Throttled)), Some(Answer::Accepted)])]
fn the_fence_is_skipped_when_every_permit_is_a_send_of_ours_with_a_definite_answer(#[case] known: &[Option<Answer>]) {
    let permits = u32::try_from(known.len()).unwrap();
    assert!(matches!(successor_of(known, Some(permits), true), Action::Permit { .. }));
}

#[rstest]
#[case::one_answer_was_never_heard(&[Some(Answer::Accepted), None], Some(2), true)]
#[case::one_answer_was_doubtful(&[Some(DOUBT), Some(Answer::Refused)], Some(2), true)]
#[case::somebody_else_has_a_permit(&[Some(Answer::Accepted)], Some(2), true)]
#[case::the_journal_says_more_than_the_vault(&[Some(Answer::Refused), Some(Answer::Accepted)], Some(1), true)]
#[case::nothing_was_ever_sent_from_here(&[], Some(0), true)]
#[case::nothing_was_sent_with_the_permit_of_staging(&[], Some(1), true)]
#[case::permits_are_unknown(&[Some(Answer::Accepted)], None, true)]
#[case::the_vault_does_not_count(&[Some(Answer::Accepted)], Some(1), false)]
fn the_fence_is_waited_for_whenever(
    #[case] known: &[Option<Answer>],
    #[case] permits: Option<u32>,
    #[case] counts_permits: bool,
) {
    assert_eq!(waits(successor_of(known, permits, counts_permits)), Some((FENCE, Waiting::Fence)));
}

#[test]
fn an_unknown_predecessor_is_waited_for_whatever_the_journal_holds() {
    let mut story = Story::knowing(&[(base(), Some(Answer::Accepted))]);
    let mut snapshot = fenced(Some(0), Some(1));
    snapshot.pending.as_mut().unwrap().predecessor =
        Predecessor::Ended { candidate: None, at: Some(at(0)), permits: Some(1) };
    assert_eq!(waits(story.reads(&snapshot)), Some((FENCE, Waiting::Fence)));
}

#[test]
fn every_send_takes_a_permit_of_its_own() {
    let mut story = Story::about_to_send();
    assert!(waits(story.told(Event::Answered(DOUBT))).is_some());
    assert_eq!(story.told(Event::Woken), Action::Read);
    let token = attempt(base(), 0);
    assert_eq!(story.reads(&pending(0)), Action::Permit { over: revision(2), token });
}

#[test]
fn where_the_vault_does_not_count_no_permit_is_asked_for() {
    let mut story = Story::new();
    let mut snapshot = pending(0);
    snapshot.counts_permits = false;
    snapshot.pending.as_mut().unwrap().permits = None;
    assert_eq!(story.reads(&snapshot), SEND(0, 0));
}

// Rule 9: others at work.

#[rstest]
#[case::current_of_another_account(Some(Owner::OtherAccount), None, Freeze::OtherAccount)]
#[case::current_replaced(Some(Owner::Stranger), None, Freeze::ForeignCurrent)]
#[case::pending_of_another_account(None, Some(Owner::OtherAccount), Freeze::OtherAccount)]
#[case::pending_of_a_stranger(None, Some(Owner::Stranger), Freeze::ForeignPending)]
#[case::pending_never_ours(None, Some(Owner::NeverOurs), Freeze::ForeignPending)]
#[case::pending_placeholder(None, Some(Owner::Placeholder), Freeze::ForeignPending)]
fn what_is_not_ours_is_not_touched(
    #[case] current: Option<Owner>,
    #[case] pending_owner: Option<Owner>,
    #[case] freeze: Freeze,
) {
    for insists in [Insistence::None, Insistence::Hold] {
        let mut snapshot = pending(0);
        if let Some(owner) = current {
            // Whoever replaces a version does so under a token of his own.
            snapshot.current = Some(Version { token: attempt(base(), 9), owner, created_at: None });
        }
        if let Some(owner) = pending_owner {
            snapshot.pending.as_mut().unwrap().version.owner = owner;
        }
        let accepted = [(attempt(base(), 0), Some(Answer::Accepted))];
        let mut story = Story::of(Goal::Rotate, insists, &accepted);
        assert_eq!(story.reads(&snapshot), Action::Finish(Outcome::Frozen(freeze)));
    }
}

#[test]
fn a_current_that_was_never_ours_is_adopted_without_a_fence() {
    let mut story = Story::new();
    let mut foreign = idle();
    foreign.current.as_mut().unwrap().owner = Owner::NeverOurs;
    assert_eq!(story.reads(&foreign), STAGE(0, 1));
    let mut staged = pending(0);
    staged.current.as_mut().unwrap().owner = Owner::NeverOurs;
    assert_eq!(story.told(Event::Written(staged)), SEND(0, 0));
}

// Rule 13: deletion.

/// The lost candidate, staged again over the placeholder.
fn put_back(lost: Token) -> (Action, Snapshot) {
    let generation = Token::placeholder();
    let (over, token) = (revision(1), attempt(generation, 0));
    let mut snapshot = placed();
    snapshot.revision = revision(3);
    let version = ours(generation, 0);
    snapshot.pending =
        Some(Pending { candidate: version.token, version, predecessor: Predecessor::Nothing, permits: Some(1) });
    (Action::Stage { over, token, generation, attempt: 0, content: Content::Again(lost) }, snapshot)
}

#[rstest]
#[case::promotion_finds_nothing(Goal::Rotate)]
#[case::also_when_it_only_finishes(Goal::Finish)]
fn a_secret_deleted_under_an_applied_rotation_gets_its_password_back(#[case] goal: Goal) {
    let mut story = Story::of(goal, Insistence::None, &[]);
    let lost = attempt(base(), 0);
    assert!(matches!(story.reads(&pending(0)), Action::Permit { .. }));
    assert!(matches!(story.told(Event::Written(pending(0))), Action::Send { .. }));
    assert!(matches!(story.told(Event::Answered(Answer::Accepted)), Action::Promote { .. }));
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::Moved)), Action::Read);
    assert_eq!(story.reads(&absent()), Action::Place { over: revision(0) });
    story.heard = Some(Heard { age: SignedDuration::from_hours(9), skew: SignedDuration::ZERO });
    let (stage, staged) = put_back(lost);
    assert_eq!(story.told(Event::Written(placed())), stage, "putting a password back waits for nobody");
    assert_eq!(story.told(Event::Written(staged.clone())), Action::Probe, "another may have been set meanwhile");
    story.heard = Some(Heard { age: SignedDuration::ZERO, skew: SignedDuration::ZERO });
    assert_eq!(story.told(Event::Probed), Action::Read);
    assert!(matches!(story.reads(&staged), Action::Send { .. }));
    let token = attempt(Token::placeholder(), 0);
    let promotes = Action::Promote { over: revision(3), token };
    assert_eq!(story.told(Event::Answered(Answer::Accepted)), promotes);
}

#[test]
fn a_doubtful_password_that_was_put_back_is_sent_again() {
    let mut story = Story::about_to_send();
    assert!(waits(story.told(Event::Answered(DOUBT))).is_some());
    assert_eq!(story.told(Event::Woken), Action::Read);
    assert_eq!(story.reads(&absent()), Action::Place { over: revision(0) });
    let (stage, staged) = put_back(attempt(base(), 0));
    assert_eq!(story.told(Event::Written(placed())), stage);
    assert!(matches!(story.told(Event::Written(staged)), Action::Send { .. }));
}

#[test]
fn a_secret_that_somebody_else_placed_anew_gets_its_password_back_too() {
    let mut story = Story::about_to_send();
    assert!(matches!(story.told(Event::Answered(Answer::Accepted)), Action::Promote { .. }));
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::Moved)), Action::Read);
    let (stage, _) = put_back(attempt(base(), 0));
    assert_eq!(story.reads(&placed()), stage, "a placeholder in place of a version is a deletion, not a rotation");
}

#[test]
fn a_password_is_not_put_back_over_one_that_somebody_else_has_promoted_since_the_deletion() {
    let mut story = Story::about_to_send();
    assert!(matches!(story.told(Event::Answered(Answer::Accepted)), Action::Promote { .. }));
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::Moved)), Action::Read);
    assert_eq!(story.reads(&absent()), Action::Place { over: revision(0) });
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::Moved)), Action::Read);
    let promoted = ours(Token::placeholder(), 7);
    let theirs = Snapshot { current: Some(promoted.clone()), ..idle() };
    assert_eq!(story.reads(&theirs), Action::Finish(Outcome::RotatedElsewhere(promoted.token)));
}

#[test]
fn a_deleted_secret_that_somebody_restored_gets_its_password_back() {
    let mut story = Story::about_to_send();
    assert!(matches!(story.told(Event::Answered(Answer::Accepted)), Action::Promote { .. }));
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::Moved)), Action::Read);
    assert_eq!(story.reads(&absent()), Action::Place { over: revision(0) });
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::Moved)), Action::Read);
    let lost = attempt(base(), 0);
    let Action::Stage { token, content, .. } = story.reads(&idle()) else { panic!("it stages") };
    assert_eq!((token, content), (attempt(base(), 0), Content::Again(lost)));
}

#[test]
fn what_follows_a_password_that_was_put_back_waits_the_fence() {
    let mut story = Story::about_to_send();
    assert!(waits(story.told(Event::Answered(Answer::Blocked(Block::Throttled)))).is_some());
    assert_eq!(story.told(Event::Woken), Action::Read);
    assert_eq!(story.reads(&absent()), Action::Place { over: revision(0) });
    let (stage, staged) = put_back(attempt(base(), 0));
    assert_eq!(story.told(Event::Written(placed())), stage);
    assert!(matches!(story.told(Event::Written(staged.clone())), Action::Send { .. }));
    assert!(matches!(story.told(Event::Answered(Answer::Refused)), Action::Stage { content: Content::Fresh, .. }));
    let put_back = staged.pending.unwrap().candidate;
    let predecessor = Predecessor::Ended { candidate: Some(put_back), at: Some(at(0)), permits: Some(1) };
    let version = ours(Token::placeholder(), 1);
    let pending = Some(Pending { candidate: version.token, version, predecessor, permits: Some(1) });
    let next = Snapshot { pending, ..placed() };
    let waited = waits(story.told(Event::Written(next)));
    assert_eq!(waited, Some((FENCE, Waiting::Fence)), "others may have been permitted to send it before the deletion");
}

#[test]
fn a_secret_deleted_before_anything_was_sent_starts_over() {
    let mut story = Story::new();
    assert_eq!(story.reads(&idle()), STAGE(0, 1));
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::Moved)), Action::Read);
    assert_eq!(story.reads(&absent()), Action::Place { over: revision(0) });
    assert!(matches!(story.told(Event::Written(placed())), Action::Stage { content: Content::Fresh, .. }));
}
