//! One pass: what Argo CD's sync engine does between two looks at the cluster.
//!
//! A pass is written as one straight function over its tasks. Where it needs something done it returns what ([`Step`]), and once that
//! was answered it is run again from its beginning with the answers so far, which lead it to where it was: the same input and answers
//! give the same calls. So there is no program counter to be lost, and a pass can be held against a recording call by call.

use std::collections::BTreeMap;

use capstan_model::{
    HealthStatusCode, HookDeletePolicy, OperationPhase, ResourceKey, ResourceResult, ResultCode, SyncPhase,
};

use super::run::State;
use super::task::{Answer, Call, Task, What, index};
use crate::health::{HealthRules, HealthVerdict};

/// What a pass runs on.
#[derive(Clone, Debug, Default)]
pub(crate) struct PassSettings {
    /// The operation changes nothing.
    pub(crate) dry_run: bool,
    pub(crate) prune: bool,
    /// Objects that a guard keeps from being pruned, and why.
    pub(crate) held: BTreeMap<ResourceKey, String>,
    pub(crate) is_confirmed: bool,
    pub(crate) out_of_sync_only: bool,
    /// Name of the destination namespace.
    pub(crate) namespace: String,
}

/// What must be done before the pass can go on, all of it at once.
pub(crate) type Step<T> = Result<T, Vec<Call>>;

