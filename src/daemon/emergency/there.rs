//! Rotations in the daemon, for a vault that only the daemon may write.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::admin::client::Daemon;
use crate::cli::show::RotateLine;
use crate::daemon::ask;
use crate::daemon::rotating::{RotateAsked, Told};
use crate::domain::account::AccountName;
use crate::engine::emergency::{Rotations, Turned};

/// How many the daemon is asked for at once: what it was asked for it does, whatever happens here, and a halt must not come
/// behind a whole wave.
const AT_ONCE: usize = 16;

/// Rotations in the daemon.
pub(super) struct There {
    pub(super) daemon: Daemon,
    /// Accounts with a pending candidate that is older than the emergency.
    pub(super) stale: HashSet<AccountName>,
    /// Whether a pause that somebody says meanwhile holds nobody.
    pub(super) despite_pause: bool,
    /// How long to go on trying what does not succeed at once.
    pub(super) wait: Duration,
    /// What it is for.
    pub(super) reason: Option<String>,
    /// The process is asked to end: nobody listens any more.
    pub(super) shutdown: CancellationToken,
}

#[async_trait]
impl Rotations for There {
    async fn rotate(&self, accounts: &[AccountName], halt: &CancellationToken, told: UnboundedSender<Turned>) {
        for some in accounts.chunks(AT_ONCE) {
            if halt.is_cancelled() {
                return;
            }
            let stale: Vec<&AccountName> = some.iter().filter(|name| self.stale.contains(*name)).collect();
            let mut fresh: Vec<&AccountName> = some.iter().filter(|name| !self.stale.contains(*name)).collect();
            if !stale.is_empty() {
                for line in self.have(&stale, true).await {
                    match stale.iter().find(|name| line.is_about(name)) {
                        Some(name) if line.is_out_of_the_way() => fresh.push(name),
                        Some(name) => tell(&told, name, &line),
                        None => {}
                    }
                }
            }
            for line in self.have(&fresh, false).await {
                if let Some(name) = fresh.iter().find(|name| line.is_about(name)) {
                    tell(&told, name, &line);
                }
            }
        }
    }
}

fn tell(told: &UnboundedSender<Turned>, account: &AccountName, line: &RotateLine) {
    // Whoever listens ends after this does.
    let _ = told.send(line.turned(account));
}

impl There {
    /// What the daemon tells of these accounts, as far as it does.
    async fn have(&self, accounts: &[&AccountName], resume: bool) -> Vec<RotateLine> {
        let names = accounts.iter().map(ToString::to_string).collect();
        let asked = RotateAsked {
            names,
            resume,
            despite_pause: self.despite_pause,
            wait: self.wait.as_secs(),
            reason: self.reason.clone(),
            ..RotateAsked::default()
        };
        let mut lines = Vec::new();
        let each = |told: Told| {
            if let Told::Ended { account } = told {
                lines.push(account);
            }
        };
        tokio::select! {
            followed = self.daemon.follow(ask::ROTATE, &asked, each) => {
                if let Err(error) = followed {
                    tracing::error!(event = "daemon-not-heard", %error, "the daemon did not tell what came of rotations");
                }
            }
            () = self.shutdown.cancelled() => {}
        }
        lines
    }
}
