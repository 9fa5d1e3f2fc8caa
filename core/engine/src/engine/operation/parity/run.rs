//! Carrying out tasks of one wave, in Argo CD's strict order: finalizers of hooks that are there, prunes, hooks in the way, writes by
//! kind. What fails ends the wave there, but not the writes: a kind that failed does not keep the next from being written.

use std::collections::BTreeMap;

use capstan_model::{HookDeletePolicy, KUBECTL_FIELD_MANAGER, OperationPhase, PruneOption, ResultCode};

use super::pass::{Pass, Step, hook_state};
use super::task::{Answer, Call, What};
use crate::effect::ApplyMode;
use crate::health::HealthVerdict;

/// How often a write that was overtaken is sent again.
const CONFLICT_TRIES: usize = 5;

/// How far tasks came. The worst of several counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Successful,
    /// Something has to vanish first, or to be confirmed.
    Pending,
    Failed,
}

impl Pass<'_> {
    pub(super) fn run(&mut self, tasks: &[usize], dry_run: bool) -> Step<State> {
        let dry_run = dry_run || self.settings.dry_run;
        if !dry_run && !self.release_leftovers(tasks)? {
            return Ok(State::Failed);
        }
        let (prunes, writes): (Vec<usize>, Vec<usize>) = tasks.iter().partition(|&&task| self.tasks[task].is_prune());
        let state = self.prune(&prunes, dry_run)?;
        if state != State::Successful {
            return Ok(state);
        }
        let state = self.clear_the_way(&writes, dry_run)?;
        if state != State::Successful {
            return Ok(state);
        }
        let mut state = State::Successful;
        let same_kind = |pass: &Self, a: usize, b: usize| pass.tasks[a].key.kind == pass.tasks[b].key.kind;
        let groups: Vec<Vec<usize>> = writes
            .chunk_by(|&a, &b| same_kind(self, a, b))
            .map(<[usize]>::to_vec)
            .collect();
        for group in groups {
            state = state.max(self.write(&group, dry_run)?);
        }
        Ok(state)
    }

    /// Hooks of an earlier run lose their finalizer. Gives whether that worked.
    fn release_leftovers(&mut self, tasks: &[usize]) -> Step<bool> {
        let held: Vec<usize> = tasks
            .iter()
            .filter(|&&task| {
                let task = &self.tasks[task];
                task.is_hook && task.is_pending() && task.live.as_ref().is_some_and(|live| live.is_held)
            })
            .copied()
            .collect();
        let calls = held
            .iter()
            .map(|&task| Call {
                task,
                what: What::Release,
            })
            .collect();
        let answers = self.batch(calls)?;
        let mut worked = true;
        for (&task, answer) in held.iter().zip(answers) {
            self.set_released(task);
            let answer = match answer {
                Answer::Conflict(_) => self.release_again(task)?,
                answer => answer,
            };
            if let Some(why) = failure_of_release(&answer) {
                let status = self.tasks[task].status;
                let message = format!("failed to remove hook finalizer: {why}");
                self.set(task, status, Some(OperationPhase::Error), &message);
                worked = false;
            }
        }
        Ok(worked)
    }

    /// Hooks that ended lose their finalizer, one by one.
    pub(super) fn release_finished(&mut self) -> Step<()> {
        for task in self.indices(|task| task.is_hook && task.is_completed()) {
            if let Some(why) = self.release(task)? {
                let status = self.tasks[task].status;
                let message = format!("Failed to remove hook finalizer: {why}");
                self.set(task, status, Some(OperationPhase::Error), &message);
            }
        }
        Ok(())
    }

    /// Gives why it did not work.
    fn release(&mut self, task: usize) -> Step<Option<String>> {
        if !self.tasks[task].live.as_ref().is_some_and(|live| live.is_held) {
            return Ok(None);
        }
        let answer = match self.call(task, What::Release)? {
            Answer::Conflict(_) => self.release_again(task)?,
            answer => answer,
        };
        self.set_released(task);
        Ok(failure_of_release(&answer).map(str::to_owned))
    }

    fn release_again(&mut self, task: usize) -> Step<Answer> {
        let mut answer = Answer::NotFound;
        for _ in 1..CONFLICT_TRIES {
            answer = self.call(task, What::Release)?;
            if !matches!(answer, Answer::Conflict(_)) {
                break;
            }
        }
        Ok(answer)
    }

    /// A hook in several phases is one object.
    fn set_released(&mut self, task: usize) {
        let key = self.tasks[task].key.clone();
        for other in self.tasks.iter_mut().filter(|other| other.key == key) {
            if let Some(live) = &mut other.live {
                live.is_held = false;
            }
        }
    }

    fn prune(&mut self, tasks: &[usize], dry_run: bool) -> Step<State> {
        if !self.settings.is_confirmed && tasks.iter().any(|&task| self.tasks[task].needs_confirmation()) {
            return Ok(State::Pending);
        }
        let may = |pass: &Self, task: usize| {
            let is_held = pass.settings.held.contains_key(&pass.tasks[task].key);
            pass.settings.prune && pass.tasks[task].prune != Some(PruneOption::Never) && !is_held
        };
        let doomed: Vec<usize> = tasks
            .iter()
            .filter(|&&task| {
                let is_going = self.tasks[task].live.as_ref().is_none_or(|live| live.is_deleting);
                may(self, task) && !dry_run && !is_going
            })
            .copied()
            .collect();
        let calls = doomed
            .iter()
            .map(|&task| Call {
                task,
                what: What::Delete,
            })
            .collect();
        let answers = self.batch(calls)?;
        let answers: BTreeMap<usize, &Answer> = doomed.iter().copied().zip(&answers).collect();
        let mut state = State::Successful;
        for &task in tasks {
            let answer = answers.get(&task).copied();
            let failure = answer
                .filter(|answer| !matches!(answer, Answer::NotFound))
                .and_then(Answer::failure);
            let (status, phase, message) = match self.held(task, answer) {
                Some(why) => (ResultCode::PruneSkipped, OperationPhase::Succeeded, why),
                None => self.prune_verdict(failure, may(self, task), dry_run),
            };
            let message = message.to_owned();
            let is_failed = status == ResultCode::SyncFailed;
            if is_failed {
                state = State::Failed;
            }
            if !dry_run || self.settings.dry_run || is_failed {
                self.set(task, Some(status), Some(phase), &message);
            }
        }
        Ok(state)
    }

    /// Why a guard keeps the object of a prune.
    fn held<'m>(&'m self, task: usize, answer: Option<&'m Answer>) -> Option<&'m str> {
        let held = match answer {
            Some(Answer::Held(why)) => Some(why.as_str()),
            _ => self.settings.held.get(&self.tasks[task].key).map(String::as_str),
        };
        held.filter(|_| self.settings.prune)
    }

    fn prune_verdict<'m>(
        &self,
        failure: Option<&'m str>,
        may_prune: bool,
        dry_run: bool,
    ) -> (ResultCode, OperationPhase, &'m str) {
        let (status, message) = match failure {
            Some(why) => return (ResultCode::SyncFailed, OperationPhase::Failed, why),
            None if !self.settings.prune => (ResultCode::PruneSkipped, "ignored (requires pruning)"),
            None if !may_prune => (ResultCode::PruneSkipped, "ignored (no prune)"),
            None if dry_run => (ResultCode::Pruned, "pruned (dry run)"),
            None => (ResultCode::Pruned, "pruned"),
        };
        (status, OperationPhase::Succeeded, message)
    }

    /// Hooks whose earlier run must vanish first.
    fn clear_the_way(&mut self, tasks: &[usize], dry_run: bool) -> Step<State> {
        let stale: Vec<usize> = tasks
            .iter()
            .filter(|&&task| !dry_run && self.tasks[task].is_in_the_way())
            .copied()
            .collect();
        let calls = stale
            .iter()
            .map(|&task| Call {
                task,
                what: What::Delete,
            })
            .collect();
        let answers = self.batch(calls)?;
        let mut state = State::Successful;
        for (&task, answer) in stale.iter().zip(&answers) {
            match answer {
                Answer::NotFound => self.tasks[task].live = None,
                answer => match answer.failure() {
                    None => state = state.max(State::Pending),
                    Some(why) => {
                        state = State::Failed;
                        let status = self.tasks[task].status;
                        let message = format!("failed to delete resource: {why}");
                        self.set(task, status, Some(OperationPhase::Error), &message);
                    }
                },
            }
        }
        Ok(state)
    }

    fn write(&mut self, group: &[usize], dry_run: bool) -> Step<State> {
        let group: Vec<usize> = group
            .iter()
            .filter(|&&task| !(dry_run && self.tasks[task].skip_dry_run))
            .copied()
            .collect();
        let calls = group
            .iter()
            .map(|&task| Call {
                task,
                what: self.writing(task, dry_run),
            })
            .collect();
        let answers = self.batch(calls)?;
        let mut failures: BTreeMap<usize, String> = BTreeMap::new();
        for (&task, answer) in group.iter().zip(&answers) {
            failures.extend(answer.failure().map(|why| (task, why.to_owned())));
        }
        for &task in &group {
            match failures.get(&task) {
                Some(why) => {
                    let why = why.clone();
                    self.set(task, Some(ResultCode::SyncFailed), Some(OperationPhase::Failed), &why);
                }
                None => self.set_written(task, dry_run),
            }
        }
        Ok(if failures.is_empty() {
            State::Successful
        } else {
            State::Failed
        })
    }

    fn set_written(&mut self, task: usize, dry_run: bool) {
        if dry_run && !self.settings.dry_run {
            return;
        }
        // What was only rehearsed has nothing to wait for.
        let phase = if self.settings.dry_run {
            OperationPhase::Succeeded
        } else {
            OperationPhase::Running
        };
        self.set(task, Some(ResultCode::Synced), Some(phase), "");
    }

    fn writing(&self, task: usize, dry_run: bool) -> What {
        let task = &self.tasks[task];
        let server_side = task.manner.server_side && !dry_run && !self.settings.dry_run;
        let mode = match (&task.live, task.manner.replace) {
            (Some(live), true) => ApplyMode::Replace {
                resource_version: live.resource_version.clone(),
            },
            (None, true) => ApplyMode::Create,
            (_, false) if server_side => ApplyMode::ServerSide { force: true },
            (_, false) => ApplyMode::ClientSide,
        };
        let is_client_side = task.live.as_ref().is_some_and(|live| live.is_client_side);
        What::Write {
            mode,
            dry_run,
            migrate: server_side && task.manner.migrate && is_client_side,
        }
    }

    /// Deletes hooks that their policy is done with, one by one.
    pub(super) fn delete_hooks(&mut self, tasks: &[usize]) -> Step<()> {
        for &task in tasks {
            let answer = self.call(task, What::Delete)?;
            let failure = answer.failure().filter(|_| !matches!(answer, Answer::NotFound));
            if let Some(why) = failure {
                let status = self.tasks[task].status;
                let message = format!("failed to delete resource: {why}");
                self.set(task, status, Some(OperationPhase::Error), &message);
            }
        }
        Ok(())
    }

    /// Stops the hooks among `tasks` that run. Gives whether all of it worked.
    pub(super) fn stop_hooks(&mut self, tasks: &[usize]) -> Step<bool> {
        let mut worked = true;
        for &task in tasks {
            if self.tasks[task].is_hook && self.tasks[task].is_running() {
                worked &= self.stop_hook(task)?;
            }
        }
        Ok(worked)
    }

    fn stop_hook(&mut self, task: usize) -> Step<bool> {
        let status = self.tasks[task].status;
        let mut health = self.tasks[task].live.as_ref().map(|live| live.health.clone());
        if health.is_none() {
            match self.call(task, What::Look)? {
                Answer::Seen(Some(object)) => health = Some(self.take_in(task, &object)),
                Answer::Seen(None) | Answer::NotFound => {}
                answer => {
                    let message = format!("Failed to get live resource: {}", answer.failure().unwrap_or_default());
                    self.set(task, status, Some(OperationPhase::Error), &message);
                    return Ok(false);
                }
            }
        }
        let Some(health) = health else {
            self.set(task, status, Some(OperationPhase::Succeeded), "Terminated");
            return Ok(true);
        };
        let is_broken = matches!(health, HealthVerdict::Failed(_));
        if let HealthVerdict::Failed(why) = &health {
            let message = format!("Failed to get hook health: {why}");
            self.set(task, status, Some(OperationPhase::Error), &message);
        }
        if let Some(why) = self.release(task)? {
            let message = format!("Failed to remove hook finalizer: {why}");
            self.set(task, status, Some(OperationPhase::Error), &message);
            return Ok(false);
        }
        let (phase, message) = hook_state(&self.tasks[task].key.name, &health);
        let runs = is_broken || phase == OperationPhase::Running;
        if runs || self.tasks[task].is_deleted_by(HookDeletePolicy::HookFailed) {
            let answer = self.call(task, What::Delete)?;
            let failure = answer.failure().filter(|_| !matches!(answer, Answer::NotFound));
            if let Some(why) = failure {
                let message = format!("Failed to delete: {why}");
                self.set(task, status, Some(OperationPhase::Failed), &message);
                return Ok(false);
            }
        }
        if !runs {
            self.set(task, status, Some(phase), &message);
        } else if self.tasks[task].state != Some(OperationPhase::Error) {
            self.set(task, status, Some(OperationPhase::Failed), "Terminated");
        }
        Ok(true)
    }

    /// An object that was looked at in this pass.
    fn take_in(&mut self, task: usize, object: &serde_json::Value) -> HealthVerdict {
        let live = super::facts::live(self.rules, object, KUBECTL_FIELD_MANAGER);
        let health = live.health.clone();
        self.tasks[task].live = Some(live);
        health
    }
}

/// A hook that is gone needs no release.
fn failure_of_release(answer: &Answer) -> Option<&str> {
    match answer {
        Answer::NotFound => None,
        answer => answer.failure(),
    }
}
