//! The identity that opens a vault, and the recipients that can open it besides.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use age::x25519;
use secrecy::{ExposeSecret, SecretSlice};
use zeroize::Zeroizing;

use super::keyring::Keyring;
use super::store::refusal;
use crate::durable;
use crate::ports::vault::VaultError;

/// An identity file holds a handful of lines; whatever is larger is something else.
const MOST_BYTES: usize = 1 << 20;

/// Where the identity comes from: one or more lines as `age-keygen` writes them.
#[derive(Debug)]
pub enum IdentitySource {
    /// A file, private to its owner. It is made on first use, and only while the vault holds no secret.
    File(PathBuf),
    /// What a service manager handed over, a systemd credential for instance. Never made, never written.
    Bytes {
        /// What to call it in errors.
        name: String,
        /// Its content.
        secret: SecretSlice<u8>,
    },
}

/// Somebody else who can open every secret, for escrow: an `age1…` public key.
#[derive(Debug, Clone)]
pub struct Recipient(x25519::Recipient);

/// A text that is no `age1…` public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the recipient {shown:?} is no age public key; write the `age1…` line that `age-keygen -y` prints")]
pub struct BadRecipient {
    shown: String,
}

impl FromStr for Recipient {
    type Err = BadRecipient;

    fn from_str(text: &str) -> Result<Self, BadRecipient> {
        let secret = text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-");
        let shown = || if secret { "AGE-SECRET-KEY-… (masked)".to_owned() } else { text.to_owned() };
        text.parse().map(Self).map_err(|_| BadRecipient { shown: shown() })
    }
}

impl IdentitySource {
    /// What to call it in errors.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => format!("the identity file {}", path.display()),
            Self::Bytes { name, .. } => format!("the identity in {name}"),
        }
    }

    /// Reads it; none when the file does not exist. It is read anew for every operation, so that a restored file helps at
    /// once, and so that nothing is sealed with an identity that has been lost since.
    pub(super) fn load(&self, recipients: &[Recipient]) -> Result<Option<Keyring>, VaultError> {
        match self {
            Self::File(path) => {
                let Some(text) = read_private(path)? else { return Ok(None) };
                self.parse(&text, recipients).map(Some)
            }
            Self::Bytes { secret, .. } => self.parse(secret.expose_secret(), recipients).map(Some),
        }
    }

    fn parse(&self, text: &[u8], recipients: &[Recipient]) -> Result<Keyring, VaultError> {
        let unreadable = |what: &str| {
            VaultError::Unreadable(format!(
                "{} {what}; restore it from its backup, with lines as `age-keygen` writes them",
                self.name()
            ))
        };
        let file = age::IdentityFile::from_buffer(text)
            .map_err(|_| unreadable("holds something else than `AGE-SECRET-KEY-1…` lines and comments"))?;
        let mut sealed_to = file.to_recipients().map_err(|_| unreadable("cannot be used to encrypt"))?;
        let identities = file.into_identities().map_err(|_| unreadable("cannot be used to decrypt"))?;
        if identities.is_empty() {
            return Err(unreadable("holds no identity"));
        }
        sealed_to.extend(recipients.iter().map(|recipient| Box::new(recipient.0.clone()) as _));
        Ok(Keyring::new(identities, sealed_to, self.name()))
    }
}

/// Makes a new identity file in the form of `age-keygen`, at 0600. Leaves a file alone that exists by now.
pub(super) fn make(path: &Path) -> Result<(), VaultError> {
    let identity = x25519::Identity::generate();
    let (public, secret) = (identity.to_public().to_string(), identity.to_string());
    let lines = [
        "# made by ncloud-rotator on first use; keep a copy elsewhere, for without it the vault cannot be opened\n",
        "# public key: ",
        &public,
        "\n",
        secret.expose_secret(),
        "\n",
    ];
    let text = Zeroizing::new(lines.concat());
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        durable::create_private_dir_all(dir).map_err(|error| refusal(&error))?;
    }
    if durable::create_new(path, text.as_bytes()).map_err(|error| refusal(&error))? {
        tracing::info!(event = "identity-made", identity = %path.display(), public_key = %public, "made a new identity; keep a copy elsewhere");
    }
    Ok(())
}

fn read_private(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    let Some(text) = durable::read(path, MOST_BYTES).map_err(|error| refusal(&error))?.map(Zeroizing::new) else {
        return Ok(None);
    };
    let mode = fs::metadata(path).map_or(0, |found| found.permissions().mode() & 0o777);
    if mode & 0o077 != 0 {
        return Err(VaultError::Denied(format!(
            "the identity file {path} is open to others (mode {mode:04o}), who could open the whole vault; \
             run `chmod 600 {path}`",
            path = path.display()
        )));
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> IdentitySource {
        IdentitySource::Bytes { name: "the credential test".into(), secret: text.as_bytes().to_vec().into() }
    }

    fn line() -> String {
        x25519::Identity::generate().to_string().expose_secret().to_owned()
    }

    #[test]
    fn a_recipient_is_a_public_key_and_a_secret_one_is_not_repeated() {
        let public = x25519::Identity::generate().to_public().to_string();
        assert!(public.parse::<Recipient>().is_ok());
        for bad in ["", "age1", "ssh-ed25519 AAAA", &public[..30]] {
            assert!(bad.parse::<Recipient>().unwrap_err().to_string().contains("age-keygen -y"), "{bad}");
        }
        let secret = line();
        let error = secret.parse::<Recipient>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains(&secret[16..24]));
    }

    #[test]
    fn several_identities_and_comments_are_fine_and_anything_else_is_named() {
        assert!(bytes(&format!("# a\n\n{}\r\n{}", line(), line())).load(&[]).unwrap().is_some());
        for bad in ["", "# only a comment\n", "hunter2\n", &format!("{}\nhunter2", line())] {
            let Err(VaultError::Unreadable(text)) = bytes(bad).load(&[]) else { panic!("{bad:?} was taken") };
            assert!(text.contains("the credential test") && text.contains("restore it"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn a_made_identity_is_private_and_never_made_over_another() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("keys/identity.txt");
        let source = IdentitySource::File(path.clone());
        assert!(source.load(&[]).unwrap().is_none());
        make(&path).unwrap();
        let first = fs::read_to_string(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(source.load(&[]).unwrap().is_some());
        make(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), first);
    }

    #[test]
    fn an_identity_file_that_others_can_read_is_refused() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("identity.txt");
        make(&path).unwrap();
        for (mode, good) in [(0o640, false), (0o604, false), (0o620, false), (0o400, true), (0o600, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match IdentitySource::File(path.clone()).load(&[]) {
                Ok(_) => assert!(good, "{mode:o} was taken"),
                Err(VaultError::Denied(text)) => assert!(!good && text.contains("chmod 600"), "{text}"),
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let line = line();
        assert!(!format!("{:?}", bytes(&line)).contains(&line[16..24]));
    }
}
