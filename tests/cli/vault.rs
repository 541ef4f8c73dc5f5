//! The vault as its owner reads it: with the identity and the age library, not with this program.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use age::{Decryptor, Encryptor, IdentityFile};
use serde_json::Value;

/// A vault's directory and what opens it.
pub(crate) struct Vault {
    root: PathBuf,
    identity: PathBuf,
}

impl Vault {
    pub(crate) fn new(root: PathBuf, identity: PathBuf) -> Self {
        Self { root, identity }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn identity(&self) -> &Path {
        &self.identity
    }

    /// Where a secret lies.
    pub(crate) fn file(&self, secret: &str) -> PathBuf {
        self.root.join(format!("{secret}.age"))
    }

    /// A secret's document; none when there is no such file.
    #[track_caller]
    pub(crate) fn open(&self, secret: &str) -> Option<Value> {
        Some(self.unseal(&fs::read(self.file(secret)).ok()?))
    }

    /// The document in a file's bytes.
    #[track_caller]
    pub(crate) fn unseal(&self, sealed: &[u8]) -> Value {
        let identities =
            IdentityFile::from_file(self.identity.display().to_string()).unwrap().into_identities().unwrap();
        let decryptor = Decryptor::new_buffered(sealed).unwrap();
        let mut text = String::new();
        let identities = identities.iter().map(|identity| &**identity as &dyn age::Identity);
        decryptor.decrypt(identities).unwrap().read_to_string(&mut text).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Writes a secret's document, as a person does with an editor and the age tool.
    #[track_caller]
    pub(crate) fn write(&self, secret: &str, document: &Value) {
        let recipients = IdentityFile::from_file(self.identity.display().to_string()).unwrap().to_recipients().unwrap();
        let recipients = recipients.iter().map(|recipient| &**recipient as &dyn age::Recipient);
        let mut sealed = Vec::new();
        let mut writer = Encryptor::with_recipients(recipients).unwrap().wrap_output(&mut sealed).unwrap();
        writer.write_all(document.to_string().as_bytes()).unwrap();
        writer.finish().unwrap();
        fs::write(self.file(secret), sealed).unwrap();
    }

    /// The password of one version; none when there is no such version, or it holds no password.
    #[track_caller]
    pub(crate) fn password(&self, secret: &str, stage: &str) -> Option<String> {
        self.open(secret)?[stage]["value"]["password"].as_str().map(str::to_owned)
    }

    /// Every password that can be read in a secret.
    #[track_caller]
    pub(crate) fn passwords(&self, secret: &str) -> Vec<String> {
        let Some(document) = self.open(secret) else { return Vec::new() };
        let versions = ["current", "pending", "previous"].map(|stage| &document[stage]);
        let superseded = document["superseded"].as_array().into_iter().flatten();
        let passwords =
            versions.into_iter().chain(superseded).filter_map(|version| version["value"]["password"].as_str());
        passwords.map(str::to_owned).collect()
    }

    /// Every file with its bytes, in a stable order.
    pub(crate) fn bytes(&self) -> Vec<(PathBuf, Vec<u8>)> {
        files(&self.root).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }
}

/// Every file below a directory, in a stable order; none when it is not there.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
