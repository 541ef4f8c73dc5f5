//! The vault's files: where a secret lies, the lock, and what is allowed over what.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::document::Document;
use super::identity::{self, IdentitySource, Recipient};
use super::keyring::{Keyring, Unopened};
use crate::domain::rotation::snapshot::Revision;
use crate::domain::secret::SecretName;
use crate::durable;
use crate::ports::vault::VaultError;

/// A secret with hundreds of superseded versions stays far below this.
const MOST_BYTES: usize = 16 << 20;
/// Stands in every vault's root, and so tells where one is.
const LOCK: &str = ".ncloud-rotator.lock";
const EXTENSION: &str = "age";

/// The directory and what opens it. Every method blocks.
pub(super) struct Store {
    pub root: PathBuf,
    pub identity: IdentitySource,
    pub recipients: Vec<Recipient>,
    pub patience: Duration,
}

/// A secret's file, opened; both none when it does not exist.
pub(super) struct Loaded {
    pub revision: Revision,
    pub document: Option<Document>,
    keyring: Option<Keyring>,
}

impl Store {
    /// Takes the vault's lock, making directory and lock file if they are missing.
    pub(super) fn lock(&self) -> Result<durable::Guard, VaultError> {
        durable::create_private_dir_all(&self.root).map_err(|error| refusal(&error))?;
        durable::lock(&self.root.join(LOCK), self.patience).map_err(|error| refusal(&error))
    }

    /// Opens a secret's file. What cannot be opened is an error and never taken for absent.
    pub(super) fn load(&self, secret: &SecretName) -> Result<Loaded, VaultError> {
        let path = self.path(secret);
        let Some(sealed) = durable::read(&path, MOST_BYTES).map_err(|error| refusal(&error))? else {
            return Ok(Loaded { revision: Revision([0; 32]), document: None, keyring: None });
        };
        let keyring = self.identity.load(&self.recipients)?.ok_or_else(|| self.identity_missing(&path))?;
        let document = keyring.open(&sealed).map_err(|error| unreadable(&path, &error))?;
        Ok(Loaded { revision: revision(&sealed), document: Some(document), keyring: Some(keyring) })
    }

    /// Makes sure that what [`load`](Self::load) showed survives a power cut, in case its writer was killed between the
    /// rename and the sync: a candidate is applied on the strength of a read.
    pub(super) fn settle(&self, secret: &SecretName) -> Result<(), VaultError> {
        let path = self.path(secret);
        durable::sync_dir(path.parent().unwrap_or(&self.root)).map_err(|error| refusal(&error))
    }

    /// Replaces a secret's file with `document`, durably. To be called under the lock, with what `over` showed under it.
    pub(super) fn save(&self, secret: &SecretName, document: &Document, over: Loaded) -> Result<Revision, VaultError> {
        let path = self.path(secret);
        self.is_alone(&path)?;
        let keyring = if let Some(keyring) = over.keyring {
            keyring
        } else {
            self.make_way(&path)?;
            self.founding_keyring()?
        };
        let sealed = keyring.seal(document).map_err(|error| {
            VaultError::Unavailable(format!("cannot encrypt {}: {error}; nothing was changed", path.display()))
        })?;
        durable::remove_leftovers(&path).map_err(|error| refusal(&error))?;
        durable::replace(&path, &sealed).map_err(|error| refusal(&error))?;
        Ok(revision(&sealed))
    }

    /// Refuses to write where another vault's directory lies around this one or within it: one file would have two locks.
    /// Either takes its own lock before it looks, so that at least one of them sees the other.
    fn is_alone(&self, file: &Path) -> Result<(), VaultError> {
        let root = real(&self.root);
        let other = real(file).ancestors().skip(1).filter(|dir| *dir != root).find_map(|dir| {
            let lock = dir.join(LOCK);
            lock.exists().then_some(lock)
        });
        let Some(lock) = other else { return Ok(()) };
        Err(VaultError::Denied(format!(
            "the vault's directory {} and the one of {} overlap, and two locks guard no file; give each vault a directory \
             of its own, or remove that lock file if no configuration uses its directory any more",
            root.display(),
            lock.display()
        )))
    }

