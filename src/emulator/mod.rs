//! Floor 2: NAVER Cloud on this machine, for trying a configuration before trusting the daemon with real accounts, and
//! for tests that need to see what the provider saw.
//!
//! It is written from the provider's documents (`ncloud-api.md`) and knows nothing of the client. It refuses what the real
//! one refuses: signatures, clocks, methods, content types, passwords, unknown ids, accounts that are not RUNNING.
//!
//! ```text
//! connection ─► server ─► gateway ──────────────► sub_account ──► accounts ─► accounts file
//!                 │        call   which call?      sub_account_v2  rules
//!                 │        gate   whose? may it?   data_forest
//!                 │        faults what goes wrong on purpose?
//!                 │        format in JSON or XML, and problem: in which shape of error
//!                 └──────► door   (only with the test door, only from loopback)
//! ```
//!
//! # What it serves
//!
//! One listener is every site: Sub Account under `/api/v1`, the public institutions' newer form of it under `/api/v2`, and
//! Data Forest under `/api/v2/accounts/`. Data Forest speaks JSON and XML: `Content-Type` says what the request is in,
//! `Accept` what the answer is to be in, and without a word of `Accept` the answer comes as the request did.
//!
//! Where the documents are silent it does this, and a client should lean on none of it:
//!
//! - XML requests may have any root but for `resetPassword`, whose root is documented. Errors in XML have the members of
//!   those in JSON; the gateway's has `error` for its root. Document types are refused.
//! - v2 says every error of its calls in its own shape, the code being the HTTP status in one word. A missing right is 403
//!   there, and an unknown sub-account 400 without `fieldErrors`. A password that the caller chose is answered with `{}`.
//! - `loginAlias` is null until one is chosen.
//! - `GET /join/check-password` answers, but the door's log flags the caller `password-in-url`, and never shows the query.
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
//! `email`, `memo`, `changes` and `disabled` may be left out, and so may the tenant's `login_alias`. A sub-account may have
//! `"groups": ["operators"]` and `"policies": ["NCP_SERVER_MANAGER"]`, a Data Forest account
//! `"quotas": [{ "namespace": "orders", "file_count_million": 1, "space_tb": 200 }]`. With the test door, `credential` also keeps `past`, every
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
//!
//! Every documented body of an error can be had for any call, with any status and code, before the call is carried out or
//! after it. The shapes are `gateway`, `code-detail`, `flat`, `responseError`, `spring`, `message`, `v2`, `xml`, `empty` and
//! `html`; `{password}` in a message becomes the password that was sent:
//!
//! ```json
//! { "call": "resetPassword", "fault": { "error-body": {
//!     "shape": "responseError", "status": 503, "code": 500, "message": "lost after {password}", "after": true } } }
//! ```
//!
//! Keys come and go while it runs (`/door/keys`), a server role's temporary ones under `/door/metadata/`, and calls can be
//! denied to all keys (`/door/permissions`).

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
mod keys;
mod log;
mod problem;
mod programme;
mod reply;
mod rules;
mod sample;
mod server;
mod sub_account;
mod sub_account_v2;
mod xml;

pub use self::accounts::AccountsError;
pub use self::server::{DEMO_ACCESS_KEY, DEMO_SECRET_KEY, Emulator, EmulatorError, Settings, demo_keys};
