//! `[policies.NAME]`: when passwords are replaced, and what they are made of.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use toml::Spanned;

use super::choice::Choice;
use super::problem::{Code, Problem};
use super::raw::{self, Text};
use super::reader::{Reader, refuse};
use super::{defaults, duration, schedule};
use crate::domain::account::Kind;
use crate::domain::password::{Avoid, Generator, Recipe};
use crate::domain::policy::{OnAdopt, PasswordSource, Policy};

/// A policy, and where its password stands.
pub(super) struct Entry {
    pub(super) policy: Arc<Policy>,
    password: Range<usize>,
}

/// Reads one table; `zone` holds where it names none. Of a table with problems there is nothing.
pub(super) fn read(reader: &mut Reader<'_>, name: &Text, raw: raw::Policy, zone: &TimeZone) -> Option<Entry> {
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
    let before_place = raw.rotate_before.as_ref().or(raw.margin.as_ref()).map_or(name_place, Spanned::span);
    let mut duration = |text: Option<Text>, default, parse: fn(&str) -> Result<SignedDuration, String>| {
        text.map_or(Some(default), |text| reader.parsed(Code::BadDuration, &text, parse))
    };
    let rotate_before = duration(raw.rotate_before, defaults::ROTATE_BEFORE, duration::parse);
    let margin = duration(raw.margin, defaults::MARGIN, duration::parse);
    let spread = duration(raw.spread, defaults::SPREAD, duration::parse_or_none);

    // A zone that is not known is told of once; what is meant in it is read all the same.
    let own_zone = schedule::zone_or(reader, raw.time_zone.as_ref(), zone);
    let zone = own_zone.as_ref().unwrap_or(zone);
    let assume_changed = match raw.assume_changed {
        Some(day) => schedule::day(reader, &day, zone).map(Some),
        None => Some(None),
    };
    let calendar = schedule::calendar(reader, zone, raw.windows, raw.blackouts);
    let first_run_cap = raw.first_run_cap.map_or(Some(defaults::FIRST_RUN_CAP), |count| cap(reader, &count));
    let catch_up =
        raw.catch_up.map_or(Some(defaults::CATCH_UP), |text| reader.parsed(Code::BadRate, &text, duration::parse_rate));

    let (rotate_before, margin, expiration_days) = (rotate_before?, margin?, expiration_days?);
    leaves_room(reader, before_place, (rotate_before, margin), expiration_days)?;
    own_zone?;
    let policy = Policy {
        name,
        rotate_before,
        margin,
        spread: spread?,
        expiration_days,
        on_adopt: on_adopt?,
        assume_changed: assume_changed?,
        calendar: calendar?,
        first_run_cap: first_run_cap?,
        catch_up: catch_up?,
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

fn cap(reader: &mut Reader<'_>, count: &Spanned<i64>) -> Option<NonZeroU32> {
    let cap = u32::try_from(*count.get_ref()).ok().and_then(NonZeroU32::new);
    if cap.is_none() {
        let message = "`first_run_cap` is a number of accounts, more than nothing";
        let problem = Problem::at(Code::BadValue, count.span(), "this number", message);
        reader.report(problem.help("on_adopt = \"defer\" takes no account over by itself"));
    }
    cap
}

/// A password must live longer than what goes before its expiry, or it would be due at once, for ever.
fn leaves_room(
    reader: &mut Reader<'_>,
    place: Range<usize>,
    (rotate_before, margin): (SignedDuration, SignedDuration),
    expiration_days: Option<u16>,
) -> Option<()> {
    let longest = Policy::EXPIRATION_DAYS.into_iter().max().unwrap_or_default();
    let days = expiration_days.unwrap_or(longest);
    if rotate_before.saturating_add(margin) < SignedDuration::from_hours(24 * i64::from(days)) {
        return Some(());
    }
    let message = format!(
        "`rotate_before` ({}) and `margin` ({}) are together not shorter than the {days} days that a password {}",
        duration::show(rotate_before),
        duration::show(margin),
        if expiration_days.is_some() { "lasts" } else { "lasts at the most" }
    );
    let problem = Problem::at(Code::BadDuration, place, "always due", message);
    reader.report(problem.help("a week or two before the expiry is usual: rotate_before = \"14d\""));
    None
}