    /// Whether everything can be read, opened and written, or made where it is not there yet. Leaves nothing behind.
    pub(super) fn check(&self) -> Result<(), VaultError> {
        durable::probe_nearest(&self.root).map_err(|error| refusal(&error))?;
        let secrets = if self.root.exists() { self.secrets()? } else { Vec::new() };
        let Some(keyring) = self.identity.load(&self.recipients)? else {
            return match (secrets.first(), &self.identity) {
                (Some(secret), _) => Err(self.identity_missing(secret)),
                (None, IdentitySource::File(path)) => durable::probe_nearest(path).map_err(|error| refusal(&error)),
                (None, IdentitySource::Bytes { .. }) => Ok(()),
            };
        };
        let mut first = None;
        let mut bad = 0_usize;
        for path in &secrets {
            if let Err(error) = examine(&keyring, path) {
                bad += 1;
                first.get_or_insert(error);
            }
        }
        match first {
            None => Ok(()),
            Some(error) if bad == 1 => Err(error),
            Some(error) => {
                let total = secrets.len();
                Err(VaultError::Unreadable(format!(
                    "{bad} of the vault's {total} secrets cannot be opened; first, {error}"
                )))
            }
        }
    }

    fn path(&self, secret: &SecretName) -> PathBuf {
        self.root.join(format!("{secret}.{EXTENSION}"))
    }

    /// Makes the directories above a new secret. Each is synced even if it was found: whoever made it may have been killed
    /// before its name was on the disk.
    fn make_way(&self, path: &Path) -> Result<(), VaultError> {
        let dir = path.parent().unwrap_or(&self.root);
        durable::create_private_dir_all(dir).map_err(|error| refusal(&error))?;
        for above in dir.ancestors().skip(1).take_while(|above| above.starts_with(&self.root)) {
            durable::sync_dir(above).map_err(|error| refusal(&error))?;
        }
        sync_names_beside(&self.root)
    }

    /// The keyring to seal a *new* secret with. An identity that opens nothing of what is there already would split the
    /// vault in two, and is refused.
    fn founding_keyring(&self) -> Result<Keyring, VaultError> {
        let secrets = self.secrets()?;
        let keyring = self.keyring_or_first(&secrets)?;
        if let IdentitySource::File(path) = &self.identity {
            sync_names_beside(path)?;
        }
        let mut stranger = None;
        for path in secrets {
            let Some(sealed) = durable::read(&path, MOST_BYTES).map_err(|error| refusal(&error))? else { continue };
            match keyring.fits(&sealed) {
                Ok(()) => return Ok(keyring),
                Err(error @ Unopened::NotForUs(_)) => stranger = Some(unreadable(&path, &error)),
                Err(_) => {}
            }
        }
        stranger.map_or(Ok(keyring), Err)
    }

    /// The keyring, its identity made now if there is none and nothing was ever sealed.
    fn keyring_or_first(&self, secrets: &[PathBuf]) -> Result<Keyring, VaultError> {
        if let Some(keyring) = self.identity.load(&self.recipients)? {
            return Ok(keyring);
        }
        if let Some(secret) = secrets.first() {
            return Err(self.identity_missing(secret));
        }
        if let IdentitySource::File(path) = &self.identity {
            identity::make(path)?;
        }
        self.identity.load(&self.recipients)?.ok_or_else(|| {
            VaultError::Unavailable(format!("{} was made and is gone again; look who removes it", self.identity.name()))
        })
    }

    fn identity_missing(&self, secret: &Path) -> VaultError {
        let escrow =
            if self.recipients.is_empty() { "" } else { ", or put an extra recipient's identity in its place" };
        VaultError::Unreadable(format!(
            "{} is missing, and the vault holds secrets that only it opens, such as {}; restore it from the copy that was \
             kept when it was made{escrow}. No new one was made",
            self.identity.name(),
            secret.display()
        ))
    }

