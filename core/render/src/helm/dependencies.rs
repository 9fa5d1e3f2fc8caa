//! Which subcharts take part, under which name, and what they hand to their parent (`import-values`).
//!
//! Helm's passes, in Helm's order: versions and aliases, tags, conditions (for each chart on the way down), then imported values (on the way
//! up). A subchart that no entry of `dependencies` means, by name and version, takes part as it is; and below a chart that says nothing
//! about dependencies nothing is switched at all.

use std::collections::BTreeSet;

use capstan_template::matches_constraint;
use serde_json::{Map, Value, json};

use super::chart::Chart;
use super::coalesce::{Node, Table, coalesced, lay_under};
use super::family::{Family, Id};
use super::metadata::{Dependency, Metadata};
use crate::RenderError;

/// How many names a path of `import-values` may have.
const PATH_PARTS: usize = 100;

/// Drops what is switched off, renames what has an alias, and imports values.
pub(super) fn process(chart: &mut Chart, supplied: &Map<String, Value>) -> Result<(), RenderError> {
    let mut family = Family::of(std::mem::take(chart));
    select(&mut family, Family::ROOT, &Table::of(supplied), "")?;
    import(&mut family, Family::ROOT)?;
    *chart = family.into_chart();
    Ok(())
}

/// Does the version satisfy the range? What is no range is satisfied by nothing.
pub(super) fn is_compatible(range: &str, version: &str) -> bool {
    matches_constraint(range, version).unwrap_or(false)
}

fn is_met_by(dependency: &Dependency, chart: &Metadata) -> bool {
    dependency.name == chart.name && is_compatible(&dependency.version, &chart.version)
}

fn select(family: &mut Family, id: Id, supplied: &Table, path: &str) -> Result<(), RenderError> {
    let Some(mut dependencies) = family.take_dependencies(id) else {
        return Ok(());
    };
    let named = named(family, id, &mut dependencies);
    family.set_children(id, named)?;
    let values = coalesced(&family.view(id), supplied, false)?;
    for dependency in &mut dependencies {
        dependency.enabled = is_enabled(dependency, &values, path);
    }
    let disabled = dependencies.iter().filter(|dependency| !dependency.enabled);
    let disabled: BTreeSet<String> = disabled.map(|dependency| dependency.name.clone()).collect();
    dependencies.retain(|dependency| !disabled.contains(&dependency.name));
    let mut children = family.children(id).to_vec();
    children.retain(|child| !disabled.contains(family.name(*child)));
    for child in &children {
        let path = format!("{path}{}.", family.name(*child));
        select(family, *child, &values, &path)?;
    }
    family.set_dependencies(id, (!dependencies.is_empty()).then_some(dependencies));
    family.set_children(id, children)
}

/// The charts that no entry means, then a copy for each entry, by its alias.
fn named(family: &mut Family, id: Id, dependencies: &mut [Dependency]) -> Vec<Id> {
    let charts = family.children(id).to_vec();
    let (meant, mut kept): (Vec<Id>, Vec<Id>) = charts.into_iter().partition(|chart| {
        let metadata = family.metadata(*chart);
        dependencies.iter().any(|dependency| is_met_by(dependency, metadata))
    });
    for dependency in dependencies {
        let chart = meant
            .iter()
            .find(|chart| is_met_by(dependency, family.metadata(**chart)));
        if let Some(chart) = chart {
            kept.push(family.copy_of(*chart, &dependency.alias));
        }
        if !dependency.alias.is_empty() {
            dependency.name.clone_from(&dependency.alias);
        }
    }
    kept
}

/// Tags first; the first path of the condition that holds a boolean overrides them. Paths are not trimmed one by one.
fn is_enabled(dependency: &Dependency, values: &Table, path: &str) -> bool {
    let by_tags = values.table_at("tags").is_none_or(|tags| {
        let flags: Vec<bool> = dependency.tags.iter().filter_map(|tag| tags.flag(tag)).collect();
        flags.is_empty() || flags.contains(&true)
    });
    let conditions = dependency.condition.trim().split(',').filter(|path| !path.is_empty());
    let mut found = conditions.filter_map(|condition| values.value_at(&format!("{path}{condition}"))?.as_bool());
    found.next().unwrap_or(by_tags)
}

/// From the innermost charts up: what a subchart exports goes under the values of its parent.
fn import(family: &mut Family, id: Id) -> Result<(), RenderError> {
    for child in family.children(id).to_vec() {
        import(family, child)?;
    }
    let Some(mut dependencies) = family.take_dependencies(id) else {
        return Ok(());
    };
    let values = import_into(family, id, &mut dependencies)?;
    family.set_values(id, values);
    family.set_dependencies(id, Some(dependencies));
    Ok(())
}

/// The values of a chart with what is imported.
fn import_into(family: &Family, id: Id, dependencies: &mut [Dependency]) -> Result<Map<String, Value>, RenderError> {
    let values = coalesced(&family.view(id), &Table::default(), true)?;
    let imported = Table::default();
    for dependency in dependencies {
        let result = import_from(dependency, &values, &imported);
        if let Err(reason) = result {
            values.dismantle();
            imported.dismantle();
            return Err(RenderError::Dependency {
                file: family.file(id, "Chart.yaml"),
                name: dependency.name.clone(),
                reason: format!("import-values: {reason}"),
            });
        }
    }
    let values = values.deep_copy();
    let laid = lay_under(&values, &imported, true).and_then(|()| values.check());
    laid.map_err(|excess| RenderError::Chart {
        file: family.file(id, "Chart.yaml"),
        reason: format!("import-values: {excess}"),
    })?;
    Ok(values.values())
}

