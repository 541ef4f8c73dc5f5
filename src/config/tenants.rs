//! `[tenants.NAME]`: an installation, the keys to it and how it is to be treated.

use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;

use super::duration;
use super::endpoint::Endpoint;
use super::keys::{KeyPair, SecretSource};
use super::problem::{Code, Problem};
use super::raw::{self, Text};
use super::reader::Reader;
use super::{defaults, words};
use crate::domain::account::{Kind, Site};
use crate::domain::gateway::Gateway;
use crate::domain::policy::Rate;

/// One main account of the provider.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its name in the configuration.
    pub name: String,
    /// The installation.
    pub site: Site,
    /// How it is reached.
    pub reach: Reach,
    /// What is assumed of its gateway.
    pub gateway: Gateway,
    /// How many requests that change something it may be sent.
    pub rate: Rate,
}

/// How a tenant is reached.
#[derive(Debug, Clone)]
pub enum Reach {
    /// Over the network.
    Gateway {
        /// The keys to sign with.
        keys: KeyPair,
        /// Where to, when not at the provider's own addresses.
        endpoints: Endpoints,
    },
    /// The emulator inside this process.
    BuiltIn {
        /// The keys that it shall know, when they are given.
        keys: Option<KeyPair>,
        /// Where it keeps its accounts; in memory when not given.
        accounts: Option<PathBuf>,
    },
}

/// Addresses that replace the provider's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Of Sub Account.
    pub sub_account: Option<Endpoint>,
    /// Of Data Forest.
    pub data_forest: Option<Endpoint>,
}

impl Endpoints {
    /// The address for one kind of account, when it is given.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> Option<&Endpoint> {
        match kind {
            Kind::SubAccount => self.sub_account.as_ref(),
            Kind::DataForest => self.data_forest.as_ref(),
        }
    }
}

impl Tenant {
    /// Whether it is known where accounts of this kind are: the provider documents Data Forest for `public` alone.
    pub(super) fn offers(&self, kind: Kind) -> bool {
        match (&self.reach, self.site, kind) {
            (Reach::Gateway { endpoints, .. }, Site::Gov | Site::Fin, Kind::DataForest) => endpoints.of(kind).is_some(),
            _ => true,
        }
    }
}

const SITES: [Site; 4] = [Site::Public, Site::Gov, Site::Fin, Site::Emulator];

const SOURCES: &str =
    "say where it is: { env = \"NAME\" }, { file = \"PATH\" }, { credential = \"NAME\" } or { profile = \"NAME\" }";

/// Reads one table. Of a table with problems there is nothing.
pub(super) fn read(reader: &mut Reader<'_>, name: &Text, raw: raw::Tenant) -> Option<Tenant> {
    let place = name.span();
    let name = reader.name(name);
    let gateway = gateway(reader, raw.gateway.map(Spanned::into_inner));
    let rate = raw.rate.map_or(Some(defaults::RATE), |text| reader.parsed(Code::BadRate, &text, duration::parse_rate));
    let access = raw.access_key.map(|source| key_source(reader, "access_key", source));
    let secret = raw.secret_key.map(|source| key_source(reader, "secret_key", source));
    let endpoints = raw.endpoints;
    let sites = words::alternatives(&SITES.map(Site::label));
    let site = reader.needs(raw.site, "site", place.clone(), &format!("site is {sites}"))?;
    let site = reader.one_of("site", &site, &SITES, Site::label)?;
    let reach = if site == Site::Emulator {
        built_in(reader, place, (access, secret), endpoints.map(|table| table.span()), raw.emulator)
    } else {
        over_network(reader, place, (access, secret), endpoints, raw.emulator)
    };
    Some(Tenant { name, site, reach: reach?, gateway: gateway?, rate: rate? })
}

/// Outside: whether the key is there at all; inside: whether it could be read.
type Found = Option<Option<SecretSource>>;

fn built_in(
    reader: &mut Reader<'_>,
    place: Range<usize>,
    (access, secret): (Found, Found),
    endpoints: Option<Range<usize>>,
    accounts: Option<Text>,
) -> Option<Reach> {
    if let Some(span) = endpoints {
        let message = "`endpoints` does not go with site = \"emulator\", which answers inside this process";
        let help = "leave it out; to talk to an emulator that runs by itself, take another site with these endpoints";
        reader.report(Problem::at(Code::EmulatorOnly, span, "not here", message).help(help));
        return None;
    }
    let accounts = match accounts {
        Some(text) => Some(reader.path("emulator", &text)?),
        None => None,
    };
    let keys = match (access, secret) {
        (None, None) => None,
        (access, secret) => Some(both(reader, place, access, secret)?),
    };
    Some(Reach::BuiltIn { keys, accounts })
}

fn over_network(
    reader: &mut Reader<'_>,
    place: Range<usize>,
    (access, secret): (Found, Found),
    endpoints: Option<Spanned<raw::Endpoints>>,
    accounts: Option<Text>,
) -> Option<Reach> {
    let keys = both(reader, place, access, secret);
    let endpoints = match endpoints.map(Spanned::into_inner) {
        Some(raw) => {
            let sub_account = endpoint(reader, raw.sub_account);
            let data_forest = endpoint(reader, raw.data_forest);
            sub_account.zip(data_forest).map(|(sub_account, data_forest)| Endpoints { sub_account, data_forest })
        }
        None => Some(Endpoints::default()),
    };
    if let Some(text) = accounts {
        let message = "`emulator` goes with site = \"emulator\" only";
        let help = "leave it out, or set site = \"emulator\" to try things without the provider";
        reader.report(Problem::at(Code::EmulatorOnly, text.span(), "not here", message).help(help));
    }
    Some(Reach::Gateway { keys: keys?, endpoints: endpoints? })
}

