//! Columns per kind: `Name` first unless said otherwise, `:type` where it is not a string, `*` where only wide output shows it.

use serde_json::{Value, json};

use crate::registry::ResourceType;

/// A column: name, type, format and priority (0 shown always, 1 only in wide output).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) format: String,
    pub(crate) description: String,
    pub(crate) priority: i64,
}

impl Column {
    fn parse(text: &str) -> Self {
        let priority = i64::from(text.ends_with('*'));
        let text = text.trim_end_matches('*');
        let (name, kind) = text.split_once(':').unwrap_or((text, "string"));
        let format = if name == "Name" { "name" } else { "" };
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            format: format.to_owned(),
            description: String::new(),
            priority,
        }
    }

    /// As a table carries it.
    pub(super) fn to_value(&self) -> Value {
        json!({
            "name": self.name, "type": self.kind, "format": self.format, "description": self.description, "priority": self.priority,
        })
    }

    /// The column of the name.
    pub(super) fn name() -> Self {
        Self::parse("Name")
    }
}

/// The columns of a built-in kind.
pub(super) fn of(resource: &ResourceType) -> Vec<Column> {
    let text = spec(&resource.storage.group, &resource.storage.resource);
    text.split(" | ").map(Column::parse).collect()
}

fn spec(group: &str, plural: &str) -> &'static str {
    match group {
        "" => core(plural),
        "apps" | "batch" => workload(plural),
        "networking.k8s.io" | "discovery.k8s.io" | "policy" | "autoscaling" => traffic(plural),
        "storage.k8s.io" | "resource.k8s.io" => storage(plural),
        _ => other(plural),
    }
}

const DEFAULT: &str = "Name | Created At:date";

fn core(plural: &str) -> &'static str {
    match plural {
        "componentstatuses" => "Name | Status | Message | Error",
        "configmaps" => "Name | Data | Age",
        "endpoints" => "Name | Endpoints | Age",
        "events" => {
            "Last Seen | Type | Reason | Object | Subobject* | Source* | Message | First Seen* | Count* | Name*"
        }
        "namespaces" => "Name | Status | Age",
        "nodes" => {
            "Name | Status | Roles | Age | Version | Internal-IP* | External-IP* | OS-Image* | Kernel-Version* | Container-Runtime*"
        }
        "persistentvolumeclaims" => {
            "Name | Status | Volume | Capacity | Access Modes | StorageClass | VolumeAttributesClass | Age | VolumeMode*"
        }
        "persistentvolumes" => {
            "Name | Capacity | Access Modes | Reclaim Policy | Status | Claim | StorageClass | VolumeAttributesClass | Reason | Age | VolumeMode*"
        }
        "pods" => "Name | Ready | Status | Restarts | Age | IP* | Node* | Nominated Node* | Readiness Gates*",
        "podtemplates" => "Name | Containers | Images | Pod Labels",
        "replicationcontrollers" => {
            "Name | Desired:integer | Current:integer | Ready:integer | Age | Containers* | Images* | Selector*"
        }
        "resourcequotas" => "Name | Request | Limit | Age",
        "secrets" => "Name | Type | Data | Age",
        "serviceaccounts" => "Name | Age",
        "services" => "Name | Type | Cluster-IP | External-IP | Port(s) | Age | Selector*",
        _ => DEFAULT,
    }
}

fn workload(plural: &str) -> &'static str {
    match plural {
        "controllerrevisions" => "Name | Controller | Revision | Age",
        "daemonsets" => {
            "Name | Desired:integer | Current:integer | Ready:integer | Up-to-date:integer | Available:integer | Node Selector | Age | Containers* | Images* | Selector*"
        }
        "deployments" => "Name | Ready | Up-to-date | Available | Age | Containers* | Images* | Selector*",
        "replicasets" => {
            "Name | Desired:integer | Current:integer | Ready:integer | Age | Containers* | Images* | Selector*"
        }
        "statefulsets" => "Name | Ready | Age | Containers* | Images*",
        "cronjobs" => {
            "Name | Schedule | Timezone | Suspend:boolean | Active:integer | Last Schedule | Age | Containers* | Images* | Selector*"
        }
        "jobs" => "Name | Status | Completions | Duration | Age | Containers* | Images* | Selector*",
        _ => DEFAULT,
    }
}

fn traffic(plural: &str) -> &'static str {
    match plural {
        "ingresses" => "Name | Class | Hosts | Address | Ports | Age",
        "ingressclasses" => "Name | Controller | Parameters | Age",
        "networkpolicies" => "Name | Pod-Selector | Age",
        "ipaddresses" => "Name | ParentRef",
        "servicecidrs" => "Name | CIDRs | Age",
        "endpointslices" => "Name | AddressType | Ports | Endpoints | Age",
        "poddisruptionbudgets" => "Name | Min Available | Max Unavailable | Allowed Disruptions:integer | Age",
        "horizontalpodautoscalers" => "Name | Reference | Targets | MinPods | MaxPods | Replicas | Age",
        _ => DEFAULT,
    }
}

fn storage(plural: &str) -> &'static str {
    match plural {
        "storageclasses" => "Name | Provisioner | ReclaimPolicy | VolumeBindingMode | AllowVolumeExpansion | Age",
        "csidrivers" => {
            "Name | AttachRequired:boolean | PodInfoOnMount:boolean | StorageCapacity:boolean | TokenRequests | RequiresRepublish:boolean | Modes | Age"
        }
        "csinodes" => "Name | Drivers:integer | Age",
        "volumeattachments" => "Name | Attacher | PV | Node | Attached:boolean | Age",
        "volumeattributesclasses" => "Name | DriverName | Age",
        "deviceclasses" | "resourceclaimtemplates" => "Name | Age",
        "resourceclaims" => "Name | State | Age",
        "resourceslices" => "Name | Node | Driver | Pool | Age",
        _ => DEFAULT,
    }
}

fn other(plural: &str) -> &'static str {
    match plural {
        "apiservices" => "Name | Service | Available | Age",
        "certificatesigningrequests" => "Name | Age | SignerName | Requestor | RequestedDuration | Condition",
        "clusterrolebindings" | "rolebindings" => "Name | Role | Age | Users* | Groups* | ServiceAccounts*",
        "mutatingadmissionpolicies" => "Name | Mutations:integer | ParamKind | Age",
        "validatingadmissionpolicies" => "Name | Validations:integer | ParamKind | Age",
        "mutatingadmissionpolicybindings" | "validatingadmissionpolicybindings" => "Name | PolicyName | ParamRef | Age",
        "mutatingwebhookconfigurations" | "validatingwebhookconfigurations" => "Name | Webhooks:integer | Age",
        "priorityclasses" => "Name | Value:integer | Global-Default:boolean | Age | PreemptionPolicy",
        "leases" => "Name | Holder | Age",
        "runtimeclasses" => "Name | Handler | Age",
        "flowschemas" => "Name | PriorityLevel | MatchingPrecedence | DistinguisherMethod | Age | MissingPL",
        "prioritylevelconfigurations" => {
            "Name | Type | NominalConcurrencyShares | Queues | HandSize | QueueLengthLimit | Age"
        }
        _ => DEFAULT,
    }
}
