//! Rule 11, told as sentences: the provider makes the password, and tells it once.

use rstest::rstest;

use super::*;
use crate::domain::account::{AccountId, Kind, Site, Subject};
use crate::domain::gateway::Gateway;
use crate::domain::rotation::answer::Doubt;
use crate::domain::rotation::protocol::Heard;
use crate::domain::rotation::snapshot::{Predecessor, Revision};

const FENCE: i64 = 480;
const DOUBT: Answer = Answer::Ambiguous(Doubt::TimedOut);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn subject() -> Subject {
    Subject { site: Site::Emulator, kind: Kind::SubAccount, id: AccountId("a".into()) }
}

fn current() -> Token {
    Token::of_attempt(&subject(), Token::placeholder(), 0)
}

fn attempt(number: u32) -> Token {
    Token::of_attempt(&subject(), current(), number)
}

fn random(number: u8) -> Token {
    Token::random([number; 16])
}

fn idle() -> Snapshot {
    let owner = Owner::Ours { generation: Token::placeholder(), attempt: 0 };
    Snapshot {
        as_of: at(0),
        revision: Revision([1; 32]),
        current: Some(Version { token: current(), owner, created_at: None }),
        pending: None,
        superseded: Vec::new(),
        counts_permits: true,
        ..Snapshot::absent(at(0), Revision([1; 32]))
    }
}

fn pending(token: Token, owner: Owner, predecessor: Predecessor) -> Snapshot {
    let version = Version { token, owner, created_at: None };
    let pending = Pending { candidate: token, version, predecessor, permits: Some(1) };
    Snapshot { revision: Revision([2; 32]), pending: Some(pending), ..idle() }
}

fn intent(number: u8) -> Snapshot {
    pending(random(number), Owner::Intent { generation: current() }, Predecessor::Nothing)
}

fn after(number: u8, before: u8) -> Snapshot {
    let predecessor = Predecessor::Ended { candidate: Some(random(before)), at: Some(at(0)), permits: Some(1) };
    pending(random(number), Owner::Intent { generation: current() }, predecessor)
}

fn answer(number: u8) -> Snapshot {
    pending(random(number).answer(), Owner::Generated { generation: current() }, Predecessor::Nothing)
}

struct Story {
    rotation: Rotation,
    now: i64,
}

impl Story {
    fn new() -> Self {
        let plan = Plan {
            subject: subject(),
            gateway: Gateway::default(),
            settle: SignedDuration::ZERO,
            goal: Goal::Rotate,
            maker: Maker::Provider,
            insists: Insistence::None,
        };
        let mut story = Self { rotation: Rotation::new(plan), now: 0 };
        assert_eq!(story.told(Event::Begin(Record::new())), Action::Read);
        story
    }

    fn told(&mut self, event: Event) -> Action {
        let heard = Some(Heard { age: SignedDuration::ZERO, skew: SignedDuration::ZERO });
        let (rotation, action) = step(self.rotation.clone(), Moment { now: at(self.now), heard }, event);
        self.rotation = rotation;
        action
    }

    fn reads(&mut self, snapshot: Snapshot) -> Action {
        self.told(Event::Read(Snapshot { as_of: at(self.now), ..snapshot }))
    }

    /// Stages intent 1 and asks the provider.
    fn asked() -> Self {
        let mut story = Self::new();
        assert!(stages(story.reads(idle()), Content::Intent));
        let asks = Action::Generate { token: random(1), candidate: random(1), signed_at: at(0) };
        assert_eq!(story.told(Event::Written(intent(1))), asks);
        story
    }
}

fn stages(action: Action, expected: Content) -> bool {
    matches!(action, Action::Stage { content, generation, .. } if content == expected && generation == current())
}

fn stages_over(action: Action, current: Token) -> bool {
    matches!(action, Action::Stage { content: Content::Intent, generation, .. } if generation == current)
}

#[test]
fn an_answer_is_stored_under_the_intents_own_token_and_promoted() {
    let mut story = Story::asked();
    let Action::Stage { token, content, .. } = story.told(Event::Answered(Answer::Accepted)) else {
        panic!("it stores")
    };
    assert_eq!((token, content), (random(1).answer(), Content::Generated(random(1))));
    let action = Action::Promote { over: Revision([2; 32]), token: random(1).answer() };
    assert_eq!(story.told(Event::Written(answer(1))), action);
    let owner = Owner::Generated { generation: current() };
    let promoted = Snapshot { current: Some(Version { token: random(1).answer(), owner, created_at: None }), ..idle() };
    let rotated = Action::Finish(Outcome::Rotated(random(1).answer()));
    assert_eq!(story.told(Event::Written(promoted)), rotated);
}

