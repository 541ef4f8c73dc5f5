//! A vault that is a directory of [age](https://age-encryption.org)-encrypted JSON files, one per secret.
//!
//! ```text
//! vault/.ncloud-rotator.lock                     taken by everyone who reads for the protocol, or writes
//! vault/ncloud/main/sub-account/svc-a.age        every version of the secret `ncloud/main/sub-account/svc-a`
//! identity.txt                                   what opens them; beside the vault, never inside the state directory
//! ```
//!
//! Nothing of it is home-made, so that a vault outlives this program: the ordinary `age` tool opens every file,
//! `age -d -i identity.txt vault/ncloud/main/sub-account/svc-a.age | jq -r .current.value.password`.
//!
//! **Why a read takes the lock**, although files are replaced in one piece: a writer stamps the time at which a candidate
//! stopped being pending under the lock, before the new file appears. A reader without the lock could still see the old
//! file at a later time, sign with that time, and outlive the fence (`protocol.md`, rules 1 and 2).
//!
//! **What is not wiped**: our own plaintext buffers and values are, on drop; what `serde_json` and `age` copy inside
//! themselves while they work is not.

mod document;
mod identity;
mod keyring;
mod rules;
mod store;
mod vault;

pub use identity::{BadRecipient, IdentitySource, Recipient};
pub use vault::{AgeVault, Settings};
