//! A plan as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use petgraph::stable_graph::NodeIndex;
use serde_json::{Value, json};

use super::lanes::Item;
use super::{Aside, Change, Dependency, Outlook, Plan, TaskAction};

/// What is said instead of a plan of no tasks.
const NOTHING: &str = "no objects are declared: nothing would be written";

impl Plan {
    /// The plan for people: phases and waves in order, and what each task waits for beside its wave; with an outlook also what becomes of
    /// the sync as a whole, before everything else, of each object and why, and how many of each; and what was odd at the end.
    pub fn text(&self, outlook: Option<&Outlook>, aside: &Aside) -> String {
        let mut text = String::new();
        if let Some(headline) = headline(outlook) {
            let _ = writeln!(text, "{headline}\n");
        }
        let lanes = self.lanes(outlook, aside);
        if lanes.is_empty() {
            let _ = writeln!(text, "{NOTHING}");
        }
        for lane in lanes {
            let _ = writeln!(text, "{}", lane.headline());
            lane.items.iter().for_each(|item| self.write(&mut text, item));
        }
        if let Some(outlook) = outlook {
            let _ = writeln!(text, "\n{}", outlook.summary());
        }
        for (at, warning) in aside.warnings().iter().enumerate() {
            let before = if at == 0 { "\n" } else { "" };
            let _ = writeln!(text, "{before}warning: {}", one_line(warning));
        }
        text
    }

    /// One object, and below it why, and what of it.
    fn write(&self, text: &mut String, item: &Item<'_>) {
        let _ = write!(text, "  {} {}", item.word, one_line(&item.key.to_string()));
        if let Some(location) = item.location {
            let _ = write!(text, " ({})", one_line(&location.to_string()));
        }
        let dependencies = item.node.into_iter().flat_map(|node| self.own_dependencies(node));
        let after: Vec<String> = dependencies
            .map(|(before, why)| format!("{} ({why:?})", one_line(&self.task(before).key.to_string())))
            .collect();
        if !after.is_empty() {
            let _ = write!(text, " after {}", after.join(", "));
        }
        text.push('\n');
        if !item.why.is_empty() {
            let _ = writeln!(text, "      {}", one_line(item.why));
        }
        item.change.into_iter().for_each(|change| explain(text, change));
    }

    /// The plan for programs: `{"healthGate", "tasks": [{…, "after": [{"task", "dependency"}]}]}`. `task` is an index of `tasks`;
    /// what waits for a whole wave has a `dependency` on each of its last tasks. An outlook adds a [`Change`] to each task,
    /// `counts`, and as `sync` what becomes of the sync as a whole: `course`, and `why`. Beside the sync: `deletion`, `neverApplied`, `warnings`.
    pub fn json(&self, outlook: Option<&Outlook>, aside: &Aside) -> Value {
        let index: BTreeMap<NodeIndex, usize> = self.tasks().enumerate().map(|(at, (node, _))| (node, at)).collect();
        let tasks: Vec<Value> = self
            .tasks()
            .map(|(node, task)| {
                let mut value = json!(task);
                let after: Vec<Value> = self
                    .resolved_dependencies(node)
                    .into_iter()
                    .filter_map(|(before, why)| Some(json!({"task": index.get(&before)?, "dependency": why})))
                    .collect();
                value["after"] = json!(after);
                if let Some(Value::Object(change)) = outlook.and_then(|outlook| outlook.change(node)).map(|c| json!(c))
                    && let Some(task) = value.as_object_mut()
                {
                    task.extend(change);
                }
                value
            })
            .collect();
        let mut plan = json!({
            "healthGate": self.health_gate(), "tasks": tasks,
            "deletion": aside.deletion(), "neverApplied": aside.never_applied(), "warnings": aside.warnings(),
        });
        if let Some(outlook) = outlook {
            plan["sync"] = json!(outlook.course());
            let counts = outlook.counts().into_iter();
            plan["counts"] = counts.map(|(kind, count)| (kind.to_string(), json!(count))).collect();
        }
        plan
    }

    /// What a task waits for that is not a milestone.
    fn own_dependencies(&self, node: NodeIndex) -> impl Iterator<Item = (NodeIndex, Dependency)> {
        let mut dependencies: Vec<_> = self
            .dependencies(node)
            .filter(|(before, _)| self.task(*before).action != TaskAction::Milestone)
            .collect();
        dependencies.sort();
        dependencies.into_iter()
    }

    /// With every milestone replaced by the tasks it directly stands for.
    fn resolved_dependencies(&self, node: NodeIndex) -> BTreeMap<NodeIndex, Dependency> {
        let mut resolved: BTreeMap<NodeIndex, Dependency> = self.own_dependencies(node).collect();
        for (before, why) in self.dependencies(node) {
            if self.task(before).action == TaskAction::Milestone {
                for (task, _) in self.own_dependencies(before) {
                    resolved.entry(task).or_insert(why);
                }
            }
        }
        resolved
    }
}

/// What becomes of the sync as a whole, on one line; `None` where that is nothing to be told.
pub(super) fn headline(outlook: Option<&Outlook>) -> Option<String> {
    Some(one_line(&outlook?.course().headline()?))
}

/// Text of files, of the API or of people: on one line, without control characters, which a terminal would obey.
pub(super) fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// Which fields, below the line of a task.
fn explain(text: &mut String, change: &Change) {
    for field in &change.fields {
        let _ = writeln!(text, "      {}", one_line(&field.to_string()));
    }
    for field in &change.ignored {
        let field = one_line(&field.to_string());
        let _ = writeln!(text, "      not compared (ignoreDifferences): {field}");
    }
}
