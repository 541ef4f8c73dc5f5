//! From text to the raw mirror.
//!
//! serde stops at the first thing it does not like, and says so by quoting the value, which may be a secret. So each
//! complaint is put into our own words, without the value; then what caused it is taken out and the rest is read again,
//! until nothing is left to complain about.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::mask;
use super::problem::{Code, Problem};
use super::raw::Raw;
use super::words::{did_you_mean, list};

/// A file, read as far as it could be.
pub(super) struct Decoded {
    /// Its tables, when nothing is wrong with them.
    pub(super) raw: Result<Raw, Vec<Problem>>,
    /// Its text as it may be shown.
    pub(super) shown: String,
}

/// More complaints than this help nobody.
const MOST: usize = 25;

/// The keys that only say where a secret is, and how they say it.
const SECRETS: [(&str, &str); 4] = [
    ("access_key", KEY),
    ("secret_key", KEY),
    ("keys", "{ profile = \"NAME\" } or { server_role = \"NAME\" }"),
    ("proxy_credentials", "{ env = \"NAME\" }, { file = \"PATH\" } or { credential = \"NAME\" }"),
];
const KEY: &str = "{ env = \"NAME\" }, { file = \"PATH\" }, { credential = \"NAME\" } or { profile = \"NAME\" }";

/// Reads a file. It has no opinion yet about what the values mean.
pub(super) fn decode(text: &str) -> Decoded {
    let (table, errors) = DeTable::parse_recoverable(text);
    let broken = !errors.is_empty();
    let mut masked = mask::in_values(table.get_ref());
    masked.extend(mask::in_lines(text, broken));
    let mirrored = mirror(table, &mut masked);
    let raw = if broken { Err(syntax(text, &errors)) } else { mirrored };
    Decoded { raw, shown: mask::apply(text, &masked) }
}

/// What the parser of TOML says, once for each line: the rest follows from the first.
fn syntax(text: &str, errors: &[Error]) -> Vec<Problem> {
    let mut lines = Vec::new();
    let mut problems = Vec::new();
    for error in errors {
        let span = within(text, error.span().unwrap_or_default());
        let line = super::problem::line_at(text, span.start);
        if lines.contains(&line) || problems.len() == MOST {
            continue;
        }
        lines.push(line);
        problems.push(if error.message().starts_with("duplicate key") {
            twice(text[span.clone()].trim_matches(['"', '\'']), span)
        } else {
            let message = format!("this is not TOML: {}", error.message());
            Problem::at(Code::Syntax, span, "here", message)
                .help("texts stand in quotes, lists in [ ], small tables in { }; see config/example.toml")
        });
    }
    problems
}

fn twice(key: &str, span: Range<usize>) -> Problem {
    let code = if SECRETS.iter().any(|(secret, _)| *secret == key) { Code::SecretTwice } else { Code::Syntax };
    Problem::at(code, span, "given before", format!("`{key}` is given twice")).help("keep one of the two")
}

/// A span that can be shown: inside the text and between characters.
fn within(text: &str, span: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    start..text.ceil_char_boundary(span.end.max(start))
}

fn mirror(mut table: Spanned<DeTable<'_>>, masked: &mut Vec<Range<usize>>) -> Result<Raw, Vec<Problem>> {
    let mut problems = Vec::new();
    loop {
        let error = match Raw::deserialize(Deserializer::from(table.clone())) {
            Ok(raw) if problems.is_empty() => return Ok(raw),
            Ok(_) => return Err(problems),
            Err(error) => error,
        };
        let culprit = error.span().and_then(|span| take(table.get_mut(), &span));
        let Some(culprit) = culprit else {
            problems.push(Problem::of_file(Code::WrongType, "the file is not made as config/example.toml shows"));
            return Err(problems);
        };
        problems.push(complaint(&error, &culprit, masked));
        if problems.len() == MOST {
            return Err(problems);
        }
    }
}

