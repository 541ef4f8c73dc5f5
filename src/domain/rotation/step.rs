//! The protocol itself, one pure function (`protocol.md`).
//!
//! ```text
//!              ┌────────────────────────── Woken · Moved · Doubtful · Delayed ◄──────────────────────────┐
//!              ▼                                                                                         │
//!  Begin ─► Read ─► decide ─┬─ no version ──────────────► Place ──────────────────────────► decide       │
//!                           ├─ idle, same generation ───► Stage ─────────────────────────► decide        │
//!                           ├─ idle, current moved ─────► Finish                                         │
//!                           ├─ pending, not ours ───────► Finish (frozen)                                │
//!                           ├─ pending, other generation► Stage (supersedes) ────────────► decide        │
//!                           ├─ pending, accepted ───────► Promote ─► decide ─► Finish                    │
//!                           ├─ pending, refused ────────► Stage (supersedes), 8 at most ─► decide        │
//!                           └─ pending ─► fence? ─► clock? ─► Permit? ─► fresh? ─► Send                  │
//!                                           │         │                              ├─ accepted ► Promote│
//!                                           │         │                              ├─ refused ─► decide │
//!                                           └─ Wait ──┴──────────────────────────────┴─ otherwise ► Wait ─┘
//! ```
//!
//! The state remembers little, and nothing that matters: what to do follows from the last read. Exactly one action is under
//! way at any time, and each event answers it; the function returns one action and not a list, so that no interleaving is
//! hidden inside a step. Safety does not depend on the state surviving: every rule is checked against a read.

mod fence;
mod intent;

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::answer::{Answer, Block};
use super::freeze::Freeze;
use super::protocol::{
    Action, Content, Event, Goal, Insistence, Maker, Moment, Outcome, Plan, RollbackStop, VaultTrouble, Waiting,
};
use super::record::Record;
use super::snapshot::{Owner, Pending, Snapshot, Version};
use crate::domain::Timestamp;
use crate::domain::backoff::Backoff;
use crate::domain::token::Token;

/// Candidates that may wait as superseded before an operator must look (rule 6).
pub const MOST_SUPERSEDED: usize = 8;
/// The spacing of supersedings: doubling from the first to the second (rule 6).
pub const SPACING: Backoff = Backoff { floor: SignedDuration::from_mins(15), cap: SignedDuration::from_hours(24) };
/// How recently the gateway's clock must have been heard before anything is applied (rule 8).
pub const HEARD_WITHIN: SignedDuration = SignedDuration::from_mins(1);
/// Lost races that are answered by reading again at once; after these the rotation waits a moment.
const RACES: u32 = 3;

/// One rotation of one account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rotation {
    plan: Plan,
    /// What this journal sent and heard.
    record: Record,
    /// The action whose answer is awaited.
    doing: Doing,
    /// The last read.
    seen: Option<Snapshot>,
    /// The generation that this rotation found: it is over when current is another.
    base: Option<Token>,
    /// The candidate for which this process holds a permit that it has not used.
    permit: Option<Token>,
    /// The version that this process worked with last, and its candidate, whose password it therefore holds.
    worked: Option<(Token, Token)>,
    /// The candidates that this very run staged in a vault of which it is the sole writer (rule 7).
    staged: BTreeSet<Token>,
    /// A candidate that vanished from the vault after it was sent (rule 13).
    carry: Option<Token>,
    /// The intent that the provider answered, with its token and attempt, until the answer is stored (rule 11).
    answer: Option<Intent>,
    /// Attempts below this one are used, in this generation.
    unused_from: Option<(Token, u32)>,
    /// Since when a read was missed that shows the used tokens before this one.
    unseen: Option<(Token, Timestamp)>,
    /// Where an unknown fence counts from, for this candidate.
    fence_from: Option<(Token, Timestamp)>,
    /// Failures in a row.
    failures: u32,
    /// A 401 was answered by signing afresh once.
    signed_afresh: bool,
    /// What a person still overrides.
    insists: Insistence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Intent {
    token: Token,
    candidate: Token,
    /// The version that was current when it was asked for.
    generation: Token,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Doing {
    Nothing,
    Staging { token: Token, generation: Token, attempt: u32, content: Content },
    Permitting,
    Sending { token: Token, candidate: Token },
    Generating(Intent),
    Other,
}

impl Rotation {
    /// A rotation that has not begun.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self {
            insists: plan.insists,
            plan,
            record: Record::new(),
            doing: Doing::Nothing,
            seen: None,
            base: None,
            permit: None,
            worked: None,
            staged: BTreeSet::new(),
            carry: None,
            answer: None,
            unused_from: None,
            unseen: None,
            fence_from: None,
            failures: 0,
            signed_afresh: false,
        }
    }

    /// Goes on because a person asks for it, as a rotation would that began with this goal and insistence. It takes neither
    /// back: a finished rotation is what a person who asks for one wants.
    pub fn insist(&mut self, goal: Goal, insists: Insistence) {
        if goal == Goal::Rotate && self.plan.goal == Goal::Finish {
            self.plan.goal = goal;
        }
        self.plan.insists = self.plan.insists.max(insists);
        self.insists = self.insists.max(insists);
    }

    /// What the journal and this run know of the account's candidates.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// Whether a password that may be live is nowhere but in this process: the provider answered with it and it is not stored
    /// yet, or its secret was deleted (rules 11 and 13). The process must not end by itself then, and nor may the rotation.
    #[must_use]
    pub const fn holds_only_copy(&self) -> bool {
        self.answer.is_some() || self.carry.is_some()
    }

    /// The candidate that was worked with last.
    #[must_use]
    pub fn candidate(&self) -> Option<Token> {
        self.worked.map(|(_, candidate)| candidate)
    }

    /// The last read, for people.
    #[must_use]
    pub const fn seen(&self) -> Option<&Snapshot> {
        self.seen.as_ref()
    }
}

