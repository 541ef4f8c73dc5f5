//! Notices that a file may have changed.
//!
//! The directory is watched and not the file: editors replace files, and Kubernetes swaps the link of a whole directory. What
//! is heard means "look", since most of it is about other files.

use std::path::Path;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// A running watch; it ends when it is dropped.
pub(super) struct Watching {
    _watcher: RecommendedWatcher,
    heard: mpsc::Receiver<()>,
}

impl Watching {
    /// Watches the directory of `file`.
    pub(super) fn begin(file: &Path) -> notify::Result<Self> {
        // One note that is not taken yet says everything that a second one would.
        let (sender, heard) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // Whoever only reads changes nothing, and we do so ourselves.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                let _ = sender.try_send(());
            }
        })?;
        let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
        Ok(Self { _watcher: watcher, heard })
    }

    /// Returns when something in the directory has changed.
    pub(super) async fn changed(&mut self) {
        if self.heard.recv().await.is_none() {
            // The watcher is gone; whoever listens looks now and then anyway.
            std::future::pending::<()>().await;
        }
    }
}
