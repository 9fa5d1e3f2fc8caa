//! Values, dependencies, conditions, tags, aliases and imports: awkward charts by hand. The generator makes up more.

use crate::oracle::{Case, check_all};

const SHOW: &str =
    "values: {{ toJson .Values | quote }}\nchart: {{ .Chart.Name }} {{ toJson .Chart.Dependencies | quote }}\n";

/// A chart with a subchart `sub` that has a subchart `leaf`.
fn nested(chart: &str, values: &str, sub: &str, sub_values: &str, leaf_values: &str) -> Case {
    Case::of(&[
        (
            "Chart.yaml",
            format!("apiVersion: v2\nname: top\nversion: 0.1.0\n{chart}").as_str(),
        ),
        ("values.yaml", values),
        ("templates/show.yaml", SHOW),
        (
            "charts/sub/Chart.yaml",
            &format!("apiVersion: v2\nname: sub\nversion: 1.0.0\n{sub}"),
        ),
        ("charts/sub/values.yaml", sub_values),
        ("charts/sub/templates/show.yaml", SHOW),
        (
            "charts/sub/charts/leaf/Chart.yaml",
            "apiVersion: v2\nname: leaf\nversion: 1.0.0\n",
        ),
        ("charts/sub/charts/leaf/values.yaml", leaf_values),
        ("charts/sub/charts/leaf/templates/show.yaml", SHOW),
    ])
}

/// What a user may say.
const NULLS: &[&str] = &[
    "{}",
    "a: null",
    "a: {b: null}",
    "a: {b: {c: null}}",
    "sub: {}",
    "sub: null",
    "sub: {a: null}",
    "sub: {a: {b: null}}",
    "sub: {x: null, leaf: {a: null}}",
    "sub: {leaf: null}",
    "sub: {leaf: {a: {b: null}, new: null}}",
    "global: null",
    "global: {a: null}",
    "global: {a: {b: null}}",
    "sub: {global: {a: null}}",
    "sub: {global: null}",
    "sub: 5",
    "sub: [a]",
    "sub: {leaf: text}",
    "a: 5",
    "a: [null]",
    "fresh: null",
    "fresh: {deep: null, kept: 1}",
];

#[test]
fn nulls_go_where_helm_lets_them_go() {
    let listed = "dependencies: [{name: sub, version: 1.0.0}]\n";
    let parents = [
        "a: {b: {c: 1, d: 2}, e: null}\nn: null\n",
        "a: {b: null}\nsub: {a: {b: null}, x: null}\n",
        "global: {a: {b: 1, deep: {x: 1}}}\nsub: {leaf: {a: null}}\n",
        "global: {a: null}\nsub: {a: null, global: {a: {b: 2}, own: null}}\n",
        "sub: null\n",
        "sub: {leaf: null}\nglobal: null\n",
        "",
    ];
    let sub = "a: {b: 3, c: null}\nx: 1\nglobal: {a: {b: 9, deep: {y: 2}}, own: 1}\nleaf: {a: {z: 1}}\n";
    let leaf = "a: {b: 4, z: 2}\nglobal: {a: {deep: {z: 3}}, leaf: {only: 1}}\n";
    let mut cases = Vec::new();
    for user in NULLS {
        for parent in parents {
            for chart in ["", listed] {
                for below in ["", "dependencies: [{name: leaf, version: 1.0.0}]\n"] {
                    let case = nested(chart, parent, below, sub, leaf).with_values(user);
                    cases.push((format!("{user} over {parent:?}, {chart:?} {below:?}"), case));
                }
            }
        }
    }
    check_all(cases.iter().map(|(name, case)| (name.clone(), case)));
}

/// Ways to switch a dependency.
const SWITCHES: &[&str] = &[
    "condition: sub.enabled",
    "condition: ' sub.enabled'",
    "condition: 'sub.enabled '",
    "condition: 'none.here,sub.enabled'",
    "condition: 'none.here, sub.enabled'",
    "condition: 'sub,sub.text,sub.enabled'",
    "condition: ',,sub.enabled,,'",
    "condition: enabled",
    "condition: sub.deep.on",
    "condition: '.enabled'",
    "condition: 'sub..enabled'",
    "tags: [front]",
    "tags: [front, back]",
    "tags: [back, none]",
    "tags: ['']",
    "tags: [front], condition: sub.enabled",
    "alias: other, condition: sub.enabled",
    "alias: other, condition: other.enabled, tags: [back]",
];

