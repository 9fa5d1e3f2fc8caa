//! A plan as a picture: DOT for Graphviz, and SVG that needs no other program.
//!
//! Both show a lane a phase and wave, in the order in which they run, and beside that only what a task waits for by itself. Lanes that do not
//! come after each other (what runs only if the sync fails, a deletion) are not tied.

use std::collections::BTreeMap;
use std::fmt::Write;

use petgraph::stable_graph::NodeIndex;

use super::lanes::{Item, Lane};
use super::render::{headline, one_line};
use super::{Aside, Dependency, Outlook, Plan, TaskAction};

/// Sizes of the picture, in pixels.
const BOX: (usize, usize) = (250, 40);
const GAP: (usize, usize) = (24, 46);
const MARGIN: usize = 20;
const PER_ROW: usize = 4;
/// Letters of a key that have room in a box.
const SHOWN: usize = 32;
/// A letter of a headline at most, but for few.
const LETTER: usize = 8;

impl Plan {
    /// The plan in Graphviz's language.
    pub fn dot(&self, outlook: Option<&Outlook>, aside: &Aside) -> String {
        let mut text = "digraph plan {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n".to_owned();
        if let Some(headline) = headline(outlook) {
            let _ = writeln!(text, "  labelloc=t;\n  label=\"{}\";", quoted(&headline));
        }
        let mut before: Vec<String> = Vec::new();
        for (number, lane) in self.lanes(outlook, aside).iter().enumerate() {
            let _ = writeln!(
                text,
                "  subgraph cluster_{number} {{\n    label=\"{}\";",
                lane.headline()
            );
            let name = |at: usize, item: &Item<'_>| match item.node {
                Some(node) => format!("n{}", node.index()),
                None => format!("d{number}_{at}"),
            };
            for (at, item) in lane.items.iter().enumerate() {
                let label = format!("{}\\n{}", item.word, quoted(&item.key.to_string()));
                let _ = writeln!(text, "    {} [label=\"{label}\"];", name(at, item));
            }
            text.push_str("  }\n");
            let now: Vec<String> = lane.items.iter().enumerate().map(|(at, item)| name(at, item)).collect();
            if lane.follows && !before.is_empty() && !now.is_empty() {
                // All of this lane waits for all of the one before: for programs, too.
                let _ = writeln!(text, "  w{number} [shape=point, label=\"\"];");
                for from in &before {
                    let _ = writeln!(text, "  {from} -> w{number} [style=bold, arrowhead=none];");
                }
                for to in &now {
                    let _ = writeln!(text, "  w{number} -> {to} [style=bold];");
                }
            }
            before = now;
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
    pub fn svg(&self, outlook: Option<&Outlook>, aside: &Aside) -> String {
        let lanes = self.lanes(outlook, aside);
        let titles = lanes.iter().flat_map(|lane| [lane.title.as_str(), lane.remark]);
        let longest = titles.map(|title| title.chars().count()).max().unwrap_or(0);
        let left = 2 * MARGIN + longest * LETTER;
        // Lines are below the boxes: none goes through a text.
        let (mut lines, mut boxes) = (String::new(), String::new());
        let mut places: BTreeMap<NodeIndex, (usize, (usize, usize))> = BTreeMap::new();
        let (said, height) = draw_headline(&mut boxes, outlook);
        let (mut top, mut widest) = (MARGIN + height, 1);
        for (number, lane) in lanes.iter().enumerate() {
            let rows = lane.items.len().div_ceil(PER_ROW).max(1);
            if lane.follows {
                let x = left + BOX.0 / 2;
                let _ = writeln!(
                    lines,
                    r#"<line class="wave" x1="{x}" y1="{}" x2="{x}" y2="{top}" marker-end="url(#arrow)"/>"#,
                    top - GAP.1
                );
            }
            draw_title(&mut boxes, lane, top);
            for (at, item) in lane.items.iter().enumerate() {
                let column = at % PER_ROW;
                let place = (left + column * (BOX.0 + GAP.0), top + (at / PER_ROW) * (BOX.1 + GAP.0));
                widest = widest.max(column + 1);
                places.extend(item.node.map(|node| (node, (number, place))));
                draw_item(&mut boxes, item, place);
            }
            top += rows * BOX.1 + (rows - 1) * GAP.0 + GAP.1;
        }
        for (before, node, why) in self.own_edges() {
            if let (Some(&(of, from)), Some(&(lane, to))) = (places.get(&before), places.get(&node))
                // A namespace has a line to everything in it: where the lanes say so already, it would hide the others.
                && (why != Dependency::Namespace || of == lane)
            {
                draw_edge(&mut lines, from, to, why);
            }
        }
        let width = (left + widest * (BOX.0 + GAP.0) + MARGIN).max(said);
        format!("{}{lines}{boxes}</svg>\n", head(width, top))
    }
}

/// What a task waits for by itself: from below it; within a row, around what is between them.
fn draw_edge(lines: &mut String, from: (usize, usize), to: (usize, usize), why: Dependency) {
    let middle = BOX.0 / 2;
    let (x1, y1, x2) = (from.0 + middle, from.1 + BOX.1, to.0 + middle);
    let (path, y2) = match from.1 == to.1 {
        true => (format!("C{x1} {0} {x2} {0} ", y1 + GAP.0), y1),
        false => ("L".to_owned(), to.1),
    };
    let _ = writeln!(
        lines,
        r#"<path class="own" d="M{x1} {y1} {path}{x2} {y2}" marker-end="url(#arrow)"><title>{why:?}</title></path>"#
    );
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

fn draw_title(body: &mut String, lane: &Lane<'_>, top: usize) {
    let middle = top + BOX.1 / 2;
    let y = if lane.remark.is_empty() { middle + 5 } else { middle - 3 };
    let _ = writeln!(
        body,
        r#"<text class="lane" x="{MARGIN}" y="{y}">{}</text>"#,
        escaped(&lane.title)
    );
    if !lane.remark.is_empty() {
        let _ = writeln!(body, r#"<text x="{MARGIN}" y="{}">{}</text>"#, middle + 13, lane.remark);
    }
}

fn draw_item(body: &mut String, item: &Item<'_>, (x, y): (usize, usize)) {
    let key = item.key.to_string();
    let shown: String = match key.chars().count() {
        ..=SHOWN => key.clone(),
        _ => key.chars().take(SHOWN - 1).chain(std::iter::once('…')).collect(),
    };
    let location = item.location.map(|place| format!(" ({place})")).unwrap_or_default();
    let why = match item.why {
        "" => String::new(),
        why => format!(": {why}"),
    };
    let _ = writeln!(
        body,
        r#"<g class="{}"><title>{}</title><rect x="{x}" y="{y}" width="{}" height="{}" rx="4"/><text x="{}" y="{}">{}</text><text class="key" x="{}" y="{}">{}</text></g>"#,
        item.class,
        escaped(&format!("{key}{location}{why}")),
        BOX.0,
        BOX.1,
        x + 8,
        y + 16,
        escaped(&item.word),
        x + 8,
        y + 32,
        escaped(&shown)
    );
}

fn head(width: usize, height: usize) -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">
<style>rect{{fill:#fff;stroke:#345}}.hook rect{{fill:#eef4ff}}.prune rect{{fill:#fff0ee;stroke:#a33}}.same rect{{stroke:#ccc}}.same text{{fill:#888}}.lane,.headline{{font-weight:bold}}.headline{{fill:#a33}}.key{{font-family:monospace}}line,path{{stroke:#888}}.own{{fill:none}}.own{{stroke-dasharray:4}}</style>
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
mod tests;
