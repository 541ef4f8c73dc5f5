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

use jiff::SignedDuration;

use super::answer::{Answer, Block};
use super::protocol::{Action, Content, Event, Freeze, Goal, Moment, Outcome, Plan, VaultTrouble, Waiting};
use super::record::Record;
use super::snapshot::{Owner, Pending, Predecessor, Snapshot, Version};
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
    /// The version for which this process holds a permit that it has not used.
    permit: Option<Token>,
    /// The candidate that this process worked with last, and whose password it therefore holds.
    candidate: Option<Token>,
    /// A candidate that vanished from the vault after it was sent (rule 13).
    carry: Option<Token>,
    /// Attempts below this one are used, in this generation.
    unused_from: Option<(Token, u32)>,
    /// Where an unknown fence counts from, for this pending version.
    fence_from: Option<(Token, Timestamp)>,
    /// Failures in a row.
    failures: u32,
    /// A 401 was answered by signing afresh once.
    signed_afresh: bool,
    /// The first superseding does not wait for its spacing.
    insists: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Doing {
    Nothing,
    Staging { token: Token, generation: Token, attempt: u32, content: Content },
    Permitting(Token),
    Sending(Token),
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
            candidate: None,
            carry: None,
            unused_from: None,
            fence_from: None,
            failures: 0,
            signed_afresh: false,
        }
    }

    /// What the journal and this run know of the account's candidates.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
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
        Action::Permit { token, .. } => Doing::Permitting(token),
        Action::Send { token, .. } => Doing::Sending(token),
        _ => Doing::Other,
    };
    (rotation, action)
}

impl Rotation {
    fn written(&mut self, at: Moment, done: Doing, snapshot: Snapshot) -> Action {
        self.failures = 0;
        match done {
            Doing::Staging { token, content, .. } => {
                self.permit = Some(token);
                self.candidate = Some(token);
                if let Content::Again(lost) = content {
                    self.carry = None;
                    if self.record.accepted(lost) {
                        self.record.sending(token);
                        self.record.answered(token, Answer::Accepted);
                    }
                }
            }
            Doing::Permitting(token) => self.permit = Some(token),
            _ => {}
        }
        self.decide(at, snapshot)
    }

    fn vault_failed(&mut self, at: Moment, done: Doing, trouble: VaultTrouble) -> Action {
        if let (Doing::Staging { generation, attempt, .. }, VaultTrouble::TokenUsed) = (done, trouble) {
            self.unused_from = Some((generation, attempt.saturating_add(1)));
        }
        match trouble {
            VaultTrouble::Moved | VaultTrouble::TokenUsed | VaultTrouble::Doubtful if self.failures < RACES => {
                self.failures += 1;
                Action::Read
            }
            _ => self.wait(at, Waiting::Vault(trouble)),
        }
    }

    fn answered(&mut self, at: Moment, done: Doing, answer: Answer) -> Action {
        let (Doing::Sending(token), Some(snapshot)) = (done, self.seen.clone()) else {
            return Action::Read;
        };
        self.permit = None;
        self.record.sending(token);
        self.record.answered(token, answer);
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
        let snapshot = &*self.seen.insert(snapshot);
        let Some(current) = snapshot.current.clone() else {
            return self.without_version();
        };
        let base = *self.base.get_or_insert(current.token);
        match current.owner {
            Owner::OtherAccount => return Action::Finish(Outcome::Frozen(Freeze::OtherAccount)),
            Owner::Stranger => return Action::Finish(Outcome::Frozen(Freeze::ForeignCurrent)),
            Owner::Placeholder | Owner::Ours { .. } | Owner::NeverOurs => {}
        }
        let Some(pending) = snapshot.pending.clone() else {
            return self.idle(at, &current, base);
        };
        match pending.version.owner {
            Owner::Ours { generation, attempt } => self.unfinished(at, &current, &pending, generation, attempt),
            Owner::OtherAccount => Action::Finish(Outcome::Frozen(Freeze::OtherAccount)),
            Owner::Placeholder | Owner::NeverOurs | Owner::Stranger => {
                Action::Finish(Outcome::Frozen(Freeze::ForeignPending))
            }
        }
    }

    /// A secret that does not exist, or has no version. When it had one before, it was deleted under this rotation: the
    /// candidate's password is still in this process, and goes back into the vault (rule 13).
    fn without_version(&mut self) -> Action {
        if self.base.take().is_some() {
            self.carry = self.candidate.filter(|token| self.record.count(*token) > 0);
        }
        if self.carry.is_none() && self.plan.goal == Goal::Finish {
            return Action::Finish(Outcome::Idle);
        }
        self.over(|over| Action::Place { over })
    }

