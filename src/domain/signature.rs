//! The API gateway's request signature, version 2 (`ncloud-api.md`, section 1).
//!
//! It lives in the domain because client and emulator both need it, and because its timestamp is the protocol's fence.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Timestamp;
use super::secret::Keys;

/// Header with the signed time, in milliseconds since the epoch.
pub const TIMESTAMP_HEADER: &str = "x-ncp-apigw-timestamp";
/// Header with the access key.
pub const ACCESS_KEY_HEADER: &str = "x-ncp-iam-access-key";
/// Header with the signature.
pub const SIGNATURE_HEADER: &str = "x-ncp-apigw-signature-v2";

/// Signs one request: `target` is the path with its query exactly as on the wire, without scheme and host. The body is not
/// covered. The result is standard base64 with padding.
#[must_use]
pub fn sign(keys: &Keys, method: &str, target: &str, signed_at: Timestamp) -> String {
    STANDARD.encode(mac(keys, method, target, signed_at).finalize().into_bytes())
}

/// Whether `signature` is the one that [`sign`] gives; takes the same time whatever differs.
#[must_use]
pub fn verify(keys: &Keys, method: &str, target: &str, signed_at: Timestamp, signature: &str) -> bool {
    STANDARD.decode(signature).is_ok_and(|bytes| mac(keys, method, target, signed_at).verify_slice(&bytes).is_ok())
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length; the error type is the trait's, never returned")]
fn mac(keys: &Keys, method: &str, target: &str, signed_at: Timestamp) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(keys.expose_secret().as_bytes()).expect("any key length will do");
    mac.update(format!("{method} {target}\n{}\n{}", signed_at.as_millisecond(), keys.expose_access()).as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with the provider's official Python, Go, Java and JavaScript signers, which agree.
    const VECTORS: [(&str, &str, i64, &str); 6] = [
        (
            "GET",
            "/api/v1/sub-accounts?page=0&size=10",
            1_505_290_625_682,
            "t5CeOB2ICCVf41HYr3DzSmZR9N6NbwGw0rOxepXkqgU=",
        ),
        (
            "PUT",
            "/api/v1/sub-accounts/2b141960-0000-11ef-8000-246e9659184c/password",
            1_763_752_800_000,
            "XtO39M9+OUL6PPci3WNq0j8c6CHOHX5LfZ1eKmfi5xk=",
        ),
        (
            "POST",
            "/api/v1/tenant-settings/sub-account-password-policy",
            1_763_752_800_001,
            "xLxZTcmjFhjK1iHXYnfUG0WLMYkY+GoEN23HachR/+8=",
        ),
        ("GET", "/api/v1/login-alias", 1_763_752_800_001, "8YAOyLnQjaJSolt0S68O6e7VkHuJVuBwE/0xtG/d0zk="),
        ("POST", "/api/v2/accounts/resetPassword", 1_505_290_625_682, "EjzyZps0mviVdVFqqU7Q+psoCViDlol6mQVH0bTwZP4="),
        (
            "GET",
            "/api/v1/sub-accounts?searchColumn=name&searchWord=%ED%99%8D%EA%B8%B8%EB%8F%99&page=0&size=10",
            1_763_752_800_000,
            "3d2i+150zKsiLFa2Ozy6OHtFYz/HYZCCo0PYWSGkTNc=",
        ),
    ];

    fn keys() -> Keys {
        Keys::new("D78BB444D6D3C84CA38A".into(), "EXAMPLESECRETKEYdoNotUse0123456789abcdef".into())
    }

    #[test]
    fn agrees_with_the_official_signers() {
        for (method, target, millis, expected) in VECTORS {
            let at = Timestamp::from_millisecond(millis).unwrap();
            assert_eq!(sign(&keys(), method, target, at), expected, "{method} {target}");
            assert!(verify(&keys(), method, target, at, expected));
        }
    }

    #[test]
    fn every_signed_part_matters() {
        let (method, target, millis, signature) = VECTORS[0];
        let at = Timestamp::from_millisecond(millis).unwrap();
        let later = Timestamp::from_millisecond(millis + 1).unwrap();
        let others = Keys::new("D78BB444D6D3C84CA38B".into(), keys().expose_secret().into());
        assert!(!verify(&keys(), "PUT", target, at, signature));
        assert!(!verify(&keys(), method, "/api/v1/sub-accounts?page=1&size=10", at, signature));
        assert!(!verify(&keys(), method, target, later, signature));
        assert!(!verify(&others, method, target, at, signature));
        for bad in ["", "not base64!", "AAAA"] {
            assert!(!verify(&keys(), method, target, at, bad));
        }
    }
}
