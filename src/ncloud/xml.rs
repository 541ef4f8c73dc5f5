//! XML read into the same tree as JSON, so that one set of rules reads both (`ncloud-api.md`, section 3).
//!
//! No document shows much of it. So the root's name is not looked at, namespaces are dropped, repeated elements become an
//! array and empty ones nothing. What XML brings along and an answer has no use for is refused: a DTD, and with it every
//! entity beyond the five that XML has by itself.

use std::mem;

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, Event};
use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

use crate::domain::value::wipe;

/// Answers are three levels deep.
const MOST_LEVELS: usize = 32;

/// What is below the root of a document; none when it is no document that can be trusted.
pub(super) fn parse(bytes: &[u8]) -> Option<Map<String, Value>> {
    let mut reader = Reader::from_str(std::str::from_utf8(bytes).ok()?);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Element> = Vec::new();
    let mut root: Option<Element> = None;
    loop {
        match reader.read_event().ok()? {
            Event::Start(_) if open.len() == MOST_LEVELS || (open.is_empty() && root.is_some()) => return None,
            Event::Start(start) => open.push(Element::new(start.local_name().as_ref())),
            Event::End(_) => {
                let element = open.pop()?;
                match open.last_mut() {
                    Some(parent) => parent.add(element),
                    None => root = Some(element),
                }
            }
            Event::Text(text) => {
                let text = text.xml_content(XmlVersion::Implicit1_0);
                match open.last_mut() {
                    Some(element) => element.text.push_str(&text),
                    None if text.trim().is_empty() => {}
                    None => return None,
                }
            }
            Event::CData(text) => open.last_mut()?.text.push_str(&text.xml_content(XmlVersion::Implicit1_0)),
            Event::GeneralRef(reference) => open.last_mut()?.text.push(character(&reference)?),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof if open.is_empty() => return Some(mem::take(&mut root?.children)),
            Event::DocType(_) | Event::Empty(_) | Event::Eof => return None,
        }
    }
}

/// The body of a request, in memory that is wiped; none when a text holds what XML cannot carry.
pub(super) fn document(root: &str, fields: &[(&str, &str)]) -> Option<Zeroizing<Vec<u8>>> {
    let most: usize = fields.iter().map(|(name, text)| 2 * name.len() + 5 + LONGEST_ESCAPE * text.len()).sum();
    // A buffer that never grows leaves no copy behind.
    let mut body = Zeroizing::new(Vec::with_capacity(DECLARATION.len() + 2 * root.len() + 5 + most));
    let mut put = |parts: &[&str]| parts.iter().for_each(|part| body.extend_from_slice(part.as_bytes()));
    put(&[DECLARATION, "<", root, ">"]);
    for (name, text) in fields {
        put(&["<", name, ">"]);
        for c in text.chars() {
            put(&[escaped(c, &mut [0; 4])?]);
        }
        put(&["</", name, ">"]);
    }
    put(&["</", root, ">"]);
    Some(body)
}

const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
const LONGEST_ESCAPE: usize = "&quot;".len();

/// A character as XML 1.0 writes it. Line breaks and tabs are written as references, since parsers change them.
fn escaped(c: char, buffer: &mut [u8; 4]) -> Option<&str> {
    Some(match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&apos;",
        '\t' => "&#9;",
        '\n' => "&#10;",
        '\r' => "&#13;",
        '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => return None,
        other => other.encode_utf8(buffer),
    })
}

