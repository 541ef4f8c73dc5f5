//! Where a tenant's keys are, as its table says. They are read in `keys.rs`, when they are needed.

use std::ops::Range;

use toml::Spanned;

use super::endpoint;
use super::keys::{KeyPair, KeyPlace, SecretSource, ServerRole};
use super::problem::{Code, Problem};
use super::raw::{self, Text};
use super::reader::{Reader, refuse};

const SOURCES: &str = "say where it is: { env = \"NAME\" }, { file = \"PATH\" }, { credential = \"NAME\" } or \
                       { profile = \"NAME\" }; or where both are: keys = { profile | server_role = \"NAME\" }";

/// What a tenant's table says of its keys.
pub(super) struct Given {
    pub(super) access: Option<Spanned<raw::KeySource>>,
    pub(super) secret: Option<Spanned<raw::KeySource>>,
    pub(super) both: Option<Spanned<raw::Keys>>,
}

/// Outside: whether they could be read; inside: whether they are given.
#[expect(clippy::option_option, reason = "no keys and unreadable ones are different things")]
pub(super) fn keys(reader: &mut Reader<'_>, place: &Range<usize>, given: Given) -> Option<Option<KeyPlace>> {
    let halves = [&given.access, &given.secret].map(|half| half.as_ref().map(Spanned::span));
    let mut half = |key, raw: Option<Spanned<raw::KeySource>>| raw.map(|raw| key_source(reader, key, raw));
    let access = half("access_key", given.access);
    let secret = half("secret_key", given.secret);
    if let Some(raw) = given.both {
        let span = raw.span();
        let both = both(reader, raw);
        if let Some(half) = halves.into_iter().flatten().next() {
            let problem = Problem::at(Code::SecretTwice, span, "and once more", "the keys are given twice");
            let help = "keep either `keys`, or `access_key` and `secret_key`";
            return refuse(reader, problem.and(half, "given here").help(help));
        }
        return both.map(Some);
    }
    if access.is_none() && secret.is_none() {
        return Some(None);
    }
    let access = reader.needs(access, "access_key", place.clone(), SOURCES);
    let secret = reader.needs(secret, "secret_key", place.clone(), SOURCES);
    Some(Some(KeyPlace::Pair(KeyPair { access: access??, secret: secret?? })))
}

/// Reports that there are no keys where they are needed.
pub(super) fn missing(reader: &mut Reader<'_>, place: &Range<usize>) {
    for key in ["access_key", "secret_key"] {
        let _: Option<()> = reader.needs(None, key, place.clone(), SOURCES);
    }
}

