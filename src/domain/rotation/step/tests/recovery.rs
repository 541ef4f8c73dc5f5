//! What people do to a secret, and what they ask for (rules 7, 8, 9, 10 and 13).

use super::*;
use crate::domain::rotation::protocol::RollbackStop;

/// A current version that somebody else put under a token of his own.
fn replaced(owner: Owner) -> Snapshot {
    Snapshot { current: Some(Version { token: foreign(), owner, created_at: None }), ..idle() }
}

fn foreign() -> Token {
    attempt(base(), 99)
}

/// Attempt `number` pending over `generation`, with one permit and nothing to wait for.
fn staged_over(current: Snapshot, owner: fn(Token, u32) -> Owner, number: u32) -> Snapshot {
    let generation = current.current.as_ref().unwrap().token;
    let token = attempt(generation, number);
    let version = Version { token, owner: owner(generation, number), created_at: None };
    let predecessor = Predecessor::Nothing;
    let pending = Some(Pending { candidate: token, version, predecessor, permits: Some(1) });
    Snapshot { revision: revision(2), pending, ..current }
}

const OURS: fn(Token, u32) -> Owner = |generation, attempt| Owner::Ours { generation, attempt };
const ROLLBACK: fn(Token, u32) -> Owner = |generation, attempt| Owner::Rollback { generation, attempt };

fn content(action: Action) -> Option<Content> {
    match action {
        Action::Stage { content, .. } => Some(content),
        _ => None,
    }
}

// Rule 9: an operator adopts.

#[rstest]
#[case::a_replaced_current(replaced(Owner::Stranger), foreign())]
#[case::a_foreign_pending(staged_over(idle(), |_, _| Owner::Stranger, 7), base())]
#[case::a_pending_labelled_previous(
    Snapshot { hindrance: Some(Freeze::PendingIsPrevious), ..staged_over(idle(), |_, _| Owner::Stranger, 7) },
    base()
)]
fn an_operator_takes_over_what_somebody_else_left(#[case] found: Snapshot, #[case] generation: Token) {
    for insists in [Insistence::None, Insistence::Spacing, Insistence::Hold] {
        let action = Story::of(Goal::Rotate, insists, &[]).reads(&found);
        assert!(matches!(action, Action::Finish(Outcome::Frozen(_))), "{insists:?} is no adoption: {action:?}");
    }
    let Action::Stage { content: Content::Fresh, generation: over, .. } =
        Story::of(Goal::Rotate, Insistence::Adopt, &[]).reads(&found)
    else {
        panic!("an adoption sets a new password");
    };
    assert_eq!(over, generation);
}

#[test]
fn an_adoption_is_finished_by_whoever_finds_it() {
    let adopted = staged_over(replaced(Owner::Stranger), OURS, 0);
    let mut story = Story::of(Goal::Finish, Insistence::None, &[]);
    assert!(matches!(story.reads(&adopted), Action::Permit { .. }));
    let stale = Snapshot { pending: pending(0).pending, ..replaced(Owner::Stranger) };
    let mut story = Story::of(Goal::Finish, Insistence::None, &[]);
    assert_eq!(
        story.reads(&stale),
        Action::Finish(Outcome::Frozen(Freeze::ForeignCurrent)),
        "what was staged over an earlier version says nothing about this one"
    );
}

#[rstest]
#[case(Freeze::OtherAccount)]
#[case(Freeze::ManagedRotation)]
#[case(Freeze::PlainText)]
#[case(Freeze::ScheduledForDeletion)]
fn nobody_adopts_a_secret_that_cannot_be_ours(#[case] why: Freeze) {
    let hindered = Snapshot { hindrance: Some(why), ..idle() };
    for goal in [Goal::Rotate, Goal::Finish, Goal::Rollback] {
        for insists in [Insistence::None, Insistence::Adopt] {
            let action = Story::of(goal, insists, &[]).reads(&hindered);
            assert_eq!(action, Action::Finish(Outcome::Frozen(why)));
        }
    }
}

