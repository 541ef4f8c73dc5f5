//! `secret = "ncloud/{tenant}/{kind}/{name}"`: from an account to the name of its secret.

use std::fmt;
use std::str::FromStr;

use crate::domain::account::{AccountId, AccountName, Kind};
use crate::domain::secret::{BadSecretName, SecretName};

/// A secret's name with places for what tells accounts apart.
///
/// What an account puts into a place is encoded, so that different accounts never give the same text: letters, digits
/// and `_ + . @ -` stand for themselves; every other byte of the UTF-8 text, `=` and `/` among them, becomes `=` with
/// two hexadecimal digits in upper case, and so does a dot at the beginning. `minji/dev` becomes `minji=2Fdev`, `김`
/// becomes `=EA=B9=80`, and `.hidden` becomes `=2Ehidden`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Place(Place),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Tenant,
    Kind,
    Name,
    Id,
}

impl Place {
    const ALL: [Self; 4] = [Self::Tenant, Self::Kind, Self::Name, Self::Id];

    const fn label(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Kind => "kind",
            Self::Name => "name",
            Self::Id => "id",
        }
    }
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// A `{` without its `}`, or the other way round.
    #[error("the braces do not pair up; a placeholder is written {{name}}")]
    Braces,
    /// A word in braces that stands for nothing.
    #[error("{{{0}}} is no placeholder; there are {{tenant}}, {{kind}}, {{name}} and {{id}}")]
    Placeholder(String),
    /// The text around the placeholders cannot be part of a secret's name.
    #[error(transparent)]
    Name(#[from] BadSecretName),
}

impl Template {
    /// The secret of one account.
    pub fn render(&self, account: &AccountName, id: &AccountId) -> Result<SecretName, BadSecretName> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Place(Place::Tenant) => encode(&account.tenant, &mut text),
                Part::Place(Place::Kind) => text.push_str(account.kind.label()),
                Part::Place(Place::Name) => encode(&account.name, &mut text),
                Part::Place(Place::Id) => encode(&id.0, &mut text),
            }
        }
        text.parse()
    }

    /// What every name begins with that it gives to accounts of this tenant and kind.
    #[must_use]
    pub fn prefix(&self, tenant: &str, kind: Kind) -> String {
        let mut beginning = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => beginning.push_str(literal),
                Part::Place(Place::Tenant) => encode(tenant, &mut beginning),
                Part::Place(Place::Kind) => beginning.push_str(kind.label()),
                Part::Place(Place::Name | Place::Id) => break,
            }
        }
        beginning
    }

    /// Whether `secret` begins as the secrets of every account of this tenant and kind do.
    #[must_use]
    pub fn may_name(&self, secret: &SecretName, tenant: &str, kind: Kind) -> bool {
        secret.as_str().starts_with(&self.prefix(tenant, kind))
    }

    /// Whether the account's name is part of the secret's.
    #[must_use]
    pub fn uses_name(&self) -> bool {
        self.parts.contains(&Part::Place(Place::Name))
    }

    /// Whether the account's identifier is part of the secret's name.
    #[must_use]
    pub fn uses_id(&self) -> bool {
        self.parts.contains(&Part::Place(Place::Id))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Template {
    type Err = BadTemplate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (literal, brace) = rest.split_at(at);
            let (word, after) =
                brace.strip_prefix('{').and_then(|tail| tail.split_once('}')).ok_or(BadTemplate::Braces)?;
            if word.contains('{') {
                return Err(BadTemplate::Braces);
            }
            let place = Place::ALL.into_iter().find(|place| place.label() == word);
            let place = place.ok_or_else(|| BadTemplate::Placeholder(word.to_owned()))?;
            parts.push(Part::Literal(literal.to_owned()));
            parts.push(Part::Place(place));
            rest = after;
        }
        parts.push(Part::Literal(rest.to_owned()));
        sample(&parts).parse::<SecretName>()?;
        Ok(Self { text: text.to_owned(), parts })
    }
}

/// The template with something harmless in every place, which shows whether the text around them is sound.
fn sample(parts: &[Part]) -> String {
    let text = parts.iter().map(|part| match part {
        Part::Literal(literal) => literal.as_str(),
        Part::Place(place) => place.label(),
    });
    text.collect()
}

fn encode(text: &str, out: &mut String) {
    use fmt::Write as _;
    for (at, byte) in text.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || b"_+@-".contains(&byte) || (byte == b'.' && at > 0);
        if plain {
            out.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "={byte:02X}");
        }
    }
}
