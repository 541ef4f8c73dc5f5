//! What a failed call means: whether anything may have been changed, whose fault it is, and what to do.
//!
//! Nothing that AWS writes in a message is repeated: a message may echo what was sent.

use std::error::Error;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_secretsmanager::config::http::HttpResponse;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use hyper_util::client::legacy::Error as ClientError;

use crate::ports::vault::VaultError;

/// The calls of AWS Secrets Manager that this vault makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Describe,
    Get,
    Batch,
    List,
    Create,
    Put,
    MoveLabel,
    Restore,
}

impl Operation {
    /// Its name at AWS, which is also the name of the right to call it.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Describe => "DescribeSecret",
            Self::Get => "GetSecretValue",
            Self::Batch => "BatchGetSecretValue",
            Self::List => "ListSecrets",
            Self::Create => "CreateSecret",
            Self::Put => "PutSecretValue",
            Self::MoveLabel => "UpdateSecretVersionStage",
            Self::Restore => "RestoreSecret",
        }
    }

    /// Whether it changes something.
    const fn writes(self) -> bool {
        matches!(self, Self::Create | Self::Put | Self::MoveLabel | Self::Restore)
    }
}

/// How a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no such secret, or no such version.
    Absent,
    /// There is such a secret, or such a version, already.
    Taken,
    /// The secret is not in a state for it.
    State,
    /// What was asked for is not valid.
    Invalid,
    /// Too many calls, of everybody together.
    Throttled,
    /// A limit of AWS is reached.
    Limit,
    /// The right to make the call lacks.
    Right,
    /// The right to use the secret's KMS key lacks, or the key cannot be used.
    Kms,
    /// The credentials are not taken: the code.
    Keys(String),
    /// There are no credentials, or none can be got.
    NoCredentials {
        /// Whether waiting does not help.
        lasting: bool,
    },
    /// Another definite refusal: the code.
    Refused(String),
    /// Nothing left this machine.
    NotSent(String),
    /// It was sent, and nothing that can be relied on came back.
    Lost(String),
}

impl Failure {
    /// What an error of the SDK means.
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match error {
            SdkError::ServiceError(answer) => {
                let status = answer.raw().status().as_u16();
                let told = answer.err().meta();
                Self::told(status, told.code(), told.message().is_some_and(|text| text.contains("KMS")))
            }
            SdkError::TimeoutError(_) => Self::Lost("no answer came in time".to_owned()),
            SdkError::ResponseError(_) => Self::Lost("the answer cannot be read".to_owned()),
            SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
                Some(error) => Self::unanswered(error),
                None => Self::Lost("the connection broke".to_owned()),
            },
            _ => Self::NotSent("the request could not be built; this is a fault of this program".to_owned()),
        }
    }

    /// What the error of one entry of a batch means.
    pub(super) fn of_entry(code: Option<&str>, names_kms: bool) -> Self {
        Self::told(400, code, names_kms)
    }

    fn told(status: u16, code: Option<&str>, names_kms: bool) -> Self {
        let Some(code) = code.filter(|_| status < 500) else {
            return Self::Lost(format!("it was answered {status}"));
        };
        match code {
            "ResourceNotFoundException" => Self::Absent,
            "ResourceExistsException" => Self::Taken,
            "InvalidRequestException" => Self::State,
            "InvalidParameterException" | "ValidationException" => Self::Invalid,
            "ThrottlingException"
            | "Throttling"
            | "ThrottledException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "RequestThrottledException" => Self::Throttled,
            "LimitExceededException" => Self::Limit,
            "AccessDeniedException" | "AccessDenied" if names_kms => Self::Kms,
            "AccessDeniedException" | "AccessDenied" | "NotAuthorized" => Self::Right,
            "DecryptionFailure" | "EncryptionFailure" => Self::Kms,
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "ExpiredTokenException"
            | "ExpiredToken"
            | "RequestExpired"
            | "IncompleteSignature"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "OptInRequired" => Self::Keys(code.to_owned()),
            other if plain(other) => Self::Refused(other.to_owned()),
            _ => Self::Lost(format!("it was answered {status}")),
        }
    }

    /// No answer: whether the request had left by then.
    fn unanswered(error: &(dyn Error + 'static)) -> Self {
        if let Some(error) = chain(error).find_map(|error| error.downcast_ref::<CredentialsError>()) {
            let lasting =
                matches!(error, CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_))
                    || chain(error).any(|cause| cause.to_string().contains("AccessDenied"));
            return Self::NoCredentials { lasting };
        }
        if chain(error).any(|error| error.downcast_ref::<ClientError>().is_some_and(ClientError::is_connect)) {
            return Self::NotSent(no_connection(error));
        }
        Self::Lost("the connection broke, or no answer came in time".to_owned())
    }

    /// The decision, with the cause, the place and the remedy in words. `place` names the vault and the secret.
    pub(super) fn decide(&self, operation: Operation, place: &dyn fmt::Display) -> VaultError {
        let call = operation.label();
        let text = |what: String| format!("{place}: {call}: {what}");
        match self {
            Self::Absent if operation.writes() || operation == Operation::Get => VaultError::Moved,
            Self::Taken if operation == Operation::Put => VaultError::TokenUsed,
            Self::Taken | Self::State => VaultError::Moved,
            Self::Invalid if operation == Operation::MoveLabel => VaultError::Moved,
            Self::Invalid => VaultError::Unreadable(text(
                "AWS takes the request for invalid; a value has 65,536 bytes at the most, and kms_key_id and tags must be \
                 such as AWS knows them"
                    .to_owned(),
            )),
            Self::Absent => VaultError::Unavailable(text("there is no such secret".to_owned())),
            Self::Throttled => VaultError::Unavailable(text(
                "throttled: all callers of this account and region together ask for too much; it is tried again later, and \
                 `writes` can be set lower"
                    .to_owned(),
            )),
            Self::Limit => VaultError::Unavailable(text(
                "a limit of AWS is reached, on the secret's labels or on the number of secrets; look at the secret's labels \
                 with `secret show`, and at the account's quotas"
                    .to_owned(),
            )),
            Self::Right => VaultError::Denied(text(format!(
                "access denied: the right secretsmanager:{call} lacks on this secret; docs/aws.md lists the rights that are \
                 needed"
            ))),
            Self::Kms => VaultError::Denied(text(
                "the secret's KMS key cannot be used: the rights kms:Decrypt and kms:GenerateDataKey are needed on it, and it \
                 must be enabled"
                    .to_owned(),
            )),
            Self::Keys(code) => VaultError::Denied(text(format!(
                "the AWS credentials are not taken ({code}); renew them, and see that this machine's clock is right"
            ))),
            Self::NoCredentials { lasting: true } => VaultError::Denied(text(
                "no AWS credentials: none are in the environment, a profile, a web identity, the container or the instance, \
                 or the role to assume refuses them; see docs/aws.md"
                    .to_owned(),
            )),
            Self::NoCredentials { lasting: false } => VaultError::Unavailable(text(
                "no AWS credentials could be got now; whoever hands them out (STS, the container's or the instance's \
                 metadata, credential_process) does not answer"
                    .to_owned(),
            )),
            Self::Refused(code) => VaultError::Unavailable(text(format!("AWS refuses it ({code})"))),
            Self::NotSent(why) => VaultError::Unavailable(text(format!("{why}; see the network, `proxy` and `ca_file`"))),
            Self::Lost(why) if operation.writes() => {
                VaultError::Doubtful(text(format!("{why}; whether it was done is settled by reading")))
            }
            Self::Lost(why) => VaultError::Unavailable(text(why.clone())),
        }
    }
}

