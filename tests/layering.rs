//! Holds the floors of `src/lib.rs`: a room imports only what stands on a lower floor, never a neighbour, and `domain/` names
//! nothing that reads a clock, draws a random number or does input and output.
//!
//! The sources are read as Rust tokens, so that comments and texts do not count while code within macros does. A path is
//! followed through nested `use` trees, inline modules and any number of `super::`. What cannot be followed by reading one
//! file (another name for the crate's root, a glob of it, `#[path]`) is refused.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// The floors, from the ground up. Rooms that do not exist yet have their place already.
const FLOORS: [&[&str]; 6] = [
    &["domain"],
    &["ports", "durable"],
    &["ncloud", "vault", "journal", "emulator", "deliver", "lease"],
    &["engine"],
    &["cli", "admin", "config", "trigger"],
    &["daemon"],
];

/// The files that belong to no room and may import everything.
const FREE: [&str; 2] = ["lib.rs", "main.rs"];

/// The only dependencies that `domain/` may name; every other one in `Cargo.toml` is refused there.
const PURE: [&str; 18] = [
    "base64",
    "croner",
    "globset",
    "hex",
    "hmac",
    "jiff",
    "percent_encoding",
    "proptest",
    "rand",
    "rstest",
    "secrecy",
    "serde",
    "serde_json",
    "sha2",
    "subtle",
    "thiserror",
    "uuid",
    "zeroize",
];

/// Paths that `domain/` must not name, nor anything below them.
const IMPURE: [&str; 20] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
    "rand::fill",
    "rand::prelude",
    "rand::random",
    "rand::random_bool",
    "rand::random_iter",
    "rand::random_range",
    "rand::rng",
    "rand::rngs",
    "uuid::Uuid::new_v4",
];

#[test]
fn every_room_stands_on_a_floor() -> Result<(), Box<dyn Error>> {
    let homeless: Vec<String> = rooms()?.into_iter().filter(|room| floor(room).is_none()).collect();
    assert!(homeless.is_empty(), "give these rooms a place in FLOORS and in src/lib.rs: {homeless:?}");
    Ok(())
}

#[test]
fn rooms_import_only_lower_floors_and_the_domain_is_pure() -> Result<(), Box<dyn Error>> {
    let mut found = Vec::new();
    for file in sources(&root().join("src"))? {
        let relative = file.strip_prefix(root().join("src"))?;
        let breaches = breaches(relative, &fs::read_to_string(&file)?, &dependencies()?)?;
        found.extend(breaches.into_iter().map(|breach| format!("src/{}:{breach}", relative.display())));
    }
    assert!(found.is_empty(), "the floors are broken:\n{}", found.join("\n"));
    Ok(())
}

#[test]
fn dependencies_of_the_domain_are_read_from_the_manifest() -> Result<(), Box<dyn Error>> {
    let dependencies = dependencies()?;
    for name in ["tokio", "tokio_util", "serde", "reqwest", "tempfile"] {
        assert!(dependencies.contains(name), "{name} is not among {dependencies:?}");
    }
    Ok(())
}

