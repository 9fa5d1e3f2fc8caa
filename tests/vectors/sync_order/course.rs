//! How far each task of a played case came, and what stood in its way: a difference between two ends is explained by an object that the
//! case gives trouble and that comes before what differs.
//!
//! The trouble is read from the case alone (what is declared, what is live, how the cluster behaves), the way from what was asked of
//! the cluster. Of the engine only the places of tasks and which of them had begun are taken.

use std::collections::BTreeSet;

use capstan_engine::view::TaskView;
use capstan_model::SyncPhase;
use serde_json::Value;

use super::case::{Case, Row, key_of};
use super::end::Way;
use super::replay::Played;
use super::setup::key_text;
use super::trouble::{Trouble, has, says, troubles};

/// Where a task stands: phase, writes before prunes, wave in the order in which waves run, tier of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) phase: SyncPhase,
    is_prune: bool,
    turn: i64,
    tier: usize,
}

/// One task of ours, as far as it came.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) key: String,
    pub(crate) place: Place,
    wave: i64,
    state: String,
    message: String,
}

impl Step {
    /// Nothing was asked for it.
    pub(crate) fn is_not_begun(&self) -> bool {
        self.state == "Blocked"
    }

    /// What comes after it has to wait, or does not come at all.
    pub(crate) fn is_obstacle(&self) -> bool {
        let is_settled = ["Synced", "Succeeded", "Pruned", "PruneSkipped"].contains(&self.state.as_str());
        !is_settled && !self.is_not_begun()
    }

    pub(crate) fn is_failed(&self) -> bool {
        is_failure(&self.state)
    }

    /// Is this trouble what it stands still for?
    fn shows(&self, trouble: Trouble) -> bool {
        let states: &[&str] = match trouble {
            Trouble::WriteFails
            | Trouble::DeleteFails
            | Trouble::ReleaseFails
            | Trouble::Denied
            | Trouble::DryRunFails => &[],
            Trouble::Unhealthy => &["AwaitingHealth", "Running"],
            Trouble::Lingers => &["Finalizing", "DeletingPrevious", "Deleting", "Recreating"],
            Trouble::Earlier => &["DeletingPrevious", "Releasing"],
            Trouble::Taken => &[
                "AwaitingHealth",
                "Running",
                "BackingOff",
                "DeletingPrevious",
                "Finalizing",
            ],
            Trouble::Homeless => &["BackingOff"],
            Trouble::Confirmed => return self.state == "AwaitingConfirmation",
        };
        self.is_failed() || states.contains(&self.state.as_str())
    }
}

/// Is it by this trouble that Argo CD's engine did not go on after a request?
fn shows_in(row: &Row, trouble: Trouble) -> bool {
    match trouble {
        Trouble::WriteFails => row.has("fail") && row.is_real() && row.op != "delete",
        Trouble::DeleteFails => row.has("fail") && row.op == "delete",
        Trouble::ReleaseFails => row.has("fail") && row.op == "update",
        Trouble::DryRunFails => row.has("fail") && row.op.starts_with("dry-run-"),
        Trouble::Denied => false,
        Trouble::Lingers => row.op == "delete",
        Trouble::Confirmed | Trouble::Unhealthy | Trouble::Taken | Trouble::Earlier | Trouble::Homeless => true,
    }
}

fn is_failure(state: &str) -> bool {
    matches!(state, "SyncFailed" | "Failed" | "PruneFailed")
}

/// What was done in a played case.
#[derive(Debug)]
pub(crate) struct Course {
    /// Tasks in their places; none for the passes of `guards: argo`.
    pub(crate) steps: Vec<Step>,
    /// Every request, with its round.
    pub(crate) requests: Vec<(usize, Row)>,
    /// How many rounds it took.
    pub(crate) rounds: usize,
    /// What somebody else deleted, and what nobody brought back since.
    lost: BTreeSet<String>,
    /// Phase and wave that it looked at last; only known of `guards: argo`.
    pub(crate) at: Option<(SyncPhase, i64)>,
    phase: String,
    message: String,
}

