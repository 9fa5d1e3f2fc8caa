//! Charts made up at random: subcharts in folders and archives, with versions, aliases, conditions, tags, imports, globals and nulls.

use std::collections::BTreeSet;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};

use crate::oracle::{Case, Oracle, agree, count, packed};

const SHOW: &str = "values: {{ toJson .Values | quote }}\nname: {{ .Chart.Name }} {{ .Chart.Version }}\n\
    dependencies: {{ toJson .Chart.Dependencies | quote }}\ncharts: {{ range $name, $_ := .Subcharts }}{{ $name }} {{ end }}\n\
    global: {{ .Values.global.a | default \"none\" | toJson | quote }}\n";
const PLAIN: &str = "values: {{ toJson .Values | quote }}\n";

/// One chart and those in its `charts/`.
#[derive(Clone, Debug)]
struct Chart {
    name: &'static str,
    version: &'static str,
    is_packed: bool,
    has_other_api: bool,
    values: Option<Value>,
    dependencies: Option<Vec<Value>>,
    charts: Vec<Self>,
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        3 => Just(Value::Null),
        3 => any::<bool>().prop_map(Value::from),
        3 => (0..5u8).prop_map(Value::from),
        1 => Just(json!(1.5)),
        1 => Just(json!("text")),
        1 => Just(json!([1, null, {"a": null}])),
    ];
    let key = prop::sample::select(vec!["a", "b", "enabled", "global", "data", "leaf"]);
    leaf.prop_recursive(4, 24, 4, move |inner| {
        btree_map(key.clone(), inner, 0..4).prop_map(|fields| {
            let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
            Value::Object(fields.collect())
        })
    })
}

/// Values of a chart, some of them under the names of charts.
fn document() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec![
        "a", "b", "global", "exports", "tags", "enabled", "sub", "two", "leaf", "one", "data",
    ]);
    let tables = prop_oneof![
        4 => values().prop_filter("a table", Value::is_object),
        1 => values(),
    ];
    btree_map(key, tables, 0..5).prop_map(|fields| {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
        Value::Object(fields.collect())
    })
}

fn dependency(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let text = |words: &'static [&'static str]| prop::sample::select(words).prop_map(Value::from);
    let import = prop_oneof![
        text(&["data", "a", "none"]),
        (
            prop::sample::select(vec!["exports", "exports.data", "a", "leaf", "global", "."]),
            prop::sample::select(vec![".", "a", "data.b", "global", "sub"]),
        )
            .prop_map(|(child, parent)| json!({ "child": child, "parent": parent })),
    ];
    (
        prop::sample::select(names),
        text(&["1.0.0", "*", ">=1", "2.x", "^1.1 || 2", "1.x"]),
        option::weighted(0.3, text(&["one", "x", "two"])),
        option::weighted(
            0.5,
            text(&[
                "sub.enabled",
                "two.enabled,a.b",
                "enabled",
                "one.enabled",
                "leaf.enabled",
                "a",
                "none, sub.a",
            ]),
        ),
        option::weighted(0.3, vec(text(&["a", "b", "enabled"]), 1..3)),
        option::weighted(0.4, vec(import, 1..3)),
    )
        .prop_map(|(name, version, alias, condition, tags, imports)| {
            let mut fields = Map::from_iter([("name".to_owned(), name.into()), ("version".to_owned(), version)]);
            let mut add = |field: &str, value: Option<Value>| {
                value.map(|value| fields.insert(field.to_owned(), value));
            };
            add("alias", alias);
            add("condition", condition);
            add("tags", tags.map(Value::from));
            add("import-values", imports.map(Value::from));
            Value::Object(fields)
        })
}

fn chart(
    name: &'static str,
    version: &'static str,
    below: &'static [&'static str],
    charts: impl Strategy<Value = Vec<Chart>>,
) -> impl Strategy<Value = Chart> {
    let names = if below.is_empty() { &["none"] } else { below };
    let dependencies = option::weighted(0.8, vec(dependency(names), 0..=below.len() + 1));
    (
        proptest::bool::weighted(0.3),
        proptest::bool::weighted(0.2),
        option::weighted(0.9, document()),
        dependencies,
        charts,
        proptest::bool::weighted(0.05),
    )
        .prop_map(
            move |(is_packed, has_other_api, values, mut dependencies, charts, is_wild)| {
                if !is_wild && let Some(list) = &mut dependencies {
                    make_valid(list, &charts);
                }
                Chart {
                    name,
                    version,
                    is_packed,
                    has_other_api,
                    values,
                    dependencies: dependencies.filter(|_| name != "leaf"),
                    charts,
                }
            },
        )
}

