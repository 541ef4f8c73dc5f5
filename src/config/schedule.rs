//! When work may be done: zones, dates, windows and blackouts, and accounts that are kept apart.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use toml::Spanned;

use super::problem::{Code, Problem};
use super::raw::{self, Text};
use super::reader::{Reader, refuse};
use super::{defaults, duration};
use crate::domain::plan::Apart;
use crate::domain::schedule::blackout::Blackout;
use crate::domain::schedule::calendar::Calendar;
use crate::domain::schedule::span::Span;
use crate::domain::schedule::window::Window;

/// Reads the name of a zone.
pub(super) fn zone(reader: &mut Reader<'_>, name: &Text) -> Option<TimeZone> {
    let zone = jiff::tz::db().get(name.get_ref()).ok();
    if zone.is_none() {
        let message = format!("there is no time zone {:?}", name.get_ref());
        let problem = Problem::at(Code::UnknownTimeZone, name.span(), "not known", message);
        reader.report(problem.help("write a name of the IANA database, such as \"Asia/Seoul\" or \"UTC\""));
    }
    zone
}

/// A zone of its own, or the one that holds around it.
pub(super) fn zone_or(reader: &mut Reader<'_>, name: Option<&Text>, around: &TimeZone) -> Option<TimeZone> {
    name.map_or_else(|| Some(around.clone()), |name| zone(reader, name))
}

/// Reads a day: its first moment.
pub(super) fn day(reader: &mut Reader<'_>, text: &Text, zone: &TimeZone) -> Option<Timestamp> {
    reader.parsed(Code::BadValue, text, |text| match Moment::parse(text) {
        Some(Moment::Day(day)) => start(day, zone),
        _ => Err("a day is one of the calendar, written like \"2026-01-31\"".to_owned()),
    })
}

/// Reads what a policy says of when work may be done.
pub(super) fn calendar(
    reader: &mut Reader<'_>,
    zone: &TimeZone,
    windows: Option<Vec<Spanned<raw::Window>>>,
    blackouts: Option<Spanned<Vec<Spanned<raw::Blackout>>>>,
) -> Option<Calendar> {
    let windows: Vec<Option<Window>> =
        windows.unwrap_or_default().into_iter().map(|raw| window(reader, zone, raw)).collect();
    let place = blackouts.as_ref().map(Spanned::span).unwrap_or_default();
    let blackouts = blackouts.map(Spanned::into_inner).unwrap_or_default();
    let blackouts: Vec<Option<Blackout>> = blackouts.into_iter().map(|raw| blackout(reader, zone, raw)).collect();
    let (windows, blackouts) =
        (windows.into_iter().collect::<Option<_>>()?, blackouts.into_iter().collect::<Option<_>>()?);
    let calendar = Calendar::new(windows, blackouts);
    calendar
        .map_err(|nothing_left| {
            let problem = Problem::at(Code::BadWindow, place, "nothing is left", nothing_left.to_string());
            reader.report(problem.help("shorten the blackouts, or give a window outside of them"));
        })
        .ok()
}

/// Reads the accounts that are kept apart.
pub(super) fn apart(
    reader: &mut Reader<'_>,
    groups: Option<Vec<Spanned<Vec<Text>>>>,
    by: Option<&Text>,
) -> Option<Vec<Apart>> {
    let by = by.map_or(Some(defaults::APART_BY), |text| reader.parsed(Code::BadDuration, text, duration::parse));
    let groups: Vec<Option<BTreeSet<String>>> =
        groups.unwrap_or_default().into_iter().map(|names| group(reader, names)).collect();
    let groups = groups.into_iter().collect::<Option<Vec<_>>>()?;
    let by = by?;
    Some(groups.into_iter().map(|names| Apart { names, by }).collect())
}

fn group(reader: &mut Reader<'_>, names: Spanned<Vec<Text>>) -> Option<BTreeSet<String>> {
    let place = names.span();
    let mut group = BTreeSet::new();
    for name in names.into_inner() {
        let place = name.span();
        if name.get_ref().trim().is_empty() {
            return refuse(reader, Problem::at(Code::BadValue, place, "empty", "the name of an account is not empty"));
        }
        if !group.insert(name.into_inner()) {
            let problem = Problem::at(Code::BadValue, place, "again", "an account cannot be kept apart from itself");
            return refuse(reader, problem.help("name each account of a group once"));
        }
    }
    if group.len() < 2 {
        let problem =
            Problem::at(Code::BadValue, place, "too few", "a group of accounts to keep apart has two at the least");
        return refuse(reader, problem.help("write apart = [[\"svc-blue\", \"svc-green\"]]"));
    }
    Some(group)
}

