//! Sealing a document to everyone who may open it, and opening it again.

use std::io::{self, Read, Write};

use age::{DecryptError, Decryptor, Encryptor};
use zeroize::Zeroizing;

use super::document::{BadDocument, Document};

/// Identities that open files, and recipients that files are sealed to: the same ones, and the extra ones.
pub(super) struct Keyring {
    identities: Vec<Box<dyn age::Identity + Send + Sync>>,
    recipients: Vec<Box<dyn age::Recipient + Send>>,
    name: String,
}

/// Why a file cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unopened {
    /// It is a good file, sealed to somebody else.
    #[error("it is encrypted to somebody else than {0}; restore the identity that it was made with")]
    NotForUs(String),
    /// `age -a` was used.
    #[error("it is in age's text form; encrypt it again without `-a`")]
    Armoured,
    /// Truncated, or its bytes were changed.
    #[error("it is damaged ({0}); restore it from a backup, and then rotate the account")]
    Damaged(&'static str),
    /// What was inside is no document of ours.
    #[error(transparent)]
    Document(#[from] BadDocument),
}

impl Keyring {
    pub(super) fn new(
        identities: Vec<Box<dyn age::Identity + Send + Sync>>,
        recipients: Vec<Box<dyn age::Recipient + Send>>,
        name: String,
    ) -> Self {
        Self { identities, recipients, name }
    }

    /// Encrypts a document. It fails only when the libraries do.
    pub(super) fn seal(&self, document: &Document) -> io::Result<Vec<u8>> {
        let text = document.encode()?;
        let recipients = self.recipients.iter().map(|recipient| &**recipient as &dyn age::Recipient);
        let encryptor = Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        let mut sealed = Vec::new();
        let mut writer = encryptor.wrap_output(&mut sealed)?;
        writer.write_all(&text)?;
        writer.finish()?;
        Ok(sealed)
    }

    /// Decrypts a document.
    pub(super) fn open(&self, sealed: &[u8]) -> Result<Document, Unopened> {
        let mut reader = self.unlock(sealed)?;
        // The text is shorter than what it was sealed in: the buffer never grows and leaves no copies behind.
        let mut text = Zeroizing::new(Vec::with_capacity(sealed.len()));
        reader.read_to_end(&mut text).map_err(|_| Unopened::Damaged("its end is missing, or bytes were changed"))?;
        Ok(Document::decode(&text)?)
    }

    /// Whether one of the identities is among those that it was sealed to, be the rest damaged.
    pub(super) fn fits(&self, sealed: &[u8]) -> Result<(), Unopened> {
        self.unlock(sealed).map(|_| ())
    }

    fn unlock<'a>(&self, sealed: &'a [u8]) -> Result<impl Read + use<'a>, Unopened> {
        if sealed.is_empty() {
            return Err(Unopened::Damaged("it is empty"));
        }
        if sealed.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----") {
            return Err(Unopened::Armoured);
        }
        let identities = self.identities.iter().map(|identity| &**identity as &dyn age::Identity);
        Decryptor::new_buffered(sealed).and_then(|decryptor| decryptor.decrypt(identities)).map_err(|error| match error
        {
            DecryptError::NoMatchingKeys => Unopened::NotForUs(self.name.clone()),
            DecryptError::InvalidMac | DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
                Unopened::Damaged("its header was changed")
            }
            DecryptError::UnknownFormat => Unopened::Damaged("it is of an unknown age format"),
            _ => Unopened::Damaged("it is no age file, or its end is missing"),
        })
    }
}
