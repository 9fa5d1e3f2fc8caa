//! The house rules that a compiler does not know: sizes by ratchet, banned words, forgotten files.
//!
//! Hard limits hold at once: 900 lines a file, 70 lines a function. Files over 500 lines and functions over 50 are written down in
//! `ratchet.txt` with their size: they may shrink, not grow, and a new one has to be put there by hand (`CAPSTAN_TIDY=update`), where
//! a reviewer sees it.

mod functions;
mod tree;
mod words;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

const FILE_SOFT: usize = 500;
const FILE_HARD: usize = 900;
const FUNCTION_SOFT: usize = 50;
const FUNCTION_HARD: usize = 70;

fn ratchet_path() -> PathBuf {
    tree::root().join("tests/tidy/ratchet.txt")
}

/// Sizes over the soft limits: `file` or `file::function` → lines.
fn oversized() -> BTreeMap<String, usize> {
    let mut sizes = BTreeMap::new();
    for file in tree::rust_files() {
        let lines = file.text.lines().count();
        if lines > FILE_SOFT {
            sizes.insert(file.path.clone(), lines);
        }
        for (name, lines) in functions::lengths(&file) {
            if lines > FUNCTION_SOFT {
                sizes.insert(format!("{}::{name}", file.path), lines);
            }
        }
    }
    sizes
}

#[test]
fn sizes_only_shrink() {
    let now = oversized();
    if std::env::var("CAPSTAN_TIDY").is_ok_and(|mode| mode == "update") {
        let mut text = String::new();
        for (name, lines) in &now {
            writeln!(text, "{lines} {name}").unwrap();
        }
        std::fs::write(ratchet_path(), text).unwrap();
    }
    let ratchet: BTreeMap<String, usize> = std::fs::read_to_string(ratchet_path())
        .unwrap_or_default()
        .lines()
        .map(|line| {
            let (lines, name) = line.split_once(' ').expect("a line is `<lines> <name>`");
            (name.to_owned(), lines.parse().expect("a number"))
        })
        .collect();
    let mut problems = Vec::new();
    for (name, &lines) in &now {
        let hard = if name.contains("::") { FUNCTION_HARD } else { FILE_HARD };
        if lines > hard {
            problems.push(format!("{name}: {lines} lines, the limit is {hard}: split it"));
        }
        match ratchet.get(name) {
            Some(&allowed) if lines <= allowed => {}
            Some(allowed) => problems.push(format!("{name}: grew from {allowed} to {lines} lines")),
            None => problems.push(format!(
                "{name}: {lines} lines is over the soft limit: split it, or add it by CAPSTAN_TIDY=update"
            )),
        }
    }
    for (name, allowed) in &ratchet {
        if !now.contains_key(name) {
            problems.push(format!(
                "{name}: ({allowed} lines) is no longer oversized: run with CAPSTAN_TIDY=update to take it off"
            ));
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn no_banned_words() {
    let problems = words::banned();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn every_rust_file_is_reached_by_a_module() {
    let problems = tree::unreached();
    assert!(problems.is_empty(), "not part of any crate:\n{}", problems.join("\n"));
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<String> = tree::rust_files()
        .into_iter()
        .filter(|file| !file.text.trim_start().starts_with("//!"))
        .map(|file| file.path)
        .collect();
    assert!(
        silent.is_empty(),
        "no module documentation at the top of:\n{}",
        silent.join("\n")
    );
}
