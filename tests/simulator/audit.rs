//! Who watches: the promise and the rules of a schedule, checked at every effect on a vault or a provider.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ncloud_rotator::domain::account::Subject;

use crate::pace::{PaceBook, Start, policy_of};
use crate::time::Time;
use crate::vault::Secret;

/// How much later than necessary anything may be, when something hindered it until then.
const GRACE: SignedDuration = SignedDuration::from_hours(36);

/// What may lie between the permission to send and the request: the gateway is heard and the vault read again, when the
/// permission had to be waited for (`protocol.md`, rules 2 and 8).
const PERMITTED: Duration = Duration::from_millis(500);
/// So many sends in a row are counted.
const ROW: usize = 20;

/// A check of the moment at which a rotation begins that nobody finishes: whether it is in a window, say.
pub(crate) type BeginCheck = Box<dyn Fn(&Begins<'_>) -> Result<(), String> + Send + Sync>;

/// A new rotation.
pub(crate) struct Begins<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) at: Timestamp,
    /// When the password expires; counted from when it came, when it was never rotated.
    pub(crate) expires_at: Timestamp,
}

pub(crate) struct Audit {
    time: Time,
    book: Mutex<Book>,
    checks: Mutex<Vec<BeginCheck>>,
    /// How long before its expiry a password may be replaced, at the most.
    earliest: SignedDuration,
    /// From one send of a tenant to the next, at the least.
    period: Duration,
    adopts: Adopts,
    /// How long after a change of the expiration the old one may be believed.
    relist: SignedDuration,
}

/// Whose accounts are rotated as soon as they are found, when they were never rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adopts {
    Nobody,
    /// Those of the policy `anytime`, at the pace of a troubled story.
    Anytime,
    Everybody,
}

impl Adopts {
    pub(crate) fn of(policy: &str) -> Self {
        if policy.contains("on_adopt") { Self::Everybody } else { Self::Nobody }
    }

    fn adopts(self, subject: &Subject) -> bool {
        match self {
            Self::Nobody => false,
            Self::Anytime => policy_of(subject) == "anytime",
            Self::Everybody => true,
        }
    }
}

#[derive(Default)]
struct Book {
    accounts: HashMap<Subject, Watched>,
    tenants: BTreeMap<String, TenantBook>,
    asked: HashSet<Subject>,
    /// Until when everything is excused: the process was down or suspended.
    excused_until: Option<Timestamp>,
    vaults_excused: BTreeMap<usize, Timestamp>,
    /// What was seen to be wrong, first of all.
    violation: Option<String>,
    begun: u64,
    last_begun: Option<Timestamp>,
    pace: PaceBook,
    landed: u64,
    checked: u64,
}

#[derive(Default)]
struct TenantBook {
    days: i64,
    days_before: i64,
    changed_at: Option<Timestamp>,
    sends: VecDeque<Duration>,
    excused_until: Option<Timestamp>,
}

struct Watched {
    vault: usize,
    is_active: bool,
    /// None until we first set one.
    live: Option<String>,
    since: Timestamp,
    flights: Vec<String>,
    stored: Vec<String>,
    current: Option<String>,
    is_pending: bool,
}

