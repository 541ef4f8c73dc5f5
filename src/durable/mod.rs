//! Floor 1: private files that survive a power cut.
//!
//! Every adapter that keeps state in files of its own form writes them through here (the journal's are SQLite's), so that
//! "stored" means one thing in this program: the bytes are on the disk, the name points at them, and nobody but the owner can
//! read them, whatever the umask says.

mod directory;
mod error;
mod file;
mod lock;

pub use directory::{create_private_dir_all, probe, probe_nearest, sync_dir};
pub use error::{Error, Kind, Step};
pub use file::{create_new, read, remove_leftovers, replace};
pub use lock::{Guard, lock};
