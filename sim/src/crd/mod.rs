//! CustomResourceDefinitions: what they make the server serve, how they become established, and how they end.
//!
//! The controllers that do this run inside the real API server, so here they are part of the world: after every commit
//! [`World::controllers`] brings the served types in line with the definitions, immediately and deterministically.

mod cel;
mod definition;
mod rules;
mod schema;
mod validate;

use capstan_model::Timestamp;
use serde_json::{Value, json};

use crate::fields::{at, child_mut, finalizers, is_going, meta, metadata_mut, set_finalizers, text, time};
use crate::registry::{GroupResource, ResourceType, Subresource, api_version};
use crate::request::{Method, Request, User};
use crate::status::ApiError;
use crate::store::ObjectName;
use crate::world::{Author, Call, World};

const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

fn definitions() -> GroupResource {
    GroupResource::new("apiextensions.k8s.io", "customresourcedefinitions")
}

impl World {
    /// What the API server itself does after a commit: serves, establishes and cleans up custom resources.
    pub(crate) fn controllers(&mut self, now: Timestamp) {
        let newest = self.store.resource_revision(&definitions());
        if newest == self.definitions_seen {
            return;
        }
        let all: Vec<Value> = self
            .store
            .objects(&definitions(), None)
            .map(|(_, o)| Value::clone(o))
            .collect();
        let names: Vec<String> = all.iter().map(|d| meta(d, "name").to_owned()).collect();
        self.registry.retain_definitions(&names);
        for definition in all {
            if is_going(&definition) {
                self.clean_up(now, &definition);
            } else {
                self.establish(now, definition);
            }
        }
        self.definitions_seen = self.store.resource_revision(&definitions());
    }

    /// Accepts the names of a definition and serves it.
    fn establish(&mut self, now: Timestamp, mut definition: Value) {
        let name = meta(&definition, "name").to_owned();
        let conflict = self.name_conflict(&definition);
        let before = definition["status"].clone();
        accept(&mut definition, conflict.as_deref(), now);
        if definition["status"] != before {
            definition = self.write_status(now, &name, definition);
        }
        let established = condition(&definition, "Established") == Some("True");
        self.registry
            .define(&name, if established { types(&definition) } else { Vec::new() });
    }

