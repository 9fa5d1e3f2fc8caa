//! The sources: each has commits and a branch of its own. What the Application declares is one commit of each; of all such tuples each is a
//! commit here, so that whoever asks what is declared need not know how many sources there are.
//!
//! Hosts of Git repositories are many machines: with several sources, one may say now and then what its branch was before, and not have
//! yet what another of them said a moment ago.

use capstan_engine::Event;
use capstan_engine::effect::RenderTask;
use capstan_engine::event::{ResolvedRevision, SourceFailure};
use capstan_engine::targets::Targets;
use capstan_model::ApplicationSource;
use serde_json::{Value, json};

use super::World;
use super::serve::targets;
use crate::generate::{Case, Item, identity, manifests};
use crate::history::Fact;

/// One source after the first.
#[derive(Clone, Debug)]
pub(super) struct Further {
    ids: Vec<String>,
    head: usize,
    works: bool,
}

/// The n-th commit of a source: 40 digits that differ in the first ones.
pub(super) fn commit_id(source: usize, n: usize) -> String {
    let digit = ["c", "d", "e", "f"][source % 4];
    format!("{n:05}{}", digit.repeat(35))
}

/// The URL of a source: what `source` and `sources` of the Application say.
pub(super) fn repository(source: usize) -> String {
    match source {
        0 => "https://example.com/infra.git".into(),
        n => format!("https://example.com/infra-{n}.git"),
    }
}

fn source_of(url: &str) -> usize {
    let number = url.trim_end_matches(".git").rsplit_once("infra-");
    number.and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
}

/// A tuple of commits, as one.
pub(crate) fn joined<'i>(ids: impl IntoIterator<Item = &'i str>) -> String {
    ids.into_iter().collect::<Vec<_>>().join("+")
}

fn histories(case: &Case) -> impl Iterator<Item = &Vec<Option<Vec<Item>>>> {
    std::iter::once(&case.revisions).chain(&case.further)
}

/// Every tuple of commits, the first source's changing first: what they declare together.
pub(super) fn commits(case: &Case) -> Vec<(String, Option<Vec<Value>>)> {
    let mut all = vec![(Vec::<String>::new(), Some(Vec::new()))];
    for (source, history) in histories(case).enumerate() {
        let mut longer = Vec::new();
        for (n, items) in history.iter().enumerate() {
            let more = items.as_deref().map(manifests);
            for (ids, objects) in &all {
                let ids = [ids.clone(), vec![commit_id(source, n + 1)]].concat();
                let objects = objects.clone().zip(more.clone());
                longer.push((ids, objects.and_then(|(objects, more)| together(objects, more))));
            }
        }
        all = longer;
    }
    let joined = |(ids, objects): (Vec<String>, _)| (joined(ids.iter().map(String::as_str)), objects);
    all.into_iter().map(joined).collect()
}

/// What two sources declare. What both declare alike counts once; what they declare differently is no render.
fn together(mut objects: Vec<Value>, more: Vec<Value>) -> Option<Vec<Value>> {
    for object in more {
        match objects.iter().find(|other| identity(other) == identity(&object)) {
            Some(other) if *other == object => {}
            Some(_) => return None,
            None => objects.push(object),
        }
    }
    Some(objects)
}

pub(super) fn further(case: &Case) -> Vec<Further> {
    let branch = |(n, history): (usize, &Vec<Option<Vec<Item>>>)| Further {
        ids: (0..history.len()).map(|commit| commit_id(n + 1, commit + 1)).collect(),
        head: 0,
        works: true,
    };
    case.further.iter().enumerate().map(branch).collect()
}

impl World {
    pub(super) fn has_one_source(&self) -> bool {
        self.further.is_empty()
    }

    pub(super) fn can_be_rendered(&self, revisions: &[ResolvedRevision]) -> bool {
        let wanted = joined(revisions.iter().map(|commit| commit.revision.as_str()));
        let mut commits = self.commits.iter();
        commits.any(|(id, objects)| *id == wanted && objects.is_some())
    }

    /// The commit that the branches are at together, by its number.
    pub(super) fn whole(&self) -> usize {
        let (mut at, mut size) = (self.head, self.case.revisions.len());
        for branch in &self.further {
            at += branch.head * size;
            size *= branch.ids.len();
        }
        at
    }

    fn heads(&self) -> Vec<String> {
        let first = commit_id(0, self.head + 1);
        let others = self.further.iter().map(|branch| branch.ids[branch.head].clone());
        std::iter::once(first).chain(others).collect()
    }

