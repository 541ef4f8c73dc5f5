//! Where keys are, and reading them from there. They are read anew each time, so that a key that was replaced is found.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::environment::Environment;
use super::profile;
use crate::domain::secret::Keys;

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In an environment variable.
    Env(String),
    /// In a file that holds nothing else.
    File(PathBuf),
    /// In a systemd credential, `$CREDENTIALS_DIRECTORY/NAME`.
    Credential(String),
    /// In a profile of the provider's own tools, `~/.ncloud/configure`.
    Profile(String),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Credential(name) => write!(f, "the credential {name}"),
            Self::Profile(name) => write!(f, "the profile {name} of ~/{CONFIGURE}"),
        }
    }
}

/// Where a key pair is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The access key.
    pub access: SecretSource,
    /// The secret key.
    pub secret: SecretSource,
}

/// Where a tenant's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// Somewhere on this machine.
    Pair(KeyPair),
    /// With the server that this runs on.
    ServerRole(ServerRole),
}

/// A server's role, whose temporary keys the server's metadata tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRole {
    /// The role's name.
    pub name: String,
    /// Where the metadata is, without a slash at the end, when not at the usual address; `/iam/security-credentials/NAME` is
    /// appended (`ncloud-api.md`, section 1).
    pub metadata: Option<String>,
}

