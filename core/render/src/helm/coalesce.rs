//! Laying values over each other, as Helm does it.
//!
//! The result depends on the way it is reached: a null removes a key or stays, depending on which table it meets on which pass, and a
//! table that was laid into two places is one table. So tables are shared here ([`Table`]) as they are in Helm, and every function does one
//! of Helm's passes, in Helm's order.
//!
//! *Coalescing* drops nulls that did their work, *merging* (`merge`) keeps them for a later pass.
//!
//! **Limits.** A table in many places is many tables once it is copied, and `import-values` can put a table into itself, on which Helm
//! ends with a stack overflow. So tables are measured before they are copied ([`Table::check`]).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::{Map, Value};

use super::chart::Chart;
use crate::RenderError;

const GLOBAL: &str = "global";

/// Values, each counted in every place it is in.
const MAX_NODES: u64 = 1_000_000;
/// Tables in tables.
const MAX_DEPTH: usize = 400;
/// Keys looked at while one table is laid under another.
const MAX_STEPS: u64 = 4_000_000;

/// Values that are more than may be, or that contain themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excess {
    Nodes,
    Depth,
    Cycle,
}

impl std::fmt::Display for Excess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nodes => write!(
                f,
                "the values amount to more than {MAX_NODES}, counted wherever they are copied to"
            ),
            Self::Depth => write!(f, "tables are nested more than {MAX_DEPTH} deep"),
            Self::Cycle => write!(f, "a table would contain itself"),
        }
    }
}

/// A mapping that several places may hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Table(Rc<RefCell<BTreeMap<String, Node>>>);

/// Size and depth by address; `None` for a table that is being measured.
type Measured = BTreeMap<*const RefCell<BTreeMap<String, Node>>, Option<(u64, usize)>>;

/// One value.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Table(Table),
    /// Everything but a mapping.
    Leaf(Value),
}

impl Node {
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Object(fields) => Self::Table(Table::of(fields)),
            other => Self::Leaf(other.clone()),
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Leaf(Value::Null))
    }

    fn table(&self) -> Option<&Table> {
        match self {
            Self::Table(table) => Some(table),
            Self::Leaf(_) => None,
        }
    }

    fn deep_copy(&self) -> Self {
        match self {
            Self::Table(table) => Self::Table(table.deep_copy()),
            leaf @ Self::Leaf(_) => leaf.clone(),
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Table(table) => Value::Object(table.values()),
            Self::Leaf(value) => value.clone(),
        }
    }
}

impl Table {
    pub(super) fn of(values: &Map<String, Value>) -> Self {
        let entries = values.iter().map(|(name, value)| (name.clone(), Node::of(value)));
        Self(Rc::new(RefCell::new(entries.collect())))
    }

    /// The values, no longer shared.
    pub(super) fn values(&self) -> Map<String, Value> {
        let entries = self.0.borrow();
        entries
            .iter()
            .map(|(name, node)| (name.clone(), node.value()))
            .collect()
    }

    pub(super) fn deep_copy(&self) -> Self {
        let entries = self.0.borrow();
        let copied = entries.iter().map(|(name, node)| (name.clone(), node.deep_copy()));
        Self(Rc::new(RefCell::new(copied.collect())))
    }

