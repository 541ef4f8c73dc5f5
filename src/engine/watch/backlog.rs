//! What is told when many accounts may have fallen behind at once: their expiration was shortened, or their tenant had stopped.
//! They are caught up with at the pace of everything else; one line says how many they are, and until when that takes.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Engine;
use crate::domain::account::{AccountName, Kind};
use crate::domain::cause::Cause;
use crate::domain::plan::Claim;
use crate::domain::policy::PasswordExpiration;
use crate::engine::errands::Source;
use crate::engine::pace::moment;
use crate::engine::queue::Class;
use crate::engine::survey::Surveyed;
use crate::engine::world::World;
use crate::ports::observer::{Backlog, Fact};

/// An expiration that accounts had, and the one that they have now.
type Change = (Option<SignedDuration>, Option<SignedDuration>);

impl Engine {
    /// Tells of the accounts of a list whose expiration is another than when it was last surveyed, whatever changed it.
    pub(super) fn tell_changed_expirations(&mut self, (tenant, kind): &Source, found: &[Surveyed]) {
        let mut changes: BTreeMap<Change, Vec<AccountName>> = BTreeMap::new();
        for Surveyed { managed, .. } in found {
            let before = self.lasting.insert(managed.name.clone(), managed.lasts);
            if let Some(before) = before.filter(|before| *before != managed.lasts) {
                changes.entry((before, managed.lasts)).or_default().push(managed.name.clone());
            }
        }
        for ((from, to), accounts) in changes {
            let backlog = self.backlog(|name| accounts.contains(name));
            let (from, to) = (lifetime(from), lifetime(to));
            let (tenant, kind, accounts) = (tenant.clone(), *kind, accounts.len());
            self.meanwhile(|world| async move {
                record_change(&world, (&tenant, kind), (&from, &to), accounts, backlog).await;
            });
        }
    }

    /// Tells that a tenant goes on that had stopped.
    pub(super) fn tell_release(&mut self, tenant: &str) {
        let backlog = self.backlog(|name| name.tenant == tenant);
        let tenant = tenant.to_owned();
        self.meanwhile(|world| async move {
            world.record(&Cause::SCHEDULE, &Fact::TenantReleased { tenant: &tenant, backlog }).await;
        });
    }

    /// The accounts among `these` that are past their deadline, and by when the turn of the last of them comes by the rates of
    /// all, when nothing hinders it.
    fn backlog(&self, these: impl Fn(&AccountName) -> bool) -> Backlog {
        let now = self.now();
        let known = self.roster.iter().filter(|(name, _)| !self.running.contains_key(*name));
        let mut claims: Vec<(Claim<'_>, Timestamp)> = known
            .filter(|(_, known)| known.is_rotated_when_due())
            .map(|(_, known)| (known.claim(Class::Rotate, now), known.here()))
            .filter(|(claim, _)| claim.terms.catches_up())
            .collect();
        claims.sort_by_key(|(claim, _)| (claim.deadline, claim.account));
        let turns = self.pace.turns(claims.iter().map(|(claim, _)| *claim), moment(now));
        let turns = claims.iter().zip(turns).filter(|((claim, _), _)| these(claim.account));
        turns.fold(Backlog::default(), |Backlog { overdue, until }, ((_, here), turn)| {
            let at = here.checked_add(turn.duration_since(moment(now))).unwrap_or(Timestamp::MAX);
            Backlog { overdue: overdue + 1, until: until.max(Some(at)) }
        })
    }

    /// Has something recorded beside everything else; what is under way goes on in its own world, and so does this.
    fn meanwhile<F: Future<Output = ()> + Send + 'static>(&mut self, recording: impl FnOnce(Arc<World>) -> F) {
        let recording = recording(Arc::clone(&self.world));
        self.turns.push(Box::pin(async move {
            recording.await;
            None
        }));
    }
}

/// How long passwords last, for people, as the provider's setting is shown.
fn lifetime(lasts: Option<SignedDuration>) -> String {
    lasts.map_or_else(|| PasswordExpiration::OFF.to_owned(), |lasts| format!("{} days", lasts.as_hours() / 24))
}

async fn record_change(
    world: &World,
    (tenant, kind): (&str, Kind),
    (from, to): (&str, &str),
    accounts: usize,
    backlog: Backlog,
) {
    let fact = Fact::ExpirationChanged { tenant, kind, from, to, accounts, backlog };
    world.record(&Cause::SCHEDULE, &fact).await;
}
