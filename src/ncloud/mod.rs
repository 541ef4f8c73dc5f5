//! NAVER Cloud's client: sub-accounts, their tenant's settings and Data Forest, spoken to as `ncloud-api.md` has it.
//!
//! ```text
//! sub_account  tenant  data_forest   the ports' calls, and what their answers hold
//!   paging     json                  reading lists and fields tolerantly, losing no account
//! answer       errors                what a status and a body mean
//! body         xml                   a body of JSON or XML, looked at and wiped
//! transport    target  remembering   a signed request, with the key pair that works, its `Date` heard
//! role                               a server role's temporary keys
//! http         tls                   one message, sent once, its answer bounded; whom it trusts
//! ```
//!
//! The provider echoes passwords in its error bodies, so a body is looked at where it arrives and dropped there: only the
//! status and a numeric code go further.

mod answer;
mod api;
mod body;
mod data_forest;
mod endpoint;
mod errors;
mod http;
mod json;
mod once;
mod paging;
mod remembering;
mod role;
mod sub_account;
mod target;
mod tenant;
mod tls;
mod transport;
mod xml;

pub use api::{Api, Format};
pub use data_forest::DataForest;
pub use endpoint::default_endpoint;
pub use role::{RoleKeys, RoleSettings};
pub use sub_account::SubAccounts;
pub use transport::{Transport, TransportError, TransportSettings};
