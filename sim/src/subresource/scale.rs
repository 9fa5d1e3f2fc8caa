//! `scale`: one number of a workload, in a form of its own.

use serde_json::{Value, json};

use crate::fields::{as_map, at, meta, metadata_mut, text};
use crate::request::{Body, Response};
use crate::selector::LabelSelector;
use crate::status::{ApiError, Cause};
use crate::verbs::{Change, PatchType};
use crate::world::{Call, World};

/// Where a kind keeps its number, its count and its selector.
struct Paths {
    spec: Vec<String>,
    status: Vec<String>,
    selector: Option<Vec<String>>,
}

fn steps(path: &str) -> Vec<String> {
    path.trim_start_matches('.').split('.').map(str::to_owned).collect()
}

fn keys(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

impl World {
    /// A request to `scale`.
    pub(super) fn scale(&mut self, call: &mut Call<'_>) -> Result<Response, ApiError> {
        let old = self.stored(call)?;
        let paths = self.scale_paths(call)?;
        let shown = scale_of(call, &paths, &old);
        let sent = match call.verb {
            "get" => {
                self.check_replicas(call, &paths, &old)?;
                return Ok(Response::json(200, shown));
            }
            "update" => {
                call.check_write_options("UpdateOptions")?;
                let sent = call.object("autoscaling", "v1", "Scale")?;
                if meta(&sent, "name") != call.name {
                    return Err(ApiError::bad_request(format!(
                        "the name of the object ({}) does not match the name on the URL ({})",
                        meta(&sent, "name"),
                        call.name
                    )));
                }
                sent
            }
            _ => {
                let kind = PatchType::of(call)?;
                call.check_write_options("PatchOptions")?;
                if kind == PatchType::Apply && call.resource.custom {
                    let text = "the body of the request was in an unknown format - accepted media types include: \
                                application/json-patch+json, application/merge-patch+json";
                    return Err(ApiError::new(415, "UnsupportedMediaType", text));
                }
                if kind == PatchType::Apply {
                    return self.apply_scale(call, &paths);
                }
                let mut sent = self.patched_scale(call, kind, &shown)?;
                if meta(&sent, "resourceVersion") == meta(&shown, "resourceVersion") {
                    metadata_mut(&mut sent).remove("resourceVersion");
                }
                sent
            }
        };
        let object = self.set_scale(call, &paths, &old, &sent)?;
        Ok(Response::json(200, scale_of(call, &paths, &object)))
    }

    /// A custom object that lacks the number has no scale to read.
    fn check_replicas(&self, call: &Call<'_>, paths: &Paths, object: &Value) -> Result<(), ApiError> {
        if !call.resource.custom || at(object, &keys(&paths.spec)).is_some() {
            return Ok(());
        }
        let path = format!(".{}", paths.spec.join("."));
        Err(ApiError::internal(&format!(
            "the spec replicas field {path:?} does not exist"
        )))
    }

    fn patched_scale(&self, call: &Call<'_>, kind: PatchType, shown: &Value) -> Result<Value, ApiError> {
        // A Scale has no lists, so a strategic patch of it is a merge patch.
        let kind = if kind == PatchType::Strategic {
            PatchType::Merge
        } else {
            kind
        };
        self.patched(call, kind, shown)
    }

    fn set_scale(&mut self, call: &mut Call<'_>, paths: &Paths, old: &Value, sent: &Value) -> Result<Value, ApiError> {
        let version = meta(sent, "resourceVersion");
        if !version.is_empty() && version != meta(old, "resourceVersion") {
            return Err(ApiError::modified(
                &call.resource.group,
                &call.resource.plural,
                &call.name,
            ));
        }
        let replicas = sent["spec"]["replicas"].as_i64().unwrap_or(0);
        if replicas < 0 {
            let message = format!("Invalid value: {replicas}: must be greater than or equal to 0");
            let cause = Cause::field("FieldValueInvalid", "spec.replicas", message);
            return Err(ApiError::invalid("autoscaling", "Scale", &call.name, vec![cause]));
        }
        let mut object = old.clone();
        put(&mut object, &paths.spec, json!(replicas));
        metadata_mut(&mut object).remove("resourceVersion");
        // Nobody comes to own the number of a custom object by scaling it: the real server does not track that.
        let how = if call.resource.custom {
            Change::Apply
        } else {
            Change::Update
        };
        self.replace(call, object, how)
    }

    /// Server-side apply of a scale is one of the object, with nothing in it but the number.
    fn apply_scale(&mut self, call: &mut Call<'_>, paths: &Paths) -> Result<Response, ApiError> {
        let sent = crate::world::yaml(&call.raw_body())
            .map_err(|why| ApiError::bad_request(format!("error decoding YAML: {why}")))?;
        let mut config = json!({
            "apiVersion": call.resource.api_version(), "kind": call.resource.kind, "metadata": {"name": call.name},
        });
        put(&mut config, &paths.spec, sent["spec"]["replicas"].clone());
        let mut request = call.request.clone();
        request.body = Body::Json(config);
        call.verb = "apply";
        let mut inner = call.with_body(&request);
        let answer = self.apply(&mut inner)?;
        call.warnings.append(&mut inner.warnings);
        Ok(Response::json(answer.code, scale_of(call, paths, answer.value())))
    }

    fn scale_paths(&self, call: &Call<'_>) -> Result<Paths, ApiError> {
        if !call.resource.custom {
            return Ok(Paths {
                spec: steps("spec.replicas"),
                status: steps("status.replicas"),
                selector: None,
            });
        }
        let version = self
            .definition_version(&call.resource)
            .ok_or_else(ApiError::unknown_path)?;
        let scale = &version["subresources"]["scale"];
        let selector = text(scale, &["labelSelectorPath"]);
        Ok(Paths {
            spec: steps(text(scale, &["specReplicasPath"])),
            status: steps(text(scale, &["statusReplicasPath"])),
            selector: (!selector.is_empty()).then(|| steps(selector)),
        })
    }
}

fn put(object: &mut Value, path: &[String], value: Value) {
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    let mut at = object;
    for key in parents {
        at = as_map(at).entry(key.clone()).or_insert_with(|| json!({}));
    }
    as_map(at).insert(last.clone(), value);
}

fn scale_of(call: &Call<'_>, paths: &Paths, object: &Value) -> Value {
    let spec = at(object, &keys(&paths.spec)).and_then(Value::as_i64);
    let mut metadata = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object["metadata"].get(field) {
            metadata[field] = value.clone();
        }
    }
    let mut status = json!({"replicas": at(object, &keys(&paths.status)).and_then(Value::as_i64).unwrap_or(0)});
    let selector = match &paths.selector {
        Some(path) => text(object, &keys(path)).to_owned(),
        None if call.resource.custom => String::new(),
        None => selector_text(&object["spec"]["selector"]),
    };
    if !selector.is_empty() {
        status["selector"] = json!(selector);
    }
    let mut spec_value = json!({});
    if let Some(replicas) = spec.filter(|n| *n != 0) {
        spec_value["replicas"] = json!(replicas);
    }
    json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec_value, "status": status})
}

fn selector_text(selector: &Value) -> String {
    let labels = selector.get("matchLabels").is_some() || selector.get("matchExpressions").is_some();
    let selector = if labels {
        LabelSelector::from_value(selector)
    } else {
        Some(LabelSelector::from_labels(selector))
    };
    selector.map(|s| s.to_string()).unwrap_or_default()
}