#[test]
fn conditions_and_tags_switch_as_in_helm() {
    let users = [
        "{}",
        "sub: {enabled: false}",
        "sub: {enabled: true}",
        "sub: {enabled: 'false'}",
        "sub: {enabled: null}",
        "enabled: false",
        "other: {enabled: false}",
        "tags: {front: false}",
        "tags: {front: true, back: false}",
        "tags: {back: true}",
        "tags: [front]",
        "tags: {'': false}",
        "sub: {enabled: true, deep: {on: false}}\ntags: {front: false}",
        "none: {here: false}",
        "'': {enabled: false}",
    ];
    let mut cases = Vec::new();
    for entry in SWITCHES {
        for user in users {
            for values in ["", "sub: {enabled: false}\ntags: {back: false}\n"] {
                let chart = format!("dependencies: [{{name: sub, version: 1.0.0, {entry}}}]\n");
                let below = "dependencies: [{name: leaf, version: '*', condition: leaf.enabled, tags: [front]}]\n";
                let case =
                    nested(&chart, values, below, "enabled: true\nleaf: {enabled: true}\n", "").with_values(user);
                cases.push((format!("{entry} with {user} over {values:?}"), case));
            }
        }
    }
    check_all(cases.iter().map(|(name, case)| (name.clone(), case)));
}

/// `import-values`.
const IMPORTS: &[&str] = &[
    "[data]",
    "[data, more]",
    "[more, data]",
    "[none]",
    "[text]",
    "[{child: exports.data, parent: here}]",
    "[{child: exports.data, parent: .}]",
    "[{child: exports.data, parent: a.b.c}]",
    "[{child: exports.data, parent: ''}]",
    "[{child: exports.data}]",
    "[{parent: here}]",
    "[{child: leaf, parent: leaf}]",
    "[{child: leaf.exports.data, parent: here}, {child: a, parent: here.deep}]",
    "[{child: global, parent: global}]",
    "[{child: a, parent: sub}]",
    "[{child: exports, parent: sub.exports}]",
    "[data, {child: a, parent: data}, more]",
    "[exports.data]",
    "['']",
    "[{child: exports.data, parent: here}, {child: exports, parent: here}]",
    "[{child: exports, parent: here}, {child: exports.data, parent: here.data}, {child: exports, parent: here.data.x}]",
];

#[test]
fn imports_go_under_the_parents_values() {
    let sub = "a: {x: 1, n: null}\nexports: {data: {data: {k: 1, n: null}, top: sub}, more: {data: {k: 2, l: [1]}, gone: null}, text: t}\n\
         global: {g: sub}\nleaf: {from: sub}\n";
    let leaf = "exports: {data: {data: {leaf: true}}}\nfrom: leaf\n";
    let mut cases = Vec::new();
    for import in IMPORTS {
        for values in [
            "",
            "data: {k: null, mine: 1}\nhere: null\ntop: null\nsub: {exports: {data: {data: {k: 9}}}}\n",
        ] {
            for user in [
                "{}",
                "data: null",
                "sub: {exports: {data: null}}\nhere: {k: null}",
                "top: user",
            ] {
                for below in [
                    "",
                    "dependencies: [{name: leaf, version: 1.0.0, import-values: [data]}]\n",
                ] {
                    let chart = format!("dependencies: [{{name: sub, version: 1.0.0, import-values: {import}}}]\n");
                    let case = nested(&chart, values, below, sub, leaf).with_values(user);
                    cases.push((format!("{import} with {user} over {values:?} {below:?}"), case));
                }
            }
        }
    }
    check_all(cases.iter().map(|(name, case)| (name.clone(), case)));
}

