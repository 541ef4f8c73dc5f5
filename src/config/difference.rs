//! What differs between two versions of the file, key by key, for the log. It is told by the text that may be shown: a value
//! that may be a secret is stars here as well.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One key that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key with the names of its tables, such as `policies.default.rotate_before` or `accounts[0].names[1]`.
    pub key: String,
    /// Its value before; none when it was not there.
    pub from: Option<String>,
    /// Its value now; none when it is gone.
    pub to: Option<String>,
}

/// Every value of a file by its key, as `shown`, which has stars in the places of secrets and is as long as `text`.
pub(super) fn values(text: &str, shown: &str) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    if let Ok(table) = DeTable::parse(text) {
        table.get_ref().iter().for_each(|(key, value)| collect(key.get_ref(), value, shown, &mut values));
    }
    values
}

fn collect(path: &str, value: &Spanned<DeValue<'_>>, shown: &str, values: &mut BTreeMap<String, String>) {
    match value.get_ref() {
        DeValue::Table(table) => {
            for (key, value) in table {
                collect(&format!("{path}.{}", key.get_ref()), value, shown, values);
            }
        }
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(&format!("{path}[{index}]"), item, shown, values);
            }
        }
        _ => {
            values.insert(path.to_owned(), shown.get(value.span()).unwrap_or_default().to_owned());
        }
    }
}

/// What differs, in the order of the keys.
pub(super) fn difference(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<Difference> {
    let mut keys: Vec<&String> = before.keys().chain(now.keys()).collect();
    keys.sort();
    keys.dedup();
    let differing = keys.into_iter().filter(|key| before.get(*key) != now.get(*key));
    differing
        .map(|key| Difference { key: key.clone(), from: before.get(key).cloned(), to: now.get(key).cloned() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::decode::decode;

    fn of(text: &str) -> BTreeMap<String, String> {
        values(text, &decode(text).shown)
    }

    #[test]
    fn every_key_that_differs_is_told_and_no_secret() {
        let before = "time_zone = \"UTC\" # hunter1\n[tenants.main]\nrate = \"5/s\"\nsecret_key = \"hunter2\"\n\
                      [[accounts]]\nnames = [\"a\", \"b\"]\n";
        let now = "[tenants.main]\nrate = \"1/s\"\nsecret_key = \"hunter345\"\ngateway = { timeout = \"1m\" }\n\
                   [[accounts]]\nnames = [\"a\", \"c\"]\n";
        let told = difference(&of(before), &of(now));
        let told: Vec<_> = told.iter().map(|d| (d.key.as_str(), d.from.as_deref(), d.to.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("accounts[0].names[1]", Some("\"b\""), Some("\"c\"")),
                ("tenants.main.gateway.timeout", None, Some("\"1m\"")),
                ("tenants.main.rate", Some("\"5/s\""), Some("\"1/s\"")),
                ("tenants.main.secret_key", Some("*********"), Some("***********")),
                ("time_zone", Some("\"UTC\""), None),
            ]
        );
        assert_eq!(difference(&of(now), &of(now)), []);
    }
}
