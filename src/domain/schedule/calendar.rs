//! The calendar of a policy: which pieces of time are open and not blacked out.
//!
//! Every piece is the same whenever it is asked for; the moment of asking only says which pieces are over.

use jiff::SignedDuration;

use super::blackout::Blackout;
use super::span::{Span, just_before};
use super::window::Window;
use crate::domain::Timestamp;

/// Windows and blackouts. Without windows, all of time is open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calendar {
    windows: Vec<Window>,
    blackouts: Vec<Blackout>,
}

/// The blackouts leave nothing of any window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the blackouts leave no moment in ten years")]
pub struct NothingLeft;

/// A piece of time in which work may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Piece {
    /// The piece.
    pub span: Span,
    /// Which window it belongs to, counted from 0; none where there are no windows.
    pub window: Option<usize>,
}

/// What a calendar is asked for: pieces within `range`, of which those that are over by `now` do not count.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Where pieces are looked for; they are cut at its ends.
    pub range: Span,
    /// Pieces that have ended by then are gone.
    pub now: Timestamp,
}

/// Where the search for a moment that is left begins, unless a blackout of dates ends later: in today's rules of the zones.
const SEARCHED_FROM: Timestamp = Timestamp::constant(1_704_067_200, 0);

impl Calendar {
    /// How far an opening is looked for where nothing else bounds the search.
    pub const FAR: SignedDuration = SignedDuration::from_hours(10 * 366 * 24);

    /// A calendar in which something is open once in ten years at the least.
    pub fn new(windows: Vec<Window>, blackouts: Vec<Blackout>) -> Result<Self, NothingLeft> {
        let calendar = Self { windows, blackouts };
        let once = calendar.blackouts.iter().filter_map(|blackout| match blackout {
            Blackout::Once(span) => Some(span.until),
            Blackout::Recurring(_) => None,
        });
        let now = once.fold(SEARCHED_FROM, Timestamp::max);
        let wanted = Wanted { range: Span::lasting(now, Self::FAR), now };
        let open = calendar.first_pieces(wanted).next().is_some();
        if open { Ok(calendar) } else { Err(NothingLeft) }
    }

    /// The windows, in the order of the configuration.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The blackouts, in the order of the configuration.
    #[must_use]
    pub fn blackouts(&self) -> &[Blackout] {
        &self.blackouts
    }

    /// The first piece of each window.
    pub fn first_pieces(&self, wanted: Wanted) -> impl Iterator<Item = Piece> {
        self.each_window()
            .filter_map(move |(window, spans)| self.first_piece(spans, wanted).map(|span| Piece { span, window }))
    }

    /// The last piece of each window.
    pub fn last_pieces(&self, wanted: Wanted) -> impl Iterator<Item = Piece> {
        self.each_window()
            .filter_map(move |(window, spans)| self.last_piece(spans, wanted).map(|span| Piece { span, window }))
    }

    /// The last piece that no blackout covers, whether a window is open or not.
    #[must_use]
    pub fn last_outside_windows(&self, wanted: Wanted) -> Option<Span> {
        self.last_piece(None, wanted)
    }

    /// The piece that a moment is in.
    #[must_use]
    pub fn open_at(&self, at: Timestamp) -> Option<Piece> {
        let free = !self.is_blacked_out(at);
        let mut windows = self.each_window().filter(|_| free);
        windows.find_map(|(window, spans)| {
            let span = self.piece_around(at, ending_after(spans, at)?, Span::ALWAYS)?;
            Some(Piece { span, window })
        })
    }

    /// Whether a blackout covers a moment.
    #[must_use]
    pub fn is_blacked_out(&self, at: Timestamp) -> bool {
        self.blackouts.iter().any(|blackout| blackout.covers(at))
    }

    /// Every window, or all of time where there is none.
    fn each_window(&self) -> impl Iterator<Item = (Option<usize>, Option<&Window>)> {
        let always = self.windows.is_empty().then_some((None, None));
        let windows = self.windows.iter().enumerate().map(|(number, window)| (Some(number), Some(window)));
        always.into_iter().chain(windows)
    }

    fn first_piece(&self, window: Option<&Window>, Wanted { range, now }: Wanted) -> Option<Span> {
        let mut at = range.from.max(now);
        loop {
            at = self.free_from(at, range.until)?;
            let open = ending_after(window, at)?;
            match self.piece_around(at, open, range) {
                Some(piece) => return Some(piece),
                None => at = open.from,
            }
        }
    }

    /// The piece of an open span around a moment that no blackout covers; none when the span has not begun.
    fn piece_around(&self, at: Timestamp, open: Span, range: Span) -> Option<Span> {
        (open.from <= at).then(|| Span {
            from: open.from.max(range.from).max(self.blackout_ended(at)),
            until: open.until.min(range.until).min(self.blackout_begins(at)),
        })
    }

    fn last_piece(&self, window: Option<&Window>, Wanted { range, now }: Wanted) -> Option<Span> {
        let floor = range.from.max(now);
        let mut end = range.until;
        loop {
            end = self.free_before(end, floor)?;
            let last = just_before(end);
            let open = window.map_or(Some(Span::ALWAYS), |window| window.begun_by(last))?;
            if open.until >= end {
                let from = open.from.max(range.from).max(self.blackout_ended(last));
                return Some(Span { from, until: end });
            }
            end = open.until;
        }
    }

    /// The first moment from `at` on that no blackout covers; none when it is not before `until`.
    fn free_from(&self, mut at: Timestamp, until: Timestamp) -> Option<Timestamp> {
        while at < until {
            let covering = self.blackouts.iter().filter_map(|blackout| blackout.begun_by(at));
            match covering.map(|span| span.until).filter(|end| *end > at).max() {
                Some(end) => at = end,
                None => return Some(at),
            }
        }
        None
    }

    /// The last end of a piece, at or before `end`, that no blackout covers; none when it is not after `since`.
    fn free_before(&self, mut end: Timestamp, since: Timestamp) -> Option<Timestamp> {
        while end > since {
            let last = just_before(end);
            let covering = self.blackouts.iter().filter_map(|blackout| blackout.ending_after(last));
            match covering.map(|span| span.from).filter(|from| *from <= last).min() {
                Some(from) => end = from,
                None => return Some(end),
            }
        }
        None
    }

    /// When the last blackout before a free moment ended.
    fn blackout_ended(&self, at: Timestamp) -> Timestamp {
        let ends = self.blackouts.iter().filter_map(|blackout| blackout.begun_by(at)).map(|span| span.until);
        ends.max().unwrap_or(Timestamp::MIN)
    }

    /// When the next blackout after a free moment begins.
    fn blackout_begins(&self, at: Timestamp) -> Timestamp {
        let begins = self.blackouts.iter().filter_map(|blackout| blackout.beginning_after(at)).map(|span| span.from);
        begins.min().unwrap_or(Timestamp::MAX)
    }
}

/// The first span of a window that ends after a moment.
fn ending_after(window: Option<&Window>, at: Timestamp) -> Option<Span> {
    window.map_or(Some(Span::ALWAYS), |window| window.ending_after(at))
}

#[cfg(test)]
pub(in crate::domain) mod tests;
