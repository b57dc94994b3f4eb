//! Holds the rules of the layout that the compiler does not know: who may import whom, what pure modules must not touch, how
//! modules open, how long files get.
//!
//! It reads `crate::…` and `super::…` paths in every file under `src/`, outside comments, strings and tests.

#![expect(clippy::string_slice, reason = "the positions come from searching the same text")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support;

/// No clock, no I/O, no async, no globals, no logging: everything that decides.
const PURE: [&str; 9] = ["event", "decode", "score", "join", "measure", "log", "evaluate", "alert", "ingest"];
const COMPOSERS: [&str; 2] = ["ingest", "evaluator"];
/// Code that talks to the outside; each may use pure modules and telemetry, none another of them.
const OUTSIDE: [&str; 4] = ["source", "lake", "notify", "http"];

/// What a top-level module may import; `None` for everything.
fn may_import(module: &str) -> Option<BTreeSet<&'static str>> {
    let pure = || PURE.into_iter().chain(COMPOSERS);
    let allowed: Vec<&str> = match module {
        "event" => vec![],
        "decode" | "join" | "measure" => vec!["event"],
        "score" | "log" => vec!["event", "measure"],
        "evaluate" => vec!["event", "measure", "log"],
        "alert" => vec!["event", "measure", "log", "evaluate"],
        "ingest" => vec!["event", "decode", "score", "join", "measure", "log"],
        "evaluator" => vec!["event", "measure", "log", "evaluate", "alert"],
        "telemetry" => pure().collect(),
        "source" | "lake" | "notify" | "http" => pure().chain(["telemetry"]).collect(),
        "config" => pure().chain(OUTSIDE).chain(["telemetry"]).collect(),
        "demo" => pure().chain(["config"]).collect(),
        "runtime" | "cli" | "main" | "lib" => return None,
        _ => panic!("src has a module `{module}` that has no place in the layout: give it one here and in ARCHITECTURE.md"),
    };
    Some(allowed.into_iter().collect())
}

/// What pure modules must not name.
const IMPURE: [&str; 22] = [
    "tokio",
    "rdkafka",
    "arrow",
    "parquet",
    "object_store",
    "lettre",
    "reqwest",
    "axum",
    "opentelemetry",
    "opentelemetry_sdk",
    "opentelemetry_otlp",
    "tracing",
    "tracing_subscriber",
    "clap",
    "indicatif",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
    "std::time::SystemTime",
    "std::time::Instant",
];

/// Files with more lines of code (without comments and tests) than they should have, with their limit. The list only gets
/// shorter.
const LONG_FILES: [(&str, usize); 0] = [];
/// About 400; the allowance is for those that are just being split.
const LINES_MAX: usize = 440;

struct Source {
    /// Relative to `src/`.
    path: String,
    /// First component of the module path.
    module: String,
    /// Number of `super::` that lead from this file to the crate's root.
    depth: usize,
    text: String,
    /// The text without comments, strings and tests.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = support::project().join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    files.iter().map(|file| source(&root, file)).collect()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn source(root: &Path, file: &Path) -> Source {
    let path = file.strip_prefix(root).expect("found below it").to_str().expect("plain names").to_owned();
    let mut modules: Vec<&str> = path.strip_suffix(".rs").expect("chosen by it").split('/').collect();
    if modules.last() == Some(&"mod") {
        modules.pop();
    }
    let text = fs::read_to_string(file).expect("sources are UTF-8");
    let tests = modules.iter().any(|module| *module == "tests" || module.ends_with("_tests"));
    let code = if tests { String::new() } else { without_tests(&without_text(&text)) };
    Source { module: modules[0].to_owned(), depth: modules.len(), path: path.clone(), text, code }
}