/// The checker must be able to fail: each of these is a breach, found on its own line.
#[test]
fn the_checker_finds_each_kind_of_breach() -> Result<(), Box<dyn Error>> {
    for (file, code) in [
        ("journal/mod.rs", "use crate::vault::Age;"),
        ("journal/mod.rs", "use crate::engine::Engine;"),
        ("journal/a.rs", "use crate::{domain::token::Token, vault::Age};"),
        ("journal/a.rs", "use crate::{domain::{self, token}, ports, {vault::{Age, Other}}};"),
        ("journal/a.rs", "use super::super::vault::Age;"),
        ("journal/a/b.rs", "use super::super::super::vault::Age;"),
        ("journal/a.rs", "use super::{Store, super::vault};"),
        ("journal/mod.rs", "use super::vault;"),
        ("journal/a.rs", "use self::super::super::vault;"),
        ("journal/a.rs", "mod inner { use super::super::super::vault::Age; }"),
        ("journal/a.rs", "mod inner { mod most { fn f() { super::super::super::super::vault::f() } } }"),
        ("journal/a.rs", "fn f() { crate::vault::f() }"),
        ("journal/a.rs", "fn f() -> Vec<crate::vault::Age> { vec![] }"),
        ("journal/a.rs", "fn f() { assert!(matches!(x, crate::vault::Age::None)) }"),
        ("journal/a.rs", "macro_rules! m { () => { $crate::vault::f() } }"),
        ("journal/a.rs", "use ncloud_rotator::vault::Age;"),
        ("journal/a.rs", "use ::ncloud_rotator::vault::Age;"),
        ("journal/a.rs", "use crate::r#vault::Age;"),
        ("journal/a.rs", "pub use crate::vault as own;"),
        ("journal/a.rs", "#[cfg(test)] mod tests { use crate::vault::Age; }"),
        ("journal/a.rs", "use crate as root;"),
        ("journal/a.rs", "use crate::{self as root};"),
        ("journal/a.rs", "use crate::*;"),
        ("journal/a.rs", "use super::super::*;"),
        ("journal/a.rs", "extern crate self as root;"),
        ("journal/a.rs", "use crate::Reexported;"),
        ("journal/a.rs", "#[path = \"../vault/mod.rs\"] mod own;"),
        ("journal/a.rs", "#[cfg_attr(all(), path = \"../vault/mod.rs\")] mod own;"),
        ("journal/a.rs", "include!(\"../vault/mod.rs\");"),
        ("durable/mod.rs", "use crate::ports::clock::Clock;"),
        ("trigger.rs", "use crate::config::Config;"),
        ("trigger.rs", "use super::daemon;"),
        ("domain/mod.rs", "use crate::ports::entropy::Draw;"),
        ("unknown/mod.rs", "use crate::domain::token::Token;"),
        ("domain/a.rs", "use tokio::sync::Mutex;"),
        ("domain/a.rs", "use ::tokio::sync::Mutex;"),
        ("domain/a.rs", "extern crate tokio;"),
        ("domain/a.rs", "fn f() { tokio::spawn(g()) }"),
        ("domain/a.rs", "#[tokio::main] async fn f() {}"),
        ("domain/a.rs", "use reqwest;"),
        ("domain/a.rs", "use {serde::Serialize, reqwest::Client};"),
        ("domain/a.rs", "use std::fs;"),
        ("domain/a.rs", "use std::{fmt, fs::File};"),
        ("domain/a.rs", "fn f() { std::env::var(x) }"),
        ("domain/a.rs", "use std::time::{Duration, SystemTime};"),
        ("domain/a.rs", "use std::time;"),
        ("domain/a.rs", "use std::time::*;"),
        ("domain/a.rs", "use std::{time as t};"),
        ("domain/a.rs", "use std::time::{self};"),
        ("domain/a.rs", "use std as s;"),
        ("domain/a.rs", "fn f() { jiff::Timestamp::now() }"),
        ("domain/a.rs", "use rand::rngs::SysRng;"),
        ("domain/a.rs", "#[cfg(test)] mod tests { use tempfile::TempDir; }"),
    ] {
        let lines = lines(file, &format!("//! Here.\n\n{code}\n"))?;
        assert_eq!(lines, [3], "{file}: {code}");
    }
    Ok(())
}