#[test]
fn what_was_current_before_is_not_promoted_for_an_acceptance_of_then() {
    let before = Snapshot { hindrance: Some(Freeze::PendingIsPrevious), ..pending(0) };
    let accepted = [(attempt(base(), 0), Some(Answer::Accepted))];
    let action = Story::of(Goal::Rotate, Insistence::Adopt, &accepted).reads(&before);
    assert_eq!(content(action), Some(Content::Fresh), "an adoption sets a new password");
}

// Rule 9: a human edited other keys.

#[test]
fn an_edited_current_is_set_once_more_with_the_password_that_it_holds() {
    let edited = replaced(Owner::Edited);
    let mut story = Story::of(Goal::Finish, Insistence::None, &[]);
    let action = story.reads(&edited);
    let (token, generation, over) = (attempt(foreign(), 0), foreign(), revision(1));
    assert_eq!(action, Action::Stage { over, token, generation, attempt: 0, content: Content::Copy(foreign()) });
    let action = story.told(Event::Written(staged_over(edited, OURS, 0)));
    assert!(matches!(action, Action::Send { .. }), "the edit may have come over a newer password: {action:?}");
}

#[test]
fn a_rotation_over_an_edited_current_sets_a_new_password() {
    assert_eq!(content(Story::new().reads(&replaced(Owner::Edited))), Some(Content::Fresh));
}

#[test]
fn an_edit_under_a_pending_candidate_supersedes_it() {
    let under = Snapshot { pending: pending(0).pending, ..replaced(Owner::Edited) };
    let Action::Stage { generation, content: Content::Fresh, .. } = Story::new().reads(&under) else {
        panic!("the candidate may be live, and belongs to another generation");
    };
    assert_eq!(generation, foreign());
}

// Rule 10: rollback.

fn rollback() -> Story {
    Story::of(Goal::Rollback, Insistence::None, &[])
}

fn with_previous(owner: Owner) -> Snapshot {
    Snapshot { previous: Some(Version { token: foreign(), owner, created_at: None }), ..idle() }
}

#[test]
fn a_rollback_is_a_rotation_whose_candidate_is_the_previous_password() {
    let found = with_previous(OURS(base(), 3));
    let mut story = rollback();
    assert_eq!(content(story.reads(&found)), Some(Content::Copy(foreign())));
    assert_eq!(story.told(Event::Written(staged_over(found, ROLLBACK, 0))), SEND(0, 0));
    let token = attempt(base(), 0);
    assert_eq!(story.told(Event::Answered(Answer::Accepted)), Action::Promote { over: revision(2), token });
}

#[rstest]
#[case::nothing_at_all(idle())]
#[case::a_placeholder(with_previous(Owner::Placeholder))]
#[case::another_accounts(with_previous(Owner::OtherAccount))]
#[case::an_intent(with_previous(Owner::Intent { generation: base() }))]
fn without_a_previous_password_there_is_no_rollback(#[case] found: Snapshot) {
    let stopped = Action::Finish(Outcome::RollbackStopped(RollbackStop::NothingBefore));
    assert_eq!(rollback().reads(&found), stopped);
}

#[test]
fn a_rollback_does_not_begin_while_another_rotation_is_unfinished() {
    let found = Snapshot { previous: with_previous(OURS(base(), 3)).previous, ..pending(0) };
    assert_eq!(rollback().reads(&found), Action::Finish(Outcome::RollbackStopped(RollbackStop::Unfinished)));
}

#[test]
fn a_rollback_whose_token_is_taken_stops() {
    let mut story = rollback();
    assert!(content(story.reads(&with_previous(OURS(base(), 3)))).is_some());
    let stopped = Action::Finish(Outcome::RollbackStopped(RollbackStop::TokenUsed));
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::TokenUsed)), stopped);
}

