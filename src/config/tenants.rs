//! `[tenants.NAME]`: an installation, the keys to it and how it is to be treated.

use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;

use super::choice::{Choice, Days};
use super::duration;
use super::endpoint::Endpoint;
use super::keys::{KeyPair, KeyPlace};
use super::network::{self, Network};
use super::problem::{Code, Problem};
use super::raw::{self, Text};
use super::reader::{Reader, refuse};
use super::{defaults, sources, words};
use crate::domain::account::{Kind, Site};
use crate::domain::alias::LoginAlias;
use crate::domain::gateway::Gateway;
use crate::domain::policy::{PasswordExpiration, Rate, Setting};
use crate::ncloud::{Api, Format};

/// One main account of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its name in the configuration.
    pub name: String,
    /// The installation.
    pub site: Site,
    /// How it is reached.
    pub reach: Reach,
    /// The version of Sub Account's interface.
    pub api: Api,
    /// What Data Forest is spoken to in.
    pub format: Format,
    /// What is asked of its password expiration.
    pub expiration: Setting<PasswordExpiration>,
    /// What is asked of its login alias.
    pub login_alias: Setting<LoginAlias>,
    /// What is assumed of its gateway.
    pub gateway: Gateway,
    /// How many requests that change something it may be sent.
    pub rate: Rate,
    /// How the network is crossed to it. Of the built-in emulator, the time-out alone means something.
    pub network: Network,
}

