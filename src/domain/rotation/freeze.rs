//! Why an account is frozen (`protocol.md`, rule 9): somebody else is at work on its secret.

use std::fmt;

/// Why a secret is not touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Freeze {
    /// The value names another account.
    OtherAccount,
    /// The pending version is not ours.
    ForeignPending,
    /// The current version is not ours although earlier ones were.
    ForeignCurrent,
    /// The vault rotates the secret by itself.
    ManagedRotation,
    /// One version is labelled pending and previous at once, as rotations of others leave it that were taken back.
    PendingIsPrevious,
    /// The value is plain text and no JSON object, so that no other key can be kept beside the password.
    PlainText,
    /// The secret is scheduled for deletion.
    ScheduledForDeletion,
}

impl Freeze {
    /// The stable label, for records and for programs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::OtherAccount => "other-account",
            Self::ForeignPending => "foreign-pending",
            Self::ForeignCurrent => "foreign-current",
            Self::ManagedRotation => "managed-rotation",
            Self::PendingIsPrevious => "pending-is-previous",
            Self::PlainText => "plain-text",
            Self::ScheduledForDeletion => "scheduled-for-deletion",
        }
    }
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherAccount => {
                "the secret holds the password of another account; move the secret aside, or give the rule a template that \
                 tells the accounts apart"
            }
            Self::ForeignPending => {
                "the secret has a pending version that this program did not make; whoever made it must finish or remove it, or \
                 `secret adopt` replaces it and keeps it as superseded"
            }
            Self::ForeignCurrent => {
                "the secret's current version was replaced by somebody else; put the previous version back, or take it as it \
                 is with `secret adopt`"
            }
            Self::ManagedRotation => {
                "the vault's own rotation is switched on for the secret, and two rotators lose passwords; cancel it there, or \
                 take the account out of the configuration"
            }
            Self::PendingIsPrevious => {
                "one version of the secret is labelled pending and previous at once, which this program never does; whoever \
                 rotates the secret besides must finish or remove it, or `secret adopt` replaces it"
            }
            Self::PlainText => {
                "the secret's current value is plain text; make it a JSON object, such as {\"password\": \"…\"}, or move the \
                 secret aside"
            }
            Self::ScheduledForDeletion => {
                "the secret is scheduled for deletion; restore it, or take the account out of the configuration"
            }
        })
    }
}