fn character(reference: &BytesRef<'_>) -> Option<char> {
    if reference.is_char_ref() {
        return reference.resolve_char_ref().ok()?;
    }
    match &**reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

/// An element that has been begun. What it holds is wiped if it is not handed on.
struct Element {
    name: String,
    text: String,
    children: Map<String, Value>,
}

impl Element {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), text: String::new(), children: Map::new() }
    }

    /// Takes in a child that has ended. A second one of the same name makes an array of them.
    fn add(&mut self, mut child: Self) {
        let name = mem::take(&mut child.name);
        let value = child.value();
        match self.children.get_mut(&name) {
            None => drop(self.children.insert(name, value)),
            Some(Value::Array(items)) => items.push(value),
            Some(first) => *first = Value::Array(vec![mem::take(first), value]),
        }
    }

    fn value(mut self) -> Value {
        if !self.children.is_empty() {
            return Value::Object(mem::take(&mut self.children));
        }
        match self.text.trim() {
            "" => Value::Null,
            text => Value::String(text.to_owned()),
        }
    }
}

impl Drop for Element {
    fn drop(&mut self) {
        self.text.zeroize();
        self.children.values_mut().for_each(wipe);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Option<Value> {
        parse(text.as_bytes()).map(Value::Object)
    }

    #[test]
    fn a_document_becomes_what_json_would_have_said() {
        let list = r#"<?xml version="1.0" encoding="UTF-8"?>
            <!-- a comment --><d:AnyName xmlns:d="urn:x" xmlns="urn:y">
              <d:contents><id>a</id><disabled>false</disabled></d:contents>
              <contents kind="x"><id> b </id><message/></contents>
              <contents><id><![CDATA[<c&>]]></id></contents>
              <success>true</success><total>3</total>
              <quotas><namespace>koya</namespace></quotas>
            </d:AnyName>
            "#;
        let expected = json!({
            "contents": [{"id": "a", "disabled": "false"}, {"id": "b", "message": null}, {"id": "<c&>"}],
            "success": "true", "total": "3", "quotas": {"namespace": "koya"},
        });
        assert_eq!(read(list), Some(expected));
    }

    #[test]
    fn references_and_cdata_are_decoded_in_place() {
        let document = "<r><m>a&amp;b&lt;c&gt;&quot;&apos;&#65;&#x1F600;<![CDATA[&amp;]]>-&#xD;x</m></r>";
        assert_eq!(read(document), Some(json!({"m": "a&b<c>\"'A\u{1F600}&amp;-\rx"})));
    }

    #[test]
    fn what_is_no_plain_document_is_refused() {
        let deep = format!("{}{}", "<a>".repeat(33), "</a>".repeat(33));
        for bad in [
            "",
            " ",
            "text",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>text",
            "<a>&nbsp;</a>",
            "<a>&#0;</a>",
            "<a>&unknown</a>",
            "<!DOCTYPE html><html><success>true</success></html>",
            "<!DOCTYPE r [<!ENTITY e \"true\">]><r><success>&e;</success></r>",
            "<!DOCTYPE r SYSTEM \"file:///etc/passwd\"><r><success>true</success></r>",
            "<r><!DOCTYPE x><success>true</success></r>",
            deep.as_str(),
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(parse(b"<a>\xff</a>"), None);
        assert!(read(&format!("{}{}", "<a>".repeat(32), "</a>".repeat(32))).is_some());
    }

    #[test]
    fn what_xml_cannot_carry_is_not_written() {
        for bad in ["a\u{1}", "\0", "\u{ffff}"] {
            assert!(document("R", &[("password", bad)]).is_none(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_and_the_buffer_never_grows(
            id in "[^\\p{Cc}\\s\u{fffe}\u{ffff}]{1,22}",
            password in "[!-~한\u{1F600}]([ -~한\t\r\n\u{1F600}]{0,18}[!-~한\u{1F600}])?",
        ) {
            let fields = [("id", id.as_str()), ("password", password.as_str())];
            let body = document("ResetAccountPasswordRequest", &fields).unwrap();
            prop_assert_eq!(read(std::str::from_utf8(&body).unwrap()), Some(json!({"id": id, "password": password})));
            let most = DECLARATION.len() + 2 * 27 + 5 + 9 + 21 + 6 * (id.len() + password.len());
            prop_assert!(body.capacity() <= most);
        }

        #[test]
        fn no_bytes_can_bring_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
