//! `kind = "aws-secrets-manager"`.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::SignedDuration;
use toml::Spanned;

use crate::config::endpoint::Endpoint;
use crate::config::network::{self, Network};
use crate::config::problem::{Code, Problem};
use crate::config::raw::{self, Text};
use crate::config::reader::{Reader, refuse};
use crate::config::{defaults, duration};
use crate::domain::policy::Rate;

/// AWS Secrets Manager, in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsSecretsManager {
    /// The region.
    pub region: String,
    /// The address that replaces AWS's own.
    pub endpoint_url: Option<Endpoint>,
    /// The KMS key of secrets that are made; AWS's own when none.
    pub kms_key_id: Option<String>,
    /// The tags of secrets that are made.
    pub tags: BTreeMap<String, String>,
    /// The role to assume with the credentials that were found.
    pub role_arn: Option<String>,
    /// How long a write may stay unseen by readers.
    pub settle: SignedDuration,
    /// How many writes it is sent.
    pub writes: Rate,
    /// Whether nobody but one process with this configuration writes there.
    pub sole: bool,
    /// How it is reached.
    pub network: Network,
}

/// The keys that only this kind has.
pub(super) const KEYS: [&str; 12] = [
    "region",
    "endpoint_url",
    "kms_key_id",
    "tags",
    "role_arn",
    "settle",
    "writes",
    "sole",
    "request_timeout",
    "proxy",
    "proxy_credentials",
    "ca_file",
];

/// Those of them that say how a network is crossed.
pub(super) const ACROSS_THE_NETWORK: [&str; 5] =
    ["endpoint_url", "request_timeout", "proxy", "proxy_credentials", "ca_file"];

/// AWS's limits for tags (API reference, `Tag`).
const MOST_TAGS: usize = 50;
const LONGEST_TAG_KEY: usize = 128;
const LONGEST_TAG_VALUE: usize = 256;

impl AwsSecretsManager {
    /// Whether both are the same secrets, as far as the configuration tells: two roles may belong to two accounts.
    pub(super) fn meets(&self, other: &Self) -> bool {
        (&self.region, &self.endpoint_url, &self.role_arn) == (&other.region, &other.endpoint_url, &other.role_arn)
    }
}

/// Reads the keys of this kind; the place is what to point at when another vault is in the way.
pub(super) fn read(
    reader: &mut Reader<'_>,
    place: &Range<usize>,
    raw: raw::Vault,
) -> Option<(Range<usize>, AwsSecretsManager)> {
    let given = network::Given {
        request_timeout: raw.request_timeout,
        proxy: raw.proxy,
        proxy_credentials: raw.proxy_credentials,
        ca_file: raw.ca_file,
    };
    let network = network::read(reader, given);
    let endpoint_url = maybe(raw.endpoint_url, |text| endpoint(reader, &text));
    let kms_key_id = maybe(raw.kms_key_id, |text| kms_key(reader, &text));
    let tags = raw.tags.map_or_else(|| Some(BTreeMap::new()), |table| tags(reader, &table));
    let role_arn = maybe(raw.role_arn, |text| role(reader, &text));
    let settle =
        raw.settle.map_or(Some(defaults::SETTLE), |text| reader.parsed(Code::BadDuration, &text, duration::parse));
    let writes =
        raw.writes.map_or(Some(defaults::WRITES), |text| reader.parsed(Code::BadRate, &text, duration::parse_rate));
    let sole = raw.sole.is_some_and(Spanned::into_inner);
    let help = "write the region that the secrets are in: region = \"ap-northeast-2\"";
    let region = reader.needs(raw.region, "region", place.clone(), help)?;
    let place = region.span();
    let region = reader.parsed(Code::BadValue, &region, self::region);
    let vault = AwsSecretsManager {
        region: region?,
        endpoint_url: endpoint_url?,
        kms_key_id: kms_key_id?,
        tags: tags?,
        role_arn: role_arn?,
        settle: settle?,
        writes: writes?,
        sole,
        network: network?,
    };
    Some((place, vault))
}

