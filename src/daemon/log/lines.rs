//! How a line of the log looks, and where it goes.

use std::io::IsTerminal;
use std::sync::{PoisonError, RwLock};

use jiff::Zoned;
use jiff::tz::TimeZone;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Full, Json, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format};
use tracing_subscriber::registry::LookupSpan;

use crate::daemon::machine;
use crate::domain::log_format::LogFormat;
use crate::ports::clock::Clock;

/// Where the log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::daemon) enum Destination {
    /// Standard output: for `run`, whose log is its answer.
    Output,
    /// Standard error: for everything else.
    Error,
}

/// Starts logging for the rest of the process. The format that the command line names is not changed by the configuration.
pub(in crate::daemon) fn start(destination: Destination, format: Option<LogFormat>, verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, 0) => "warn",
        (false, 0) => "info",
        (_, 1) => "debug",
        (_, _) => "trace",
    };
    SAID.write().unwrap_or_else(PoisonError::into_inner).by_command = format;
    // Libraries may log what they send; only this program's own lines are let through.
    let filter = EnvFilter::new(format!("off,ncloud_rotator={level}"));
    let (terminal, journal, writer) = match destination {
        Destination::Output => {
            let stream = std::io::stdout();
            (stream.is_terminal(), machine::is_journal(&stream), BoxMakeWriter::new(std::io::stdout))
        }
        Destination::Error => {
            let stream = std::io::stderr();
            (stream.is_terminal(), machine::is_journal(&stream), BoxMakeWriter::new(std::io::stderr))
        }
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    builder.with_ansi(terminal && !journal).event_format(Lines::new(journal)).init();
}

/// What command line and configuration say of the lines. One log must not show times of two zones.
struct Said {
    zone: Option<TimeZone>,
    by_command: Option<LogFormat>,
    by_configuration: LogFormat,
}

static SAID: RwLock<Said> = RwLock::new(Said { zone: None, by_command: None, by_configuration: LogFormat::Human });

/// From now on lines are as the configuration says.
pub(in crate::daemon) fn configure(zone: &TimeZone, format: LogFormat) {
    let mut said = SAID.write().unwrap_or_else(PoisonError::into_inner);
    said.zone = Some(zone.clone());
    said.by_configuration = format;
}

/// How lines are written now.
pub(in crate::daemon) fn current_format() -> LogFormat {
    // A process that ends by a fault asks this too, and must not wait for whoever holds the lock.
    SAID.try_read().map_or_else(|_| LogFormat::Human, |said| said.by_command.unwrap_or(said.by_configuration))
}

/// The time as lines of JSON tell it.
pub(in crate::daemon) fn stamp() -> String {
    now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}

/// The zone is set while the configuration is read, and never waited for.
fn now() -> Zoned {
    let zone = SAID.try_read().ok().and_then(|said| said.zone.clone());
    machine::SystemClock.wall().to_zoned(zone.unwrap_or_else(TimeZone::system))
}

/// A line in the form that is in force when it is written.
struct Lines {
    journal: bool,
    human: Format<Full, LocalSeconds>,
    /// systemd's journal stamps lines itself.
    human_in_journal: Format<Full, ()>,
    json: Format<Json, LocalMilliseconds>,
}

impl Lines {
    fn new(journal: bool) -> Self {
        Self {
            journal,
            human: format().with_target(false).with_timer(LocalSeconds),
            human_in_journal: format().with_target(false).without_time(),
            json: format().with_target(false).with_timer(LocalMilliseconds).json().flatten_event(true),
        }
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        if self.journal {
            write!(writer, "<{}>", priority(*event.metadata().level()))?;
        }
        match (current_format(), self.journal) {
            (LogFormat::Json, _) => self.json.format_event(context, writer, event),
            (LogFormat::Human, true) => self.human_in_journal.format_event(context, writer, event),
            (LogFormat::Human, false) => self.human.format_event(context, writer, event),
        }
    }
}

/// The priority of `sd-daemon(3)`, which the journal takes from a line's beginning.
const fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

struct LocalSeconds;

impl FormatTime for LocalSeconds {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{}", now().strftime("%Y-%m-%dT%H:%M:%S%:z"))
    }
}

struct LocalMilliseconds;

impl FormatTime for LocalMilliseconds {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        writer.write_str(&stamp())
    }
}
