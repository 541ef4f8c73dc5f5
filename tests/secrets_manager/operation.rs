//! The operations, by their names on the wire.

macro_rules! operations {
    ($($name:ident),* $(,)?) => {
        /// What can be asked of Secrets Manager, as far as this server knows it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Operation {
            $($name,)*
        }

        impl Operation {
            /// Every one.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            /// As `X-Amz-Target` says it after the service's name.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

operations!(
    BatchGetSecretValue,
    CreateSecret,
    DeleteSecret,
    DescribeSecret,
    GetSecretValue,
    ListSecretVersionIds,
    ListSecrets,
    PutSecretValue,
    RestoreSecret,
    TagResource,
    UntagResource,
    UpdateSecret,
    UpdateSecretVersionStage,
);

impl Operation {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operation| operation.name() == name)
    }

    /// Whether it can change anything.
    pub(crate) const fn writes(self) -> bool {
        !matches!(
            self,
            Self::BatchGetSecretValue
                | Self::DescribeSecret
                | Self::GetSecretValue
                | Self::ListSecretVersionIds
                | Self::ListSecrets
        )
    }

    /// Whether it counts against the rate of writes that a region's callers share.
    pub(crate) const fn shares_the_write_rate(self) -> bool {
        matches!(self, Self::PutSecretValue | Self::UpdateSecret | Self::UpdateSecretVersionStage)
    }
}