/// Why a key could not be read. It never holds any of the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// The variable is not set, or is empty.
    #[error("the environment variable {0} is not set; export it, or say where the key is in the configuration")]
    Unset(String),
    /// There is no directory of credentials.
    #[error(
        "the credential {0} cannot be read: $CREDENTIALS_DIRECTORY is not set; add LoadCredential={0}:… to the systemd unit"
    )]
    NoCredentials(String),
    /// There is no home directory, and so no profile.
    #[error("the profile {0} cannot be read: $HOME is not set")]
    NoHome(String),
    /// A file cannot be read.
    #[error("{path} cannot be read: {cause}; see that it is there and that this user may read it")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: String,
    },
    /// The profile is not in the file.
    #[error("{path} has no profile [{profile}]; add it, or name another in the configuration")]
    NoProfile {
        /// The file.
        path: PathBuf,
        /// The profile.
        profile: String,
    },
    /// The profile lacks a key.
    #[error("the profile [{profile}] in {path} has no {key}")]
    Incomplete {
        /// The file.
        path: PathBuf,
        /// The profile.
        profile: String,
        /// The key.
        key: &'static str,
    },
    /// There is a value, and it is no key.
    #[error("{place} holds no key: {what}; it must hold the key in one line and nothing else")]
    Unusable {
        /// Where it was found.
        place: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// There is a value, and it is no proxy's user and password.
    #[error("{place} holds no credentials for a proxy: {what}; write user:password in one line and nothing else")]
    UnusableCredentials {
        /// Where it was found.
        place: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl KeyPair {
    /// Reads both keys. Where one of them is in a profile, `NCLOUD_ACCESS_KEY` and `NCLOUD_SECRET_KEY` win when both are
    /// set, as in the provider's own tools; one alone does not, since halves of two pairs would be mixed.
    pub fn resolve(&self, environment: &Environment) -> Result<Keys, KeyProblem> {
        let [access, secret] = [ACCESS_VARIABLE, SECRET_VARIABLE].map(|name| environment.variable(name));
        let override_profiles = access.is_some() && secret.is_some();
        let choose = |source: &SecretSource, variable: &str| match source {
            SecretSource::Profile(_) if override_profiles => SecretSource::Env(variable.to_owned()),
            other => other.clone(),
        };
        let (access, secret) = (choose(&self.access, ACCESS_VARIABLE), choose(&self.secret, SECRET_VARIABLE));
        let texts = match (&access, &secret) {
            // Read once, or a file that is replaced in between would mix halves of two pairs.
            (SecretSource::Profile(name), SecretSource::Profile(other)) if name == other => {
                let configure = configure(name, environment)?;
                [half_of(&configure, name, Half::Access), half_of(&configure, name, Half::Secret)]
            }
            _ => [read(&access, Half::Access, environment), read(&secret, Half::Secret, environment)],
        };
        let [access_text, secret_text] = texts;
        let (access, secret) = (checked(&access_text?, &access)?, checked(&secret_text?, &secret)?);
        Ok(Keys::new(access.as_str().to_owned(), secret.as_str().to_owned()))
    }
}

impl SecretSource {
    /// The file that profiles are in; none without a home directory.
    #[must_use]
    pub fn profiles(environment: &Environment) -> Option<PathBuf> {
        Some(environment.home()?.join(CONFIGURE))
    }

    /// The one line that is there, which is not a key. A profile has none.
    pub(super) fn line(&self, environment: &Environment) -> Result<Zeroizing<String>, KeyProblem> {
        checked(&read(self, Half::Secret, environment)?, self)
    }
}

/// The file of a systemd credential.
pub fn credential_path(environment: &Environment, name: &str) -> Result<PathBuf, KeyProblem> {
    let directory = environment.credentials_directory();
    directory.map(|directory| directory.join(name)).ok_or_else(|| KeyProblem::NoCredentials(name.to_owned()))
}

const ACCESS_VARIABLE: &str = "NCLOUD_ACCESS_KEY";
const SECRET_VARIABLE: &str = "NCLOUD_SECRET_KEY";
const CONFIGURE: &str = ".ncloud/configure";

#[derive(Clone, Copy)]
enum Half {
    Access,
    Secret,
}

fn read(source: &SecretSource, half: Half, environment: &Environment) -> Result<Zeroizing<String>, KeyProblem> {
    let text = match source {
        SecretSource::Env(name) => {
            let value = environment.variable(name).ok_or_else(|| KeyProblem::Unset(name.clone()))?;
            value.into_string().map(Zeroizing::new).map_err(|value| {
                drop(Zeroizing::new(value.into_encoded_bytes()));
                unusable(source, "it is not text")
            })?
        }
        SecretSource::File(path) => file(path)?,
        SecretSource::Credential(name) => file(&credential_path(environment, name)?)?,
        SecretSource::Profile(name) => half_of(&configure(name, environment)?, name, half)?,
    };
    Ok(text)
}

/// The line in a text, when it can be a key. A file that is just being written is empty, which is no key either.
fn checked(text: &str, source: &SecretSource) -> Result<Zeroizing<String>, KeyProblem> {
    let key = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if key.is_empty() {
        return Err(unusable(source, "it is empty"));
    }
    if key.chars().any(char::is_control) {
        return Err(unusable(source, "it has a line break or another control character in it"));
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unusable(source, "it has a space or a character outside ASCII in it"));
    }
    Ok(Zeroizing::new(key.to_owned()))
}

fn unusable(source: &SecretSource, what: &'static str) -> KeyProblem {
    KeyProblem::Unusable { place: source.to_string(), what }
}

fn file(path: &Path) -> Result<Zeroizing<String>, KeyProblem> {
    let unreadable = |cause: String| KeyProblem::Unreadable { path: path.to_owned(), cause };
    let bytes = Zeroizing::new(fs::read(path).map_err(|error| unreadable(error.to_string()))?);
    let text = std::str::from_utf8(&bytes).map_err(|_| unreadable("it is not text".to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The provider's own file.
struct Configure {
    path: PathBuf,
    text: Zeroizing<String>,
}

fn configure(profile: &str, environment: &Environment) -> Result<Configure, KeyProblem> {
    let path = SecretSource::profiles(environment).ok_or_else(|| KeyProblem::NoHome(profile.to_owned()))?;
    Ok(Configure { text: file(&path)?, path })
}

fn half_of(configure: &Configure, name: &str, half: Half) -> Result<Zeroizing<String>, KeyProblem> {
    let (path, profile) = (configure.path.clone(), name.to_owned());
    let Some(found) = profile::find(&configure.text, name) else {
        return Err(KeyProblem::NoProfile { path, profile });
    };
    let (value, key) = match half {
        Half::Access => (found.access, "ncloud_access_key_id"),
        Half::Secret => (found.secret, "ncloud_secret_access_key"),
    };
    let value = value.ok_or(KeyProblem::Incomplete { path, profile, key })?;
    Ok(Zeroizing::new(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let variables: BTreeMap<String, String> =
            variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Environment::from_lookup(move |name| variables.get(name).map(Into::into))
    }

    fn same(source: SecretSource) -> KeyPair {
        KeyPair { access: source.clone(), secret: source }
    }

    fn pair(keys: &Keys) -> (&str, &str) {
        (keys.expose_access(), keys.expose_secret())
    }

    #[test]
    fn keys_are_found_where_the_sources_say() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path();
        fs::create_dir(root.join(".ncloud")).unwrap();
        fs::write(root.join(CONFIGURE), "[dev]\nncloud_access_key_id = PA\nncloud_secret_access_key = PS\n").unwrap();
        fs::write(root.join("key"), "FROMFILE\r\n").unwrap();
        let root = root.to_str().unwrap();
        let plain = environment(&[("HOME", root), ("CREDENTIALS_DIRECTORY", root), ("A", "EA"), ("S", "ES\n")]);

        let from_env = KeyPair { access: SecretSource::Env("A".into()), secret: SecretSource::Env("S".into()) };
        assert_eq!(pair(&from_env.resolve(&plain).unwrap()), ("EA", "ES"));
        let file = same(SecretSource::File(home.path().join("key")));
        assert_eq!(pair(&file.resolve(&plain).unwrap()), ("FROMFILE", "FROMFILE"));
        let credential = same(SecretSource::Credential("key".into()));
        assert_eq!(pair(&credential.resolve(&plain).unwrap()), ("FROMFILE", "FROMFILE"));
        let profile = same(SecretSource::Profile("dev".into()));
        assert_eq!(pair(&profile.resolve(&plain).unwrap()), ("PA", "PS"));

        let both = environment(&[("HOME", root), (ACCESS_VARIABLE, "WA"), (SECRET_VARIABLE, "WS")]);
        assert_eq!(pair(&profile.resolve(&both).unwrap()), ("WA", "WS"));
        assert_eq!(pair(&file.resolve(&both).unwrap()), ("FROMFILE", "FROMFILE"), "only profiles give way");
        let one = environment(&[("HOME", root), (ACCESS_VARIABLE, "WA")]);
        assert_eq!(pair(&profile.resolve(&one).unwrap()), ("PA", "PS"), "halves of two pairs were mixed");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_key() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".ncloud")).unwrap();
        fs::write(home.path().join(CONFIGURE), "[dev]\nncloud_access_key_id = TOPSECRET\n").unwrap();
        fs::write(home.path().join("two"), "TOPSECRET\nTOPSECRET\n").unwrap();
        fs::write(home.path().join("blank"), "\n").unwrap();
        fs::write(home.path().join("binary"), b"TOPSECRET\xff").unwrap();
        let with_home = environment(&[("HOME", home.path().to_str().unwrap()), ("SPACE", "TOP SECRET"), ("EMPTY", "")]);
        let file = |name: &str| SecretSource::File(home.path().join(name));
        let cases = [
            (SecretSource::Env("NONE".into()), "NONE is not set"),
            (SecretSource::Env("EMPTY".into()), "EMPTY is not set"),
            (SecretSource::Env("SPACE".into()), "space"),
            (file("two"), "line break"),
            (file("blank"), "it is empty"),
            (file("binary"), "not text"),
            (file("absent"), "cannot be read"),
            (SecretSource::Credential("x".into()), "LoadCredential"),
            (SecretSource::Profile("other".into()), "no profile [other]"),
            (SecretSource::Profile("dev".into()), "no ncloud_secret_access_key"),
        ];
        for (source, expected) in cases {
            let problem = same(source).resolve(&with_home).unwrap_err();
            let told = format!("{problem} {problem:?}");
            assert!(told.contains(expected), "{told}");
            assert!(!told.contains("TOP"), "{told}");
        }
        let homeless = same(SecretSource::Profile("dev".into())).resolve(&Environment::empty()).unwrap_err();
        assert_eq!(homeless, KeyProblem::NoHome("dev".into()));
    }

    /// Puts a text where the halves of a pair are.
    type Write = Box<dyn Fn(&str)>;

    /// Each way that a pair is kept in files.
    fn kept(root: &Path) -> [(KeyPair, Write); 3] {
        let pair = |name: &dyn Fn(&str) -> SecretSource| KeyPair { access: name("access"), secret: name("secret") };
        let halves = |folder: PathBuf| {
            move |text: &str| {
                for half in ["access", "secret"] {
                    fs::write(folder.join(half), text).unwrap();
                }
            }
        };
        fs::create_dir(root.join(".ncloud")).unwrap();
        let configure = root.join(CONFIGURE);
        let profile = move |text: &str| {
            let text = format!("[dev]\nncloud_access_key_id = {text}\nncloud_secret_access_key = {text}\n");
            fs::write(&configure, text).unwrap();
        };
        [
            (pair(&|half| SecretSource::File(root.join(half))), Box::new(halves(root.to_owned()))),
            (pair(&|half| SecretSource::Credential(half.to_owned())), Box::new(halves(root.to_owned()))),
            (pair(&|_| SecretSource::Profile("dev".to_owned())), Box::new(profile)),
        ]
    }

    #[test]
    fn a_replaced_key_is_found_without_a_restart() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().to_str().unwrap();
        let environment = environment(&[("HOME", root), ("CREDENTIALS_DIRECTORY", root)]);
        for (place, write) in kept(home.path()) {
            for key in ["FIRST", "SECOND"] {
                write(key);
                assert_eq!(pair(&place.resolve(&environment).unwrap()), (key, key), "{place:?}");
            }
        }
    }

    #[test]
    fn a_file_that_is_just_being_written_is_no_empty_key() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().to_str().unwrap();
        let environment = environment(&[("HOME", root), ("CREDENTIALS_DIRECTORY", root)]);
        for (place, write) in kept(home.path()) {
            for half in ["", "\n", "\r\n"] {
                write(half);
                let problem = place.resolve(&environment).unwrap_err();
                assert!(problem.to_string().contains("it is empty"), "{place:?}: {problem}");
            }
        }
        fs::write(home.path().join(CONFIGURE), "").unwrap();
        let dev = same(SecretSource::Profile("dev".into()));
        assert!(matches!(dev.resolve(&environment), Err(KeyProblem::NoProfile { .. })));
        fs::write(home.path().join(CONFIGURE), "[dev]\nncloud_access_key_id = A\nncloud_secret").unwrap();
        assert!(matches!(dev.resolve(&environment), Err(KeyProblem::Incomplete { .. })));
    }
}
