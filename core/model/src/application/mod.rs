//! Argo CD's `Application`, `argoproj.io/v1alpha1`, unchanged.

mod operation;
mod retry;
mod spec;
mod status;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use operation::*;
pub use retry::*;
pub use spec::*;
pub use status::*;

use crate::{ApplicationId, Timestamp};

/// The finalizers by which an Application asks for its objects to be deleted with it.
pub const RESOURCES_FINALIZER: &str = "resources-finalizer.argocd.argoproj.io";
/// Finalizer of [`RESOURCES_FINALIZER`] that asks for background propagation.
pub const RESOURCES_FINALIZER_BACKGROUND: &str = "resources-finalizer.argocd.argoproj.io/background";
/// Finalizer of [`RESOURCES_FINALIZER`] that asks for foreground propagation.
pub const RESOURCES_FINALIZER_FOREGROUND: &str = "resources-finalizer.argocd.argoproj.io/foreground";

/// The finalizer that stands as long as `PreDelete` hooks are to be run. With `/cleanup`: as long as they are to be cleaned up.
pub const PRE_DELETE_FINALIZER: &str = "pre-delete-finalizer.argocd.argoproj.io";
/// The finalizer that stands as long as `PostDelete` hooks are to be run. With `/cleanup`: as long as they are to be cleaned up.
pub const POST_DELETE_FINALIZER: &str = "post-delete-finalizer.argocd.argoproj.io";

/// The parts of `metadata` that the controller reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Identity over the object's life; empty before it is created.
    pub uid: String,
    /// Version of the object, opaque.
    pub resource_version: String,
    /// Version of its spec.
    pub generation: i64,
    /// Annotations.
    pub annotations: std::collections::BTreeMap<String, String>,
    /// Labels.
    pub labels: std::collections::BTreeMap<String, String>,
    /// Finalizers.
    pub finalizers: Vec<String>,
    /// Set when it is being deleted.
    pub deletion_timestamp: Option<Timestamp>,
    /// When it was created.
    pub creation_timestamp: Option<Timestamp>,
    /// Who wrote its annotation `deletion-approved` last, and when: the field manager, as the API server keeps it. Empty where that is not known.
    #[serde(skip)]
    pub approved_by: String,
}

/// One Application as read from the control cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Application {
    /// Its metadata.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: ApplicationSpec,
    /// What was last written about it.
    pub status: ApplicationStatus,
    /// A sync that somebody asks for; taken up and removed by the controller.
    pub operation: Option<Operation>,
}

/// An Application that cannot be understood. The others go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidApplication {
    /// A field has the wrong type.
    #[error("{field}: {reason}")]
    Malformed {
        /// Path of the field, such as `spec.syncPolicy.retry.limit`.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A required field is absent or empty.
    #[error("{field} is required: {hint}")]
    Missing {
        /// Path of the field.
        field: &'static str,
        /// What to write there.
        hint: &'static str,
    },
    /// Two fields exclude each other.
    #[error("{first} and {second} exclude each other: {hint}")]
    Conflicting {
        /// Path of one field.
        first: &'static str,
        /// Path of the other.
        second: &'static str,
        /// Which to keep.
        hint: &'static str,
    },
    /// A value that is refused.
    #[error("{field}: {value:?} is refused: {reason}")]
    Refused {
        /// Path of the field.
        field: &'static str,
        /// What was written.
        value: String,
        /// Why, and what to write instead.
        reason: String,
    },
}

impl Application {
    /// Reads a whole Application object. A malformed `status` never makes an Application invalid: it is rebuilt.
    pub fn parse(object: &Value) -> Result<Self, InvalidApplication> {
        let field = |name: &str| object.get(name).cloned().unwrap_or(Value::Null);
        let metadata = Metadata {
            approved_by: writer_of(object, crate::annotations::DELETION_APPROVED).unwrap_or_default(),
            ..decode("metadata", field("metadata"))?
        };
        let application = Self {
            metadata,
            spec: decode("spec", field("spec"))?,
            operation: decode("operation", field("operation"))?,
            status: status(object),
        };
        application.spec.validate()?;
        Ok(application)
    }

    /// Of an object that cannot be understood, what can be: all of it but the spec.
    pub fn readable(object: &Value) -> Self {
        let field = |name: &str| object.get(name).cloned().unwrap_or(Value::Null);
        let metadata: Metadata = decode("metadata", field("metadata")).unwrap_or_else(|_| {
            let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
            Metadata {
                name: text("name"),
                namespace: text("namespace"),
                uid: text("uid"),
                resource_version: text("resourceVersion"),
                ..Metadata::default()
            }
        });
        Self {
            metadata,
            spec: ApplicationSpec::default(),
            operation: decode("operation", field("operation")).unwrap_or_default(),
            status: status(object),
        }
    }

    /// Its identity.
    pub fn id(&self) -> ApplicationId {
        ApplicationId::new(&self.metadata.namespace, &self.metadata.name)
    }

