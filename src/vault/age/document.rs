//! The JSON document inside a secret's file: its format, and nothing of its rules.
//!
//! It is written to be read by people, and strict about what it does not know: a key that an older release dropped while
//! rewriting a file would be lost for good.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::domain::Timestamp;
use crate::domain::secret::SecretName;
use crate::domain::token::Token;
use crate::domain::value::SecretValue;

/// The format that this release reads and writes.
pub(super) const FORMAT: u32 = 1;

/// Every version of one secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub format: u32,
    /// For people: the file's place decides. A file may be moved when a secret is renamed.
    pub secret: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Entry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Entry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Entry>,
    /// Oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<Entry>,
    /// When the last promotion ended its pending version, in gateway time; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted_at: Option<Timestamp>,
}

/// One version. Everything but token and value may be missing from a file that a person wrote; what is missing is
/// unknown, and the protocol then waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub token: Token,
    /// Gateway time at which it was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// How many times anyone was permitted to send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permits: Option<u32>,
    /// Of a pending version only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<Before>,
    /// Of a superseded version only: gateway time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_at: Option<Timestamp>,
    #[serde(with = "bare")]
    pub value: SecretValue,
}

/// What was pending before a pending version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Before {
    Nothing,
    Ended {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        candidate: Option<Token>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        permits: Option<u32>,
    },
}

impl Entry {
    /// Names this content, as `Pending::candidate` has it.
    pub(super) fn candidate(&self) -> Token {
        self.token.candidate(self.created_at)
    }
}

impl Document {
    pub(super) fn new(secret: &SecretName) -> Self {
        Self {
            format: FORMAT,
            secret: secret.to_string(),
            current: None,
            pending: None,
            previous: None,
            superseded: Vec::new(),
            promoted_at: None,
        }
    }

    /// Its versions, in the order in which people are shown them.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.current.iter().chain(&self.pending).chain(&self.previous).chain(&self.superseded)
    }

    /// The document as it is encrypted: indented JSON with a newline at its end.
    pub(super) fn encode(&self) -> serde_json::Result<Zeroizing<Vec<u8>>> {
        let mut length = Counter(1);
        serde_json::to_writer_pretty(&mut length, self)?;
        // Room for all of it at once: a buffer that grows leaves copies behind.
        let mut text = Zeroizing::new(Vec::with_capacity(length.0));
        serde_json::to_writer_pretty(&mut *text, self)?;
        text.push(b'\n');
        Ok(text)
    }

    /// Says what is wrong in words that quote nothing of the text.
    pub(super) fn decode(text: &[u8]) -> Result<Self, BadDocument> {
        #[derive(Deserialize)]
        struct Head {
            format: u64,
        }
        let head: Head = serde_json::from_slice(text).map_err(BadDocument::of)?;
        if head.format != u64::from(FORMAT) {
            return Err(BadDocument::Format(head.format));
        }
        serde_json::from_slice(text).map_err(BadDocument::of)
    }
}

/// Why the decrypted text is no document of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadDocument {
    /// Another release wrote it.
    #[error(
        "it has format {0}, and this release knows format {FORMAT} alone; use the release that wrote it, or a later one"
    )]
    Format(u64),
    /// It is not JSON, or not the JSON of a secret.
    #[error("what it holds {what}, at line {line} column {column}; correct it, or restore the file from a backup")]
    Text {
        /// In our words: the parser's would quote values.
        what: &'static str,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
}

impl BadDocument {
    #[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
    fn of(error: serde_json::Error) -> Self {
        use serde_json::error::Category;
        let what = match error.classify() {
            Category::Syntax => "is not JSON",
            Category::Eof => "ends too early",
            Category::Data => "is not a secret's document: a key is missing, unknown, or of the wrong type",
            Category::Io => "cannot be read",
        };
        Self::Text { what, line: error.line(), column: error.column() }
    }
}

struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// [`SecretValue`] is not serialisable by design; this file is where it may be.
mod bare {
    use serde::{Deserializer, Serializer};

    use super::{Deserialize, Map, SecretValue, Serialize, Value};

    pub(super) fn serialize<S: Serializer>(value: &SecretValue, serializer: S) -> Result<S::Ok, S::Error> {
        value.expose().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretValue, D::Error> {
        Map::<String, Value>::deserialize(deserializer).map(SecretValue::from_map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "57cd65de-881f-5c05-9cd5-090a75ad19e9";

    fn full() -> Document {
        let entry = || {
            serde_json::json!({
                "token": TOKEN, "created_at": "2026-01-02T03:04:05.123456789Z", "permits": 2,
                "value": {"password": "pässwort", "port": 1}
            })
        };
        let with = |key: &str, value: Value| {
            let mut entry = entry();
            entry[key] = value;
            entry
        };
        let text = serde_json::json!({
            "format": 1, "secret": "a/b", "current": entry(), "previous": entry(),
            "pending": with("predecessor", serde_json::json!({"ended": {"candidate": TOKEN, "permits": 1}})),
            "superseded": [with("superseded_at", "2026-01-02T03:04:05Z".into())],
            "promoted_at": "2026-01-02T03:04:05Z",
        });
        Document::decode(text.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back_whole() {
        for document in [full(), Document::new(&"a/b".parse().unwrap())] {
            assert_eq!(Document::decode(&document.encode().unwrap()).unwrap(), document);
        }
    }

    #[test]
    fn people_find_the_password_where_the_manual_says() {
        let text = full().encode().unwrap();
        let json: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(json["current"]["value"]["password"], "pässwort");
        assert!(text.starts_with(b"{\n  \"format\": 1,\n  \"secret\": \"a/b\",") && text.ends_with(b"}\n"));
    }

    #[test]
    fn a_bare_hand_written_document_is_enough() {
        let text = format!(r#"{{"format":1,"secret":"x","current":{{"token":"{TOKEN}","value":{{"host":"h"}}}}}}"#);
        let current = Document::decode(text.as_bytes()).unwrap().current.unwrap();
        assert_eq!((current.created_at, current.permits, current.predecessor), (None, None, None));
    }

    #[test]
    fn what_is_not_understood_is_refused_without_quoting_it() {
        let good = String::from_utf8(full().encode().unwrap().to_vec()).unwrap();
        let table = [
            (String::new(), "ends too early"),
            (good[..good.len() / 2].to_owned(), "ends too early"),
            ("hunter2".into(), "is not JSON"),
            (r#"{"secret":"a"}"#.into(), "a key is missing"),
            (good.replace("\"format\": 1", "\"format\": 2"), "format 2"),
            (good.replace("\"format\": 1", "\"format\": 2").replace("\"secret\"", "\"hunter2\""), "format 2"),
            (good.replace("\"secret\"", "\"hunter2\""), "a key is missing, unknown"),
            (good.replacen("\"permits\": 2", "\"permits\": \"hunter2\"", 1), "wrong type"),
            (good.replacen(TOKEN, "hunter2", 1), "wrong type"),
        ];
        for (text, expected) in table {
            let error = Document::decode(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        assert!(!format!("{:?}", full()).contains("pässwort"));
    }
}
