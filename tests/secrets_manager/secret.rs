//! One secret: its versions and which of them each label names.
//!
//! Labels are a map from label to version, so that no label is on two versions. Everything here changes a copy; the store
//! puts the copy in the secret's place when the whole operation was right.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::refusal::Refusal;

pub(crate) const CURRENT: &str = "AWSCURRENT";
pub(crate) const PREVIOUS: &str = "AWSPREVIOUS";
pub(crate) const PENDING: &str = "AWSPENDING";

/// What a version holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Text(String),
    Binary(Vec<u8>),
}

/// One version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) id: String,
    /// None where AWS-managed rotation has only announced the version.
    pub(crate) content: Option<Content>,
    pub(crate) created: Timestamp,
}

/// A deletion that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub(crate) asked: Timestamp,
    pub(crate) at: Timestamp,
    /// Whether it can be taken back until then.
    pub(crate) recoverable: bool,
}

/// One secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) kms_key_id: Option<String>,
    pub(crate) owning_service: Option<String>,
    /// Whether AWS-managed rotation is on; none if it was never set up.
    pub(crate) rotation_enabled: Option<bool>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) last_changed: Timestamp,
    pub(crate) deletion: Option<Deletion>,
    /// Oldest first.
    pub(crate) versions: Vec<Arc<Version>>,
    labels: BTreeMap<String, String>,
}

/// What the documentation limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Labels over all versions of a secret.
    pub(crate) labels: usize,
    /// Versions without a label go when there are more versions than this …
    pub(crate) versions: usize,
    /// … unless they are younger than this.
    pub(crate) young: SignedDuration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { labels: 20, versions: 100, young: SignedDuration::from_hours(24) }
    }
}

impl Secret {
    /// A secret without a version.
    pub(crate) fn new(name: String, arn: String, now: Timestamp) -> Self {
        Self {
            arn,
            name,
            description: None,
            kms_key_id: None,
            owning_service: None,
            rotation_enabled: None,
            tags: BTreeMap::new(),
            created: now,
            last_changed: now,
            deletion: None,
            versions: Vec::new(),
            labels: BTreeMap::new(),
        }
    }

    /// The same with its deletion asked for, or taken back.
    pub(crate) fn with_deletion(&self, deletion: Option<Deletion>, now: Timestamp) -> Self {
        Self { deletion, last_changed: now, ..self.clone() }
    }

    pub(crate) fn version(&self, id: &str) -> Option<&Arc<Version>> {
        self.versions.iter().find(|version| version.id == id)
    }

    /// The version that a label is on.
    pub(crate) fn holder(&self, label: &str) -> Option<&str> {
        self.labels.get(label).map(String::as_str)
    }

    /// The labels of a version, in order.
    pub(crate) fn labels_of(&self, id: &str) -> Vec<&str> {
        self.labels.iter().filter(|(_, holder)| *holder == id).map(|(label, _)| label.as_str()).collect()
    }

    /// Adds a version with a value under these labels, which leave the versions that had them. The first version becomes
    /// the current one whatever was asked for.
    pub(crate) fn put(&mut self, version: Version, labels: &[String]) {
        let id = version.id.clone();
        self.versions.retain(|old| old.id != id);
        self.versions.push(Arc::new(version));
        let makes_current = labels.iter().any(|label| label == CURRENT) || self.holder(CURRENT).is_none();
        for label in labels.iter().filter(|label| *label != CURRENT) {
            self.attach(label, &id);
        }
        if makes_current {
            // Seen of AWS: a put that takes the current label away takes the pending one along, if the same version has it.
            if self.holder(CURRENT).is_some() && self.holder(CURRENT) == self.holder(PENDING) {
                self.labels.remove(PENDING);
            }
            self.move_current(&id);
        }
    }

    /// Makes a version the current one, and the one that was it the previous.
    pub(crate) fn move_current(&mut self, id: &str) {
        if let Some(old) = self.labels.insert(CURRENT.to_owned(), id.to_owned())
            && old != id
        {
            self.labels.insert(PREVIOUS.to_owned(), old);
        }
    }

    /// Puts a label on a version, wherever it was.
    pub(crate) fn attach(&mut self, label: &str, id: &str) {
        self.labels.insert(label.to_owned(), id.to_owned());
    }

    pub(crate) fn detach(&mut self, label: &str) {
        self.labels.remove(label);
    }

    pub(crate) fn check(&self, limits: Limits) -> Result<(), Refusal> {
        if self.labels.len() > limits.labels {
            return Err(Refusal::limit(format!("You can't have more than {} staging labels.", limits.labels)));
        }
        Ok(())
    }

    /// Drops what the service may drop: the oldest versions without a label that are not young, down to the limit.
    pub(crate) fn prune(&mut self, limits: Limits, now: Timestamp) {
        while self.versions.len() > limits.versions {
            let gone = self.versions.iter().position(|version| {
                self.labels_of(&version.id).is_empty() && now.duration_since(version.created) >= limits.young
            });
            let Some(gone) = gone else { return };
            self.versions.remove(gone);
        }
    }
}
