//! A plan as a picture: DOT for Graphviz, and SVG that needs no other program.
//!
//! Both show a lane a phase and wave, in the order in which they run, and beside that only what a task waits for by itself.

use std::collections::BTreeMap;
use std::fmt::Write;

use petgraph::stable_graph::NodeIndex;

use super::render::{headline, one_line, titled};
use super::{Change, ChangeKind, Dependency, Outlook, Plan, SyncTask, TaskAction};

/// Sizes of the picture, in pixels.
const BOX: (usize, usize) = (250, 40);
const GAP: (usize, usize) = (24, 46);
const TITLE: usize = 150;
const MARGIN: usize = 20;
const PER_ROW: usize = 4;
/// A letter of a headline at most, but for few.
const LETTER: usize = 8;

/// Tasks that run beside each other.
struct Lane<'p> {
    title: String,
    tasks: Vec<(NodeIndex, &'p SyncTask)>,
}

impl Plan {
    fn lanes(&self) -> Vec<Lane<'_>> {
        let mut lanes: Vec<Lane<'_>> = Vec::new();
        for (node, task) in self.tasks() {
            let prune = if task.action == TaskAction::Prune {
                ", prune"
            } else {
                ""
            };
            let title = format!("{} wave {}{prune}", task.phase, task.wave);
            match lanes.last_mut() {
                Some(lane) if lane.title == title => lane.tasks.push((node, task)),
                _ => lanes.push(Lane {
                    title,
                    tasks: vec![(node, task)],
                }),
            }
        }
        lanes
    }

    /// The plan in Graphviz's language.
    pub fn dot(&self, outlook: Option<&Outlook>) -> String {
        let mut text = "digraph plan {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n".to_owned();
        if let Some(headline) = headline(outlook) {
            let _ = writeln!(text, "  labelloc=t;\n  label=\"{}\";", quoted(&headline));
        }
        let lanes = self.lanes();
        for (number, lane) in lanes.iter().enumerate() {
            let _ = writeln!(text, "  subgraph cluster_{number} {{\n    label=\"{}\";", lane.title);
            for (node, task) in &lane.tasks {
                let change = outlook.and_then(|outlook| outlook.change(*node));
                let label = format!("{}\\n{}", titled(task, change), quoted(&task.key.to_string()));
                let _ = writeln!(text, "    n{} [label=\"{label}\"];", node.index());
            }
            text.push_str("  }\n");
        }
        for pair in lanes.windows(2) {
            if let (Some((from, _)), Some((to, _))) = (pair[0].tasks.first(), pair[1].tasks.first()) {
                let _ = writeln!(text, "  n{} -> n{} [style=bold];", from.index(), to.index());
            }
        }
        for (before, node, why) in self.own_edges() {
            let _ = writeln!(
                text,
                "  n{} -> n{} [label=\"{why:?}\", style=dashed];",
                before.index(),
                node.index()
            );
        }
        text.push_str("}\n");
        text
    }

    /// What tasks wait for by themselves.
    fn own_edges(&self) -> Vec<(NodeIndex, NodeIndex, Dependency)> {
        let mut edges = Vec::new();
        for (node, _) in self.tasks() {
            for (before, why) in self.dependencies(node) {
                if self.task(before).action != TaskAction::Milestone {
                    edges.push((before, node, why));
                }
            }
        }
        edges.sort();
        edges
    }

    /// The plan as a picture of its own. With an outlook, what is as declared already is pale.
    pub fn svg(&self, outlook: Option<&Outlook>) -> String {
        let lanes = self.lanes();
        let mut body = String::new();
        let mut places: BTreeMap<NodeIndex, (usize, usize)> = BTreeMap::new();
        let (said, height) = draw_headline(&mut body, outlook);
        let (mut top, mut widest) = (MARGIN + height, 1);
        for (number, lane) in lanes.iter().enumerate() {
            let rows = lane.tasks.len().div_ceil(PER_ROW).max(1);
            let height = rows * BOX.1 + (rows - 1) * GAP.0;
            if number > 0 {
                let x = TITLE + BOX.0 / 2;
                let _ = writeln!(
                    body,
                    r#"<line class="wave" x1="{x}" y1="{}" x2="{x}" y2="{top}" marker-end="url(#arrow)"/>"#,
                    top - GAP.1
                );
            }
            draw_title(&mut body, &lane.title, top);
            for (at, (node, task)) in lane.tasks.iter().enumerate() {
                let (x, y) = (
                    TITLE + (at % PER_ROW) * (BOX.0 + GAP.0),
                    top + (at / PER_ROW) * (BOX.1 + GAP.0),
                );
                widest = widest.max(at % PER_ROW + 1);
                places.insert(*node, (x, y));
                draw_task(
                    &mut body,
                    task,
                    outlook.and_then(|outlook| outlook.change(*node)),
                    (x, y),
                );
            }
            top += height + GAP.1;
        }
        for (before, node, why) in self.own_edges() {
            if let (Some(&(x1, y1)), Some(&(x2, y2))) = (places.get(&before), places.get(&node)) {
                let _ = writeln!(
                    body,
                    r#"<line class="own" x1="{}" y1="{}" x2="{}" y2="{y2}" marker-end="url(#arrow)"><title>{why:?}</title></line>"#,
                    x1 + BOX.0 / 2,
                    y1 + BOX.1,
                    x2 + BOX.0 / 2
                );
            }
        }
        let width = (TITLE + widest * (BOX.0 + GAP.0) + MARGIN).max(said);
        format!("{}{body}</svg>\n", head(width, top))
    }
}

