//! The key pairs that are accepted: the one that the emulator was started with, those that the test door adds, and a server
//! role's temporary ones.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::domain::secret::Keys;
use crate::ports::entropy::{Entropy, EntropyError};

/// Every pair that is accepted now, one for an access key.
pub(super) struct KeyRing(Mutex<Vec<Accepted>>);

struct Accepted {
    keys: Keys,
    /// None: for good.
    until: Option<Timestamp>,
}

/// A pair as the test door shows it.
#[derive(Serialize)]
pub(super) struct Listed {
    access_key: String,
    expiration: Option<Timestamp>,
}

impl KeyRing {
    pub(super) fn new(keys: Keys) -> Self {
        Self(Mutex::new(vec![Accepted { keys, until: None }]))
    }

    /// The pair with this access key, unless it has expired.
    pub(super) fn find(&self, access: &str, now: Timestamp) -> Option<Keys> {
        let pairs = self.pairs();
        let found = pairs.iter().find(|pair| pair.keys.expose_access() == access)?;
        found.until.is_none_or(|until| now < until).then(|| found.keys.clone())
    }

    /// Accepts a pair until then, in place of any other with its access key.
    pub(super) fn accept(&self, keys: Keys, until: Option<Timestamp>) {
        let mut pairs = self.pairs();
        pairs.retain(|pair| pair.keys.expose_access() != keys.expose_access());
        pairs.push(Accepted { keys, until });
    }

    /// Accepts the pair no longer; says whether there was one.
    pub(super) fn forget(&self, access: &str) -> bool {
        let mut pairs = self.pairs();
        let before = pairs.len();
        pairs.retain(|pair| pair.keys.expose_access() != access);
        pairs.len() < before
    }

    /// The access keys, and until when they are good.
    pub(super) fn list(&self) -> Vec<Listed> {
        let listed =
            |pair: &Accepted| Listed { access_key: pair.keys.expose_access().to_owned(), expiration: pair.until };
        self.pairs().iter().map(listed).collect()
    }

    fn pairs(&self) -> MutexGuard<'_, Vec<Accepted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing(redacted)")
    }
}

/// Server roles and the temporary keys that they have now.
#[derive(Default)]
pub(super) struct Roles(Mutex<BTreeMap<String, Role>>);

struct Role {
    lifetime: SignedDuration,
    current: Option<Temporary>,
}

/// A role's temporary keys.
#[derive(Debug, Clone)]
pub(super) struct Temporary {
    pub(super) keys: Keys,
    pub(super) expiration: Timestamp,
}

/// How long temporary keys are good for unless the test door says otherwise.
const LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// New keys are handed out so long before the old ones expire, or half their life before it if that is shorter.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

impl Roles {
    /// The keys of a role at `now`. New ones are made, and accepted by `ring`, shortly before the last ones expire.
    pub(super) fn credentials(
        &self,
        role: &str,
        now: Timestamp,
        ring: &KeyRing,
        entropy: &dyn Entropy,
    ) -> Result<Temporary, EntropyError> {
        let mut roles = self.roles();
        let role = roles.entry(role.to_owned()).or_insert(Role { lifetime: LIFETIME, current: None });
        let overlap = OVERLAP.min(role.lifetime / 2);
        let good = role.current.as_ref().filter(|current| now.duration_since(current.expiration) < -overlap);
        if let Some(good) = good {
            return Ok(good.clone());
        }
        let keys = Keys::new(draw(entropy, 20, ACCESS)?, draw(entropy, 40, SECRET)?);
        let fresh = Temporary { keys, expiration: now.saturating_add(role.lifetime).unwrap_or(Timestamp::MAX) };
        ring.accept(fresh.keys.clone(), Some(fresh.expiration));
        role.current = Some(fresh.clone());
        Ok(fresh)
    }

    /// Makes the role's next keys, which it has at the next question, last so long.
    pub(super) fn set(&self, role: String, lifetime: SignedDuration) {
        self.roles().insert(role, Role { lifetime, current: None });
    }

    fn roles(&self) -> MutexGuard<'_, BTreeMap<String, Role>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const ACCESS: &[u8] = b"0123456789ABCDEF";
const SECRET: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/";

/// Text of an alphabet whose length divides 256, so that every character is equally likely.
fn draw(entropy: &dyn Entropy, length: usize, alphabet: &[u8]) -> Result<String, EntropyError> {
    let mut bytes = vec![0; length];
    entropy.fill(&mut bytes)?;
    Ok(bytes.into_iter().map(|byte| char::from(alphabet[usize::from(byte) % alphabet.len()])).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    struct Steps(AtomicU8);

    impl Entropy for Steps {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            bytes.fill_with(|| self.0.fetch_add(37, Ordering::Relaxed));
            Ok(())
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_pair_is_good_until_it_expires_or_is_forgotten_or_replaced() {
        let pair = |secret: &str| Keys::new("AK".into(), secret.into());
        let ring = KeyRing::new(Keys::new("first".into(), "SK".into()));
        ring.accept(pair("old"), None);
        ring.accept(pair("new"), Some(at(10)));
        let secret = |now| ring.find("AK", at(now)).map(|keys| keys.expose_secret().to_owned());
        assert_eq!((secret(0).as_deref(), secret(9).as_deref(), secret(10)), (Some("new"), Some("new"), None));
        assert_eq!(ring.list().len(), 2);
        assert!(ring.forget("first") && !ring.forget("first"));
        assert!(ring.find("first", at(0)).is_none());
        assert!(!format!("{ring:?}").contains("AK"));
    }

    #[test]
    fn a_role_keeps_its_keys_until_shortly_before_they_expire_and_the_old_ones_stay_good_to_the_end() {
        let ring = KeyRing::new(Keys::new("first".into(), "SK".into()));
        let (roles, entropy) = (Roles::default(), Steps(0.into()));
        let access = |now| {
            let current = roles.credentials("r", at(now), &ring, &entropy).unwrap();
            (current.keys.expose_access().to_owned(), current.expiration)
        };
        let (first, expires) = access(0);
        assert_eq!((first.len(), expires), (20, at(3600)));
        assert_eq!(access(3299), (first.clone(), at(3600)));
        let (second, expires) = access(3300);
        assert_eq!(expires, at(6900));
        assert_ne!(first, second);
        assert!(ring.find(&first, at(3599)).is_some() && ring.find(&first, at(3600)).is_none());

        roles.set("r".into(), SignedDuration::from_secs(4));
        let (third, expires) = access(3300);
        assert_eq!(expires, at(3304));
        assert_eq!(access(3301).0, third);
        assert_ne!(access(3302).0, third);
    }
}
