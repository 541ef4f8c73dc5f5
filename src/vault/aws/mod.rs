//! A vault that is AWS Secrets Manager, in one region.
//!
//! ```text
//! label            version                                       protocol
//! AWSCURRENT       what services read                            current
//! AWSPENDING       staged; on the current version when idle      pending
//! AWSPREVIOUS      AWS moves it by itself                        previous
//! superseded-K     a candidate that was replaced, K in order     superseded
//! superseded-intent  the last intent that was replaced; it holds no password, and says that something came before
//! arriving         what was put beside, on its way to AWSPENDING   none
//! ```
//!
//! A version never changes, so that what it holds is read once and remembered; only the labels are read again and again, both
//! in one `DescribeSecret` (`protocol.md`, "Read"). An ordinary rotation is one read and two writes.
//!
//! **What a write compares**: a put moves AWSPENDING whoever holds it, and a promotion compares AWSCURRENT alone. What that
//! leaves to the protocol (rules 1, 3 and 4), `tests/model/aws.rs` shows to be enough; this adapter does what that model does.
//! It addresses what it writes by ARN, which a secret that is made anew under an old name does not have.
//!
//! **Who resends**: nobody. Reads are tried three times; a write is sent once, since the same put again would answer "done"
//! without having done anything (rule 4). What became of a write without an answer is settled by reading.
//!
//! **What is not wiped**: our own values are, on drop. What the SDK, its HTTP client and `serde_json` hold while they work is
//! not.

mod calls;
mod client;
mod content;
mod failure;
mod labels;
mod memory;
mod reading;
mod rules;
mod settings;
mod survey;
mod vault;
mod writing;

pub use settings::{BadSettings, Settings};
pub use vault::AwsVault;