/// What becomes of the sync as a whole. Gives the width that it needs, and its height.
fn draw_headline(body: &mut String, outlook: Option<&Outlook>) -> (usize, usize) {
    let Some(headline) = headline(outlook) else {
        return (0, 0);
    };
    let (y, text) = (MARGIN + BOX.1 / 2, escaped(&headline));
    let _ = writeln!(body, r#"<text class="headline" x="{MARGIN}" y="{y}">{text}</text>"#);
    (headline.chars().count() * LETTER + 2 * MARGIN, BOX.1)
}

fn draw_title(body: &mut String, title: &str, top: usize) {
    let _ = writeln!(
        body,
        r#"<text class="lane" x="{MARGIN}" y="{}">{}</text>"#,
        top + BOX.1 / 2 + 5,
        escaped(title)
    );
}

fn draw_task(body: &mut String, task: &SyncTask, change: Option<&Change>, (x, y): (usize, usize)) {
    let class = match (task.action, change.map(|change| change.kind)) {
        (_, Some(ChangeKind::Unchanged | ChangeKind::Keep | ChangeKind::Withhold)) => "same",
        (_, Some(ChangeKind::Fail)) => "prune",
        (TaskAction::Prune, _) => "prune",
        (TaskAction::Hook(_), _) => "hook",
        _ => "apply",
    };
    let key = task.key.to_string();
    let shown: String = match key.chars().count() {
        ..=34 => key.clone(),
        _ => key.chars().take(33).chain(std::iter::once('…')).collect(),
    };
    let location = task
        .location
        .as_ref()
        .map(|place| format!(" ({place})"))
        .unwrap_or_default();
    let why = change
        .filter(|change| !change.why.is_empty())
        .map(|change| format!(": {}", change.why))
        .unwrap_or_default();
    let _ = writeln!(
        body,
        r#"<g class="{class}"><title>{}</title><rect x="{x}" y="{y}" width="{}" height="{}" rx="4"/><text x="{}" y="{}">{}</text><text class="key" x="{}" y="{}">{}</text></g>"#,
        escaped(&format!("{key}{location}{why}")),
        BOX.0,
        BOX.1,
        x + 8,
        y + 16,
        escaped(&titled(task, change)),
        x + 8,
        y + 32,
        escaped(&shown)
    );
}

fn head(width: usize, height: usize) -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">
<style>rect{{fill:#fff;stroke:#345}}.hook rect{{fill:#eef4ff}}.prune rect{{fill:#fff0ee;stroke:#a33}}.same{{opacity:.45}}.lane,.headline{{font-weight:bold}}.headline{{fill:#a33}}.key{{font-family:monospace}}line{{stroke:#888}}.own{{stroke-dasharray:4}}</style>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#888"/></marker></defs>
"##
    )
}

fn escaped(text: &str) -> String {
    one_line(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn quoted(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use capstan_model::{Manifest, SourceLocation, SyncOptions};
    use serde_json::json;

    use super::*;
    use crate::plan::{PlanRequest, PruneItem};
    use crate::settings::Guards;
    use crate::targets::{TargetContext, Targets};

    fn plan() -> Plan {
        let object = |name: &str, wave: &str, depends: &str| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "n", "annotations": {
                "argocd.argoproj.io/sync-wave": wave, "capstan.dev/depends-on": depends}}})
        };
        let objects = [
            object("a<b", "0", ""),
            object("b", "0", "ConfigMap/a<b"),
            object("c", "1", ""),
        ];
        let manifests = objects.map(|object| {
            let location = SourceLocation {
                file: "x.yaml".into(),
                line: 1,
            };
            Manifest::parse(object, location).expect("a manifest")
        });
        let context = TargetContext {
            namespaced: Arc::default(),
            ..TargetContext::default()
        };
        let targets = Targets::prepare(manifests.into(), &context, "Directory").expect("targets");
        Plan::new(&PlanRequest {
            targets: &targets,
            prune: &[],
            hooks: true,
            selection: &[],
            options: &SyncOptions::default(),
            destination_namespace: "n",
            create_namespace: false,
            hook_suffix: "",
            guards: Guards::default(),
        })
        .expect("a plan")
    }

    /// The graph grows with the number of tasks, not with the square of it, and so does the work of making it.
    #[test]
    fn a_plan_of_many_tasks_is_made_of_few_edges() {
        for count in [10, 1_000, 20_000] {
            let manifests = (0..count).map(|n| {
                let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c{n}"), "namespace": "n",
                    "annotations": {"argocd.argoproj.io/sync-wave": (n % 50).to_string()}}});
                Manifest::parse(object, SourceLocation::default()).expect("a manifest")
            });
            let targets =
                Targets::prepare(manifests.collect(), &TargetContext::default(), "Directory").expect("targets");
            let prune: Vec<PruneItem> = (0..count)
                .map(|n| PruneItem {
                    key: capstan_model::ResourceKey::new("", "ConfigMap", "n", format!("old{n}")),
                    gvk: capstan_model::GroupVersionKind::from_api_version("v1", "ConfigMap"),
                    wave: n % 50,
                    last: n % 7 == 0,
                })
                .collect();
            let plan = Plan::new(&PlanRequest {
                targets: &targets,
                prune: &prune,
                hooks: true,
                selection: &[],
                options: &SyncOptions::default(),
                destination_namespace: "n",
                create_namespace: false,
                hook_suffix: "",
                guards: Guards::default(),
            })
            .expect("a plan");
            let tasks = plan.tasks().count();
            assert_eq!(tasks, 2 * usize::try_from(count).expect("small"));
            assert!(
                plan.graph().edge_count() < 4 * tasks + 400,
                "{} edges",
                plan.graph().edge_count()
            );
        }
    }

    #[test]
    fn every_task_and_every_dependency_of_its_own_is_drawn() {
        let dot = plan().dot(None);
        assert_eq!(dot.matches("subgraph").count(), 2, "{dot}");
        assert_eq!(dot.matches("[label=\"apply").count(), 3, "{dot}");
        assert_eq!(dot.matches("label=\"DependsOn\"").count(), 1, "{dot}");
        let svg = plan().svg(None);
        assert_eq!(
            (svg.matches("<rect ").count(), svg.matches("class=\"own\"").count()),
            (3, 1),
            "{svg}"
        );
        assert!(svg.contains("a&lt;b") && !svg.contains("a<b"), "{svg}");
    }
}
