//! Rows of what carries traffic: Services, Endpoints, EndpointSlices, Ingresses, NetworkPolicies.

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::workload::{labels, selector};
use super::{Cells, age, joined, list, number, or_none};
use crate::fields::text;

pub(super) fn cells(plural: &str, object: &Value, now: Timestamp) -> Cells {
    match plural {
        "services" => service(object, now),
        "endpoints" => vec![endpoints(object), age(object, now)],
        "endpointslices" => {
            let ports = list(object, &["ports"]).map(|p| match p["port"].as_i64() {
                Some(port) => port.to_string(),
                None => "*".to_owned(),
            });
            let addresses = list(object, &["endpoints"])
                .flat_map(|e| list(e, &["addresses"]))
                .filter_map(Value::as_str);
            vec![
                json!(text(object, &["addressType"])),
                few(&ports.collect::<Vec<_>>(), "<unset>"),
                few(&addresses.map(str::to_owned).collect::<Vec<_>>(), "<unset>"),
                age(object, now),
            ]
        }
        "ingresses" => ingress(object, now),
        "ingressclasses" => {
            let parameters = &object["spec"]["parameters"];
            let shown = if parameters.is_object() {
                let group = text(parameters, &["apiGroup"]);
                let kind = text(parameters, &["kind"]);
                let kind = if group.is_empty() {
                    kind.to_owned()
                } else {
                    format!("{kind}.{group}")
                };
                format!("{kind}/{}", text(parameters, &["name"]))
            } else {
                String::new()
            };
            vec![
                json!(text(object, &["spec", "controller"])),
                or_none(&shown),
                age(object, now),
            ]
        }
        "networkpolicies" => vec![selector(&object["spec"]["podSelector"]), age(object, now)],
        "servicecidrs" => {
            vec![
                json!(joined(list(object, &["spec", "cidrs"]).filter_map(Value::as_str))),
                age(object, now),
            ]
        }
        "ipaddresses" => {
            let parent = &object["spec"]["parentRef"];
            let parts = ["resource", "namespace", "name"].map(|f| text(parent, &[f]));
            vec![json!(parts.join("/")), age(object, now)]
        }
        _ => Vec::new(),
    }
}

/// At most three, then how many more.
fn few(all: &[String], none: &str) -> Value {
    match all.len() {
        0 => json!(none),
        1..=3 => json!(all.join(",")),
        n => json!(format!("{} + {} more...", all[..3].join(","), n - 3)),
    }
}

fn service(object: &Value, now: Timestamp) -> Cells {
    let kind = text(object, &["spec", "type"]);
    let ports: Vec<String> = list(object, &["spec", "ports"])
        .map(|p| {
            let protocol = match text(p, &["protocol"]) {
                "" => "TCP",
                protocol => protocol,
            };
            match number(p, &["nodePort"]) {
                0 => format!("{}/{protocol}", number(p, &["port"])),
                node => format!("{}:{node}/{protocol}", number(p, &["port"])),
            }
        })
        .collect();
    vec![
        json!(kind),
        or_none(text(object, &["spec", "clusterIP"])),
        json!(external(object, kind)),
        or_none(&ports.join(",")),
        age(object, now),
        labels(object.pointer("/spec/selector")),
    ]
}

fn external(object: &Value, kind: &str) -> String {
    let own: Vec<&str> = list(object, &["spec", "externalIPs"])
        .filter_map(Value::as_str)
        .collect();
    match kind {
        "ExternalName" => text(object, &["spec", "externalName"]).to_owned(),
        "LoadBalancer" => {
            let given = balancer(object);
            match (given.is_empty(), own.is_empty()) {
                (true, true) => "<pending>".to_owned(),
                (true, false) => own.join(","),
                (false, true) => given,
                (false, false) => format!("{given},{}", own.join(",")),
            }
        }
        _ if own.is_empty() => "<none>".to_owned(),
        _ => own.join(","),
    }
}

/// Addresses the load balancer has.
fn balancer(object: &Value) -> String {
    joined(
        list(object, &["status", "loadBalancer", "ingress"]).map(|i| match text(i, &["ip"]) {
            "" => text(i, &["hostname"]),
            ip => ip,
        }),
    )
}

fn endpoints(object: &Value) -> Value {
    let mut all = Vec::new();
    for subset in list(object, &["subsets"]) {
        let ports: Vec<i64> = list(subset, &["ports"]).map(|p| number(p, &["port"])).collect();
        for address in list(subset, &["addresses"]) {
            let ip = text(address, &["ip"]);
            if ports.is_empty() {
                all.push(ip.to_owned());
            }
            all.extend(ports.iter().map(|port| format!("{ip}:{port}")));
        }
    }
    few(&all, "<none>")
}

fn ingress(object: &Value, now: Timestamp) -> Cells {
    let mut hosts: Vec<&str> = list(object, &["spec", "rules"])
        .map(|r| text(r, &["host"]))
        .filter(|h| !h.is_empty())
        .collect();
    if hosts.is_empty() {
        hosts.push("*");
    }
    let hosts = few(&hosts.into_iter().map(str::to_owned).collect::<Vec<_>>(), "*");
    let secure = list(object, &["spec", "tls"]).next().is_some();
    vec![
        or_none(text(object, &["spec", "ingressClassName"])),
        hosts,
        json!(balancer(object)),
        json!(if secure { "80, 443" } else { "80" }),
        age(object, now),
    ]
}
