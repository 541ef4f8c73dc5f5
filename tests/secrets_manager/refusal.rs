//! Errors as the service answers them. The codes and, where somebody recorded them, the messages are AWS's; nobody should
//! lean on a message.

use serde_json::{Value, json};

/// An error that is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }

    pub(crate) fn body(&self) -> Value {
        json!({ "__type": self.code, "Message": self.message })
    }

    pub(crate) fn no_secret() -> Self {
        Self::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    }

    pub(crate) fn no_value(what: &str, which: &str) -> Self {
        let message = format!("Secrets Manager can't find the specified secret value for {what}: {which}");
        Self::new("ResourceNotFoundException", message)
    }

    pub(crate) fn parameter(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self::new("InvalidRequestException", message)
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new("LimitExceededException", message)
    }

    pub(crate) fn next_token() -> Self {
        Self::new("InvalidNextTokenException", "Invalid Pagination Token")
    }

    pub(crate) fn marked_for_deletion() -> Self {
        Self::request("You can't perform this operation on the secret because it was marked for deletion.")
    }

    pub(crate) fn exists(name: &str) -> Self {
        Self::new("ResourceExistsException", format!("The operation failed because the secret {name} already exists."))
    }

    pub(crate) fn token_used(token: &str, arn: &str) -> Self {
        let message = format!(
            "You can't use ClientRequestToken {token} because that value is already in use for a version of secret {arn}."
        );
        Self::new("ResourceExistsException", message)
    }

    pub(crate) fn throttled() -> Self {
        Self::new("ThrottlingException", "Rate exceeded")
    }

    pub(crate) fn access_denied(operation: &str) -> Self {
        let message = format!("User: arn:aws:iam::123456789012:user/test is not authorized to perform: {operation}");
        Self::new("AccessDeniedException", message)
    }

    pub(crate) fn unrecognized_client() -> Self {
        Self::new("UnrecognizedClientException", "The security token included in the request is invalid.")
    }

    pub(crate) fn expired_token() -> Self {
        Self::new("ExpiredTokenException", "The security token included in the request is expired")
    }

    pub(crate) fn internal(status: u16) -> Self {
        let code = if status == 503 { "ServiceUnavailable" } else { "InternalServiceError" };
        Self { status, ..Self::new(code, "An error occurred on the server side.") }
    }
}
