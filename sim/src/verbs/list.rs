//! `list` and the start of a `watch`: selectors, pages, versions.
//!
//! A continue token holds the revision of the first page and the last name, so every page is of one snapshot; a page of a snapshot
//! that is compacted is 410 with a token for an inconsistent rest, as the real server gives.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::fields::{at, meta, revision, text};
use crate::registry::ResourceType;
use crate::request::{Answer, Response};
use crate::selector::{FieldSelector, LabelSelector};
use crate::status::{ApiError, Cause};
use crate::store::ObjectName;
use crate::world::{Call, Form, Watch, World};

/// Which objects of a resource a list, watch or deletion is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    pub(crate) namespace: Option<String>,
    /// The only name, when the path gives one.
    pub(crate) name: Option<String>,
    pub(crate) labels: LabelSelector,
    pub(crate) fields: FieldSelector,
}

impl Selection {
    /// Whether an object is selected.
    pub(crate) fn matches(&self, name: &ObjectName, object: &Value) -> bool {
        self.namespace.as_ref().is_none_or(|n| *n == name.namespace)
            && self.name.as_ref().is_none_or(|n| *n == name.name)
            && self.labels.matches(object)
            && (self.fields.is_empty() || self.fields.matches(|key| field(object, key)))
    }
}

/// Where a page begins.
struct Page {
    revision: u64,
    after: Option<ObjectName>,
    limit: usize,
}

impl World {
    /// `list`.
    pub(crate) fn list(&mut self, call: &mut Call<'_>) -> Result<Response, ApiError> {
        let form = accepted(call)?;
        let selection = self.selection(call)?;
        let page = self.page(call)?;
        let objects = self
            .store
            .objects_at(&call.resource.storage, selection.namespace.as_deref(), page.revision)
            .map_err(|_| {
                if page.after.is_some() {
                    continue_expired()
                } else {
                    ApiError::new(410, "Expired", "The resourceVersion for the provided list is too old.")
                }
            })?;
        let after = page.after.as_ref();
        let mut selected = objects
            .into_iter()
            .filter(|(name, object)| after.is_none_or(|a| name > a) && selection.matches(name, object));
        let items: Vec<(ObjectName, Arc<Value>)> = selected.by_ref().take(page.limit).collect();
        let rest = selected.count();
        let mut metadata = Map::new();
        metadata.insert("resourceVersion".into(), json!(page.revision.to_string()));
        if rest > 0
            && let Some((last, _)) = items.last()
        {
            metadata.insert("continue".into(), json!(token(page.revision, last)));
            if selection.labels.is_empty() && selection.fields.is_empty() {
                metadata.insert("remainingItemCount".into(), json!(rest));
            }
        }
        if call.resource.custom && form == Form::Whole {
            metadata.entry("continue").or_insert_with(|| json!(""));
        }
        let items = items.into_iter().map(|(_, object)| Value::clone(&object)).collect();
        Ok(Response::json(200, self.list_of(call, form, items, metadata)))
    }

