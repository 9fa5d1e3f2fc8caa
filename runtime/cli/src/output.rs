//! Printing: tables as kubectl prints them, JSON and YAML.

use clap::ValueEnum;
use serde_json::Value;

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for people.
    #[default]
    Table,
    /// A table with more columns.
    Wide,
    /// Names only.
    Name,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// Prints data. A reader that went away (`| head`) is no error.
pub(crate) fn print(text: &(impl AsRef<[u8]> + ?Sized)) {
    use std::io::Write;
    let text = text.as_ref();
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text).and_then(|()| {
        if text.ends_with(b"\n") {
            Ok(())
        } else {
            out.write_all(b"\n")
        }
    });
}

/// Tells people something.
#[expect(clippy::print_stderr, reason = "standard error is for people")]
pub(crate) fn complain(text: &str) {
    eprintln!("{text}");
}

/// Prints a value as JSON or YAML.
pub(crate) fn print_value(value: &Value, yaml: bool) {
    match yaml {
        true => print(&capstan_yaml::to_go_yaml(value)),
        false => print(&format!("{value:#}")),
    }
}

/// A table without borders: columns as wide as their longest cell, three spaces between.
pub(crate) fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells.chain([columns[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("{}\n", padded.join("   ").trim_end())
    };
    let mut text = line(&mut columns.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

/// The first eight characters of a commit id; the whole version of a chart.
pub(crate) fn short(revision: &str) -> &str {
    capstan_model::short_revision(revision, 8)
}

/// Text on one line, without control characters.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let text = table(
            &["NAME", "X"],
            &[vec!["a".into(), "1".into()], vec!["longer".into(), String::new()]],
        );
        assert_eq!(text, "NAME     X\na        1\nlonger\n");
    }
}
