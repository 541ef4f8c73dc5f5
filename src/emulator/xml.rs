//! XML bodies, read into and written from the same [`Value`]s that JSON bodies are.
//!
//! An element with elements in it is an object, any other its text. The document's own type, its entities and its attributes
//! say nothing to a service: a document type is refused, whatever it declares, and only the five entities that XML itself
//! has are known.

use quick_xml::XmlVersion;
use quick_xml::escape::{escape, resolve_xml_entity};
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;
use serde_json::{Map, Value};

use super::format::Malformed;

/// The deepest nesting that is read; every documented request has two levels.
const DEPTH: usize = 8;

/// A document: its root's name without a prefix, and what is in it. It has no `Debug` but in tests: it may hold a password.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(super) struct Document {
    pub(super) root: String,
    pub(super) content: Value,
}

/// Reads a document in UTF-8. Why one is refused is not told: it could quote a password.
pub(super) fn read(bytes: &[u8]) -> Result<Document, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed)?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut document = None;
    loop {
        match reader.read_event().map_err(|_| Malformed)? {
            Event::Start(start) => {
                if document.is_some() || open.len() == DEPTH {
                    return Err(Malformed);
                }
                open.push(Element::begun(&start));
            }
            Event::Empty(empty) => close(Element::begun(&empty), &mut open, &mut document)?,
            Event::End(_) => {
                let element = open.pop().ok_or(Malformed)?;
                close(element, &mut open, &mut document)?;
            }
            Event::Text(text) => write_text(&mut open, &text.xml_content(XmlVersion::Implicit1_0))?,
            Event::CData(text) => {
                open.last_mut().ok_or(Malformed)?.text += &text.xml_content(XmlVersion::Implicit1_0);
            }
            Event::GeneralRef(reference) => {
                let meant = resolved(&reference)?;
                open.last_mut().ok_or(Malformed)?.text += &meant;
            }
            Event::Decl(declaration) => match declaration.encoding() {
                None => {}
                Some(Ok(encoding)) if encoding.eq_ignore_ascii_case("UTF-8") => {}
                Some(_) => return Err(Malformed),
            },
            Event::Comment(_) | Event::PI(_) => {}
            Event::DocType(_) => return Err(Malformed),
            Event::Eof => break,
        }
    }
    document.filter(|_| open.is_empty()).ok_or(Malformed)
}

/// Writes a document. A list is its member's element, repeated; a null is left out; an object of one object is its own root.
pub(super) fn write(root: &str, content: &Value) -> String {
    let wrapper = content.as_object().filter(|members| members.len() == 1).and_then(|members| members.iter().next());
    let root = match wrapper {
        Some((name, inner @ Value::Object(_))) => element(name, inner),
        _ => element(root, content),
    };
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{root}")
}

/// An element that is still open.
struct Element {
    name: String,
    text: String,
    members: Map<String, Value>,
}

impl Element {
    fn begun(start: &BytesStart<'_>) -> Self {
        let name = start.local_name().as_ref().to_owned();
        Self { name, text: String::new(), members: Map::new() }
    }
}

fn close(element: Element, open: &mut [Element], document: &mut Option<Document>) -> Result<(), Malformed> {
    let Element { name, text, members } = element;
    let content = if members.is_empty() && !open.is_empty() {
        Value::String(text)
    } else if text.chars().all(is_space) {
        Value::Object(members)
    } else {
        return Err(Malformed);
    };
    match open.last_mut() {
        // No request has a list: what is said twice contradicts itself.
        Some(parent) if parent.members.contains_key(&name) => return Err(Malformed),
        Some(parent) => drop(parent.members.insert(name, content)),
        None if document.is_some() => return Err(Malformed),
        None => *document = Some(Document { root: name, content }),
    }
    Ok(())
}

fn write_text(open: &mut [Element], text: &str) -> Result<(), Malformed> {
    match open.last_mut() {
        Some(element) => element.text += text,
        None if text.trim_start_matches('\u{feff}').chars().all(is_space) => {}
        None => return Err(Malformed),
    }
    Ok(())
}

fn resolved(reference: &BytesRef<'_>) -> Result<String, Malformed> {
    match reference.resolve_char_ref().map_err(|_| Malformed)? {
        Some(character) if is_allowed(character) => Ok(character.into()),
        Some(_) => Err(Malformed),
        None => resolve_xml_entity(reference).map(str::to_owned).ok_or(Malformed),
    }
}

