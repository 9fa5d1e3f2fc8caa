//! Carrying out effects: the API, the repository, and what goes wrong on the way.

use capstan_engine::compare::compare;
use capstan_engine::effect::{ApplyMode, ApplyTask, DryRun};
use capstan_engine::event::{Deletion, WriteError};
use capstan_engine::guard::{Content, DeletePermit, Survey};
use capstan_engine::targets::{TargetContext, Targets};
use capstan_engine::{Effect, EffectKind, Outcome};
use capstan_model::{Manifest, ResourceKey, SourceLocation};
use serde_json::{Value, json};

use super::World;
use super::sources::unreachable_source;
use crate::evidence::is_planned_by;
use crate::history::{Answer, Ask, Fact, Request};
use crate::objects::{key_of, text, version};

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Refused in passing.
    Passing,
    Conflict,
    RateLimited,
    /// Nobody knows, and it was not carried out.
    LostBefore,
    /// Nobody knows, and it was.
    LostAfter,
    /// Somebody else writes the object just before.
    Between,
}

impl World {
    pub(super) fn note_sent(&mut self, effect: &Effect, number: u64) {
        let request = |key: ResourceKey, ask: Ask| Request {
            number,
            process: self.process,
            epoch: effect.id.epoch,
            key,
            ask,
        };
        let object = |task: &ApplyTask| task.object.value().unwrap_or_default();
        let fact = match &effect.kind {
            EffectKind::Apply(task) => {
                let (object, dry) = (object(task), task.dry_run != DryRun::No);
                let key = key_of(&object);
                let ask = match &task.mode {
                    ApplyMode::Create if dry => Ask::Apply { object, dry },
                    ApplyMode::Create => Ask::Create { object },
                    ApplyMode::Replace { resource_version } => Ask::Replace {
                        object,
                        dry,
                        version: resource_version.clone(),
                    },
                    ApplyMode::ServerSide { .. } | ApplyMode::ClientSide => Ask::Apply { object, dry },
                };
                request(key, ask)
            }
            EffectKind::Delete { permit, .. } => request(permit.key().clone(), Ask::Delete),
            EffectKind::RemoveFinalizer { key, .. } => request(key.clone(), Ask::Release),
            EffectKind::MigrateFields { key, .. } => request(key.clone(), Ask::HandOver),
            EffectKind::Observe { key, .. } => request(key.clone(), Ask::Read),
            EffectKind::PatchStatus { .. } => request(ResourceKey::default(), Ask::Status),
            EffectKind::PatchApplication { .. } => request(ResourceKey::default(), Ask::Application),
            _ => return,
        };
        self.store.note(Fact::Sent(fact));
        if let EffectKind::PatchStatus { patch, .. } = &effect.kind
            && is_unplanned(&patch["operationState"])
        {
            self.store.note(Fact::Unplanned { request: number });
        }
    }

    pub(super) fn note_answer(&mut self, request: u64, outcome: &Outcome) {
        let of = |error: &WriteError| match error {
            WriteError::OutcomeUnknown(_) => Answer::Unknown,
            WriteError::NotFound(_)
            | WriteError::PathNotFound(_)
            | WriteError::Forbidden(_)
            | WriteError::Invalid(_) => Answer::Refused,
            WriteError::Transient(_) | WriteError::Conflict(_) | WriteError::RateLimited { .. } => Answer::Passing,
        };
        let answer = match outcome {
            Outcome::Resolved(Err(_)) => return self.store.note(Fact::Source { ok: false }),
            // Only a commit that can be rendered makes good what failed.
            Outcome::Resolved(Ok(revisions)) if self.can_be_rendered(revisions) => {
                return self.store.note(Fact::Source { ok: true });
            }
            Outcome::Rendered(result) => return self.store.note(Fact::Source { ok: result.is_ok() }),
            Outcome::Applied(Err(error)) | Outcome::Observed(Err(error)) | Outcome::Patched(Err(error)) => of(error),
            Outcome::Deleted(Err(error)) => of(error),
            Outcome::Deleted(Ok(Deletion::Refused(_))) => Answer::Left,
            Outcome::Applied(_) | Outcome::Observed(_) | Outcome::Patched(_) | Outcome::Deleted(_) => Answer::Done,
            _ => return,
        };
        let shown = shown(outcome);
        if let Some(object) = shown.filter(|object| version(object) > 0) {
            let (key, version) = (key_of(object), version(object));
            self.store.note(Fact::Seen { key, version });
        }
        let version = shown.map_or(0, version);
        let is_of_cluster = self.sent_to.contains_key(&request);
        self.store.note_answered(request, answer, version, is_of_cluster);
    }

