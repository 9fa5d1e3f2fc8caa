//! `Chart.yaml` and its relatives.

use crate::oracle::{Case, check_all};

const SHOW: &str = "chart: {{ .Chart | toJson | quote }}\nprinted: {{ .Chart | print | quote }} {{ printf \"%#v\" .Chart | quote }}\nfiles: {{ range $name, $_ := .Files }}{{ $name }} {{ end }}\n";

/// A good chart, then one thing said twice or in another way.
const LINES: &[&str] = &[
    "",
    "name: 5",
    "appVersion: 1234e12",
    "appVersion: 1e6",
    "appVersion: 16777217.0",
    "appVersion: -1.5e300",
    "appVersion: 1.0",
    "appVersion: -0.0",
    "name: true",
    "name: [a]",
    "name: {a: b}",
    "name: null",
    "name: ''",
    "name: .",
    "name: ..",
    "name: a/b",
    "name: a\\b",
    "name: 'a b'",
    "name: \"a\\tb\\u0007\\u200b\\u00a0c\"",
    "name: ünï",
    "Name: upper",
    "NAME: upper",
    "Name: null",
    "version: 1",
    "version: 1.0",
    "version: 1.10",
    "version: 01.2.3",
    "version: v1.2.3",
    "version: 1.2.3-beta.1+build.5",
    "version: 1.2.3.4",
    "version: nope",
    "version: ''",
    "version: null",
    "version: 1e3",
    "version: 0x10",
    "version: 1.2.3-01",
    "version: 2026-11-28",
    "version: 1:30",
    "appVersion: 1.10",
    "appVersion: 123456789012345678901234567890",
    "appVersion: 0.00001",
    "appVersion: 1_000",
    "appVersion: yes",
    "appVersion: 2026-11-28",
    "appVersion: [1]",
    "apiVersion: v1",
    "apiVersion: v2",
    "apiVersion: v3",
    "apiVersion: v9",
    "apiVersion: null",
    "apiVersion: ''",
    "apiVersion: 2",
    "APIVERSION: v1",
    "type: library",
    "type: application",
    "type: Library",
    "type: other",
    "type: null",
    "type: 1",
    "deprecated: true",
    "deprecated: yes",
    "deprecated: 'true'",
    "deprecated: 1",
    "deprecated: null",
    "keywords: [a, 1, 2.5, true, null]",
    "keywords: a",
    "keywords: {a: b}",
    "keywords: [[a]]",
    "keywords: null",
    "sources: [a, {b: c}]",
    "sources: [\"a\\nb\"]",
    "maintainers: [{name: a, email: 1, url: true}]",
    "maintainers: [null]",
    "maintainers: [a]",
    "maintainers: {name: a}",
    "maintainers: [{name: [a]}]",
    "maintainers: [{}]",
    "maintainers: null",
    "annotations: {a: 1, b: true, c: null, 5: x, on: y}",
    "annotations: {a: [b]}",
    "annotations: {a: {b: c}}",
    "annotations: [a]",
    "annotations: null",
    "kubeVersion: '>=1.20.0-0'",
    "kubeVersion: '>=1.99.0'",
    "kubeVersion: nonsense",
    "kubeVersion: 1",
    "kubeVersion: 1.36",
    "kubeVersion: ''",
    "kubeVersion: '>=1.20.0 <2 || ^3'",
    "description: \"a\\nb\\u2028c\\u0001d\"",
    "home: [a]",
    "icon: 1",
    "condition: a.b",
    "tags: [a]",
    "tags: a,b",
    "unknown: {a: [b]}",
    "dependencies: null",
    "dependencies: []",
    "dependencies: {}",
    "dependencies: a",
    "dependencies: [null]",
    "dependencies: [a]",
    "dependencies: [{}]",
    "dependencies: [{name: gone, version: 1.0.0}]",
    "dependencies: [{name: sub, version: 1.0.0, alias: 'a b'}]",
    "dependencies: [{name: sub, version: 1.0.0, alias: 'a.b'}]",
    "dependencies: [{name: sub, version: 1.0.0, alias: é}]",
    "dependencies: [{name: sub, version: 1.0.0, alias: 5}]",
    "dependencies: [{name: sub, version: 1.0.0}, {name: sub, version: 1.0.0}]",
    "dependencies: [{name: sub, version: 1.0.0}, {name: sub, version: 1.0.0, alias: other}]",
    "dependencies: [{name: sub, version: 1.0.0, alias: x}, {name: sub, version: 1.0.0, alias: x}]",
    "dependencies: [{name: sub}]",
    "dependencies: [{name: sub, version: ''}]",
    "dependencies: [{name: sub, version: '*'}]",
    "dependencies: [{name: sub, version: ''}, {name: other, version: 1.0.0}]",
    "dependencies: [{name: sub, alias: x}]",
    "dependencies: [{name: sub, version: 2.x, alias: x}]",
    "dependencies: [{name: sub, version: 1, condition: sub.enabled}]",
    "dependencies: [{name: sub, version: 1.0, tags: [a, 1, null]}]",
    "dependencies: [{name: sub, version: 1.0.0, tags: a}]",
    "dependencies: [{name: sub, version: 1.0.0, enabled: false}]",
    "dependencies: [{name: sub, version: 1.0.0, enabled: no, Alias: X}]",
    "dependencies: [{name: sub, version: 1.0.0, enabled: 1}]",
    "dependencies: [{name: sub, version: 1.0.0, import-values: [a, 1, null, {child: x}, {child: 1, parent: 2}, [b]]}]",
    "dependencies: [{name: sub, version: 1.0.0, import-values: a}]",
    "dependencies: [{name: sub, version: 1.0.0, importValues: [a]}]",
    "dependencies: [{name: sub, version: 1.0.0, repository: [a]}]",
    "dependencies: [{name: \"sub\\n\", version: 1.0.0}]",
    "a: &x {name: other}\n<<: *x",
    "--- {}",
    "---\nname: second",
    "...\nname: second",
    "name: first\nname: last",
    "\tname: x",
    "- a",
    "]",
];

