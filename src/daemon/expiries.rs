//! The watch over expiries has a thread of its own: nothing that blocks the engine's threads keeps it waiting.

use std::sync::Arc;
use std::thread;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::command::Failure;
use super::machine::SystemClock;
use super::service::Service;
use super::wire;
use crate::config::Config;
use crate::domain::exit::Exit;
use crate::engine::expiries::Watch;
use crate::engine::world::World;

/// Who keeps watch over what `service` hears. The journal's file is opened once more: whatever hangs in the engine's own
/// connection hangs there alone.
pub(super) async fn watch(config: &Config, world: &World, service: &Arc<Service>) -> Result<Watch, Failure> {
    let journal = Arc::new(wire::journal(config).await?);
    service.book().retain(&world.kinds());
    let watch = Watch::new(Arc::clone(service.book()), journal, Arc::new(SystemClock), service.listeners(config));
    watch.remember().await;
    Ok(watch)
}

/// Begins to watch until `shutdown`; what it gives comes when that has ended, which is soon.
pub(super) fn begin(watch: Watch, shutdown: &CancellationToken) -> Result<oneshot::Receiver<()>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            Exit::Internal,
            format!("the watch over expiries cannot begin: {error}; free memory, and start again"),
        )
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
    let (shutdown, (ended, end)) = (shutdown.clone(), oneshot::channel());
    let watching = move || {
        runtime.block_on(watch.run(&shutdown));
        // What hangs in the journal must not be waited for.
        runtime.shutdown_background();
        let _ = ended.send(());
    };
    thread::Builder::new().name("expiries".to_owned()).spawn(watching).map_err(failed)?;
    Ok(end)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::time::Duration;

    use jiff::SignedDuration;

    use super::*;
    use crate::daemon::machine::SystemEntropy;
    use crate::domain::account::{AccountName, Kind};
    use crate::domain::expiry::{Expiry, Outlook};
    use crate::engine::expiries::Book;
    use crate::journal::Journal;
    use crate::ports::clock::Clock as _;
    use crate::ports::observer::{Fact, Observer};

    struct Tells(Sender<String>);

    impl Observer for Tells {
        fn note(&self, fact: &Fact<'_>) {
            let _ = self.0.send(format!("{fact:?}"));
        }
    }

    /// As a daemon of which every other thread hangs: here is none but this one, and it waits.
    #[test]
    fn it_tells_although_nothing_else_in_the_process_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemClock.wall();
        let journal = Arc::new(Journal::open(folder.path(), &SystemEntropy, now).unwrap());
        let book = Arc::new(Book::new(Arc::new(SystemClock)));
        let (tells, told) = channel();
        let watch = Watch::new(Arc::clone(&book), journal, Arc::new(SystemClock), Arc::new(Tells(tells)));
        let shutdown = CancellationToken::new();
        let Ok(end) = begin(watch, &shutdown) else { panic!("no thread can be had") };
        let account = AccountName { tenant: "main".to_owned(), kind: Kind::SubAccount, name: "svc-a".to_owned() };
        let expires_at = now - SignedDuration::from_hours(1);
        let found = [(&account, Outlook::Expires(Expiry { deadline: expires_at, expires_at }))];
        book.note(&Fact::Expiries { tenant: "main", kind: Kind::SubAccount, now, found: &found, whole: true });
        let patience = Duration::from_mins(1);
        assert!(told.recv_timeout(patience).unwrap().starts_with("Expiring"));
        assert!(told.recv_timeout(patience).unwrap().starts_with("Expired"));
        shutdown.cancel();
        end.blocking_recv().unwrap();
        assert!(told.recv_timeout(Duration::ZERO).is_err(), "once");
    }
}
