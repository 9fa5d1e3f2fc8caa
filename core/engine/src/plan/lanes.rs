//! A plan in lanes, as text and pictures show it: what runs beside each other, in the order in which it runs; then, each apart, what runs only
//! if the sync fails, what a deletion does, and what is never applied.

use capstan_model::{ResourceKey, SourceLocation, SyncPhase};
use petgraph::stable_graph::NodeIndex;

use super::aside::{DeletionPhase, Going, NeverApplied};
use super::{Aside, Change, ChangeKind, Outlook, Plan, SyncTask, TaskAction};

/// What runs beside each other.
pub(super) struct Lane<'p> {
    pub(super) title: String,
    /// When, if not in every sync.
    pub(super) remark: &'static str,
    /// It comes after the lane before.
    pub(super) follows: bool,
    pub(super) items: Vec<Item<'p>>,
}

/// One object in it.
pub(super) struct Item<'p> {
    /// Of a task.
    pub(super) node: Option<NodeIndex>,
    /// What is done with it.
    pub(super) word: String,
    pub(super) key: &'p ResourceKey,
    pub(super) location: Option<&'p SourceLocation>,
    /// What becomes of it, where that is known.
    pub(super) change: Option<&'p Change>,
    /// Why.
    pub(super) why: &'p str,
    /// How a picture shows it.
    pub(super) class: &'static str,
}

impl Plan {
    pub(super) fn lanes<'p>(&'p self, outlook: Option<&'p Outlook>, aside: &'p Aside) -> Vec<Lane<'p>> {
        let mut lanes = Lanes::default();
        for (node, task) in self.tasks() {
            let change = outlook.and_then(|outlook| outlook.change(node));
            lanes.add(place(task), Item::of_task(node, task, change));
        }
        if aside.has_deletion_hooks() {
            for going in aside.deletion() {
                let title = match going.phase {
                    DeletionPhase::Delete => format!("objects of wave {}", going.wave),
                    phase => format!("{phase:?} wave {}", going.wave),
                };
                lanes.add((title, "only if the application is deleted"), Item::of_deletion(going));
            }
        }
        for never in aside.never_applied() {
            lanes.add(("never applied".into(), ""), Item::of_never(never));
        }
        lanes.all
    }
}

/// Title of the lane of a task, and when it runs.
fn place(task: &SyncTask) -> (String, &'static str) {
    match (task.phase, task.action) {
        // Whatever their waves are: all at once.
        (SyncPhase::SyncFail, _) => ("SyncFail".into(), "only if the sync fails"),
        (phase, TaskAction::Prune) => (format!("{phase} wave {}, prune", task.wave), ""),
        (phase, _) => (format!("{phase} wave {}", task.wave), ""),
    }
}

#[derive(Default)]
struct Lanes<'p> {
    all: Vec<Lane<'p>>,
}

impl<'p> Lanes<'p> {
    fn add(&mut self, (title, remark): (String, &'static str), item: Item<'p>) {
        match self.all.last_mut() {
            Some(lane) if (&lane.title, lane.remark) == (&title, remark) => lane.items.push(item),
            last => {
                let follows = last.is_some_and(|last| last.remark == remark) && item.class != NEVER;
                self.all.push(Lane {
                    title,
                    remark,
                    follows,
                    items: vec![item],
                });
            }
        }
    }
}

/// How a picture shows what is never applied.
const NEVER: &str = "same never";

impl<'p> Item<'p> {
    fn of_task(node: NodeIndex, task: &'p SyncTask, change: Option<&'p Change>) -> Self {
        let class = match (task.action, change.map(|change| change.kind)) {
            (_, Some(ChangeKind::Unchanged | ChangeKind::Keep | ChangeKind::Withhold)) => "same",
            (_, Some(ChangeKind::Fail)) | (TaskAction::Prune, _) => "prune",
            (TaskAction::Hook(_), _) => "hook",
            _ => "apply",
        };
        Self {
            node: Some(node),
            word: titled(task, change),
            key: &task.key,
            location: task.location.as_ref(),
            change,
            why: change.map_or("", |change| &change.why),
            class,
        }
    }

    fn of_deletion(going: &'p Going) -> Self {
        let (word, class) = match (going.phase, going.stays) {
            (DeletionPhase::Delete, true) => ("keep".to_owned(), "same"),
            (DeletionPhase::Delete, false) => ("delete".to_owned(), "prune"),
            (phase, _) => (format!("{phase:?} hook"), "hook"),
        };
        Self {
            node: None,
            word,
            key: &going.key,
            location: Some(&going.location),
            change: None,
            why: going.why.as_deref().unwrap_or_default(),
            class,
        }
    }

    fn of_never(never: &'p NeverApplied) -> Self {
        Self {
            node: None,
            word: "nothing".into(),
            key: &never.key,
            location: Some(&never.location),
            change: None,
            why: &never.why,
            class: NEVER,
        }
    }
}

impl Lane<'_> {
    /// On one line.
    pub(super) fn headline(&self) -> String {
        match self.remark {
            "" => self.title.clone(),
            remark => format!("{}, {remark}", self.title),
        }
    }
}

/// What a task does: in the words of what becomes of its object, where that is known.
fn titled(task: &SyncTask, change: Option<&Change>) -> String {
    match (change, task.action) {
        (None, action) => action.to_string(),
        (Some(change), TaskAction::Hook(_)) => format!("{} {}", change.kind, task.action),
        (Some(change), _) => change.kind.to_string(),
    }
}