/// How a tenant is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Over the network.
    Gateway {
        /// Where the keys to sign with are.
        keys: KeyPlace,
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

/// Every site, in the order in which people are shown them.
pub(super) const SITES: [Site; 4] = [Site::Public, Site::Gov, Site::Fin, Site::Emulator];

/// Reads one table. Of a table with problems there is nothing.
pub(super) fn read(reader: &mut Reader<'_>, name: &Text, raw: raw::Tenant) -> Option<Tenant> {
    let place = name.span();
    let name = reader.name(name);
    let gateway = gateway(reader, raw.gateway.map(Spanned::into_inner));
    let rate = raw.rate.map_or(Some(defaults::RATE), |text| reader.parsed(Code::BadRate, &text, duration::parse_rate));
    let format =
        raw.format.map_or(Some(defaults::FORMAT), |text| reader.one_of("format", &text, &Format::ALL, Format::label));
    let expiration = setting(reader, "expiration", raw.expiration, expiration);
    let login_alias = setting(reader, "login_alias", raw.login_alias, login_alias);
    let role = raw.keys.as_ref().and_then(|keys| keys.get_ref().server_role.as_ref()).map(Spanned::span);
    let keys = sources::Given { access: raw.access_key, secret: raw.secret_key, both: raw.keys };
    let keys = sources::keys(reader, &place, keys);
    let given = network::Given {
        request_timeout: raw.request_timeout,
        proxy: raw.proxy,
        proxy_credentials: raw.proxy_credentials,
        ca_file: raw.ca_file,
    };
    let across = given.of_the_network();
    let network = network::read(reader, given);
    let endpoints = raw.endpoints;
    let sites = words::alternatives(&SITES.map(Site::label));
    let site = reader.needs(raw.site, "site", place.clone(), &format!("site is {sites}"))?;
    let site = reader.one_of("site", &site, &SITES, Site::label)?;
    let api = api(reader, site, raw.api);
    let reach = if site == Site::Emulator {
        let foreign = [("endpoints", endpoints.map(|table| table.span())), ("server_role", role)];
        built_in(reader, keys, foreign.into_iter().chain(across), raw.emulator)
    } else {
        over_network(reader, &place, keys, endpoints, raw.emulator)
    };
    Some(Tenant {
        name,
        site,
        reach: reach?,
        api: api?,
        format: format?,
        expiration: expiration?,
        login_alias: login_alias?,
        gateway: gateway?,
        rate: rate?,
        network: network?,
    })
}

/// Outside: whether they could be read; inside: whether they are given.
type Found = Option<Option<KeyPlace>>;

fn built_in(
    reader: &mut Reader<'_>,
    keys: Found,
    foreign: impl Iterator<Item = (&'static str, Option<Range<usize>>)>,
    accounts: Option<Text>,
) -> Option<Reach> {
    let mut stranger = false;
    for (key, place) in foreign {
        let Some(span) = place else { continue };
        stranger = true;
        let message = format!("`{key}` does not go with site = \"emulator\", which answers inside this process");
        let help = "leave it out; to talk to an emulator that runs by itself, take another site with its endpoints";
        reader.report(Problem::at(Code::EmulatorOnly, span, "not here", message).help(help));
    }
    let accounts = match accounts {
        Some(text) => Some(reader.path("emulator", &text)?),
        None => None,
    };
    let keys = match keys? {
        None => None,
        Some(KeyPlace::Pair(pair)) => Some(pair),
        Some(KeyPlace::ServerRole(_)) => return None,
    };
    (!stranger).then_some(Reach::BuiltIn { keys, accounts })
}

fn over_network(
    reader: &mut Reader<'_>,
    place: &Range<usize>,
    keys: Found,
    endpoints: Option<Spanned<raw::Endpoints>>,
    accounts: Option<Text>,
) -> Option<Reach> {
    if let Some(None) = keys {
        sources::missing(reader, place);
    }
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
    Some(Reach::Gateway { keys: keys??, endpoints: endpoints? })
}

fn api(reader: &mut Reader<'_>, site: Site, text: Option<Text>) -> Option<Api> {
    let Some(text) = text else { return Some(defaults::API) };
    if site != Site::Gov {
        let message = format!("`api` goes with site = \"gov\" only; site \"{site}\" has one interface");
        return refuse(reader, Problem::at(Code::Misplaced, text.span(), "not here", message).help("leave it out"));
    }
    reader.one_of("api", &text, &Api::ALL, Api::label)
}

/// A setting at the provider: `"follow"`, or a table that enforces something.
fn setting<R, T>(
    reader: &mut Reader<'_>,
    key: &'static str,
    raw: Option<Spanned<Choice<R>>>,
    enforced: impl FnOnce(&mut Reader<'_>, Range<usize>, R) -> Option<T>,
) -> Option<Setting<T>> {
    let Some(raw) = raw else { return Some(Setting::Follow) };
    let place = raw.span();
    match raw.into_inner() {
        Choice::Word(word) if word == defaults::FOLLOW => Some(Setting::Follow),
        Choice::Word(_) => {
            let message = format!("`{key}` is \"follow\" or a table {{ enforce = … }}");
            let problem = Problem::at(Code::BadValue, place, "neither of them", message);
            refuse(reader, problem.help(ENFORCE))
        }
        Choice::Table(table) => enforced(reader, place, table).map(Setting::Enforce),
    }
}

const ENFORCE: &str = "\"follow\" reads the setting and changes nothing; enforcing writes it to the provider, such as \
                       expiration = { enforce = 90 }, { enforce = \"off\" } or login_alias = { enforce = \"acme\" }";

fn expiration(reader: &mut Reader<'_>, place: Range<usize>, raw: raw::EnforceExpiration) -> Option<PasswordExpiration> {
    let days = reader.needs(raw.enforce, "enforce", place, ENFORCE)?;
    let expiration = match days.get_ref() {
        Days::Number(days) => PasswordExpiration::days(*days),
        Days::Word(word) => (word == PasswordExpiration::OFF).then_some(PasswordExpiration::Off),
    };
    if expiration.is_none() {
        let message = "the expiration to enforce is 60, 90, 120 or 180, as the provider offers, or \"off\"";
        reader.report(Problem::at(Code::BadValue, days.span(), "not one of them", message));
    }
    expiration
}

fn login_alias(reader: &mut Reader<'_>, place: Range<usize>, raw: raw::EnforceAlias) -> Option<LoginAlias> {
    let alias = reader.needs(raw.enforce, "enforce", place, ENFORCE)?;
    reader.parsed(Code::BadValue, &alias, |text| text.parse::<LoginAlias>().map_err(|error| error.to_string()))
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
    let given = defaults::gateway();
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
