//! Scripts for a Secrets Manager, one call a line, and what it answers in a few words.
//!
//! | line | its answer, when it is not refused |
//! |---|---|
//! | `create NAME [TOKEN VALUE]` | `ok` |
//! | `put NAME TOKEN VALUE [LABEL …]` | `ok` |
//! | `update NAME TOKEN VALUE` | `ok` |
//! | `move NAME LABEL [from ID] [to ID]` | `ok` |
//! | `get NAME [ID] [LABEL]` | the value |
//! | `labels NAME` | the described versions with their labels |
//! | `versions NAME`, `versions-all NAME` | the listed versions with their labels; with the deprecated ones |
//! | `state NAME` | `live` or `scheduled`, and the tags |
//! | `batch NAME …` | each name with its value or its error, once |
//! | `list PREFIX [MOST]`, `list-all PREFIX` | the names, a bar between pages; with those scheduled for deletion |
//! | `delete NAME [DAYS] [force]`, `restore NAME`, `tag NAME KEY VALUE` | `ok` |
//!
//! `#7` is a token or the version made with it. `x*9` is nine letters, as a value, a name or a token; `''` is nothing.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, Tag};

use crate::bench::{token, word};

/// Runs scripts against one Secrets Manager.
pub(crate) struct Player {
    aws: Client,
    /// Goes before every name, so that scripts do not meet.
    prefix: String,
}

impl Player {
    pub(crate) fn new(aws: &Client, prefix: &str) -> Self {
        Self { aws: aws.clone(), prefix: prefix.to_owned() }
    }

    /// Does what a line says.
    pub(crate) async fn play(&self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (verb, rest) = words.split_first().expect("a line has a verb");
        match *verb {
            "batch" => self.batch(rest).await,
            "list" => self.list(rest, false).await,
            "list-all" => self.list(rest, true).await,
            _ => {
                let (name, rest) = rest.split_first().unwrap_or_else(|| panic!("{line:?} has no name"));
                self.one(verb, &self.name(name), rest).await.unwrap_or_else(|| panic!("what is {line:?}?"))
            }
        }
    }

    /// A line about one secret; none if there is no such line.
    async fn one(&self, verb: &str, name: &str, words: &[&str]) -> Option<String> {
        let aws = &self.aws;
        Some(match (verb, words) {
            ("create", []) => word(&aws.create_secret().name(name).send().await),
            ("create", [token, value]) => {
                let create = aws.create_secret().name(name).client_request_token(spell(token));
                word(&create.secret_string(spell(value)).send().await)
            }
            ("put", [token, value, labels @ ..]) => {
                let put = aws.put_secret_value().secret_id(name).client_request_token(spell(token));
                let labels = (!labels.is_empty()).then(|| labels.iter().map(|label| (*label).to_owned()).collect());
                word(&put.secret_string(spell(value)).set_version_stages(labels).send().await)
            }
            ("update", [token, value]) => {
                let update = aws.update_secret().secret_id(name).client_request_token(spell(token));
                word(&update.secret_string(spell(value)).send().await)
            }
            ("move", [label, ends @ ..]) => {
                let end = |which| ends.iter().position(|end| *end == which).map(|at| spell(ends[at + 1]));
                let update = aws.update_secret_version_stage().secret_id(name).version_stage(*label);
                word(&update.set_remove_from_version_id(end("from")).set_move_to_version_id(end("to")).send().await)
            }
            ("get", which) => {
                let id = which.iter().find(|word| word.starts_with('#')).map(|id| spell(id));
                let label = which.iter().find(|word| !word.starts_with('#')).map(|label| (*label).to_owned());
                let got = aws.get_secret_value().secret_id(name).set_version_id(id).set_version_stage(label);
                let got = got.send().await;
                let refused = word(&got);
                got.map_or(refused, |got| got.secret_string().unwrap_or("no text").to_owned())
            }
            ("labels", []) => {
                let got = aws.describe_secret().secret_id(name).send().await;
                let refused = word(&got);
                got.map_or(refused, |got| labelled(got.version_ids_to_stages.unwrap_or_default()))
            }
            ("versions" | "versions-all", []) => {
                let got = aws.list_secret_version_ids().secret_id(name).include_deprecated(verb == "versions-all");
                let got = got.send().await;
                let refused = word(&got);
                let entry = |entry: &aws_sdk_secretsmanager::types::SecretVersionsListEntry| {
                    (entry.version_id().unwrap_or_default().to_owned(), entry.version_stages().to_vec())
                };
                got.map_or(refused, |got| labelled(got.versions().iter().map(entry)))
            }
            ("state", []) => {
                let got = aws.describe_secret().secret_id(name).send().await;
                let refused = word(&got);
                got.map_or(refused, |got| {
                    let state = if got.deleted_date().is_some() { "scheduled" } else { "live" }.to_owned();
                    let told =
                        |tag: &Tag| format!("{}={}", tag.key().unwrap_or_default(), tag.value().unwrap_or_default());
                    std::iter::once(state).chain(got.tags().iter().map(told)).collect::<Vec<_>>().join(" ")
                })
            }
            ("delete", how) => {
                let days = how.iter().find_map(|word| word.parse().ok());
                let force = how.contains(&"force").then_some(true);
                let delete = aws.delete_secret().secret_id(name).set_recovery_window_in_days(days);
                word(&delete.set_force_delete_without_recovery(force).send().await)
            }
            ("restore", []) => word(&aws.restore_secret().secret_id(name).send().await),
            ("tag", [key, value]) => {
                let tag = Tag::builder().key(*key).value(*value).build();
                word(&aws.tag_resource().secret_id(name).tags(tag).send().await)
            }
            _ => return None,
        })
    }