/// When an intent that is somebody else's was left to him for long enough: the fence, and the time to ask.
const TURN: i64 = FENCE + 120;

#[test]
fn an_intent_of_another_process_is_replaced_after_its_turn_and_never_sent() {
    let mut story = Story::new();
    let waits = Action::Wait { until: at(TURN), why: Waiting::Fence };
    assert_eq!(story.reads(intent(9)), waits, "two that replace each other's at sight would never get to asking");
    story.now = TURN - 1;
    assert_eq!(story.reads(intent(9)), waits, "counted from the first look");
    story.now = TURN;
    assert!(stages(story.reads(intent(9)), Content::Intent), "only its creator knows whether it was sent");
}

#[test]
fn an_own_intent_that_was_sent_before_a_crash_is_replaced_at_once() {
    let mut story = Story::new();
    let mut record = Record::new();
    record.sending(random(9));
    assert_eq!(story.told(Event::Begin(record)), Action::Read);
    assert!(stages(story.reads(intent(9)), Content::Intent));
}

#[test]
fn an_intent_is_sent_once_and_a_doubt_waits_the_fence_with_a_new_one() {
    let mut story = Story::asked();
    assert!(matches!(story.told(Event::Answered(DOUBT)), Action::Wait { why: Waiting::Doubt(_), .. }));
    assert_eq!(story.told(Event::Woken), Action::Read);
    assert!(stages(story.reads(intent(1)), Content::Intent));
    let waits = story.told(Event::Written(after(2, 1)));
    assert_eq!(waits, Action::Wait { until: at(FENCE), why: Waiting::Fence });
    story.now = FENCE;
    let asks = Action::Generate { token: random(2), candidate: random(2), signed_at: at(FENCE) };
    assert_eq!(story.reads(after(2, 1)), asks);
}

#[test]
fn a_block_is_definite_so_that_the_next_intent_waits_for_nothing() {
    let mut story = Story::asked();
    let blocked = story.told(Event::Answered(Answer::Blocked(Block::Throttled)));
    assert!(matches!(blocked, Action::Wait { why: Waiting::Blocked(Block::Throttled), .. }));
    assert_eq!(story.told(Event::Woken), Action::Read);
    assert!(stages(story.reads(intent(1)), Content::Intent));
    assert!(matches!(story.told(Event::Written(after(2, 1))), Action::Generate { .. }));
}

#[test]
fn a_refused_intent_is_followed_by_another_only_after_the_spacing() {
    let mut story = Story::asked();
    let waits = story.told(Event::Answered(Answer::Refused));
    assert_eq!(waits, Action::Wait { until: at(15 * 60), why: Waiting::Spacing });
}

#[test]
fn an_answer_that_is_not_stored_yet_is_the_only_copy() {
    let mut story = Story::asked();
    assert!(!story.rotation.holds_only_copy());
    assert!(stages(story.told(Event::Answered(Answer::Accepted)), Content::Generated(random(1))));
    assert!(story.rotation.holds_only_copy());
    assert!(matches!(story.told(Event::VaultFailed(VaultTrouble::Denied)), Action::Wait { .. }));
    assert!(story.rotation.holds_only_copy());
    assert_eq!(story.told(Event::Woken), Action::Read);
    assert!(stages(story.reads(intent(1)), Content::Generated(random(1))));
    assert!(matches!(story.told(Event::Written(answer(1))), Action::Promote { .. }));
    assert!(!story.rotation.holds_only_copy());
}

#[test]
fn refused_keys_are_signed_afresh_once_by_another_intent() {
    let mut story = Story::asked();
    let refused = Event::Answered(Answer::Blocked(Block::Authentication));
    assert_eq!(story.told(refused.clone()), Action::Read);
    assert!(stages(story.reads(intent(1)), Content::Intent), "no intent is sent twice");
    assert!(matches!(story.told(Event::Written(after(2, 1))), Action::Generate { .. }));
    let waits = story.told(refused);
    assert!(matches!(waits, Action::Wait { why: Waiting::Blocked(Block::Authentication), .. }), "{waits:?}");
}

#[rstest]
#[case::an_intent(after(2, 1))]
#[case::a_password(pending(attempt(0), Owner::Ours { generation: current(), attempt: 0 }, Predecessor::Nothing))]
fn an_answer_whose_place_was_taken_is_a_candidate_like_any_other(#[case] taken: Snapshot) {
    let mut story = Story::asked();
    assert!(stages(story.told(Event::Answered(Answer::Accepted)), Content::Generated(random(1))));
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::Moved)), Action::Read);
    let stored = story.reads(taken);
    assert!(stages(stored, Content::Again(random(1))), "whoever took the place may have set another password by now");
    assert!(story.rotation.holds_only_copy());
    let before = Predecessor::Ended { candidate: Some(random(2)), at: Some(at(0)), permits: Some(1) };
    let again = pending(attempt(1), Owner::Ours { generation: current(), attempt: 1 }, before);
    let waits = story.told(Event::Written(again.clone()));
    assert_eq!(waits, Action::Wait { until: at(FENCE), why: Waiting::Fence });
    assert!(!story.rotation.holds_only_copy());
    story.now = FENCE;
    assert!(matches!(story.reads(again), Action::Send { .. }), "that it was accepted once says nothing any more");
}