#[test]
fn versions_decide_which_chart_is_meant() {
    let ranges = [
        "1.0.0",
        "1",
        "1.x",
        "*",
        "'>=1.0.0 <2'",
        "2",
        "'^1 || ^3'",
        "nonsense",
        "''",
        "'~1.0'",
        "'>0.0.0-0'",
        "'1.0.0 - 2.0.0'",
        "01.0.0",
    ];
    let mut cases = Vec::new();
    for range in ranges {
        for alias in ["", ", alias: other", ", condition: sub.enabled"] {
            let chart = format!("dependencies: [{{name: sub, version: {range}{alias}}}]\n");
            let case = nested(&chart, "sub: {enabled: false, a: 1}\nother: {a: 2}\n", "", "a: 0\n", "");
            let second = case.clone().with(
                "charts/second/Chart.yaml",
                "apiVersion: v2\nname: sub\nversion: 2.5.0-rc.1\n",
            );
            cases.push((format!("{range}{alias}"), case));
            // Of two charts that one entry means, Helm takes any.
            if range == "'>0.0.0-0'" {
                continue;
            }
            cases.push((
                format!("{range}{alias}, two of them"),
                second.with("charts/second/templates/second.yaml", SHOW),
            ));
        }
    }
    check_all(cases.iter().map(|(name, case)| (name.clone(), case)));
}

#[test]
fn several_aliases_are_several_charts() {
    let entries = "dependencies:\n- {name: sub, version: 1.0.0, alias: one, condition: one.on}\n- {name: sub, version: 1.x, alias: two, import-values: [data]}\n\
         - {name: sub, version: '*', tags: [t]}\n";
    let sub = "a: 1\nexports: {data: {from: sub}}\nleaf: {on: true}\nglobal: {deep: {a: {b: {c: 1}}}}\n";
    let below = "dependencies: [{name: leaf, version: 1, alias: inner, condition: inner.on}]\n";
    let users = [
        "{}",
        "one: {a: 2, inner: {on: false}}",
        "one: {on: false}\nsub: {a: 3}",
        "two: {exports: null}\ntags: {t: false}",
        "sub: {inner: {on: false}}\nglobal: {deep: {a: null}}",
        "inner: {on: false}\nglobal: {deep: {a: {b: {d: 1}}}}",
    ];
    let cases: Vec<Case> = users
        .iter()
        .map(|user| {
            nested(
                entries,
                "two: {a: 5}\nglobal: {deep: {a: {b: {top: 1}}}}\n",
                below,
                sub,
                "x: 1\n",
            )
            .with_values(user)
        })
        .collect();
    check_all(cases.iter().enumerate().map(|(index, case)| (index.to_string(), case)));
}

#[test]
fn values_files_may_hold_several_documents() {
    let texts = [
        "a: 1\n---\nb: 2\n",
        "a: {b: 1, c: 2}\n---\na: {b: null, d: 3}\n",
        "a: 1\n---\n---\nb: 2\n",
        "---\na: 1\n",
        "a: 1\n--- # comment\nb: 2\n",
        "a: 1\n--- b: 2\n",
        "--- {a: 1}\n",
        "a: 1\n---b: 2\n",
        "a: 1\n...\nb: 2\n",
        "a: 1\n...\n---\nb: 2\n",
        "a: |\n  x\n---\nb: 2\n",
        "a: |\n  x\n  ---\n  y\n",
        "# only\n---\n# comments\n",
        "a: 1\n---\n- list\n",
        "a: 1\n---\ntext\n",
        "a: 1\n---\nnull\n",
        "a: 1\na: 2\n",
        "a: {b: 1}\na: {c: 2}\n",
        "a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\n",
        "a: &x {b: 1}\n---\nc: *x\n",
        "5: a\ntrue: b\nnull: c\n1.5: d\n",
        "? [a]\n: b\n",
        "a: 1\n\tb: 2\n",
        "a: 1e400\nb: .inf\n",
        ".inf: a\n-.INF: b\n.NaN: c\n",
        "a: -0.0\nb: -0\nc: 1e6\nd: 123456789.0\n1e6: e\n16777217.0: f\n-1e300: g\n",
        "a: .nan\n",
        "a: 123456789012345678901234567890\nb: 0644\nc: 1_000\nd: 0x1F\ne: 1e3\n",
        "a: 2026-11-28\nb: 1:30\nc: yes\nd: ~\ne: !!str 5\nf: !!int '5'\n",
        "a: !custom x\n",
        "%YAML 1.1\n---\na: 1\n",
        "\u{feff}a: 1\n",
        "a: 1\r\n---\r\nb: 2\r\n",
        "[]",
        "''",
        "null",
    ];
    let mut cases = Vec::new();
    for text in texts {
        let chart = nested("", text, "", "", "");
        cases.push((format!("{text:?} of the chart"), chart));
        cases.push((
            format!("{text:?} of the user"),
            nested("", "a: {z: 1}\n", "", "", "").with_values(text),
        ));
    }
    check_all(cases.iter().map(|(name, case)| (name.clone(), case)));
}