impl Audit {
    pub(crate) fn new(time: Time, period: Duration, relist: SignedDuration, adopts: Adopts) -> Self {
        let earliest = SignedDuration::from_hours(14 * 24);
        Self { time, book: Mutex::default(), checks: Mutex::default(), earliest, period, adopts, relist }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was seen to be wrong.
    pub(crate) fn violation(&self) -> Option<String> {
        self.book().violation.clone()
    }

    /// How many accounts of each vault are idle with a password that was set at or after `at`.
    pub(crate) fn settled_since(&self, at: Timestamp) -> [usize; 2] {
        let book = self.book();
        let settled = |vault| {
            let mine = book.accounts.values().filter(|watched| watched.vault == vault);
            mine.filter(|watched| watched.live.is_some() && !watched.is_pending && watched.since >= at).count()
        };
        [settled(0), settled(1)]
    }

    /// How many accounts wait with a candidate.
    pub(crate) fn pending(&self) -> usize {
        self.book().accounts.values().filter(|watched| watched.is_pending).count()
    }

    pub(crate) fn rotations(&self) -> u64 {
        self.book().begun
    }

    /// What the journal remembered of the pace is forgotten.
    pub(crate) fn journal_is_lost(&self) {
        self.book().pace.forget();
    }

    /// Starts that were held to a cap, a rate of catching up, or a distance.
    pub(crate) fn paced(&self) -> u64 {
        self.book().pace.counted
    }

    /// When a rotation began last.
    pub(crate) fn last_begun(&self) -> Option<Timestamp> {
        self.book().last_begun
    }

    pub(crate) fn checked(&self) -> u64 {
        self.book().checked
    }

    /// From now on this is asked of every rotation that begins by itself.
    pub(crate) fn also_checks(&self, check: BeginCheck) {
        self.checks.lock().unwrap().push(check);
    }

    pub(crate) fn adds(&self, subject: &Subject, vault: usize) {
        let watched = Watched {
            vault,
            is_active: true,
            live: None,
            since: self.time.now(),
            flights: Vec::new(),
            stored: Vec::new(),
            current: None,
            is_pending: false,
        };
        self.book().accounts.insert(subject.clone(), watched);
    }

    pub(crate) fn is_active(&self, subject: &Subject, is_active: bool) {
        let now = self.time.now();
        if let Some(watched) = self.book().accounts.get_mut(subject) {
            watched.is_active = is_active;
        }
        self.book().tenants.entry(tenant_of(subject)).or_default().excused_until = Some(now + GRACE);
    }

    pub(crate) fn asked(&self, subject: &Subject) {
        self.book().asked.insert(subject.clone());
    }

    pub(crate) fn expiration(&self, tenant: &str, days: u16) {
        let now = self.time.now();
        let mut book = self.book();
        let tenant = book.tenants.entry(tenant.to_owned()).or_default();
        tenant.days_before = if tenant.days == 0 { i64::from(days) } else { tenant.days };
        tenant.days = i64::from(days);
        tenant.changed_at = Some(now);
        tenant.excused_until = tenant.excused_until.max(Some(now + self.relist + GRACE));
    }

    pub(crate) fn tenant_trouble(&self, tenant: &str) {
        let until = self.time.now() + GRACE;
        self.book().tenants.entry(tenant.to_owned()).or_default().excused_until = Some(until);
    }

    pub(crate) fn vault_trouble(&self, vault: usize) {
        let until = self.time.now() + GRACE;
        self.book().vaults_excused.insert(vault, until);
    }

    pub(crate) fn machine_trouble(&self) {
        let until = self.time.now() + GRACE;
        let mut book = self.book();
        book.excused_until = Some(until);
        // A process that is started anew does not know when the last request left.
        book.tenants.values_mut().for_each(|tenant| tenant.sends.clear());
    }

    /// A request that changes something left.
    pub(crate) fn sent(&self, subject: &Subject) {
        let now = self.time.elapsed();
        let mut book = self.book();
        let tenant = book.tenants.entry(tenant_of(subject)).or_default();
        tenant.sends.push_back(now);
        if tenant.sends.len() > ROW {
            tenant.sends.pop_front();
        }
        let first = tenant.sends.front().copied().unwrap_or(now);
        let intervals = u32::try_from(tenant.sends.len() - 1).unwrap();
        let (span, least) = (now.saturating_sub(first), self.period * intervals);
        book.demand(span + PERMITTED >= least, || {
            format!("a burst: {intervals} intervals in {span:?} up to {subject}")
        });
    }

    /// A request is on its way, and may land.
    pub(crate) fn flies(&self, subject: &Subject, password: &str) {
        if let Some(watched) = self.book().accounts.get_mut(subject) {
            watched.flights.push(password.to_owned());
        }
    }

    /// It landed, or never will.
    pub(crate) fn landed(&self, subject: &Subject, password: &str, is_set: bool) {
        let now = self.time.now();
        let mut book = self.book();
        book.landed += 1;
        let Some(watched) = book.accounts.get_mut(subject) else { return };
        if let Some(index) = watched.flights.iter().position(|flying| flying == password) {
            watched.flights.swap_remove(index);
        }
        if is_set {
            watched.since = now;
            watched.live = Some(password.to_owned());
        }
        let breach = watched.breach();
        book.checked += 1;
        book.demand(breach.is_none(), || format!("{subject} at {now}: {}", breach.unwrap_or_default()));
    }

    pub(crate) fn vault_changed(&self, subject: &Subject, secret: &Secret) {
        let now = self.time.now();
        let password =
            |entry: &crate::vault::Entry| entry.value.password().map(|password| password.expose().to_owned());
        let mut book = self.book();
        let Some(watched) = book.accounts.get_mut(subject) else { return };
        watched.stored = secret.entries().filter_map(password).collect();
        watched.current = secret.current.as_ref().and_then(password);
        let is_done = watched.is_pending && secret.pending.is_none();
        watched.is_pending = secret.pending.is_some();
        let breach = watched.breach();
        if is_done {
            book.asked.remove(subject);
        }
        book.checked += 1;
        book.demand(breach.is_none(), || format!("{subject} at {now}: {}", breach.unwrap_or_default()));
    }

    /// A rotation begins: somebody asked for it, it is due, or a human changed the secret.
    pub(crate) fn begins(&self, subject: &Subject, secret: &Secret) {
        let now = self.time.now();
        let mut book = self.book();
        book.begun += 1;
        book.last_begun = Some(now);
        let was_asked = book.asked.contains(subject);
        let Some(since) = book.accounts.get(subject).map(|watched| watched.since) else { return };
        let rotated = secret.current.as_ref().filter(|current| current.value.password().is_some());
        // What is counted from is the time of staging (rule 14), and sending may have had to wait.
        let since = rotated.and_then(|current| current.value.rotated_at()).map_or(since, |at| at.min(since));
        let is_edited = rotated.is_some_and(crate::vault::Entry::is_edited);
        let Some(tenant) = book.tenants.get(&tenant_of(subject)) else { return };
        let believes = tenant.changed_at.is_some_and(|at| now.duration_since(at) <= self.relist + GRACE)
            || tenant.excused_until.is_some_and(|until| now < until);
        let longest = SignedDuration::from_hours(24 * tenant.days.max(tenant.days_before));
        let shortest = SignedDuration::from_hours(24 * tenant.days.min(tenant.days_before));
        let days = if believes { tenant.days.min(tenant.days_before) } else { tenant.days };
        let lasts = SignedDuration::from_hours(24 * days);
        let earliest = self.earliest(since, lasts);
        let is_adopted = rotated.is_none() && self.adopts.adopts(subject);
        book.demand(now >= earliest || was_asked || is_edited || is_adopted, || {
            format!("{subject} is rotated at {now} although its password is of {since} and lasts {days} days")
        });
        let is_past = |lasts: SignedDuration, by: SignedDuration| now >= since + lasts - margin(lasts) + by;
        // What could not be due yet by the longer one is due by the shorter one, which is the one that is believed then.
        let expiration = if now < self.earliest(since, longest) { shortest } else { longest };
        let start = Start {
            subject,
            at: now,
            is_first: rotated.is_none(),
            // One that was never rotated counts from its first sight, and from a later one since the journal was lost.
            is_overdue: rotated.is_some() && is_past(expiration, SignedDuration::from_mins(1)),
            may_be_overdue: is_past(shortest, SignedDuration::from_mins(-1)),
        };
        let is_paced = self.adopts == Adopts::Anytime && !was_asked && !is_edited;
        let breach = is_paced.then(|| book.pace.breach(&start)).flatten();
        book.demand(breach.is_none(), || format!("{subject} is rotated at {now}: {}", breach.unwrap_or_default()));
        let expires_at = since + lasts;
        if !was_asked && !is_edited {
            let begins = Begins { subject, at: now, expires_at };
            for check in self.checks.lock().unwrap().iter() {
                if let Err(why) = check(&begins) {
                    book.demand(false, || format!("{subject} is rotated at {now}: {why}"));
                }
            }
        }
    }

    /// From when on a password of `since` may be replaced.
    fn earliest(&self, since: Timestamp, lasts: SignedDuration) -> Timestamp {
        let due = (lasts - margin(lasts) - self.earliest).max(lasts / 2);
        // The spread of a day brings it forward, and never into the first quarter of its life.
        let due = (due - SignedDuration::from_hours(24)).max(lasts / 4);
        since + due - SignedDuration::from_mins(5)
    }

    /// No password that we set is older than it may be, unless something hindered its rotation until a moment ago.
    pub(crate) fn nothing_is_expired(&self) {
        let now = self.time.now();
        let mut book = self.book();
        book.checked += 1;
        let mut late = None;
        for (subject, watched) in &book.accounts {
            let Some(tenant) = book.tenants.get(&tenant_of(subject)) else { continue };
            let expires = watched.since + SignedDuration::from_hours(24 * tenant.days);
            let vault = book.vaults_excused.get(&watched.vault).copied();
            let excused = tenant.excused_until.max(book.excused_until).max(vault).is_some_and(|until| now < until);
            if watched.is_active && watched.live.is_some() && !excused && now >= expires {
                late = Some(format!("{subject} expired at {expires}, and it is {now}"));
            }
        }
        book.demand(late.is_none(), || late.unwrap_or_default());
    }
}

impl Book {
    fn demand(&mut self, is_so: bool, what: impl FnOnce() -> String) {
        if !is_so && self.violation.is_none() {
            self.violation = Some(what());
        }
    }
}

impl Watched {
    /// What breaks it, if anything does.
    fn breach(&self) -> Option<&'static str> {
        if self.live.iter().chain(&self.flights).any(|password| !self.stored.contains(password)) {
            return Some("a password that may be live is not in the vault");
        }
        let is_idle = !self.is_pending && self.live.is_some();
        (is_idle && self.live != self.current).then_some("it is idle, and the live password is not current")
    }
}

fn margin(lasts: SignedDuration) -> SignedDuration {
    SignedDuration::from_hours(2 * 24).min(lasts / 4)
}

/// Accounts are called after their tenants.
pub(crate) fn tenant_of(subject: &Subject) -> String {
    subject.id.0.split('-').next().unwrap_or_default().to_owned()
}
