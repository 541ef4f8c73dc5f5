//! The configuration as a JSON Schema, for editors: made from the raw mirror, so that it cannot tell of other keys than are
//! read.
//!
//! Draft 7 is what editors of TOML understand. A file that is read without a complaint is valid by it; the reverse does not
//! hold, since references, overlaps and files are beyond a schema.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Value, json};

use super::raw::Raw;

/// The JSON Schema of the configuration.
#[must_use]
pub fn schema() -> Value {
    let mut settings = SchemaSettings::draft07();
    settings.transforms.insert(0, Box::new(RecursiveTransform(without_null)));
    settings.transforms.push(Box::new(RecursiveTransform(in_paragraphs)));
    let mut schema = settings.into_generator().into_root_schema_for::<Raw>();
    schema.insert("title".to_owned(), "ncloud-rotator".into());
    schema.to_value()
}

/// The schema's text, as it is published.
#[must_use]
pub fn schema_text() -> String {
    format!("{:#}\n", schema())
}

/// TOML has no null, so that a key which may be left out is not one that may be null.
fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(ways)) = schema.get_mut("anyOf") {
        ways.retain(|way| *way != json!({ "type": "null" }));
        if let [Value::Object(only)] = ways.as_mut_slice() {
            let only = std::mem::take(only);
            schema.remove("anyOf");
            for (key, value) in only {
                schema.insert(key, value);
            }
        }
    }
}

/// A comment's lines are broken for the source; a description's for the reader.
fn in_paragraphs(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        let paragraphs = text.split("\n\n").map(|paragraph| {
            let is_list = paragraph.starts_with("- ");
            if is_list { paragraph.to_owned() } else { paragraph.replace('\n', " ") }
        });
        *text = paragraphs.collect::<Vec<_>>().join("\n\n");
    }
}
