//! NAVER Cloud's client: sub-accounts and Data Forest, spoken to in JSON as `ncloud-api.md` has it.
//!
//! ```text
//! sub_account  data_forest     one object per kind: the port's calls, and what their answers hold
//!   paging     json            reading lists and fields tolerantly, losing no account
//! answer       errors          what a status and a body mean; the only places that look into an error's body
//! transport    target          one signed request, sent once, its answer bounded and its `Date` heard
//! ```
//!
//! The provider echoes passwords in its error bodies, so a body is looked at where it arrives and dropped there: only the
//! status and a numeric code go further.

mod answer;
mod data_forest;
mod endpoint;
mod errors;
mod json;
mod paging;
mod sub_account;
mod target;
mod transport;

pub use data_forest::DataForest;
pub use endpoint::default_endpoint;
pub use sub_account::SubAccounts;
pub use transport::{Transport, TransportError, TransportSettings};
