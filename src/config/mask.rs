//! Keeps secrets that somebody wrote into the file out of what is shown of it.
//!
//! An error shows the line that it points at, and the lines around it. A key that does not belong in the file must not
//! reach a log that way, so that anything which may be one is replaced by stars of the same length. Showing too little is
//! a nuisance; showing too much is not forgiven.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::domain::policy::PasswordSource;

/// What the name of a key that holds a secret has in it.
const WORDS: [&str; 7] = ["key", "secret", "passw", "pwd", "token", "acces", "credentials"];

/// Keys that may stand in a table under such a name, and only say where a secret is or what a password is made of.
const HARMLESS: [&str; 8] = ["env", "file", "credential", "profile", "server_role", "metadata", "length", "avoid"];

/// What the name of a key has in it whose address may hold a user and a password.
const PROXY: &str = "proxy";

/// How an age identity begins.
const IDENTITY: &str = "AGE-SECRET-KEY-";

/// Sections whose tables have names of the user's choosing.
const NAMED: [&str; 3] = ["tenants", "vaults", "policies"];

/// The text with stars in these places; line breaks and every offset stay.
pub(super) fn apply(text: &str, places: &[Range<usize>]) -> String {
    let mut shown = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        let hidden = !matches!(character, '\n' | '\r') && places.iter().any(|place| place.contains(&at));
        if hidden {
            shown.extend(std::iter::repeat_n('*', character.len_utf8()));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Values that may be secrets, by the names of their keys.
pub(super) fn in_values(root: &DeTable<'_>) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    for (section, value) in root {
        match value.get_ref() {
            DeValue::Table(tables) if NAMED.contains(&section.get_ref().as_ref()) => {
                tables.values().for_each(|table| fields(table, false, &mut places));
            }
            DeValue::Array(rules) if section.get_ref() == "accounts" => {
                rules.iter().for_each(|rule| fields(rule, true, &mut places));
            }
            _ => field(section.get_ref(), value, false, &mut places),
        }
    }
    places
}

fn fields(value: &Spanned<DeValue<'_>>, is_rule: bool, places: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::Table(table) => table.iter().for_each(|(key, value)| field(key.get_ref(), value, is_rule, places)),
        DeValue::Array(items) => items.iter().for_each(|item| fields(item, is_rule, places)),
        DeValue::String(text) if text.split_once("://").is_some_and(|(_, rest)| rest.contains('@')) => {
            places.push(value.span());
        }
        _ => {}
    }
}

fn field(key: &str, value: &Spanned<DeValue<'_>>, is_rule: bool, places: &mut Vec<Range<usize>>) {
    let text = value.get_ref().as_str();
    let is_template = is_rule && key == "secret";
    let is_provider = key == "password" && text == Some(PasswordSource::PROVIDER);
    let is_secret = sounds_secret(key) && !is_template && !is_provider;
    let has_user = key.to_ascii_lowercase().contains(PROXY) && text.is_some_and(|text| text.contains('@'));
    if is_secret || has_user { whole(value, places) } else { fields(value, is_rule, places) }
}

/// Every value in here, but for those that only say where a secret is.
pub(super) fn whole(value: &Spanned<DeValue<'_>>, places: &mut Vec<Range<usize>>) {
    let Some(table) = value.get_ref().as_table() else { return everything(value, places) };
    for (key, value) in table {
        let is_harmless = HARMLESS.contains(&key.get_ref().as_ref()) && !value.get_ref().is_table();
        if !is_harmless || value.get_ref().is_array() {
            everything(value, places);
        }
    }
}

fn everything(value: &Spanned<DeValue<'_>>, places: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::Table(table) => table.values().for_each(|value| everything(value, places)),
        DeValue::Array(items) => items.iter().for_each(|item| everything(item, places)),
        _ => places.push(value.span()),
    }
}

/// Comments that may hold secrets, and identities anywhere; with `broken`, when the file is no TOML, every line that may.
pub(super) fn in_lines(text: &str, broken: bool) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let mut start = 0;
    let mut open: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        if let Some(quotes) = open {
            places.push(start..end);
            open = open.filter(|_| !line.contains(quotes));
        } else if let Some(at) = suspect(line, broken) {
            places.push(start + at..end);
            let tail = &line[at..];
            open = ["\"\"\"", "'''"].into_iter().find(|quotes| broken && tail.matches(quotes).count() == 1);
        }
        places.extend(line.find(IDENTITY).or_else(|| user(line, broken)).map(|at| start + at..end));
        places.extend(comment(line).map(|at| start + at..end));
        start = end;
    }
    places
}

/// From where on a line is a comment. Nobody can tell an old key in one from a word, so that no comment is shown.
fn comment(line: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, character) in line.char_indices() {
        match (quote, character) {
            (Some('"'), '\\') if !escaped => {
                escaped = true;
                continue;
            }
            (Some(open), _) if character == open && !escaped => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '#') => return Some(at + 1),
            _ => {}
        }
        escaped = false;
    }
    None
}

/// From where on a line may hold a secret.
fn suspect(line: &str, broken: bool) -> Option<usize> {
    let from = if broken { 0 } else { line.find('#')? };
    let is_header = line.trim_start().starts_with('[') && !line.contains(['=', '"', '\'']);
    if is_header {
        return None;
    }
    let lower = line.to_ascii_lowercase();
    let mut ends: Vec<usize> = WORDS
        .iter()
        .flat_map(|word| lower.match_indices(word).map(|(at, word)| at + word.len()))
        .filter(|end| *end > from && !names_a_place(&lower[..*end]))
        .collect();
    ends.sort_unstable();
    ends.into_iter().find_map(|end| {
        let after = &line[end..];
        let tail = after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "_-.\"'".contains(c));
        let value = tail.trim_start();
        let is_assignment = value.starts_with(['=', ':']);
        if !is_assignment {
            return broken.then_some(end);
        }
        let value = value[1..].trim_start();
        let inner = value.strip_prefix('{').map(str::trim_start);
        let is_reference = inner.is_some_and(|inner| HARMLESS.iter().any(|key| inner.starts_with(key)));
        if is_reference {
            return value.find(',').map(|comma| line.len() - value.len() + comma);
        }
        let is_template = lower[..end].ends_with("secret") && value.contains('{') && value.contains('}');
        (!is_template).then(|| line.len() - value.len())
    })
}

/// From where on a line may hold a user and a password of an address.
fn user(line: &str, broken: bool) -> Option<usize> {
    let address = line.find("://").map(|at| at + "://".len());
    let is_told = broken || line.contains('#');
    let proxy = || line.to_ascii_lowercase().find(PROXY).filter(|_| is_told).map(|at| at + PROXY.len());
    address.filter(|at| line[*at..].contains('@')).or_else(proxy).filter(|at| line[*at..].contains('@'))
}

/// Whether a line breaks off inside the text after `env =` and its like, which may well have such a word in it.
fn names_a_place(line: &str) -> bool {
    let before = line.rsplit_once(['"', '\'']).map(|(before, _)| before.trim_end());
    let key = before.and_then(|before| before.strip_suffix('=')).map(str::trim_end);
    key.is_some_and(|key| HARMLESS.iter().any(|harmless| key.ends_with(harmless)))
}

fn sounds_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    WORDS.iter().any(|word| key.contains(word))
}