/// Takes one event and says what to do next. Pure: the engine, the model checker and the simulator run this very function.
#[must_use]
pub fn step(mut rotation: Rotation, at: Moment, event: Event) -> (Rotation, Action) {
    let done = std::mem::replace(&mut rotation.doing, Doing::Nothing);
    let action = match event {
        Event::Begin(record) => {
            rotation.record = record;
            Action::Read
        }
        Event::Read(snapshot) => rotation.decide(at, snapshot),
        Event::Written(snapshot) => rotation.written(at, done, snapshot),
        Event::VaultFailed(trouble) => rotation.vault_failed(at, done, trouble),
        Event::Answered(answer) => rotation.answered(at, done, answer),
        Event::NotRecorded => rotation.wait(at, Waiting::Journal),
        Event::ProbeFailed(None) => rotation.wait(at, Waiting::Provider),
        Event::ProbeFailed(Some(block)) => rotation.wait(at, Waiting::Blocked(block)),
        Event::Probed | Event::Woken | Event::Delayed => Action::Read,
    };
    rotation.doing = match action {
        Action::Stage { token, generation, attempt, content, .. } => {
            Doing::Staging { token, generation, attempt, content }
        }
        Action::Permit { .. } => Doing::Permitting,
        Action::Send { token, candidate, .. } => Doing::Sending { token, candidate },
        Action::Generate { token, candidate, .. } => {
            let current = rotation.seen.as_ref().and_then(|seen| seen.current.as_ref());
            let generation = current.map_or(token, |current| current.token);
            Doing::Generating(Intent { token, candidate, generation })
        }
        _ => Doing::Other,
    };
    (rotation, action)
}

impl Rotation {
    fn written(&mut self, at: Moment, done: Doing, snapshot: Snapshot) -> Action {
        // A permit is asked for before every send: were it a success, no doubt would ever back off (rule 5).
        if done != Doing::Permitting {
            self.failures = 0;
        }
        if let (Doing::Staging { .. } | Doing::Permitting, Some(pending)) = (done, &snapshot.pending) {
            self.permit = Some(pending.candidate);
            self.worked = Some((pending.version.token, pending.candidate));
        }
        if let (Doing::Staging { .. }, Some(pending), true) = (done, &snapshot.pending, snapshot.sole) {
            self.staged.insert(pending.candidate);
        }
        if let (Doing::Staging { content: Content::Again(lost), .. }, Some(pending)) = (done, &snapshot.pending) {
            self.carry = None;
            self.answer.take_if(|intent| intent.candidate == lost);
            self.record.again(lost, pending.candidate);
        }
        if let Doing::Staging { content: Content::Generated(_), .. } = done {
            self.answer = None;
            self.permit = None;
        }
        self.decide(at, snapshot)
    }