impl Course {
    pub(crate) fn of(case: &Case, played: &Played) -> Self {
        let [last, ended] = &played.tasks;
        let steps = last.iter().map(|task| {
            let key = key_text(&task.key);
            // What was written and then waited for ends as `Synced`, too, so that a result counts only where it says more.
            let is_news = |end: &&TaskView| played.phase == "Succeeded" || is_failure(&end.state);
            let is_it = |end: &&TaskView| end.key == task.key && end.phase == task.phase;
            let end = ended.iter().find(is_it).filter(is_news);
            let is_last = task.prune && says(case, &key, "PruneLast=true");
            let turn = match task.prune {
                true if is_last => i64::MAX,
                true => task.wave.saturating_neg(),
                false => task.wave,
            };
            Step {
                place: Place {
                    phase: task.phase,
                    is_prune: task.prune,
                    turn,
                    tier: if task.prune { 0 } else { tier(&key) },
                },
                key,
                wave: task.wave,
                state: end.map_or(&task.state, |end| &end.state).clone(),
                message: end.map_or(&task.message, |end| &end.message).clone(),
            }
        });
        let rounds = played.rounds.iter().enumerate();
        let requests =
            rounds.flat_map(|(round, played)| played.ops.iter().flatten().map(move |row| (round + 1, row.clone())));
        Self {
            steps: steps.collect(),
            requests: requests.collect(),
            rounds: played.rounds.len(),
            lost: played
                .world
                .taken
                .difference(&played.world.settled())
                .cloned()
                .collect(),
            at: played.rounds.last().and_then(|round| {
                let (phase, wave, _) = round.waves.last()?;
                Some((phase_of(phase), *wave))
            }),
            phase: played.phase.clone(),
            message: played.message.clone(),
        }
    }

    /// Requests that changed something, or were to.
    pub(crate) fn real(&self) -> impl Iterator<Item = &(usize, Row)> {
        self.requests.iter().filter(|(_, row)| row.is_real())
    }

    /// Phase and wave that Argo CD's engine came to: what it stopped for is there.
    fn reach(&self) -> Option<(SyncPhase, i64)> {
        let is_step = |row: &&Row| !row.has("hook") && row.phase != "SyncFail" && row.op != "migrate";
        let rows = self.real().map(|(_, row)| row).filter(is_step);
        rows.map(|row| (phase_of(&row.phase), row.wave)).max()
    }

    /// As its message names what it waits for: without a namespace.
    fn waits_for(&self, key: &str) -> bool {
        let parts: Vec<&str> = key.split('/').collect();
        let [group, kind, _, name] = parts[..] else {
            return false;
        };
        let named = format!(" of {group}/{kind}/{name}");
        let mut rests = self.message.strip_prefix("waiting for ").into_iter();
        rests.any(|rest| rest.split(" and ").next().is_some_and(|first| first.ends_with(&named)))
    }

    pub(crate) fn is_running(&self) -> bool {
        self.phase == "Running"
    }

    /// It was refused as a whole.
    pub(crate) fn is_not_valid(&self) -> bool {
        self.message.contains("are not valid")
    }

    pub(crate) fn is_short(&self) -> bool {
        self.phase != "Succeeded"
    }
}

/// An object that ends otherwise, with what is known of both ways.
pub(crate) struct Difference<'a> {
    pub(crate) case: &'a Case,
    pub(crate) argo: &'a Course,
    pub(crate) ours: &'a Course,
    pub(crate) key: &'a str,
    pub(crate) way: Way,
}

