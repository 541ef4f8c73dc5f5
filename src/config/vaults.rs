//! `[vaults.NAME]`: where secrets are kept.

mod age;
mod aws;

use std::ops::Range;

use toml::Spanned;

use super::problem::{Code, Problem};
use super::raw::{self, Text};
use super::reader::Reader;
use super::words;

pub use age::{AgeDirectory, IdentitySource};
pub use aws::AwsSecretsManager;

/// One vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vault {
    /// Its name in the configuration.
    pub name: String,
    /// What it is.
    pub store: Store,
}

/// The kinds of vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// A directory of age-encrypted files.
    AgeDirectory(AgeDirectory),
    /// AWS Secrets Manager, in one region.
    AwsSecretsManager(AwsSecretsManager),
}

/// The label of a directory of age-encrypted files.
pub(super) const AGE_DIRECTORY: &str = "age-directory";
/// The label of AWS Secrets Manager.
pub(super) const AWS_SECRETS_MANAGER: &str = "aws-secrets-manager";
/// Every kind.
pub(super) const KINDS: [&str; 2] = [AGE_DIRECTORY, AWS_SECRETS_MANAGER];

/// The keys that only one kind of vault has.
pub(super) fn keys_of(kind: &str) -> &'static [&'static str] {
    if kind == AWS_SECRETS_MANAGER { &aws::KEYS } else { &age::KEYS }
}

/// Reads one table. Of a table with problems there is nothing.
pub(super) fn read(reader: &mut Reader<'_>, name: &Text, raw: raw::Vault) -> Option<Spanned<Vault>> {
    let place = name.span();
    let name = reader.name(name);
    let kinds = format!("kind is {}", words::alternatives(&KINDS));
    let kind = reader.needs(raw.kind.clone(), "kind", place.clone(), &kinds);
    let kind = kind.and_then(|kind| reader.one_of("kind", &kind, &KINDS, |kind| kind))?;
    let strangers = misplaced(reader, kind, &raw);
    let store = if kind == AWS_SECRETS_MANAGER {
        aws::read(reader, &place, raw).map(|(place, vault)| (place, Store::AwsSecretsManager(vault)))
    } else {
        age::read(reader, &place, raw).map(|(place, vault)| (place, Store::AgeDirectory(vault)))
    };
    let (place, store) = store?;
    (!strangers).then(|| Spanned::new(place, Vault { name, store }))
}

/// Refuses keys of another kind of vault; whether there were any.
fn misplaced(reader: &mut Reader<'_>, kind: &str, raw: &raw::Vault) -> bool {
    let mut found = false;
    for (key, place) in places(raw) {
        let owner = KINDS.into_iter().find(|kind| keys_of(kind).contains(&key));
        let (Some(place), Some(owner)) = (place, owner.filter(|owner| *owner != kind)) else { continue };
        found = true;
        let (message, help) = if kind == AGE_DIRECTORY && aws::ACROSS_THE_NETWORK.contains(&key) {
            (
                format!("`{key}` does not go with kind = \"{kind}\", which is on this machine"),
                "leave it out: nothing crosses a network on the way to this vault".to_owned(),
            )
        } else {
            (
                format!("`{key}` does not go with kind = \"{kind}\""),
                format!("leave it out; it belongs to kind = \"{owner}\""),
            )
        };
        reader.report(Problem::at(Code::Misplaced, place, "not here", message).help(help));
    }
    found
}

/// Every key that belongs to one kind only, and where it stands.
fn places(raw: &raw::Vault) -> [(&'static str, Option<Range<usize>>); 15] {
    [
        ("path", raw.path.as_ref().map(Spanned::span)),
        ("identity", raw.identity.as_ref().map(Spanned::span)),
        ("recipients", raw.recipients.as_ref().map(Spanned::span)),
        ("region", raw.region.as_ref().map(Spanned::span)),
        ("endpoint_url", raw.endpoint_url.as_ref().map(Spanned::span)),
        ("kms_key_id", raw.kms_key_id.as_ref().map(Spanned::span)),
        ("tags", raw.tags.as_ref().map(Spanned::span)),
        ("role_arn", raw.role_arn.as_ref().map(Spanned::span)),
        ("settle", raw.settle.as_ref().map(Spanned::span)),
        ("writes", raw.writes.as_ref().map(Spanned::span)),
        ("sole", raw.sole.as_ref().map(Spanned::span)),
        ("request_timeout", raw.request_timeout.as_ref().map(Spanned::span)),
        ("proxy", raw.proxy.as_ref().map(Spanned::span)),
        ("proxy_credentials", raw.proxy_credentials.as_ref().map(Spanned::span)),
        ("ca_file", raw.ca_file.as_ref().map(Spanned::span)),
    ]
}

/// Refuses two vaults in one place: each would hold the other's secrets for its own.
pub(super) fn apart(reader: &mut Reader<'_>, vaults: &[Spanned<Vault>]) {
    for (at, second) in vaults.iter().enumerate() {
        let meets = |first: &&Spanned<Vault>| match (&first.get_ref().store, &second.get_ref().store) {
            (Store::AgeDirectory(first), Store::AgeDirectory(second)) => first.meets(second),
            (Store::AwsSecretsManager(first), Store::AwsSecretsManager(second)) => first.meets(second),
            _ => false,
        };
        if let Some(first) = vaults[..at].iter().find(meets) {
            let names = (&first.get_ref().name, &second.get_ref().name);
            let (what, help) = match second.get_ref().store {
                Store::AgeDirectory(_) => ("a directory", "give each vault a directory of its own, outside the other"),
                Store::AwsSecretsManager(_) => {
                    ("a region of one account", "one table serves all the rules that keep secrets there")
                }
            };
            let message = format!("the vaults `{}` and `{}` share {what}", names.0, names.1);
            let problem = Problem::at(Code::SharedPath, second.span(), "and here", message);
            reader.report(problem.and(first.span(), "here").help(help));
        }
    }
}