    fn vault_failed(&mut self, at: Moment, done: Doing, trouble: VaultTrouble) -> Action {
        if let (Doing::Staging { content: Content::Copy(_), .. }, VaultTrouble::TokenUsed, Goal::Rollback) =
            (done, trouble, self.plan.goal)
        {
            return Action::Finish(Outcome::RollbackStopped(RollbackStop::TokenUsed));
        }
        if let (Doing::Staging { generation, attempt, .. }, VaultTrouble::TokenUsed) = (done, trouble) {
            self.unused_from = Some((generation, attempt.saturating_add(1)));
        }
        match trouble {
            // Only a read that is not late can settle whether the write happened.
            VaultTrouble::Doubtful if !self.plan.settle.is_zero() => {
                self.failures = self.failures.saturating_add(1);
                Action::Wait { until: later(at.now, self.plan.settle), why: Waiting::Vault(trouble) }
            }
            VaultTrouble::Moved | VaultTrouble::TokenUsed | VaultTrouble::Doubtful if self.failures < RACES => {
                self.failures += 1;
                Action::Read
            }
            _ => self.wait(at, Waiting::Vault(trouble)),
        }
    }

    fn answered(&mut self, at: Moment, done: Doing, answer: Answer) -> Action {
        let (token, candidate) = match done {
            Doing::Sending { token, candidate } => (token, candidate),
            Doing::Generating(intent) => return self.generated(at, intent, answer),
            _ => return Action::Read,
        };
        let Some(snapshot) = self.seen.clone() else {
            return Action::Read;
        };
        self.permit = None;
        self.record.sending(candidate);
        self.record.answered(candidate, answer);
        let asked_afresh = std::mem::take(&mut self.signed_afresh);
        match answer {
            Answer::Accepted => {
                self.failures = 0;
                Action::Promote { over: snapshot.revision, token }
            }
            Answer::Refused => self.decide(at, snapshot),
            Answer::Blocked(Block::Authentication) if !asked_afresh => {
                self.signed_afresh = true;
                Action::Read
            }
            Answer::Blocked(block) => self.wait(at, Waiting::Blocked(block)),
            Answer::Ambiguous(doubt) => self.wait(at, Waiting::Doubt(doubt)),
        }
    }

    /// What to do follows from one read, and from nothing older.
    fn decide(&mut self, at: Moment, snapshot: Snapshot) -> Action {
        let (current, pending, hindrance) = (snapshot.current.clone(), snapshot.pending.clone(), snapshot.hindrance);
        self.seen = Some(snapshot);
        if let Some(why) = hindrance.filter(|why| *why != Freeze::PendingIsPrevious || !self.adopts()) {
            return self.hindered(current.as_ref(), why);
        }
        let Some(current) = current else {
            return self.without_version();
        };
        if current.owner == Owner::Placeholder && self.base.is_some_and(|base| base != current.token) {
            self.deleted();
            self.base = Some(current.token);
        }
        let base = *self.base.get_or_insert(current.token);
        let adopted = || self.adopts() || pending.as_ref().is_some_and(|pending| pending.replaces(current.token));
        match current.owner {
            Owner::OtherAccount => return Action::Finish(Outcome::Frozen(Freeze::OtherAccount)),
            Owner::Stranger if !adopted() => return Action::Finish(Outcome::Frozen(Freeze::ForeignCurrent)),
            _ => {}
        }
        if let Some(action) = self.store(at, &current, base, pending.as_ref()) {
            return action;
        }
        let Some(pending) = pending else {
            return self.idle(at, &current, base);
        };
        if hindrance.is_some() {
            // It was current before: that it was accepted once says nothing any more.
            return self.supersede(at, current.token, Spaced::No);
        }
        if self.plan.goal == Goal::Rollback && !matches!(pending.version.owner, Owner::Rollback { .. }) {
            return Action::Finish(Outcome::RollbackStopped(RollbackStop::Unfinished));
        }
        match pending.version.owner {
            Owner::Ours { generation, attempt } | Owner::Rollback { generation, attempt } => {
                self.unfinished(at, &current, &pending, generation, attempt)
            }
            Owner::Intent { generation } if generation == current.token => self.intended(at, &current, &pending),
            Owner::Generated { generation } if generation == current.token => {
                let token = pending.version.token;
                self.worked = Some((token, pending.candidate));
                self.over(|over| Action::Promote { over, token })
            }
            Owner::Intent { .. } | Owner::Generated { .. } => self.supersede(at, current.token, Spaced::No),
            Owner::OtherAccount => Action::Finish(Outcome::Frozen(Freeze::OtherAccount)),
            Owner::Placeholder | Owner::NeverOurs | Owner::Stranger | Owner::Edited if self.adopts() => {
                self.supersede(at, current.token, Spaced::No)
            }
            Owner::Placeholder | Owner::NeverOurs | Owner::Stranger | Owner::Edited => {
                Action::Finish(Outcome::Frozen(Freeze::ForeignPending))
            }
        }
    }

