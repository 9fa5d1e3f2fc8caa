//! Charts of a folder that is given, `CAPSTAN_CHARTS`: any number of charts at any depth, with the values of their `ci` folders.
//!
//! `CAPSTAN_VARIANTS` says how many changed values files each chart is rendered with besides (none by default), `CAPSTAN_SHOW` how many
//! differences are printed. The last lines tell byte-equal files, parse-equal files and agreement about errors.

#![allow(clippy::print_stdout, reason = "the test prints what it found")]

use std::fs;
use std::path::{Path, PathBuf};

use capstan_corpus::variants::changed;
use capstan_corpus::{Case, charts_below, run};

/// The part of stable files that has to be equal to the byte, in thousandths.
const BYTES: usize = 995;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

fn cases_of(chart: &Path, variants: usize, scratch: &Path) -> Vec<Case> {
    let case = Case::new(chart);
    let mut cases = vec![case.clone()];
    let mut files: Vec<PathBuf> = fs::read_dir(chart.join("ci"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    cases.extend(files.iter().map(|file| case.with_values(file)));
    cases.extend(changed(&case, scratch, variants));
    cases
}

#[test]
fn external() {
    let Some(folder) = std::env::var_os("CAPSTAN_CHARTS").map(PathBuf::from) else {
        println!("skipped: CAPSTAN_CHARTS names no folder of charts");
        return;
    };
    let scratch = tempfile::tempdir().expect("a folder");
    let charts = charts_below(&folder);
    assert!(!charts.is_empty(), "no chart below {}", folder.display());
    let variants = number("CAPSTAN_VARIANTS", 0);
    let cases: Vec<Case> = charts
        .iter()
        .flat_map(|chart| cases_of(chart, variants, scratch.path()))
        .collect();
    let Some(report) = run(&cases) else {
        println!("skipped: the real helm is not there (tests/oracles/build.sh builds it)");
        return;
    };
    report
        .differences
        .iter()
        .take(number("CAPSTAN_SHOW", 20))
        .for_each(|difference| println!("{difference}\n"));
    println!("corpus: {} charts, {report}", charts.len());
    assert_eq!(report.parse_equal, report.stable, "files that parse to other documents");
    assert!(
        report.byte_equal * 1000 >= report.stable * BYTES,
        "files that differ in bytes"
    );
}
