//! `[policies.NAME]`: when passwords are replaced, and what they are made of.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use jiff::SignedDuration;
use toml::Spanned;

use super::choice::Choice;
use super::problem::{Code, Problem};
use super::raw::{self, Text};
use super::reader::{Reader, refuse};
use super::{defaults, duration};
use crate::domain::account::Kind;
use crate::domain::password::{Avoid, Generator, Recipe};
use crate::domain::policy::{OnAdopt, PasswordSource, Policy};
use crate::domain::schedule::calendar::Calendar;

/// A policy, and where its password stands.
pub(super) struct Entry {
    pub(super) policy: Arc<Policy>,
    password: Range<usize>,
}

/// Reads one table. Of a table with problems there is nothing.
pub(super) fn read(reader: &mut Reader<'_>, name: &Text, raw: raw::Policy) -> Option<Entry> {
    let name_place = name.span();
    let name = reader.name(name);
    let password = raw.password.as_ref().map_or_else(|| name_place.clone(), Spanned::span);
    let source = source(reader, raw.password);
    let on_adopt = raw
        .on_adopt
        .map_or(Some(defaults::ON_ADOPT), |text| reader.one_of("on_adopt", &text, &OnAdopt::ALL, OnAdopt::label));
    let expiration_days = match raw.expiration_days {
        Some(days) => expiration(reader, &days).map(Some),
        None => Some(None),
    };
    let margin_place = raw.rotate_before.as_ref().map_or(name_place, Spanned::span);
    let rotate_before = raw
        .rotate_before
        .map_or(Some(defaults::ROTATE_BEFORE), |text| reader.parsed(Code::BadDuration, &text, duration::parse));
    let (rotate_before, expiration_days) = (rotate_before?, expiration_days?);
    leaves_room(reader, margin_place, rotate_before, expiration_days)?;
    let policy = Policy {
        name,
        rotate_before,
        margin: defaults::MARGIN,
        spread: defaults::SPREAD,
        expiration_days,
        on_adopt: on_adopt?,
        assume_changed: None,
        calendar: Calendar::default(),
        first_run_cap: defaults::FIRST_RUN_CAP,
        catch_up: defaults::CATCH_UP,
        password: source?,
    };
    Some(Entry { policy: Arc::new(policy), password })
}

/// Refuses a recipe by which no password can be made for the kinds of account that the policy is used with.
pub(super) fn possible(reader: &mut Reader<'_>, entry: &Entry, kinds: &BTreeSet<Kind>) {
    let PasswordSource::Made(recipe) = &entry.policy.password else { return };
    for kind in kinds {
        if let Err(impossible) = Generator::new(*kind, recipe) {
            let message = format!("no password for a {kind} can be made this way: {impossible}");
            let problem = Problem::at(Code::ImpossiblePassword, entry.password.clone(), "this recipe", message);
            reader.report(problem.help("sub-accounts take 8 to 16 characters, Data Forest 8 to 20; avoid less"));
        }
    }
}

/// The recipe of a policy that says nothing of passwords.
#[must_use]
pub fn default_recipe() -> Recipe {
    Recipe { length: defaults::PASSWORD_LENGTH, avoid: Avoid::default() }
}

fn source(reader: &mut Reader<'_>, raw: Option<Spanned<Choice<raw::Password>>>) -> Option<PasswordSource> {
    let Some(raw) = raw else { return Some(PasswordSource::Made(default_recipe())) };
    let place = raw.span();
    match raw.into_inner() {
        Choice::Word(word) if word == PasswordSource::PROVIDER => Some(PasswordSource::Provider),
        Choice::Word(_) => {
            reader.masked.push(place.clone());
            let message = "`password` says how passwords are made, and is never one: it is a table or \"provider\"";
            let problem = Problem::at(Code::BadValue, place, "neither of them", message);
            refuse(reader, problem.help("write password = { length = 16, avoid = \"url\" }, or leave it out"))
        }
        Choice::Table(table) => recipe(reader, table).map(PasswordSource::Made),
    }
}

fn recipe(reader: &mut Reader<'_>, raw: raw::Password) -> Option<Recipe> {
    let length = match raw.length {
        Some(length) => length_of(reader, &length),
        None => Some(defaults::PASSWORD_LENGTH),
    };
    let avoid = match raw.avoid {
        Some(text) => reader.parsed(Code::BadValue, &text, avoid),
        None => Some(Avoid::default()),
    };
    Some(Recipe { length: length?, avoid: avoid? })
}

/// What a password must not contain: a profile such as `url`, or the characters themselves.
fn avoid(text: &str) -> Result<Avoid, String> {
    text.parse::<Avoid>().map_err(|error| error.to_string())
}

fn length_of(reader: &mut Reader<'_>, length: &Spanned<i64>) -> Option<usize> {
    let characters = usize::try_from(*length.get_ref()).ok().filter(|length| *length > 0);
    if characters.is_none() {
        let message = "`length` is a number of characters, more than nothing";
        reader.report(Problem::at(Code::BadValue, length.span(), "this length", message));
    }
    characters
}

fn expiration(reader: &mut Reader<'_>, days: &Spanned<i64>) -> Option<u16> {
    let known = Policy::EXPIRATION_DAYS.into_iter().find(|known| i64::from(*known) == *days.get_ref());
    if known.is_none() {
        let message = "`expiration_days` is 60, 90, 120 or 180, as the provider offers";
        reader.report(Problem::at(Code::BadValue, days.span(), "not one of them", message));
    }
    known
}

/// A password must live longer than the margin before its expiry, or it would be due at once, for ever.
fn leaves_room(
    reader: &mut Reader<'_>,
    place: Range<usize>,
    rotate_before: SignedDuration,
    expiration_days: Option<u16>,
) -> Option<()> {
    let longest = Policy::EXPIRATION_DAYS.into_iter().max().unwrap_or_default();
    let days = expiration_days.unwrap_or(longest);
    if rotate_before < SignedDuration::from_hours(24 * i64::from(days)) {
        return Some(());
    }
    let message = format!(
        "`rotate_before` ({}) is not shorter than the {days} days that a password {}",
        duration::show(rotate_before),
        if expiration_days.is_some() { "lasts" } else { "lasts at the most" }
    );
    let problem = Problem::at(Code::BadDuration, place, "always due", message);
    reader.report(problem.help("a week or two before the expiry is usual: rotate_before = \"14d\""));
    None
}