    /// Whether an operator takes over what somebody else left.
    const fn adopts(&self) -> bool {
        matches!(self.plan.insists, Insistence::Adopt)
    }

    /// Something about the secret as a whole forbids to touch it. Only a deletion under a candidate that was sent is undone:
    /// nobody could read the password that may be live (rule 13).
    fn hindered(&mut self, current: Option<&Version>, why: Freeze) -> Action {
        let promoted = current.is_some_and(|current| self.base.is_some_and(|base| base != current.token));
        if why == Freeze::ScheduledForDeletion && !promoted {
            self.deleted();
            if self.carry.is_some() {
                return self.over(|over| Action::Restore { over });
            }
        }
        Action::Finish(Outcome::Frozen(why))
    }

    /// The secret was deleted under this rotation: the candidate's password is still in this process, and goes back into
    /// the vault (rule 13), unless another replica has set a newer one by then.
    fn deleted(&mut self) {
        let sent = |candidate: &Token| self.record.count(*candidate) > 0;
        let held = |candidate: &Token| self.plan.maker == Maker::Us || self.record.accepted(*candidate);
        self.carry = self.candidate().filter(sent).filter(held).or(self.carry);
    }

    /// A secret that does not exist, or has no version; when it had one before, it was deleted.
    fn without_version(&mut self) -> Action {
        if self.base.is_some() {
            self.deleted();
        }
        if self.carry.is_none() && self.plan.goal == Goal::Finish {
            return Action::Finish(Outcome::Idle);
        }
        self.over(|over| Action::Place { over })
    }

    fn idle(&mut self, at: Moment, current: &Version, base: Token) -> Action {
        if current.token != base {
            let ours = self.worked.is_some_and(|(token, _)| token == current.token);
            return Action::Finish(match self.plan.goal {
                _ if ours => Outcome::Rotated(current.token),
                Goal::Rollback => Outcome::RollbackStopped(RollbackStop::Overtaken),
                Goal::Rotate | Goal::Finish => Outcome::RotatedElsewhere(current.token),
            });
        }
        if let Some(lost) = self.carry {
            return self.stage(at, current.token, Content::Again(lost));
        }
        match self.plan.goal {
            Goal::Finish if current.owner == Owner::Edited => {
                self.stage(at, current.token, Content::Copy(current.token))
            }
            Goal::Finish => Action::Finish(Outcome::Idle),
            Goal::Rotate => self.stage(at, current.token, self.fresh()),
            Goal::Rollback => match self.seen.as_ref().and_then(Snapshot::password_before) {
                Some(previous) => self.stage(at, current.token, Content::Copy(previous)),
                None => Action::Finish(Outcome::RollbackStopped(RollbackStop::NothingBefore)),
            },
        }
    }

    /// What a new candidate holds.
    const fn fresh(&self) -> Content {
        match self.plan.maker {
            Maker::Us => Content::Fresh,
            Maker::Provider => Content::Intent,
        }
    }

    fn unfinished(
        &mut self,
        at: Moment,
        current: &Version,
        pending: &Pending,
        generation: Token,
        attempt: u32,
    ) -> Action {
        let token = pending.version.token;
        let belongs =
            generation == current.token && token == Token::of_attempt(&self.plan.subject, current.token, attempt);
        if !belongs {
            return self
                .rollback_stops(pending, RollbackStop::Overtaken)
                .unwrap_or_else(|| self.supersede(at, current.token, Spaced::No));
        }
        let candidate = pending.candidate;
        self.carry.take_if(|lost| *lost == candidate);
        self.worked = Some((token, candidate));
        if self.record.accepted(candidate) {
            return self.over(|over| Action::Promote { over, token });
        }
        if self.record.refused(candidate) {
            let spaced = if self.record.doubtful(candidate) { Spaced::No } else { Spaced::Yes };
            return self
                .rollback_stops(pending, RollbackStop::Refused)
                .unwrap_or_else(|| self.supersede(at, current.token, spaced));
        }
        self.apply(at, pending)
    }

