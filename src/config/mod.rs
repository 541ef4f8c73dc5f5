//! Floor 4: the configuration file, read into types that cannot be wrong.
//!
//! Parse, don't validate: the text becomes a raw mirror of its tables (`raw.rs`), and each table becomes a type that holds
//! only what can be used. Whatever is wrong is gathered and told at once, each problem at its line ([`Problem`]). Keys are
//! not read here, only where they are ([`SecretSource`]), so that a configuration can be checked without them.

mod accounts;
mod admin;
mod choice;
mod decode;
mod defaults;
mod difference;
mod duration;
mod endpoint;
mod environment;
mod forms;
mod keys;
mod load;
mod mask;
mod network;
mod policies;
mod problem;
mod profile;
mod raw;
mod reader;
mod reference;
mod schedule;
mod schema;
mod sources;
mod tenants;
mod vaults;
mod words;

pub use admin::Admin;
pub use difference::Difference;
pub use endpoint::Endpoint;
pub use environment::Environment;
pub use keys::{KeyPair, KeyPlace, KeyProblem, SecretSource, ServerRole, credential_path};
pub use load::Config;
pub use network::{Network, Proxy};
pub use policies::default_recipe;
pub use problem::{Code, ConfigError, Problem};
pub use reference::reference;
pub use schema::{schema, schema_text};
pub use tenants::{Endpoints, Reach, Tenant};
pub use vaults::{AgeDirectory, AwsSecretsManager, IdentitySource, Store, Vault};
