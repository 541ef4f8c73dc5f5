//! From a file to a configuration that can be used.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use toml::Spanned;

use super::accounts::{self, Defined};
use super::admin::{self, Admin};
use super::decode::{Decoded, decode};
use super::defaults;
use super::difference::{self, Difference};
use super::environment::Environment;
use super::mask;
use super::policies;
use super::problem::{Code, ConfigError, Problem};
use super::raw::Raw;
use super::reader::{NeededFile, Reader};
use super::schedule;
use super::tenants::{self, Tenant};
use super::vaults::{self, Vault};
use crate::domain::log_format::LogFormat;
use crate::domain::plan::Apart;
use crate::domain::policy::Policy;
use crate::domain::rule::Rule;

/// The largest configuration file, in bytes.
const LARGEST: u64 = 8 * 1024 * 1024;

/// A configuration. Every reference in it leads somewhere, every path is resolved, and every default is filled in.
#[derive(Debug, Clone)]
pub struct Config {
    /// The time zone in which people are told times, and maintenance windows are meant.
    pub time_zone: TimeZone,
    /// How the log is written.
    pub log_format: LogFormat,
    /// The daemon's admin socket.
    pub admin: Admin,
    /// The tenants, by name.
    pub tenants: BTreeMap<String, Tenant>,
    /// The vaults, by name.
    pub vaults: BTreeMap<String, Vault>,
    /// The policies, by name.
    pub policies: BTreeMap<String, Arc<Policy>>,
    /// The accounts that are kept apart.
    pub apart: Vec<Apart>,
    /// The rules, in the order of the file; there is at least one.
    pub rules: Vec<Rule>,
    state_dir: Option<PathBuf>,
    origin: Origin,
}

/// What is kept of the file, to point at it later.
#[derive(Debug, Clone)]
struct Origin {
    file: String,
    shown: Arc<str>,
    values: BTreeMap<String, String>,
    files: Vec<NeededFile>,
}

impl Config {
    /// Reads a configuration file for a process that will use it: the state directory is known afterwards.
    pub fn load(path: &Path, environment: &Environment) -> Result<Self, ConfigError> {
        let mut config = Self::read(path)?;
        config.state_dir = Some(config.state_dir(environment)?);
        Ok(config)
    }

    /// Reads a configuration file and nothing else: no key, no network, no environment.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let unreadable = |cause: &dyn std::fmt::Display| {
            let message = format!("the configuration {file} cannot be read: {cause}");
            let help =
                "name the file with --config FILE or NCLOUD_ROTATOR_CONFIG; config/example.toml is one to start from";
            ConfigError::of_file(&file, Problem::of_file(Code::MissingFile, message).help(help))
        };
        let bytes = Self::bytes(path).map_err(|error| unreadable(&error))?;
        let text = String::from_utf8(bytes).map_err(|_| unreadable(&"it is not UTF-8 text"))?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let base = fs::canonicalize(parent).map_err(|error| unreadable(&error))?;
        Self::parse(&text, &file, &base)
    }

    /// The bytes of a configuration file, which is a regular one or handed over by whoever starts the program: a daemon reads its
    /// file again, and must not wait for a pipe, nor read a device for ever.
    pub fn bytes(path: &Path) -> io::Result<Vec<u8>> {
        const HANDED_OVER: [&str; 3] = ["/dev/fd", "/dev/stdin", "/proc/self/fd"];
        let is_handed_over = || HANDED_OVER.iter().any(|place| path.starts_with(place));
        if !fs::metadata(path)?.is_file() && !is_handed_over() {
            return Err(io::Error::other("it is no regular file"));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST {
            return Err(io::Error::other(format!("it is larger than {LARGEST} bytes")));
        }
        Ok(bytes)
    }

    /// Reads the text of a configuration; `file_name` is for messages, and relative paths are relative to `base_dir`.
    pub fn parse(text: &str, file_name: &str, base_dir: &Path) -> Result<Self, ConfigError> {
        let Decoded { raw, shown } = decode(text);
        let raw = raw.map_err(|problems| ConfigError::new(file_name, &shown, problems))?;
        let mut reader = Reader::new(text, base_dir);
        let config = assemble(&mut reader, raw);
        let shown = mask::apply(&shown, &reader.masked);
        match config {
            Some(config) if reader.problems.is_empty() => {
                let (file, values) = (file_name.to_owned(), difference::values(text, &shown));
                let origin = Origin { file, shown: shown.into(), values, files: reader.files };
                Ok(Self { origin, ..config })
            }
            _ => Err(ConfigError::new(file_name, &shown, reader.problems)),
        }
    }

    /// The configuration file, as it was named.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.origin.file
    }

    /// What this configuration changes in `before`, key by key.
    #[must_use]
    pub fn changes(&self, before: &Self) -> Vec<Difference> {
        difference::difference(&before.origin.values, &self.origin.values)
    }

    /// Where state is kept: as the file says, else where the environment says (see [`Environment::state_dir`]).
    pub fn state_dir(&self, environment: &Environment) -> Result<PathBuf, ConfigError> {
        let found = self.state_dir.clone().or_else(|| environment.state_dir());
        found.ok_or_else(|| {
            let message =
                "nothing says where the state belongs: no `state_dir`, $STATE_DIRECTORY, $XDG_STATE_HOME or $HOME";
            let problem = Problem::of_file(Code::NoStateDirectory, message);
            ConfigError::of_file(&self.origin.file, problem.help("write state_dir = \"PATH\" into the configuration"))
        })
    }

    /// Whether the files that keys and certificates are read from are there, which only a process that will need them asks.
    pub fn check_files(&self) -> Result<(), ConfigError> {
        let problems: Vec<Problem> = self.origin.files.iter().filter_map(missing).collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::new(&self.origin.file, &self.origin.shown, problems))
        }
    }
}

