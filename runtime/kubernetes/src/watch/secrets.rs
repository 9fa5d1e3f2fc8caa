//! Secrets of one namespace that carry one label, and one ConfigMap beside them.
//!
//! Only those: a controller that reads every Secret of a cluster is one that may leak every Secret of a cluster.

use std::sync::Arc;

use capstan_model::GroupKind;
use serde_json::Value;
use tokio::task::JoinSet;

use super::kind::{Closed, Seen, Selection, Sink, follow_selected};
use super::live::text;
use crate::cluster::Cluster;
use crate::list::Form;

/// What is seen of the Secrets and of the ConfigMap.
#[derive(Debug)]
pub enum SeenSecrets {
    /// All Secrets there are.
    Listed(Vec<Value>),
    /// A Secret was added or changed.
    Changed(Box<Value>),
    /// The Secret of this name is gone.
    Gone(String),
    /// Secrets cannot be read at the moment; why.
    Unavailable(String),
    /// The ConfigMap as it is now; `None` when there is none.
    ConfigMap(Option<Box<Value>>),
    /// The ConfigMap cannot be read at the moment; why.
    ConfigMapUnavailable(String),
}

/// A watch of Secrets and of a ConfigMap. Dropping it ends it.
#[derive(Debug)]
pub struct SecretWatch {
    _tasks: JoinSet<()>,
}

impl SecretWatch {
    /// Watches the Secrets of `namespace` that `labels` selects, and the ConfigMap of this name there; what is seen goes to `listener`,
    /// which must not wait.
    pub fn start(
        cluster: &Cluster,
        namespace: &str,
        labels: &str,
        config_map: &str,
        listener: impl Fn(SeenSecrets) + Send + Sync + 'static,
    ) -> Self {
        let mut tasks = JoinSet::new();
        let listener: Listener = Arc::new(listener);
        let secrets = Selection {
            namespace: namespace.to_owned(),
            core: Some("secrets"),
            labels: labels.to_owned(),
            fields: String::new(),
        };
        let map = Selection {
            core: Some("configmaps"),
            labels: String::new(),
            fields: format!("metadata.name={config_map}"),
            ..secrets.clone()
        };
        let (for_secrets, for_map) = (cluster.clone(), cluster.clone());
        let mut sink = SecretSink(listener.clone());
        tasks.spawn(async move {
            let kind = GroupKind::new("", "Secret");
            let Closed = follow_selected(&for_secrets, &kind, Form::Whole, &secrets, &mut sink).await;
        });
        let mut sink = ConfigMapSink(listener);
        tasks.spawn(async move {
            let kind = GroupKind::new("", "ConfigMap");
            let Closed = follow_selected(&for_map, &kind, Form::Whole, &map, &mut sink).await;
        });
        Self { _tasks: tasks }
    }
}

type Listener = Arc<dyn Fn(SeenSecrets) + Send + Sync>;

struct SecretSink(Listener);

impl Sink for SecretSink {
    async fn take(&mut self, seen: Seen) -> Result<(), Closed> {
        (self.0)(match seen {
            Seen::Listed(objects) => SeenSecrets::Listed(objects),
            Seen::Changed(object) => SeenSecrets::Changed(object),
            Seen::Gone(object) => SeenSecrets::Gone(text(&object, "/metadata/name")),
            Seen::Unavailable(error) => SeenSecrets::Unavailable(error.to_string()),
        });
        Ok(())
    }
}

struct ConfigMapSink(Listener);

impl Sink for ConfigMapSink {
    async fn take(&mut self, seen: Seen) -> Result<(), Closed> {
        (self.0)(match seen {
            Seen::Listed(objects) => SeenSecrets::ConfigMap(objects.into_iter().next().map(Box::new)),
            Seen::Changed(object) => SeenSecrets::ConfigMap(Some(object)),
            Seen::Gone(_) => SeenSecrets::ConfigMap(None),
            Seen::Unavailable(error) => SeenSecrets::ConfigMapUnavailable(error.to_string()),
        });
        Ok(())
    }
}
