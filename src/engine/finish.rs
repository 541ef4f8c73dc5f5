//! Promotions that need no provider (`protocol.md`, step 3: promotion waits for nothing).
//!
//! A process that ended between the provider's "yes" and the promotion leaves a vault whose current password is dead. When
//! accounts cannot be listed, what vault and journal know is enough to put that right: nothing is sent here.

use super::accounts::Failure;
use super::drive::{Order, Patience, drive};
use super::unlisted::Kept;
use super::world::World;
use crate::domain::account::Subject;
use crate::domain::rotation::Goal;
use crate::domain::value::Part;
use crate::ports::vault::{ListedVersion, Stage};

impl World {
    /// Promotes what was accepted among the accounts that could not be listed.
    pub async fn promote_unlisted(&self, failures: &[Failure], patience: &Patience) {
        if failures.is_empty() {
            return;
        }
        // A vault in trouble is told by the next survey; there is nothing to promote in it now.
        let finding = self.kept(|managing| failures.iter().any(|failure| failure.is_of(&managing.rule))).await;
        for kept in &finding.kept {
            if patience.shutdown.is_cancelled() {
                return;
            }
            self.promote(kept, patience).await;
        }
    }

    async fn promote(&self, kept: &Kept<'_>, patience: &Patience) {
        let Ok(Some((managed, listing))) = kept.account().await else { return };
        let Some(pending) = listing.versions.iter().find(|version| version.stage == Stage::Pending) else { return };
        if self.was_accepted(&managed.subject, pending).await {
            drive(self, &managed, Order::of_daemon(Goal::Finish), patience).await;
        }
    }

    /// Whether the provider said "yes" to a pending version, so that promoting it needs no word with the provider.
    async fn was_accepted(&self, subject: &Subject, pending: &ListedVersion) -> bool {
        if pending.value.mark().is_some_and(|mark| mark.provider == Some(Part::Answer)) {
            return true;
        }
        let record = self.journal.record(subject).await;
        record.is_ok_and(|record| record.accepted(pending.candidate))
    }
}