    /// Names the n-th commit of the first source in a sync, with the others as they are.
    pub(super) fn name_revision(&self, sync: &mut Value, n: usize) {
        let mut heads = self.heads();
        heads[0] = commit_id(0, n % self.case.revisions.len() + 1);
        match heads.len() {
            1 => sync["revision"] = json!(heads[0]),
            _ => sync["revisions"] = json!(heads),
        }
    }

    fn nth_source(&self, n: u8) -> Option<usize> {
        let count = self.further.len();
        (count > 0).then(|| usize::from(n) % count)
    }

    /// The branch of a further source moves on.
    pub(super) fn push_of(&mut self, n: u8) {
        if let Some(source) = self.nth_source(n) {
            let branch = &self.further[source];
            self.move_source(source, (branch.head + 1).min(branch.ids.len() - 1));
        }
    }

    pub(super) fn revert_of(&mut self, n: u8, to: u8) {
        if let Some(source) = self.nth_source(n) {
            let length = self.further[source].ids.len();
            self.move_source(source, usize::from(to) % length);
        }
    }

    fn move_source(&mut self, source: usize, head: usize) {
        self.further[source].head = head;
        let head = self.whole();
        self.store.note(Fact::Moved { head });
        self.source_changed(source + 1);
    }

    /// A further source can be read, or not, while the others can.
    pub(super) fn make_source_work(&mut self, n: u8, works: bool) {
        if let Some(source) = self.nth_source(n) {
            self.further[source].works = works;
            self.source_changed(source + 1);
        }
    }

    pub(super) fn mend_sources(&mut self) {
        for source in 0..self.further.len() {
            if !std::mem::replace(&mut self.further[source].works, true) {
                self.source_changed(source + 1);
            }
        }
    }

    /// The first source changed.
    pub(super) fn changed(&mut self) {
        self.source_changed(0);
    }

    fn source_changed(&mut self, source: usize) {
        let url = repository(source);
        self.handle(Event::SourceChanged {
            repo_url: url.trim_end_matches(".git").to_owned(),
        });
    }

    fn can_read(&self, source: usize) -> bool {
        self.source_works && source.checked_sub(1).is_none_or(|further| self.further[further].works)
    }

    /// With several sources, a machine of one of their hosts is behind now and then.
    fn is_behind(&mut self) -> bool {
        if self.further.is_empty() || self.is_quiet || self.faults_left == 0 || self.choose(8) != 1 {
            return false;
        }
        self.faults_left -= 1;
        true
    }

    pub(super) fn resolve(&mut self, sources: &[ApplicationSource]) -> Result<Vec<ResolvedRevision>, SourceFailure> {
        let mut resolved = Vec::new();
        for source in sources {
            let number = source_of(&source.repo_url);
            if !self.can_read(number) {
                return Err(unreachable_source());
            }
            let behind = usize::from(self.is_behind());
            let revision = match number {
                _ if self.further.is_empty() => self.commits[self.named(source)?].0.clone(),
                _ if source.target_revision.len() == 40 => source.target_revision.clone(),
                0 => commit_id(0, self.head.saturating_sub(behind) + 1),
                n => {
                    let branch = &self.further[n - 1];
                    branch.ids[branch.head.saturating_sub(behind)].clone()
                }
            };
            if behind > 0 {
                self.store.note(Fact::Lagged);
            }
            resolved.push(ResolvedRevision {
                revision,
                author: "Ada <ada@example.com>".into(),
                subject: "change".into(),
                time: None,
            });
        }
        Ok(resolved)
    }

    pub(super) fn render(&mut self, task: &RenderTask) -> Result<Targets, SourceFailure> {
        if !(0..task.sources.len()).all(|source| self.can_read(source)) {
            return Err(unreachable_source());
        }
        let wanted = joined(task.sources.iter().map(|(_, revision)| revision.as_str()));
        if self.is_behind() {
            self.store.note(Fact::Lagged);
            return Err(SourceFailure {
                message: format!("commit {wanted} is not there"),
                transient: true,
            });
        }
        let found = self.commits.iter().position(|(id, _)| *id == wanted);
        let broken = |message: String| SourceFailure {
            message,
            transient: false,
        };
        let Some(found) = found.filter(|found| self.is_there(*found)) else {
            return Err(broken(format!("the repository has no commit {wanted}")));
        };
        let Some(objects) = &self.commits[found].1 else {
            return Err(broken("shop/all.yaml:3: a template that cannot be rendered".into()));
        };
        targets(objects, &task.context).map_err(broken)
    }
}

pub(super) fn unreachable_source() -> SourceFailure {
    SourceFailure {
        message: "the repository does not answer".into(),
        transient: true,
    }
}
