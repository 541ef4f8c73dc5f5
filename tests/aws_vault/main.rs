//! The AWS vault over a strict Secrets Manager: what the protocol asks of it, what it makes of what others left there, and
//! how many calls that takes.
#![cfg(test)]

#[path = "../secrets_manager/mod.rs"]
#[expect(dead_code, reason = "each target uses its part")]
mod secrets_manager;

mod adoption;
mod failures;
mod intents;
mod network;
mod ordinary;
mod pages;
mod room;
mod rules;
mod sole;
