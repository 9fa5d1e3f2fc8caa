//! The nodes: two that are always ready.

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::build::NODES;
use crate::{Actor, ActorRequest, Snapshot, time};

/// How many.
const COUNT: usize = 2;

/// Watches nothing, which means everything: it must act when there are no nodes yet.
pub(crate) struct Nodes {
    made: bool,
}

impl Nodes {
    pub(crate) fn new() -> Self {
        Self { made: false }
    }
}

impl Actor for Nodes {
    fn name(&self) -> &str {
        "node-registrar"
    }

    fn field_manager(&self) -> &str {
        "kubelet"
    }

    /// Registers the nodes once: one that a person deletes stays away.
    fn step(&mut self, now: Timestamp, cluster: &Snapshot<'_>) -> Vec<ActorRequest> {
        if self.made {
            return Vec::new();
        }
        self.made = true;
        let missing = (1..=COUNT).map(|number| format!("node-{number}"));
        let missing = missing.filter(|name| cluster.object(&NODES.stored(), "", name).is_none());
        missing.map(|name| NODES.create("", node(&name, now))).collect()
    }
}

fn node(name: &str, now: Timestamp) -> Value {
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": "", "lastHeartbeatTime": time(now),
            "lastTransitionTime": time(now),
        })
    };
    let size = json!({"cpu": "16", "memory": "64Gi", "pods": "1000", "ephemeral-storage": "200Gi"});
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            "node-role.kubernetes.io/worker": "",
        }},
        "spec": {"podCIDR": "10.244.0.0/16"},
        "status": {
            "capacity": size, "allocatable": size,
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID"),
                condition("Ready", "True", "KubeletReady"),
            ],
            "nodeInfo": {
                "architecture": "amd64", "operatingSystem": "linux", "osImage": "Simulated", "kernelVersion": "6.1.0",
                "kubeletVersion": "v1.36.3", "kubeProxyVersion": "", "containerRuntimeVersion": "simulated://1",
                "machineID": name, "systemUUID": name, "bootID": name,
            },
            "addresses": [{"type": "Hostname", "address": name}],
        },
    })
}
