//! The shipped units: as systemd's own tools judge them, and as they work in a booted systemd.
//!
//! The second kind needs root and `systemd-nspawn`, and is run by `.ci/run` (`cargo test --test systemd -- --ignored`).
#![cfg(test)]

mod analysis;
mod boot;
#[path = "../cli/door.rs"]
#[expect(dead_code, reason = "the command line's tests use the rest")]
mod door;
mod installed;
#[path = "../cli/process.rs"]
#[expect(dead_code, reason = "the command line's tests use the rest")]
mod process;
mod resident;
mod units;
#[path = "../cli/vault.rs"]
#[expect(dead_code, reason = "the command line's tests use the rest")]
mod vault;
mod without_resident;
