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
