//! Rendered manifests to targets: namespace by scope, tracking id, duplicates.

use std::collections::BTreeMap;

use capstan_model::annotations::{INSTALLATION_ID, TRACKING_ID};
use capstan_model::tracking::tracking_id;
use capstan_model::{Blob, Manifest, ResourceKey};
use serde_json::{Map, Value};

use super::{Target, TargetContext, TargetError, Targets};

pub(super) fn prepare(
    manifests: Vec<Manifest>,
    context: &TargetContext,
    source_type: &str,
) -> Result<Targets, TargetError> {
    let mut warnings = Vec::new();
    let mut unnamed = Vec::new();
    let mut named: BTreeMap<ResourceKey, Target> = BTreeMap::new();
    for manifest in manifests {
        warnings.extend(
            manifest
                .meta
                .warnings
                .iter()
                .map(|warning| format!("{}: {warning}", manifest.location)),
        );
        let target = prepare_one(manifest, context)?;
        if target.generate_name.is_some() {
            unnamed.push(target);
            continue;
        }
        match named.get(&target.key) {
            None => drop(named.insert(target.key.clone(), target)),
            Some(first) if first.object.digest() == target.object.digest() => {
                warnings.push(format!(
                    "{} is declared twice, at {} and at {}, alike",
                    target.key, first.location, target.location
                ));
            }
            Some(first) => {
                let (first, second) = (first.location.clone(), target.location);
                return Err(TargetError::Duplicate {
                    key: Box::new(target.key),
                    first,
                    second,
                });
            }
        }
    }
    let objects = named.into_values().chain(unnamed).collect();
    Ok(Targets::complete(objects, source_type.to_owned(), warnings))
}

fn prepare_one(manifest: Manifest, context: &TargetContext) -> Result<Target, TargetError> {
    let Manifest {
        mut value,
        gvk,
        namespace,
        name,
        generate_name,
        meta,
        location,
    } = manifest;
    let generate_name = (name.is_empty() && !generate_name.is_empty()).then_some(generate_name);
    if generate_name.is_some() && meta.is_resource() {
        return Err(TargetError::GenerateName {
            location,
            kind: gvk.kind,
        });
    }
    let namespaced = context.namespaced.get(&gvk.group_kind()).copied();
    // A kind whose scope is not known yet gets the namespace too: it is looked at again once its definition is there.
    let namespace = match namespaced {
        Some(false) => String::new(),
        _ if namespace.is_empty() => context.destination_namespace.clone(),
        _ => namespace,
    };
    let key = ResourceKey::new(&gvk.group, &gvk.kind, namespace, name);
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        set_metadata(metadata, &key, context);
    }
    // What only a server writes is never desired.
    if let Some(object) = value.as_object_mut() {
        object.remove("status");
    }
    Ok(Target {
        object: Blob::new(&value),
        key,
        gvk,
        generate_name,
        namespaced,
        meta,
        location,
    })
}

fn set_metadata(metadata: &mut Map<String, Value>, key: &ResourceKey, context: &TargetContext) {
    for field in [
        "creationTimestamp",
        "managedFields",
        "resourceVersion",
        "uid",
        "generation",
        "selfLink",
    ] {
        metadata.remove(field);
    }
    match key.namespace.as_str() {
        "" => drop(metadata.remove("namespace")),
        namespace => drop(metadata.insert("namespace".into(), namespace.into())),
    }
    let annotations = metadata
        .entry("annotations")
        .or_insert_with(|| Value::Object(Map::new()));
    if annotations.is_null() {
        *annotations = Value::Object(Map::new());
    }
    let Some(annotations) = annotations.as_object_mut() else {
        return;
    };
    annotations.retain(|_, value| !value.is_null());
    let TargetContext {
        application,
        control_namespace,
        destination_namespace,
        installation_id,
        ..
    } = context;
    let id = tracking_id(application, control_namespace, destination_namespace, key);
    annotations.insert(TRACKING_ID.into(), id.into());
    if !installation_id.is_empty() {
        annotations.insert(INSTALLATION_ID.into(), installation_id.as_str().into());
    }
}
