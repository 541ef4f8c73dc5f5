//! The server's own clock. Every date that it says, every age and every rate goes by it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// The machine's clock set wrong by an offset, or a clock that stands until it is moved.
pub(crate) struct Time(Mutex<Course>);

#[derive(Clone, Copy)]
enum Course {
    Runs { offset: SignedDuration },
    Stands(Timestamp),
}

impl Default for Time {
    fn default() -> Self {
        Self(Mutex::new(Course::Runs { offset: SignedDuration::ZERO }))
    }
}

impl Time {
    pub(crate) fn now(&self) -> Timestamp {
        match *self.course() {
            Course::Runs { offset } => machine() + offset,
            Course::Stands(at) => at,
        }
    }

    /// Runs so far ahead of the machine's clock, or behind it.
    pub(crate) fn set_offset(&self, offset: SignedDuration) {
        *self.course() = Course::Runs { offset };
    }

    /// Stands at this time from now on.
    pub(crate) fn stand_at(&self, at: Timestamp) {
        *self.course() = Course::Stands(at);
    }

    /// Moves the clock, standing or running.
    pub(crate) fn advance(&self, by: SignedDuration) {
        match &mut *self.course() {
            Course::Runs { offset } => *offset += by,
            Course::Stands(at) => *at += by,
        }
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place of this server that asks the machine")]
fn machine() -> Timestamp {
    Timestamp::now()
}
