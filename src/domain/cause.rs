//! Why something is done: who or what asked for it, and what for.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// What or who caused something. It goes with every order down to the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// What or who.
    #[serde(flatten)]
    pub who: Who,
    /// What for, in the words of a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// What or who asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Who {
    /// The program itself, as it begins or ends.
    Startup,
    /// The daemon, because something was due, or because the configuration enforces it.
    Schedule,
    /// The daemon, because something was unfinished.
    Resume,
    /// A person, or a program on the same machine, by a command.
    Command {
        /// The command's words, such as `secret show`.
        command: &'static str,
        /// As whom it ran, by name; none when the system knows no name.
        user: Option<String>,
        /// As whom it ran.
        uid: u32,
        /// Who had logged in, where the system keeps that through `sudo` and `su`.
        #[serde(skip_serializing_if = "Option::is_none")]
        login_uid: Option<u32>,
    },
    /// A person, or a program on the same machine, by the daemon's admin socket.
    Peer {
        /// The words of the command that asks the same, such as `rotate --resume`.
        command: &'static str,
        /// As whom the process at the other end ran, by name; none when the system knows no name.
        user: Option<String>,
        /// As whom it ran, as the kernel says.
        uid: u32,
        /// Which process it was, as the kernel says; none when it is in another namespace.
        #[serde(skip_serializing_if = "Option::is_none")]
        pid: Option<i32>,
    },
}

impl Cause {
    /// The program itself.
    pub const STARTUP: Self = Self { who: Who::Startup, reason: None };
    /// The daemon's plan.
    pub const SCHEDULE: Self = Self { who: Who::Schedule, reason: None };
    /// Something unfinished.
    pub const RESUME: Self = Self { who: Who::Resume, reason: None };
}

/// What something is done for: one line of a person's words, kept as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Reason(String);

/// Words that are no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadReason {
    /// Nothing was said.
    #[error("say what it is for")]
    Empty,
    /// It would not fit a line of a table.
    #[error("say it in at most {} characters", Reason::LONGEST)]
    Long,
    /// It would break the line, or a terminal.
    #[error("say it in one line, without control characters")]
    Control,
}

impl Reason {
    /// The most characters.
    pub const LONGEST: usize = 300;
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Reason {
    type Err = BadReason;

    fn from_str(text: &str) -> Result<Self, BadReason> {
        let text = text.trim();
        if text.is_empty() {
            Err(BadReason::Empty)
        } else if text.chars().count() > Self::LONGEST {
            Err(BadReason::Long)
        } else if text.chars().any(char::is_control) {
            Err(BadReason::Control)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cause_names_who_and_what_for() {
        let who = Who::Command { command: "rotate", user: Some("minji".to_owned()), uid: 1000, login_uid: None };
        let cause = Cause { who, reason: "  ticket 4711 ".parse().ok() };
        let written =
            json!({ "by": "command", "command": "rotate", "user": "minji", "uid": 1000, "reason": "ticket 4711" });
        assert_eq!(serde_json::to_value(cause).unwrap(), written);
        let who = Who::Peer { command: "rotate", user: None, uid: 0, pid: Some(4711) };
        let written = json!({ "by": "peer", "command": "rotate", "user": null, "uid": 0, "pid": 4711 });
        assert_eq!(serde_json::to_value(Cause { who, reason: None }).unwrap(), written);
        for (cause, by) in [(Cause::STARTUP, "startup"), (Cause::SCHEDULE, "schedule"), (Cause::RESUME, "resume")] {
            assert_eq!(serde_json::to_value(cause).unwrap(), json!({ "by": by }));
        }
    }

    #[rstest]
    #[case("", Some(BadReason::Empty))]
    #[case(" \t ", Some(BadReason::Empty))]
    #[case("one\ntwo", Some(BadReason::Control))]
    #[case("\u{1b}[31mred", Some(BadReason::Control))]
    #[case("유출 신고 #12", None)]
    fn a_reason_is_one_line(#[case] text: &str, #[case] refused: Option<BadReason>) {
        assert_eq!(text.parse::<Reason>().err(), refused);
    }

    #[test]
    fn a_reason_has_an_end() {
        assert!("가".repeat(Reason::LONGEST).parse::<Reason>().is_ok());
        assert_eq!("a".repeat(Reason::LONGEST + 1).parse::<Reason>(), Err(BadReason::Long));
    }
}
