//! What can happen: the names of the chain's events.

use std::fmt;

use serde::{Serialize, Serializer};

/// Writes the list once, so that none of the three can lack an event that the others have.
macro_rules! events {
    ($($(#[$doc:meta])+ $event:ident => $label:literal,)+) => {
        /// What happened: a stable name, the same as in the log. `docs/journal.md` tells of each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum What { $($(#[$doc])+ $event,)+ }

        impl What {
            /// Every event that a chain can hold.
            pub const ALL: &[Self] = &[$(Self::$event,)+];

            /// The stable label.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$event => $label,)+ }
            }
        }
    };
}

events! {
    /// The chain's first row.
    JournalBegan => "journal-began",
    /// The vault told of an account of which the chain knew nothing.
    Found => "found",
    /// The daemon began.
    Started => "started",
    /// The daemon ended.
    Stopped => "stopped",
    /// A rotation begins or goes on.
    Began => "began",
    /// A candidate is pending.
    Staged => "staged",
    /// A candidate is pending, and the last one is kept beside it.
    Superseded => "superseded",
    /// A request is about to leave.
    Sending => "sending",
    /// What is known of a request after it.
    Answered => "answered",
    /// A rotation waits.
    Waiting => "waiting",
    /// A rotation stays unfinished for now.
    Unfinished => "unfinished",
    /// The new password is current.
    Rotated => "rotated",
    /// Another process made the new password current.
    RotatedElsewhere => "rotated-elsewhere",
    /// Somebody else is at work on the secret.
    Frozen => "frozen",
    /// Too many candidates were refused.
    Held => "held",
    /// The previous password was not put back.
    RollbackStopped => "rollback-stopped",
    /// A fault of this machine or this program.
    Failed => "failed",
    /// A live password is nowhere but in this process.
    OnlyCopy => "only-copy",
    /// A tenant stopped as a whole.
    TenantStopped => "tenant-stopped",
    /// A tenant that had stopped goes on.
    TenantReleased => "tenant-released",
    /// The expiration of accounts is another one.
    ExpirationChanged => "expiration-changed",
    /// The daemon wrote a tenant's setting.
    SettingEnforced => "setting-enforced",
    /// The daemon could not write a tenant's setting.
    SettingNotEnforced => "setting-not-enforced",
    /// A person sets a tenant's setting.
    SettingSet => "setting-set",
    /// A setting that a person set was not taken.
    SettingNotSet => "setting-not-set",
    /// A password is not replaced although its deadline has passed, or expires within a day.
    ExpiresSoon => "expires-soon",
    /// A password has expired, as far as is known.
    Expired => "expired",
    /// A person has every password replaced.
    EmergencyBegan => "emergency-began",
    /// A person goes on with that.
    EmergencyResumed => "emergency-resumed",
    /// A wave of an emergency has ended.
    EmergencyWave => "emergency-wave",
    /// An emergency stopped before everybody had a new password.
    EmergencyHalted => "emergency-halted",
    /// Everybody has a password that is newer than the emergency.
    EmergencyEnded => "emergency-ended",
    /// A person was shown a password.
    Revealed => "revealed",
    /// A person paused an account, a tenant or everything.
    Paused => "paused",
    /// A person took a pause back.
    Resumed => "resumed",
    /// A person gave an unfinished rotation up.
    Dropped => "dropped",
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl Serialize for What {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}
