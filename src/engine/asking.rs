//! Having the running engine rotate what somebody asks for, with the same reports as a process of its own would give.
//!
//! The engine gives an account a short turn, and another one later while it is unfinished. How long that is worth waiting for
//! is decided here, as the driver decides it where a process waits by itself: what is still unfinished then is told as that,
//! and goes on in the engine if a candidate is pending.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::accounts::Managed;
use super::calls::Caller;
use super::drive::{Ended, Order, Patience, is_hopeful};
use super::report::{Outcomes, Report};
use crate::domain::account::AccountName;
use crate::domain::rotation::{Goal, Waiting};
use crate::ports::clock::Clock;

/// How often it is looked whether waiting is still worth it.
const LOOK: Duration = Duration::from_millis(500);

/// What is waited for.
struct Awaited {
    managed: Managed,
    goal: Goal,
    /// How its last turn ended.
    last: Option<Report>,
    /// Tells the engine that nobody wants it any more, when it goes.
    _wanted: DropGuard,
}

impl Caller {
    /// Has the engine rotate every given account now, as far as its goal goes, and reports in the order in which they ended.
    /// `each` hears of every report as it comes.
    pub async fn work(
        &self,
        clock: &dyn Clock,
        accounts: Vec<(Managed, Order)>,
        patience: &Patience,
        each: impl Fn(&Report),
    ) -> Vec<Report> {
        let mut awaited = HashMap::new();
        let mut orders = Vec::new();
        for (managed, order) in accounts {
            let unwanted = CancellationToken::new();
            let waits = Awaited {
                managed: managed.clone(),
                goal: order.goal,
                last: None,
                _wanted: unwanted.clone().drop_guard(),
            };
            awaited.insert(managed.name.clone(), waits);
            orders.push((managed, order, unwanted));
        }
        let mut done = Vec::with_capacity(orders.len());
        let mut tell = |report: Report| {
            each(&report);
            done.push(report);
        };
        // One that is ending begins nothing.
        if let Ok(reports) = self.order(orders).await {
            wait(clock, &mut awaited, reports, patience, &mut tell).await;
        }
        awaited.into_values().map(Awaited::at_the_end).for_each(tell);
        done
    }
}

/// Until everything has ended, or the engine has.
async fn wait(
    clock: &dyn Clock,
    awaited: &mut HashMap<AccountName, Awaited>,
    mut reports: UnboundedReceiver<Report>,
    patience: &Patience,
    tell: &mut impl FnMut(Report),
) {
    while !awaited.is_empty() {
        let report = tokio::select! {
            biased;
            report = reports.recv() => report,
            () = clock.sleep(LOOK) => {
                let given_up: Vec<Report> = awaited.values().filter_map(|waits| waits.gives_up(clock, patience)).collect();
                for report in given_up {
                    awaited.remove(&report.account);
                    tell(report);
                }
                continue;
            }
        };
        let Some(report) = report else { return };
        let Some(waits) = awaited.get_mut(&report.account) else { continue };
        if waits.is_worth_waiting(&report, clock, patience) {
            waits.last = Some(report);
        } else {
            awaited.remove(&report.account);
            tell(report);
        }
    }
}

impl Awaited {
    /// Whether another turn may come in time and bring more.
    fn is_worth_waiting(&self, report: &Report, clock: &dyn Clock, patience: &Patience) -> bool {
        let Outcomes::Unfinished { waits_for, until, .. } = &report.result else { return false };
        if *waits_for == Waiting::Rate && patience.paced {
            return true;
        }
        let pause = Duration::try_from(until.duration_since(self.now())).unwrap_or_default();
        let in_time = patience.until.is_none_or(|limit| clock.boot().saturating_add(pause) <= limit);
        in_time && (is_hopeful(*waits_for) || !patience.only_hopeful)
    }

    /// What there is to tell of one that has no turn because its tenant is stopped, or none any more in time.
    fn gives_up(&self, clock: &dyn Clock, patience: &Patience) -> Option<Report> {
        if let Some(last) = &self.last {
            return (!self.is_worth_waiting(last, clock, patience)).then(|| last.clone());
        }
        let why = Waiting::Blocked(self.managed.tenant.stopped.why()?);
        let ended = Ended::Unfinished { why, until: self.now(), detail: None, staged: false };
        Some(self.report(Outcomes::of(self.goal, ended)))
    }

    fn at_the_end(self) -> Report {
        match &self.last {
            Some(Report { result: Outcomes::Unfinished { pending, .. }, .. }) => {
                self.report(Outcomes::Interrupted { pending: *pending })
            }
            _ => self.report(Outcomes::Interrupted { pending: false }),
        }
    }

    fn report(&self, result: Outcomes) -> Report {
        Report { account: self.managed.name.clone(), secret: Some(self.managed.secret.clone()), result }
    }

    fn now(&self) -> Timestamp {
        self.managed.now().unwrap_or_default()
    }
}