    /// Another table with the same things in it.
    fn shallow_copy(&self) -> Self {
        Self(Rc::new(RefCell::new(self.0.borrow().clone())))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    fn get(&self, name: &str) -> Option<Node> {
        self.0.borrow().get(name).cloned()
    }

    pub(super) fn set(&self, name: String, node: Node) {
        self.0.borrow_mut().insert(name, node);
    }

    fn remove(&self, name: &str) {
        self.0.borrow_mut().remove(name);
    }

    /// What is in it now.
    fn entries(&self) -> Vec<(String, Node)> {
        let entries = self.0.borrow();
        entries
            .iter()
            .map(|(name, node)| (name.clone(), node.clone()))
            .collect()
    }

    /// Can it be copied?
    pub(super) fn check(&self) -> Result<(), Excess> {
        let (nodes, _) = self.measure(0, &mut BTreeMap::new())?;
        if nodes > MAX_NODES { Err(Excess::Nodes) } else { Ok(()) }
    }

    /// Values in it and its depth.
    fn measure(&self, depth: usize, known: &mut Measured) -> Result<(u64, usize), Excess> {
        let address = Rc::as_ptr(&self.0);
        match known.get(&address) {
            Some(None) => return Err(Excess::Cycle),
            Some(Some((nodes, height))) if depth + height <= MAX_DEPTH => return Ok((*nodes, *height)),
            Some(Some(_)) => return Err(Excess::Depth),
            None if depth >= MAX_DEPTH => return Err(Excess::Depth),
            None => {}
        }
        known.insert(address, None);
        let (mut nodes, mut height) = (0_u64, 1);
        for node in self.0.borrow().values() {
            let (inner, below) = match node {
                Node::Table(table) => table.measure(depth + 1, known)?,
                Node::Leaf(_) => (0, 0),
            };
            nodes = nodes.saturating_add(inner).saturating_add(1);
            height = height.max(below + 1);
        }
        known.insert(address, Some((nodes, height)));
        Ok((nodes, height))
    }

    /// Empties it and everything in it, so that what contains itself is freed.
    pub(super) fn dismantle(&self) {
        let mut left = vec![self.clone()];
        while let Some(table) = left.pop() {
            let entries = std::mem::take(&mut *table.0.borrow_mut());
            left.extend(entries.into_values().filter_map(|node| match node {
                Node::Table(table) => Some(table),
                Node::Leaf(_) => None,
            }));
        }
    }

    /// A boolean in it.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Node::Leaf(value) => value.as_bool(),
            Node::Table(_) => None,
        }
    }

    /// The table at a path of names with dots between them.
    pub(super) fn table_at(&self, path: &str) -> Option<Self> {
        path.split('.')
            .try_fold(self.clone(), |table, name| table.get(name)?.table().cloned())
    }

    /// What is at a path, unless it is a table.
    pub(super) fn value_at(&self, path: &str) -> Option<Value> {
        let (table, name) = match path.rsplit_once('.') {
            Some((above, name)) => (self.table_at(above)?, name),
            None => (self.clone(), path),
        };
        match table.get(name)? {
            Node::Leaf(value) => Some(value),
            Node::Table(_) => None,
        }
    }
}

/// A chart as its values see it.
pub(super) trait Branch: Sized {
    fn name(&self) -> &str;

    fn values(&self) -> &Map<String, Value>;

    /// A file of it, from the root of the repository.
    fn file(&self, name: &str) -> String;

    fn subcharts(&self) -> impl Iterator<Item = Self>;
}

impl Branch for &Chart {
    fn name(&self) -> &str {
        &self.metadata.name
    }

    fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    fn file(&self, name: &str) -> String {
        Chart::file(self, name)
    }

    fn subcharts(&self) -> impl Iterator<Item = Self> {
        self.subcharts.iter()
    }
}

/// The values a chart is rendered with: `supplied` over the chart's own, these over its subcharts'.
pub(super) fn values(chart: &Chart, supplied: &Map<String, Value>) -> Result<Map<String, Value>, RenderError> {
    Ok(coalesced(&chart, &Table::of(supplied), false)?.values())
}

/// One pass over a chart and its subcharts. `supplied` stays as it is.
pub(super) fn coalesced(chart: &impl Branch, supplied: &Table, merge: bool) -> Result<Table, RenderError> {
    let values = supplied.deep_copy();
    coalesce(chart, &values, merge)?;
    values.check().map_err(|excess| excessive(chart, excess))?;
    Ok(values)
}

fn excessive(chart: &impl Branch, excess: Excess) -> RenderError {
    RenderError::Chart {
        file: chart.file("values.yaml"),
        reason: excess.to_string(),
    }
}

fn coalesce(chart: &impl Branch, values: &Table, merge: bool) -> Result<(), RenderError> {
    coalesce_own(chart, values, merge).map_err(|excess| excessive(chart, excess))?;
    for subchart in chart.subcharts() {
        let name = subchart.name();
        let section = match values.get(name) {
            Some(Node::Table(section)) => section,
            None => {
                let section = Table::default();
                values.set(name.to_owned(), Node::Table(section.clone()));
                section
            }
            Some(Node::Leaf(found)) => return Err(mismatch(chart, name, &found)),
        };
        coalesce_globals(&section, values).map_err(|excess| excessive(chart, excess))?;
        coalesce(&subchart, &section, merge)?;
    }
    Ok(())
}

