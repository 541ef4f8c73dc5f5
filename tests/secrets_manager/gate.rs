//! The first questions: is the request signed in the form that AWS asks for, and by whom?
//!
//! The signature itself is not computed again: whoever signs with the SDK signs rightly.

use axum::http::HeaderMap;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::refusal::Refusal;

/// The access key of a request that is signed in the right form, for this service and region, and, where `skew` is given,
/// not farther than that from `now`.
pub(crate) fn key(
    headers: &HeaderMap,
    region: &str,
    now: Timestamp,
    skew: Option<SignedDuration>,
) -> Result<String, Refusal> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(authorization) = header("authorization") else {
        return Err(Refusal::new("MissingAuthenticationTokenException", "Missing Authentication Token"));
    };
    let incomplete = || Refusal::new("IncompleteSignatureException", "Authorization header is not in the right form");
    let fields = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or_else(incomplete)?;
    let field = |name: &str| {
        let mut fields = fields.split(',').filter_map(|field| field.trim().split_once('='));
        fields.find(|(field, _)| *field == name).map(|(_, value)| value).filter(|value| !value.is_empty())
    };
    let (Some(credential), Some(_), Some(signature)) =
        (field("Credential"), field("SignedHeaders"), field("Signature"))
    else {
        return Err(incomplete());
    };
    let signed_at = header("x-amz-date").and_then(|date| DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok());
    let signed_at = signed_at.and_then(|at| at.to_zoned(TimeZone::UTC).ok()).ok_or_else(incomplete)?.timestamp();
    if signature.len() != 64 || !signature.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(incomplete());
    }
    let scope: Vec<&str> = credential.split('/').collect();
    let [key, day, in_region, service, "aws4_request"] = scope[..] else { return Err(incomplete()) };
    let day_fits = signed_at.to_string().replace('-', "").starts_with(day);
    if !day_fits || in_region != region || service != "secretsmanager" {
        let message = format!("Credential should be scoped to a valid region and service, not {in_region}/{service}.");
        return Err(Refusal::new("InvalidSignatureException", message));
    }
    if skew.is_some_and(|skew| now.duration_since(signed_at).abs() > skew) {
        let message = format!("Signature expired or not yet current: {signed_at} is too far from {now}");
        return Err(Refusal::new("InvalidSignatureException", message));
    }
    Ok(key.to_owned())
}
