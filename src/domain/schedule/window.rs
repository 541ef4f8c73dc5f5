//! Windows: when they open, and for how long.
//!
//! croner says which *wall clock times* a pattern means; which *moment* such a time is, is decided here, so that every zone is
//! treated alike, whatever its clocks do:
//!
//! - A time that the clocks skip opens the window at the first moment after the gap.
//! - A time that the clocks go through twice opens the window once, the first time.
//! - A window lasts as long as it says, whatever its clock shows in between.

use std::fmt;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::span::Span;
use crate::domain::Timestamp;

/// A stretch of time that comes again and again. Of two of its spans, the one that begins later never ends earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    text: String,
    cron: Cron,
    lasts: SignedDuration,
    zone: TimeZone,
}

/// A window that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadWindow {
    /// The pattern has another number of fields.
    #[error("a pattern has five fields (minute, hour, day of the month, month, day of the week), and this one has {0}")]
    Fields(usize),
    /// The pattern cannot be read.
    #[error("the pattern cannot be read: {0}")]
    Unreadable(String),
    /// No date of the calendar fits, or hardly any.
    #[error("the window never opens: no day in ten years fits the pattern")]
    NeverOpens,
    /// It would open and close in the same moment.
    #[error("the window lasts no time")]
    Empty,
}

/// Where the search for a first opening begins, and where it ends: every date that comes at least every eight years is found.
const SEARCHED: (DateTime, DateTime) =
    (DateTime::constant(2024, 1, 1, 0, 0, 0, 0), DateTime::constant(2034, 1, 1, 0, 0, 0, 0));

impl Window {
    /// A window that opens by a cron pattern of five fields, as the clocks of a zone show it.
    pub fn new(pattern: &str, lasts: SignedDuration, zone: TimeZone) -> Result<Self, BadWindow> {
        let fields = pattern.split_whitespace().count();
        if fields != 5 {
            return Err(BadWindow::Fields(fields));
        }
        if lasts <= SignedDuration::ZERO {
            return Err(BadWindow::Empty);
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(pattern).map_err(|error| BadWindow::Unreadable(error.to_string()))?;
        let (from, until) = SEARCHED;
        match cron.find_next_occurrence(&from, true) {
            Ok(first) if first < until => Ok(Self { text: pattern.to_owned(), cron, lasts, zone }),
            _ => Err(BadWindow::NeverOpens),
        }
    }

    /// The last span that has begun by a moment.
    #[must_use]
    pub fn begun_by(&self, at: Timestamp) -> Option<Span> {
        let wall = self.zone.to_datetime(at);
        // Where the clock shows a time for the second time, times that it is still to show again have been moments before.
        let again = self.moment(wall).is_some_and(|first| first < at);
        let mut last = self.cron.find_previous_occurrence(&wall, true).ok();
        if again {
            let later = self.times_after(wall).take_while(|time| self.moment(*time).is_some_and(|moment| moment <= at));
            last = later.last().or(last);
        }
        self.span(self.moment(last?)?)
    }

    /// The first span that begins after a moment.
    #[must_use]
    pub fn beginning_after(&self, at: Timestamp) -> Option<Span> {
        let wall = self.zone.to_datetime(at);
        let opening = self.times_after(wall).map(|time| self.moment(time)).find(|moment| *moment > Some(at))?;
        self.span(opening?)
    }

    /// The first span that ends after a moment: it may have begun.
    #[must_use]
    pub fn ending_after(&self, at: Timestamp) -> Option<Span> {
        self.beginning_after(at.checked_sub(self.lasts).unwrap_or(Timestamp::MIN))
    }

    /// Whether it is open at a moment.
    #[must_use]
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.begun_by(at).is_some_and(|span| span.contains(at))
    }

    fn span(&self, from: Timestamp) -> Option<Span> {
        Some(Span::lasting(from, self.lasts)).filter(|span| span.from < span.until)
    }

    /// The wall clock times of the pattern after another.
    fn times_after(&self, wall: DateTime) -> impl Iterator<Item = DateTime> {
        let next = |time: &DateTime| self.cron.find_next_occurrence(time, false).ok();
        std::iter::successors(next(&wall), next)
    }

    /// The moment that a wall clock time means. A later time never means an earlier moment.
    fn moment(&self, wall: DateTime) -> Option<Timestamp> {
        let times = self.zone.to_ambiguous_timestamp(wall);
        match times.offset() {
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => times.earlier().ok(),
            AmbiguousOffset::Gap { .. } => {
                // Read with the clock after the gap, the time that was skipped lies before it.
                let before = times.earlier().ok()?;
                self.zone.following(before).next().map(|transition| transition.timestamp())
            }
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} for {:#} ({})", self.text, self.lasts, self.zone.iana_name().unwrap_or("a fixed offset"))
    }
}

#[cfg(test)]
pub(in crate::domain) mod tests;
