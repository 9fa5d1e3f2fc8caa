//! Every task before any of them: is its kind served, may the project do it? One that may not keeps the whole sync from beginning.

use std::collections::BTreeSet;

use capstan_model::{AppProject, ApplicationDestination, GroupKind, Identity, SyncOptions, SyncPhase};
use petgraph::stable_graph::NodeIndex;

use super::{Plan, SyncTask, TaskAction, defined_kind};
use crate::event::KindLookup;
use crate::policy::{Verb, authorize};
use crate::targets::Targets;

/// What the tasks of a plan are held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validation<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) targets: &'a Targets,
    /// Of the application and the operation.
    pub(crate) options: &'a SyncOptions,
    pub(crate) project: &'a AppProject,
    /// As whom they are done.
    pub(crate) identity: &'a Identity,
    pub(crate) destination: &'a ApplicationDestination,
}

/// A task that cannot be done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvalidTask {
    pub(crate) node: NodeIndex,
    pub(crate) why: String,
}

/// It is not known whether a kind is served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not known whether the cluster serves {0}: discovery of its group failed")]
pub(crate) struct UndiscoveredKind(pub(crate) GroupKind);

impl Validation<'_> {
    /// The tasks that cannot be done. `kind` says what the cluster serves, `counts` which tasks are looked at.
    pub(crate) fn invalid<'k>(
        &self,
        kind: impl Fn(&GroupKind) -> KindLookup<'k>,
        counts: impl Fn(&SyncTask) -> bool,
    ) -> Result<Vec<InvalidTask>, UndiscoveredKind> {
        let (defined, on_failure) = (self.defined(false), self.defined(true));
        let mut invalid = Vec::new();
        for (node, task) in self.plan.tasks().filter(|(_, task)| counts(task)) {
            let kind_of_task = task.key.group_kind();
            let is_late = task.phase == SyncPhase::SyncFail && on_failure.contains(&kind_of_task);
            let may_come = is_late || defined.contains(&kind_of_task) || self.may_come_later(task);
            let served = served(&kind(&task.key.group_kind()), task, may_come)?;
            if let Err(why) = served.and_then(|()| self.permitted(task)) {
                invalid.push(InvalidTask { node, why });
            }
        }
        Ok(invalid)
    }

    /// Kinds that the sync itself brings; or brings when it fails.
    fn defined(&self, on_failure: bool) -> BTreeSet<GroupKind> {
        let tasks = self.plan.tasks();
        let tasks = tasks.filter(|(_, task)| (task.phase == SyncPhase::SyncFail) == on_failure);
        let targets = tasks.filter_map(|(_, task)| self.targets.objects().get(task.target?));
        targets.filter_map(defined_kind).collect()
    }

    /// `SkipDryRunOnMissingResource`: somebody else may bring the definition, and it is waited for.
    fn may_come_later(&self, task: &SyncTask) -> bool {
        let target = task.target.and_then(|index| self.targets.objects().get(index));
        let own = target.and_then(|target| target.meta.sync_options.skip_dry_run_on_missing_resource);
        own.or(self.options.skip_dry_run_on_missing_resource) == Some(true)
    }

    fn permitted(&self, task: &SyncTask) -> Result<(), String> {
        let verb = match task.action {
            TaskAction::Prune => Verb::Delete,
            _ => Verb::Apply,
        };
        let permitted = authorize(self.project, self.identity, self.destination, &task.key, verb).map(drop);
        permitted.map_err(|refusal| format!("{}{refusal}", place(task)))
    }
}

/// Each reason once, in order.
pub(crate) fn reasons(invalid: &[InvalidTask]) -> String {
    let reasons: BTreeSet<&str> = invalid.iter().map(|task| task.why.as_str()).collect();
    reasons.into_iter().collect::<Vec<_>>().join("; ")
}

/// Is its kind served, or may it come yet?
fn served(kind: &KindLookup<'_>, task: &SyncTask, may_come: bool) -> Result<Result<(), String>, UndiscoveredKind> {
    Ok(match kind {
        KindLookup::Unknown => return Err(UndiscoveredKind(task.key.group_kind())),
        KindLookup::Served(served)
            if served.versions.contains(&task.gvk.version) || served.version == task.gvk.version =>
        {
            Ok(())
        }
        KindLookup::Served(_) | KindLookup::NotServed if may_come => Ok(()),
        KindLookup::Served(_) | KindLookup::NotServed => Err(no_matches(task)),
    })
}

fn place(task: &SyncTask) -> String {
    let location = task.location.as_ref();
    location.map(|location| format!("{location}: ")).unwrap_or_default()
}

fn no_matches(task: &SyncTask) -> String {
    format!(
        "{}no matches for kind {:?} in version {:?} ({}): install its CustomResourceDefinition first, or correct apiVersion and kind",
        place(task),
        task.gvk.kind,
        task.gvk.api_version(),
        task.key
    )
}
