//! `capstan render` beside `helm template`, as a person types them: the same text on standard output, and an error where Helm has one.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::harness::{CAPSTAN, nothing_may_be_missing};

/// The real Helm that `tests/oracles/build.sh` builds.
fn helm() -> Option<PathBuf> {
    let folder = std::env::var_os("CAPSTAN_ORACLES").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/capstan/oracles"),
        PathBuf::from,
    );
    let program = folder.join("helm");
    if program.is_file() {
        return Some(program);
    }
    assert!(!nothing_may_be_missing(), "{} has not been built", program.display());
    println!("skipped: the real helm is not there (tests/oracles/build.sh builds it)");
    None
}

/// Runs a program in `folder` with `input` as its standard input.
fn run(program: &Path, folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    // A program that fails before it reads closes the pipe: that is no failure of the test.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

const TEMPLATE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-{{ .Chart.Name }}\n  namespace: {{ .Release.Namespace }}\n\
                        data:\n{{ toYaml .Values | indent 2 }}\n";

/// A folder of charts as people have them.
fn charts() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    write("shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n");
    write("shop/values.yaml", "a: 1\nb: {c: x}\n");
    write("shop/templates/map.yaml", TEMPLATE);
    write(
        "shop/templates/tests/t.yaml",
        &TEMPLATE.replace("metadata:", "metadata:\n  annotations: {helm.sh/hook: test}"),
    );
    write("shop/templates/NOTES.txt", "Thanks.\n");
    write(
        "shop/crds/crd.yaml",
        "kind: CustomResourceDefinition\napiVersion: apiextensions.k8s.io/v1\nmetadata: {name: x}\n",
    );
    write(
        "windows/Chart.yaml",
        "\u{feff}apiVersion: v2\r\nname: windows\r\nversion: 1.0.0\r\n",
    );
    write("windows/values.yaml", "\u{feff}a: 1\r\nb: |\r\n  x\r\n  y\r\n");
    write("windows/templates/map.yaml", &TEMPLATE.replace('\n', "\r\n"));
    write("values/prod.yaml", "b: {d: 2}\na: null\n");
    write("values/broken.yaml", "b: [\n");
    write("values/list.yaml", "- b\n");
    write(
        "dangling/Chart.yaml",
        "apiVersion: v2\nname: dangling\nversion: 1.0.0\n",
    );
    std::os::unix::fs::symlink("nowhere", folder.path().join("dangling/values.yaml")).expect("a link");
    write("nochart/templates/map.yaml", TEMPLATE);
    folder
}

