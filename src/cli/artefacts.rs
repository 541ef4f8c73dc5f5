//! What is made from the command line's own definition: completions for shells, and man pages.

use std::io;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use super::args::Cli;

/// The script that makes a shell complete this program's words.
#[must_use]
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    script
}

/// A man page.
pub struct Page {
    /// The name of its file, such as `ncloud-rotator-run.1`.
    pub file: String,
    /// Its text, for `man`.
    pub text: Vec<u8>,
}

/// A page for the program and for each of its commands.
pub fn man_pages() -> io::Result<Vec<Page>> {
    // `help` repeats every command, and nobody looks for its pages.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let source = format!("{} {}", command.get_name(), command.get_version().unwrap_or_default());
    let mut pages = Vec::new();
    describe(&command, &source, &mut pages)?;
    Ok(pages)
}

/// Adds the page of a command, and of each command below it.
fn describe(command: &Command, source: &str, pages: &mut Vec<Page>) -> io::Result<()> {
    let man = Man::new(command.clone()).source(source).manual("ncloud-rotator");
    let mut text = Vec::new();
    man.render(&mut text)?;
    pages.push(Page { file: man.get_filename(), text });
    command.get_subcommands().filter(|below| !below.is_hide_set()).try_for_each(|below| describe(below, source, pages))
}
