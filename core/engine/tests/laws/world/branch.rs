//! The repository: which commit follows which, where the branch is, and what cannot be found for a while.
//!
//! Of an Application with several sources each branch only grows or goes back ([`super::sources`]).

use std::collections::BTreeSet;

use capstan_engine::event::{Descent, SourceFailure};
use capstan_model::ApplicationSource;

use super::World;
use super::sources::commit_id;
use crate::generate::manifests;
use crate::history::{Fact, follows};

/// What the repository knows beside the commits themselves.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    /// The commit before each.
    pub(super) parents: Vec<Option<usize>>,
    /// Which of the case's revisions each commit holds.
    contents: Vec<usize>,
    is_gone: bool,
    /// Commits that cannot be found, with their tags.
    forgotten: BTreeSet<usize>,
}

impl Branch {
    /// A line of so many commits.
    pub(super) fn new(count: usize) -> Self {
        Self {
            parents: (0..count).map(|n| n.checked_sub(1)).collect(),
            contents: (0..count).collect(),
            is_gone: false,
            forgotten: BTreeSet::new(),
        }
    }
}

impl World {
    /// What the branch holds, as one of the case's revisions.
    pub(super) fn content(&self) -> usize {
        self.branch.contents[self.head]
    }

    /// The next revision, on top of what is there.
    pub(super) fn push(&mut self) {
        let next = (self.content() + 1).min(self.case.revisions.len() - 1);
        match self.has_one_source() {
            true if next == self.content() => self.move_to(self.head),
            true => self.commit_on(Some(self.head), next),
            false => self.move_to(next),
        }
    }

    /// What an earlier revision held, on top of what is there.
    pub(super) fn revert(&mut self, to: usize) {
        let to = to % self.case.revisions.len();
        match self.has_one_source() {
            true => self.commit_on(Some(self.head), to),
            false => self.move_to(to),
        }
    }

    /// A force push: back to an earlier commit, or to one beside the newest.
    pub(super) fn rewrite(&mut self, to: usize, anew: bool) {
        let to = to % self.case.revisions.len();
        match anew {
            true => self.commit_on(self.branch.parents[self.head], to),
            false => self.move_to(to),
        }
    }

    fn commit_on(&mut self, parent: Option<usize>, content: usize) {
        let found = (0..self.commits.len()).find(|n| {
            let is_so = self.branch.parents[*n] == parent && self.branch.contents[*n] == content;
            is_so && !self.branch.forgotten.contains(n)
        });
        let at = found.filter(|at| *at != self.head).unwrap_or_else(|| {
            let objects = self.case.revisions[content].as_deref().map(manifests);
            self.commits.push((commit_id(0, self.commits.len() + 1), objects));
            self.branch.parents.push(parent);
            self.branch.contents.push(content);
            self.commits.len() - 1
        });
        self.move_to(at);
    }

    pub(super) fn lose_branch(&mut self, is_gone: bool) {
        if self.branch.is_gone != is_gone {
            self.branch.is_gone = is_gone;
            self.store.note(Fact::BranchGone(is_gone));
            self.changed();
        }
    }

    /// A commit, and its tag, cannot be found any more.
    pub(super) fn forget(&mut self, n: usize) {
        let n = n % self.case.revisions.len();
        self.store.note(Fact::Forgotten { commit: n });
        self.branch.forgotten.insert(n);
        self.changed();
    }

    /// Everything is there again.
    pub(super) fn recall(&mut self) {
        self.branch.forgotten.clear();
        self.lose_branch(false);
        self.changed();
    }

    /// The commit that a source's revision names.
    pub(super) fn named(&self, source: &ApplicationSource) -> Result<usize, SourceFailure> {
        let wanted = source.target_revision.as_str();
        let tag = wanted.strip_prefix('v').and_then(|n| n.parse::<usize>().ok());
        let found = match tag {
            _ if wanted == "main" => (!self.branch.is_gone).then_some(self.head),
            Some(tag) => Some(tag),
            None => self.commits.iter().position(|(id, _)| id == wanted),
        };
        let found = found.filter(|n| wanted == "main" || self.is_there(*n));
        found.ok_or_else(|| SourceFailure {
            message: format!("the repository has no revision {wanted:?}"),
            transient: false,
        })
    }

    pub(super) fn is_there(&self, commit: usize) -> bool {
        !self.branch.forgotten.contains(&commit)
    }

    /// Does one commit follow the other? As the repository has it.
    pub(super) fn descent(&self, (source, from, to): &(ApplicationSource, String, String)) -> Descent {
        let position = |id: &String| self.commits.iter().position(|(other, _)| other == id);
        match (position(from), position(to)) {
            _ if !self.has_one_source() => Descent::Follows,
            _ if source.target_revision != "main" => Descent::NotABranch,
            (Some(from), Some(_)) if !self.is_there(from) => {
                Descent::Unknown(format!("{} is not in the repository any more", self.commits[from].0))
            }
            (Some(from), Some(to)) if follows(&self.branch.parents, from, to) => Descent::Follows,
            (Some(_), Some(_)) => Descent::Diverged,
            _ => panic!("{from} and {to} are no commits of this world"),
        }
    }
}
