//! A body that is looked at once and wiped.
//!
//! The provider echoes passwords in its errors. So a body is read here, JSON or XML, and what leaves this room of it is
//! what its reader asked for by name: a number, a flag, a listed account.

use std::mem;

use serde_json::{Map, Value};
use zeroize::Zeroize;

use super::json::{self, Fields};
use super::xml;
use crate::domain::account::AccountId;
use crate::domain::secret::Password;
use crate::domain::value::wipe;

/// Longer than any password that any document allows.
const LONGEST_PASSWORD: usize = 128;

/// An answer's body, wiped on drop. It has no `Debug`.
pub(super) struct Body {
    fields: Map<String, Value>,
    is_object: bool,
}

/// What an answer says of its own success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Success {
    Yes,
    No,
    /// Something that is neither.
    Unreadable,
    Untold,
}

impl Body {
    /// Reads a body; one that is no object of JSON or XML has no fields. What begins with `<` is XML, whatever was asked
    /// for and whatever the answer calls itself.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let fields = match bytes.trim_ascii_start().first() {
            Some(b'<') => xml::parse(bytes.trim_ascii_start()),
            _ => object(bytes),
        };
        Self { is_object: fields.is_some(), fields: fields.unwrap_or_default() }
    }

    pub(super) fn fields(&self) -> Fields<'_> {
        Fields::new(&self.fields)
    }

    /// Whether there was an object at all, even an empty one.
    pub(super) const fn is_object(&self) -> bool {
        self.is_object
    }

    /// The provider's error code, wherever a documented body has it: below `error` or `responseError`, or on top. Only
    /// numbers count, so that nothing else of a body can travel in a code; the words of gov's v2 do not. Spring's `status`
    /// is HTTP's, and no code.
    pub(super) fn code(&self) -> Option<u32> {
        let nested = ["error", "responseError"].into_iter().filter_map(|name| Fields::of(self.fields().field(name)?));
        let names = ["errorCode", "code", "returnCode"];
        nested.chain([self.fields()]).find_map(|fields| {
            names.into_iter().find_map(|name| fields.number(name).and_then(|code| u32::try_from(code).ok()))
        })
    }

    /// Whether an error is told of, in whatever shape.
    pub(super) fn tells_an_error(&self) -> bool {
        let names = ["error", "responseError", "errorCode"];
        names.into_iter().any(|name| self.fields().field(name).is_some())
    }

    /// What the answer says of its own success.
    pub(super) fn success(&self) -> Success {
        match self.fields().field("success").map(json::flag) {
            None => Success::Untold,
            Some(None) => Success::Unreadable,
            Some(Some(true)) => Success::Yes,
            Some(Some(false)) => Success::No,
        }
    }

    /// Whether no other account is named in `field`. A UUID is the same in upper and lower case; a base62 id is not.
    pub(super) fn is_about(&self, id: &AccountId, field: &str, folds: bool) -> bool {
        match self.fields().field(field) {
            None => true,
            Some(Value::String(text)) => *text == id.0 || (folds && text.eq_ignore_ascii_case(&id.0)),
            Some(Value::Number(number)) => number.to_string() == id.0,
            Some(_) => false,
        }
    }

    /// Data Forest tells one 400 from another in words only.
    pub(super) fn speaks_of_quota(&self) -> bool {
        self.fields.values().any(mentions_quota)
    }

    /// The fields that gov's v2 finds fault with, `error.fieldErrors[].field`: whether there are any, and the password is
    /// not among them.
    pub(super) fn blames_another_field(&self) -> bool {
        let error = self.fields().field("error").and_then(Fields::of);
        let faults = error.map(|error| error.list("fieldErrors")).unwrap_or_default();
        let fault = |fault: &Value| Fields::of(fault).and_then(|fault| fault.text("field"));
        let mut named = faults.iter().filter_map(fault).peekable();
        named.peek().is_some() && !named.any(|field| field.to_ascii_lowercase().ends_with("password"))
    }

    /// Takes the password out that the provider made. One that no login form would take is none.
    pub(super) fn take_generated(&mut self) -> Option<Password> {
        let name = "generatedPassword";
        let found = self.fields.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name));
        let Some((_, Value::String(text))) = found else { return None };
        let mut text = mem::take(text);
        if text.is_empty() || text.len() > LONGEST_PASSWORD || text.chars().any(char::is_control) {
            text.zeroize();
            return None;
        }
        Some(Password::new(text))
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.fields.values_mut().for_each(wipe);
    }
}

fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(bytes).ok()? {
        Value::Object(map) => Some(map),
        mut other => {
            wipe(&mut other);
            None
        }
    }
}

fn mentions_quota(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            text.as_bytes().windows(b"quota".len()).any(|window| window.eq_ignore_ascii_case(b"quota"))
        }
        Value::Array(items) => items.iter().any(mentions_quota),
        Value::Object(map) => map.values().any(mentions_quota),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
