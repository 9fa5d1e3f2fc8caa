//! The owner of the engine.

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use capstan_engine::effect::EffectKind;
use capstan_engine::{Effect, EffectId, Event, Outcome};
use capstan_model::{ApplicationId, Identity};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::executor::{Fallback, effect_name, outcome_name};
use crate::machine::Machine;
use crate::metrics::{EffectLabels, Metrics};
use crate::publishing::{Publishing, rows};
use crate::read_model::ReadModel;

/// Carries effects out.
pub(crate) trait Execute: Send + 'static {
    /// Carries out one effect other than `WatchKinds`; what changes a destination, as `identity`.
    fn execute(
        &self,
        application: ApplicationId,
        identity: Option<Identity>,
        kind: EffectKind,
    ) -> BoxFuture<'static, Outcome>;
    /// Carries out `WatchKinds`, and whatever else is over at once.
    fn configure(&mut self, kind: EffectKind);
    /// This process leads, or no longer does.
    fn lead(&self, leads: bool);
    /// An application is gone: what is kept for it can go, too.
    fn forget(&self, application: &ApplicationId);
}

/// An effect that ended.
struct Done {
    id: EffectId,
    name: &'static str,
    outcome: Outcome,
    panicked: bool,
    patch: bool,
}

pub(crate) struct Driver<M, X> {
    machine: M,
    executor: X,
    clock: Clock,
    inputs: mpsc::Receiver<Event>,
    model: Arc<ReadModel>,
    metrics: Arc<Metrics>,
    running: JoinSet<Done>,
    /// Writes to one Application resource that wait for the one before. An application is in it while one is on its way.
    patches: BTreeMap<ApplicationId, VecDeque<Effect>>,
    publishing: Publishing,
    unpublished: usize,
}

/// So many events may change things before it is shown, when more are waiting.
const PUBLISH_EVERY: usize = 64;
/// How long effects on their way may take to end when we are asked to.
const GRACE: Duration = Duration::from_secs(10);

