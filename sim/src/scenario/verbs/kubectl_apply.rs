//! `kubectl.apply`: somebody applies a file as `kubectl apply` does without `--server-side`.
//!
//! The client compares what it applied last (the annotation `kubectl.kubernetes.io/last-applied-configuration`) with the file and sends
//! a strategic merge patch (a merge patch to custom resources): what the file has, and `null` for fields that only the annotation has.
//! Deliberately absent: items that leave a list of the annotation. Their removal needs the merge keys of the client's schema; such a
//! file is refused.

use capstan_yaml::{Mode, parse_documents};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{ActionError, Files, Stage, path_of, send, somebody};
use crate::request::{Method, Request};
use crate::scenario::object::ObjectRef;
use crate::{at, metadata_mut};

/// Field manager of `kubectl apply`.
const MANAGER: &str = "kubectl-client-side-apply";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Somebody applies a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KubectlApply {
    /// Which file of the scenario's folder.
    pub file: String,
    /// Who.
    #[serde(default = "somebody")]
    pub by: String,
}

impl KubectlApply {
    /// Applies `file` as `by`.
    pub fn new(file: &str, by: &str) -> Self {
        Self {
            file: file.to_owned(),
            by: by.to_owned(),
        }
    }

    pub(super) fn perform(&self, stage: &mut impl Stage, files: &Files) -> Result<(), ActionError> {
        let text = files.get(&self.file).ok_or_else(|| ActionError::NoFile {
            file: self.file.clone(),
        })?;
        let documents = parse_documents(text, Mode::Kube11).map_err(|error| self.wrong(error.to_string()))?;
        for document in documents.into_iter().filter(|document| !document.value.is_null()) {
            self.apply(stage, document.value)?;
        }
        Ok(())
    }

    fn wrong(&self, reason: String) -> ActionError {
        ActionError::File {
            file: self.file.clone(),
            reason,
        }
    }

    fn apply(&self, stage: &mut impl Stage, mut object: Value) -> Result<(), ActionError> {
        let named = ObjectRef::of(&object);
        let path = path_of(stage, &named)?;
        let applied = format!("{object}\n");
        let annotations = metadata_mut(&mut object)
            .entry("annotations")
            .or_insert_with(|| json!({}));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(LAST_APPLIED.into(), applied.into());
        }
        let live = stage.request(Request::new(Method::Get, &path));
        if live.code == 404 {
            let collection = path
                .rsplit_once('/')
                .map_or(path.as_str(), |(collection, _)| collection);
            let request = Request::json(Method::Post, &format!("{collection}?fieldManager={MANAGER}"), object);
            return send(stage, &self.by, &named, request).map(drop);
        }
        let last = at(live.value(), &["metadata", "annotations", LAST_APPLIED]).and_then(Value::as_str);
        if let Some(last) = last.and_then(|text| serde_json::from_str::<Value>(text).ok()) {
            remove_absent(&mut object, &last).map_err(|field| {
                self.wrong(format!(
                    "{named}: an item leaves the list {field}, which a scenario cannot apply"
                ))
            })?;
        }
        let custom = stage.registry(|registry| {
            registry
                .resources()
                .any(|served| served.kind == named.kind && served.custom)
        });
        let form = match custom {
            true => "application/merge-patch+json",
            false => "application/strategic-merge-patch+json",
        };
        let request = Request::typed(Method::Patch, &format!("{path}?fieldManager={MANAGER}"), form, object);
        send(stage, &self.by, &named, request).map(drop)
    }
}

/// Says `null` for each field that `last` has and `object` has not. Gives the field of a list that has become shorter.
fn remove_absent(object: &mut Value, last: &Value) -> Result<(), String> {
    let (Some(fields), Some(before)) = (object.as_object_mut(), last.as_object()) else {
        return Ok(());
    };
    for (name, old) in before {
        match (fields.get_mut(name), old) {
            (None, _) => drop(fields.insert(name.clone(), Value::Null)),
            (Some(Value::Array(new)), Value::Array(old)) if new.len() < old.len() => return Err(name.clone()),
            (Some(Value::Array(new)), Value::Array(old)) => {
                for (new, old) in new.iter_mut().zip(old) {
                    let kept = |value: &Value| value.as_object().map(Map::len);
                    if kept(new) < kept(old) {
                        return Err(name.clone());
                    }
                }
            }
            (Some(new), old) => remove_absent(new, old)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_left_the_file_are_removed() {
        let mut object = json!({"data": {"a": "1"}, "spec": {"x": {"y": 1}}});
        let last = json!({"data": {"a": "0", "b": "2"}, "spec": {"x": {"z": 1}}, "immutable": true});
        remove_absent(&mut object, &last).unwrap();
        assert_eq!(
            object,
            json!({"data": {"a": "1", "b": null}, "spec": {"x": {"y": 1, "z": null}}, "immutable": null})
        );
        let shorter = remove_absent(&mut json!({"ports": [1]}), &json!({"ports": [1, 2]}));
        assert_eq!(shorter, Err("ports".to_owned()));
    }
}
