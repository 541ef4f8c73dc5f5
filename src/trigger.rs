//! The cron trigger: it wakes the engine, and decides nothing.
//!
//! tokio-cron-scheduler keeps patterns well and promises little about missed ticks or clock changes, so the only thing that
//! a job does is to say "look again"; the engine's own longest sleep makes a lost tick harmless.

use std::sync::Arc;

use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// Every ten minutes, at second 0 (six fields, UTC).
const PATTERN: &str = "0 */10 * * * *";

/// A running trigger; dropping it without [`stop`](Self::stop) leaves its task to the runtime's end.
pub struct Trigger(JobScheduler);

/// The trigger could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the cron trigger could not be started: {0}")]
pub struct TriggerError(#[from] JobSchedulerError);

impl Trigger {
    /// Starts to call `wake`, which must not block.
    pub async fn start(wake: impl Fn() + Send + Sync + 'static) -> Result<Self, TriggerError> {
        let wake = Arc::new(wake);
        let scheduler = JobScheduler::new().await?;
        let job = Job::new_async(PATTERN, move |_, _| {
            let wake = Arc::clone(&wake);
            Box::pin(async move { wake() })
        })?;
        scheduler.add(job).await?;
        scheduler.start().await?;
        Ok(Self(scheduler))
    }

    /// Stops waking.
    pub async fn stop(mut self) {
        // It only ever wakes; a scheduler that cannot stop is no reason not to.
        let _ = self.0.shutdown().await;
    }
}