/// Replaces comments, strings and character literals by spaces, keeping lines.
fn without_text(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut i = 0;
    let blank = |code: &mut String, chars: &[char]| {
        code.extend(chars.iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
    };
    while i < chars.len() {
        let rest = &chars[i..];
        let length = if rest.starts_with(&['/', '/']) {
            rest.iter().position(|c| *c == '\n').unwrap_or(rest.len())
        } else if rest.starts_with(&['/', '*']) {
            block_comment(rest)
        } else if rest[0] == '"' {
            quoted(rest, '"')
        } else if rest[0] == 'r' && !before_is_word(&chars, i) && raw_hashes(rest).is_some() {
            raw_string(rest, raw_hashes(rest).unwrap_or(0))
        } else if rest[0] == '\'' && (rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\'')) {
            quoted(rest, '\'')
        } else {
            code.push(rest[0]);
            i += 1;
            continue;
        };
        blank(&mut code, &rest[..length]);
        i += length;
    }
    code
}

fn before_is_word(chars: &[char], i: usize) -> bool {
    // `br"…"` is a raw string too, so a single b in front does not count.
    i > 0 && (chars[i - 1].is_alphanumeric() || chars[i - 1] == '_') && chars[i - 1] != 'b'
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0;
    let mut i = 0;
    while i < rest.len() {
        if rest[i..].starts_with(&['/', '*']) {
            depth += 1;
            i += 2;
        } else if rest[i..].starts_with(&['*', '/']) {
            depth -= 1;
            i += 2;
            if depth == 0 {
                break;
            }
        } else {
            i += 1;
        }
    }
    i
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut i = 1;
    while i < rest.len() && rest[i] != quote {
        i += if rest[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(rest.len())
}

fn raw_hashes(rest: &[char]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    (rest.get(1 + hashes) == Some(&'"')).then_some(hashes)
}

fn raw_string(rest: &[char], hashes: usize) -> usize {
    let mut end = vec!['"'];
    end.resize(1 + hashes, '#');
    let start = 2 + hashes;
    (start..rest.len()).find(|i| rest[*i..].starts_with(&end)).map_or(rest.len(), |i| i + end.len())
}

/// Cuts items marked `#[cfg(test)]`, keeping lines.
fn without_tests(code: &str) -> String {
    let mut kept = code.to_owned();
    while let Some(start) = kept.find("#[cfg(test)]") {
        let end = kept[start..].find(['{', ';']).map_or(kept.len(), |at| {
            let open = start + at;
            if kept[open..].starts_with(';') { open + 1 } else { matching(&kept, open) }
        });
        let blank: String = kept[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        kept.replace_range(start..end, &blank);
    }
    kept
}

fn matching(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open + at + 1;
        }
    }
    code.len()
}

/// Top-level modules that a file names through `crate::` or enough `super::`, with the line.
fn imports(source: &Source) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let root = "super::".repeat(source.depth);
    for prefix in ["crate::", root.as_str()] {
        for (at, _) in source.code.match_indices(prefix) {
            let before = source.code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$' || c == ':') {
                continue;
            }
            let line = source.code[..at].matches('\n').count() + 1;
            for name in first_names(&source.code[at + prefix.len()..]) {
                found.entry(name).or_insert(line);
            }
        }
    }
    found
}