    fn fault(&mut self, effect: &EffectKind, number: u64) -> Fault {
        if self.faults_left == 0 || self.is_quiet || !is_request(effect) {
            return Fault::None;
        }
        let planned = self
            .case
            .planned
            .iter()
            .find(|(at, _)| *at == number)
            .map(|(_, fault)| *fault as usize);
        let fault = match planned.unwrap_or_else(|| self.choose(20)) {
            1 => Fault::Passing,
            2 => Fault::Conflict,
            3 => Fault::RateLimited,
            4 | 5 => Fault::LostBefore,
            6..9 => Fault::LostAfter,
            9 | 10 => Fault::Between,
            _ => Fault::None,
        };
        self.faults_left -= u8::from(fault != Fault::None);
        fault
    }

    /// Carries out one effect; what it is answered, if anything.
    pub(super) fn serve(&mut self, effect: &Effect, number: u64) -> Option<Outcome> {
        if let Some(cluster) = effect.kind.cluster() {
            self.go_to(self.place_at(cluster));
        }
        let fault = self.fault(&effect.kind, number);
        let lost = || WriteError::OutcomeUnknown("timeout".into());
        let is_for_cluster = !matches!(
            effect.kind,
            EffectKind::PatchStatus { .. } | EffectKind::PatchApplication { .. }
        );
        let refused = match fault {
            _ if is_request(&effect.kind) && is_for_cluster && !self.is_reachable => {
                Some(WriteError::Transient("connection refused".into()))
            }
            Fault::Passing => Some(WriteError::Transient("503".into())),
            Fault::Conflict => Some(WriteError::Conflict("the object has been modified".into())),
            Fault::RateLimited => Some(WriteError::RateLimited {
                message: "429".into(),
                retry_after: Some(std::time::Duration::from_secs(3)),
            }),
            Fault::LostBefore => Some(lost()),
            _ => None,
        };
        if let Some(error) = refused {
            return Some(failed(&effect.kind, error));
        }
        let outcome = self.carry_out(&effect.kind, number, fault == Fault::Between)?;
        Some(match fault {
            Fault::LostAfter => failed(&effect.kind, lost()),
            _ => outcome,
        })
    }

    fn carry_out(&mut self, effect: &EffectKind, number: u64, between: bool) -> Option<Outcome> {
        Some(match effect {
            EffectKind::ResolveRevision { sources, .. } => Outcome::Resolved(self.resolve(sources)),
            EffectKind::Render(task) => Outcome::Rendered(self.render(task)),
            EffectKind::Compare(task) => Outcome::Compared(compare(task)),
            EffectKind::Apply(task) => {
                if between {
                    self.meddle(&task.key);
                }
                Outcome::Applied(self.write(task, number).map(Box::new))
            }
            EffectKind::Delete { permit, .. } => Outcome::Deleted(self.delete(permit, number, between)),
            EffectKind::Observe { key, .. } => {
                Outcome::Observed(Ok(self.store.objects.get(key).cloned().map(Box::new)))
            }
            EffectKind::RemoveFinalizer { key, finalizer, .. } => {
                self.let_go(key, finalizer, crate::history::Actor::Us);
                Outcome::Patched(Ok(String::new()))
            }
            EffectKind::MigrateFields { .. } => Outcome::Patched(Ok(String::new())),
            EffectKind::Pause { .. } => Outcome::Paused(Ok(())),
            EffectKind::PatchApplication { patch, .. } => Outcome::Patched(self.patch_application(patch)),
            EffectKind::PatchStatus { .. } if self.resource.is_null() => {
                Outcome::Patched(Err(WriteError::NotFound("applications \"shop\" not found".into())))
            }
            EffectKind::PatchStatus { version, .. } if self.is_stale(version.as_deref()) => {
                Outcome::Patched(Err(WriteError::Conflict("the object has been modified".into())))
            }
            EffectKind::PatchStatus { patch, .. } => {
                let before = self.resource["status"].clone();
                let version = self.patch(|resource| merge_patch(&mut resource["status"], patch));
                let after = self.resource["status"].clone();
                self.store.note(Fact::Status {
                    request: number,
                    before,
                    after,
                });
                Outcome::Patched(Ok(version))
            }
            EffectKind::TraceDescent { .. } if !self.source_works => Outcome::Descent(Err(unreachable_source())),
            EffectKind::TraceDescent { steps } => {
                Outcome::Descent(Ok(steps.iter().map(|step| self.descent(step)).collect()))
            }
            EffectKind::WatchKinds { .. } => return None,
        })
    }

