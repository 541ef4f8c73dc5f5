//! `emulator`: NAVER Cloud on this machine.

use std::sync::Arc;

use jiff::SignedDuration;

use super::command::Failure;
use super::machine::{SystemClock, SystemEntropy, variable};
use super::signals;
use crate::cli::args;
use crate::cli::show;
use crate::domain::exit::Exit;
use crate::domain::secret::Keys;
use crate::emulator::{DEMO_ACCESS_KEY, Emulator, Settings, demo_keys};

/// Serves until a signal asks it to end.
pub(super) async fn emulate(args: args::Emulator, json: bool) -> Result<Exit, Failure> {
    if !args.listen.ip().is_loopback() {
        return Err(Failure::new(
            Exit::Usage,
            format!("{} is not on this machine; the emulator listens on loopback only", args.listen),
        ));
    }
    let shutdown = signals::shutdown()
        .map_err(|error| Failure::new(Exit::Internal, format!("signals cannot be heard: {error}")))?;
    let keys = keys();
    let demo = keys.is_none();
    let mut settings = Settings::new(Arc::new(SystemClock), Arc::new(SystemEntropy));
    settings.listen = args.listen;
    settings.accounts = args.accounts;
    settings.test_door = args.test_door;
    settings.signature_lifetime = SignedDuration::try_from(args.signature_lifetime).unwrap_or(SignedDuration::MAX);
    settings.keys = Some(keys.unwrap_or_else(demo_keys));
    let emulator =
        Emulator::start(settings).await.map_err(|error| Failure::new(Exit::Unavailable, error.to_string()))?;
    let address = emulator.address();
    if json {
        show::print_json(&serde_json::json!({
            "sub_account": format!("http://{address}"),
            "data_forest": format!("http://{address}"),
            "keys": if demo { "demo" } else { "environment" },
            "test_door": args.test_door,
        }));
    } else {
        let keys = if demo {
            format!("NCLOUD_ACCESS_KEY={DEMO_ACCESS_KEY} NCLOUD_SECRET_KEY={}", crate::emulator::DEMO_SECRET_KEY)
        } else {
            "those in NCLOUD_ACCESS_KEY and NCLOUD_SECRET_KEY".to_owned()
        };
        show::print(&format!(
            "NAVER Cloud's emulator listens on http://{address}\nendpoints = {{ sub_account = \"http://{address}\", \
             data_forest = \"http://{address}\" }}\nkeys: {keys}"
        ));
    }
    shutdown.cancelled().await;
    emulator.shutdown().await;
    Ok(Exit::Success)
}

/// The keys to accept: those of the environment when both are set, so that one environment serves emulator and client.
fn keys() -> Option<Keys> {
    let text = |name: &str| variable(name)?.into_string().ok().filter(|text| !text.is_empty());
    Some(Keys::new(text("NCLOUD_ACCESS_KEY")?, text("NCLOUD_SECRET_KEY")?))
}