/// Texts at, and one copy above, what Go's YAML library takes for sane.
fn aliased() -> Vec<String> {
    let list = |item: &str, count: usize| vec![item; count].join(",");
    let (long, short) = (list("x", 998), list("x", 200));
    let fields: Vec<String> = (0..500).map(|i| format!("k{i}: v")).collect();
    let fields = fields.join(",");
    let lists = [110, 111].map(|copies| format!("a: &a [{long}]\nb: [{}]\n", list("*a", copies)));
    let merged = [124, 125].map(|copies| format!("a: &a {{{fields}}}\nb:\n{}", "- <<: *a\n".repeat(copies)));
    let nested = [11, 12].map(|copies| {
        let (nine, outer) = (list("*a", 9), list("*b", copies));
        format!("a: &a [{short}]\nb: &b [{nine}]\nc: [{outer}]\n")
    });
    let large = [504, 505].map(|copies| {
        let filler = list("y", 20_000);
        format!("f: [{filler}]\na: &a [{long}]\nb: [{}]\n", list("*a", copies))
    });
    [lists, merged, nested, large].concat()
}

#[test]
fn aliases_are_too_many_wherever_yaml_is_read() {
    let chart = || {
        Case::of(&[
            ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 0.1.0\n"),
            (
                "templates/show.yaml",
                "values: {{ keys .Values | sortAlpha | toJson }}\n",
            ),
        ])
    };
    let mut cases = Vec::new();
    for (index, text) in aliased().iter().enumerate() {
        let read = "{{ $y := fromYaml (.Files.Get \"a.yaml\") }}read: {{ hasKey $y \"Error\" }} {{ $y.Error }}\n";
        let all = [
            ("values", chart().with("values.yaml", text)),
            ("file", chart().with_values(text)),
            ("manifest", chart().with("templates/a.yaml", text)),
            (
                "fromYaml",
                chart().with("a.yaml", text).with("templates/read.yaml", read),
            ),
            ("metadata", {
                let metadata = format!("apiVersion: v2\nname: top\nversion: 0.1.0\n{text}");
                chart().with("Chart.yaml", metadata)
            }),
        ];
        cases.extend(all.map(|(place, case)| (format!("{place} {index}"), case)));
    }
    check_all(cases.iter().map(|(name, case)| (name.clone(), case)));
}

#[test]
fn utf_16_is_read_where_helm_reads_it() {
    let encoded = |text: &str, is_big: bool| -> Vec<u8> {
        let units = [0xfeff].into_iter().chain(text.encode_utf16());
        let bytes = |unit: u16| if is_big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        units.flat_map(bytes).collect()
    };
    let chart = || {
        nested(
            "dependencies: [{name: sub, version: 1.0.0}]\n",
            "a: 1\n",
            "",
            "b: 2\n",
            "",
        )
        .with(
            "templates/show.yaml",
            "values: {{ toJson .Values }}\nchart: {{ .Chart.Description }}\n",
        )
    };
    let mut cases = Vec::new();
    for is_big in [false, true] {
        let metadata = "apiVersion: v2\nname: top\nversion: 0.1.0\ndescription: é\u{1f600}\n";
        cases.push(chart().with("Chart.yaml", encoded(metadata, is_big)));
        cases.push(chart().with("Chart.lock", encoded("dependencies: []\n", is_big)));
        cases.push(chart().with("templates/x.yaml", encoded("{{ if }}\n", is_big)));
        // Lines are looked for in bytes: these hold a line break, one of two characters, and one in the middle of a character.
        for text in [
            "x: é\n",
            "x: é",
            "x: \u{0d0a}\n",
            "x: \u{0a0a}\n",
            "x: \u{0a41}",
            "x: 1\r\ny: 2\r\n",
        ] {
            let bytes = encoded(text, is_big);
            cases.push(chart().with_values(&bytes));
            cases.push(chart().with("values.yaml", &bytes));
            cases.push(chart().with("charts/sub/values.yaml", &bytes));
            cases.push(chart().with_values([&b"a: 2\n---\n"[..], &bytes].concat()));
        }
    }
    cases.push(chart().with_values(b"\xfe\xff\0a\0:\0 \xd8\0\0\n"));
    cases.push(chart().with_values(b"\xfe\xff\0a\0:\0 \0b\0\n\0"));
    cases.push(chart().with_values("\u{feff}\u{feff}a: 2\n"));
    cases.push(chart().with_values("a: 2\n---\n\u{feff}b: 2\n"));
    check_all(cases.iter().enumerate().map(|(index, case)| (index.to_string(), case)));
}