fn mismatch(chart: &impl Branch, name: &str, found: &Value) -> RenderError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    };
    RenderError::Chart {
        file: chart.file("values.yaml"),
        reason: format!("type mismatch on {name}: the values of a subchart must be a table, not {found}"),
    }
}

/// The chart's own values under what is there.
fn coalesce_own(chart: &impl Branch, values: &Table, merge: bool) -> Result<(), Excess> {
    for (name, default) in chart.values() {
        let default = Node::of(default);
        let Some(value) = values.get(name) else {
            if !merge {
                if default.is_null() {
                    continue;
                }
                if let Node::Table(table) = &default {
                    drop_nulls(table);
                }
            }
            values.set(name.clone(), default);
            continue;
        };
        if value.is_null() && !merge {
            // A null of the user removes the default.
            values.remove(name);
        } else if let (Node::Table(value), Node::Table(default)) = (&value, &default) {
            // In the table of a subchart nulls are kept: they are to meet the subchart's defaults.
            let is_subchart = chart.subcharts().any(|subchart| subchart.name() == name);
            let merge = merge || is_subchart;
            if !merge {
                drop_nulls(default);
            }
            lay_under(value, default, merge)?;
        }
    }
    Ok(())
}

/// A parent's globals win over a subchart's own.
fn coalesce_globals(section: &Table, parent: &Table) -> Result<(), Excess> {
    let globals = |table: &Table| match table.get(GLOBAL) {
        None => Some(Table::default()),
        Some(node) => node.table().cloned(),
    };
    let (Some(own), Some(inherited)) = (globals(section), globals(parent)) else {
        return Ok(());
    };
    for (name, node) in inherited.entries() {
        match (node, own.get(&name)) {
            // A copy of this table, but what is in it is shared with the parent.
            (Node::Table(table), None) => own.set(name, Node::Table(table.shallow_copy())),
            (Node::Table(table), Some(Node::Table(mine))) => {
                let table = table.shallow_copy();
                lay_under(&table, &mine, true)?;
                own.set(name, Node::Table(table));
            }
            (Node::Table(_), Some(Node::Leaf(_))) | (Node::Leaf(_), Some(Node::Table(_))) => {}
            (leaf, _) => own.set(name, leaf),
        }
    }
    section.set(GLOBAL.to_owned(), Node::Table(own));
    Ok(())
}

/// Adds to `values` what only `defaults` has. `defaults` is changed too: it learns of the nulls.
pub(super) fn lay_under(values: &Table, defaults: &Table, merge: bool) -> Result<(), Excess> {
    lay(values, defaults, merge, 0, &mut MAX_STEPS.clone())
}

fn lay(values: &Table, defaults: &Table, merge: bool, depth: usize, steps: &mut u64) -> Result<(), Excess> {
    if depth > MAX_DEPTH {
        return Err(Excess::Depth);
    }
    let originals = defaults.entries();
    let had_value: BTreeSet<&str> = originals
        .iter()
        .filter(|(_, node)| !node.is_null())
        .map(|(name, _)| name.as_str())
        .collect();
    for (name, node) in values.entries() {
        if node.is_null() {
            defaults.set(name, node);
        }
    }
    for (name, default) in defaults.entries() {
        *steps = steps.checked_sub(1).ok_or(Excess::Nodes)?;
        match values.get(&name) {
            Some(value) if !merge && value.is_null() && had_value.contains(name.as_str()) => values.remove(&name),
            None => values.set(name, default),
            Some(Node::Table(value)) => {
                if let Node::Table(default) = &default {
                    lay(&value, default, merge, depth + 1, steps)?;
                }
            }
            Some(Node::Leaf(_)) => {}
        }
    }
    Ok(())
}

fn drop_nulls(table: &Table) {
    for (name, node) in table.entries() {
        match node {
            Node::Leaf(Value::Null) => table.remove(&name),
            Node::Table(table) => drop_nulls(&table),
            Node::Leaf(_) => {}
        }
    }
}