/// A code as AWS writes them, and nothing that could be more.
fn plain(code: &str) -> bool {
    code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Why there is no connection, in words that an operator can act on.
fn no_connection(error: &(dyn Error + 'static)) -> String {
    if let Some(tls) = chain(error).find_map(|error| error.downcast_ref::<rustls::Error>()) {
        return format!("no connection: TLS: {tls}");
    }
    let told = chain(error).map(ToString::to_string).find(|text| text.starts_with("tunnel error: "));
    if let Some(told) = told {
        return if told.contains("authorization required") {
            "no connection: the proxy asks for a user and a password, or refuses those that it was given".to_owned()
        } else {
            "no connection: the proxy would not connect to it".to_owned()
        };
    }
    let io = chain(error).filter_map(|error| error.downcast_ref::<std::io::Error>()).last();
    io.map_or_else(|| "no connection".to_owned(), |io| format!("no connection ({})", io.kind()))
}

/// An error and its causes, looking into I/O errors, which hide theirs.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&here| {
        let inner = here.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| here.source())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_answered_decides() {
        let place = "vault v";
        let table = [
            ("ResourceNotFoundException", Operation::Put, "Moved"),
            ("ResourceNotFoundException", Operation::Get, "Moved"),
            ("ResourceExistsException", Operation::Put, "TokenUsed"),
            ("ResourceExistsException", Operation::Create, "Moved"),
            ("InvalidParameterException", Operation::MoveLabel, "Moved"),
            ("InvalidParameterException", Operation::Put, "Unreadable"),
            ("InvalidRequestException", Operation::Put, "Moved"),
            ("ThrottlingException", Operation::Put, "Unavailable"),
            ("LimitExceededException", Operation::MoveLabel, "Unavailable"),
            ("AccessDeniedException", Operation::Put, "Denied"),
            ("ExpiredTokenException", Operation::Describe, "Denied"),
            ("UnrecognizedClientException", Operation::List, "Denied"),
            ("SomethingNewException", Operation::Put, "Unavailable"),
            ("what: hunter2!", Operation::Put, "Doubtful"),
            ("what: hunter2!", Operation::Get, "Unavailable"),
        ];
        for (code, operation, expected) in table {
            let error = Failure::told(400, Some(code), false).decide(operation, &place);
            let told = format!("{error:?}");
            assert!(told.starts_with(expected), "{code} to {operation:?}: {told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
        for status in [500, 502, 503] {
            let told = |operation| Failure::told(status, Some("InternalServiceError"), false).decide(operation, &place);
            assert!(matches!(told(Operation::Put), VaultError::Doubtful(_)), "it may have been done");
            assert!(matches!(told(Operation::Describe), VaultError::Unavailable(_)));
        }
        assert!(matches!(Failure::told(403, None, false).decide(Operation::Put, &place), VaultError::Doubtful(_)));
        let denied =
            Failure::told(400, Some("AccessDeniedException"), false).decide(Operation::Put, &place).to_string();
        assert!(denied.contains("secretsmanager:PutSecretValue") && denied.starts_with("vault v: "), "{denied}");
        let kms = Failure::told(400, Some("AccessDeniedException"), true).decide(Operation::Get, &place).to_string();
        assert!(kms.contains("kms:Decrypt"), "{kms}");
    }
}