#[test]
fn the_checker_lets_what_is_allowed_pass() -> Result<(), Box<dyn Error>> {
    for (file, code) in [
        ("journal/mod.rs", "use crate::{domain::token::Token, ports::{journal::Journal, entropy}, durable};"),
        (
            "journal/a.rs",
            "use super::Store; use super::super::ports::clock::Clock; use self::inner::X; pub use inner::X;",
        ),
        (
            "journal/a.rs",
            "use crate::journal::schema; pub(crate) fn f() {} pub(super) struct S; pub(in crate::journal) mod m {}",
        ),
        ("journal/a.rs", "mod tests { use super::*; mod inner { use super::super::super::Store; } }"),
        ("journal/a.rs", "impl S { fn f(self) { self.g(); Self::h(); vault::f(); } }"),
        (
            "journal/a.rs",
            "// crate::vault\n/* use crate::vault; */\n/// [`crate::vault`]\nconst T: &str = \"use crate::vault;\";",
        ),
        ("journal/a.rs", "use tokio::sync::Mutex; use std::fs; use std::time::SystemTime;"),
        ("journal/a.rs", "fn path() { let path = path(); } #[cfg(path)] struct S;"),
        ("engine/mod.rs", "use crate::{domain, ports, durable, vault, ncloud::Client};"),
        ("daemon/mod.rs", "use crate::{cli, config, engine, vault};"),
        ("trigger.rs", "use crate::engine::Engine; use super::ports::clock::Clock;"),
        ("lib.rs", "pub mod vault; pub use crate::vault::Age; pub use daemon::run;"),
        ("main.rs", "fn main() { ncloud_rotator::daemon::main() }"),
        (
            "domain/a.rs",
            "use std::{fmt, time::Duration}; use serde::Serialize; use rand::TryCryptoRng; use super::token::Token;",
        ),
        ("domain/a.rs", "const TOKIO: &str = \"tokio::spawn\"; fn f() { self::tokio_like::g(); x.fs(); }"),
    ] {
        assert_eq!(lines(file, code)?, [] as [usize; 0], "{file}: {code}");
    }
    Ok(())
}

fn lines(file: &str, code: &str) -> Result<Vec<usize>, Box<dyn Error>> {
    let dependencies = ["tokio", "reqwest", "serde", "rand", "jiff", "tempfile"].map(str::to_owned).into();
    let lines: BTreeSet<usize> =
        breaches(Path::new(file), code, &dependencies)?.iter().map(|breach| breach.line).collect();
    Ok(lines.into_iter().collect())
}

/// A place where the floors are broken.
struct Breach {
    line: usize,
    what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.what)
    }
}

/// Every breach in one file, which is named relative to `src/`.
fn breaches(file: &Path, code: &str, dependencies: &BTreeSet<String>) -> Result<Vec<Breach>, Box<dyn Error>> {
    if FREE.iter().any(|free| file == Path::new(free)) {
        return Ok(Vec::new());
    }
    let module = module_of(file);
    let tokens: TokenStream = code.parse().map_err(|error| format!("{} is not Rust: {error}", file.display()))?;
    let mut paths = Vec::new();
    collect(&tokens.into_iter().collect::<Vec<_>>(), &module, &mut paths);
    let refuse = |named: Named| named.breach(&module[0], dependencies).map(|what| Breach { line: named.line, what });
    Ok(paths.into_iter().filter_map(refuse).collect())
}

/// A path that the code names.
struct Named {
    line: usize,
    target: Target,
    /// Whether `use` brings it in, so that what follows the path elsewhere is unknown.
    imported: bool,
}

enum Target {
    /// Within this crate, from its root.
    Own(Vec<String>),
    /// Anything else.
    Other(Vec<String>),
    /// What reading one file cannot follow.
    Lost(&'static str),
}

impl Named {
    fn new(line: usize, segments: &[String], module: &[String], imported: bool) -> Self {
        Self { line, target: resolve(segments, module), imported }
    }

    fn lost(line: usize, why: &'static str) -> Self {
        Self { line, target: Target::Lost(why), imported: false }
    }

    /// Why `room` must not name it.
    fn breach(&self, room: &str, dependencies: &BTreeSet<String>) -> Option<String> {
        match &self.target {
            Target::Own(path) => own_breach(path, room),
            Target::Other(path) if room == "domain" => self.impurity(path, dependencies),
            Target::Other(_) => None,
            Target::Lost(why) => Some((*why).to_owned()),
        }
    }