/// What is asked: arguments after `helm template` and after `capstan render`, and standard input.
type Case<'a> = (&'a [&'a str], &'a [&'a str], &'a str);

const CASES: &[Case<'_>] = &[
    (&["shop"], &["shop"], ""),
    (&["./shop/"], &["./shop/"], ""),
    (&["r", "shop"], &["shop", "--name", "r"], ""),
    (&["shop", "-n", "team"], &["shop", "-n", "team"], ""),
    (&["shop", "--include-crds"], &["shop", "--include-crds"], ""),
    (
        &["shop", "-f", "values/prod.yaml"],
        &["shop", "-f", "values/prod.yaml"],
        "",
    ),
    (
        &["shop", "-f", "values/../values/prod.yaml"],
        &["shop", "-f", "values/../values/prod.yaml"],
        "",
    ),
    (&["shop", "-f", "-"], &["shop", "-f", "-"], "b: {c: piped}\n"),
    (
        &["shop", "-f", "/dev/stdin"],
        &["shop", "-f", "/dev/stdin"],
        "b: {c: piped}\n",
    ),
    (
        &["shop", "--set", "a=2,b.c={x,y}"],
        &["shop", "--set", "a=2,b.c={x,y}"],
        "",
    ),
    (&["shop", "--set-string", "a=2"], &["shop", "--set-string", "a=2"], ""),
    (
        &["shop", "--set-json", "b={\"c\":[1,2]}"],
        &["shop", "--set-json", "b={\"c\":[1,2]}"],
        "",
    ),
    (
        &["shop", "--set-literal", "a=x,y=z"],
        &["shop", "--set-literal", "a=x,y=z"],
        "",
    ),
    (&["shop.tgz"], &["shop.tgz"], ""),
    (&["windows"], &["windows"], ""),
    // Refused by both.
    (
        &["shop", "-f", "values/none.yaml"],
        &["shop", "-f", "values/none.yaml"],
        "",
    ),
    (
        &["shop", "-f", "values/broken.yaml"],
        &["shop", "-f", "values/broken.yaml"],
        "",
    ),
    (
        &["shop", "-f", "values/list.yaml"],
        &["shop", "-f", "values/list.yaml"],
        "",
    ),
    (&["shop", "-f", "values"], &["shop", "-f", "values"], ""),
    (&["shop", "--set", "a[x=2"], &["shop", "--set", "a[x=2"], ""),
    (&["Not_A_Name", "shop"], &["shop", "--name", "Not_A_Name"], ""),
    (&["shop", "--kube-version", "x"], &["shop", "--kube-version", "x"], ""),
    (&["dangling"], &["dangling"], ""),
    (&["none"], &["none"], ""),
];

#[test]
fn render_prints_what_helm_template_prints() {
    let Some(helm) = helm() else { return };
    let folder = charts();
    let packed = Command::new("tar")
        .args(["-czf", "shop.tgz", "shop"])
        .current_dir(folder.path())
        .status();
    assert!(packed.expect("tar runs").success());
    for (theirs, ours, input) in CASES {
        let theirs = run(&helm, folder.path(), &[&["template"], *theirs].concat(), input);
        let ours_ran = run(Path::new(CAPSTAN), folder.path(), &[&["render"], *ours].concat(), input);
        let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
        let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            (theirs.status.code(), text(&theirs)),
            (ours_ran.status.code(), text(&ours_ran)),
            "{ours:?}\nhelm: {}\ncapstan: {}",
            said(&theirs),
            said(&ours_ran)
        );
        assert_eq!(theirs.status.success(), ours_ran.status.code() == Some(0), "{ours:?}");
    }
}

/// The charts that the corpus holds: hooks, definitions and the order of everything.
#[test]
fn every_chart_prints_what_helm_template_prints() {
    let Some(helm) = helm() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/charts");
    let mut compared = 0;
    for chart in std::fs::read_dir(&folder).expect("the charts are there") {
        let chart = chart.expect("a chart").file_name();
        let chart = chart.to_string_lossy();
        let template = || run(&helm, &folder, &["template", &*chart, "--include-crds"], "");
        let (theirs, again) = (template(), template());
        let ours = run(Path::new(CAPSTAN), &folder, &["render", &*chart, "--include-crds"], "");
        let said = String::from_utf8_lossy(&ours.stderr);
        assert_eq!(theirs.status.success(), ours.status.success(), "{chart}: {said}");
        // Random values and the time cannot be compared.
        if theirs.stdout == again.stdout {
            let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(text(&theirs), text(&ours), "{chart}: {said}");
            compared += 1;
        }
    }
    assert!(compared >= 20, "only {compared} charts are the same twice");
}

#[test]
fn files_are_named_as_helm_names_them() {
    let folder = charts();
    let output = run(
        Path::new(CAPSTAN),
        folder.path(),
        &["render", "shop", "-o", "files"],
        "",
    );
    let files: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let names: Vec<&String> = files.as_object().expect("a map").keys().collect();
    assert_eq!(
        names,
        [
            "shop/templates/NOTES.txt",
            "shop/templates/map.yaml",
            "shop/templates/tests/t.yaml"
        ]
    );
    assert_eq!(files["shop/templates/NOTES.txt"], "Thanks.\n");
    // A folder that is no chart has no templates.
    let output = run(
        Path::new(CAPSTAN),
        folder.path(),
        &["render", "nochart", "-o", "files"],
        "",
    );
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
