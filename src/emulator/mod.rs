//! Floor 2: NAVER Cloud on this machine, for trying a configuration before trusting the daemon with real accounts, and
//! for tests that need to see what the provider saw.
//!
//! It is written from the provider's documents (`ncloud-api.md`) and knows nothing of the client. It refuses what the real
//! one refuses: signatures, clocks, methods, content types, passwords, unknown ids, accounts that are not RUNNING.
//!
//! ```text
//! connection ─► server ─► gateway ─────────────► sub_account ─► store ─► accounts file
//!                 │        call   which call?     data_forest    rules
//!                 │        gate   may it?
//!                 │        faults what goes wrong on purpose?
//!                 └──────► door   (only with the test door, only from loopback)
//! ```
//!
//! # The accounts file
//!
//! JSON, meant to be edited by hand, also while the emulator runs: it is read again when it changed, and several emulators
//! may share it (a lock file stands beside it). It is made with a sample on first use, at 0600, and replaced atomically;
//! an accepted change is on disk before it is answered. A file that cannot be understood is reported and left alone.
//!
//! ```json
//! {
//!   "tenant": { "login_alias": "sample", "use_password_expiration": true, "password_expiration_days": 90 },
//!   "sub_accounts": [{
//!     "id": "6d14a197-0407-5504-9465-c3d85c33215c", "no": 1001, "login_id": "svc-batch", "name": "Nightly batch",
//!     "email": "", "memo": "", "active": true, "created": "2024-03-04T01:00:00Z",
//!     "credential": { "password": "…", "changes": 0 }
//!   }],
//!   "data_forest": [{
//!     "id": "6XMK3LZYZY6ferxkAELmev", "name": "df001", "status": "RUNNING", "disabled": false,
//!     "created": "2025-02-20T00:32:55Z", "credential": { "password": "…", "changes": 0 }
//!   }]
//! }
//! ```
//!
//! `email`, `memo`, `changes` and `disabled` may be left out. With the test door, `credential` also keeps `past`, every
//! password that the account had before. The passwords are there in the clear: use it for accounts that do not exist.
//!
//! # The test door
//!
//! `/door/…` on the same listener tells live passwords and takes faults; `door.rs` lists its requests, `fault.rs` the
//! faults. This lets the first change of `svc-batch` through, makes its second one without answering, then asks for
//! patience twice:
//!
//! ```json
//! [{ "call": "password", "account": "svc-batch", "skip": 1, "fault": "drop-after" },
//!  { "call": "*", "skip": 1, "times": 2, "fault": { "429": 410 } }]
//! ```

mod accounts;
mod book;
mod call;
mod clock;
mod data_forest;
mod door;
mod fault;
mod format;
mod gate;
mod gateway;
mod log;
mod programme;
mod reply;
mod rules;
mod sample;
mod server;
mod sub_account;

pub use self::accounts::AccountsError;
pub use self::server::{DEMO_ACCESS_KEY, DEMO_SECRET_KEY, Emulator, EmulatorError, Settings, demo_keys};
