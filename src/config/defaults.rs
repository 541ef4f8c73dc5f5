//! What holds where the configuration is silent.

use std::num::NonZeroU32;

use jiff::SignedDuration;

use crate::domain::gateway::Gateway;
use crate::domain::log_format::LogFormat;
use crate::domain::policy::{OnAdopt, Per, Rate};
use crate::ncloud::{Api, Format};

/// The provider's own time zone.
pub(super) const TIME_ZONE: &str = "Asia/Seoul";

/// Who looks at a log first is a person.
pub(super) const LOG_FORMAT: LogFormat = LogFormat::Human;

/// Requests that change something, for each tenant. The provider documents no limit (`ncloud-api.md`, section 4).
pub(super) const RATE: Rate = Rate { count: NonZeroU32::new(5).unwrap(), per: Per::Second };

/// Longer than any answer that is still worth having, and far below a signature's life.
pub(super) const REQUEST_TIMEOUT: SignedDuration = SignedDuration::from_secs(30);

/// AWS speaks of values that are readable a little late, and gives no figure. Longer than seconds, and short beside a fence.
pub(super) const SETTLE: SignedDuration = SignedDuration::from_secs(30);

/// AWS takes 50 writes a second for all callers of a region together (`ncloud-api.md`, section 5).
pub(super) const WRITES: Rate = Rate { count: NonZeroU32::new(40).unwrap(), per: Per::Second };

/// The interface that every site has.
pub(super) const API: Api = Api::V1;

/// What the provider's documents show first.
pub(super) const FORMAT: Format = Format::Json;

/// Settings at the provider are read and never written.
pub(super) const FOLLOW: &str = "follow";

/// What is assumed of the gateway.
pub(super) fn gateway() -> Gateway {
    Gateway::default()
}

/// Two weeks leave time to notice that rotation does not work.
pub(super) const ROTATE_BEFORE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A weekend in which a rotation that was forced may still fail.
pub(super) const MARGIN: SignedDuration = SignedDuration::from_hours(2 * 24);

/// Accounts that were changed in the same minute are due over a day.
pub(super) const SPREAD: SignedDuration = SignedDuration::from_hours(24);

/// A slip in a pattern takes over no more than this in a day.
pub(super) const FIRST_RUN_CAP: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// After the tenant's expiration was shortened, several thousand accounts in a day.
pub(super) const CATCH_UP: Rate = Rate { count: NonZeroU32::new(300).unwrap(), per: Per::Hour };

/// A day in which whoever uses the other account of a group can be told of trouble with the first.
pub(super) const APART_BY: SignedDuration = SignedDuration::from_hours(24);

/// The longest that both kinds of account take.
pub(super) const PASSWORD_LENGTH: usize = 16;

/// Nothing is changed that nobody asked for.
pub(super) const ON_ADOPT: OnAdopt = OnAdopt::Defer;

/// The identity's file, beside the vault's directory.
pub(super) const IDENTITY_FILE: &str = "identity.txt";

/// The policy of a rule that names none.
pub(super) const POLICY: &str = "default";

/// A secret's name, of a rule that says nothing about it.
pub(super) const SECRET: &str = "ncloud/{tenant}/{kind}/{name}";

/// In an emergency rules that say nothing come before those that give a place behind the others.
pub(super) const PRIORITY: i32 = 0;

/// The directory below `$XDG_STATE_HOME`.
pub(super) const STATE_FOLDER: &str = "ncloud-rotator";
