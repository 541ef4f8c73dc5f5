//! Killed at every boundary, with the real program, the real emulator and a real vault: nothing is ever lost, and no restart
//! rotates anything.
//!
//! This is a test like the others, and `tests/torture --kills N --seed S` goes on at random.
#![cfg(test)]

mod aws;
mod boundaries;
mod damage;
mod dice;
mod disk;
#[path = "../cli/door.rs"]
#[expect(dead_code, reason = "it serves tests/cli too")]
mod door;
mod parallel;
#[path = "../cli/process.rs"]
#[expect(dead_code, reason = "it serves tests/cli too")]
mod process;
mod random;
mod relay;
#[path = "../secrets_manager/mod.rs"]
#[expect(dead_code, reason = "each target uses its part")]
mod secrets_manager;
mod shelf;
mod strace;
mod syscalls;
#[path = "../cli/vault.rs"]
#[expect(dead_code, reason = "it serves tests/cli too")]
mod vault;
mod world;

use std::process::ExitCode;

use clap::Parser as _;
use libtest_mimic::{Arguments, Trial};

use self::boundaries::{Company, Scenario, killed_at_every_moment, stalled_at_every_moment};
use self::damage::damaged_files_are_reported_and_left_alone;
use self::random::{TORTURE, Torture, torture};
use self::shelf::Kind;
use self::syscalls::{Start, killed_at_every_change};

fn main() -> ExitCode {
    if std::env::args().any(|word| word.strip_prefix("--") == Some(TORTURE)) {
        return torture(&Torture::parse());
    }
    libtest_mimic::run(&Arguments::from_args(), trials()).exit_code()
}

fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    let kills = [
        (Kind::Age, "svc-batch", Scenario::Adoption, Company::Nobody),
        (Kind::Age, "svc-batch", Scenario::Again, Company::Nobody),
        (Kind::Age, "svc-batch", Scenario::Refusal, Company::Nobody),
        (Kind::Age, "svc-batch", Scenario::Doubt, Company::Nobody),
        (Kind::Age, "df001", Scenario::Adoption, Company::Nobody),
        (Kind::Age, "svc-batch", Scenario::Adoption, Company::SameState),
        (Kind::Age, "svc-batch", Scenario::Adoption, Company::OtherState),
        (Kind::Age, "df001", Scenario::Again, Company::SameState),
        (Kind::Age, "svc-batch", Scenario::Refusal, Company::OtherState),
        (Kind::Aws, "svc-batch", Scenario::Adoption, Company::Nobody),
        (Kind::Aws, "df001", Scenario::Again, Company::Nobody),
        (Kind::Aws, "svc-batch", Scenario::Refusal, Company::Nobody),
        (Kind::Aws, "svc-batch", Scenario::Adoption, Company::OtherState),
        (Kind::Aws, "svc-batch", Scenario::Refusal, Company::OtherState),
    ];
    for (kind, account, scenario, company) in kills {
        let name = format!("killed_at_every_moment::{kind:?}::{scenario:?}::{company:?}::{account}").to_lowercase();
        trials.push(trial(name, move || killed_at_every_moment(kind, account, scenario, company)));
    }
    let stalls = [
        (Kind::Age, "svc-batch", Scenario::Adoption, Company::SameState),
        (Kind::Age, "svc-batch", Scenario::Adoption, Company::OtherState),
        (Kind::Age, "df001", Scenario::Again, Company::OtherState),
        (Kind::Age, "svc-batch", Scenario::Refusal, Company::OtherState),
        (Kind::Aws, "svc-batch", Scenario::Adoption, Company::OtherState),
        (Kind::Aws, "df001", Scenario::Again, Company::OtherState),
    ];
    for (kind, account, scenario, company) in stalls {
        let name = format!("stalled_at_every_moment::{kind:?}::{scenario:?}::{company:?}::{account}").to_lowercase();
        trials.push(trial(name, move || stalled_at_every_moment(kind, account, scenario, company)));
    }
    for (start, company) in [
        (Start::Nothing, Company::Nobody),
        (Start::Rotated, Company::Nobody),
        (Start::Nothing, Company::SameState),
        (Start::Rotated, Company::OtherState),
    ] {
        let name = format!("killed_at_every_change_to_a_file::{start:?}::{company:?}").to_lowercase();
        let trial = trial(name, move || killed_at_every_change(start, company));
        trials.push(trial.with_ignored_flag(!strace::is_there()));
    }
    trials
        .push(trial("damaged_files_are_reported_and_left_alone".to_owned(), damaged_files_are_reported_and_left_alone));
    trials
}

/// A test that tells how often it struck.
#[expect(clippy::print_stdout, reason = "how often is what whoever runs this wants to know")]
fn trial(name: String, test: impl FnOnce() -> usize + Send + 'static) -> Trial {
    Trial::test(name.clone(), move || {
        println!("{name}: {} strikes", test());
        Ok(())
    })
}
