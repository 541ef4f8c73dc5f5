//! Questions, for a person at a terminal.

use std::io::{self, IsTerminal, Write};

/// Says a line on standard error. Nothing useful can be done when that is gone.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Whether a question would be seen and answered.
#[must_use]
pub fn somebody_is_there() -> bool {
    io::stdin().is_terminal()
}

/// Whether the answer to `question` is yes. It is asked only when standard input is a terminal; a program that runs this
/// one has said what it wants.
pub fn agreed(question: &str) -> io::Result<bool> {
    if !somebody_is_there() {
        return Ok(true);
    }
    let mut stderr = io::stderr();
    let _ = write!(stderr, "{question} [y/N] ");
    let _ = stderr.flush();
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    let yes = matches!(answer.trim(), "y" | "Y" | "yes");
    if !yes {
        say("Nothing was changed.");
    }
    Ok(yes)
}