    /// Writes the status of a definition as the API server's own controllers do: through the API, owned by them.
    fn write_status(&mut self, now: Timestamp, name: &str, definition: Value) -> Value {
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}/status");
        let mut request = Request::json(Method::Put, &path, definition.clone()).by(User::server());
        request.user_agent = Some("kube-apiserver".into());
        // Refused only when the definition is gone or going meanwhile, which nothing can cause within a request.
        self.route(now, &request)
            .map_or(definition, |response| response.value().clone())
    }

    /// The name that is already taken in the group by another definition, if one is.
    fn name_conflict(&self, definition: &Value) -> Option<String> {
        let (own, group) = (meta(definition, "name"), text(definition, &["spec", "group"]));
        let names = |d: &Value, part: &str| -> Vec<String> {
            let names = &d[part];
            let mut all: Vec<String> = ["plural", "singular", "kind", "listKind"]
                .iter()
                .map(|f| text(names, &[f]).to_owned())
                .collect();
            all.extend(
                names["shortNames"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|v| v.as_str().map(str::to_owned)),
            );
            all.retain(|n| !n.is_empty());
            all
        };
        let wanted = names(&definition["spec"], "names");
        let others = self.store.objects(&definitions(), None);
        let others = others.filter(|(n, d)| n.name != own && text(d, &["spec", "group"]) == group);
        let taken: Vec<String> = others.flat_map(|(_, d)| names(&d["status"], "acceptedNames")).collect();
        wanted.into_iter().find(|name| taken.contains(name))
    }

    /// Deletes the objects of a definition that is going, then lets it go.
    fn clean_up(&mut self, now: Timestamp, definition: &Value) {
        let name = meta(definition, "name").to_owned();
        let held = finalizers(definition);
        if !held.iter().any(|f| f == CLEANUP) {
            return;
        }
        let storage = GroupResource::new(
            text(definition, &["spec", "group"]),
            text(definition, &["spec", "names", "plural"]),
        );
        let author = Author::server(now, "delete");
        let objects: Vec<(ObjectName, Value)> = self
            .store
            .objects(&storage, None)
            .map(|(n, o)| (n.clone(), Value::clone(o)))
            .collect();
        for (object_name, mut object) in objects {
            if finalizers(&object).is_empty() {
                self.remove(&author, &storage, &object_name);
            } else if !is_going(&object) {
                metadata_mut(&mut object).insert("deletionTimestamp".into(), time(now));
                metadata_mut(&mut object).insert("deletionGracePeriodSeconds".into(), json!(0));
                self.put(&author, &storage, object_name, object);
            }
        }
        self.registry.define(&name, types(definition));
        if self.store.count(&storage) > 0 {
            return;
        }
        let rest: Vec<String> = held.into_iter().filter(|f| f != CLEANUP).collect();
        if rest.is_empty() {
            self.remove(&author, &definitions(), &ObjectName::new("", &name));
            self.registry.define(&name, Vec::new());
        } else {
            let mut definition = definition.clone();
            set_finalizers(&mut definition, &rest);
            self.put(&author, &definitions(), ObjectName::new("", &name), definition);
        }
    }

    /// The definition of a custom type.
    pub(crate) fn definition(&self, resource: &ResourceType) -> Option<&Value> {
        let name = format!("{}.{}", resource.plural, resource.group);
        self.store
            .object(&definitions(), &ObjectName::new("", &name))
            .map(AsRef::as_ref)
    }

    /// The version entry of a custom type's definition.
    pub(crate) fn definition_version(&self, resource: &ResourceType) -> Option<&Value> {
        version_of(self.definition(resource)?, &resource.version)
    }

    /// A version may be deprecated, and say so on every request.
    pub(crate) fn warn_of_deprecation(&self, call: &mut Call<'_>) {
        let version = if call.resource.custom {
            self.definition_version(&call.resource)
        } else {
            None
        };
        let Some(version) = version.filter(|v| v["deprecated"] == true) else {
            return;
        };
        let warning = text(version, &["deprecationWarning"]);
        let (api_version, kind) = (call.resource.api_version(), &call.resource.kind);
        let warning = if !warning.is_empty() {
            warning.to_owned()
        } else {
            let served = self
                .registry
                .group(&call.resource.group)
                .into_iter()
                .flat_map(|g| &g.versions);
            let better = served
                .map(|v| v.name.clone())
                .take_while(|v| *v != call.resource.version)
                .next();
            match better {
                Some(better) => {
                    let better = crate::registry::api_version(&call.resource.group, &better);
                    format!("{api_version} {kind} is deprecated; use {better} {kind}")
                }
                None => format!("{api_version} {kind} is deprecated"),
            }
        };
        call.warn(&warning);
    }

    /// Kind of a resource's lists.
    pub(crate) fn list_kind(&self, resource: &ResourceType) -> String {
        let defined = self.definition(resource).filter(|_| resource.custom);
        let kind = defined
            .map(|d| text(d, &["spec", "names", "listKind"]))
            .unwrap_or_default();
        if kind.is_empty() {
            resource.list_kind()
        } else {
            kind.to_owned()
        }
    }

    /// Fields a custom type can be selected by, besides name and namespace.
    pub(crate) fn selectable_fields(&self, resource: &ResourceType) -> Vec<String> {
        let version = if resource.custom {
            self.definition_version(resource)
        } else {
            None
        };
        let fields = version.and_then(|v| v["selectableFields"].as_array());
        let path = |f: &Value| f["jsonPath"].as_str().map(|p| p.trim_start_matches('.').to_owned());
        fields.into_iter().flatten().filter_map(path).collect()
    }

    /// Reads a custom object as its schema says: unknown fields are dropped, defaults filled in.
    pub(crate) fn decode_custom(&self, call: &mut Call<'_>, object: &mut Value) -> Result<(), ApiError> {
        let Some(version) = self.definition_version(&call.resource) else {
            return Ok(());
        };
        let root = version["schema"]["openAPIV3Schema"].clone();
        let unknown = schema::prune(&root, object);
        schema::default(&root, object);
        let (kind, version) = (call.resource.kind.clone(), call.resource.version.clone());
        let problems: Vec<String> = unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
        call.strict_problems(&problems, &version, &kind)
    }
}

/// The entry of a version in a definition.
pub(crate) fn version_of<'d>(definition: &'d Value, name: &str) -> Option<&'d Value> {
    at(definition, &["spec", "versions"])?
        .as_array()?
        .iter()
        .find(|v| v["name"] == name)
}

/// Status of a condition.
pub(crate) fn condition<'d>(definition: &'d Value, kind: &str) -> Option<&'d str> {
    let conditions = at(definition, &["status", "conditions"])?.as_array()?;
    conditions.iter().find(|c| c["type"] == kind)?["status"].as_str()
}

