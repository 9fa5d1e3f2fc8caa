//! The engine's effects, carried out on a world: one request each, two where a delete must look first.

use capstan_engine::effect::{ApplyMode, ApplyTask, DryRun, Propagation};
use capstan_engine::event::{Deletion, WriteError};
use capstan_engine::guard::{Content, DeletePermit, Survey, is_incidental};
use capstan_engine::writing::{FormerFields, client_side, take_over_fields};
use capstan_model::{ApplicationId, GroupKind, GroupVersionKind, ResourceKey, Timestamp};
use capstan_sim::{Method, Request, Response, World, text};
use serde_json::{Value, json};

const MANAGER: &str = "capstan";

pub(crate) struct Executor<'a> {
    pub(crate) now: Timestamp,
    pub(crate) world: &'a mut World,
}

impl Executor<'_> {
    fn path(&self, key: &ResourceKey, gvk: &GroupVersionKind) -> Result<String, WriteError> {
        super::discovery::object(self.world.snapshot().registry(), gvk, key)
            .ok_or_else(|| WriteError::PathNotFound(format!("{key}: the cluster serves no {}", gvk.kind)))
    }

    fn send(&mut self, mut request: Request) -> Result<Value, WriteError> {
        request.user_agent = Some(MANAGER.to_owned());
        let path = request.path.clone();
        let response = self.world.handle(self.now, request);
        match response.is_success() {
            true => Ok(response.value().clone()),
            false => Err(error(&path, &response)),
        }
    }

    pub(crate) fn apply(&mut self, task: &ApplyTask) -> Result<Box<Value>, WriteError> {
        let path = self.path(&task.key, &task.gvk)?;
        let mut object = task
            .object
            .value()
            .map_err(|error| WriteError::Invalid(error.to_string()))?;
        let mut query = vec![
            ("fieldManager", MANAGER),
            ("fieldValidation", if task.validate { "Strict" } else { "Ignore" }),
        ];
        if task.dry_run == DryRun::Server {
            query.push(("dryRun", "All"));
        }
        let mut mode = task.mode.clone();
        if mode == ApplyMode::ClientSide {
            let live = self.observe(&task.key, &task.gvk)?;
            object = client_side(&object, live.as_deref());
            mode = match object.pointer("/metadata/resourceVersion").and_then(Value::as_str) {
                Some(version) => ApplyMode::Replace {
                    resource_version: version.to_owned(),
                },
                None => ApplyMode::Create,
            };
        }
        if task.dry_run == DryRun::Client {
            return Ok(Box::new(object));
        }
        let mut request = match &mode {
            ApplyMode::ServerSide { force } => {
                query.push(("force", if *force { "true" } else { "false" }));
                Request::typed(Method::Patch, &path, "application/apply-patch+yaml", object)
            }
            ApplyMode::ClientSide | ApplyMode::Create => {
                let collection = path
                    .rsplit_once('/')
                    .map_or(path.as_str(), |(collection, _)| collection);
                Request::json(Method::Post, collection, object)
            }
            ApplyMode::Replace { resource_version } => {
                object["metadata"]["resourceVersion"] = json!(resource_version);
                Request::json(Method::Put, &path, object)
            }
        };
        request.query = query
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        self.send(request).map(Box::new)
    }

    pub(crate) fn migrate_fields(
        &mut self,
        key: &ResourceKey,
        gvk: &GroupVersionKind,
        from: &FormerFields,
    ) -> Result<String, WriteError> {
        let live = self.observe(key, gvk)?;
        let live = live.ok_or_else(|| WriteError::NotFound(format!("{key} does not exist")))?;
        let Some(patch) = take_over_fields(&live, from) else {
            return Ok(version(&live));
        };
        let path = self.path(key, gvk)?;
        let request = Request::typed(Method::Patch, &path, "application/json-patch+json", patch);
        self.send(request).map(|object| version(&object))
    }

    pub(crate) fn observe(
        &mut self,
        key: &ResourceKey,
        gvk: &GroupVersionKind,
    ) -> Result<Option<Box<Value>>, WriteError> {
        let path = self.path(key, gvk)?;
        match self.send(Request::new(Method::Get, &path)) {
            Ok(object) => Ok(Some(Box::new(object))),
            Err(WriteError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn delete(&mut self, permit: &DeletePermit, propagation: Propagation) -> Result<Deletion, WriteError> {
        let Some(live) = self.observe(permit.key(), permit.gvk())? else {
            return Ok(Deletion::Gone);
        };
        let preconditions = match permit.check(&live) {
            Ok(preconditions) => preconditions,
            Err(refusal) => return Ok(Deletion::Refused(refusal)),
        };
        if live.pointer("/metadata/deletionTimestamp").is_some() {
            return Ok(Deletion::Accepted);
        }
        if let Some(survey) = permit.survey(&live)
            && let Err(refusal) = permit.check_contents(&self.contents(&survey)?)
        {
            return Ok(Deletion::Refused(refusal));
        }
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions",
            "preconditions": {"uid": preconditions.uid, "resourceVersion": preconditions.resource_version},
            "propagationPolicy": format!("{propagation:?}"),
        });
        let path = self.path(permit.key(), permit.gvk())?;
        match self.send(Request::json(Method::Delete, &path, options)) {
            Ok(answer) if answer.pointer("/metadata/deletionTimestamp").is_some() => Ok(Deletion::Accepted),
            Ok(_) | Err(WriteError::NotFound(_)) => Ok(Deletion::Gone),
            Err(error) => Err(error),
        }
    }

    /// What would go along: listed completely.
    fn contents(&mut self, survey: &Survey) -> Result<Vec<Content>, WriteError> {
        let registry = self.world.snapshot();
        let mut lists = Vec::new();
        for group in registry.registry().groups() {
            // Every kind once: at its preferred version.
            let mut known = std::collections::BTreeSet::new();
            for version in &group.versions {
                for served in version
                    .resources
                    .iter()
                    .filter(|served| served.serves("list") && served.serves("watch"))
                {
                    let kind = GroupKind::new(&group.name, &served.kind);
                    let namespace = match survey {
                        Survey::Namespace(name) if served.namespaced && !is_incidental(&kind) => name.as_str(),
                        Survey::Definition { kind: defined, .. } if *defined == kind => "",
                        _ => continue,
                    };
                    let gvk = GroupVersionKind {
                        group: kind.group.clone(),
                        version: version.name.clone(),
                        kind: kind.kind.clone(),
                    };
                    let path = super::discovery::collection(registry.registry(), &gvk, namespace);
                    if known.insert(served.kind.clone()) {
                        lists.extend(path.map(|path| (kind, path)));
                    }
                }
            }
        }
        let mut found = Vec::new();
        for (kind, path) in lists {
            let list = self.send(Request::new(Method::Get, &path))?;
            let items = list["items"].as_array().into_iter().flatten();
            found.extend(items.map(|object| Content::of(&kind, object)));
        }
        Ok(found)
    }

    pub(crate) fn remove_finalizer(
        &mut self,
        key: &ResourceKey,
        gvk: &GroupVersionKind,
        uid: &str,
        finalizer: &str,
    ) -> Result<String, WriteError> {
        let live = self
            .observe(key, gvk)?
            .ok_or_else(|| WriteError::NotFound(format!("{key} does not exist")))?;
        if text(&live, &["metadata", "uid"]) != uid {
            return Err(WriteError::Conflict(format!("{key} was replaced")));
        }
        let finalizers = live.pointer("/metadata/finalizers").and_then(Value::as_array);
        let Some(position) = finalizers.and_then(|all| all.iter().position(|one| one == finalizer)) else {
            return Ok(version(&live));
        };
        let at = format!("/metadata/finalizers/{position}");
        let patch = json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": version(&live)},
            {"op": "remove", "path": at},
        ]);
        let path = self.path(key, gvk)?;
        let request = Request::typed(Method::Patch, &path, "application/json-patch+json", patch);
        self.send(request).map(|object| version(&object))
    }

    /// A merge patch of the Application, which must still be the one of this identity.
    pub(crate) fn patch(&mut self, id: &ApplicationId, uid: &str, mut patch: Value) -> Result<String, WriteError> {
        patch["metadata"]["uid"] = json!(uid);
        let path = format!(
            "/apis/argoproj.io/v1alpha1/namespaces/{}/applications/{}",
            id.namespace, id.name
        );
        let request = Request::typed(Method::Patch, &path, "application/merge-patch+json", patch);
        self.send(request).map(|object| version(&object))
    }
}

fn version(object: &Value) -> String {
    text(object, &["metadata", "resourceVersion"]).to_owned()
}

/// Only the word about the very object of the path proves that it is not there.
fn error(path: &str, response: &Response) -> WriteError {
    let is_about_it = path.rsplit('/').next() == Some(text(response.value(), &["details", "name"]));
    let message = text(response.value(), &["message"]).to_owned();
    match response.code {
        401 | 403 => WriteError::Forbidden(message),
        404 if is_about_it => WriteError::NotFound(message),
        404 | 410 => WriteError::PathNotFound(message),
        409 => WriteError::Conflict(message),
        429 => WriteError::RateLimited {
            message,
            retry_after: response
                .retry_after
                .map(|seconds| std::time::Duration::from_secs(seconds.into())),
        },
        504 => WriteError::OutcomeUnknown(message),
        500.. => WriteError::Transient(message),
        _ => WriteError::Invalid(message),
    }
}