/// Adds to `imported` what one dependency exports. The tables stay those of `values`, as they do in Helm.
fn import_from(dependency: &mut Dependency, values: &Table, imported: &Table) -> Result<(), String> {
    let mut understood = Vec::new();
    // A chart in two places has one `Chart.yaml`, of which Helm does not understand a second time what it wrote there.
    let entries = match std::mem::replace(&mut dependency.is_imported, true) {
        true => &[][..],
        false => &dependency.import_values[..],
    };
    for entry in entries {
        let (child, parent) = match entry {
            Value::Object(fields) => (printed(fields.get("child")), printed(fields.get("parent"))),
            Value::String(name) => (format!("exports.{name}"), ".".to_owned()),
            _ => continue,
        };
        if parent.split('.').count() > PATH_PARTS {
            return Err(format!("a parent has more than {PATH_PARTS} parts"));
        }
        understood.push(json!({ "child": child, "parent": parent }));
        // A table that is not there imports nothing.
        let Some(table) = values.table_at(&format!("{}.{child}", dependency.name)) else {
            continue;
        };
        let table = if table.is_empty() { Table::default() } else { table };
        let laid = lay_under(imported, &at_path(&parent, table), true);
        laid.and_then(|()| values.check())
            .and_then(|()| imported.check())
            .map_err(|excess| format!("{child} under {parent}: {excess}"))?;
    }
    dependency.import_values = understood;
    Ok(())
}

/// The table, below the names of a path; `.` is no name.
fn at_path(path: &str, table: Table) -> Table {
    if path == "." {
        return table;
    }
    path.rsplit('.').fold(table, |inner, name| {
        let outer = Table::default();
        outer.set(name.to_owned(), Node::Table(inner));
        outer
    })
}

/// As Go's `%v` prints what stands there.
fn printed(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "<nil>".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Is every dependency there? Only those of the chart that is rendered are asked for, and whether or not they are switched on.
pub(super) fn check_present(chart: &Chart) -> Result<(), RenderError> {
    let missing = missing(chart);
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|dependency| dependency.name.as_str()).collect();
    Err(RenderError::Chart {
        file: chart.file("Chart.yaml"),
        reason: format!(
            "found in Chart.yaml, but missing in charts/ directory: {}; run `helm dependency build` and commit what it puts there",
            names.join(", ")
        ),
    })
}

/// The dependencies that no subchart has the name of.
pub(super) fn missing(chart: &Chart) -> Vec<&Dependency> {
    let is_there = |name: &str| chart.subcharts.iter().any(|subchart| subchart.metadata.name == name);
    let dependencies = chart.metadata.dependencies().iter();
    dependencies.filter(|dependency| !is_there(&dependency.name)).collect()
}

/// Subcharts that are rendered without one of their own dependencies: Helm does not ask for these.
pub(super) fn warnings(chart: &Chart) -> Vec<String> {
    let of_subchart = |subchart: &Chart| {
        let named = missing(subchart).into_iter().map(|dependency| {
            format!(
                "{}: dependency {} is missing in charts/ directory: Helm renders the subchart without it",
                subchart.file("Chart.yaml"),
                dependency.name
            )
        });
        named.chain(warnings(subchart)).collect::<Vec<_>>()
    };
    chart.subcharts.iter().flat_map(of_subchart).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryTree;

    /// What becomes of the values of a chart that imports from `sub`.
    fn imported(imports: &Value, sub: &Value) -> Result<Map<String, Value>, String> {
        let dependency = json!({ "name": "sub", "version": "1.0.0", "import-values": imports });
        let chart = json!({ "apiVersion": "v2", "name": "top", "version": "0.1.0", "dependencies": [dependency] });
        let tree = MemoryTree::from_files([
            ("Chart.yaml", chart.to_string()),
            ("charts/sub/Chart.yaml", "name: sub\nversion: 1.0.0\n".into()),
            ("charts/sub/values.yaml", sub.to_string()),
        ]);
        let mut chart = Chart::load("", &tree).map_err(|error| error.to_string())?;
        process(&mut chart, &Map::new()).map_err(|error| error.to_string())?;
        Ok(chart.values)
    }

    #[test]
    fn tables_that_would_contain_themselves_are_refused() {
        let imports = json!([{ "child": "a.b", "parent": "here" }, { "child": "a", "parent": "here" }]);
        let error = imported(&imports, &json!({ "a": { "b": { "c": 1 } } })).unwrap_err();
        assert_eq!(
            error,
            "Chart.yaml: dependency sub: import-values: a under here: a table would contain itself"
        );
    }

    #[test]
    fn tables_that_would_double_and_double_are_refused() {
        let mut sub = Map::new();
        let mut imports = Vec::new();
        for level in 0..40 {
            sub.insert(format!("t{level}"), json!({ "v": level }));
            imports.push(json!({ "child": format!("t{level}"), "parent": format!("h{level}") }));
            for side in ["l", "r"].iter().filter(|_| level > 0) {
                let (child, parent) = (format!("t{}", level - 1), format!("h{level}.{side}"));
                imports.push(json!({ "child": child, "parent": parent }));
            }
        }
        let error = imported(&imports.into(), &Value::Object(sub)).unwrap_err();
        assert!(error.contains("amount to more than 1000000"), "{error}");
    }

    #[test]
    fn paths_of_imports_are_bounded() {
        let deep = vec!["x"; 101].join(".");
        let error = imported(&json!([{ "child": "a", "parent": deep }]), &json!({ "a": {} })).unwrap_err();
        assert!(error.ends_with("a parent has more than 100 parts"), "{error}");
    }
}
