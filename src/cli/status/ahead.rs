//! What comes next, in a line or two: for whoever looks at everything, and has no time.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cli::show::time;
use crate::domain::account::Standing;
use crate::domain::expiry::{Outlook, Stage};
use crate::engine::status::{Inspected, Presence};

/// What comes next.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(super) struct Ahead {
    /// Who is rotated next, by itself.
    next: Option<Coming>,
    /// How many passwords are not replaced although their deadline has passed, or expire within a day.
    expires_soon: usize,
    /// How many have expired, as far as is known.
    expired: usize,
    /// Whose password expires first, or expired first; none when none does soon.
    first: Option<Coming>,
}

/// Something that happens to an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
struct Coming {
    #[schemars(with = "String")]
    at: Timestamp,
    account: String,
}

impl Ahead {
    /// Seen at `now`. Of accounts that are switched off nothing comes.
    pub(super) fn of(accounts: &[Inspected], now: Timestamp) -> Self {
        let mut ahead = Self::default();
        let is_there = |inspected: &&Inspected| {
            inspected.presence != Presence::Gone && inspected.surveyed.managed.account.standing != Standing::Inactive
        };
        for Inspected { surveyed, .. } in accounts.iter().filter(is_there) {
            let coming = |at| Coming { at, account: surveyed.managed.name.to_string() };
            if surveyed.managed.account.standing == Standing::Active {
                let due = surveyed.due.and_then(|due| due.time(now)).map(coming);
                ahead.next = ahead.next.into_iter().chain(due).min();
            }
            let Outlook::Expires(expiry) = surveyed.outlook() else { continue };
            match expiry.stage(now) {
                Some(Stage::Soon) => ahead.expires_soon += 1,
                Some(Stage::Expired) => ahead.expired += 1,
                None => continue,
            }
            ahead.first = ahead.first.into_iter().chain([coming(expiry.expires_at)]).min();
        }
        ahead
    }

    /// Passwords that expire, if any do, and what is next.
    pub(super) fn text(&self, zone: &TimeZone) -> String {
        let mut told = Vec::new();
        if let Some(Coming { at, account }) = &self.first {
            let expire = match (self.expired, self.expires_soon) {
                (0, soon) => format!("Passwords that expire soon: {soon}"),
                (expired, 0) => format!("EXPIRED PASSWORDS: {expired}"),
                (expired, soon) => format!("EXPIRED PASSWORDS: {expired}, and soon: {soon}"),
            };
            let at = time(*at, zone);
            told.push(format!("{expire}; first {account} at {at} (`ncloud-rotator explain {account}` tells why)."));
        }
        told.push(match &self.next {
            Some(Coming { at, account }) => format!("Next is {account} at {}.", time(*at, zone)),
            None => "Nothing rotates by itself.".to_owned(),
        });
        told.join("\n")
    }
}