impl<M: Machine, X: Execute> Driver<M, X> {
    pub(crate) fn new(
        machine: M,
        executor: X,
        clock: Clock,
        inputs: mpsc::Receiver<Event>,
        model: Arc<ReadModel>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            machine,
            executor,
            clock,
            inputs,
            model,
            metrics,
            running: JoinSet::new(),
            patches: BTreeMap::new(),
            publishing: Publishing::default(),
            unpublished: 0,
        }
    }

    /// Runs until it is asked to stop (then effects on their way may end) or nobody can send events any more.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            self.pass_time();
            self.publish();
            let timeout = self.machine.poll_timeout().map(|time| self.clock.instant(time));
            let timeout = timeout.into_iter().chain(self.publishing.wakes_at()).min();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(done) = self.running.join_next() => match done {
                    Ok(done) => self.complete(done),
                    // Panics are caught inside; what is left is a task that was aborted, and nobody does that.
                    Err(error) => tracing::error!(%error, "an effect was lost"),
                },
                event = self.inputs.recv() => match event {
                    Some(event) => self.tell(event),
                    None => break,
                },
                () = tokio::time::sleep_until(timeout.unwrap_or_else(Instant::now)), if timeout.is_some() => {}
            }
        }
        self.drain().await;
    }

    /// Deadlines come before events: a stream of events must not keep them from passing.
    fn pass_time(&mut self) {
        let now = self.clock.now();
        if self.machine.poll_timeout().is_some_and(|time| time <= now) {
            self.machine.handle_timeout(now);
            self.react();
        }
    }

    fn tell(&mut self, event: Event) {
        self.metrics.event();
        self.model.note(&event);
        match &event {
            Event::ApplicationGone(id) => self.executor.forget(id),
            Event::LeadershipChanged { leads, .. } => self.executor.lead(*leads),
            _ => {}
        }
        self.machine.handle(self.clock.now(), event);
        self.react();
    }

    fn complete(&mut self, done: Done) {
        let Done {
            id,
            name,
            outcome,
            panicked,
            patch,
        } = done;
        if panicked {
            self.metrics.panicked();
        }
        let outcome_name = outcome_name(&outcome);
        tracing::debug!(effect = name, %id, outcome = outcome_name, "done");
        self.metrics.effect(&EffectLabels {
            effect: name,
            outcome: outcome_name,
        });
        if patch {
            self.next_patch(&id.application);
        }
        self.tell(Event::Completed(id, outcome));
    }

    /// Everything the engine wants after an input.
    fn react(&mut self) {
        self.unpublished += 1;
        while let Some(effect) = self.machine.poll_effect() {
            tracing::debug!(effect = effect_name(&effect.kind), id = %effect.id, "to do");
            match &effect.kind {
                EffectKind::WatchKinds { .. } => self.executor.configure(effect.kind),
                EffectKind::PatchApplication { .. } | EffectKind::PatchStatus { .. } => self.patch(effect),
                _ => self.start(effect, false),
            }
        }
        while let Some(id) = self.machine.poll_changed() {
            self.publishing.note(id);
        }
    }

    fn patch(&mut self, effect: Effect) {
        match self.patches.get_mut(&effect.id.application) {
            Some(waiting) => waiting.push_back(effect),
            None => {
                self.patches.insert(effect.id.application.clone(), VecDeque::new());
                self.start(effect, true);
            }
        }
    }

    fn next_patch(&mut self, application: &ApplicationId) {
        let next = self.patches.get_mut(application).and_then(VecDeque::pop_front);
        match next {
            Some(effect) => self.start(effect, true),
            None => drop(self.patches.remove(application)),
        }
    }

    fn start(&mut self, effect: Effect, patch: bool) {
        let Effect { id, identity, kind } = effect;
        let name = effect_name(&kind);
        let fallback = Fallback::of(&kind);
        let work = self.executor.execute(id.application.clone(), identity, kind);
        self.running.spawn(async move {
            let (outcome, panicked) = match AssertUnwindSafe(work).catch_unwind().await {
                Ok(outcome) => (outcome, false),
                Err(panic) => {
                    let message = panic_message(&*panic);
                    tracing::error!(effect = name, %id, message, "panicked");
                    (fallback.outcome(message), true)
                }
            };
            Done {
                id,
                name,
                outcome,
                panicked,
                patch,
            }
        });
    }

    /// Shows what changed, unless more is about to.
    fn publish(&mut self) {
        self.metrics.queues(self.inputs.len(), self.running.len());
        let now = Instant::now();
        let is_over = self.publishing.wakes_at().is_some_and(|at| at <= now);
        let more_to_come = !self.inputs.is_empty() && self.unpublished < PUBLISH_EVERY;
        if more_to_come || self.unpublished == 0 && !is_over {
            return;
        }
        self.unpublished = 0;
        self.metrics.late(self.machine.late_completions());
        let metrics = &self.metrics;
        self.model.append_journal(self.machine.journal(), |entry| {
            metrics.entry(entry);
            tracing::info!(
                application = %entry.application, object = entry.object.as_ref().map(tracing::field::display),
                machine = entry.machine, from = entry.from, to = entry.to, "{}", entry.message
            );
        });
        let (machine, publishing) = (&self.machine, &mut self.publishing);
        self.model.publish(publishing.take_due(now).into_iter().map(|id| {
            let view = machine.view(&id);
            publishing.shown(&id, view.as_ref().map_or(0, rows), now);
            (id, view)
        }));
    }

    /// Lets effects on their way end, and starts no new ones.
    async fn drain(mut self) {
        self.inputs.close();
        let ended = async { while self.running.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            tracing::warn!("stopped while requests were still on their way: they are looked at after the next start");
        }
    }
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "no message",
    }
}

#[cfg(test)]
mod tests {
    use capstan_engine::event::WriteError;
    use capstan_engine::journal::Journal;
    use capstan_engine::view::ApplicationView;
    use capstan_kubernetes::RequestCounts;
    use capstan_model::Timestamp;
    use serde_json::json;
    use tokio::sync::oneshot;

    use super::*;

    /// Wants two status writes of one application at the first event, and notes what it is told.
    struct Scripted {
        wanted: VecDeque<Effect>,
        told: mpsc::UnboundedSender<(Timestamp, String)>,
        timeout: Option<Timestamp>,
        journal: Journal,
    }

