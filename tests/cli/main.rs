//! The real program against the real emulator and the real vault, from outside: command lines, output, exit codes, files.
#![cfg(test)]

#[path = "../secrets_manager_suite/moto.rs"]
mod moto;
#[path = "../secrets_manager/mod.rs"]
#[expect(dead_code, reason = "each target uses its part")]
mod secrets_manager;

mod admin;
mod ahead;
mod asking;
mod aws;
mod aws_days;
mod bad_days;
mod bench;
mod check;
mod clock;
mod dialects;
mod door;
mod emergency;
mod exits;
mod faults;
mod fence;
mod generate;
mod generated;
mod history;
mod keys;
mod kills;
mod logs;
mod memory;
mod naming;
mod network;
mod once;
mod only_copy;
mod pause;
mod process;
mod promotion;
mod proxy;
mod recovery;
mod refusals;
mod reload;
mod rotate;
mod run;
mod runbook;
mod secrecy;
mod service;
mod show;
mod status;
mod tenant;
mod together;
mod vault;
mod vault_trouble;
