//! How the log is written.

/// For whom the log's lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people: what happened, in words, and its fields behind.
    #[default]
    Human,
    /// For programs: one JSON object a line.
    Json,
}

impl LogFormat {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Human, Self::Json];

    /// The stable label, as written in the configuration.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Json => "json",
        }
    }
}
