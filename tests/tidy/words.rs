//! Words that have no place in the project, each with what to do instead.

use crate::tree::{SourceFile, text_files};

/// `(word, instead)`. Split in two so that this file does not contain what it bans.
const EVERYWHERE: &[(&str, &str, &str)] = &[
    ("TO", "DO", "finish it, or leave it out and say so in the documentation"),
    ("FIX", "ME", "fix it"),
    ("/work", "/", "no path of the machine it was written on"),
    ("/ro", "ot/", "no path of the machine it was written on"),
    ("crates", ".io", "name packages by name, not by registry"),
    ("proxy.golang", ".org", "name packages by name, not by registry"),
    ("registry.npm", "js", "name packages by name, not by registry"),
    ("pypi", ".org", "name packages by name, not by registry"),
];

/// Only in Rust sources of the product.
const IN_PRODUCT: &[(&str, &str, &str)] = &[
    ("std::process::", "Command", "the product starts no child process"),
    ("tokio::", "process", "the product starts no child process"),
];

/// Every use of a banned word.
pub(crate) fn banned() -> Vec<String> {
    text_files().iter().flat_map(check).collect()
}

fn check(file: &SourceFile) -> Vec<String> {
    let generated = ["Cargo.lock", "go.sum", "deny.toml", ".gitignore"]
        .iter()
        .any(|name| file.path.ends_with(name));
    if generated {
        return Vec::new();
    }
    let is_test = |path: &str| {
        path.split('/')
            .any(|part| matches!(part, "tests" | "tests.rs" | "examples" | "benches"))
    };
    let product = file.path.ends_with(".rs") && !is_test(&file.path);
    let lists = [EVERYWHERE, if product { IN_PRODUCT } else { &[] }];
    let mut problems = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for (head, tail, instead) in lists.iter().copied().flatten() {
            let word = format!("{head}{tail}");
            if contains_word(line, &word) {
                problems.push(format!("{}:{}: {word:?}: {instead}", file.path, number + 1));
            }
        }
    }
    problems
}

/// A word of letters must stand alone; one with punctuation may stand anywhere.
fn contains_word(line: &str, word: &str) -> bool {
    if !word.chars().all(char::is_alphabetic) {
        return line.contains(word);
    }
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(char::is_alphanumeric);
        let after = line[at + word.len()..]
            .chars()
            .next()
            .is_some_and(char::is_alphanumeric);
        !before && !after
    })
}