const BASE: &str = "apiVersion: v2\nname: top\nversion: 0.1.0\n";

fn chart(text: &str) -> Case {
    let sub = "apiVersion: v2\nname: sub\nversion: 1.0.0\n";
    Case::of(&[
        ("Chart.yaml", text),
        ("templates/show.yaml", SHOW),
        ("charts/sub/Chart.yaml", sub),
        ("charts/sub/templates/show.yaml", SHOW),
    ])
}

#[test]
fn every_field_is_read_as_helm_reads_it() {
    let mut cases = Vec::new();
    for line in LINES {
        let key = line.split_once(':').map_or("", |(key, _)| key);
        // In place of the good line, and after it.
        let others: String = BASE
            .lines()
            .filter(|base| key.is_empty() || !base.starts_with(&format!("{key}:")))
            .map(|base| format!("{base}\n"))
            .collect();
        cases.push((format!("{line:?} alone"), chart(&format!("{others}{line}\n"))));
        cases.push((format!("{line:?} last"), chart(&format!("{BASE}{line}\n"))));
        cases.push((format!("{line:?} first"), chart(&format!("{line}\n{BASE}"))));
        let old = chart("name: top\nversion: 0.1.0\n").with("requirements.yaml", format!("{line}\n"));
        cases.push((format!("{line:?} in requirements.yaml of v1"), old));
        let new = chart(BASE).with("requirements.yaml", format!("{line}\n"));
        cases.push((format!("{line:?} in requirements.yaml of v2"), new));
    }
    check_all(cases.iter().map(|(name, case)| (name.clone(), case)));
}

#[test]
fn the_whole_file_may_be_anything() {
    let texts: &[&[u8]] = &[
        b"",
        b"\n",
        b"null",
        b"a",
        b"[]",
        b"{}",
        b"5",
        b"\xef\xbb\xbfapiVersion: v2\nname: top\nversion: 0.1.0\n",
        b"apiVersion: v2\r\nname: top\r\nversion: 0.1.0\r\n",
        b"apiVersion: v2\nname: \xff\nversion: 0.1.0\n",
        b"{\"apiVersion\": \"v2\", \"name\": \"top\", \"version\": \"0.1.0\"}",
        b"# only a comment\n",
        b"--- # head\napiVersion: v2\nname: top\nversion: 0.1.0\n--- \nname: x\n",
        b"apiVersion: v2\nname: top\nversion: 0.1.0\ndependencies:\n- &a {name: sub, version: 1.0.0}\n- {<<: *a, alias: two}\n",
    ];
    let cases: Vec<Case> = texts
        .iter()
        .map(|text| chart("").with("Chart.yaml", text))
        .chain([Case::of(&[("templates/a.yaml", "a: 1")])])
        .chain(texts.iter().map(|text| chart(BASE).with("charts/sub/Chart.yaml", text)))
        .collect();
    check_all(cases.iter().enumerate().map(|(index, case)| (index.to_string(), case)));
}

#[test]
fn lists_are_laid_over_lists() {
    let one = "dependencies: [{name: sub, version: 1.0.0, alias: first, tags: [a, b]}]\nkeywords: [a, b, c]\n";
    let cases = [
        "dependencies: [{name: sub}]\nkeywords: [x, null]\n",
        "dependencies: [null]\n",
        "dependencies: [{name: sub, tags: [null]}, {name: other, version: 1.0.0}]\n",
        "dependencies: []\n",
        "dependencies: null\nkeywords: null\n",
        "name: renamed\nannotations: {a: b}\n",
    ];
    let cases: Vec<Case> = cases
        .iter()
        .map(|text| chart(&format!("{BASE}{one}annotations: {{c: d}}\n")).with("requirements.yaml", text))
        .collect();
    check_all(cases.iter().enumerate().map(|(index, case)| (index.to_string(), case)));
}

