//! `generate`: passwords as a rotation would make them, for people.

use std::io::{IsTerminal, Write};
use std::path::Path;

use super::command::{Failure, named};
use super::machine::SystemEntropy;
use crate::cli::args;
use crate::cli::show::{self, Generated};
use crate::config::{Config, default_recipe};
use crate::domain::exit::Exit;
use crate::domain::password::{Generator, Recipe};
use crate::domain::policy::PasswordSource;
use crate::ports::entropy::Draw;

/// Makes passwords and prints them. The configuration is read only for the policy that is named.
pub(super) fn generate(file: Option<&Path>, args: &args::Generate, json: bool) -> Result<Exit, Failure> {
    let recipe = match &args.policy {
        Some(name) => recipe_of(file, name)?,
        None => default_recipe(),
    };
    let generator = Generator::new(args.kind, &recipe)
        .map_err(|impossible| Failure::new(Exit::Configuration, impossible.to_string()))?;
    let draw = |_| generator.draw("", &mut Draw(&SystemEntropy));
    let passwords = (0..args.count)
        .map(draw)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    if std::io::stdout().is_terminal() {
        // Nothing useful can be done when standard error is gone.
        let _ = writeln!(
            std::io::stderr(),
            "These passwords are shown, and stay in the terminal's memory; they are stored nowhere."
        );
    }
    let answer = Generated {
        kind: args.kind,
        policy: args.policy.as_deref(),
        entropy_bits: generator.entropy_bits(),
        passwords: passwords.iter().collect(),
    };
    if json {
        show::print_json(&answer.document());
    } else {
        show::print(&answer.table());
    }
    Ok(Exit::Success)
}

fn recipe_of(file: Option<&Path>, name: &str) -> Result<Recipe, Failure> {
    let config = Config::read(named(file)?)?;
    let policy = config.policies.get(name).ok_or_else(|| {
        let known: Vec<&str> = config.policies.keys().map(String::as_str).collect();
        let known =
            if known.is_empty() { "there is none".to_owned() } else { format!("known are {}", known.join(", ")) };
        Failure::new(Exit::Usage, format!("{} has no policy {name:?}; {known}", config.file()))
    })?;
    match &policy.password {
        PasswordSource::Made(recipe) => Ok(recipe.clone()),
        PasswordSource::Provider => Err(Failure::new(
            Exit::Usage,
            format!(
                "the policy {name:?} leaves passwords to the provider; name another, or none for the default recipe"
            ),
        )),
    }
}
