//! The daemon's admin socket.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::environment::Environment;
use super::raw;
use super::reader::Reader;

/// The socket's name, in the directory that is the daemon's own.
const NAME: &str = "admin.sock";
/// The directory below the state directory, where systemd gives none: it is private whatever the state directory is.
const BESIDE_STATE: &str = "run";
/// Where the shipped unit has its runtime directory, for commands that it did not start.
const OF_THE_UNIT: &str = "/run/ncloud-rotator";

/// Whether and where the daemon can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Whether it listens, and commands look for it.
    pub enabled: bool,
    socket: Option<PathBuf>,
}

impl Admin {
    /// Where the daemon listens: as the file says, else in systemd's runtime directory, else below the state directory.
    #[must_use]
    pub fn socket(&self, environment: &Environment, state_dir: &Path) -> PathBuf {
        let runtime = || environment.runtime_dir().map(|dir| dir.join(NAME));
        self.socket.clone().or_else(runtime).unwrap_or_else(|| beside_state(state_dir))
    }

    /// Where a command looks for the daemon, which may live in another environment.
    #[must_use]
    pub fn places(&self, environment: &Environment, state_dir: &Path) -> Vec<PathBuf> {
        if let Some(socket) = &self.socket {
            return vec![socket.clone()];
        }
        let mut places = vec![self.socket(environment, state_dir)];
        for place in [beside_state(state_dir), Path::new(OF_THE_UNIT).join(NAME)] {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }
}

fn beside_state(state_dir: &Path) -> PathBuf {
    state_dir.join(OsStr::new(BESIDE_STATE)).join(NAME)
}

/// Reads the table; none when something is wrong with it.
pub(super) fn read(reader: &mut Reader<'_>, raw: Option<Spanned<raw::Admin>>) -> Option<Admin> {
    let raw = raw.map(Spanned::into_inner).unwrap_or_default();
    let socket = match raw.socket {
        Some(text) => Some(reader.path("socket", &text)?),
        None => None,
    };
    Some(Admin { enabled: raw.enabled.is_none_or(|enabled| *enabled.get_ref()), socket })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(runtime: Option<&'static str>) -> Environment {
        Environment::from_lookup(move |name| runtime.filter(|_| name == "RUNTIME_DIRECTORY").map(Into::into))
    }

    #[test]
    fn a_command_looks_wherever_the_daemon_may_listen() {
        let state = Path::new("/var/lib/state");
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        let own = Admin { enabled: true, socket: Some("/srv/a.sock".into()) };
        let usual = Admin { enabled: true, socket: None };
        for (admin, runtime, listens, looks) in [
            (&own, Some("/run/x"), "/srv/a.sock", paths(&["/srv/a.sock"])),
            (
                &usual,
                Some("/run/x:/run/y"),
                "/run/x/admin.sock",
                paths(&["/run/x/admin.sock", "/var/lib/state/run/admin.sock", "/run/ncloud-rotator/admin.sock"]),
            ),
            (
                &usual,
                None,
                "/var/lib/state/run/admin.sock",
                paths(&["/var/lib/state/run/admin.sock", "/run/ncloud-rotator/admin.sock"]),
            ),
        ] {
            assert_eq!(admin.socket(&environment(runtime), state), Path::new(listens));
            assert_eq!(admin.places(&environment(runtime), state), looks);
        }
    }
}