    /// A rollback never turns into a random password by itself (rule 10): only who asks for a new password by the account's
    /// name has it superseded.
    fn rollback_stops(&self, pending: &Pending, why: RollbackStop) -> Option<Action> {
        let is_rollback = matches!(pending.version.owner, Owner::Rollback { .. });
        let asked = self.plan.goal == Goal::Rotate && self.plan.insists >= Insistence::Hold;
        (is_rollback && !asked).then_some(Action::Finish(Outcome::RollbackStopped(why)))
    }

    fn apply(&mut self, at: Moment, pending: &Pending) -> Action {
        let (token, candidate) = (pending.version.token, pending.candidate);
        match self.may_apply(at, pending) {
            Ok(signed_at) => Action::Send { token, candidate, signed_at },
            Err(action) => action,
        }
    }

    /// Puts the next candidate into the pending place; the one that holds it is kept as superseded (rule 6).
    fn supersede(&mut self, at: Moment, generation: Token, spaced: Spaced) -> Action {
        let superseded = self.seen.as_ref().map_or(&[][..], |snapshot| &snapshot.superseded);
        if superseded.len() >= MOST_SUPERSEDED && self.insists < Insistence::Hold {
            return Action::Finish(Outcome::Held);
        }
        if at.heard_lately().is_none() {
            return Action::Probe;
        }
        let last = superseded.iter().filter_map(|candidate| candidate.at).max();
        if let (Spaced::Yes, Insistence::None, Some(last)) = (spaced, self.insists, last) {
            let times = u32::try_from(superseded.len()).unwrap_or(u32::MAX);
            let until = later(last, SPACING.whole(times));
            if at.now < until {
                return Action::Wait { until, why: Waiting::Spacing };
            }
        }
        if spaced == Spaced::Yes || superseded.len() >= MOST_SUPERSEDED {
            self.insists = Insistence::None;
        }
        self.stage(at, generation, self.fresh())
    }

    /// Stages the next unused attempt. The vault stamps the write with gateway time, from which a fence may count, so the
    /// gateway must have been heard lately; only putting a lost password back does not wait for that.
    fn stage(&mut self, at: Moment, generation: Token, content: Content) -> Action {
        let heard = if matches!(content, Content::Again(_)) { at.heard } else { at.heard_lately() };
        if heard.is_none() {
            return Action::Probe;
        }
        let Some(snapshot) = &self.seen else {
            return Action::Read;
        };
        let known = snapshot.superseded.iter().map(|superseded| &superseded.version);
        let known = known.chain(snapshot.pending.as_ref().map(|pending| &pending.version));
        let next = known.filter_map(|version| match version.owner {
            Owner::Ours { generation: of, attempt } | Owner::Rollback { generation: of, attempt }
                if of == generation =>
            {
                Some(attempt.saturating_add(1))
            }
            _ => None,
        });
        let shown = next.max().unwrap_or(0);
        let floor = self.unused_from.and_then(|(of, attempt)| (of == generation).then_some(attempt));
        let attempt = shown.max(floor.unwrap_or(0));
        let token = Token::of_attempt(&self.plan.subject, generation, attempt);
        let (as_of, over) = (snapshot.as_of, snapshot.revision);
        if attempt > shown
            && let Some(until) = self.late_until(at, token)
            && as_of < until
        {
            let why = Waiting::Vault(VaultTrouble::TokenUsed);
            return if at.now < until { Action::Wait { until, why } } else { Action::Read };
        }
        Action::Stage { over, token, generation, attempt, content }
    }

    /// Until when a read may be late that does not show the used tokens before `token`: one of them may be pending, and
    /// applied, so that nothing is staged over such a read. None where writes are seen at once.
    fn late_until(&mut self, at: Moment, token: Token) -> Option<Timestamp> {
        if self.plan.settle.is_zero() {
            return None;
        }
        let since = match self.unseen {
            Some((of, since)) if of == token => since,
            _ => at.now,
        };
        self.unseen = Some((token, since));
        Some(later(since, self.plan.settle))
    }

    fn over(&self, action: impl FnOnce(super::snapshot::Revision) -> Action) -> Action {
        self.seen.as_ref().map_or(Action::Read, |snapshot| action(snapshot.revision))
    }

    fn wait(&mut self, at: Moment, why: Waiting) -> Action {
        self.failures = self.failures.saturating_add(1);
        let pause = Backoff::RETRY.after(self.failures, &self.plan.subject.id.0);
        Action::Wait { until: later(at.now, pause), why }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spaced {
    Yes,
    No,
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod intents;
#[cfg(test)]
mod tests;
