//! What would go along with a Namespace or a definition: listed, as metadata, right before it is deleted.

use capstan_engine::event::{ServedKind, WriteError};
use capstan_engine::guard::{Content, Survey, is_incidental, survey};
use capstan_model::{GroupKind, GroupVersionKind};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::list::Form;
use crate::url;

/// A list that is needed and was not had.
#[derive(Debug)]
pub(crate) enum NotListed {
    /// It may be had later.
    Later(WriteError),
    /// It may not: a kind is not known, or may not be listed.
    Never(String),
}

impl Cluster {
    /// What would go along with a live object, for those who only want to know: what is in a namespace, or all objects of a definition's
    /// kind; or why that is not known. `None` for everything else, with which nothing goes along.
    pub async fn goes_along(&self, live: &Value) -> Option<Result<Vec<Content>, String>> {
        let Some(survey) = survey(live) else {
            let is_definition = live.get("kind").is_some_and(|kind| kind == "CustomResourceDefinition");
            return is_definition
                .then(|| Err("no version of its kind is served, so that its objects cannot be listed".to_owned()));
        };
        Some(self.contents(&survey).await.map_err(|error| match error {
            NotListed::Later(error) => error.to_string(),
            NotListed::Never(why) => why,
        }))
    }

    /// All of it, or nothing: a list that fails fails the survey.
    pub(crate) async fn contents(&self, survey: &Survey) -> Result<Vec<Content>, NotListed> {
        match survey {
            Survey::Definition { kind, version, plural } => {
                let mut path = url::group_version(&kind.group, version);
                segment(&mut path, plural)?;
                self.contents_of(&path, kind, version).await
            }
            Survey::Namespace(namespace) => self.contents_of_namespace(namespace).await,
        }
    }

    async fn contents_of_namespace(&self, namespace: &str) -> Result<Vec<Content>, NotListed> {
        // What was served a while ago may not be all that is.
        let table = self
            .discover()
            .await
            .map_err(|error| NotListed::Later(error.into_read_error()))?;
        let discovery = &table.discovery;
        if let Some(group) = discovery.incomplete_groups.first() {
            let why = format!("the kinds of group {group} could not be discovered");
            return Err(NotListed::Never(why));
        }
        let mut found = Vec::new();
        let is_looked_at =
            |(kind, served): &(&GroupKind, &ServedKind)| served.namespaced && served.watchable && !is_incidental(kind);
        for (kind, served) in discovery.kinds.iter().filter(is_looked_at) {
            let mut path = url::group_version(&kind.group, &served.version);
            path.push_str("/namespaces");
            segment(&mut path, namespace)?;
            segment(&mut path, &served.plural)?;
            found.extend(self.contents_of(&path, kind, &served.version).await?);
        }
        Ok(found)
    }

    async fn contents_of(&self, path: &str, kind: &GroupKind, version: &str) -> Result<Vec<Content>, NotListed> {
        let gvk = GroupVersionKind {
            group: kind.group.clone(),
            version: version.to_owned(),
            kind: kind.kind.clone(),
        };
        let listed = self.list(path, &gvk, Form::Metadata).await.map_err(|error| {
            let reason = format!("{kind} cannot be listed: {error}");
            match error.into_read_error() {
                WriteError::Forbidden(_) => NotListed::Never(reason),
                // The kind is gone since it was discovered: look again.
                WriteError::NotFound(_) | WriteError::PathNotFound(_) => {
                    NotListed::Later(WriteError::Transient(reason))
                }
                error => NotListed::Later(error),
            }
        })?;
        Ok(listed.objects.iter().map(|object| Content::of(kind, object)).collect())
    }
}

fn segment(path: &mut String, name: &str) -> Result<(), NotListed> {
    url::push_segment(path, name).map_err(|error| NotListed::Never(error.to_string()))
}

#[cfg(test)]
mod tests {
    use capstan_engine::effect::{ApplyMode, ApplyTask, DryRun};
    use capstan_model::{Blob, ClusterId, ResourceKey, Timestamp};
    use capstan_sim::front_ends::{Cluster as WorldCluster, WorldService};
    use capstan_sim::{Options, World};
    use serde_json::json;

    use super::*;
    use crate::ClusterSettings;

    async fn apply(cluster: &Cluster, object: Value) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let gvk = GroupVersionKind::from_api_version(text("/apiVersion"), text("/kind"));
        let task = ApplyTask {
            cluster: ClusterId::in_cluster(),
            key: ResourceKey::new(
                &gvk.group,
                &gvk.kind,
                text("/metadata/namespace"),
                text("/metadata/name"),
            ),
            gvk,
            object: Blob::new(&object),
            mode: ApplyMode::ServerSide { force: true },
            dry_run: DryRun::No,
            recreate: false,
            validate: true,
        };
        cluster.apply(&task).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn everything_in_a_namespace_and_nothing_beside() {
        let epoch = Timestamp::from_seconds(1_772_000_000);
        let world = WorldCluster::new(World::new(epoch, Options::default()), epoch);
        // Pages of two, so that several are read.
        let settings = ClusterSettings {
            page: 2,
            ..ClusterSettings::default()
        };
        let cluster = Cluster::from_service(ClusterId::in_cluster(), WorldService::new(world.clone()), settings);
        let found = async {
            cluster.discover().await.unwrap();
            for name in ["team", "other"] {
                apply(
                    &cluster,
                    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
                )
                .await;
                for map in ["a", "b", "c"] {
                    let metadata = json!({"name": map, "namespace": name});
                    apply(
                        &cluster,
                        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}),
                    )
                    .await;
                }
            }
            let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r", "namespace": "team"}});
            apply(&cluster, role).await;
            let team = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}});
            cluster.goes_along(&team).await.expect("a namespace").unwrap()
        };
        let found = tokio::select! {
            biased;
            found = found => found,
            () = world.drive() => panic!("the world stopped"),
        };
        let named = found.iter().map(|content| content.key.to_string());
        let is_made = |key: &String| key.contains("default") || key.contains("kube-root-ca");
        let named: Vec<String> = named.filter(|key| !is_made(key)).collect();
        assert_eq!(
            named,
            [
                "ConfigMap/team/a",
                "ConfigMap/team/b",
                "ConfigMap/team/c",
                "Role.rbac.authorization.k8s.io/team/r"
            ]
        );
        assert!(found.iter().all(|content| !content.uid.is_empty()));
    }
}