#[test]
fn locks_are_read_but_not_verified() {
    let locks = [
        "",
        "null",
        "a",
        "digest: wrong\ngenerated: \"2026-11-28T16:59:39.367430028Z\"\ndependencies: [{name: x, version: 1}]\n",
        "generated: 2026-11-28T16:59:39Z\n",
        "generated: 2026-11-28\n",
        "generated: '2026-13-28T16:59:39Z'\n",
        "generated: '2026-02-30T16:59:39Z'\n",
        "generated: '2026-11-28T24:59:39Z'\n",
        "generated: '2026-11-28 16:59:39Z'\n",
        "generated: '2026-11-28T16:59:39+01:00'\n",
        "generated: '2026-11-28T6:59:39Z'\n",
        "generated: '2026-11-28T16:59:60Z'\n",
        "generated: '2026-11-28T16:59:39,5Z'\n",
        "generated: 5\n",
        "generated: ''\n",
        "generated: null\n",
        "digest: [a]\n",
        "dependencies: {}\n",
        "dependencies: [a]\n",
        "dependencies: [{name: [a]}]\n",
        "<<<<<<< HEAD\ndigest: a\n=======\ndigest: b\n>>>>>>> other\n",
    ];
    let mut cases = Vec::new();
    for lock in locks {
        for name in ["Chart.lock", "requirements.lock", "charts/sub/Chart.lock"] {
            cases.push((format!("{name} {lock:?}"), chart(BASE).with(name, lock)));
        }
    }
    check_all(cases.iter().map(|(name, case)| (name.clone(), case)));
}

fn ways(value: &str) -> [String; 9] {
    [
        format!("{{{{ {value} }}}}"),
        format!("{{{{ print {value} }}}}"),
        format!("{{{{ printf \"%v %+v %s %q %T\" {value} {value} {value} {value} {value} }}}}"),
        format!("{{{{ printf \"%#v\" {value} }}}}"),
        format!("{{{{ toJson {value} }}}}"),
        format!("{{{{ toYaml {value} }}}}"),
        format!("{{{{ kindOf {value} }}}} {{{{ typeOf {value} }}}} {{{{ empty {value} }}}} {{{{ quote {value} }}}}"),
        format!(
            "{{{{ toJson (dict \"in\" {value}) }}}} {{{{ print (dict \"in\" {value}) }}}} {{{{ print (list {value}) }}}}"
        ),
        format!("{{{{ if {value} }}}}yes{{{{ else }}}}no{{{{ end }}}} {{{{ deepEqual {value} {value} }}}}"),
    ]
}

/// What a chart sees of the program and the release, printed in every way.
#[test]
fn everything_prints_as_in_helm() {
    let mut text = String::new();
    let whole = [
        ".Capabilities",
        ".Capabilities.HelmVersion",
        ".Capabilities.KubeVersion",
        ".Capabilities.APIVersions",
        ".Release",
        ".Template",
        ".Files",
        ".Chart.Annotations",
        ".Chart.Dependencies",
        ".Values",
    ];
    for (index, value) in whole.iter().enumerate() {
        for (way, expression) in ways(value).iter().enumerate() {
            // A pointer in a map prints as an address.
            if !(way == 7 && *value == ".Capabilities") {
                text.push_str(&format!("{index} {way}: {expression}\n"));
            }
        }
    }
    let fields = "{{ with .Capabilities.HelmVersion }}{{ .Version }}|{{ .GitCommit }}|{{ .GitTreeState }}|{{ .GoVersion }}|{{ .KubeClientVersion }}{{ end }}\n\
        {{ with .Chart.Annotations }}some{{ else }}none{{ end }} {{ len .Chart.Annotations }} {{ index .Chart.Annotations \"x\" | quote }} \
        {{ .Chart.Annotations.x | quote }} {{ range .Chart.Annotations }}x{{ end }} {{ .Chart.Annotations | default \"none\" }}\n";
    let chart = |metadata: &str| {
        Case::of(&[("Chart.yaml", metadata)])
            .with("a.txt", "a")
            .with("templates/NOTES.txt", format!("{text}{fields}"))
    };
    let metadata = [
        BASE.to_owned(),
        format!("{BASE}annotations: {{}}\n"),
        format!("{BASE}annotations: {{a: b}}\n"),
        format!("{BASE}annotations: null\n"),
    ];
    let cases: Vec<Case> = metadata.iter().map(|metadata| chart(metadata)).collect();
    check_all(cases.iter().enumerate().map(|(index, case)| (index.to_string(), case)));
}
