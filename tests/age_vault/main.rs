//! The age vault through its port, on real files.
#![cfg(test)]

mod damage;
mod identity;
mod model;
mod races;
mod room;
mod rules;
