//! What can be wrong with a configuration, and how it is told: every problem has a stable code, points at its line, and
//! says cause and remedy.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

/// The kinds of problem. Their labels are stable: scripts may match on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// The configuration file, or a file that it names, is not there or cannot be read.
    MissingFile,
    /// The file is no TOML.
    Syntax,
    /// A key that means nothing where it stands.
    UnknownKey,
    /// A key that is needed and not there.
    MissingKey,
    /// A value of the wrong type, such as a number where a text belongs.
    WrongType,
    /// A value that is not one of those allowed.
    BadValue,
    /// A name of a tenant, vault or policy that cannot be used in names of accounts and secrets.
    BadName,
    /// A secret written into the file.
    InlineSecret,
    /// A secret that is given twice.
    SecretTwice,
    /// A duration that cannot be read, or is out of bounds.
    BadDuration,
    /// A rate that cannot be read.
    BadRate,
    /// A time zone that nobody knows.
    UnknownTimeZone,
    /// A window or a blackout that cannot be read or never opens, or blackouts that leave nothing open.
    BadWindow,
    /// An endpoint that is no scheme, host and port.
    BadEndpoint,
    /// Plain http to another machine.
    PlainHttp,
    /// A tenant's service without a known address.
    MissingEndpoint,
    /// A key that belongs to `site = "emulator"`, or does not belong there.
    EmulatorOnly,
    /// A key that means nothing beside what else its table says.
    Misplaced,
    /// A vault that shares its directory with another, or with its identity.
    SharedPath,
    /// An extra recipient that is no age recipient.
    BadRecipient,
    /// A password recipe by which no password can be made.
    ImpossiblePassword,
    /// No `[[accounts]]` at all.
    NoAccounts,
    /// A rule with neither names nor ids.
    NoSelection,
    /// A pattern that cannot be read.
    BadPattern,
    /// A rule that would catch people's accounts.
    CatchesPeople,
    /// A tenant that is not defined.
    UnknownTenant,
    /// A policy that is not defined.
    UnknownPolicy,
    /// A vault that is not defined.
    UnknownVault,
    /// A secret's name that cannot be used.
    BadSecretName,
    /// Two rules that own one account.
    TwoOwners,
    /// Two accounts that would share one secret.
    SharedSecret,
    /// Nothing tells where the state belongs.
    NoStateDirectory,
}

impl Code {
    /// Every kind.
    pub const ALL: [Self; 32] = [
        Self::MissingFile,
        Self::Syntax,
        Self::UnknownKey,
        Self::MissingKey,
        Self::WrongType,
        Self::BadValue,
        Self::BadName,
        Self::InlineSecret,
        Self::SecretTwice,
        Self::BadDuration,
        Self::BadRate,
        Self::UnknownTimeZone,
        Self::BadWindow,
        Self::BadEndpoint,
        Self::PlainHttp,
        Self::MissingEndpoint,
        Self::EmulatorOnly,
        Self::Misplaced,
        Self::SharedPath,
        Self::BadRecipient,
        Self::ImpossiblePassword,
        Self::NoAccounts,
        Self::NoSelection,
        Self::BadPattern,
        Self::CatchesPeople,
        Self::UnknownTenant,
        Self::UnknownPolicy,
        Self::UnknownVault,
        Self::BadSecretName,
        Self::TwoOwners,
        Self::SharedSecret,
        Self::NoStateDirectory,
    ];