impl Difference<'_> {
    /// The key of a task, or how the generated name of a hook begins.
    fn is_mine(&self, key: &str) -> bool {
        key == self.key || is_generated(self.case, self.key) && key.starts_with(self.key)
    }

    fn troubles(&self, key: &str, wanted: &[Trouble]) -> Vec<Trouble> {
        let mut all = troubles(self.case, key);
        all.retain(|trouble| wanted.contains(trouble));
        all
    }

    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.ours.steps.iter().filter(|step| self.is_mine(&step.key))
    }

    /// Ours asked the cluster for nothing at all.
    pub(crate) fn is_of_a_sync_not_begun(&self) -> bool {
        self.way.is_held() && self.ours.is_short() && self.ours.real().next().is_none()
    }

    /// Less was done than Argo CD does, and in ours something with one of these troubles stands before it, or it is that itself.
    pub(crate) fn is_held_by(&self, troubles: &[Trouble]) -> bool {
        let is_it = |step: &Step| {
            let mut its = self.troubles(&step.key, troubles).into_iter();
            step.is_obstacle() && its.any(|trouble| step.shows(trouble))
        };
        self.way.is_held() && self.is_behind(is_it)
    }

    /// It is one of these tasks, or has not begun and does not come before one of them.
    pub(crate) fn is_behind(&self, is_obstacle: impl Fn(&Step) -> bool) -> bool {
        let is_behind = |obstacle: &Step| {
            let mut mine = self.steps().filter(|step| step.is_not_begun());
            self.is_mine(&obstacle.key) || mine.any(|step| obstacle.place <= step.place)
        };
        self.ours.steps.iter().filter(|step| is_obstacle(step)).any(is_behind)
    }

    /// Ours did it, and Argo CD did not come to it: something with one of these troubles, which it had begun with or whose confirmation it
    /// waits for, comes before it.
    pub(crate) fn is_beyond_argo(&self, troubles: &[Trouble]) -> bool {
        let reach = self.argo.reach();
        let is_before = |(_, row): &(usize, Row)| {
            let place = (phase_of(&row.phase), row.wave);
            let mut its = self.troubles(&row.key, troubles).into_iter();
            (reach.is_none_or(|reach| reach <= place) || self.argo.waits_for(&row.key))
                && place <= self.argo_place()
                && its.any(|trouble| shows_in(row, trouble))
        };
        let is_waited_for = troubles.contains(&Trouble::Confirmed) && self.is_behind_a_confirmation();
        self.is_unreached_by_argo() && (is_waited_for || self.argo.requests.iter().any(is_before))
    }

    /// Argo CD waits for the confirmation of a prune in this wave, or in one before it.
    fn is_behind_a_confirmation(&self) -> bool {
        let mut live = self.case.live.iter().map(|live| key_of(&live.obj));
        let is_named = |key: &String| self.argo.waits_for(key) && has(self.case, key, &[Trouble::Confirmed]);
        let is_reached = self.argo.at.is_none_or(|at| at <= self.argo_place());
        live.any(|key| is_named(&key)) && is_reached
    }

    /// A hook that runs when a sync fails, which one of the two did: by something with one of these troubles.
    pub(crate) fn is_of_a_failure(&self, troubles: &[Trouble]) -> bool {
        let mut mine = self.steps();
        if !mine.any(|step| step.place.phase == SyncPhase::SyncFail) {
            return false;
        }
        let failed = || self.ours.steps.iter().filter(|step| step.is_failed());
        let mut begun = self.argo.requests.iter();
        match self.way {
            Way::Made => failed().any(|step| has(self.case, &step.key, troubles)),
            Way::NotMade => {
                let mut obstacles = self.ours.steps.iter().filter(|step| step.is_obstacle());
                let is_under_way = obstacles.any(|step| !step.is_failed());
                let is_failed = begun.any(|(_, row)| has(self.case, &row.key, troubles));
                self.argo.is_short() && is_failed && (failed().next().is_none() || is_under_way)
            }
            _ => false,
        }
    }

    /// An ordinary object that somebody else deleted is there after only one of the two: after the other nobody wrote it again. Ours may not
    /// have left it out: it had begun with it, or has not come to its end.
    pub(crate) fn is_lost_by_one(&self) -> bool {
        let is_it = |object: &Value| key_of(object) == self.key && crate::differences::phases(object) > 0;
        let is_hook = self.case.desired.iter().any(is_it);
        let [argo, ours] = [self.argo, self.ours].map(|course| course.lost.contains(self.key));
        let is_dealt_with = || self.ours.is_short() || self.steps().all(|step| !step.is_not_begun());
        !is_hook
            && match self.way {
                Way::Kept | Way::Made => argo && !ours,
                Way::Deleted | Way::NotMade => ours && !argo && is_dealt_with(),
                Way::Unchanged | Way::Changed => false,
            }
    }

    /// Ours did it; Argo CD did not end well, and had not done it.
    pub(crate) fn is_unreached_by_argo(&self) -> bool {
        let is_deleted = self.way == Way::Deleted;
        let is_it = |row: &Row| self.is_mine(&row.key) && (row.op == "delete") == is_deleted && !row.has("fail");
        let mut real = self.argo.real();
        (self.way.is_done() || is_deleted) && self.argo.is_short() && !real.any(|(_, row)| is_it(row))
    }

    /// Phase and wave of it in Argo CD's order.
    pub(crate) fn argo_place(&self) -> (SyncPhase, i64) {
        let mut rows = self.argo.requests.iter();
        let row = rows.find(|(_, row)| self.is_mine(&row.key));
        let row = row.map(|(_, row)| (phase_of(&row.phase), row.wave));
        let step = self.steps().map(|step| match step.place.is_prune {
            // Its waves are reversed among those of the prunes: it may be the last one.
            true => (SyncPhase::Sync, i64::MAX),
            false => (step.place.phase, step.wave),
        });
        row.or(step.max()).unwrap_or((SyncPhase::Sync, i64::MAX))
    }
}

