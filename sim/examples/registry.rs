//! Writes the table of built-in types (`sim/src/registry/builtin.json`) out of a real API server's aggregated discovery.
//!
//! Given two files, the answers to `GET /api` and `GET /apis` with
//! `Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList`:
//! `cargo run -p capstan-sim --example registry -- api.json apis.json > sim/src/registry/builtin.json`

use serde_json::{Map, Value, json};

#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program, not the world"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut versions = Vec::new();
    for path in std::env::args().skip(1) {
        let document: Value = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
        for group in items(&document["items"]) {
            for version in items(&group["versions"]) {
                versions.push(lines(group, version));
            }
        }
    }
    println!("[\n{}\n]", versions.join(",\n"));
    Ok(())
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A version with its resources, a line each.
fn lines(group: &Value, version: &Value) -> String {
    let name = group["metadata"]["name"].as_str().unwrap_or_default();
    let resources: Vec<String> = items(&version["resources"])
        .map(|r| format!("  {}", resource(r)))
        .collect();
    format!(
        "{{\"group\": {:?}, \"version\": {}, \"resources\": [\n{}\n]}}",
        name,
        version["version"],
        resources.join(",\n")
    )
}

fn resource(from: &Value) -> Value {
    let mut out = Map::new();
    let kind = &from["responseKind"];
    out.insert("plural".into(), from["resource"].clone());
    out.insert("kind".into(), kind["kind"].clone());
    out.insert("singular".into(), from["singularResource"].clone());
    out.insert("namespaced".into(), json!(from["scope"] == "Namespaced"));
    out.insert("verbs".into(), from["verbs"].clone());
    if kind["group"] != "" || kind["version"] != "" {
        out.insert("responseGroup".into(), kind["group"].clone());
        out.insert("responseVersion".into(), kind["version"].clone());
    }
    for list in ["shortNames", "categories"] {
        if let Some(found) = from.get(list) {
            out.insert(list.into(), found.clone());
        }
    }
    let subresources: Vec<Value> = items(&from["subresources"])
        .map(|s| {
            let kind = &s["responseKind"];
            json!({
                "name": s["subresource"], "group": kind["group"], "version": kind["version"], "kind": kind["kind"], "verbs": s["verbs"],
            })
        })
        .collect();
    if !subresources.is_empty() {
        out.insert("subresources".into(), json!(subresources));
    }
    Value::Object(out)
}
