//! A strict AWS Secrets Manager in this process, for tests of what the protocol's safety rests on.
//!
//! Not a target of its own: a test target takes it with
//!
//! ```ignore
//! #[path = "../secrets_manager/mod.rs"] // "secrets_manager/mod.rs" from a target that is a file
//! #[expect(dead_code, reason = "each target uses its part")]
//! mod secrets_manager;
//! ```
//!
//! and starts a server, which has threads of its own (no runtime is needed, and one does not hurt) and ends when it is
//! dropped. The client may be the AWS SDK in the same process or the real binary:
//!
//! ```ignore
//! let aws = Server::start();
//! let config = format!("endpoint_url = \"{}\"\nregion = \"{}\"", aws.endpoint(), Server::REGION);
//! aws.fault(Rule::on(Operation::PutSecretValue, Fault::DropAfter).skip(1));
//! let stops = aws.stop_at(|moment| moment.operation == Operation::PutSecretValue && moment.side == Side::After);
//! let stop = stops.next(patience).unwrap(); // the value is stored, and its answer is held
//! child.kill();
//! stop.resume(Then::GoOn);
//! assert_eq!(aws.secret("s").unwrap().labelled("AWSCURRENT"), Some("…the value…"));
//! ```
//!
//! # What it is faithful to
//!
//! AWS's API reference, in the words that the SDK of this repository carries, and its page of quotas; where these are silent,
//! what others recorded from the service itself (the answers that the tests of `LocalStack` are validated with). So:
//!
//! - A token that a version has, with another value: `ResourceExistsException`. With the same value: success that does
//!   nothing, labels included. For `UpdateSecret` any used token is refused.
//! - The first version becomes AWSCURRENT whatever was asked for. Moving AWSCURRENT moves AWSPREVIOUS.
//! - A put that takes AWSCURRENT from a version that also has AWSPENDING takes AWSPENDING off it (recorded, undocumented);
//!   `UpdateSecretVersionStage` leaves AWSPENDING where it is.
//! - `UpdateSecretVersionStage` looks first: an unknown version, a `RemoveFromVersionId` without the label, a label that is
//!   elsewhere and not removed from there, taking AWSCURRENT away from everything: `InvalidParameterException`, nothing
//!   changed. A label that is already there, asked for without `RemoveFromVersionId`: success that does nothing.
//! - A label is on one version at most; a secret has 20 labels at most (`LimitExceededException`). Versions without a label
//!   are not described, can be read by their id, and go when there are more than 100 versions, the oldest first, none
//!   younger than 24 hours.
//! - A secret scheduled for deletion refuses values and changes (`InvalidRequestException`) until it is restored, and its
//!   name is taken; it is described with `DeletedDate`, here the time at which it was asked for.
//! - `LastChangedDate` moves with every change, tags and labels included, and with nothing else.
//! - Reads may be late, `ListSecrets` later ([`behaviour`]); writes never act on what is late.
//! - 65,536 bytes a value, tokens of 32 to 64 characters, names of 512 characters, 20 secrets a batch, 100 a page.
//!
//! Where AWS says nothing that we know of, it does this, and a client should lean on none of it: the code for an unknown
//! version is `InvalidParameterException`; a filter is a prefix, and the keys `all` and `description` are not known; a member
//! that this server does not know is refused (`SerializationException`), so that no parameter is silently without effect;
//! restoring what was not deleted does nothing. Signatures are looked at, not computed; KMS keys are remembered, not asked.

// Names are taken from these rooms, and not handed on here: a target that needs only some would import the others in vain.
pub(crate) mod behaviour;
pub(crate) mod faults;
mod front;
mod gate;
mod listener;
pub(crate) mod log;
pub(crate) mod moments;
pub(crate) mod operation;
mod reads;
pub(crate) mod refusal;
mod secret;
pub(crate) mod server;
mod store;
mod time;
mod writes;
