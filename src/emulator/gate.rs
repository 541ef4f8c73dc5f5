//! The API gateway's first questions: who asks, and when did they sign? (`ncloud-api.md`, section 1) And may they?

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use super::call::{Call, CallPattern};
use super::keys::KeyRing;
use super::reply::Reply;
use crate::domain::signature::{ACCESS_KEY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, verify};

/// The keys that are accepted, and for how long a signature made with them lasts.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) keys: KeyRing,
    pub(super) rights: Rights,
    pub(super) lifetime: SignedDuration,
}

impl Gate {
    /// Refuses a request whose signature is missing, wrong, made with another key, or signed `lifetime` or more away from
    /// `now`. `target` is the path with its query, as it came over the wire.
    pub(super) fn check(&self, method: &str, target: &str, headers: &HeaderMap, now: Timestamp) -> Result<(), Reply> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (Some(millis), Some(access), Some(signature)) =
            (header(TIMESTAMP_HEADER), header(ACCESS_KEY_HEADER), header(SIGNATURE_HEADER))
        else {
            return Err(Reply::authentication_failed("Authentication information are missing."));
        };
        let signed_at = millis.parse().ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
        let Some(signed_at) = signed_at else {
            return Err(Reply::authentication_failed("Invalid timestamp."));
        };
        if now.duration_since(signed_at).abs() >= self.lifetime {
            return Err(Reply::authentication_failed("Expired timestamp."));
        }
        let keys = self.keys.find(access, now);
        if !keys.is_some_and(|keys| verify(&keys, method, target, signed_at, signature)) {
            return Err(Reply::authentication_failed("Invalid authentication information."));
        }
        Ok(())
    }
}

/// The calls that no key has a right to: none, unless the test door says so.
#[derive(Debug, Default)]
pub(super) struct Rights(Mutex<Vec<CallPattern>>);

impl Rights {
    /// Refuses a call that is denied.
    pub(super) fn check(&self, call: Call) -> Result<(), Reply> {
        let is_denied = self.list().iter().any(|pattern| pattern.fits(call));
        if is_denied { Err(Reply::permission_denied()) } else { Ok(()) }
    }

    /// Denies these calls and no others.
    pub(super) fn deny(&self, calls: Vec<CallPattern>) {
        *self.list() = calls;
    }

    /// The calls that are denied.
    pub(super) fn denied(&self) -> Vec<CallPattern> {
        self.list().clone()
    }

    fn list(&self) -> MutexGuard<'_, Vec<CallPattern>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Keys;
    use crate::domain::signature::sign;

    const SIGNED: i64 = 1_763_752_800_000;
    const TARGET: &str = "/api/v1/login-alias";

    /// Headers of a good request, with one of them replaced or taken away.
    fn headers(keys: &Keys, change: Option<(&'static str, Option<&str>)>) -> HeaderMap {
        let signature = sign(keys, "GET", TARGET, Timestamp::from_millisecond(SIGNED).unwrap());
        let mut headers = HeaderMap::new();
        headers.insert(TIMESTAMP_HEADER, SIGNED.to_string().parse().unwrap());
        headers.insert(ACCESS_KEY_HEADER, keys.expose_access().parse().unwrap());
        headers.insert(SIGNATURE_HEADER, signature.parse().unwrap());
        match change {
            Some((name, Some(value))) => drop(headers.insert(name, value.parse().unwrap())),
            Some((name, None)) => drop(headers.remove(name)),
            None => {}
        }
        headers
    }

    #[test]
    fn only_a_fresh_signature_by_the_right_key_passes() {
        let keys = Keys::new("AK".into(), "SK".into());
        let gate = Gate {
            keys: KeyRing::new(keys.clone()),
            rights: Rights::default(),
            lifetime: SignedDuration::from_mins(5),
        };
        let signed_with_another_secret = Keys::new("AK".into(), "SK2".into());
        let minutes =
            |minutes: i64, millis: i64| Timestamp::from_millisecond(SIGNED + minutes * 60_000 + millis).unwrap();
        let cases = [
            ("good", headers(&keys, None), minutes(0, 0), true),
            ("just fresh", headers(&keys, None), minutes(5, -1), true),
            ("just expired", headers(&keys, None), minutes(5, 0), false),
            ("just not too early", headers(&keys, None), minutes(-5, 1), true),
            ("from the future", headers(&keys, None), minutes(-5, 0), false),
            ("other secret", headers(&signed_with_another_secret, None), minutes(0, 0), false),
            ("no time", headers(&keys, Some((TIMESTAMP_HEADER, None))), minutes(0, 0), false),
            ("time is no number", headers(&keys, Some((TIMESTAMP_HEADER, Some("now")))), minutes(0, 0), false),
            (
                "time out of range",
                headers(&keys, Some((TIMESTAMP_HEADER, Some("9223372036854775807")))),
                minutes(0, 0),
                false,
            ),
            ("other time", headers(&keys, Some((TIMESTAMP_HEADER, Some("1763752800001")))), minutes(0, 0), false),
            ("no key", headers(&keys, Some((ACCESS_KEY_HEADER, None))), minutes(0, 0), false),
            ("unknown key", headers(&keys, Some((ACCESS_KEY_HEADER, Some("AK2")))), minutes(0, 0), false),
            ("no signature", headers(&keys, Some((SIGNATURE_HEADER, None))), minutes(0, 0), false),
            ("not base64", headers(&keys, Some((SIGNATURE_HEADER, Some("!")))), minutes(0, 0), false),
        ];
        for (what, headers, now, passes) in cases {
            assert_eq!(gate.check("GET", TARGET, &headers, now).is_ok(), passes, "{what}");
        }
        assert!(gate.check("PUT", TARGET, &headers(&keys, None), minutes(0, 0)).is_err());
        assert!(gate.check("GET", "/api/v1/login-alias?a", &headers(&keys, None), minutes(0, 0)).is_err());
    }
}