/// Outside: whether it could be read; inside: whether it is given.
#[expect(clippy::option_option, reason = "a missing value and an unreadable one are different things")]
fn maybe<T>(text: Option<Text>, read: impl FnOnce(Text) -> Option<T>) -> Option<Option<T>> {
    match text {
        Some(text) => read(text).map(Some),
        None => Some(None),
    }
}

fn region(text: &str) -> Result<String, String> {
    let mut parts = text.split('-');
    let country = parts.next().is_some_and(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_lowercase()));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let rest: Vec<&str> = parts.collect();
    if country && !rest.is_empty() && rest.into_iter().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("a region is written like \"ap-northeast-2\"".to_owned())
    }
}

fn endpoint(reader: &mut Reader<'_>, text: &Text) -> Option<Endpoint> {
    let (code, message) = match Endpoint::parse(text.get_ref()) {
        Ok(endpoint) => return Some(endpoint),
        Err((Code::PlainHttp, message)) => (Code::PlainHttp, message),
        Err((code, _)) => (code, "`endpoint_url` is scheme, host and port, and nothing else"),
    };
    if text.get_ref().contains('@') {
        reader.masked.push(text.span());
    }
    let problem = Problem::at(code, text.span(), "this address", message);
    let example = "https://vpce-0123.secretsmanager.ap-northeast-2.vpce.amazonaws.com";
    refuse(reader, problem.help(format!("write the address alone, such as \"{example}\", or leave it out")))
}

fn kms_key(reader: &mut Reader<'_>, text: &Text) -> Option<String> {
    reader.parsed(Code::BadValue, text, |text| {
        let plain = |c: char| c.is_ascii_alphanumeric() || ":/_.-".contains(c);
        if !text.is_empty() && text.chars().all(plain) {
            Ok(text.to_owned())
        } else {
            Err("a KMS key is an id, an ARN or an alias, like \"alias/rotator\"".to_owned())
        }
    })
}

fn role(reader: &mut Reader<'_>, text: &Text) -> Option<String> {
    reader.parsed(Code::BadValue, text, |text| {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let fine = match parts.as_slice() {
            ["arn", partition, "iam", "", account, resource] => {
                let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                !partition.is_empty()
                    && partition.chars().all(named)
                    && account.len() == 12
                    && account.bytes().all(|b| b.is_ascii_digit())
                    && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty() && !name.contains('\n'))
            }
            _ => false,
        };
        if fine {
            Ok(text.to_owned())
        } else {
            Err("a role is written like \"arn:aws:iam::123456789012:role/rotator\"".to_owned())
        }
    })
}

fn tags(reader: &mut Reader<'_>, table: &Spanned<BTreeMap<Text, Text>>) -> Option<BTreeMap<String, String>> {
    if table.get_ref().len() > MOST_TAGS {
        let message = format!("a secret has {MOST_TAGS} tags at the most");
        return refuse(reader, Problem::at(Code::BadValue, table.span(), "too many", message));
    }
    let allowed = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
    let mut found = BTreeMap::new();
    let mut bad = false;
    for (key, value) in table.get_ref() {
        let problem = if key.get_ref().is_empty() || key.get_ref().chars().count() > LONGEST_TAG_KEY {
            Some((key, format!("the name of a tag has 1 to {LONGEST_TAG_KEY} characters")))
        } else if key.get_ref().starts_with("aws:") {
            Some((key, "names of tags that begin with `aws:` are AWS's own".to_owned()))
        } else if value.get_ref().chars().count() > LONGEST_TAG_VALUE {
            Some((value, format!("the value of a tag has {LONGEST_TAG_VALUE} characters at the most")))
        } else {
            let stranger = [key, value].into_iter().find(|text| !text.get_ref().chars().all(allowed));
            stranger.map(|text| (text, "a tag has letters, digits, spaces and _ . : / = + - @".to_owned()))
        };
        match problem {
            None => {
                found.insert(key.get_ref().clone(), value.get_ref().clone());
            }
            Some((text, message)) => {
                bad = true;
                reader.report(Problem::at(Code::BadValue, text.span(), "this text", message));
            }
        }
    }
    (!bad).then_some(found)
}