    fn impurity(&self, path: &[String], dependencies: &BTreeSet<String>) -> Option<String> {
        let impure_below = || self.imported && path.last().is_some_and(|last| last.starts_with(char::is_lowercase));
        let is_impure = |impure: &&str| {
            let impure: Vec<&str> = impure.split("::").collect();
            starts_with(path, &impure)
                || (impure_below() && path.iter().zip(&impure).filter(|(a, b)| a == b).count() == path.len())
        };
        if dependencies.contains(&path[0]) && !PURE.contains(&path[0].as_str()) {
            return Some(format!("domain/ names {}, which is not in PURE", path.join("::")));
        }
        IMPURE
            .iter()
            .find(|impure| is_impure(impure))
            .map(|impure| format!("domain/ names {}, and so {impure}", path.join("::")))
    }
}

fn own_breach(path: &[String], room: &str) -> Option<String> {
    let Some(target) = path.first() else {
        return Some("another name for the crate's root, or a glob of it; name the room".to_owned());
    };
    if target == room {
        return None;
    }
    match (floor(room), floor(target)) {
        (None, _) => Some(format!("{room}/ is on no floor")),
        (_, None) => Some(format!("crate::{target} is no room; name where it stands")),
        (Some(from), Some(to)) if to < from => None,
        (Some(from), Some(to)) => Some(format!("{room}/ (floor {from}) imports {target}/ (floor {to})")),
    }
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn starts_with(path: &[String], start: &[&str]) -> bool {
    path.len() >= start.len() && path.iter().zip(start).all(|(a, b)| a == b)
}

fn resolve(segments: &[String], module: &[String]) -> Target {
    let (mut base, mut rest) = match segments.first().map(String::as_str) {
        Some("crate" | "ncloud_rotator") => (Vec::new(), &segments[1..]),
        Some("self" | "super") => (module.to_vec(), segments),
        _ => return Target::Other(segments.to_vec()),
    };
    while let Some((first, after)) = rest.split_first().filter(|(first, _)| ["self", "super"].contains(&first.as_str()))
    {
        if first == "super" && base.pop().is_none() {
            return Target::Lost("`super` above the crate's root");
        }
        rest = after;
    }
    base.extend_from_slice(rest);
    Target::Own(base)
}

/// Gathers every path that the tokens of `module` name.
fn collect(tokens: &[TokenTree], module: &[String], found: &mut Vec<Named>) {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let rest = &tokens[at..];
        at += match token {
            TokenTree::Group(group) => {
                collect(&inside(group), module, found);
                1
            }
            TokenTree::Ident(word) if word == "mod" => collect_module(rest, module, found),
            TokenTree::Ident(word) if word == "use" && !is_punct(rest.get(1), '<') => collect_use(rest, module, found),
            TokenTree::Ident(word) if word == "extern" && is_word(rest.get(1), "crate") => {
                collect_extern(rest, module, found);
                3
            }
            TokenTree::Ident(word) if word == "include" && is_punct(rest.get(1), '!') => {
                found.push(Named::lost(line(token), "`include!` hides what it imports"));
                1
            }
            TokenTree::Ident(_) => {
                let (segments, length) = read_path(rest);
                if segments.len() > 1 {
                    found.push(Named::new(line(token), &segments, module, false));
                }
                length
            }
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                if attribute(rest).is_some_and(|group| assigns_path(&inside(group))) {
                    found.push(Named::lost(line(token), "`#[path]` puts a file into another room"));
                }
                1
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => 1,
        };
    }
}

/// `mod name { … }`; returns how many tokens that was.
fn collect_module(tokens: &[TokenTree], module: &[String], found: &mut Vec<Named>) -> usize {
    let [_, TokenTree::Ident(name), TokenTree::Group(body), ..] = tokens else { return 1 };
    let inner: Vec<String> = module.iter().cloned().chain([plain(name)]).collect();
    collect(&inside(body), &inner, found);
    3
}

/// `use …;`; returns how many tokens that was.
fn collect_use(tokens: &[TokenTree], module: &[String], found: &mut Vec<Named>) -> usize {
    let end = tokens.iter().position(|token| is_punct(Some(token), ';')).unwrap_or(tokens.len());
    collect_tree(&tokens[1..end], &[], module, found);
    end
}

/// One part of a `use` tree, whose path begins with `before`.
fn collect_tree(tokens: &[TokenTree], before: &[String], module: &[String], found: &mut Vec<Named>) {
    let start =
        tokens.iter().position(|token| !matches!(token, TokenTree::Punct(punct) if ":$".contains(punct.as_char())));
    let tokens = &tokens[start.unwrap_or(tokens.len())..];
    let (segments, length) = read_path(tokens);
    let mut path = [before, &segments].concat();
    let group = tokens[length..].iter().find_map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
        _ => None,
    });
    if let Some(group) = group {
        for part in inside(group).split(|token| is_punct(Some(token), ',')).filter(|part| !part.is_empty()) {
            collect_tree(part, &path, module, found);
        }
        return;
    }
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    if let (Some(token), false) = (tokens.first(), path.is_empty()) {
        found.push(Named::new(line(token), &path, module, true));
    }
}

