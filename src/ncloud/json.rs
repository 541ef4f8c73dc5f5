//! Reading fields of JSON tolerantly. The documents disagree on several types, and a second server may spell them anew.

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// An object whose fields are looked up by any of their spellings, upper or lower case. A `null` counts as absent.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(&'a Map<String, Value>);

/// A field that is there and cannot be read; names it and nothing of what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadField(pub(super) &'static str);

impl<'a> Fields<'a> {
    pub(super) const fn new(map: &'a Map<String, Value>) -> Self {
        Self(map)
    }

    pub(super) fn of(value: &'a Value) -> Option<Self> {
        value.as_object().map(Self)
    }

    pub(super) fn field(self, name: &str) -> Option<&'a Value> {
        let exact = self.0.get(name);
        let found =
            exact.or_else(|| self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value));
        found.filter(|value| !value.is_null())
    }

    /// A boolean, also as a word; absent is fine, anything else is not.
    pub(super) fn flag(self, name: &'static str) -> Result<Option<bool>, BadField> {
        match self.field(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(value) => flag(value).map(Some).ok_or(BadField(name)),
        }
    }

    /// A whole number, also as text; what cannot be read counts as absent.
    pub(super) fn number(self, name: &str) -> Option<u64> {
        self.field(name).and_then(number)
    }

    /// Text, also as a number; empty text counts as absent.
    pub(super) fn text(self, name: &str) -> Option<String> {
        match self.field(name)? {
            Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// What a list holds. XML cannot tell a list of one from an object, so an object is taken for one; anything else, and
    /// nothing, has no items.
    pub(super) fn list(self, name: &str) -> &'a [Value] {
        match self.field(name) {
            Some(Value::Array(items)) => items,
            Some(one @ Value::Object(_)) => std::slice::from_ref(one),
            _ => &[],
        }
    }

    /// A time as ISO 8601 with its offset, or in milliseconds since the epoch; what cannot be read counts as absent.
    pub(super) fn time(self, name: &str) -> Option<Timestamp> {
        match self.field(name)? {
            Value::String(text) => text.trim().parse().ok(),
            Value::Number(millis) => Timestamp::from_millisecond(millis.as_i64()?).ok(),
            _ => None,
        }
    }
}

/// The body of a request, in memory that is wiped when the last holder lets it go. `texts` is how many bytes the texts in it
/// have together.
pub(super) fn document(value: &impl Serialize, texts: usize) -> Bytes {
    // Escaping makes a byte six at the most; a buffer that never grows leaves no copy behind.
    let mut body = Zeroizing::new(Vec::with_capacity(128 + 6 * texts));
    let written = serde_json::to_writer(&mut *body, value);
    debug_assert!(written.is_ok(), "texts, numbers and flags always serialise");
    Bytes::from_owner(body)
}

/// A text of the provider's for people to read: no control character of it reaches a terminal, and no more than fits.
pub(super) fn plain(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(200).collect()
}

/// A boolean as JSON's own, or as `true`/`false`, `Y`/`N`, `yes`/`no` in any case.
pub(super) fn flag(value: &Value) -> Option<bool> {
    let word = |word: &str| match word.trim().to_ascii_lowercase().as_str() {
        "true" | "y" | "yes" => Some(true),
        "false" | "n" | "no" => Some(false),
        _ => None,
    };
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => word(text),
        _ => None,
    }
}

/// A whole number that is not negative, as JSON's own (`25`, `25.0`) or as digits in a string.
pub(super) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => {
            let digits = text.trim();
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
        }
        _ => None,
    }
}

fn whole(number: f64) -> Option<u64> {
    let exact = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    exact.then(|| format!("{number:.0}").parse().ok())?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn booleans_and_numbers_are_read_in_every_dress() {
        for yes in [json!(true), json!("true"), json!("TRUE"), json!("Y"), json!(" yes ")] {
            assert_eq!(flag(&yes), Some(true), "{yes}");
        }
        for no in [json!(false), json!("false"), json!("N"), json!("no")] {
            assert_eq!(flag(&no), Some(false), "{no}");
        }
        for neither in [json!("maybe"), json!(1), json!({}), json!([true])] {
            assert_eq!(flag(&neither), None, "{neither}");
        }
        for n in [json!(25), json!(25.0), json!("25"), json!(" 25 "), json!("025")] {
            assert_eq!(number(&n), Some(25), "{n}");
        }
        for n in [json!(-1), json!(1.5), json!(""), json!("+1"), json!("1e3"), json!(true), json!(1e300)] {
            assert_eq!(number(&n), None, "{n}");
        }
    }

    #[test]
    fn fields_are_found_in_any_case_and_null_is_absent() {
        let value = json!({"LOGINID": "a", "active": null, "bad": "perhaps", "blank": " ", "n": 7});
        let fields = Fields::of(&value).unwrap();
        assert_eq!(fields.text("loginId").as_deref(), Some("a"));
        assert_eq!(fields.flag("active"), Ok(None));
        assert_eq!(fields.flag("blank"), Ok(None));
        assert_eq!(fields.flag("bad"), Err(BadField("bad")));
        assert_eq!((fields.text("n").as_deref(), fields.text("blank")), (Some("7"), None));
    }

    #[test]
    fn times_are_read_as_the_documents_show_them() {
        let value = json!({
            "a": "2019-08-10T13:21:00Z", "b": "2025-02-20T09:32:55+09:00", "c": 1_740_011_575_000_i64, "d": "yesterday",
            "e": "2025-02-20T09:32:55.000+0900",
        });
        let fields = Fields::of(&value).unwrap();
        assert_eq!(fields.time("a").map(Timestamp::as_second), Some(1_565_443_260));
        for name in ["b", "c", "e"] {
            assert_eq!(fields.time(name).map(Timestamp::as_second), Some(1_740_011_575), "{name}");
        }
        assert_eq!(fields.time("d"), None);
    }
}