#[rstest]
#[case::refused(staged_over(idle(), ROLLBACK, 0), &[Some(Answer::Refused)], RollbackStop::Refused)]
#[case::refused_after_a_doubt(
    staged_over(idle(), ROLLBACK, 0), &[Some(DOUBT), Some(Answer::Refused)], RollbackStop::Refused
)]
#[case::overtaken(
    Snapshot { current: replaced(Owner::Edited).current, ..staged_over(idle(), ROLLBACK, 0) }, &[], RollbackStop::Overtaken
)]
fn a_rollback_never_turns_into_a_random_password_by_itself(
    #[case] found: Snapshot,
    #[case] answers: &[Option<Answer>],
    #[case] why: RollbackStop,
) {
    let sent: Vec<_> = answers.iter().map(|answer| (attempt(base(), 0), *answer)).collect();
    let unasked = [
        (Goal::Rollback, Insistence::Hold),
        (Goal::Finish, Insistence::Hold),
        (Goal::Rotate, Insistence::None),
        (Goal::Rotate, Insistence::Spacing),
    ];
    for (goal, insists) in unasked {
        let action = Story::of(goal, insists, &sent).reads(&found);
        assert_eq!(action, Action::Finish(Outcome::RollbackStopped(why)), "{goal:?} {insists:?}");
    }
    let action = Story::of(Goal::Rotate, Insistence::Hold, &sent).reads(&found);
    assert_eq!(content(action), Some(Content::Fresh), "asked for by name");
}

#[test]
fn a_rollback_that_another_rotation_came_over_is_none() {
    let mut story = rollback();
    assert!(content(story.reads(&with_previous(OURS(base(), 3)))).is_some());
    assert!(matches!(story.told(Event::VaultFailed(VaultTrouble::Moved)), Action::Read));
    let theirs = Snapshot { current: Some(ours(base(), 1)), ..idle() };
    assert_eq!(story.reads(&theirs), Action::Finish(Outcome::RollbackStopped(RollbackStop::Overtaken)));
}

#[test]
fn a_rollback_is_finished_by_whoever_finds_it() {
    let found = staged_over(idle(), ROLLBACK, 0);
    for goal in [Goal::Finish, Goal::Rotate, Goal::Rollback] {
        let mut story = Story::of(goal, Insistence::None, &[]);
        assert!(matches!(story.reads(&found), Action::Permit { .. }), "{goal:?}");
    }
}

// Rule 13: taken back from deletion.

#[test]
fn a_deletion_under_a_candidate_that_was_sent_is_undone() {
    let mut story = Story::about_to_send();
    assert!(waits(story.told(Event::Answered(DOUBT))).is_some());
    assert_eq!(story.told(Event::Woken), Action::Read);
    let deleted = Snapshot { hindrance: Some(Freeze::ScheduledForDeletion), ..pending(0) };
    assert_eq!(story.reads(&deleted), Action::Restore { over: revision(2) });
    assert!(story.rotation.holds_only_copy(), "nobody can read a secret that is to be deleted");
    let Some((_, why)) = waits(story.told(Event::VaultFailed(VaultTrouble::Denied))) else { panic!("it insists") };
    assert_eq!(why, Waiting::Vault(VaultTrouble::Denied));
    assert_eq!(story.told(Event::Woken), Action::Read);
    assert_eq!(story.reads(&deleted), Action::Restore { over: revision(2) });
    let token = attempt(base(), 0);
    assert_eq!(story.told(Event::Written(pending(0))), Action::Permit { over: revision(2), token });
    assert!(!story.rotation.holds_only_copy(), "the vault shows it again");
}

#[test]
fn a_deletion_after_the_promotion_is_nobodys_business_here() {
    let mut story = Story::about_to_send();
    assert!(matches!(story.told(Event::Answered(Answer::Accepted)), Action::Promote { .. }));
    assert_eq!(story.told(Event::VaultFailed(VaultTrouble::Doubtful)), Action::Read);
    let deleted = Snapshot { current: Some(ours(base(), 0)), hindrance: Some(Freeze::ScheduledForDeletion), ..idle() };
    assert_eq!(story.reads(&deleted), Action::Finish(Outcome::Frozen(Freeze::ScheduledForDeletion)));
}