/// An entry that was taken out of the file's tables.
struct Culprit<'i> {
    key: Spanned<String>,
    value: Spanned<DeValue<'i>>,
    /// The value itself, or the item of it that is wrong.
    wrong: Range<usize>,
    found: &'static str,
}

/// Takes the entry out that a complaint is about, by its place.
fn take<'i>(table: &mut DeTable<'i>, place: &Range<usize>) -> Option<Culprit<'i>> {
    let here = table.iter().find_map(|(key, value)| {
        let blamed = if key.span() == *place { Some(value) } else { blamed(value, place) };
        blamed.map(|blamed| (key.clone(), blamed.span(), blamed.get_ref().type_str()))
    });
    if let Some((key, wrong, found)) = here {
        let value = table.remove(&key)?;
        let key = Spanned::new(key.span(), key.into_inner().into_owned());
        return Some(Culprit { key, value, wrong, found });
    }
    table.iter_mut().find_map(|(_, value)| take_inside(value.get_mut(), place))
}

fn take_inside<'i>(value: &mut DeValue<'i>, place: &Range<usize>) -> Option<Culprit<'i>> {
    match value {
        DeValue::Table(table) => take(table, place),
        DeValue::Array(items) => items.iter_mut().find_map(|item| take_inside(item.get_mut(), place)),
        _ => None,
    }
}

/// The value at a place: this one, or an item of this list.
fn blamed<'v, 'i>(value: &'v Spanned<DeValue<'i>>, place: &Range<usize>) -> Option<&'v Spanned<DeValue<'i>>> {
    if value.span() == *place {
        return Some(value);
    }
    value.get_ref().as_array()?.iter().find_map(|item| blamed(item, place))
}

fn complaint(error: &Error, culprit: &Culprit<'_>, masked: &mut Vec<Range<usize>>) -> Problem {
    let key = culprit.key.get_ref();
    if let Some(known) = error.message().strip_prefix("unknown field ") {
        mask::whole(&culprit.value, masked);
        return unknown_key(key, culprit.key.span(), known);
    }
    if let Some((_, remedy)) = SECRETS.iter().find(|(secret, _)| secret == key) {
        mask::whole(&culprit.value, masked);
        return inline_secret(key, remedy, culprit.wrong.clone());
    }
    let expected = error.message().rsplit_once("expected ").map_or("something else", |(_, expected)| plain(expected));
    let subject =
        if culprit.wrong == culprit.value.span() { format!("`{key}`") } else { format!("every item of `{key}`") };
    let found = culprit.found;
    let label = format!("{} {found}", if found.starts_with(['a', 'i']) { "an" } else { "a" });
    Problem::at(Code::WrongType, culprit.wrong.clone(), label, format!("{subject} must be {expected}"))
}

/// `known` is serde's list of the keys that it knows, each between backticks.
fn unknown_key(key: &str, span: Range<usize>, known: &str) -> Problem {
    let known: Vec<&str> = known.split('`').skip(3).step_by(2).collect();
    let help = match did_you_mean(key, &known) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("the keys here are {}", list(&known)),
    };
    Problem::at(Code::UnknownKey, span, "means nothing here", format!("unknown key `{key}`")).help(help)
}

fn inline_secret(key: &str, remedy: &str, span: Range<usize>) -> Problem {
    Problem::at(
        Code::InlineSecret,
        span,
        "a secret in the file",
        format!("`{key}` is never written into the configuration; say where it is instead"),
    )
    .help(format!("write {key} = {remedy}; a secret that stood in a file is best replaced where it came from"))
}

/// serde's name of a type, in the file's own words.
fn plain(expected: &str) -> &str {
    match expected {
        "i64" => "a whole number",
        "a string" => "a text in quotes",
        "a sequence" => "a list in [ ]",
        "a boolean" => "true or false",
        "a map" => "a table",
        other => other,
    }
}