#[test]
fn an_answer_that_a_later_one_has_overtaken_is_forgotten() {
    let mut story = Story::asked();
    assert!(stages(story.told(Event::Answered(Answer::Accepted)), Content::Generated(random(1))));
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::Moved)), Action::Read);
    let promotes = Action::Promote { over: Revision([2; 32]), token: random(7).answer() };
    assert_eq!(story.reads(answer(7)), promotes, "it was asked for a fence after ours");
    assert!(!story.rotation.holds_only_copy());
}

#[test]
fn an_answer_that_was_stored_although_the_vault_did_not_say_so_is_promoted() {
    let mut story = Story::asked();
    assert!(stages(story.told(Event::Answered(Answer::Accepted)), Content::Generated(random(1))));
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::Doubtful)), Action::Read);
    let promotes = Action::Promote { over: Revision([2; 32]), token: random(1).answer() };
    assert_eq!(story.reads(answer(1)), promotes);
}

#[test]
fn an_answer_to_an_intent_of_an_older_generation_is_not_put_over_a_newer_password() {
    let mut story = Story::asked();
    assert!(stages(story.told(Event::Answered(Answer::Accepted)), Content::Generated(random(1))));
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::Moved)), Action::Read);
    let newer =
        Version { token: random(7).answer(), owner: Owner::Generated { generation: current() }, created_at: None };
    let finished = story.reads(Snapshot { current: Some(newer), ..idle() });
    assert_eq!(finished, Action::Finish(Outcome::RotatedElsewhere(random(7).answer())));
}

#[test]
fn whoever_came_for_an_older_generation_stores_the_answer_to_his_intent_in_this_one() {
    let mut story = Story::new();
    let before = Version { token: random(8), owner: Owner::Generated { generation: random(7) }, created_at: None };
    let waits = story.reads(Snapshot { current: Some(before), ..intent(9) });
    assert!(stages_over(waits, random(8)), "of another generation: {waits:?}");
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::Moved)), Action::Read);
    assert!(matches!(story.reads(intent(9)), Action::Wait { .. }));
    story.now = TURN;
    assert!(stages(story.reads(intent(9)), Content::Intent));
    assert_eq!(story.told(Event::Written(after(1, 9))), Action::Read);
    assert!(matches!(story.reads(after(1, 9)), Action::Generate { .. }));
    let stored = story.told(Event::Answered(Answer::Accepted));
    assert!(stages(stored, Content::Generated(random(1))), "{stored:?}");
}

#[test]
fn a_stored_answer_is_promoted_after_a_crash_without_asking_again() {
    let mut story = Story::new();
    let promotes = Action::Promote { over: Revision([2; 32]), token: random(1).answer() };
    assert_eq!(story.reads(answer(1)), promotes);
}

#[test]
fn an_answer_outlives_the_deletion_of_its_secret() {
    let mut story = Story::asked();
    assert!(stages(story.told(Event::Answered(Answer::Accepted)), Content::Generated(random(1))));
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::Moved)), Action::Read);
    let absent = Snapshot { current: None, ..idle() };
    assert!(matches!(story.reads(absent), Action::Place { .. }));
    let placeholder = Version { token: Token::placeholder(), owner: Owner::Placeholder, created_at: None };
    let stored = story.told(Event::Written(Snapshot { current: Some(placeholder), ..idle() }));
    assert!(matches!(stored, Action::Stage { content: Content::Again(of), .. } if of == random(1)));
}

#[test]
fn an_unanswered_intent_leaves_nothing_to_put_back_after_a_deletion() {
    let mut story = Story::asked();
    assert!(matches!(story.told(Event::Answered(DOUBT)), Action::Wait { .. }));
    assert_eq!(story.told(Event::Woken), Action::Read);
    assert!(matches!(story.reads(Snapshot { current: None, ..idle() }), Action::Place { .. }));
    let placeholder = Version { token: Token::placeholder(), owner: Owner::Placeholder, created_at: None };
    let staged = story.told(Event::Written(Snapshot { current: Some(placeholder), ..idle() }));
    assert!(matches!(staged, Action::Stage { content: Content::Intent, .. }));
}
