//! What can be wrong with a vault or a provider, and what it means for one call.

use std::sync::Mutex;

use crate::dice::Dice;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum State {
    /// Nothing ever goes wrong.
    Perfect,
    /// Now and then a single call goes wrong.
    #[default]
    Well,
    /// Nothing is answered in time, and nothing is done.
    Away,
    /// Calls never end.
    Hanging,
    /// A provider alone: too many requests.
    Throttled,
    /// A provider alone: what is sent is lost.
    Mute,
    /// A provider alone: every password is refused.
    Refusing,
    /// A provider alone: the keys are not good.
    KeysRefused,
}

/// What becomes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Done,
    LostBefore,
    LostAfter,
    Away,
    Hangs,
    Throttled,
    KeysRefused,
}

#[derive(Default)]
pub(crate) struct Troubles(Mutex<State>);

impl Troubles {
    pub(crate) fn set(&self, state: State) {
        *self.0.lock().unwrap() = state;
    }

    pub(crate) fn state(&self) -> State {
        *self.0.lock().unwrap()
    }

    pub(crate) fn fate(&self, dice: &Dice) -> Fate {
        match self.state() {
            State::Well if dice.happens(300) => Fate::LostBefore,
            State::Well if dice.happens(300) => Fate::LostAfter,
            State::Well if dice.happens(20) => Fate::Hangs,
            State::Well | State::Perfect | State::Mute | State::Refusing => Fate::Done,
            State::Away => Fate::Away,
            State::Hanging => Fate::Hangs,
            State::Throttled => Fate::Throttled,
            State::KeysRefused => Fate::KeysRefused,
        }
    }
}