fn element(name: &str, content: &Value) -> String {
    let inner = match content {
        Value::Null => return String::new(),
        Value::Array(items) => return items.iter().map(|item| element(name, item)).collect(),
        Value::Object(members) => members.iter().map(|(name, member)| element(name, member)).collect(),
        Value::String(said) => {
            let said: String = said.chars().map(|c| if is_allowed(c) { c } else { '\u{fffd}' }).collect();
            escape(said).into_owned()
        }
        Value::Bool(_) | Value::Number(_) => content.to_string(),
    };
    format!("<{name}>{inner}</{name}>")
}

/// XML's white space.
const fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// Whether XML 1.0 can hold the character at all, written out or by its number.
const fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_that_are_read() {
        let both = json!({ "id": "a", "password": "b" });
        let cases = [
            ("<R><id>a</id><password>b</password></R>", both.clone()),
            (
                "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<R>\n <id>a</id>\n <password>b</password>\n</R>\n",
                both.clone(),
            ),
            ("\u{feff}<R><id>a</id><password>b</password></R>", both.clone()),
            ("<n:R xmlns:n=\"urn:x\"><n:id n:kind='k'>a</n:id><n:password>b</n:password></n:R>", both.clone()),
            ("<!-- c --><R><id><![CDATA[a]]></id><?pi x?><password>&#98;<!-- c --></password></R>", both),
            ("<R/>", json!({})),
            ("<R></R>", json!({})),
            ("<R><id/></R>", json!({ "id": "" })),
            ("<R><id> &lt;&gt;&amp;&apos;&quot;&#x2d;]]&gt; </id></R>", json!({ "id": " <>&'\"-]]> " })),
            ("<R><id><![CDATA[<&amp;]]>x</id></R>", json!({ "id": "<&amp;x" })),
            ("<R><other><deep>x</deep></other><id>a</id></R>", json!({ "other": { "deep": "x" }, "id": "a" })),
        ];
        for (text, content) in cases {
            assert_eq!(read(text.as_bytes()), Ok(Document { root: "R".into(), content }), "{text}");
        }
    }

    #[test]
    fn documents_that_are_refused() {
        let deep = format!("{}x{}", "<a>".repeat(9000), "</a>".repeat(9000));
        let cases = [
            "",
            "text",
            "{\"id\":\"a\"}",
            "<R>",
            "<R><id></R></id>",
            "<R></R><R></R>",
            "<R/><R/>",
            "<R/>text",
            "<R>text</R>",
            "<R>text<id>a</id></R>",
            "<R><id>a</id><id>b</id></R>",
            "<R><id>a & b</id></R>",
            "<R><id>&nbsp;</id></R>",
            "<R><id>&own;</id></R>",
            "<R><id>&#0;</id></R>",
            "<R><id>&#1;</id></R>",
            "&amp;<R/>",
            "<!DOCTYPE R><R><id>a</id></R>",
            "<!DOCTYPE R [<!ENTITY own \"x\">]><R><id>&own;</id></R>",
            "<!DOCTYPE R SYSTEM \"file:///etc/passwd\"><R><id>a</id></R>",
            "<?xml version=\"1.0\" encoding=\"EUC-KR\"?><R/>",
            deep.as_str(),
        ];
        for text in cases {
            assert_eq!(read(text.as_bytes()), Err(Malformed), "{}", &text[..text.len().min(60)]);
        }
        assert_eq!(read(b"<R><id>\xff</id></R>"), Err(Malformed));
    }

    #[test]
    fn what_is_written_is_escaped_and_lists_are_repeated() {
        let content = json!({
            "success": true, "total": 2, "none": null, "contents": [{ "id": "<&>\"'" }, { "id": "가\u{0}\r" }], "empty": [],
        });
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><R><contents><id>&lt;&amp;&gt;&quot;&apos;</id></contents>\
                        <contents><id>가\u{fffd}&#13;</id></contents><success>true</success><total>2</total></R>";
        assert_eq!(write("R", &content), expected);
        let error = json!({ "error": { "errorCode": "200" } });
        assert!(write("R", &error).ends_with("?><error><errorCode>200</errorCode></error>"));
        assert!(write("R", &json!({ "success": false })).ends_with("?><R><success>false</success></R>"));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["plain", "<&>\"'", "]]>", "가 \t\n\r x", "-!@#$%^*()", "&amp;"] {
            let content = json!({ "id": text });
            assert_eq!(read(write("R", &content).as_bytes()), Ok(Document { root: "R".into(), content }), "{text:?}");
        }
    }
}
