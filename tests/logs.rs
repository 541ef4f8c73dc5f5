//! `docs/logs.md` names every event of the log with its levels and fields, and nothing else.
//!
//! The sources are read as Rust tokens: each call of one of `tracing`'s macros is an event, whose fields and level stand in the
//! call.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// The last lines of a process, which no macro writes: `src/daemon/last_words.rs`.
const LAST_WORDS: [(&str, &[&str]); 3] = [
    ("fault", &["unfinished", "lost"]),
    ("ended-at-once", &["unfinished", "lost"]),
    ("fatal", &["unfinished", "lost"]),
];

/// The levels and fields of an event, over all places that tell it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Told {
    levels: Vec<String>,
    fields: Vec<String>,
}

impl Told {
    fn add(&mut self, level: &str, fields: &[String]) {
        if !self.levels.iter().any(|known| known == level) {
            self.levels.push(level.to_owned());
            self.levels.sort_by_key(|level| LEVELS.iter().position(|known| known == level));
        }
        for field in fields {
            if !self.fields.contains(field) {
                self.fields.push(field.clone());
            }
        }
    }

    fn row(&self, event: &str) -> String {
        let fields: Vec<String> = self.fields.iter().map(|field| format!("`{field}`")).collect();
        format!("| `{event}` | {} | {} |", self.levels.join(", "), fields.join(", "))
    }
}

#[test]
fn the_page_names_every_event_with_its_levels_and_fields_and_no_other() -> Result<(), Box<dyn Error>> {
    let code = in_code()?;
    let page = in_page(&fs::read_to_string(root().join("docs/logs.md"))?);
    let missing: Vec<String> = code
        .iter()
        .filter(|(event, told)| page.get(*event) != Some(told))
        .map(|(event, told)| told.row(event))
        .collect();
    let strange: Vec<&String> = page.keys().filter(|event| !code.contains_key(*event)).collect();
    assert!(missing.is_empty(), "docs/logs.md lacks these rows, or says something else:\n{}", missing.join("\n"));
    assert!(strange.is_empty(), "docs/logs.md names events that nothing tells: {strange:?}");
    Ok(())
}

#[test]
fn every_line_has_its_event_first_and_words_last() -> Result<(), Box<dyn Error>> {
    let mut found = Vec::new();
    for file in sources(&root().join("src"))? {
        for call in calls(&fs::read_to_string(&file)?)? {
            if call.event.is_none() || !call.has_words {
                found.push(format!("{}:{}", file.display(), call.line));
            }
        }
    }
    assert!(found.is_empty(), "lines without a name or without words: {found:?}");
    Ok(())
}

/// The reader must be able to see each form of a call.
#[test]
fn calls_are_read_in_each_of_their_forms() -> Result<(), Box<dyn Error>> {
    let code = r#"fn f() {
        tracing::warn!(event = "one", %account, ?b, c, d = %x.y(1, 2), "words {}", 1);
        info!(event = "two", "words");
        debug!("no name");
        other!(event = "three", "words");
    }"#;
    let found: Vec<_> = calls(code)?.into_iter().map(|call| (call.level, call.event, call.fields)).collect();
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        found,
        [
            ("warn".to_owned(), Some("one".to_owned()), texts(&["account", "b", "c", "d"])),
            ("info".to_owned(), Some("two".to_owned()), texts(&[])),
            ("debug".to_owned(), None, texts(&[])),
        ]
    );
    Ok(())
}

fn in_code() -> Result<BTreeMap<String, Told>, Box<dyn Error>> {
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    for file in sources(&root().join("src"))? {
        for call in calls(&fs::read_to_string(&file)?)? {
            if let Some(event) = call.event {
                told.entry(event).or_default().add(&call.level, &call.fields);
            }
        }
    }
    for (event, fields) in LAST_WORDS {
        told.entry(event.to_owned())
            .or_default()
            .add("error", &fields.iter().map(|&field| field.to_owned()).collect::<Vec<_>>());
    }
    Ok(told)
}

/// The rows of the page's tables that begin with an event, as `| event | levels | fields | meaning |`.
fn in_page(page: &str) -> BTreeMap<String, Told> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix('|')?.split('|').map(str::trim).collect();
        let [event, levels, fields, meaning, ..] = cells.as_slice() else { return None };
        let event = event.strip_prefix('`')?.strip_suffix('`')?;
        let list = |cell: &str| {
            let parts = cell.split(',').map(|part| part.trim().trim_matches('`').to_owned());
            parts.filter(|part| !part.is_empty()).collect::<Vec<_>>()
        };
        assert!(!meaning.is_empty(), "{event} has no meaning");
        Some((event.to_owned(), Told { levels: list(levels), fields: list(fields) }))
    };
    page.lines().filter_map(row).collect()
}

/// One call of a macro.
#[derive(Debug)]
struct Call {
    line: usize,
    level: String,
    event: Option<String>,
    fields: Vec<String>,
    has_words: bool,
}

fn calls(code: &str) -> Result<Vec<Call>, Box<dyn Error>> {
    let tokens: TokenStream = code.parse().map_err(|error| format!("not Rust: {error}"))?;
    let mut found = Vec::new();
    collect(&tokens.into_iter().collect::<Vec<_>>(), &mut found);
    Ok(found)
}

fn collect(tokens: &[TokenTree], found: &mut Vec<Call>) {
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            let inside: Vec<TokenTree> = group.stream().into_iter().collect();
            if let [.., TokenTree::Ident(level), TokenTree::Punct(bang)] = &tokens[..at]
                && bang.as_char() == '!'
                && LEVELS.iter().any(|known| level == known)
            {
                found.push(call(level.to_string(), token.span().start().line, &inside));
            }
            collect(&inside, found);
        }
    }
}

fn call(level: String, line: usize, arguments: &[TokenTree]) -> Call {
    let mut call = Call { line, level, event: None, fields: Vec::new(), has_words: false };
    for argument in arguments.split(|token| is_punct(token, ',')) {
        let argument = match argument {
            [first, rest @ ..] if is_punct(first, '%') || is_punct(first, '?') => rest,
            other => other,
        };
        match argument {
            // What follows the words is put into them.
            [TokenTree::Literal(_)] => {
                call.has_words = true;
                break;
            }
            [TokenTree::Ident(name), equals, TokenTree::Literal(text)] if name == "event" && is_punct(equals, '=') => {
                call.event = Some(text.to_string().trim_matches('"').to_owned());
            }
            [TokenTree::Ident(name), ..] => call.fields.push(name.to_string()),
            _ => {}
        }
    }
    call
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(sources(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