/// Where a proxy's `user:password` is.
pub(super) fn proxy_credentials(reader: &mut Reader<'_>, raw: Spanned<raw::ProxyCredentials>) -> Option<SecretSource> {
    let place = raw.span();
    let raw = raw.into_inner();
    let given = [("env", raw.env), ("file", raw.file), ("credential", raw.credential)];
    let help = "say where it is: { env = \"NAME\" }, { file = \"PATH\" } or { credential = \"NAME\" }";
    source(reader, "proxy_credentials", place, given, help)
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

fn key_source(reader: &mut Reader<'_>, key: &str, raw: Spanned<raw::KeySource>) -> Option<SecretSource> {
    let place = raw.span();
    let raw = raw.into_inner();
    let given = [("env", raw.env), ("file", raw.file), ("credential", raw.credential), ("profile", raw.profile)];
    source(reader, key, place, given, SOURCES)
}

fn source<const N: usize>(
    reader: &mut Reader<'_>,
    key: &str,
    place: Range<usize>,
    given: [(&'static str, Option<Text>); N],
    help: &str,
) -> Option<SecretSource> {
    let mut given = given.into_iter().filter_map(|(source, text)| Some((source, text?)));
    let Some((source, text)) = given.next() else {
        let problem = Problem::at(Code::MissingKey, place, "empty", format!("`{key}` does not say where it is"));
        return refuse(reader, problem.help(help));
    };
    if let Some((_, second)) = given.next() {
        let message = format!("`{key}` is given twice");
        let problem = Problem::at(Code::SecretTwice, second.span(), "and once more", message);
        return refuse(reader, problem.and(text.span(), "given here").help("keep one of the two"));
    }
    match source {
        "file" => {
            let path = reader.path("file", &text)?;
            reader.needs_file("key file", text.span(), path.clone());
            Some(SecretSource::File(path))
        }
        "credential" => credential(reader, &text).map(SecretSource::Credential),
        "profile" => profile(reader, text).map(SecretSource::Profile),
        _ => variable(reader, text).map(SecretSource::Env),
    }
}

fn both(reader: &mut Reader<'_>, raw: Spanned<raw::Keys>) -> Option<KeyPlace> {
    let place = raw.span();
    let raw = raw.into_inner();
    let metadata_place = raw.metadata.as_ref().map(Spanned::span);
    let metadata = match raw.metadata {
        Some(text) => Some(metadata(reader, &text)?),
        None => None,
    };
    match (raw.profile, raw.server_role) {
        (Some(text), None) => {
            if let Some(span) = metadata_place {
                let problem = Problem::at(Code::Misplaced, span, "not here", "`metadata` goes with `server_role` only");
                return refuse(reader, problem.help("leave it out; a profile is read from ~/.ncloud/configure"));
            }
            let profile = profile(reader, text)?;
            let half = || SecretSource::Profile(profile.clone());
            Some(KeyPlace::Pair(KeyPair { access: half(), secret: half() }))
        }
        (None, Some(text)) => {
            let name = role(reader, text)?;
            Some(KeyPlace::ServerRole(ServerRole { name, metadata }))
        }
        (Some(first), Some(second)) => {
            let problem = Problem::at(Code::SecretTwice, second.span(), "and once more", "the keys are given twice");
            refuse(reader, problem.and(first.span(), "given here").help("keep one of the two"))
        }
        (None, None) => {
            let problem = Problem::at(Code::MissingKey, place, "empty", "`keys` does not say where the keys are");
            refuse(reader, problem.help("write keys = { profile = \"NAME\" } or keys = { server_role = \"NAME\" }"))
        }
    }
}

fn metadata(reader: &mut Reader<'_>, text: &Text) -> Option<String> {
    let (code, message) = match endpoint::metadata(text.get_ref()) {
        Ok(address) => return Some(address),
        Err(problem) => problem,
    };
    let problem = Problem::at(code, text.span(), "this address", message);
    refuse(reader, problem.help("leave it out for the usual address, or write one such as \"http://169.254.169.254\""))
}

fn role(reader: &mut Reader<'_>, text: Text) -> Option<String> {
    let name = text.get_ref();
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) {
        return Some(text.into_inner());
    }
    let problem = Problem::at(Code::BadValue, text.span(), "this name", "`server_role` needs the name of a role");
    refuse(reader, problem.help("a role's name has letters, digits, `_`, `-` and `.`"))
}

fn profile(reader: &mut Reader<'_>, text: Text) -> Option<String> {
    if !text.get_ref().trim().is_empty() && !text.get_ref().contains([']', '\n']) {
        return Some(text.into_inner());
    }
    refuse(
        reader,
        Problem::at(Code::BadValue, text.span(), "this name", "`profile` needs the name of a profile")
            .help("it is a section of ~/.ncloud/configure, such as \"DEFAULT\""),
    )
}

fn variable(reader: &mut Reader<'_>, text: Text) -> Option<String> {
    let name = text.get_ref();
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Some(text.into_inner());
    }
    reader.masked.push(text.span());
    let problem =
        Problem::at(Code::BadValue, text.span(), "no name of a variable", "`env` names an environment variable");
    refuse(reader, problem.help("write the variable's name, never the secret itself: { env = \"NCLOUD_ACCESS_KEY\" }"))
}