/// Charts in a row, each with its entries of `dependencies`; the last one has none.
fn shared(dependencies: [&str; 4], user: &str) -> Case {
    let show = "name: {{ .Template.Name }} {{ .Chart.Name }} {{ .Chart.IsRoot }}\nvalues: {{ toJson .Values }}\n\
        charts: {{ keys .Subcharts | sortAlpha | toJson }}\ndependencies: {{ toJson .Chart.Dependencies }}\n";
    let mut case = Case::default().with_values(user);
    let mut folder = String::new();
    for (name, dependencies) in ["top", "s", "t", "u", "w"]
        .into_iter()
        .zip(dependencies.into_iter().chain(["[]"]))
    {
        if name != "top" {
            folder.push_str(&format!("charts/{name}/"));
        }
        let metadata = format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n");
        let metadata = match dependencies {
            "[]" => metadata,
            entries => format!("{metadata}dependencies: {entries}\n"),
        };
        let values = format!("own: {name}\nexports: {{data: {{from: {name}, of{name}: 1}}}}\n");
        case = case
            .with(&format!("{folder}Chart.yaml"), metadata)
            .with(&format!("{folder}values.yaml"), values)
            .with(&format!("{folder}templates/show.yaml"), show);
    }
    case
}

/// A chart that is named twice and holds charts that no `Chart.yaml` names: they are in two places, and one chart each.
#[test]
fn charts_that_two_copies_share() {
    let entries = [
        "[{name: s, version: 1.0.0, alias: a}, {name: s, version: 1.0.0, alias: b}]",
        "[{name: s, version: 1.0.0}, {name: s, version: 1.0.0, alias: b}]",
        "[{name: s, version: 1.0.0, alias: b}]",
        "[{name: s, version: 1.0.0, alias: a, condition: a.on}, {name: s, version: 1.0.0, alias: b, condition: b.on}]",
    ];
    let none = "[]";
    let of_s = [none, "[{name: t, version: 1.0.0, import-values: [data]}]"];
    let of_t = [
        none,
        "[{name: u, version: 1.0.0, alias: v}]",
        "[{name: u, version: 1.0.0, condition: u.on, import-values: [data]}]",
        "[{name: other, version: 1.0.0}]",
    ];
    let of_u = [none, "[{name: w, version: 1.0.0, alias: x, import-values: [data]}]"];
    let users = [
        "a: {j: 1, t: {k: 1, u: {l: 1, on: false}, v: {l: 2}}}\nb: {t: {k: 2, u: {l: 3, x: {m: 1}}}}\nglobal: {g: 1}\n",
        "a: {on: false}\nb: {t: {u: {on: false, w: {m: 2}}}}\ns: {t: {u: {l: 4}}}\n",
    ];
    let mut cases = Vec::new();
    for top in entries {
        for (s, t) in of_s.iter().flat_map(|s| of_t.iter().map(move |t| (s, t))) {
            for (u, user) in of_u.iter().flat_map(|u| users.iter().map(move |user| (u, user))) {
                let case = shared([top, s, t, u], user);
                cases.push((format!("{top} {s} {t} {u} {user:?}"), case));
            }
        }
    }
    check_all(cases.iter().map(|(name, case)| (name.clone(), case)));
}
