//! The reference of the configuration, in Markdown: the schema in the order of the file, for people.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::Error;
use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use super::raw;
use super::schema::schema;

/// The reference, as it is published in `docs/configuration.md`.
#[must_use]
pub fn reference() -> String {
    let root = schema();
    let empty = Map::new();
    let definitions = root["definitions"].as_object().unwrap_or(&empty);
    let mut text = format!("{HEAD}\n{}\n", text_of(&root));
    for section in sections() {
        let schema = if section.definition == ROOT { Some(&root) } else { definitions.get(&section.definition) };
        section.write(schema.unwrap_or(&Value::Null), &mut text);
    }
    text.push_str("\n## Forms of values\n");
    let is_form = |name: &String| sections().iter().all(|section| section.definition != **name);
    for (name, schema) in definitions.iter().filter(|(name, _)| is_form(name)) {
        // Writing into a text cannot fail.
        let _ = write!(text, "\n### {}\n\n{}\n", words(name), text_of(schema));
    }
    text
}

const HEAD: &str = "# Configuration reference

<!-- Made by `ncloud-rotator config reference` from src/config/raw.rs; tests/artefacts.rs compares it. -->

A complete example with comments is [`config/example.toml`](../config/example.toml); how passwords are made is told in
[`passwords.md`](passwords.md). Editors that know JSON Schema complete and check a file that begins with a line
`#:schema PATH`, where PATH leads to [`config/schema.json`](../config/schema.json), which `ncloud-rotator config schema`
prints. `ncloud-rotator check --offline --config FILE` finds everything that is wrong with a file, at its line.
";

const ROOT: &str = "Configuration";

/// A table of the file.
struct Section {
    heading: &'static str,
    definition: String,
    keys: &'static [&'static str],
}

/// The tables, each after the one that it belongs to.
fn sections() -> [Section; 15] {
    [
        Section::of::<raw::Raw>("Top level"),
        Section::of::<raw::Admin>("`[admin]`"),
        Section::of::<raw::Tenant>("`[tenants.NAME]`"),
        Section::of::<raw::KeySource>("`access_key` and `secret_key`"),
        Section::of::<raw::Keys>("`keys = { … }`"),
        Section::of::<raw::Endpoints>("`endpoints = { … }`"),
        Section::of::<raw::Gateway>("`gateway = { … }`"),
        Section::of::<raw::ProxyCredentials>("`proxy_credentials = { … }`"),
        Section::of::<raw::Vault>("`[vaults.NAME]`"),
        Section::of::<raw::Identity>("`identity = { … }`"),
        Section::of::<raw::Policy>("`[policies.NAME]`"),
        Section::of::<raw::Window>("`windows = [{ … }]`"),
        Section::of::<raw::Blackout>("`blackouts = [{ … }]`"),
        Section::of::<raw::Password>("`password = { … }`"),
        Section::of::<raw::Accounts>("`[[accounts]]`"),
    ]
}

impl Section {
    fn of<'de, T: JsonSchema + Deserialize<'de>>(heading: &'static str) -> Self {
        Self { heading, definition: T::schema_name().into_owned(), keys: keys_of::<T>() }
    }

    fn write(&self, schema: &Value, text: &mut String) {
        // Writing into a text cannot fail.
        let _ = write!(text, "\n## {}\n", self.heading);
        if self.definition != ROOT {
            let _ = write!(text, "\n{}\n", text_of(schema));
        }
        text.push('\n');
        let needed = schema["required"].as_array();
        for (key, schema) in self.keys.iter().filter_map(|key| Some((key, schema["properties"].get(key)?))) {
            let mut remarks = vec![value(schema)];
            if needed.is_some_and(|needed| needed.iter().any(|needed| needed == key)) {
                remarks.push("needed".to_owned());
            }
            remarks.extend(schema.get("default").map(|default| format!("default `{default}`")));
            let _ = writeln!(text, "- **`{key}`**: {}.\\\n  {}", remarks.join("; "), text_of(schema));
        }
    }
}

/// What a key may be set to.
fn value(schema: &Value) -> String {
    let list = |values: &Value, show: &dyn Fn(&Value) -> String| {
        let shown: Vec<String> = values.as_array().into_iter().flatten().map(show).collect();
        match shown.as_slice() {
            [most @ .., last] if !most.is_empty() => format!("{} or {last}", most.join(", ")),
            few => few.concat(),
        }
    };
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return link(name);
    }
    if schema["allOf"].is_array() {
        return list(&schema["allOf"], &value);
    }
    if schema["anyOf"].is_array() {
        return list(&schema["anyOf"], &value);
    }
    if schema["enum"].is_array() {
        return list(&schema["enum"], &|value| format!("`{value}`"));
    }
    if let Some(only) = schema.get("const") {
        return format!("`{only}`");
    }
    if let Some(entries) = schema["additionalProperties"].as_object() {
        let entry = value(&Value::Object(entries.clone()));
        let is_section = sections().iter().any(|section| entry == link(&section.definition));
        return if is_section { format!("tables {entry}") } else { format!("a table of texts, each a {entry}") };
    }
    match (schema["type"].as_str(), schema["properties"].as_object()) {
        (Some("array"), _) => format!("a list of {}", value(&schema["items"])),
        (Some("boolean"), _) => "`true` or `false`".to_owned(),
        (Some("integer"), _) => "a whole number".to_owned(),
        (_, Some(properties)) => {
            let pairs: Vec<String> =
                properties.iter().map(|(key, schema)| format!("`{key}` = {}", value(schema))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        _ => "a text".to_owned(),
    }
}

/// A link to where a definition is told.
fn link(name: &str) -> String {
    let heading = match sections().into_iter().find(|section| section.definition == name) {
        Some(section) => section.heading.to_owned(),
        None => words(name),
    };
    let anchor: String = heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || "_- ".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect();
    format!("[{heading}](#{anchor})")
}

/// `SecretTemplate` as "secret template".
fn words(name: &str) -> String {
    let mut words = String::new();
    for (at, character) in name.chars().enumerate() {
        if at > 0 && character.is_uppercase() {
            words.push(' ');
        }
        words.extend(character.to_lowercase());
    }
    words
}

fn text_of(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

/// The keys of a table, in the order of its type's fields, as serde hands them to whoever reads it.
fn keys_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut keys: &'static [&'static str] = &[];
    // It stops with an error once it knows them.
    let _ = T::deserialize(KeysOf(&mut keys));
    keys
}

struct KeysOf<'k>(&'k mut &'static [&'static str]);

impl<'de> Deserializer<'de> for KeysOf<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("only the keys are asked for"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
