//! `[vaults.NAME]`: where secrets are kept.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::defaults;
use super::problem::{Code, Problem};
use super::raw::{self, Text};
use super::reader::Reader;
use super::sources::credential;

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
    AgeDirectory {
        /// The directory; made on first use.
        path: PathBuf,
        /// What opens the files; made on first use when it is a file.
        identity: IdentitySource,
        /// Further recipients (`age1…`) that the files are encrypted to.
        recipients: Vec<String>,
    },
}

/// Where an age identity is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentitySource {
    /// In a file.
    File(PathBuf),
    /// In a systemd credential, `$CREDENTIALS_DIRECTORY/NAME`.
    Credential(String),
}

/// The label of a directory of age-encrypted files.
pub(super) const AGE_DIRECTORY: &str = "age-directory";

/// Reads one table. Of a table with problems there is nothing.
pub(super) fn read(reader: &mut Reader<'_>, name: &Text, raw: raw::Vault) -> Option<Spanned<Vault>> {
    let place = name.span();
    let name = reader.name(name);
    on_this_machine(reader, &raw);
    let kind = reader.needs(raw.kind, "kind", place.clone(), "write kind = \"age-directory\"");
    let kind = kind.and_then(|kind| reader.one_of("kind", &kind, &[AGE_DIRECTORY], |kind| kind));
    let recipients: Vec<Option<String>> = raw.recipients.into_iter().map(|text| recipient(reader, text)).collect();
    let written =
        reader.needs(raw.path, "path", place, "write the directory, relative to this file: path = \"vault\"")?;
    let path = reader.path("path", &written)?;
    let identity = match raw.identity {
        Some(table) => identity(reader, &table, &path)?,
        None => IdentitySource::File(beside(&path)),
    };
    let store = Store::AgeDirectory { path, identity, recipients: recipients.into_iter().collect::<Option<_>>()? };
    kind.map(|_| Spanned::new(written.span(), Vault { name, store }))
}

/// Refuses keys that say how a network is crossed.
fn on_this_machine(reader: &mut Reader<'_>, raw: &raw::Vault) {
    for (key, place) in [
        ("request_timeout", &raw.request_timeout),
        ("proxy", &raw.proxy),
        ("proxy_credentials", &raw.proxy_credentials),
        ("ca_file", &raw.ca_file),
    ] {
        if let Some(place) = place {
            let message = format!("`{key}` does not go with kind = \"{AGE_DIRECTORY}\", which is on this machine");
            let problem = Problem::at(Code::Misplaced, place.span(), "not here", message);
            reader.report(problem.help("leave it out: nothing crosses a network on the way to this vault"));
        }
    }
}

/// Refuses two vaults in one directory, or one inside the other: their files would meet.
pub(super) fn apart(reader: &mut Reader<'_>, vaults: &[Spanned<Vault>]) {
    for (at, second) in vaults.iter().enumerate() {
        let Store::AgeDirectory { path, .. } = &second.get_ref().store;
        let meets = |first: &&Spanned<Vault>| {
            let Store::AgeDirectory { path: other, .. } = &first.get_ref().store;
            path.starts_with(other) || other.starts_with(path)
        };
        if let Some(first) = vaults[..at].iter().find(meets) {
            let message =
                format!("the vaults `{}` and `{}` share a directory", first.get_ref().name, second.get_ref().name);
            let problem = Problem::at(Code::SharedPath, second.span(), "and here", message);
            let help = "give each vault a directory of its own, outside the other";
            reader.report(problem.and(first.span(), "here").help(help));
        }
    }
}

fn beside(path: &Path) -> PathBuf {
    if path.file_name().is_some() {
        path.with_file_name(defaults::IDENTITY_FILE)
    } else {
        path.join("..").join(defaults::IDENTITY_FILE)
    }
}

fn identity(reader: &mut Reader<'_>, raw: &Spanned<raw::Identity>, vault: &Path) -> Option<IdentitySource> {
    let place = raw.span();
    match (raw.get_ref().file.as_ref(), raw.get_ref().credential.as_ref()) {
        (Some(text), None) => {
            let path = reader.path("file", text)?;
            if path.starts_with(vault) {
                let message = "the identity lies inside the vault that it opens";
                let problem = Problem::at(Code::SharedPath, text.span(), "inside the vault", message);
                reader.report(problem.help("put it beside: whoever copies the vault would copy its key as well"));
                return None;
            }
            Some(IdentitySource::File(path))
        }
        (None, Some(text)) => credential(reader, text).map(IdentitySource::Credential),
        (Some(first), Some(second)) => {
            let problem = Problem::at(Code::SecretTwice, second.span(), "and once more", "`identity` is given twice");
            reader.report(problem.and(first.span(), "given here").help("keep one of the two"));
            None
        }
        (None, None) => {
            let problem = Problem::at(Code::MissingKey, place, "empty", "`identity` does not say where it is");
            reader.report(problem.help("write { file = \"identity.txt\" } or { credential = \"NAME\" }"));
            None
        }
    }
}

fn recipient(reader: &mut Reader<'_>, text: Text) -> Option<String> {
    if text.get_ref().parse::<age::x25519::Recipient>().is_ok() {
        return Some(text.into_inner());
    }
    reader.masked.push(text.span());
    let message = "a recipient is a public key of age, like \"age1…\"";
    let help = "it is what age-keygen prints as \"Public key\"; the identity itself never stands here";
    reader.report(Problem::at(Code::BadRecipient, text.span(), "no recipient", message).help(help));
    None
}
