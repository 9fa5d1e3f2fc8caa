//! Which application an object belongs to, by Argo CD's annotation tracking.
//!
//! A tracking id names the application *and* the object it stands on, so that an operator which copies annotations to its children
//! does not make them ours. Label tracking is deliberately absent: a label that charts also set has deleted foreign objects.

use serde_json::Value;

use crate::annotations::TRACKING_ID;
use crate::{ApplicationId, ResourceKey};

/// Tracking id of `key` in `application`: `<app>:<group>/<kind>:<namespace>/<name>`. An application outside the control namespace is
/// named `<namespace>_<name>`; the id of a cluster-scoped object carries the application's destination namespace, as Argo CD's does.
pub fn tracking_id(
    application: &ApplicationId,
    control_namespace: &str,
    destination_namespace: &str,
    key: &ResourceKey,
) -> String {
    let ResourceKey {
        group,
        kind,
        namespace,
        name,
    } = key;
    let namespace = if namespace.is_empty() {
        destination_namespace
    } else {
        namespace
    };
    format!(
        "{}:{group}/{kind}:{namespace}/{name}",
        application_name(application, control_namespace)
    )
}

/// The name by which tracking ids speak of `application`.
pub fn application_name(application: &ApplicationId, control_namespace: &str) -> String {
    match application.namespace == control_namespace {
        true => application.name.clone(),
        false => format!("{}_{}", application.namespace, application.name),
    }
}

/// The application that `object` says it belongs to, if the id on it names the object itself. The namespace in the id of a
/// cluster-scoped object (a key without namespace) is not looked at.
pub fn owner(object: &Value, key: &ResourceKey, control_namespace: &str) -> Option<ApplicationId> {
    let id = object.pointer("/metadata/annotations")?.get(TRACKING_ID)?.as_str()?;
    let (application, rest) = id.split_once(':')?;
    let (kind, place) = rest.split_once(':')?;
    let (namespace, name) = place.split_once('/')?;
    let names_itself = kind == format!("{}/{}", key.group, key.kind)
        && name == key.name
        && (key.namespace.is_empty() || namespace == key.namespace);
    if !names_itself {
        return None;
    }
    Some(match application.split_once('_') {
        Some((namespace, name)) => ApplicationId::new(namespace, name),
        None => ApplicationId::new(control_namespace, application),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_copied_id_is_not_ours() {
        let application = ApplicationId::new("argocd", "shop");
        let key = ResourceKey::new("apps", "Deployment", "prod", "web");
        let id = tracking_id(&application, "argocd", "prod", &key);
        assert_eq!(id, "shop:apps/Deployment:prod/web");
        let object = json!({"metadata": {"annotations": {TRACKING_ID: id}}});
        assert_eq!(owner(&object, &key, "argocd"), Some(application));
        let child = ResourceKey::new("apps", "ReplicaSet", "prod", "web-1");
        assert_eq!(owner(&object, &child, "argocd"), None);
    }

    #[test]
    fn a_cluster_scoped_object_carries_the_destination_namespace() {
        let application = ApplicationId::new("argocd", "shop");
        let key = ResourceKey::new("rbac.authorization.k8s.io", "ClusterRole", "", "reader");
        let id = tracking_id(&application, "argocd", "prod", &key);
        assert_eq!(id, "shop:rbac.authorization.k8s.io/ClusterRole:prod/reader");
        let object = json!({"metadata": {"annotations": {TRACKING_ID: id}}});
        assert_eq!(owner(&object, &key, "argocd"), Some(application));
    }

    #[test]
    fn an_application_of_another_namespace_is_named_with_it() {
        let application = ApplicationId::new("team-a", "shop");
        let key = ResourceKey::new("", "ConfigMap", "prod", "c");
        let id = tracking_id(&application, "argocd", "prod", &key);
        assert_eq!(id, "team-a_shop:/ConfigMap:prod/c");
        let object = json!({"metadata": {"annotations": {TRACKING_ID: id}}});
        assert_eq!(owner(&object, &key, "argocd"), Some(application));
    }
}