    /// The stable label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::MissingFile => "config::missing_file",
            Self::Syntax => "config::syntax",
            Self::UnknownKey => "config::unknown_key",
            Self::MissingKey => "config::missing_key",
            Self::WrongType => "config::wrong_type",
            Self::BadValue => "config::bad_value",
            Self::BadName => "config::bad_name",
            Self::InlineSecret => "config::inline_secret",
            Self::SecretTwice => "config::secret_twice",
            Self::BadDuration => "config::bad_duration",
            Self::BadRate => "config::bad_rate",
            Self::UnknownTimeZone => "config::unknown_time_zone",
            Self::BadWindow => "config::bad_window",
            Self::BadEndpoint => "config::bad_endpoint",
            Self::PlainHttp => "config::plain_http",
            Self::MissingEndpoint => "config::missing_endpoint",
            Self::EmulatorOnly => "config::emulator_only",
            Self::Misplaced => "config::misplaced_key",
            Self::SharedPath => "config::shared_path",
            Self::BadRecipient => "config::bad_recipient",
            Self::ImpossiblePassword => "config::impossible_password",
            Self::NoAccounts => "config::no_accounts",
            Self::NoSelection => "config::no_selection",
            Self::BadPattern => "config::bad_pattern",
            Self::CatchesPeople => "config::catches_people",
            Self::UnknownTenant => "config::unknown_tenant",
            Self::UnknownPolicy => "config::unknown_policy",
            Self::UnknownVault => "config::unknown_vault",
            Self::BadSecretName => "config::bad_secret_name",
            Self::TwoOwners => "config::two_owners",
            Self::SharedSecret => "config::shared_secret",
            Self::NoStateDirectory => "config::no_state_directory",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    code: Code,
    message: String,
    help: Option<String>,
    labels: Vec<LabeledSpan>,
    shown: Option<Shown>,
}

/// The file as it may be shown: its secrets are masked.
type Shown = Arc<NamedSource<String>>;

impl Problem {
    /// A problem of the whole file.
    pub(super) fn of_file(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None, labels: Vec::new(), shown: None }
    }

    /// A problem at a place in the file; `label` is written below it.
    pub(super) fn at(code: Code, span: Range<usize>, label: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of_file(code, message).and(span, label)
    }

    /// Points at one more place.
    #[must_use]
    pub(super) fn and(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.labels.push(LabeledSpan::new_with_span(Some(label.into()), span));
        self
    }

    /// Says what to do.
    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What kind of problem it is.
    #[must_use]
    pub const fn kind(&self) -> Code {
        self.code
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The line that it points at, from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        let text = self.shown.as_ref()?.inner();
        let label = self.labels.first()?;
        Some(line_at(text, label.offset()))
    }

    fn position(&self) -> usize {
        self.labels.first().map_or(0, LabeledSpan::offset)
    }
}

/// The line of a byte offset, from 1.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

impl Diagnostic for Problem {
    fn code(&self) -> Option<Box<dyn fmt::Display + '_>> {
        Some(Box::new(self.code))
    }

    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let labels = !self.labels.is_empty();
        labels.then(|| Box::new(self.labels.iter().cloned()) as Box<dyn Iterator<Item = LabeledSpan>>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.shown.as_ref().map(|source| source as &dyn SourceCode)
    }
}

/// Why a configuration cannot be used: everything that was found wrong with it, in the order of its lines.
#[derive(Debug, Clone)]
pub struct ConfigError {
    file: String,
    problems: Vec<Problem>,
}

impl ConfigError {
    /// `shown` is the text of the file as people may see it.
    pub(super) fn new(file: &str, shown: &str, mut problems: Vec<Problem>) -> Self {
        let source: Shown = Arc::new(NamedSource::new(file, shown.to_owned()));
        problems.sort_by_key(Problem::position);
        for problem in &mut problems {
            problem.shown = Some(Arc::clone(&source));
        }
        Self { file: file.to_owned(), problems }
    }

    /// A file that could not be read at all.
    pub(super) fn of_file(file: &str, problem: Problem) -> Self {
        Self { file: file.to_owned(), problems: vec![problem] }
    }

    /// The configuration file, as it was named.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The problems, in the order of their lines; there is at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The problem, when it is the only one: it then speaks for the whole.
    fn only(&self) -> Option<&Problem> {
        match self.problems.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.only() {
            Some(problem) => problem.fmt(f),
            None => write!(f, "{} has {} problems", self.file, self.problems.len()),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Diagnostic for ConfigError {
    fn code(&self) -> Option<Box<dyn fmt::Display + '_>> {
        self.only().map_or_else(|| Some(Box::new("config::invalid") as Box<dyn fmt::Display>), Diagnostic::code)
    }

    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        self.only().and_then(Diagnostic::help)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.only().and_then(Diagnostic::labels)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.only().and_then(Diagnostic::source_code)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        let several = self.only().is_none();
        several.then(|| Box::new(self.problems.iter().map(|problem| problem as &dyn Diagnostic)) as Box<_>)
    }
}
