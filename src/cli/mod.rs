//! Floor 4: the command line. What a person may say, and how answers look; no command does its work here.

pub mod args;
pub mod artefacts;
pub mod ask;
pub mod progress;
pub mod show;
pub mod status;
