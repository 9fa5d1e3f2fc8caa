//! What becomes of a value on its way through functions: Go's copies lose methods and names of types, and templates see that.

use crate::oracle::{self, Case};

/// A chart of one text that is no manifest, with a subchart.
fn chart(text: &str, values: &str) -> Case {
    Case::of(&[
        ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 0.1.0\n"),
        ("values.yaml", values),
        ("templates/a.NOTES.txt", text),
        ("templates/_h.tpl", r#"{{ define "show" }}{{ . }}{{ end }}"#),
        ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
        (
            "charts/sub/templates/a.NOTES.txt",
            "{{ typeOf . }} {{ .YAML | len | lt 10 }}",
        ),
    ])
}

fn texts(expressions: &[&str]) -> Vec<Case> {
    let cases = expressions.iter();
    cases
        .map(|expression| chart(&format!("{{{{ {expression} }}}}"), "a: 1\nm: {x: 1}\n"))
        .collect()
}

fn check_all(cases: &[Case]) {
    oracle::check_all(cases.iter().map(|case| (case.show(), case)));
}

#[test]
fn a_version_that_was_copied_has_no_methods() {
    let mut cases = texts(&[
        ".Capabilities.KubeVersion",
        "default .Capabilities.KubeVersion \"\"",
        "coalesce .Capabilities.KubeVersion",
        "ternary .Capabilities.KubeVersion 1 true",
        "required \"no\" .Capabilities.KubeVersion",
        "first (list .Capabilities.KubeVersion)",
        "index (list .Capabilities.KubeVersion) 0",
        "get (dict \"a\" .Capabilities.KubeVersion) \"a\"",
        "(dict \"a\" .Capabilities.KubeVersion).a",
        "include \"show\" .Capabilities.KubeVersion",
        "template \"show\" .Capabilities.KubeVersion",
        "tpl \"{{ . }}\" .Capabilities.KubeVersion",
        "deepCopy .Capabilities.KubeVersion",
        "and true .Capabilities.KubeVersion",
        "or .Capabilities.KubeVersion 1",
        "with .Capabilities.KubeVersion }}{{ . }} {{ .String }}{{ end",
        "$k := .Capabilities.KubeVersion }}{{ $k }} {{ $k.String }}{{",
        "range list .Capabilities.KubeVersion }}{{ . }}{{ end",
        ".Capabilities.KubeVersion.String",
        "(.Capabilities.KubeVersion).GitVersion",
        "(default 1 .Capabilities.KubeVersion).Version",
        "(default 1 .Capabilities.KubeVersion).String",
        "(default 1 .Capabilities.KubeVersion).GitVersion",
        "toString .Capabilities.KubeVersion",
        "printf \"%v %s %T\" .Capabilities.KubeVersion .Capabilities.KubeVersion .Capabilities.KubeVersion",
        "toJson (deepCopy .Capabilities.KubeVersion)",
        ".Capabilities.Copy.KubeVersion",
        ".Capabilities.Copy.Copy.KubeVersion.String",
        "typeOf .Capabilities.Copy",
        "eq .Capabilities.KubeVersion .Capabilities.Copy.KubeVersion",
    ]);
    cases.retain(|case| !case.files["templates/a.NOTES.txt"].ends_with(b"{{ }}"));
    check_all(&cases);
}

#[test]
fn values_keep_the_name_of_their_type_until_they_are_a_parameter() {
    check_all(&texts(&[
        "typeOf .",
        "typeOf $",
        "kindOf .",
        "typeIs \"common.Values\" .",
        "typeOf .Values",
        "typeOf .Subcharts",
        "typeOf .Subcharts.sub",
        "typeOf .Template",
        "typeOf (set .Values \"x\" 1)",
        "typeOf (unset .Values \"x\")",
        "typeOf (merge .Values (dict))",
        "typeOf (mustMerge .Values (dict))",
        "typeOf (mergeOverwrite .Values (dict))",
        "typeOf (mustMergeOverwrite (dict) .Values)",
        "typeOf (deepCopy .)",
        "typeOf (deepCopy .Values)",
        "typeOf (pick .Values \"a\")",
        "typeOf (omit .Values \"a\")",
        "typeOf (index (list .Values) 0)",
        "typeOf (default .Values nil)",
        "typeOf (tuple .Values | first)",
        "printf \"%T %T\" . .Values",
        "dig \"a\" \"no\" .Values",
        "dig \"Release\" \"Name\" \"no\" .",
        ".AsMap | typeOf",
        ".YAML | trunc 6",
        ".PathValue \"Release.Name\"",
        "(.Table \"Values.m\").x",
        ".Table \"Nothing\"",
        "(set .Values \"x\" 1).YAML | quote",
        "(merge .Values (dict)).AsMap",
        ".Values.Encode",
        ".Values.Encode nil",
        ".Values.Encode 1",
        ".Values.Encode .Values",
        "hasKey . \"Values\"",
        "get . \"Release\" | toJson",
        "toJson (.Values | keys | sortAlpha)",
    ]));
}

#[test]
fn toml_shows_the_exported_fields_of_structs() {
    check_all(&texts(&[
        "toToml .Capabilities",
        "toToml .Capabilities.KubeVersion",
        "toToml .Capabilities.HelmVersion",
        "toToml (dict \"a\" .Capabilities.APIVersions)",
        "toToml (dict \"a\" (list .Capabilities.KubeVersion))",
        "mustToToml .Capabilities",
        "toToml (dict \"v\" (semver \"1.2.3\"))",
    ]));
}

#[test]
fn methods_that_only_some_values_have() {
    check_all(&texts(&[
        "(toDate \"2006-01-02\" \"2023-05-06\").Location",
        "(toDate \"2006-01-02\" \"2023-05-06\").UTC.Location.String",
        "(toDate \"2006-01-02\" \"2023-05-06\").Local.Location",
        "(toDate \"2006-01-02 -0700\" \"2023-05-06 +0200\").Location | quote",
        "(toDate \"2006-01-02 MST\" \"2023-05-06 CEST\").Location",
        "typeOf (toDate \"2006-01-02\" \"2023-05-06\").Location",
        "toJson (toDate \"2006-01-02\" \"2023-05-06\").Location",
        "printf \"%s\" (toDate \"2006-01-02\" \"2023-05-06\").MarshalJSON",
        "(toDate \"2006-01-02\" \"2023-05-06\").MarshalText",
        "(semver \"1.2.3\").MarshalJSON | toJson",
        "printf \"%s\" (semver \"1.2.3-a+b\").MarshalText",
        "typeOf (semver \"1.2.3\").MarshalJSON",
    ]));
}

#[test]
fn what_a_later_key_takes_the_place_of_is_not_judged() {
    let values = |text: &str| chart("{{ toJson .Values }}", "").with_values(text);
    check_all(&[
        values("x: .inf\nx: 1"),
        values("x: {~: 1}\nx: 2"),
        values("x: {~: 1, a: [.nan]}\nx: {~: 1}\nx: 2"),
        values("x: {a: .inf, a: 1}"),
        values("x: .inf"),
        values("x: 1\nx: .inf"),
        values("x: [.nan, {~: 1}]"),
        values("~: 1"),
        values("a: &a {~: 1}\nb: {<<: *a}\nx: 1"),
        values("a: &a .inf\nb: *a\na: 1"),
        values("x: \"\\0unwritable 0\"\ny: 1"),
        values("x: .inf\nx: 1\ny: [1"),
        values("x: .1_0\ny: .1e1_0\nz: .0_1\nu: ._1\nv: .1_\nw: .1__0"),
        values("x: 18446744073709551615\n"),
        values("{18446744073709551615: 1}"),
        values("x: {18446744073709551615: 1}\nx: 1"),
    ]);
    let rendered = |text: &str| chart("", "").with("templates/b.yaml", text);
    check_all(&[
        rendered("x: .inf\nx: 1\n"),
        rendered("x: .inf\n"),
        rendered("x: {~: 1}\nx: 2\n"),
    ]);
}

#[rustfmt::skip]
const PATTERNS: &[&str] = &[
    "*",
    "**",
    "***",
    "?",
    "??",
    "conf/*",
    "conf/?",
    "conf/{a*,b}.txt",
    "a{a*,b}.txt",
    "conf/**.txt",
    "**/*.txt",
    "[!c]*",
    "[a-c]*",
    "[a-c]{}",
    "[ab]{}*",
    "conf\\\\/a.txt",
    "conf/a.txt\\\\",
    "\\\\",
    "{conf,other}/*",
    "{*.txt,conf/**}",
    "*{.txt,.yaml}",
    "[a",
    "[]",
    "[a-]",
    "{a",
    "é*",
    "?.txt",
    "conf/[é-ü].txt",
    "[!a]?.txt",
    "*?",
    "conf/?.txt",
    "{**.txt,**.yaml}",
    "{conf/a,conf/b}.txt",
    "***.txt",
    "[!/]*",
    "conf/*é*",
];

#[test]
fn files_are_found_by_the_library_s_rules() {
    let mut cases = Vec::new();
    for pattern in PATTERNS {
        let text = format!("{{{{ range $name, $_ := .Files.Glob \"{pattern}\" }}}}{{{{ $name }}}} {{{{ end }}}}");
        let mut case = chart(&text, "");
        for name in [
            "a.txt",
            "aab.txt",
            "é.txt",
            "b.yaml",
            "conf/a.txt",
            "conf/ab.txt",
            "conf/b.txt",
            "conf/é.txt",
            "conf/deep/a.txt",
            "other/c",
            "c",
        ] {
            case = case.with(name, "x");
        }
        cases.push(case);
    }
    check_all(&cases);
}

const VALUES: &[&str] = &[
    ".Chart",
    ".Chart.Dependencies",
    ".Chart.Maintainers",
    ".Chart.Annotations",
    ".Chart.Keywords",
    ".Release",
    ".Capabilities",
    ".Capabilities.KubeVersion",
    ".Capabilities.HelmVersion",
    ".Capabilities.APIVersions",
    ".Template",
    ".Files",
    "(.Files.Glob \"*.md\")",
    ".Subcharts.sub.Chart",
    ".Values",
    "(omit . \"Files\" \"Capabilities\" \"Subcharts\")",
    "(dict \"a\" .Capabilities.HelmVersion)",
    "(list .Capabilities.KubeVersion)",
    "(semver \"1.2.3-a+b\")",
    "(toDate \"2006-01-02\" \"2023-05-06\")",
    "(urlParse \"http://u:p@h/x?y#z\")",
];

const NOTATIONS: &[&str] = &[
    "toYaml",
    "toYamlPretty",
    "toJson",
    "toPrettyJson",
    "toRawJson",
    "toToml",
    "toString",
    "quote",
    "printf \"%v %+v\"",
    "kindOf",
    "typeOf",
    "len",
    "keys",
    "deepCopy",
    "empty",
    "html",
];

#[test]
fn built_in_values_in_every_notation() {
    let mut expressions = Vec::new();
    for value in VALUES {
        for notation in NOTATIONS {
            expressions.push(match notation.starts_with("printf") {
                true => format!("{notation} {value} {value}"),
                false => format!("{notation} {value}"),
            });
        }
    }
    // The order of keys is that of a Go map, and the fields of structs are in the order of their names in `toYamlPretty`.
    let is_left_out =
        |text: &str| text.starts_with("keys") || text.starts_with("toYamlPretty") && text.contains(".Capabilities");
    let shown = expressions.iter().filter(|text| !is_left_out(text));
    let cases: Vec<Case> = shown
        .map(|expression| {
            let case = chart(&format!("{{{{ {expression} }}}}"), "a: 1\nm: {x: [1, null, 2.5]}\n");
            let about = "apiVersion: v2\nname: top\nversion: 0.1.0\nannotations: {k: v}\nkeywords: [x, y]\nmaintainers: [{name: n, email: e}]\n\
                         dependencies: [{name: sub, version: 1.0.0, repository: \"\", tags: [t], import-values: [d, {child: c, parent: p}]}]\n";
            case.with("Chart.yaml", about).with("README.md", "x")
        })
        .collect();
    check_all(&cases);
}