    async fn batch(&self, names: &[&str]) -> String {
        let names: Vec<_> = names.iter().map(|name| self.name(name)).collect();
        let got = self.aws.batch_get_secret_value().set_secret_id_list(Some(names)).send().await;
        let refused = word(&got);
        let Ok(got) = got else { return refused };
        let values = got.secret_values().iter().map(|value| (value.name(), "=", value.secret_string()));
        let errors = got.errors().iter().map(|error| (error.secret_id(), "!", error.error_code()));
        let mut said: Vec<_> = values
            .chain(errors)
            .map(|(name, sign, what)| format!("{}{sign}{}", self.plain(name.unwrap_or("?")), what.unwrap_or("?")))
            .collect();
        said.sort();
        said.dedup();
        said.join(" ")
    }

    async fn list(&self, words: &[&str], with_deleted: bool) -> String {
        let prefix = self.name(words.first().copied().unwrap_or_default());
        let most = words.get(1).map(|most| most.parse().expect("a number of entries"));
        let (mut pages, mut next) = (Vec::new(), None);
        loop {
            let filter = Filter::builder().key(FilterNameStringType::Name).values(&prefix).build();
            let list = self.aws.list_secrets().filters(filter).set_max_results(most).set_next_token(next);
            let got = list.include_planned_deletion(with_deleted).send().await;
            let refused = word(&got);
            let Ok(got) = got else { return refused };
            let names = got.secret_list().iter().filter_map(|entry| entry.name()).map(|name| self.plain(name));
            pages.push(names.collect::<Vec<_>>().join(" "));
            next = got.next_token;
            if next.is_none() {
                return pages.join(" | ");
            }
        }
    }

    fn name(&self, name: &str) -> String {
        format!("{}{}", self.prefix, spell(name))
    }

    fn plain<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(&self.prefix).unwrap_or(name)
    }
}

/// What a word stands for.
fn spell(word: &str) -> String {
    if word == "''" {
        return String::new();
    }
    if let Some(number) = word.strip_prefix('#') {
        return token(number.parse().expect("a version's number"));
    }
    match word.split_once('*') {
        Some((letter, count)) => letter.repeat(count.parse().expect("a number of letters")),
        None => word.to_owned(),
    }
}

/// Versions with their labels, both in order.
fn labelled(versions: impl IntoIterator<Item = (String, Vec<String>)>) -> String {
    let versions = versions.into_iter().map(|(id, mut labels)| {
        labels.sort();
        let number = id.rsplit('-').next().unwrap_or_default().trim_start_matches('0').parse().unwrap_or(0_u32);
        (number, labels.join("+"))
    });
    let versions: BTreeMap<_, _> = versions.collect();
    versions.iter().map(|(number, labels)| format!("#{number}={labels}")).collect::<Vec<_>>().join(" ")
}