    /// A list object in a form.
    pub(crate) fn list_of(
        &self,
        call: &Call<'_>,
        form: Form,
        items: Vec<Value>,
        metadata: Map<String, Value>,
    ) -> Value {
        let resource = &call.resource;
        let mut items: Vec<Value> = items.into_iter().map(|object| self.served(resource, object)).collect();
        match form {
            Form::Table(include) => self.table(call.now, resource, &items, (Some(metadata), include), true),
            Form::Metadata => {
                let items: Vec<Value> = items
                    .into_iter()
                    .map(|o| self.formed(call.now, resource, form, o, true))
                    .collect();
                json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "items": items})
            }
            Form::Whole => {
                if !resource.custom {
                    for map in items.iter_mut().filter_map(Value::as_object_mut) {
                        map.remove("kind");
                        map.remove("apiVersion");
                    }
                }
                json!({"kind": self.list_kind(resource), "apiVersion": resource.api_version(), "metadata": metadata, "items": items})
            }
        }
    }

    /// `watch`.
    pub(crate) fn watch(&mut self, call: &mut Call<'_>) -> Result<Response, ApiError> {
        let form = accepted(call)?;
        let selection = self.selection(call)?;
        let initial = self.check_watch(call)?;
        let text = call.request.parameter("resourceVersion").unwrap_or_default();
        let asked: u64 = match text {
            "" | "0" => 0,
            text => text.parse().map_err(|_| ApiError::plain(bad_version(text)))?,
        };
        let now = self.store.revision();
        let mut events = VecDeque::new();
        let wants_initial = initial.unwrap_or(asked == 0);
        if !wants_initial && asked > 0 {
            self.check_reach(call, asked)?;
        }
        if wants_initial {
            let objects = self
                .store
                .objects(&call.resource.storage, selection.namespace.as_deref());
            let selected = objects.filter(|(name, object)| selection.matches(name, object));
            events.extend(selected.map(|(_, object)| json!({"type": "ADDED", "object": **object})));
            if initial == Some(true) && call.request.flag("allowWatchBookmarks") {
                events.push_back(crate::world::bookmark(&call.resource, now, true));
            }
        }
        let seconds = call
            .request
            .parameter("timeoutSeconds")
            .and_then(|s| s.parse::<u64>().ok())
            .filter(|s| *s > 0);
        let timeout = Duration::from_secs(seconds.unwrap_or_else(|| 1800 + self.random.below(1800)));
        let id = self.register_watch(Watch {
            resource: call.resource.clone(),
            selection,
            form,
            cursor: if wants_initial || asked == 0 { now } else { asked },
            initial: events,
            bookmarks: call.request.flag("allowWatchBookmarks"),
            next_bookmark: Watch::first_bookmark(call.now),
            deadline: call.now + timeout,
            held_until: None,
            ended: false,
            headed: false,
        });
        let mut response = Response::json(200, Value::Null);
        response.body = Answer::Watch(id);
        Ok(response)
    }

    /// A version from the future is a timeout, one that is compacted ends the stream in band: nothing to refuse here but the former.
    fn check_reach(&self, call: &Call<'_>, asked: u64) -> Result<(), ApiError> {
        if asked > self.store.revision() {
            return Err(too_large(&call.resource, asked, self.store.revision()));
        }
        Ok(())
    }

    /// Checks the version options of a watch; gives `sendInitialEvents`.
    fn check_watch(&self, call: &Call<'_>) -> Result<Option<bool>, ApiError> {
        let initial = call
            .request
            .parameter("sendInitialEvents")
            .map(|v| v == "true" || v == "1");
        let matching = call.request.parameter("resourceVersionMatch").unwrap_or_default();
        let forbidden = |field: &str, text: &str| {
            let cause = Cause::field("FieldValueForbidden", field, format!("Forbidden: {text}"));
            ApiError::invalid("meta.k8s.io", "ListOptions", "", vec![cause])
        };
        match (initial, matching) {
            (None, "") => Ok(None),
            (None, _) => Err(forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            )),
            (Some(_), "NotOlderThan") => Ok(initial),
            (Some(_), "") => Err(forbidden(
                "resourceVersionMatch",
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            )),
            (Some(_), other) => {
                let text = format!("Unsupported value: {other:?}: supported values: \"NotOlderThan\"");
                let cause = Cause::field("FieldValueNotSupported", "resourceVersionMatch", text);
                Err(ApiError::invalid("meta.k8s.io", "ListOptions", "", vec![cause]))
            }
        }
    }

    /// The selectors of a request.
    pub(crate) fn selection(&self, call: &Call<'_>) -> Result<Selection, ApiError> {
        let labels = call.request.parameter("labelSelector").unwrap_or_default();
        let labels = LabelSelector::parse(labels).map_err(|e| ApiError::bad_request(e.message))?;
        let fields = call.request.parameter("fieldSelector").unwrap_or_default();
        let fields = FieldSelector::parse(fields).map_err(|e| ApiError::bad_request(e.message))?;
        let extra = self.selectable_fields(&call.resource);
        for key in fields.keys() {
            check_field(&call.resource, key, &extra)?;
        }
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        let (namespace, name) = (given(&call.namespace), given(&call.name));
        Ok(Selection {
            namespace,
            name,
            labels,
            fields,
        })
    }

    fn page(&self, call: &Call<'_>) -> Result<Page, ApiError> {
        let newest = self.store.revision();
        let limit = call
            .request
            .parameter("limit")
            .and_then(|l| l.parse::<i64>().ok())
            .unwrap_or(0);
        let limit = usize::try_from(limit).ok().filter(|l| *l > 0).unwrap_or(usize::MAX);
        let version = call.request.parameter("resourceVersion").unwrap_or_default();
        let matching = call.request.parameter("resourceVersionMatch").unwrap_or_default();
        let continued = call.request.parameter("continue").unwrap_or_default();
        check_version_match(version, matching, continued)?;
        if !continued.is_empty() {
            if !matches!(version, "" | "0") {
                return Err(ApiError::bad_request(
                    "specifying resource version is not allowed when using continue",
                ));
            }
            let (revision, after) = read_token(continued)?;
            return Ok(Page {
                revision: if revision == 0 { newest } else { revision },
                after: Some(after),
                limit,
            });
        }
        let asked: u64 = match version {
            "" => 0,
            text => text
                .parse()
                .map_err(|_| ApiError::bad_request(format!("invalid resource version: {}", bad_version(text))))?,
        };
        if asked > newest {
            return Err(too_large(&call.resource, asked, newest));
        }
        let exact = matching == "Exact" || (matching.is_empty() && asked > 0 && limit != usize::MAX);
        Ok(Page {
            revision: if exact { asked } else { newest },
            after: None,
            limit,
        })
    }
}

fn accepted(call: &Call<'_>) -> Result<Form, ApiError> {
    crate::world::accepted(call.request)
}

fn bad_version(text: &str) -> String {
    format!("resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax")
}

