//! What people and the program itself do apart from rotations, and who is at the command line.

use nix::unistd::{User, getuid};
use serde_json::Value;

use super::machine::SystemClock;
use crate::cli::args::Why;
use crate::domain::account::AccountName;
use crate::domain::audit::{Entry, What};
use crate::domain::cause::{Cause, Who};
use crate::domain::secret::SecretName;
use crate::ports::clock::Clock;
use crate::ports::journal::{Journal, JournalError};

/// Where the system keeps as whom somebody logged in; `sudo` and `su` do not change it.
const LOGIN_UID: &str = "/proc/self/loginuid";
/// What stands there when nobody logged in.
const NOBODY: u32 = u32::MAX;

/// The cause of what a command does.
pub(super) fn cause(command: &'static str, why: &Why) -> Cause {
    let uid = getuid();
    let user = User::from_uid(uid).ok().flatten().map(|user| user.name);
    let login_uid = std::fs::read_to_string(LOGIN_UID).ok().and_then(|text| text.trim().parse().ok());
    let login_uid = login_uid.filter(|login_uid| *login_uid != NOBODY && *login_uid != uid.as_raw());
    Cause { who: Who::Command { command, user, uid: uid.as_raw(), login_uid }, reason: why.reason.clone() }
}

/// An act, and what it is about.
pub(super) struct Act<'a> {
    pub(super) what: What,
    pub(super) account: Option<&'a AccountName>,
    pub(super) secret: Option<&'a SecretName>,
    /// An object without any secret.
    pub(super) detail: Value,
}

/// Adds an act to the chain of events. A person's act is recorded before it is done, and not done when it cannot be.
pub(super) async fn record(journal: &dyn Journal, act: Act<'_>, cause: &Cause) -> Result<(), JournalError> {
    let entry = Entry {
        at: SystemClock.wall(),
        gateway: None,
        account: act.account.cloned(),
        secret: act.secret.cloned(),
        what: act.what,
        detail: act.detail.as_object().cloned().unwrap_or_default(),
        cause: cause.clone(),
    };
    journal.append(vec![entry]).await
}
