//! Services: cluster addresses, node ports and the families they come in.

use serde_json::{Map, Value, json};

use super::word;
use crate::fields::{as_map, child_mut};
use crate::status::ApiError;
use crate::world::World;

/// First and last host number of the service range 10.0.0.0/24 that is given out.
const FIRST_ADDRESS: u64 = 16;
const LAST_ADDRESS: u64 = 254;
const FIRST_PORT: u64 = 30_000;
const LAST_PORT: u64 = 32_767;

/// What an update that leaves it out keeps: the addresses and the ports that were given.
pub(super) fn keep(old: &Value, object: &mut Value) {
    let same_kind =
        word(old, &["spec", "type"]) == word(object, &["spec", "type"]) || word(object, &["spec", "type"]).is_empty();
    let external = word(object, &["spec", "type"]) == "ExternalName";
    let old_spec = old["spec"].clone();
    let spec = child_mut(object, "spec");
    if external {
        return;
    }
    for field in ["clusterIP", "clusterIPs"] {
        if spec.get(field).is_none_or(|v| v.is_null() || v == "") && !old_spec[field].is_null() {
            spec.insert(field.into(), old_spec[field].clone());
        }
    }
    for field in ["ipFamilies", "ipFamilyPolicy"] {
        if !spec.contains_key(field) && !old_spec[field].is_null() {
            spec.insert(field.into(), old_spec[field].clone());
        }
    }
    if same_kind {
        keep_ports(&old_spec, spec);
    } else {
        drop_what_depends_on_the_type(&old_spec, spec);
    }
}

/// A Service that is opened to the outside no longer loses what only such Services have, unless it was just set.
fn drop_what_depends_on_the_type(old: &Value, spec: &mut Map<String, Value>) {
    let external = spec
        .get("externalIPs")
        .and_then(Value::as_array)
        .is_some_and(|list| !list.is_empty());
    if spec.get("type") != Some(&json!("ClusterIP")) || external {
        return;
    }
    for field in [
        "externalTrafficPolicy",
        "healthCheckNodePort",
        "allocateLoadBalancerNodePorts",
        "loadBalancerClass",
    ] {
        if spec.get(field) == Some(&old[field]) {
            spec.remove(field);
        }
    }
}

fn keep_ports(old: &Value, spec: &mut Map<String, Value>) {
    if let Some(port) = old.get("healthCheckNodePort") {
        spec.entry("healthCheckNodePort").or_insert(port.clone());
    }
    let old_ports: Vec<Value> = old["ports"].as_array().cloned().unwrap_or_default();
    for port in spec
        .get_mut("ports")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let same = |o: &&Value| o["port"] == port["port"] && protocol(o) == protocol(port);
        let Some(node_port) = old_ports.iter().find(same).and_then(|o| o.get("nodePort")).cloned() else {
            continue;
        };
        let port = as_map(port);
        if port.get("nodePort").is_none_or(|p| p == 0) {
            port.insert("nodePort".into(), node_port);
        }
    }
}

fn protocol(port: &Value) -> &str {
    port["protocol"].as_str().unwrap_or("TCP")
}

impl World {
    /// Gives a Service its addresses and ports.
    pub(super) fn allocate_service(&mut self, object: &mut Value) -> Result<(), ApiError> {
        let kind = word(object, &["spec", "type"]).to_owned();
        if kind == "ExternalName" {
            return Ok(());
        }
        let spec = child_mut(object, "spec");
        if spec.get("clusterIP").is_none_or(|v| v.is_null() || v == "") {
            let address = self.next("addresses", FIRST_ADDRESS, LAST_ADDRESS);
            spec.insert("clusterIP".into(), json!(format!("10.0.0.{address}")));
        }
        let address = spec["clusterIP"].clone();
        spec.entry("clusterIPs").or_insert_with(|| json!([address]));
        spec.entry("ipFamilies").or_insert_with(|| json!(["IPv4"]));
        spec.entry("ipFamilyPolicy").or_insert_with(|| json!("SingleStack"));
        let balanced = kind == "LoadBalancer" && spec.get("allocateLoadBalancerNodePorts") != Some(&json!(false));
        if kind == "NodePort" || balanced {
            for port in spec
                .get_mut("ports")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                let given = self.next("ports", FIRST_PORT, LAST_PORT);
                let port = as_map(port);
                if port.get("nodePort").is_none_or(|p| p == 0) {
                    port.insert("nodePort".into(), json!(given));
                }
            }
        }
        if kind == "LoadBalancer" && spec.get("externalTrafficPolicy") == Some(&json!("Local")) {
            let given = self.next("ports", FIRST_PORT, LAST_PORT);
            spec.entry("healthCheckNodePort").or_insert_with(|| json!(given));
        }
        Ok(())
    }

    /// The next number of a range, round and round. Reuse of one still in use is possible once the range was walked through.
    fn next(&mut self, what: &'static str, first: u64, last: u64) -> u64 {
        let given = self.allocated.entry(what).or_insert(0);
        let number = first + *given % (last - first + 1);
        *given += 1;
        number
    }
}