    /// What an annotation says; empty where it is not there.
    pub fn annotation(&self, name: &str) -> &str {
        self.metadata.annotations.get(name).map_or("", String::as_str)
    }

    /// Is it to be left alone (`argocd.argoproj.io/skip-reconcile: "true"`)? What is no boolean counts as not written, as in Argo CD.
    pub fn skips_reconcile(&self) -> bool {
        parse_bool(self.annotation(crate::annotations::SKIP_RECONCILE)) == Some(true)
    }

    /// Does deleting it delete its objects?
    pub fn cascades(&self) -> bool {
        self.metadata.finalizers.iter().any(|name| is_resources_finalizer(name))
    }
}

/// Is it one of the three by which an Application asks for its objects to go with it? No other that begins like them is: what nobody knows deletes
/// nothing, and is not ours to take off.
pub fn is_resources_finalizer(name: &str) -> bool {
    [
        RESOURCES_FINALIZER,
        RESOURCES_FINALIZER_BACKGROUND,
        RESOURCES_FINALIZER_FOREGROUND,
    ]
    .contains(&name)
}

/// Is it one of those that stand for the hooks of a deletion?
pub fn is_hook_finalizer(name: &str) -> bool {
    let name = name.strip_suffix("/cleanup").unwrap_or(name);
    [PRE_DELETE_FINALIZER, POST_DELETE_FINALIZER].contains(&name)
}

/// What cannot be read was never written: it is rebuilt.
fn status(object: &Value) -> ApplicationStatus {
    let status = object.get("status").cloned().unwrap_or(Value::Null);
    let Ok(status) = serde_json::from_value(status) else {
        return ApplicationStatus::default();
    };
    let verdicts = ["/status/sync/status", "/status/health/status"];
    ApplicationStatus {
        lacks_verdicts: verdicts.iter().any(|verdict| object.pointer(verdict).is_none()),
        ..status
    }
}

/// The field manager that wrote an annotation, and when.
fn writer_of(object: &Value, annotation: &str) -> Option<String> {
    let field = format!("f:{annotation}");
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let owns = |entry: &&Value| {
        let annotations = entry.pointer("/fieldsV1/f:metadata/f:annotations");
        annotations.is_some_and(|annotations| annotations.get(&field).is_some())
    };
    let text = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    // Of several who wrote the same, the last one.
    let entry = entries.iter().filter(owns).max_by_key(|entry| text(entry, "time"))?;
    Some(match text(entry, "time").as_str() {
        "" => text(entry, "manager"),
        time => format!("{} at {time}", text(entry, "manager")),
    })
}

fn decode<T: Default + serde::de::DeserializeOwned>(name: &str, value: Value) -> Result<T, InvalidApplication> {
    if value.is_null() {
        return Ok(T::default());
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." {
            name.to_owned()
        } else {
            format!("{name}.{path}")
        };
        InvalidApplication::Malformed {
            field,
            reason: error.into_inner().to_string(),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patient_portal() -> Value {
        json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "patient-portal", "namespace": "argocd"},
            "spec": {
                "project": "healthcare",
                "source": {
                    "repoURL": "https://github.com/commitx/infra.git",
                    "targetRevision": "main",
                    "path": "services/patient-portal",
                    "helm": {"valueFiles": ["values-prod.yaml"]}
                },
                "destination": {"server": "https://kubernetes.default.svc", "namespace": "production"},
                "syncPolicy": {
                    "automated": {"prune": true, "selfHeal": true},
                    "syncOptions": ["CreateNamespace=true"]
                }
            }
        })
    }

    #[test]
    fn reads_argo_cds_manifest() {
        let application = Application::parse(&patient_portal()).unwrap();
        let policy = &application.spec.sync_policy;
        assert!(policy.automated.as_ref().unwrap().prune && policy.automated.as_ref().unwrap().self_heal);
        assert_eq!(policy.options().create_namespace, Some(true));
        assert_eq!(application.spec.sources()[0].path, "services/patient-portal");
    }

    #[test]
    fn a_wrong_type_names_its_field() {
        let mut object = patient_portal();
        object["spec"]["syncPolicy"]["automated"]["prune"] = json!("yes");
        let error = Application::parse(&object).unwrap_err().to_string();
        assert!(error.starts_with("spec.syncPolicy.automated.prune: "), "{error}");
    }

    #[test]
    fn garbage_in_status_is_forgotten() {
        let mut object = patient_portal();
        object["status"] = json!({"sync": 3, "operationState": ["x"]});
        assert_eq!(
            Application::parse(&object).unwrap().status,
            ApplicationStatus::default()
        );
    }

    #[test]
    fn a_path_that_escapes_is_refused() {
        let mut object = patient_portal();
        object["spec"]["source"]["path"] = json!("services/../../etc");
        assert!(matches!(
            Application::parse(&object),
            Err(InvalidApplication::Refused {
                field: "spec.source.path",
                ..
            })
        ));
    }
}