impl std::fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let obstacles = self.ours.steps.iter().filter(|step| step.is_obstacle());
        let obstacles: Vec<_> = obstacles
            .map(|step| {
                (
                    &step.key,
                    &step.state,
                    &step.message,
                    step.place,
                    troubles(self.case, &step.key),
                )
            })
            .collect();
        let mine: Vec<_> = self.steps().collect();
        write!(
            f,
            "{} {:?} at {:?}\n   ours {mine:?}\n   obstacles {obstacles:?}",
            self.key,
            self.way,
            self.argo_place()
        )
    }
}

pub(crate) fn phase_of(name: &str) -> SyncPhase {
    match name {
        "PreSync" => SyncPhase::PreSync,
        "PostSync" => SyncPhase::PostSync,
        "SyncFail" => SyncPhase::SyncFail,
        _ => SyncPhase::Sync,
    }
}

/// A hook without a name of its own, by what its name begins with.
fn is_generated(case: &Case, key: &str) -> bool {
    let prefix = |object: &Value| {
        Some(format!(
            "{}{}",
            key_of(object),
            object["metadata"]["generateName"].as_str()?
        ))
    };
    case.desired.iter().filter_map(prefix).any(|prefix| prefix == key)
}

/// Kinds of one tier are written together; those that are not listed, and those of other groups, come last.
pub(crate) fn tier(key: &str) -> usize {
    let mut parts = key.split('/');
    let (group, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let is_foreign = group.contains('.') && !group.ends_with(".k8s.io");
    match kind {
        _ if is_foreign => 6,
        "Namespace" => 0,
        "NetworkPolicy"
        | "ResourceQuota"
        | "LimitRange"
        | "PodDisruptionBudget"
        | "ServiceAccount"
        | "Secret"
        | "ConfigMap"
        | "StorageClass"
        | "PersistentVolume"
        | "PersistentVolumeClaim"
        | "CustomResourceDefinition" => 1,
        "ClusterRole" | "ClusterRoleBinding" | "Role" | "RoleBinding" => 2,
        "Service" => 3,
        "DaemonSet"
        | "Pod"
        | "ReplicaSet"
        | "Deployment"
        | "HorizontalPodAutoscaler"
        | "StatefulSet"
        | "Job"
        | "CronJob" => 4,
        "IngressClass" | "Ingress" | "APIService" => 5,
        _ => 6,
    }
}