fn set_condition(definition: &mut Value, kind: &str, status: &str, reason: &str, message: &str, now: Timestamp) {
    let list = child_mut(definition, "status")
        .entry("conditions")
        .or_insert_with(|| json!([]));
    if !list.is_array() {
        *list = json!([]);
    }
    let entry = json!({
        "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": time(now),
    });
    let Some(list) = list.as_array_mut() else { return };
    match list.iter_mut().find(|c| c["type"] == kind) {
        Some(found) if found["status"] == status && found["reason"] == reason => {}
        Some(found) => *found = entry,
        None => list.push(entry),
    }
}

/// Sets the status of a definition whose names are accepted, or not.
fn accept(definition: &mut Value, conflict: Option<&str>, now: Timestamp) {
    match conflict {
        None => {
            let names = definition["spec"]["names"].clone();
            child_mut(definition, "status").insert("acceptedNames".into(), names);
            set_condition(
                definition,
                "NamesAccepted",
                "True",
                "NoConflicts",
                "no conflicts found",
                now,
            );
            let message = "the initial names have been accepted";
            set_condition(definition, "Established", "True", "InitialNamesAccepted", message, now);
        }
        Some(name) => {
            let message = format!("{name:?} is already in use");
            set_condition(definition, "NamesAccepted", "False", "NameConflict", &message, now);
            if condition(definition, "Established") != Some("True") {
                let message = "not all names are accepted";
                set_condition(definition, "Established", "False", "NotAccepted", message, now);
            }
        }
    }
}

/// What a definition leaves out: some of its names, how versions are converted.
pub(crate) fn complete(definition: &mut Value) {
    let spec = child_mut(definition, "spec");
    spec.entry("conversion").or_insert_with(|| json!({"strategy": "None"}));
    if let Some(names) = spec.get_mut("names") {
        let kind = text(names, &["kind"]).to_owned();
        let names = crate::fields::as_map(names);
        names.entry("listKind").or_insert_with(|| json!(format!("{kind}List")));
        names.entry("singular").or_insert_with(|| json!(kind.to_lowercase()));
    }
}

/// A new definition stores what it names for storing.
pub(crate) fn prepare(definition: &mut Value) {
    let versions = at(definition, &["spec", "versions"])
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let mut stored: Vec<Value> = versions
        .filter(|v| v["storage"] == true)
        .map(|v| v["name"].clone())
        .collect();
    stored.dedup();
    child_mut(definition, "status").insert("storedVersions".into(), json!(stored));
}

/// The condition of a definition that is being deleted.
pub(crate) fn mark_terminating(definition: &mut Value, now: Timestamp) {
    let message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
    set_condition(
        definition,
        "Terminating",
        "True",
        "InstanceDeletionPending",
        message,
        now,
    );
}

/// The types a definition serves.
fn types(definition: &Value) -> Vec<ResourceType> {
    let spec = &definition["spec"];
    let names = &spec["names"];
    let accepted = &definition["status"]["acceptedNames"];
    let list = |field: &str| -> Vec<String> {
        let values = accepted[field].as_array().into_iter().flatten();
        values.filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let group = text(spec, &["group"]);
    let versions = spec["versions"].as_array().cloned().unwrap_or_default();
    let stored = versions
        .iter()
        .find(|v| v["storage"] == true)
        .map(|v| text(v, &["name"]))
        .unwrap_or_default();
    versions
        .iter()
        .filter(|v| v["served"] == true)
        .map(|version| ResourceType {
            group: group.to_owned(),
            version: text(version, &["name"]).to_owned(),
            kind: text(names, &["kind"]).to_owned(),
            response: (String::new(), String::new()),
            plural: text(names, &["plural"]).to_owned(),
            singular: text(names, &["singular"]).to_owned(),
            namespaced: text(spec, &["scope"]) == "Namespaced",
            short_names: list("shortNames"),
            categories: list("categories"),
            verbs: [
                "delete",
                "deletecollection",
                "get",
                "list",
                "patch",
                "create",
                "update",
                "watch",
            ]
            .map(str::to_owned)
            .to_vec(),
            subresources: subresources(version, text(names, &["kind"])),
            storage: GroupResource::new(group, text(names, &["plural"])),
            storage_version: api_version(group, stored),
            custom: true,
        })
        .collect()
}

fn subresources(version: &Value, kind: &str) -> Vec<Subresource> {
    let entry = |name: &str, group: &str, version: &str, kind: &str| Subresource {
        name: name.to_owned(),
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        verbs: ["get", "patch", "update"].map(str::to_owned).to_vec(),
    };
    let mut out = Vec::new();
    if at(version, &["subresources", "status"]).is_some() {
        out.push(entry("status", "", "", kind));
    }
    if at(version, &["subresources", "scale"]).is_some() {
        out.push(entry("scale", "autoscaling", "v1", "Scale"));
    }
    out
}
