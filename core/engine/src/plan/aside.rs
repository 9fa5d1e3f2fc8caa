//! What a plan shows beside the sync: what a deletion of the application would do, what nothing ever applies, and what is odd.
//!
//! **Problem.** Hooks of the deletion, objects that are skipped, and hooks of a type that nobody knows are no tasks of a sync. Left out
//! without a word, a misspelt hook looks like one that runs.
//!
//! **Deliberately absent.** What guards will hold of a deletion, and what is left of hooks and goes along: both depend on what is live by then.

use std::cmp::Reverse;

use capstan_model::{
    Application, DeleteOption, HookType, RESOURCES_FINALIZER, ResourceKey, SourceLocation, SyncOptions,
};
use serde::Serialize;

use super::build::is_definition;
use super::declared::never;
use super::order::rank;
use crate::guard::is_looked_into;
use crate::policy::odd_options;
use crate::targets::{Target, Targets};

/// What a plan shows beside the sync.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aside {
    deletion: Vec<Going>,
    never: Vec<NeverApplied>,
    warnings: Vec<String>,
}

/// Part of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum DeletionPhase {
    /// Hooks before.
    PreDelete,
    /// The objects go.
    Delete,
    /// Hooks after.
    PostDelete,
}

/// What a deletion does with one object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Going {
    pub(super) phase: DeletionPhase,
    pub(super) wave: i64,
    pub(super) key: ResourceKey,
    pub(super) location: SourceLocation,
    /// Why it stays, or what it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
    /// It is not deleted.
    pub(super) stays: bool,
}

/// An object that is declared, and that neither a sync nor a deletion ever writes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NeverApplied {
    pub(super) key: ResourceKey,
    pub(super) location: SourceLocation,
    pub(super) why: String,
}

impl Aside {
    /// Of what is declared. `application` where there is one: it says whether its objects go with it.
    pub fn new(targets: &Targets, options: &SyncOptions, application: Option<&Application>) -> Self {
        let mut aside = Self {
            warnings: targets.warnings().to_vec(),
            ..Self::default()
        };
        aside.warnings.extend(application.map(odd_options).unwrap_or_default());
        for target in targets.objects() {
            let goings = goings(target, options, application);
            let is_of_deletion = !goings.is_empty();
            aside.deletion.extend(goings);
            if let Some(why) = never(target).filter(|_| !is_of_deletion) {
                aside.never.push(NeverApplied {
                    key: key_of(target),
                    location: target.location.clone(),
                    why: why.to_owned(),
                });
            }
        }
        aside.deletion.sort_by_cached_key(|going| {
            let holds = is_looked_into(&going.key, false);
            let (up, down) = match going.phase {
                DeletionPhase::Delete => (0, Reverse(going.wave)),
                _ => (going.wave, Reverse(0)),
            };
            (going.phase, up, down, holds, rank(&going.key.kind), going.key.clone())
        });
        aside
    }

    /// What a deletion of the application does, in order.
    pub fn deletion(&self) -> &[Going] {
        &self.deletion
    }

    /// What is declared and never applied.
    pub fn never_applied(&self) -> &[NeverApplied] {
        &self.never
    }

    /// Words of annotations and options that were not understood, and whatever else was odd: the controller's condition `ManifestWarning`.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Does a deletion run anything? Where it only takes the objects away, it is the sync's waves the other way round.
    pub(super) fn has_deletion_hooks(&self) -> bool {
        self.deletion.iter().any(|going| going.phase != DeletionPhase::Delete)
    }
}

/// What a deletion does with a declared object.
fn goings(target: &Target, options: &SyncOptions, application: Option<&Application>) -> Vec<Going> {
    let going = |phase, (why, stays): (Option<String>, bool)| Going {
        phase,
        wave: target.meta.wave,
        key: key_of(target),
        location: target.location.clone(),
        why,
        stays,
    };
    if target.meta.is_resource() {
        return vec![going(DeletionPhase::Delete, fate(target, options, application))];
    }
    let phase = |hook: &HookType| match hook {
        HookType::PreDelete => Some(DeletionPhase::PreDelete),
        HookType::PostDelete => Some(DeletionPhase::PostDelete),
        _ => None,
    };
    let phases = target.meta.hooks.iter().filter_map(phase);
    phases.map(|phase| going(phase, (None, false))).collect()
}

/// What becomes of an object when its application goes: why, and does it stay?
fn fate(target: &Target, options: &SyncOptions, application: Option<&Application>) -> (Option<String>, bool) {
    let is_left = application.is_some_and(|application| !application.cascades());
    let word = target.meta.sync_options.delete.or(options.delete);
    let stays = |why: &str| (Some(why.to_owned()), true);
    if is_definition(&target.key) {
        stays("definitions of kinds stay")
    } else if is_left {
        stays(&format!("the Application has no finalizer {RESOURCES_FINALIZER}"))
    } else {
        match word {
            Some(DeleteOption::Never) => stays("Delete=false"),
            Some(DeleteOption::Confirm) => (Some("Delete=confirm: once a person has approved".into()), false),
            _ => (None, false),
        }
    }
}

/// The object's key; of one without a name what its name begins with.
fn key_of(target: &Target) -> ResourceKey {
    let mut key = target.key.clone();
    if let Some(prefix) = &target.generate_name {
        key.name = format!("{prefix}…");
    }
    key
}