    fn id(sequence: u64) -> EffectId {
        EffectId {
            application: ApplicationId::new("argocd", "a"),
            epoch: 1,
            sequence,
        }
    }

    fn status(sequence: u64) -> Effect {
        let kind = EffectKind::PatchStatus {
            uid: String::new(),
            patch: json!(sequence),
            version: None,
        };
        Effect {
            id: id(sequence),
            identity: None,
            kind,
        }
    }

    impl Machine for Scripted {
        fn handle(&mut self, now: Timestamp, event: Event) {
            let text = match event {
                Event::ApplicationsListed => {
                    self.wanted.extend([status(1), status(2)]);
                    "listed".to_owned()
                }
                Event::Completed(id, outcome) => format!("{} {}", id.sequence, outcome_name(&outcome)),
                other => format!("{other:?}"),
            };
            self.told.send((now, text)).unwrap();
        }

        fn handle_timeout(&mut self, now: Timestamp) {
            self.timeout = None;
            self.told.send((now, "timeout".into())).unwrap();
        }

        fn poll_effect(&mut self) -> Option<Effect> {
            self.wanted.pop_front()
        }

        fn poll_timeout(&self) -> Option<Timestamp> {
            self.timeout
        }

        fn poll_changed(&mut self) -> Option<ApplicationId> {
            None
        }

        fn view(&self, _: &ApplicationId) -> Option<ApplicationView> {
            None
        }

        fn journal(&self) -> &Journal {
            &self.journal
        }

        fn late_completions(&self) -> u64 {
            0
        }
    }

    /// Takes longer for the first write than for the second, and panics at the second.
    struct Slow;

    impl Execute for Slow {
        fn execute(&self, _: ApplicationId, _: Option<Identity>, kind: EffectKind) -> BoxFuture<'static, Outcome> {
            async move {
                let EffectKind::PatchStatus { patch, .. } = kind else {
                    unreachable!("only those are wanted")
                };
                if patch == json!(2) {
                    panic!("as planned");
                }
                tokio::time::sleep(Duration::from_secs(5)).await;
                Outcome::Patched(Err(WriteError::Conflict("c".into())))
            }
            .boxed()
        }

        fn configure(&mut self, _: EffectKind) {}

        fn lead(&self, _: bool) {}

        fn forget(&self, _: &ApplicationId) {}
    }

    #[tokio::test(start_paused = true)]
    async fn writes_keep_their_order_and_panics_are_outcomes() {
        let (events, inputs) = mpsc::channel(8);
        let (told, mut heard) = mpsc::unbounded_channel();
        let start = Timestamp::from_seconds(1000);
        let machine = Scripted {
            wanted: VecDeque::new(),
            told,
            timeout: Some(start + Duration::from_secs(2)),
            journal: Journal::new(1),
        };
        let model = Arc::new(ReadModel::new(1));
        let metrics = Arc::new(Metrics::new(model.clone(), RequestCounts::default()));
        let clock = Clock::starting_at(start);
        let driver = Driver::new(machine, Slow, clock, inputs, model.clone(), metrics.clone());
        let (ended, end) = oneshot::channel();
        let mut tasks = JoinSet::new();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        tasks.spawn(async move {
            driver.run(shutdown).await;
            ended.send(()).unwrap();
        });
        events.send(Event::ApplicationsListed).await.unwrap();
        let mut seen = Vec::new();
        for _ in 0..4 {
            let (time, text) = heard.recv().await.unwrap();
            seen.push((time.since(start).as_secs(), text));
        }
        let expected = [
            (0, "listed"),
            (2, "timeout"),
            (5, "1 Conflict"),
            (5, "2 OutcomeUnknown"),
        ];
        assert_eq!(seen, expected.map(|(time, text)| (time, text.to_owned())));
        assert!(model.readiness().borrow().applications_listed);
        let text = metrics.encode();
        assert!(text.contains("capstan_effect_panics_total 1"), "{text}");
        stop.cancel();
        end.await.unwrap();
        assert!(
            events.send(Event::ProjectsListed).await.is_err(),
            "nobody takes events any more"
        );
    }
}