/// Leaves out what Helm refuses: what is not there, and names that stand twice.
fn make_valid(dependencies: &mut Vec<Value>, charts: &[Chart]) {
    let mut names = BTreeSet::new();
    dependencies.retain(|entry| {
        let name = entry.get("alias").unwrap_or(&entry["name"]).to_string();
        charts.iter().any(|chart| entry["name"] == chart.name) && names.insert(name)
    });
}

fn top() -> impl Strategy<Value = Chart> {
    let leaf = |version| chart("leaf", version, &[], Just(Vec::new()));
    let maybe = |leaf| option::weighted(0.7, leaf).prop_map(|leaf: Option<Chart>| leaf.into_iter().collect::<Vec<_>>());
    let sub = chart("sub", "1.0.0", &["leaf"], maybe(leaf("1.0.0").boxed()));
    let two = chart("two", "2.1.0", &["leaf"], maybe(leaf("1.2.0").boxed()));
    let charts = (option::weighted(0.9, sub), option::weighted(0.6, two));
    let charts = charts.prop_map(|(sub, two)| sub.into_iter().chain(two).collect::<Vec<_>>());
    chart("top", "0.1.0", &["sub", "two"], charts)
}

impl Chart {
    /// Its files by path below a folder.
    fn files(&self, folder: &str) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut add = |name: &str, text: String| files.push((format!("{folder}{name}"), text.into_bytes()));
        let mut head = format!("name: {}\nversion: {}\n", self.name, self.version);
        let dependencies = self
            .dependencies
            .as_ref()
            .map(|list| json!({ "dependencies": list }).to_string());
        match (self.has_other_api, dependencies) {
            (true, Some(list)) => add("requirements.yaml", list),
            (true, None) => {}
            (false, list) => {
                head.push_str("apiVersion: v2\n");
                if let Some(list) = list {
                    head.push_str(&format!(
                        "dependencies: {}\n",
                        &list["{\"dependencies\":".len()..list.len() - 1]
                    ));
                }
            }
        }
        add("Chart.yaml", head);
        if let Some(values) = &self.values {
            add("values.yaml", values.to_string());
        }
        add(
            "templates/show.yaml",
            (if self.name == "top" { PLAIN } else { SHOW }).to_owned(),
        );
        for chart in &self.charts {
            if chart.is_packed {
                let archive = packed(&chart.files(&format!("{}/", chart.name)));
                files.push((format!("{folder}charts/{}-{}.tgz", chart.name, chart.version), archive));
            } else {
                files.extend(chart.files(&format!("{folder}charts/{}/", chart.name)));
            }
        }
        files
    }
}

/// Helm takes subcharts in any order, which shows where two have one name.
fn is_settled(oracle: &Oracle, case: &Case) -> bool {
    let first = oracle.helm(case);
    (0..6).all(|_| oracle.helm(case) == first)
}

#[test]
fn made_up_charts_render_as_helm_renders_them() {
    let Some(oracle) = Oracle::start() else { return };
    let seed: u64 = std::env::var("CAPSTAN_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let cases = u32::try_from(count(60)).unwrap();
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 400,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let (refused, unsettled) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let result = runner.run(&(top(), option::weighted(0.8, document())), |(chart, user)| {
        let case = Case {
            files: chart.files("").into_iter().collect(),
            values: user.map(|user| user.to_string().into_bytes()),
            ..Case::default()
        };
        match agree(&oracle, &case) {
            Ok(outcome) => refused.set(refused.get() + usize::from(outcome.is_err())),
            Err(_) if !is_settled(&oracle, &case) => unsettled.set(unsettled.get() + 1),
            Err(why) => return Err(TestCaseError::fail(why)),
        }
        Ok(())
    });
    println!(
        "{cases} made-up charts: {} refused by both, {} that helm renders in several ways",
        refused.get(),
        unsettled.get()
    );
    if let Err(error) = result {
        panic!("seed {seed}: {error}");
    }
}
