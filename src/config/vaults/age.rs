//! `kind = "age-directory"`.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;

use crate::config::defaults;
use crate::config::problem::{Code, Problem};
use crate::config::raw::{self, Text};
use crate::config::reader::Reader;
use crate::config::sources::credential;

/// A directory of age-encrypted files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgeDirectory {
    /// The directory; made on first use.
    pub path: PathBuf,
    /// What opens the files; made on first use when it is a file.
    pub identity: IdentitySource,
    /// Further recipients (`age1…`) that the files are encrypted to.
    pub recipients: Vec<String>,
}

/// Where an age identity is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentitySource {
    /// In a file.
    File(PathBuf),
    /// In a systemd credential, `$CREDENTIALS_DIRECTORY/NAME`.
    Credential(String),
}

/// The keys that only this kind has.
pub(super) const KEYS: [&str; 3] = ["path", "identity", "recipients"];

impl AgeDirectory {
    /// Whether one lies in the other: their files would meet.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.path.starts_with(&other.path) || other.path.starts_with(&self.path)
    }
}

/// Reads the keys of this kind; the place is what to point at when another vault is in the way.
pub(super) fn read(
    reader: &mut Reader<'_>,
    place: &Range<usize>,
    raw: raw::Vault,
) -> Option<(Range<usize>, AgeDirectory)> {
    let recipients = raw.recipients.map(Spanned::into_inner).unwrap_or_default();
    let recipients: Vec<Option<String>> = recipients.into_iter().map(|text| recipient(reader, text)).collect();
    let written = reader.needs(
        raw.path,
        "path",
        place.clone(),
        "write the directory, relative to this file: path = \"vault\"",
    )?;
    let path = reader.path("path", &written)?;
    let identity = match raw.identity {
        Some(table) => identity(reader, &table, &path)?,
        None => IdentitySource::File(beside(&path)),
    };
    let recipients = recipients.into_iter().collect::<Option<_>>()?;
    Some((written.span(), AgeDirectory { path, identity, recipients }))
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
