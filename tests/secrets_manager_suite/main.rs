//! The strict Secrets Manager of the tests, held to what it claims.
#![cfg(test)]

#[path = "../secrets_manager/mod.rs"]
#[expect(dead_code, reason = "each target uses its part")]
mod secrets_manager;

mod bench;
mod cases;
mod differences;
mod lateness;
mod moments;
mod moto;
mod opinions;
mod script;
mod trouble;
mod wire;