    fn write(&mut self, task: &ApplyTask, number: u64) -> Result<Value, WriteError> {
        let desired = task
            .object
            .value()
            .map_err(|error| WriteError::Invalid(error.to_string()))?;
        let dry = task.dry_run != DryRun::No;
        let written = match &task.mode {
            ApplyMode::Create => self.store.create(&desired, dry, number),
            ApplyMode::Replace { resource_version } => self.store.replace(&desired, resource_version, dry, number),
            ApplyMode::ServerSide { .. } | ApplyMode::ClientSide => self.store.apply(&desired, dry, number),
        }?;
        if !dry {
            self.follow(&written);
        }
        Ok(written)
    }

    /// As the executor does it: a fresh read, the permit's last check, a DELETE that insists on what was read.
    fn is_stale(&self, version: Option<&str>) -> bool {
        version.is_some_and(|version| version != self.resource_version.to_string())
    }

    fn delete(&mut self, permit: &DeletePermit, request: u64, between: bool) -> Result<Deletion, WriteError> {
        let key = permit.key().clone();
        let Some(live) = self.store.objects.get(&key).cloned() else {
            return Err(WriteError::NotFound(format!("{key} not found")));
        };
        let preconditions = match permit.check(&live) {
            Ok(preconditions) => preconditions,
            Err(refusal) => return Ok(Deletion::Refused(refusal)),
        };
        if let Some(survey) = permit.survey(&live)
            && let Err(refusal) = permit.check_contents(&self.contents(&survey))
        {
            return Ok(Deletion::Refused(refusal));
        }
        permit
            .check_lease(Some(&self.lease))
            .map_err(|lost| WriteError::Transient(lost.to_string()))?;
        let insists = (preconditions.uid, preconditions.resource_version);
        let read = ["/metadata/uid", "/metadata/resourceVersion"].map(|at| text(&live, at).to_owned());
        self.store.note(Fact::Deleting {
            request,
            read: read.into(),
            insists: insists.clone(),
        });
        if between {
            self.meddle(&key);
        }
        let is_gone = self.store.delete(&key, &insists)?;
        self.follow_deletion(&key, crate::history::Actor::Cluster);
        Ok(if is_gone { Deletion::Gone } else { Deletion::Accepted })
    }

    /// What would go along with a namespace, or with a definition.
    fn contents(&self, survey: &Survey) -> Vec<Content> {
        let goes_along = |key: &ResourceKey| match survey {
            Survey::Namespace(name) => key.namespace == *name,
            Survey::Definition { kind, .. } => key.group_kind() == *kind,
        };
        let objects = self.store.objects.iter().filter(|(key, _)| goes_along(key));
        objects
            .map(|(key, object)| Content::of(&key.group_kind(), object))
            .collect()
    }
}

pub(super) fn targets(objects: &[Value], context: &TargetContext) -> Result<Targets, String> {
    let manifest = |(index, value): (usize, &Value)| {
        let location = SourceLocation {
            file: "shop/all.yaml".into(),
            line: u32::try_from(index * 10 + 1).unwrap_or(1),
        };
        Manifest::parse(value.clone(), location).map_err(|error| error.to_string())
    };
    let manifests = objects.iter().enumerate().map(manifest).collect::<Result<_, _>>()?;
    Targets::prepare(manifests, context, "Directory").map_err(|error| error.to_string())
}

/// What is recorded of an operation names what it applies from when on that is known.
fn is_unplanned(state: &Value) -> bool {
    let info = &state["operation"]["info"];
    info.is_array() && !info.to_string().contains("capstan.dev/plan") || !is_planned_by(state)
}

/// Is it one of the writes whose answer shows an object?
fn shown(outcome: &Outcome) -> Option<&Value> {
    match outcome {
        Outcome::Applied(Ok(object)) => Some(object),
        Outcome::Observed(Ok(Some(object))) => Some(object),
        _ => None,
    }
}

/// Does the effect go to the destination cluster?
fn is_request(kind: &EffectKind) -> bool {
    !matches!(
        kind,
        EffectKind::ResolveRevision { .. }
            | EffectKind::Render(_)
            | EffectKind::Compare(_)
            | EffectKind::WatchKinds { .. }
            | EffectKind::Pause { .. }
    )
}

/// The failure of an effect, in the words of its kind.
pub(super) fn failed(effect: &EffectKind, error: WriteError) -> Outcome {
    match effect {
        EffectKind::Apply(_) => Outcome::Applied(Err(error)),
        EffectKind::Delete { .. } => Outcome::Deleted(Err(error)),
        EffectKind::Observe { .. } => Outcome::Observed(Err(error)),
        EffectKind::TraceDescent { .. } => Outcome::Descent(Err(unreachable_source())),
        _ => Outcome::Patched(Err(error)),
    }
}

pub(super) fn merge_patch(into: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (name, value) in fields {
        if value.is_null() {
            into.as_object_mut().map(|into| into.remove(name));
        } else {
            merge_patch(&mut into[name.as_str()], value);
        }
    }
}
