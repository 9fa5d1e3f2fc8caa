//! What the rules of [`crate::guard`] have to ask the runtime: a second render that bypasses every cache, and whether the commit follows the one
//! that was synced.
//!
//! A question is put when something would be pruned automatically, once for what it is about. One that fails in passing is put again
//! after a while; until then its failure is its answer, and holds.

use std::collections::BTreeSet;

use capstan_model::{ApplicationSource, Digest, ResourceKey, Timestamp};
use serde_json::json;

use super::Engine;
use super::state::{ApplicationState, InFlight};
use crate::effect::EffectKind;
use crate::event::{Descent, SourceFailure};
use crate::settings::Guards;
use crate::targets::Targets;

/// What was asked for one application.
#[derive(Debug, Default)]
pub(super) struct Inquiries {
    second: Inquiry<BTreeSet<ResourceKey>>,
    descent: Inquiry<Vec<Descent>>,
}

/// A question to the runtime.
#[derive(Debug)]
struct Inquiry<T> {
    /// What was asked.
    of: Option<Digest>,
    answer: Option<Result<T, SourceFailure>>,
    attempts: u32,
    /// When it is asked again.
    until: Option<Timestamp>,
}

impl<T> Default for Inquiry<T> {
    fn default() -> Self {
        Self {
            of: None,
            answer: None,
            attempts: 0,
            until: None,
        }
    }
}

impl<T> Inquiry<T> {
    /// Is it to be put (again)? Then it counts as put.
    fn is_due(&mut self, of: Digest, now: Timestamp) -> bool {
        let is_new = self.of != Some(of);
        if is_new {
            *self = Self::default();
        }
        let is_due = is_new || self.until.is_some_and(|until| until <= now);
        if is_due {
            (self.of, self.until) = (Some(of), None);
        }
        is_due
    }

    fn answer(&mut self, of: Digest, answer: Result<T, SourceFailure>, wait: impl FnOnce(u32) -> Timestamp) {
        if self.of != Some(of) {
            return;
        }
        if let Err(failure) = &answer
            && failure.transient
        {
            self.until = Some(wait(self.attempts));
            self.attempts += 1;
        }
        self.answer = Some(answer);
    }
}

impl Inquiries {
    /// Is an answer awaited?
    pub(super) fn is_open(&self) -> bool {
        let (second, descent) = (&self.second, &self.descent);
        second.of.is_some() && second.answer.is_none() || descent.of.is_some() && descent.answer.is_none()
    }

    /// When one is to be put again.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        [self.second.until, self.descent.until].into_iter().flatten().min()
    }
}

impl Engine {
    pub(super) fn ask(&mut self, now: Timestamp, app: &mut ApplicationState) {
        let Some(of) = self.rendered_as(app) else { return };
        if app.guarding.inquiries.second.is_due(of, now)
            && let (Some(cluster), Some(desired)) = (self.cluster(app), &app.desired)
        {
            let task = self.render_task(app, cluster, &desired.sources, &desired.revisions, true);
            self.emit(app, EffectKind::Render(Box::new(task)), InFlight::SecondRender(of));
        }
        let steps = steps(app);
        if self.settings.guards == Guards::Capstan && !steps.is_empty() {
            let of = of_steps(&steps);
            if app.guarding.inquiries.descent.is_due(of, now) {
                self.emit(app, EffectKind::TraceDescent { steps }, InFlight::Descent(of));
            }
        }
    }

    /// Of everything that the desired objects were made from, and of them.
    fn rendered_as(&self, app: &ApplicationState) -> Option<Digest> {
        let desired = app.desired.as_ref()?;
        let revisions: Vec<&str> = desired
            .revisions
            .iter()
            .map(|revision| revision.revision.as_str())
            .collect();
        let text = json!([
            revisions,
            desired.sources,
            desired.context.to_string(),
            desired.targets.digest().to_string()
        ]);
        Some(Digest::of_json(&text))
    }

    /// What the second render declares. Of objects that are not what is desired now there is none.
    pub(super) fn second_render<'a>(
        &self,
        app: &'a ApplicationState,
        targets: &Targets,
    ) -> Option<Result<&'a BTreeSet<ResourceKey>, String>> {
        let is_desired = app.desired.as_ref().map(|desired| desired.targets.digest()) == Some(targets.digest());
        if !is_desired {
            return Some(Err("a newer commit is there".to_owned()));
        }
        let second = &app.guarding.inquiries.second;
        let answer = second.answer.as_ref().filter(|_| second.of == self.rendered_as(app))?;
        Some(answer.as_ref().map_err(|failure| failure.message.clone()))
    }

    pub(super) fn diverged(&self, app: &ApplicationState) -> Option<String> {
        let steps = steps(app);
        let answer = app.guarding.inquiries.descent.answer.as_ref();
        match answer.filter(|_| app.guarding.inquiries.descent.of == Some(of_steps(&steps)))? {
            Err(failure) => Some(format!(
                "it could not be told whether the commit follows the one that was synced: {}",
                failure.message
            )),
            Ok(descents) => steps.iter().zip(descents).find_map(|((source, from, to), descent)| {
                let (from, to) = (super::operation::short(from), super::operation::short(to));
                let branch = &source.target_revision;
                match descent {
                    Descent::Follows | Descent::NotABranch => None,
                    Descent::Diverged => Some(format!(
                        "{branch:?} of {} was moved to {to}, which does not follow {from}, the commit that was synced",
                        source.repo_url
                    )),
                    Descent::Unknown(why) => Some(format!(
                        "it is not known whether {to} of {} follows {from}, the commit that was synced: {why}",
                        source.repo_url
                    )),
                }
            }),
        }
    }

    /// The answer of the second render.
    pub(super) fn rendered_again(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        of: Digest,
        result: Result<Targets, SourceFailure>,
    ) {
        let declared = result.map(|targets| targets.objects().iter().map(|target| target.key.clone()).collect());
        let wait = |attempts| now + self.settings.refresh_wait(attempts);
        app.guarding.inquiries.second.answer(of, declared, wait);
    }

    /// The answer about the history of commits.
    pub(super) fn descent_traced(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        of: Digest,
        result: Result<Vec<Descent>, SourceFailure>,
    ) {
        let wait = |attempts| now + self.settings.refresh_wait(attempts);
        app.guarding.inquiries.descent.answer(of, result, wait);
    }
}

/// From which commit to which each source went since the last sync. A source that was pointed elsewhere did not move by itself.
fn steps(app: &ApplicationState) -> Vec<(ApplicationSource, String, String)> {
    let (Some(desired), Some(last)) = (&app.desired, app.history.last()) else {
        return Vec::new();
    };
    let (sources, revisions) = match &last.source {
        Some(source) => (std::slice::from_ref(source), std::slice::from_ref(&last.revision)),
        None => (&last.sources[..], &last.revisions[..]),
    };
    let before = sources.iter().zip(revisions);
    let pairs = desired.sources.iter().zip(&desired.revisions).zip(before);
    let steps = pairs.filter_map(|((source, revision), (was, from))| {
        let is_same = was.repo_url == source.repo_url && was.target_revision == source.target_revision;
        let moved = is_same && source.chart.is_empty() && revision.revision != *from;
        moved.then(|| (source.clone(), from.clone(), revision.revision.clone()))
    });
    steps.collect()
}

fn of_steps(steps: &[(ApplicationSource, String, String)]) -> Digest {
    let text: Vec<_> = steps
        .iter()
        .map(|(source, from, to)| json!([source.repo_url, source.target_revision, from, to]))
        .collect();
    Digest::of_json(&json!(text))
}
