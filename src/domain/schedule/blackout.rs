//! Blackouts: windows turned inside out, and stretches between two dates.

use std::fmt;

use super::span::Span;
use super::window::Window;
use crate::domain::Timestamp;

/// A time in which nothing is rotated unless the expiry forces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blackout {
    /// It comes again and again.
    Recurring(Box<Window>),
    /// It comes once.
    Once(Span),
}

impl Blackout {
    /// The last span that has begun by a moment; of those that have, it ends last.
    pub(super) fn begun_by(&self, at: Timestamp) -> Option<Span> {
        match self {
            Self::Recurring(window) => window.begun_by(at),
            Self::Once(span) => Some(*span).filter(|span| span.from <= at),
        }
    }

    /// The first span that begins after a moment.
    pub(super) fn beginning_after(&self, at: Timestamp) -> Option<Span> {
        match self {
            Self::Recurring(window) => window.beginning_after(at),
            Self::Once(span) => Some(*span).filter(|span| span.from > at),
        }
    }

    /// The first span that ends after a moment; of those that do, it began first.
    pub(super) fn ending_after(&self, at: Timestamp) -> Option<Span> {
        match self {
            Self::Recurring(window) => window.ending_after(at),
            Self::Once(span) => Some(*span).filter(|span| span.until > at),
        }
    }

    /// Whether it covers a moment.
    #[must_use]
    pub fn covers(&self, at: Timestamp) -> bool {
        self.begun_by(at).is_some_and(|span| span.contains(at))
    }
}

impl fmt::Display for Blackout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recurring(window) => window.fmt(f),
            Self::Once(span) => write!(f, "from {} to {}", span.from, span.until),
        }
    }
}
