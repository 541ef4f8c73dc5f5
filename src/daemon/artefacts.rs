//! `config schema`, `config reference`, `completions` and `man`: what the program tells of itself.

use std::fs;
use std::path::Path;

use clap_complete::Shell;

use super::command::Failure;
use crate::cli::args::ConfigTopic;
use crate::cli::artefacts::{completions, man_pages};
use crate::cli::show;
use crate::config;
use crate::domain::exit::Exit;

/// Prints what a configuration may say.
pub(super) fn tell(topic: ConfigTopic, json: bool) -> Exit {
    match topic {
        ConfigTopic::Schema => show::print(config::schema_text().trim_end()),
        ConfigTopic::Reference if json => {
            show::print_json(&serde_json::json!({ "markdown": config::reference() }));
        }
        ConfigTopic::Reference => show::print(config::reference().trim_end()),
    }
    Exit::Success
}

/// Prints the script for a shell.
pub(super) fn complete(shell: Shell, json: bool) -> Exit {
    let script = completions(shell);
    let script = String::from_utf8_lossy(&script);
    if json {
        show::print_json(&serde_json::json!({ "shell": shell.to_string(), "script": script }));
    } else {
        show::print(script.trim_end());
    }
    Exit::Success
}

/// Writes the man pages into a directory, and says which.
pub(super) fn write_man_pages(directory: &Path, json: bool) -> Result<Exit, Failure> {
    let pages = man_pages().map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    let mut files = Vec::new();
    for page in pages {
        let path = directory.join(&page.file);
        fs::write(&path, &page.text).map_err(|error| {
            let message = format!("{} cannot be written: {error}; name a directory that is there", path.display());
            Failure::new(Exit::Unavailable, message)
        })?;
        files.push(path.display().to_string());
    }
    if json {
        show::print_json(&serde_json::json!({ "files": files }));
    } else {
        show::print(&files.join("\n"));
    }
    Ok(Exit::Success)
}
