//! The shipped units: as systemd's own tools judge them, and as they work in a booted systemd.
#![cfg(test)]

mod analysis;
mod units;
