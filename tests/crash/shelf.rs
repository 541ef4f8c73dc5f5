//! A vault as its owner reads it, without this program: what the promise is held against.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;

use clap::ValueEnum;
use serde_json::Value;

use crate::vault::Vault;

/// The secret that an account's password goes to, as one read shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// The current password; none while the secret is a placeholder, or not there.
    pub(crate) current: Option<String>,
    pub(crate) pending: Option<String>,
    /// Every password that can be read, those two among them.
    pub(crate) readable: Vec<String>,
    /// Whether no rotation is under way.
    pub(crate) idle: bool,
}

/// A kind of vault, for one world.
pub(crate) trait Shelf: Send + Sync {
    /// Its servers, which a relay stands before; none when it has none.
    fn servers(&self) -> Vec<SocketAddr>;

    /// Its table in a configuration, where its servers are at these addresses.
    fn table(&self, servers: &[SocketAddr]) -> String;

    fn environment(&self) -> Vec<(&'static str, String)>;

    /// One read of a secret.
    fn read(&self, secret: &str) -> Held;

    /// Makes something go wrong, where there is a server for which it can.
    fn trouble(&self, _: Trouble) {}

    /// Lets go on what trouble holds.
    fn release(&self) {}

    /// Nothing goes wrong any more.
    fn clear_trouble(&self) {}
}

/// A vault's server that fails once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trouble {
    /// For which of its operations.
    pub(crate) operation: Operation,
    pub(crate) failure: Failure,
    /// How many requests pass first.
    pub(crate) skip: u8,
}

/// What a rotation asks of a vault's server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Stage,
    Promote,
    Read,
}

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    DropBefore,
    DropAfter,
    ErrorBefore,
    ErrorAfter,
    Throttled,
    Delayed,
    Garbage,
    HeldBefore,
    HeldAfter,
}

/// The kinds of vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A directory of age files.
    Age,
    /// A strict Secrets Manager.
    Aws,
}

/// A directory of age files, opened with the age library.
pub(crate) struct AgeShelf {
    vault: Vault,
    /// What was read last: it is looked at far more often than it changes.
    seen: Mutex<HashMap<String, (Vec<u8>, Held)>>,
}

impl AgeShelf {
    /// In the directory of a configuration.
    pub(crate) fn new(dir: &Path) -> Self {
        Self { vault: Vault::new(dir.join("vault"), dir.join("identity.txt")), seen: Mutex::default() }
    }
}

impl Shelf for AgeShelf {
    fn servers(&self) -> Vec<SocketAddr> {
        Vec::new()
    }

    fn table(&self, _: &[SocketAddr]) -> String {
        "kind = \"age-directory\"\npath = \"vault\"\nidentity = { file = \"identity.txt\" }\n".to_owned()
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn read(&self, secret: &str) -> Held {
        let Ok(sealed) = fs::read(self.vault.file(secret)) else { return Held { idle: true, ..Held::default() } };
        let mut seen = self.seen.lock().unwrap();
        match seen.get(secret) {
            Some((before, held)) if *before == sealed => held.clone(),
            _ => {
                let held = held(&self.vault.unseal(&sealed));
                seen.insert(secret.to_owned(), (sealed, held.clone()));
                held
            }
        }
    }
}

fn held(document: &Value) -> Held {
    let password = |version: &Value| version["value"]["password"].as_str().map(str::to_owned);
    let versions = ["current", "pending", "previous"].map(|stage| &document[stage]);
    let superseded = document["superseded"].as_array().into_iter().flatten();
    Held {
        current: password(&document["current"]),
        pending: password(&document["pending"]),
        readable: versions.into_iter().chain(superseded).filter_map(password).collect(),
        idle: document["pending"].is_null() && document["superseded"].is_null(),
    }
}

impl Kind {
    /// What it is, for people.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Age => "an age directory",
            Self::Aws => "a strict Secrets Manager",
        }
    }
}