    fn idle(&mut self, at: Moment, current: &Version, base: Token) -> Action {
        if current.token != base {
            let ours = self.candidate == Some(current.token) || self.record.accepted(current.token);
            return Action::Finish(if ours {
                Outcome::Rotated(current.token)
            } else {
                Outcome::RotatedElsewhere(current.token)
            });
        }
        if let Some(lost) = self.carry {
            return self.stage(at, current.token, Content::Again(lost));
        }
        match self.plan.goal {
            Goal::Finish => Action::Finish(Outcome::Idle),
            Goal::Rotate => self.stage(at, current.token, Content::Fresh),
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
            return self.supersede(at, current.token, Spaced::No);
        }
        if self.record.accepted(token) {
            return self.over(|over| Action::Promote { over, token });
        }
        if self.record.refused(token) {
            let spaced = if self.record.doubtful(token) { Spaced::No } else { Spaced::Yes };
            return self.supersede(at, current.token, spaced);
        }
        self.apply(at, pending)
    }

    /// Rules 1, 2, 7 and 8, in the order in which each makes the next one's question meaningful.
    fn apply(&mut self, at: Moment, pending: &Pending) -> Action {
        let token = pending.version.token;
        self.candidate = Some(token);
        let (Some(heard), Some(snapshot)) = (at.heard, self.seen.clone()) else {
            return Action::Probe;
        };
        if let Some(until) = self.fence_end(at, &snapshot, pending)
            && snapshot.as_of < until
        {
            return if at.now < until { Action::Wait { until, why: Waiting::Fence } } else { Action::Read };
        }
        if heard.age > HEARD_WITHIN {
            return Action::Probe;
        }
        if heard.skew.abs() > self.plan.gateway.max_clock_skew {
            return self.wait(at, Waiting::ClockSkew);
        }
        if pending.permits.is_some() && self.permit != Some(token) {
            return Action::Permit { over: snapshot.revision, token };
        }
        if at.now.duration_since(snapshot.as_of) > self.plan.gateway.freshness() {
            return Action::Read;
        }
        Action::Send { token, signed_at: snapshot.as_of }
    }

    /// When the fence of a pending version ends; none when it has nothing to wait for (rules 1 and 7).
    fn fence_end(&mut self, at: Moment, snapshot: &Snapshot, pending: &Pending) -> Option<Timestamp> {
        let Predecessor::Ended { token, at: ended, permits } = pending.predecessor else {
            return None;
        };
        let nothing_under_way = |token: &Token| {
            let sent = u32::try_from(self.record.count(*token)).ok();
            self.record.settled(*token) && permits.is_some() && permits == sent
        };
        if snapshot.counts_permits && token.as_ref().is_some_and(nothing_under_way) {
            return None;
        }
        let pending = pending.version.token;
        let origin = match (ended, self.fence_from) {
            (Some(ended), _) if ended <= at.now => ended,
            (_, Some((token, from))) if token == pending => from,
            _ => {
                self.fence_from = Some((pending, at.now));
                at.now
            }
        };
        Some(later(origin, self.plan.gateway.fence(self.plan.settle)))
    }

    /// Puts the next candidate into the pending place; the one that holds it is kept as superseded (rule 6).
    fn supersede(&mut self, at: Moment, generation: Token, spaced: Spaced) -> Action {
        let superseded = self.seen.as_ref().map_or(&[][..], |snapshot| &snapshot.superseded);
        if superseded.len() >= MOST_SUPERSEDED {
            return Action::Finish(Outcome::Held);
        }
        let last = superseded.iter().filter_map(|candidate| candidate.at).max();
        if let (Spaced::Yes, false, Some(last)) = (spaced, self.insists, last) {
            let times = u32::try_from(superseded.len()).unwrap_or(u32::MAX);
            let until = later(last, SPACING.whole(times));
            if at.now < until {
                return Action::Wait { until, why: Waiting::Spacing };
            }
        }
        if let Spaced::Yes = spaced {
            self.insists = false;
        }
        self.stage(at, generation, Content::Fresh)
    }

    /// Stages the next unused attempt. The vault stamps the write with gateway time, so the gateway must have been heard.
    fn stage(&mut self, at: Moment, generation: Token, content: Content) -> Action {
        if at.heard.is_none() {
            return Action::Probe;
        }
        let Some(snapshot) = &self.seen else {
            return Action::Read;
        };
        let known = snapshot.superseded.iter().map(|superseded| &superseded.version);
        let known = known.chain(snapshot.pending.as_ref().map(|pending| &pending.version));
        let next = known.filter_map(|version| match version.owner {
            Owner::Ours { generation: of, attempt } if of == generation => Some(attempt.saturating_add(1)),
            _ => None,
        });
        let floor = self.unused_from.and_then(|(of, attempt)| (of == generation).then_some(attempt));
        let attempt = next.chain(floor).max().unwrap_or(0);
        let token = Token::of_attempt(&self.plan.subject, generation, attempt);
        Action::Stage { over: snapshot.revision, token, generation, attempt, content }
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
mod tests;
