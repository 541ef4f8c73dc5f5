//! Values that may be written in two ways, such as `"follow"` and `{ enforce = 90 }`.
//!
//! serde's own untagged enumerations lose both the place and the cause of an error. These look at what stands in the file
//! first, and leave any complaint to the way that was meant.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// A word or a table.
#[derive(Debug)]
pub(super) enum Choice<T> {
    Word(String),
    Table(T),
}

/// A table that a word may stand for.
pub(super) trait OrWord {
    /// Both, as a complaint about something else names them.
    const EXPECTED: &'static str;
}

impl<'de, T: OrWord + Deserialize<'de>> Deserialize<'de> for Choice<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ChoiceVisitor(PhantomData))
    }
}

struct ChoiceVisitor<T>(PhantomData<T>);

impl<'de, T: OrWord + Deserialize<'de>> Visitor<'de> for ChoiceVisitor<T> {
    type Value = Choice<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Self::Value, E> {
        Ok(Choice::Word(word.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Choice::Table)
    }
}

/// A number of days or a word.
#[derive(Debug)]
pub(super) enum Days {
    Number(i64),
    Word(String),
}

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DaysVisitor)
    }
}

struct DaysVisitor;

impl Visitor<'_> for DaysVisitor {
    type Value = Days;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of days, or \"off\"")
    }

    fn visit_i64<E: Error>(self, days: i64) -> Result<Days, E> {
        Ok(Days::Number(days))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Days, E> {
        Ok(Days::Word(word.to_owned()))
    }
}
