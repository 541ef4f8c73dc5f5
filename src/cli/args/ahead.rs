//! Words for looking ahead.

use std::ops::RangeInclusive;

use clap::Args;

use super::{Alone, WhichTenant};

/// How many days a plan may cover.
pub const DAYS: RangeInclusive<u16> = 1..=1100;

/// Tell what rotates when.
#[derive(Debug, Args)]
#[command(after_help = PLAN)]
pub struct Plan {
    /// Only these accounts; all that the configuration matches when none is named
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// How many days ahead
    #[arg(long, value_name = "N", default_value_t = 180, value_parser = clap::value_parser!(u16).range(i64::from(*DAYS.start())..=i64::from(*DAYS.end())))]
    pub days: u16,
    /// Only this tenant's accounts.
    #[command(flatten)]
    pub tenant: WhichTenant,
    /// Who does the work.
    #[command(flatten)]
    pub alone: Alone,
}

const PLAN: &str = "NAME is a login id, a Data Forest name, tenant/kind/name, or the name of a secret. \
Nothing is changed anywhere. Rotations are planned as if each succeeded at once, by the windows, rates and caps as they are \
now; everybody is planned for, whoever is named, since all of them share the rates. Rotations that cannot make their deadline \
come first. Of more than 200 rotations each day is told in one line, unless accounts are named; --json tells all of them.

It ends with 69 when an account cannot make its deadline, or the provider cannot be asked, 77 when keys or permissions are \
missing, 75 when a vault cannot be asked now.";

/// Tell why an account rotates when it does.
#[derive(Debug, Args)]
#[command(after_help = EXPLAIN)]
pub struct Explain {
    /// A login id, a Data Forest name, tenant/kind/name, or the name of a secret
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Who does the work.
    #[command(flatten)]
    pub alone: Alone,
}

const EXPLAIN: &str = "Nothing is changed anywhere. It tells what the password's life is counted from and how long it lasts, the deadline, the \
window, and what holds the rotation back.

It ends with 0 when the account will make its deadline, 75 when its rotation is unfinished and goes on by itself, 69 when it \
cannot make its deadline, an operator is needed, or the provider cannot be asked.";