fn both(reader: &mut Reader<'_>, place: Range<usize>, access: Found, secret: Found) -> Option<KeyPair> {
    let access = reader.needs(access, "access_key", place.clone(), SOURCES);
    let secret = reader.needs(secret, "secret_key", place, SOURCES);
    Some(KeyPair { access: access??, secret: secret?? })
}

/// Outside: whether it could be read; inside: whether it is given.
#[expect(clippy::option_option, reason = "a missing endpoint and an unreadable one are different things")]
fn endpoint(reader: &mut Reader<'_>, text: Option<Text>) -> Option<Option<Endpoint>> {
    let Some(text) = text else { return Some(None) };
    match Endpoint::parse(text.get_ref()) {
        Ok(endpoint) => Some(Some(endpoint)),
        Err((code, message)) => {
            if text.get_ref().contains('@') {
                reader.masked.push(text.span());
            }
            let problem = Problem::at(code, text.span(), "this address", message);
            reader.report(
                problem.help("write the address alone, such as \"https://host.example\" or \"http://127.0.0.1:8610\""),
            );
            None
        }
    }
}

fn gateway(reader: &mut Reader<'_>, raw: Option<raw::Gateway>) -> Option<Gateway> {
    let given = Gateway::default();
    let Some(raw) = raw else { return Some(given) };
    let mut read = |text: Option<Text>, given| {
        text.map_or(Some(given), |text| reader.parsed(Code::BadDuration, &text, duration::parse))
    };
    let signature_lifetime = read(raw.signature_lifetime, given.signature_lifetime);
    let timeout = read(raw.timeout, given.timeout);
    let skew_place = raw.max_clock_skew.as_ref().map(Spanned::span);
    let max_clock_skew = read(raw.max_clock_skew, given.max_clock_skew);
    let gateway =
        Gateway { signature_lifetime: signature_lifetime?, timeout: timeout?, max_clock_skew: max_clock_skew? };
    match skew_place {
        Some(place) if gateway.max_clock_skew < Gateway::LEAST_CLOCK_SKEW => {
            let message = "`max_clock_skew` is 2s at the least: the gateway tells its time in whole seconds";
            reader.report(Problem::at(Code::BadDuration, place, "too short to be measured", message));
            None
        }
        _ => Some(gateway),
    }
}

fn key_source(reader: &mut Reader<'_>, key: &str, raw: Spanned<raw::KeySource>) -> Option<SecretSource> {
    let place = raw.span();
    let raw = raw.into_inner();
    let given = [("env", raw.env), ("file", raw.file), ("credential", raw.credential), ("profile", raw.profile)];
    let mut given = given.into_iter().filter_map(|(source, text)| Some((source, text?)));
    let Some((source, text)) = given.next() else {
        let problem = Problem::at(Code::MissingKey, place, "empty", format!("`{key}` does not say where the key is"));
        return refuse(reader, problem.help(SOURCES));
    };
    if let Some((_, second)) = given.next() {
        let message = format!("`{key}` is given twice");
        let problem = Problem::at(Code::SecretTwice, second.span(), "and once more", message);
        reader.report(problem.and(text.span(), "given here").help("keep one of the two"));
        return None;
    }
    let span = text.span();
    match source {
        "file" => {
            let path = reader.path("file", &text)?;
            reader.key_files.push(Spanned::new(span, path.clone()));
            Some(SecretSource::File(path))
        }
        "credential" => credential(reader, &text).map(SecretSource::Credential),
        "profile" => {
            let sound = !text.get_ref().trim().is_empty() && !text.get_ref().contains([']', '\n']);
            let problem = || Problem::at(Code::BadValue, span, "this name", "`profile` needs the name of a profile");
            if sound { Some(SecretSource::Profile(text.into_inner())) } else { refuse(reader, problem()) }
        }
        _ => {
            if is_variable(text.get_ref()) {
                return Some(SecretSource::Env(text.into_inner()));
            }
            reader.masked.push(span.clone());
            let problem =
                Problem::at(Code::BadValue, span, "no name of a variable", "`env` names an environment variable");
            refuse(
                reader,
                problem.help("write the variable's name, never the key itself: { env = \"NCLOUD_ACCESS_KEY\" }"),
            )
        }
    }
}

/// The name of a systemd credential, which is a file's name and no path.
pub(super) fn credential(reader: &mut Reader<'_>, text: &Text) -> Option<String> {
    let name = text.get_ref();
    let sound = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']);
    if sound {
        return Some(name.clone());
    }
    let problem = Problem::at(Code::BadValue, text.span(), "this name", "`credential` is a name, not a path");
    refuse(reader, problem.help("write the name that LoadCredential= gives it; it is read from $CREDENTIALS_DIRECTORY"))
}

pub(super) fn refuse<T>(reader: &mut Reader<'_>, problem: Problem) -> Option<T> {
    reader.report(problem);
    None
}

fn is_variable(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