/// A pass under way.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    pub(super) settings: &'a PassSettings,
    pub(super) rules: &'a dyn HealthRules,
    pub(super) tasks: Vec<Task>,
    /// In the order in which they were first recorded.
    pub(crate) results: Vec<ResourceResult>,
    index: BTreeMap<(ResourceKey, SyncPhase), usize>,
    answers: &'a [Vec<Answer>],
    at: usize,
    pub(crate) phase: OperationPhase,
    pub(crate) message: String,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(
        settings: &'a PassSettings,
        rules: &'a dyn HealthRules,
        tasks: Vec<Task>,
        results: Vec<ResourceResult>,
        answers: &'a [Vec<Answer>],
    ) -> Self {
        Self {
            settings,
            rules,
            tasks,
            index: index(&results),
            results,
            answers,
            at: 0,
            phase: OperationPhase::Running,
            message: String::new(),
        }
    }

    /// Goes on as far as the answers reach.
    pub(crate) fn sync(&mut self) -> Step<()> {
        if !self.validate() {
            return Ok(());
        }
        if self.results.is_empty() && !self.rehearse()? {
            return Ok(());
        }
        self.look_at_running();
        if self.waits()? {
            return Ok(());
        }
        self.release_finished()?;
        let all: Vec<usize> = (0..self.tasks.len()).collect();
        let (last_resort, ordinary): (Vec<usize>, Vec<usize>) = all
            .iter()
            .partition(|&&task| self.tasks[task].phase == SyncPhase::SyncFail);
        let ended = |pass: &Self, policy| {
            let is = |task: &&usize| {
                let task = &pass.tasks[**task];
                task.is_deleted_by(policy) && !task.is_running()
            };
            all.iter().filter(is).copied().collect::<Vec<usize>>()
        };
        let on_success = ended(self, HookDeletePolicy::HookSucceeded);
        let on_failure = ended(self, HookDeletePolicy::HookFailed);
        if ordinary.iter().any(|&task| self.tasks[task].is_failed()) {
            let failed = self.sync_failed(&ordinary);
            self.delete_hooks(&on_failure)?;
            let why = "one or more synchronization tasks completed unsuccessfully";
            self.fail(&last_resort, &failed, why)?;
            return Ok(());
        }
        let pending: Vec<usize> = ordinary
            .into_iter()
            .filter(|&task| self.tasks[task].is_pending() && !self.is_left_out(task))
            .collect();
        let Some(&first) = pending.first() else {
            self.delete_hooks(&on_success)?;
            self.end(OperationPhase::Succeeded, "successfully synced (no more tasks)");
            return Ok(());
        };
        self.wave(first, pending, &last_resort, (&on_success, &on_failure))
    }

    /// One wave: everything that is pending of the first phase and wave that has something pending.
    fn wave(
        &mut self,
        first: usize,
        pending: Vec<usize>,
        last_resort: &[usize],
        (on_success, on_failure): (&[usize], &[usize]),
    ) -> Step<()> {
        let of = |pass: &Self, task: usize| (pass.tasks[task].phase, pass.tasks[task].wave);
        let group = of(self, first);
        let is_last = pending.last().is_some_and(|&last| of(self, last) == group);
        let (wave, later): (Vec<usize>, Vec<usize>) = pending.into_iter().partition(|&task| of(self, task) == group);
        self.end(OperationPhase::Running, "one or more tasks are running");
        let state = self.run(&wave, false)?;
        if state != State::Failed
            && let Some(why) = self.pause(first, group, is_last)?
        {
            self.stop_hooks(&wave)?;
            self.end(OperationPhase::Error, &format!("SyncWaveHook failed: {why}"));
            return Ok(());
        }
        match state {
            State::Failed => self.wave_failed(&wave, last_resort, on_failure)?,
            State::Successful if later.is_empty() && !wave.iter().any(|&task| self.tasks[task].is_hook) => {
                self.delete_hooks(on_success)?;
                self.end(OperationPhase::Succeeded, "successfully synced (all tasks run)");
            }
            State::Successful => self.set_waiting(&wave, false),
            State::Pending => {
                let held = |&&task: &&usize| {
                    let task = &self.tasks[task];
                    task.is_in_the_way() || task.is_prune() && task.is_pending()
                };
                let held: Vec<usize> = wave.iter().filter(held).copied().collect();
                self.set_waiting(&held, true);
            }
        }
        Ok(())
    }

    fn wave_failed(&mut self, wave: &[usize], last_resort: &[usize], on_failure: &[usize]) -> Step<()> {
        let why = "one or more objects failed to apply";
        let failed = self.sync_failed(wave);
        let mut running: Vec<usize> = wave
            .iter()
            .filter(|&&task| self.tasks[task].is_running())
            .copied()
            .collect();
        if running.is_empty() {
            if self.fail(last_resort, &failed, why)? {
                self.delete_hooks(on_failure)?;
            }
            return Ok(());
        }
        if !last_resort.is_empty() && !self.fail(last_resort, &failed, why)? {
            running.extend(last_resort);
        }
        self.set_waiting(&running, false);
        Ok(())
    }

    /// Hooks that run are stopped; everything else stays as it is.
    pub(crate) fn terminate(&mut self) -> Step<()> {
        self.validate();
        self.release_finished()?;
        let all: Vec<usize> = (0..self.tasks.len()).collect();
        match self.stop_hooks(&all)? {
            true => self.end(OperationPhase::Failed, "Operation terminated"),
            false => self.end(OperationPhase::Error, "Operation termination had errors"),
        }
        Ok(())
    }

    /// Everything before anything: is each kind served, and permitted?
    fn validate(&mut self) -> bool {
        let invalid: Vec<(usize, String)> = self
            .tasks
            .iter()
            .enumerate()
            .filter_map(|(at, task)| Some((at, task.invalid.clone()?)))
            .collect();
        for (task, why) in &invalid {
            self.set(*task, Some(ResultCode::SyncFailed), None, why);
        }
        if invalid.is_empty() {
            return true;
        }
        let messages: std::collections::BTreeSet<&str> = self
            .results
            .iter()
            .filter(|result| result.status == Some(ResultCode::SyncFailed))
            .map(|result| result.message.as_str())
            .filter(|message| !message.is_empty())
            .collect();
        let messages: Vec<&str> = messages.into_iter().collect();
        let message = format!(
            "one or more synchronization tasks are not valid: {}",
            messages.join("; ")
        );
        self.end(OperationPhase::Failed, &message);
        false
    }

    /// Before the first write: the namespace for real, then everything as a dry run. Gives whether to go on.
    fn rehearse(&mut self) -> Step<bool> {
        let mut tasks: Vec<usize> = (0..self.tasks.len()).collect();
        let makes_namespace = |&task: &usize| {
            let task = &self.tasks[task];
            let is_namespace = task.key.group.is_empty() && task.key.kind == "Namespace";
            is_namespace && task.key.name == self.settings.namespace && task.live.is_none() && !task.is_prune()
        };
        let namespace = tasks.iter().copied().find(makes_namespace);
        if let Some(namespace) = namespace {
            if self.run(&[namespace], false)? == State::Failed {
                self.fail(&[], &[namespace], "the namespace failed to apply")?;
                return Ok(false);
            }
            tasks.retain(|&task| task != namespace);
        }
        tasks.retain(|&task| !self.is_left_out(task));
        if self.run(&tasks, true)? == State::Failed {
            self.end(OperationPhase::Failed, "one or more objects failed to apply (dry run)");
            return Ok(false);
        }
        Ok(true)
    }

    /// `ApplyOutOfSyncOnly`: what is there and as desired is left alone. Hooks and prunes are not.
    fn is_left_out(&self, task: usize) -> bool {
        let task = &self.tasks[task];
        self.settings.out_of_sync_only && task.is_unmodified && !task.is_hook && !task.is_prune()
    }

    fn look_at_running(&mut self) {
        for at in 0..self.tasks.len() {
            let task = &self.tasks[at];
            let (Some(live), true) = (&task.live, task.is_running()) else {
                continue;
            };
            let status = task.status;
            let (state, message) = match (task.is_hook, &live.health) {
                (true, HealthVerdict::Failed(why)) => {
                    (OperationPhase::Error, format!("failed to get resource health: {why}"))
                }
                (true, health) => hook_state(&task.key.name, health),
                (false, HealthVerdict::NoHealth) => (OperationPhase::Succeeded, String::new()),
                (false, HealthVerdict::Is(health)) => match health.status {
                    HealthStatusCode::Healthy => (OperationPhase::Succeeded, health.message.clone()),
                    HealthStatusCode::Degraded => (OperationPhase::Failed, health.message.clone()),
                    _ => continue,
                },
                (false, _) => continue,
            };
            self.set(at, status, Some(state), &message);
        }
    }

    /// Does anything run that is waited for, or is anything deleted that is not gone?
    fn waits(&mut self) -> Step<bool> {
        let group = |task: Option<&Task>| task.map(|task| (task.phase, task.wave));
        let is_multi = group(self.tasks.first()) != group(self.tasks.last());
        let running = self.indices(|task| (is_multi || task.is_hook) && task.is_running());
        if !running.is_empty() {
            for &task in running
                .iter()
                .filter(|&&task| self.tasks[task].live.is_none())
                .collect::<Vec<_>>()
            {
                self.look_for_missing(task)?;
            }
            self.set_waiting(&running, false);
            return Ok(true);
        }
        let going = self.indices(|task| {
            task.status == Some(ResultCode::Pruned) && task.live.as_ref().is_some_and(|live| live.is_deleting)
        });
        if !going.is_empty() {
            self.set_waiting(&going, true);
        }
        Ok(!going.is_empty())
    }

    fn look_for_missing(&mut self, task: usize) -> Step<()> {
        let status = self.tasks[task].status;
        match self.call(task, What::Look)? {
            Answer::Seen(Some(_)) => {}
            Answer::Seen(None) | Answer::NotFound => {
                let message = format!(
                    "Resource {} is missing, it might have been deleted",
                    self.tasks[task].title()
                );
                self.set(
                    task,
                    Some(ResultCode::SyncFailed),
                    Some(OperationPhase::Error),
                    &message,
                );
            }
            answer => {
                let why = answer.failure().unwrap_or_default();
                let message = format!("Failed to get live resource {why}");
                self.set(task, status, Some(OperationPhase::Error), &message);
            }
        }
        Ok(())
    }

    fn pause(&mut self, task: usize, (phase, wave): (SyncPhase, i64), last: bool) -> Step<Option<String>> {
        let answer = self.call(task, What::Pause { phase, wave, last })?;
        Ok(answer.failure().map(str::to_owned))
    }

    /// The way into failure: the hooks for it first, if there are any. Gives whether that is done.
    fn fail(&mut self, last_resort: &[usize], failed: &[usize], why: &str) -> Step<bool> {
        let mut message = self.with_reasons(why, failed);
        if last_resort.iter().all(|&task| self.tasks[task].is_completed()) {
            let failed = self.sync_failed(last_resort);
            if !failed.is_empty() {
                let more = self.with_reasons("one or more SyncFail hooks failed", &failed);
                message = format!("{message}\n{more}");
            }
            self.end(OperationPhase::Failed, &message);
            return Ok(true);
        }
        let pending: Vec<usize> = last_resort
            .iter()
            .filter(|&&task| !self.tasks[task].is_completed() && !self.tasks[task].is_running())
            .copied()
            .collect();
        self.run(&pending, false)?;
        self.set_waiting(&pending, false);
        Ok(false)
    }

    fn with_reasons(&self, why: &str, tasks: &[usize]) -> String {
        let reasons: std::collections::BTreeSet<&str> =
            tasks.iter().map(|&task| self.tasks[task].message.as_str()).collect();
        match reasons.len() {
            0 => why.to_owned(),
            _ => format!("{why}, reason: {}", reasons.into_iter().collect::<Vec<_>>().join(",")),
        }
    }

    fn sync_failed(&self, tasks: &[usize]) -> Vec<usize> {
        let is = |&&task: &&usize| self.tasks[task].status == Some(ResultCode::SyncFailed);
        tasks.iter().filter(is).copied().collect()
    }

    pub(super) fn indices(&self, test: impl Fn(&Task) -> bool) -> Vec<usize> {
        (0..self.tasks.len()).filter(|&task| test(&self.tasks[task])).collect()
    }

    pub(super) fn end(&mut self, phase: OperationPhase, message: &str) {
        self.phase = phase;
        message.clone_into(&mut self.message);
    }

    /// Has all of `calls` done at once.
    pub(super) fn batch(&mut self, calls: Vec<Call>) -> Step<Vec<Answer>> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.answers.get(self.at).cloned().ok_or(calls)?;
        self.at += 1;
        Ok(answers)
    }

    pub(super) fn call(&mut self, task: usize, what: What) -> Step<Answer> {
        let answers = self.batch(vec![Call { task, what }])?;
        let unanswered = || Answer::Failed("the request was not answered".into());
        Ok(answers.into_iter().next().unwrap_or_else(unanswered))
    }

    /// Records what is known of a task. An empty message keeps the one before.
    pub(super) fn set(&mut self, at: usize, status: Option<ResultCode>, state: Option<OperationPhase>, message: &str) {
        let task = &mut self.tasks[at];
        (task.status, task.state) = (status, state);
        if !message.is_empty() {
            message.clone_into(&mut task.message);
        }
        let task = &self.tasks[at];
        let key = task.result_key();
        let known = self.index.get(&key).copied();
        let result = match known {
            Some(known) => &mut self.results[known],
            None => {
                let mut result = ResourceResult::of(&task.reported, &task.gvk);
                result.sync_phase = Some(task.phase);
                result.hook_type = task.is_hook.then(|| super::hook_type(task.phase));
                self.results.push(result);
                let last = self.results.len() - 1;
                self.index.insert(key, last);
                &mut self.results[last]
            }
        };
        (result.status, result.hook_phase) = (status, state);
        result.message.clone_from(&task.message);
    }

    /// Says what is waited for.
    pub(super) fn set_waiting(&mut self, tasks: &[usize], is_deletion: bool) {
        self.end(OperationPhase::Running, "");
        let (hooks, others): (Vec<usize>, Vec<usize>) = tasks.iter().partition(|&&task| self.tasks[task].is_hook);
        let Some(&first) = hooks.first().or(others.first()) else {
            return;
        };
        let reason = match (is_deletion, hooks.is_empty()) {
            (true, true) => "deletion of",
            (true, false) => "deletion of hook",
            (false, true) => "healthy state of",
            (false, false) => "completion of hook",
        };
        let (mut reason, mut first, mut more) = (reason, first, tasks.len() - 1);
        if !self.settings.is_confirmed {
            let is_held = |&&task: &&usize| self.tasks[task].is_prune() && self.tasks[task].needs_confirmation();
            let held: Vec<usize> = tasks.iter().filter(is_held).copied().collect();
            if let Some(&task) = held.first() {
                (reason, first, more) = ("pruning confirmation of", task, held.len() - 1);
            }
        }
        let kind = if others.is_empty() { "hooks" } else { "resources" };
        let title = self.tasks[first].title();
        let message = match more {
            0 => format!("waiting for {reason} {title}"),
            more => format!("waiting for {reason} {title} and {more} more {kind}"),
        };
        self.end(OperationPhase::Running, &message);
    }
}

/// How a hook fares by the health of its object.
pub(super) fn hook_state(name: &str, health: &HealthVerdict) -> (OperationPhase, String) {
    let HealthVerdict::Is(health) = health else {
        return (OperationPhase::Succeeded, format!("{name} created"));
    };
    match health.status {
        HealthStatusCode::Unknown | HealthStatusCode::Degraded => (OperationPhase::Failed, health.message.clone()),
        HealthStatusCode::Progressing | HealthStatusCode::Suspended => {
            (OperationPhase::Running, health.message.clone())
        }
        HealthStatusCode::Healthy => (OperationPhase::Succeeded, health.message.clone()),
        HealthStatusCode::Missing => (OperationPhase::Succeeded, format!("{name} created")),
    }
}