/// `a::b` names `a`; `{a, b::{c, d}, e}` names `a`, `b` and `e`.
fn first_names(path: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    if !path.starts_with('{') {
        return vec![word(path)];
    }
    let inside = &path[1..matching(path, 0) - 1];
    let mut depth = 0;
    let mut names = Vec::new();
    let mut start = 0;
    for (at, c) in inside.char_indices().chain([(inside.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(word(inside[start..at].trim_start()));
                start = at + 1;
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn top_level(sources: &[Source]) -> BTreeSet<String> {
    sources.iter().map(|source| source.module.clone()).filter(|module| module != "lib" && module != "main").collect()
}

#[test]
fn modules_import_only_what_the_layout_allows() {
    let sources = sources();
    let modules = top_level(&sources);
    let mut breaches = Vec::new();
    for source in &sources {
        let Some(allowed) = may_import(&source.module) else { continue };
        for (name, line) in imports(source) {
            if name != source.module && modules.contains(&name) && !allowed.contains(name.as_str()) {
                breaches.push(format!("src/{}:{line}: {} must not import {name}", source.path, source.module));
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn modules_that_decide_touch_no_clock_no_files_no_network_and_no_log() {
    let mut breaches = Vec::new();
    for source in sources() {
        if !PURE.contains(&source.module.as_str()) && !COMPOSERS.contains(&source.module.as_str()) {
            continue;
        }
        for (number, line) in source.code.lines().enumerate() {
            for impure in IMPURE {
                if names(line, impure) {
                    breaches.push(format!(
                        "src/{}:{}: {} is pure and must not use {impure}",
                        source.path,
                        number + 1,
                        source.module
                    ));
                }
            }
            // `use std::{fs, io}` names what the list above spells out.
            if let Some((_, group)) = line.split_once("std::{") {
                for word in ["fs", "net", "env", "thread", "process"] {
                    if group.split([',', '{', '}', ':']).any(|name| name.trim() == word) {
                        breaches.push(format!(
                            "src/{}:{}: {} is pure and must not use std::{word}",
                            source.path,
                            number + 1,
                            source.module
                        ));
                    }
                }
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

/// Whether a line has `path::` or `use path`, as a path of its own.
fn names(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + path.len()..].chars().next();
        let starts = !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
        let ends = !after.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let is_path = path.contains("::") || line[at + path.len()..].starts_with("::") || line.contains(&format!("use {path}"));
        starts && ends && is_path
    })
}

#[test]
fn every_module_opens_by_saying_what_it_is() {
    let opens = |source: &Source| source.path.ends_with("tests.rs") || source.text.starts_with("//! ");
    let silent: Vec<_> = sources().into_iter().filter(|source| !opens(source)).map(|source| source.path).collect();
    assert!(silent.is_empty(), "these files do not open with `//! `: {silent:?}");
}

#[test]
fn files_hold_one_concept_each() {
    let exceptions: BTreeMap<_, _> = LONG_FILES.into_iter().collect();
    let mut long = Vec::new();
    for source in sources() {
        let lines = source.code.lines().filter(|line| !line.trim().is_empty()).count();
        let limit = exceptions.get(source.path.as_str()).copied().unwrap_or(LINES_MAX);
        if lines > limit {
            long.push(format!("src/{} has {lines} lines of code, more than {limit}: look for a second concept in it", source.path));
        } else if exceptions.contains_key(source.path.as_str()) && lines <= LINES_MAX {
            long.push(format!("src/{} is short enough now: strike it off the list of exceptions", source.path));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn files_are_named_after_concepts() {
    let vague = ["types", "traits", "utils", "util", "helpers", "common", "misc"];
    let found: Vec<_> = sources()
        .into_iter()
        .filter(|source| source.path.split(['/', '.']).any(|part| vague.contains(&part)))
        .map(|source| source.path)
        .collect();
    assert!(found.is_empty(), "these names say nothing: {found:?}");
}

#[test]
fn the_reader_of_sources_sees_through_comments_strings_and_groups() {
    let code = without_tests(&without_text(
        "use crate::{a, b::{c, d}};\n// crate::no1\nlet s = \"crate::no2\"; let r = r#\"crate::no3\"#;\nlet c = '\"';\n\
         #[cfg(test)]\nmod tests { use crate::no4; }\nuse super::super::e::f;\nfn x<'a>(y: &'a str) {}\ncrate::g::h();\n",
    ));
    let source = Source { path: String::new(), module: "m".to_owned(), depth: 2, text: String::new(), code };
    let found: Vec<_> = imports(&source).into_iter().collect();
    let expected = [("a", 1), ("b", 1), ("e", 7), ("g", 9)].map(|(name, line)| (name.to_owned(), line));
    assert_eq!(found, expected);
    assert!(names("use std::fs;", "std::fs") && names("let x = tokio::spawn(y);", "tokio"));
    assert!(!names("let tokio_like = 1;", "tokio") && !names("self::log::tracing", "tracing"));
}