    /// The names of all secrets, in a stable order. A file whose name could not be a secret's is not ours.
    pub(super) fn names(&self) -> Result<Vec<SecretName>, VaultError> {
        if !self.root.exists() {
            return Ok(Vec::new());
        }
        let name = |path: &PathBuf| path.strip_prefix(&self.root).ok()?.with_extension("").to_str()?.parse().ok();
        Ok(self.secrets()?.iter().filter_map(name).collect())
    }

    /// Every secret's file, in a stable order. Hidden names are the lock and leftovers.
    fn secrets(&self) -> Result<Vec<PathBuf>, VaultError> {
        let mut found = Vec::new();
        let mut dirs = vec![self.root.clone()];
        let mut seen = HashSet::new();
        while let Some(dir) = dirs.pop() {
            walk(&dir, &mut seen, &mut dirs, &mut found).map_err(|error| {
                VaultError::Unavailable(format!(
                    "cannot list the vault's directory {}: {error}; look at its permissions and its disk",
                    dir.display()
                ))
            })?;
        }
        found.sort();
        Ok(found)
    }
}

/// What a file operation's failure means for the vault.
pub(super) fn refusal(error: &durable::Error) -> VaultError {
    let text = error.to_string();
    match error.kind() {
        durable::Kind::Denied => VaultError::Denied(text),
        durable::Kind::Unavailable => VaultError::Unavailable(text),
        durable::Kind::Doubtful => VaultError::Doubtful(text),
    }
}

/// Like [`durable::sync_dir`] for a directory that may be somebody else's: one that cannot even be opened was not written
/// by us.
fn sync_names_beside(path: &Path) -> Result<(), VaultError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match durable::sync_dir(dir) {
        Err(error) if error.kind() != durable::Kind::Denied => Err(refusal(&error)),
        _ => Ok(()),
    }
}

/// The path without links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let known = path.ancestors().find_map(|above| Some((above, fs::canonicalize(above).ok()?)));
    known.map_or_else(
        || path.to_owned(),
        |(above, real)| path.strip_prefix(above).map_or_else(|_| path.to_owned(), |rest| real.join(rest)),
    )
}

fn unreadable(path: &Path, error: &Unopened) -> VaultError {
    VaultError::Unreadable(format!("the vault's file {} cannot be used: {error}. It was left as it is", path.display()))
}

fn revision(sealed: &[u8]) -> Revision {
    Revision(Sha256::digest(sealed).into())
}

fn examine(keyring: &Keyring, path: &Path) -> Result<(), VaultError> {
    let Some(sealed) = durable::read(path, MOST_BYTES).map_err(|error| refusal(&error))? else { return Ok(()) };
    keyring.open(&sealed).map_err(|error| unreadable(path, &error))?;
    let mode = fs::metadata(path).map_or(0, |found| found.permissions().mode() & 0o777);
    if mode & 0o022 != 0 {
        tracing::warn!(event = "vault-file-open", file = %path.display(), "others may write this file of the vault; `chmod 600` it");
    }
    Ok(())
}

fn walk(
    dir: &Path,
    seen: &mut HashSet<(u64, u64)>,
    dirs: &mut Vec<PathBuf>,
    found: &mut Vec<PathBuf>,
) -> io::Result<()> {
    let place = fs::metadata(dir)?;
    if !seen.insert((place.dev(), place.ino())) {
        return Ok(());
    }
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        // A link whose target is gone still stands for what was there.
        let is_dir = fs::metadata(&path).is_ok_and(|target| target.is_dir());
        if is_dir {
            dirs.push(path);
        } else if path.extension().is_some_and(|extension| extension == EXTENSION) {
            found.push(path);
        }
    }
    Ok(())
}
