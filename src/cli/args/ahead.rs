//! Words for looking ahead.

use clap::Args;

use super::WhichTenant;

/// Tell what rotates when.
#[derive(Debug, Args)]
#[command(after_help = PLAN)]
pub struct Plan {
    /// Only these accounts; all that the configuration matches when none is named
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// How many days ahead
    #[arg(long, value_name = "N", default_value_t = 180, value_parser = clap::value_parser!(u16).range(1..=1100))]
    pub days: u16,
    /// Only this tenant's accounts.
    #[command(flatten)]
    pub tenant: WhichTenant,
}

const PLAN: &str = "NAME is a login id, a Data Forest name, tenant/kind/name, or the name of a secret.
Nothing is changed anywhere. Rotations are planned as if each succeeded at once, by the windows, rates and caps as they are
now; everybody is planned for, whoever is named, since all of them share the rates. Rotations that cannot make their deadline
come first. Of more than 200 rotations each day is told in one line, unless accounts are named; --json tells all of them.

It ends with 69 when an account cannot make its deadline, or the provider cannot be asked, 77 when keys or permissions are
missing, 75 when a vault cannot be asked now.";
