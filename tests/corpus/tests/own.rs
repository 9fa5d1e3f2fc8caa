//! Charts of our own, which between them use every action, every function and every rule of loading, values and output.

#![allow(clippy::print_stdout, reason = "the test prints what it found")]

use std::path::{Path, PathBuf};

use capstan_corpus::variants::changed;
use capstan_corpus::{Case, charts_below, run};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Changed values files for each chart; `CAPSTAN_VARIANTS` says how many.
const VARIANTS: usize = 8;

/// Every chart with its own values, with each file of `values/<chart>/`, with changed values and with other versions of Kubernetes.
fn cases(scratch: &Path) -> Vec<Case> {
    let variants = std::env::var("CAPSTAN_VARIANTS")
        .ok()
        .and_then(|text| text.parse().ok());
    let mut cases = Vec::new();
    for chart in charts_below(&folder("charts")) {
        let case = Case::new(&chart);
        cases.push(case.clone());
        let own = folder("values").join(chart.file_name().unwrap_or_default());
        let mut files: Vec<PathBuf> = std::fs::read_dir(own)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        files.sort();
        cases.extend(files.iter().map(|file| case.with_values(file)));
        cases.extend(changed(&case, scratch, variants.unwrap_or(VARIANTS)));
        for version in ["1.19.0", "v1.27.3-gke.100", "v1.30.0+k3s1"] {
            let mut case = case.clone();
            case.kube_version = version.to_owned();
            case.api_versions = vec!["example.org/v1".into(), "example.org/v1/Widget".into()];
            case.name_in_report = format!("{} --kube-version {version}", case.name_in_report);
            cases.push(case);
        }
    }
    cases
}

/// Charts and values files that say so, changed values, and versions of Kubernetes that a chart does not want.
fn is_meant_to_fail(refusal: &str) -> bool {
    let case = refusal.lines().next().unwrap_or_default();
    case.contains("refused-") || case.contains(" with ") || refusal.contains("requires kubeVersion")
}

#[test]
fn own() {
    let scratch = tempfile::tempdir().expect("a folder");
    let Some(report) = run(&cases(scratch.path())) else {
        println!("skipped: the real helm is not there (tests/oracles/build.sh builds it)");
        return;
    };
    println!("own charts: {report}");
    let surprising = report.refusals.iter().filter(|refusal| !is_meant_to_fail(refusal));
    assert_eq!(
        surprising.collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "charts that were meant to render"
    );
    assert!(report.differences.is_empty(), "{}", report.differences.join("\n\n"));
    assert!(report.rendered > 0 && report.refused > 0, "nothing compared");
}

/// A function that no chart of ours calls is a function that is not compared.
#[test]
fn every_function_is_called() {
    let mut words = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(folder("charts/functions/templates")).expect("the charts can be read") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a template is text");
        words.extend(
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .map(str::to_owned),
        );
    }
    let missing: Vec<_> = capstan_template::function_names()
        .into_iter()
        .filter(|name| !words.contains(*name))
        .collect();
    assert!(missing.is_empty(), "not called: {missing:?}");
}