fn missing(file: &NeededFile) -> Option<Problem> {
    let cause = match File::open(&file.path).and_then(|file| file.metadata()) {
        Ok(metadata) if !metadata.is_dir() => return None,
        Ok(_) => "it is a directory".to_owned(),
        Err(error) => error.to_string(),
    };
    let message = format!("the {} {} cannot be read: {cause}", file.what, file.path.display());
    let problem = Problem::at(Code::MissingFile, file.place.clone(), "this file", message);
    Some(problem.help("relative paths are relative to the configuration file; this user must be able to read it"))
}

/// The configuration, as far as it could be read; what could not is among the reader's problems.
fn assemble(reader: &mut Reader<'_>, raw: Raw) -> Option<Config> {
    let time_zone = raw.time_zone.unwrap_or_else(|| Spanned::new(0..0, defaults::TIME_ZONE.to_owned()));
    let time_zone = schedule::zone(reader, &time_zone);
    let zone = time_zone.clone().unwrap_or(TimeZone::UTC);
    let state_dir = raw.state_dir.map(|text| reader.path("state_dir", &text));

    let log_format = raw.log_format.map_or(Some(defaults::LOG_FORMAT), |text| {
        reader.one_of("log_format", &text, &LogFormat::ALL, LogFormat::label)
    });
    let admin = admin::read(reader, raw.admin);

    let tenants: BTreeMap<_, _> = raw
        .tenants
        .into_iter()
        .map(|(name, table)| (name.get_ref().clone(), tenants::read(reader, &name, table.into_inner())))
        .collect();
    let policies: BTreeMap<_, _> = raw
        .policies
        .into_iter()
        .map(|(name, table)| (name.get_ref().clone(), policies::read(reader, &name, table.into_inner(), &zone)))
        .collect();
    let vault_names = raw.vaults.keys().map(|name| name.get_ref().clone()).collect();
    let vaults: Vec<Spanned<Vault>> =
        raw.vaults.into_iter().filter_map(|(name, table)| vaults::read(reader, &name, table.into_inner())).collect();
    vaults::apart(reader, &vaults);

    let apart = schedule::apart(reader, raw.apart, raw.apart_by.as_ref());
    let defined = Defined { tenants, policies, vaults: vault_names };
    let rules = accounts::read(reader, raw.accounts, &defined);
    let Defined { tenants, policies, .. } = defined;
    Some(Config {
        time_zone: time_zone?,
        log_format: log_format?,
        admin: admin?,
        tenants: all(tenants)?,
        vaults: vaults.into_iter().map(|vault| (vault.get_ref().name.clone(), vault.into_inner())).collect(),
        policies: all(policies)?.into_iter().map(|(name, entry)| (name, entry.policy)).collect(),
        apart: apart?,
        rules,
        state_dir: match state_dir {
            Some(given) => Some(given?),
            None => None,
        },
        origin: Origin { file: String::new(), shown: Arc::from(""), values: BTreeMap::new(), files: Vec::new() },
    })
}

fn all<T>(entries: BTreeMap<String, Option<T>>) -> Option<BTreeMap<String, T>> {
    entries.into_iter().map(|(name, entry)| entry.map(|entry| (name, entry))).collect()
}
