//! In which of its dialects the provider is spoken to.

/// The version of the sub-account calls (`ncloud-api.md`, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Api {
    /// `/api/v1`, which every site has.
    #[default]
    V1,
    /// `/api/v2`, which the gov site has besides.
    ///
    /// The documents give it the list, the password and the expiration. One account's detail and the login alias are asked
    /// for at `/api/v1` of the same host, which they name for gov as well; a host without it answers 404, and that is told.
    V2,
}

impl Api {
    /// Every version.
    pub const ALL: [Self; 2] = [Self::V1, Self::V2];

    /// The stable label, as written in the configuration.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

/// How bodies are written for Data Forest (`ncloud-api.md`, section 3). Answers are read in either, whatever was asked for:
/// the gateway in front has its own habits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// `application/json`.
    #[default]
    Json,
    /// `application/xml`.
    Xml,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Json, Self::Xml];

    /// The stable label, as written in the configuration.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Xml => "xml",
        }
    }

    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
        }
    }
}

/// Whose answer is classed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    SubAccount(Api),
    DataForest,
}