fn window(reader: &mut Reader<'_>, zone: &TimeZone, raw: Spanned<raw::Window>) -> Option<Window> {
    let place = raw.span();
    let raw::Window { cron, lasts, time_zone } = raw.into_inner();
    let zone = zone_or(reader, time_zone.as_ref(), zone);
    recurring(reader, &place, cron, lasts, zone)
}

fn blackout(reader: &mut Reader<'_>, zone: &TimeZone, raw: Spanned<raw::Blackout>) -> Option<Blackout> {
    let place = raw.span();
    let raw::Blackout { cron, lasts, from, to, time_zone } = raw.into_inner();
    let zone = zone_or(reader, time_zone.as_ref(), zone);
    if let Some(both) = from.as_ref().or(to.as_ref()).filter(|_| cron.is_some() || lasts.is_some()) {
        let message = "a blackout comes again (`cron`, `lasts`) or once (`from`, `to`), and not both";
        let problem = Problem::at(Code::Misplaced, both.span(), "beside a pattern", message);
        return refuse(reader, problem.help("make two blackouts of it"));
    }
    if from.is_none() && to.is_none() {
        return recurring(reader, &place, cron, lasts, zone).map(|window| Blackout::Recurring(Box::new(window)));
    }
    let help = "write { from = \"2026-12-24\", to = \"2026-12-26\" }; the last day is part of it";
    let from = reader.needs(from, "from", place.clone(), help);
    let to = reader.needs(to, "to", place.clone(), help);
    let (from, to, zone) = (from?, to?, zone?);
    let from = moment(reader, &from, |moment| moment.first(&zone));
    let until = moment(reader, &to, |moment| moment.over(&zone));
    let span = Span { from: from?, until: until? };
    if span.from >= span.until {
        let problem = Problem::at(Code::BadValue, place, "no time at all", "the blackout ends before it begins");
        return refuse(reader, problem.help(help));
    }
    Some(Blackout::Once(span))
}

fn recurring(
    reader: &mut Reader<'_>,
    place: &Range<usize>,
    cron: Option<Text>,
    lasts: Option<Text>,
    zone: Option<TimeZone>,
) -> Option<Window> {
    let help = "write { cron = \"0 2 * * Tue-Thu\", lasts = \"3h\" }";
    let cron = reader.needs(cron, "cron", place.clone(), help);
    let lasts = reader.needs(lasts, "lasts", place.clone(), help);
    let lasts = lasts.and_then(|text| reader.parsed(Code::BadDuration, &text, duration::parse));
    let cron = cron?;
    // Whatever else is wrong with the window, its pattern is told of as well.
    let tried = Window::new(
        cron.get_ref(),
        lasts.unwrap_or(SignedDuration::from_hours(1)),
        zone.clone().unwrap_or(TimeZone::UTC),
    );
    match tried {
        Ok(window) => lasts.and(zone).map(|_| window),
        Err(bad) => {
            let problem = Problem::at(Code::BadWindow, cron.span(), "this pattern", bad.to_string());
            refuse(
                reader,
                problem.help("for example \"0 2 * * Tue-Thu\": at 02:00 on Tuesdays, Wednesdays and Thursdays"),
            )
        }
    }
}

fn moment(
    reader: &mut Reader<'_>,
    text: &Text,
    meant: impl FnOnce(Moment) -> Result<Timestamp, String>,
) -> Option<Timestamp> {
    reader.parsed(Code::BadValue, text, |text| match Moment::parse(text) {
        Some(moment) => meant(moment),
        None => {
            Err("a moment is a day of the calendar, \"2026-12-24\", or a time of one, \"2026-12-24T18:00\"".to_owned())
        }
    })
}

/// A day, or a time of a day.
#[derive(Debug, Clone, Copy)]
enum Moment {
    Day(Date),
    Time(DateTime),
}

impl Moment {
    /// Only these two forms: jiff reads many more.
    fn parse(text: &str) -> Option<Self> {
        let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        match shape.as_str() {
            "0000-00-00" => text.parse().ok().map(Self::Day),
            "0000-00-00T00:00" => text.parse().ok().map(Self::Time),
            _ => None,
        }
    }

    /// The first moment that it names.
    fn first(self, zone: &TimeZone) -> Result<Timestamp, String> {
        match self {
            Self::Day(day) => start(day, zone),
            Self::Time(time) => zone.to_timestamp(time).map_err(|error| error.to_string()),
        }
    }

    /// The moment at which it is over: the end of a day, or the time itself.
    fn over(self, zone: &TimeZone) -> Result<Timestamp, String> {
        match self {
            Self::Day(day) => start(day.tomorrow().map_err(|error| error.to_string())?, zone),
            Self::Time(_) => self.first(zone),
        }
    }
}

fn start(day: Date, zone: &TimeZone) -> Result<Timestamp, String> {
    day.to_zoned(zone.clone()).map(|start| start.timestamp()).map_err(|error| error.to_string())
}
