//! The committed definitions are the generated ones, and are structural.

use std::path::Path;

use capstan_kubernetes::crds::definitions;
use serde_json::Value;

#[test]
fn committed_files_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/crds");
    for definition in definitions() {
        let path = folder.join(definition.file);
        let committed = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(
            committed == definition.yaml(),
            "{} is not what is generated: run `cargo run -p capstan-kubernetes --example crds`",
            path.display()
        );
    }
}

/// Rules of structural schemas: every node but one that keeps everything has a type, and every list says of what.
fn structural(path: &str, schema: &Value) {
    let keeps_all = schema.get("x-kubernetes-preserve-unknown-fields").is_some();
    assert!(keeps_all || schema.get("type").is_some(), "{path} has no type");
    if schema["type"] == "array" {
        structural(&format!("{path}[]"), &schema["items"]);
    }
    for (name, field) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        structural(&format!("{path}.{name}"), field);
    }
}

#[test]
fn schemas_are_structural_and_keep_unknown_fields() {
    for definition in definitions() {
        let version = &definition.value["spec"]["versions"][0];
        let schema = &version["schema"]["openAPIV3Schema"];
        structural(definition.file, schema);
        let spec = &schema["properties"]["spec"];
        assert_eq!(
            spec["x-kubernetes-preserve-unknown-fields"], true,
            "{}",
            definition.file
        );
    }
}
