//! What the admin socket can be asked for, and the daemon that a command asks.

use url::form_urlencoded;

use crate::admin::api::WorksOn;
use crate::admin::client::{Daemon, find};
use crate::cli::args::Alone;
use crate::config::Config;

use super::command::Failure;
use super::wire::{self, WireError};

/// Where every account stands.
pub(super) const STATUS: &str = "/v1/status";
/// What happened to one account.
pub(super) const HISTORY: &str = "/v1/history";

/// What rotates when.
pub(super) const PLAN: &str = "/v1/plan";
/// Why an account rotates when it does.
pub(super) const EXPLAIN: &str = "/v1/explain";
/// Rotating accounts.
pub(super) const ROTATE: &str = "/v1/rotate";
/// Pausing.
pub(super) const PAUSE: &str = "/v1/pause";
/// Taking a pause back.
pub(super) const RESUME: &str = "/v1/resume";
/// What is paused.
pub(super) const PAUSES: &str = "/v1/pauses";
/// Reading the configuration again.
pub(super) const RELOAD: &str = "/v1/reload";

/// The daemon that works by this configuration, if one runs.
pub(super) async fn daemon(config: &Config, alone: Alone) -> Result<Option<Daemon>, Failure> {
    if alone.no_daemon || !config.admin.enabled {
        return Ok(None);
    }
    let environment = wire::environment();
    let state_dir = config.state_dir(&environment).map_err(WireError::from)?;
    // Where there is no state, no daemon has begun.
    let Ok(ours) = WorksOn::of(config.file().as_ref(), &state_dir) else { return Ok(None) };
    Ok(find(&config.admin.places(&environment, &state_dir), &ours).await?)
}

/// A question with its parameters.
pub(super) fn query<'p>(path: &str, parameters: impl IntoIterator<Item = (&'static str, &'p str)>) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{path}?{query}")
}
