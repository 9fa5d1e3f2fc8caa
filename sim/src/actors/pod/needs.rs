//! What a Pod needs from its namespace before it can run.

use serde_json::Value;

use super::super::build::{CLAIMS, CONFIG_MAPS, SECRETS};
use super::super::controller::View;
use crate::store::ObjectName;
use crate::{at, meta, text};

/// Something that is not there.
pub(super) struct Missing {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// The message about a claim that is not bound, if there is one.
pub(super) fn unbound_claim(pod: &Value, view: &View<'_>) -> Option<String> {
    let volumes = at(pod, &["spec", "volumes"])?.as_array()?;
    volumes.iter().find_map(|volume| {
        let claim = at(volume, &["persistentVolumeClaim", "claimName"])?.as_str()?;
        match view.object(&CLAIMS.stored(), &ObjectName::new(meta(pod, "namespace"), claim)) {
            Some(object) if text(object, &["status", "phase"]) == "Bound" => None,
            Some(_) => Some("pod has unbound immediate PersistentVolumeClaims".to_owned()),
            None => Some(format!("persistentvolumeclaim \"{claim}\" not found")),
        }
    })
}

/// The first ConfigMap or Secret that a volume or a container needs and that is not there.
pub(super) fn missing(pod: &Value, view: &View<'_>) -> Option<Missing> {
    let list = |path: &[&str]| at(pod, path).and_then(Value::as_array).into_iter().flatten();
    let volumes = list(&["spec", "volumes"]).find_map(|volume| {
        let found = absent(pod, view, volume.get("configMap"), "name", false)
            .or_else(|| absent(pod, view, volume.get("secret"), "secretName", true))?;
        let name = text(volume, &["name"]);
        Some(Missing {
            reason: "ContainerCreating",
            message: format!("MountVolume.SetUp failed for volume \"{name}\" : {found}"),
        })
    });
    volumes.or_else(|| {
        let containers = list(&["spec", "initContainers"]).chain(list(&["spec", "containers"]));
        let found = containers
            .flat_map(references)
            .find_map(|(reference, secret)| absent(pod, view, Some(reference), "name", secret))?;
        Some(Missing {
            reason: "CreateContainerConfigError",
            message: found,
        })
    })
}

/// References of a container's environment: `(reference, is a Secret)`.
fn references(container: &Value) -> Vec<(&Value, bool)> {
    let list = |field: &str| container.get(field).and_then(Value::as_array).into_iter().flatten();
    let whole = list("envFrom").flat_map(|source| {
        let kinds = [("configMapRef", false), ("secretRef", true)];
        kinds
            .into_iter()
            .filter_map(|(field, secret)| Some((source.get(field)?, secret)))
    });
    let single = list("env").flat_map(|variable| {
        let kinds = [("configMapKeyRef", false), ("secretKeyRef", true)];
        kinds
            .into_iter()
            .filter_map(|(field, secret)| Some((at(variable, &["valueFrom", field])?, secret)))
    });
    whole.chain(single).collect()
}

fn absent(pod: &Value, view: &View<'_>, reference: Option<&Value>, field: &str, secret: bool) -> Option<String> {
    let reference = reference?;
    if reference.get("optional").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let name = reference.get(field)?.as_str()?;
    let (api, word) = if secret {
        (SECRETS, "secret")
    } else {
        (CONFIG_MAPS, "configmap")
    };
    match view.object(&api.stored(), &ObjectName::new(meta(pod, "namespace"), name)) {
        Some(_) => None,
        None => Some(format!("{word} \"{name}\" not found")),
    }
}
