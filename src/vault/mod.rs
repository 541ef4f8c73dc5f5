//! Floor 2: the vaults. Each implements [`ports::vault`](crate::ports::vault) over one kind of storage.

pub mod age;
pub mod aws;