// Rule 7: a request for what the secret does not tell of.

#[rstest]
#[case::over_a_settled_one(fenced(Some(-100_000), Some(1)))]
#[case::over_nothing(pending(0))]
#[case::on_a_vault_that_counts_nothing(Snapshot { counts_permits: false, ..fenced(Some(-100_000), None) })]
fn a_request_for_a_candidate_that_the_secret_lost_is_waited_for(#[case] found: Snapshot) {
    let lost = attempt(Token::placeholder(), 77);
    let known = [(base(), Some(Answer::Accepted)), (lost, None)];
    let mut staged = found.clone();
    staged.pending.as_mut().unwrap().version.created_at = Some(at(0));
    assert_eq!(waits(Story::knowing(&known).reads(&staged)), Some((FENCE, Waiting::Fence)));
    let mut story = Story::knowing(&known);
    story.now = FENCE;
    assert!(waits(story.reads(&staged)).is_none(), "it counts from the staging, so that no restart begins it anew");
    assert!(waits(Story::knowing(&known[..1]).reads(&staged)).is_none(), "the journal's doubt is what it waits for");
}

// Rule 7 on a shared vault, and rule 8 for its clock.

/// A vault that counts nothing, with attempt `number` pending after attempt `number - 1` was superseded at second 0.
fn shared(number: u32, sole: bool) -> Snapshot {
    let mut snapshot = Snapshot { counts_permits: false, sole, ..pending(number) };
    let shown = snapshot.pending.as_mut().unwrap();
    shown.permits = None;
    if let Some(before) = number.checked_sub(1) {
        shown.predecessor =
            Predecessor::Ended { candidate: Some(attempt(base(), before)), at: Some(at(0)), permits: None };
    }
    snapshot
}

/// Stages attempt 0, sends it, hears `answers`, and stages attempt 1.
fn superseded_here(sole: bool, answers: &[Answer]) -> Action {
    let mut story = Story::of(Goal::Rotate, Insistence::Spacing, &[]);
    assert!(content(story.reads(&Snapshot { counts_permits: false, sole, ..idle() })).is_some());
    let mut action = story.told(Event::Written(shared(0, sole)));
    for answer in answers {
        assert_eq!(action, SEND(0, 0));
        action = story.told(Event::Answered(*answer));
        if waits(action).is_some() {
            assert_eq!(story.told(Event::Woken), Action::Read);
            action = story.reads(&shared(0, sole));
        }
    }
    assert!(content(action).is_some(), "{action:?}");
    story.told(Event::Written(shared(1, sole)))
}

#[test]
fn the_sole_writer_of_a_vault_knows_what_it_sent_itself() {
    assert_eq!(superseded_here(true, &[Answer::Refused]), SEND(1, 0));
    assert!(waits(superseded_here(false, &[Answer::Refused])).is_some(), "others may have sent it");
    assert!(waits(superseded_here(true, &[DOUBT, Answer::Refused])).is_some(), "a doubt is no answer");
}

#[test]
fn what_another_run_staged_is_waited_for_even_by_the_sole_writer() {
    let known = [(attempt(base(), 0), Some(Answer::Refused))];
    let action = Story::knowing(&known).reads(&shared(1, true));
    assert_eq!(waits(action), Some((FENCE, Waiting::Fence)), "a journal may have been restored");
}

#[test]
fn a_vault_whose_clock_is_off_holds_applications_up() {
    for seconds in [-61, 61] {
        let mut found = shared(0, false);
        found.skew = Some(SignedDuration::from_secs(seconds));
        let Some((_, why)) = waits(Story::new().reads(&found)) else { panic!("{seconds} s is out of bounds") };
        assert_eq!(why, Waiting::ClockSkew);
    }
    let mut found = shared(0, false);
    found.skew = Some(SignedDuration::from_secs(3));
    assert_eq!(Story::new().reads(&found), SEND(0, 0));
}