/// `extern crate name`.
fn collect_extern(tokens: &[TokenTree], module: &[String], found: &mut Vec<Named>) {
    match tokens.get(2) {
        Some(token) if is_word(Some(token), "self") => {
            found.push(Named::lost(line(token), "another name for the crate's root"));
        }
        Some(TokenTree::Ident(name)) => found.push(Named::new(line(&tokens[2]), &[plain(name)], module, true)),
        _ => {}
    }
}

/// The names of a path at the start of `tokens`, and how many tokens they and the `::` between and after them take.
fn read_path(tokens: &[TokenTree]) -> (Vec<String>, usize) {
    let (mut segments, mut at) = (Vec::new(), 0);
    while let Some(TokenTree::Ident(name)) = tokens.get(at) {
        segments.push(plain(name));
        at += 1;
        if !(is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')) {
            break;
        }
        at += 2;
    }
    (segments, at)
}

/// The brackets of an attribute that starts with `#`.
fn attribute(tokens: &[TokenTree]) -> Option<&Group> {
    tokens[1..].iter().take(2).find_map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => Some(group),
        _ => None,
    })
}

fn assigns_path(tokens: &[TokenTree]) -> bool {
    let assigns = tokens.windows(2).any(|pair| is_word(pair.first(), "path") && is_punct(pair.get(1), '='));
    let within = |token: &TokenTree| matches!(token, TokenTree::Group(group) if assigns_path(&inside(group)));
    assigns || tokens.iter().any(within)
}

fn inside(group: &Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

fn is_punct(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

fn is_word(token: Option<&TokenTree>, word: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == word)
}

fn plain(name: &proc_macro2::Ident) -> String {
    name.to_string().trim_start_matches("r#").to_owned()
}

fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

/// `journal/schema.rs` is `["journal", "schema"]`, and so is `journal/schema/mod.rs`.
fn module_of(file: &Path) -> Vec<String> {
    let stem = file.with_extension("");
    let mut module: Vec<String> = stem.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every folder and every file right under `src/`, the free ones aside, by its name without an ending.
fn rooms() -> io::Result<BTreeSet<String>> {
    let mut rooms = BTreeSet::new();
    for entry in fs::read_dir(root().join("src"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !FREE.contains(&name.as_str()) {
            rooms.insert(name.trim_end_matches(".rs").to_owned());
        }
    }
    Ok(rooms)
}

fn sources(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(sources(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

/// The names under which the code would call what `Cargo.toml` depends on.
fn dependencies() -> Result<BTreeSet<String>, Box<dyn Error>> {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml"))?.parse()?;
    let sections =
        ["dependencies", "dev-dependencies"].into_iter().filter_map(|section| manifest.get(section)?.as_table());
    Ok(sections.flat_map(|section| section.keys().map(|name| name.replace('-', "_"))).collect())
}
