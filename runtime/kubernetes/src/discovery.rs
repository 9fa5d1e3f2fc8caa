//! What a cluster serves, from its aggregated discovery: two requests for all groups, versions and kinds.
//!
//! Needs Kubernetes 1.27 or later. A group whose API service does not answer is `Stale`: its kinds are unknown, not absent.

use std::collections::BTreeSet;
use std::sync::Arc;

use capstan_engine::event::{Discovery, ServedKind};
use capstan_model::GroupKind;
use http::Method;
use serde::Deserialize;

use crate::cluster::Cluster;
use crate::request::{Ask, JSON, RequestError};
use crate::table::ApiTable;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                          application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

#[derive(Deserialize)]
struct GroupList {
    kind: String,
    #[serde(default)]
    items: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: GroupName,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Default, Deserialize)]
struct GroupName {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Version {
    version: String,
    #[serde(default)]
    freshness: String,
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    resource: String,
    #[serde(default)]
    response_kind: Option<ResponseKind>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    subresources: Vec<Subresource>,
}

#[derive(Deserialize)]
struct ResponseKind {
    kind: String,
}

#[derive(Deserialize)]
struct Subresource {
    subresource: String,
}

impl Cluster {
    /// Asks the cluster what it serves and keeps it: two requests, and two more the first time, for who it is.
    pub async fn discover(&self) -> Result<Arc<ApiTable>, RequestError> {
        let known = self.table();
        match known.discovery.cluster_uid.as_str() {
            "" => self.discover_anew().await,
            uid => self.discover_as(uid.to_owned(), known.discovery.version.clone()).await,
        }
    }

    /// Asks who it is, too: the server behind the URL may be another one now.
    pub(crate) async fn discover_anew(&self) -> Result<Arc<ApiTable>, RequestError> {
        let (uid, version) = self.identity().await?;
        self.discover_as(uid, version).await
    }

    async fn discover_as(&self, cluster_uid: String, version: String) -> Result<Arc<ApiTable>, RequestError> {
        let mut table = ApiTable {
            discovery: Discovery {
                cluster_uid,
                version,
                ..Discovery::default()
            },
            ..ApiTable::default()
        };
        for root in ["/api", "/apis"] {
            for group in self.groups(root).await? {
                add_group(&mut table, group);
            }
        }
        self.set_table(table);
        Ok(self.table())
    }

    async fn identity(&self) -> Result<(String, String), RequestError> {
        let text = |value: &serde_json::Value, pointer: &str, url: &str| {
            let text = value
                .pointer(pointer)
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default();
            match text {
                "" => Err(RequestError::Malformed {
                    url: url.to_owned(),
                    reason: format!("{pointer} is missing"),
                }),
                text => Ok(text.to_owned()),
            }
        };
        let none = GroupKind::default();
        let url = "/version";
        let version = self.fetch("discover", &none, Ask::read(url.into())).await?.json(url)?;
        let version = text(&version, "/gitVersion", url)?;
        let url = "/api/v1/namespaces/kube-system";
        let kind = GroupKind::new("", "Namespace");
        let namespace = self.fetch("get", &kind, Ask::read(url.into())).await?.json(url)?;
        Ok((text(&namespace, "/metadata/uid", url)?, version))
    }

    async fn groups(&self, root: &str) -> Result<Vec<Group>, RequestError> {
        let ask = Ask {
            method: Method::GET,
            url: root.to_owned(),
            accept: AGGREGATED,
            body: None,
            user: None,
        };
        let answer = self.fetch("discover", &GroupKind::default(), ask).await?;
        let malformed = |reason: String| RequestError::Malformed {
            url: root.to_owned(),
            reason,
        };
        let list: GroupList = serde_json::from_slice(&answer.body).map_err(|error| malformed(error.to_string()))?;
        if list.kind != "APIGroupDiscoveryList" {
            return Err(malformed(format!(
                "{} instead of an APIGroupDiscoveryList ({JSON}): Kubernetes 1.27 or later is needed",
                list.kind
            )));
        }
        Ok(list.items)
    }
}

fn add_group(table: &mut ApiTable, group: Group) {
    let mut stale = BTreeSet::new();
    for version in group.versions {
        if version.freshness == "Stale" {
            stale.insert(group.metadata.name.clone());
        }
        for resource in version.resources {
            add_resource(table, &group.metadata.name, &version.version, resource);
        }
    }
    table.discovery.incomplete_groups.extend(stale);
}

/// Versions come in the order of preference: the first that has a kind is its preferred one.
fn add_resource(table: &mut ApiTable, group: &str, version: &str, resource: Resource) {
    let Some(response) = resource.response_kind else { return };
    let kind = GroupKind::new(group, response.kind);
    if resource.subresources.iter().any(|sub| sub.subresource == "status") {
        table.status_subresources.insert(kind.clone());
    }
    let can = |verb: &str| resource.verbs.iter().any(|able| able == verb);
    let watchable = can("list") && can("watch");
    // Kinds that can only be posted (reviews) or are reached through another object are no objects to sync.
    if !can("get") && !watchable {
        return;
    }
    match table.discovery.kinds.get_mut(&kind) {
        Some(served) if served.plural == resource.resource => {
            if !served.versions.iter().any(|known| known == version) {
                served.versions.push(version.to_owned());
            }
        }
        // A second resource of the same kind (none of Kubernetes' own is): the first one is meant.
        Some(_) => {}
        None => {
            let served = ServedKind {
                version: version.to_owned(),
                versions: vec![version.to_owned()],
                plural: resource.resource,
                namespaced: resource.scope == "Namespaced",
                watchable,
            };
            table.discovery.kinds.insert(kind, served);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn preferred_version_status_and_staleness() {
        let verbs = json!(["get", "list", "watch", "create"]);
        let scaler = json!({"resource": "horizontalpodautoscalers", "responseKind": {"group": "", "version": "", "kind": "HorizontalPodAutoscaler"},
            "scope": "Namespaced", "verbs": verbs, "subresources": [{"subresource": "status", "verbs": ["get"]}]});
        let group: Group = serde_json::from_value(json!({"metadata": {"name": "autoscaling"}, "versions": [
            {"version": "v2", "freshness": "Current", "resources": [scaler]},
            {"version": "v1", "freshness": "Current", "resources": [scaler]}
        ]}))
        .unwrap();
        let stale: Group = serde_json::from_value(
            json!({"metadata": {"name": "metrics.k8s.io"}, "versions": [{"version": "v1beta1", "freshness": "Stale"}]}),
        )
        .unwrap();
        let mut table = ApiTable::default();
        add_group(&mut table, group);
        add_group(&mut table, stale);
        let kind = GroupKind::new("autoscaling", "HorizontalPodAutoscaler");
        let served = &table.discovery.kinds[&kind];
        assert_eq!((served.version.as_str(), served.versions.len()), ("v2", 2));
        assert!(served.namespaced && served.watchable && table.status_subresources.contains(&kind));
        assert_eq!(table.discovery.incomplete_groups, ["metrics.k8s.io"]);
    }

    #[test]
    fn reviews_are_no_objects() {
        let group: Group = serde_json::from_value(json!({"metadata": {"name": "authorization.k8s.io"}, "versions": [
            {"version": "v1", "resources": [{"resource": "subjectaccessreviews", "responseKind": {"kind": "SubjectAccessReview"}, "verbs": ["create"]}]}
        ]}))
        .unwrap();
        let mut table = ApiTable::default();
        add_group(&mut table, group);
        assert!(table.discovery.kinds.is_empty());
    }
}
