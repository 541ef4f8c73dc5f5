//! How a command ends, for the shell: the codes of `sysexits.h`, and which of several is the worst.

use serde::{Deserialize, Serialize};

/// An exit status. The order is that of severity: the worst of several accounts decides for the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// Everything asked for was done.
    #[default]
    Success,
    /// Not done yet; asking again later may be enough.
    Temporary,
    /// Something that is needed is not there: the provider, the vault, an account.
    Unavailable,
    /// The command line was wrong.
    Usage,
    /// What this program keeps is not as it was written.
    Data,
    /// Keys or permissions are missing.
    Denied,
    /// The configuration is wrong.
    Configuration,
    /// A fault of this program.
    Internal,
}

impl Exit {
    /// The number that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Usage => 64,
            Self::Data => 65,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::Temporary => 75,
            Self::Denied => 77,
            Self::Configuration => 78,
        }
    }
}