fn too_large(resource: &ResourceType, asked: u64, newest: u64) -> ApiError {
    let mut error = ApiError::new(
        504,
        "Timeout",
        format!("Too large resource version: {asked}, current: {newest}"),
    );
    error.details = Some(Box::new(crate::status::Details {
        causes: vec![Cause::field(
            "ResourceVersionTooLarge",
            "",
            "Too large resource version",
        )],
        retry_after_seconds: 1,
        kind: resource.plural.clone(),
        group: resource.group.clone(),
        ..Default::default()
    }));
    error
}

fn check_version_match(version: &str, matching: &str, continued: &str) -> Result<(), ApiError> {
    let cause = match matching {
        "" => return Ok(()),
        _ if !continued.is_empty() => (
            "FieldValueForbidden",
            "Forbidden: resourceVersionMatch is forbidden when continue is provided".to_owned(),
        ),
        _ if version.is_empty() => (
            "FieldValueForbidden",
            "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided".to_owned(),
        ),
        "Exact" if version == "0" => (
            "FieldValueForbidden",
            "Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"".to_owned(),
        ),
        "Exact" | "NotOlderThan" => return Ok(()),
        other => (
            "FieldValueNotSupported",
            format!("Unsupported value: {other:?}: supported values: \"Exact\", \"NotOlderThan\", \"\""),
        ),
    };
    let cause = Cause::field(cause.0, "resourceVersionMatch", cause.1);
    Err(ApiError::invalid("meta.k8s.io", "ListOptions", "", vec![cause]))
}

fn token(revision: u64, last: &ObjectName) -> String {
    let start = if last.namespace.is_empty() {
        last.name.clone()
    } else {
        format!("{}/{}", last.namespace, last.name)
    };
    let text = json!({"v": "meta.k8s.io/v1", "rv": revision, "start": format!("{start}\u{0}")}).to_string();
    URL_SAFE_NO_PAD.encode(text)
}

fn read_token(token: &str) -> Result<(u64, ObjectName), ApiError> {
    let invalid = |why: &str| ApiError::bad_request(format!("continue key is not valid: {why}"));
    let bytes = URL_SAFE_NO_PAD
        .decode(token)
        .map_err(|_| invalid("illegal base64 data"))?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|e| invalid(&e.to_string()))?;
    if text(&value, &["v"]) != "meta.k8s.io/v1" {
        return Err(invalid("server does not recognize this encoded version"));
    }
    let start = text(&value, &["start"]).trim_end_matches('\u{0}');
    let (namespace, name) = start.split_once('/').unwrap_or(("", start));
    let revision = value["rv"]
        .as_u64()
        .ok_or_else(|| invalid("incorrect encoded start resourceVersion"))?;
    Ok((revision, ObjectName::new(namespace, name)))
}

fn continue_expired() -> ApiError {
    ApiError::new(
        410,
        "Expired",
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the \
         continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with \
         the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the \
         first chunk was returned and now may show up in the list.",
    )
}

/// Fields besides name and namespace that a kind can be selected by.
fn kind_fields(resource: &ResourceType) -> &'static [&'static str] {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        ("" | "events.k8s.io", "events") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("", "secrets") => &["type"],
        ("", "namespaces") => &["status.phase", "name"],
        ("", "nodes") => &["spec.unschedulable"],
        ("", "services") => &["spec.clusterIP", "spec.type"],
        ("", "replicationcontrollers") | ("apps", "replicasets") => &["status.replicas"],
        ("batch", "jobs") => &["status.successful"],
        ("certificates.k8s.io", "certificatesigningrequests") => &["spec.signerName"],
        _ => &[],
    }
}

fn check_field(resource: &ResourceType, key: &str, extra: &[String]) -> Result<(), ApiError> {
    let own = kind_fields(resource);
    if matches!(key, "metadata.name" | "metadata.namespace") || own.contains(&key) || extra.iter().any(|f| f == key) {
        return Ok(());
    }
    Err(ApiError::bad_request(if resource.custom || !own.is_empty() {
        format!("field label not supported: {key}")
    } else {
        format!("{key:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
    }))
}

fn field(object: &Value, key: &str) -> String {
    let path: Vec<&str> = match key {
        "status.successful" => vec!["status", "succeeded"],
        "source" => vec!["source", "component"],
        "name" => vec!["metadata", "name"],
        "status.podIPs" => return String::new(),
        key => key.split('.').collect(),
    };
    let value = match at(object, &path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(n)) => n.to_string(),
        Some(Value::Bool(b)) => b.to_string(),
        _ => String::new(),
    };
    match key {
        "spec.unschedulable" | "spec.hostNetwork" if value.is_empty() => "false".into(),
        "status.replicas" | "status.successful" if value.is_empty() => "0".into(),
        _ => value,
    }
}

/// Name of an object from its metadata.
pub(crate) fn name_of(object: &Value) -> ObjectName {
    debug_assert!(revision(object) > 0 || !meta(object, "name").is_empty());
    ObjectName::new(meta(object, "namespace"), meta(object, "name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_back_and_junk_is_refused() {
        let name = ObjectName::new("a", "b");
        assert_eq!(read_token(&token(7, &name)).unwrap(), (7, name));
        assert_eq!(read_token("!!").unwrap_err().code, 400);
    }
}
