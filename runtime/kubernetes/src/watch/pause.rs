//! The ConfigMap that pauses deletes.

use capstan_engine::event::Event;
use capstan_engine::guard::Pause;
use capstan_model::GroupKind;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::kind::{Closed, Seen, Selection, Sink, follow_selected};
use crate::cluster::Cluster;
use crate::list::Form;

/// A watch of the ConfigMap. Dropping it ends it.
#[derive(Debug)]
pub struct PauseWatch {
    _tasks: JoinSet<()>,
}

impl PauseWatch {
    /// Watches the ConfigMap in `namespace`; what it says goes to `events`. What cannot be read the first time is told as a pause.
    pub fn start(cluster: &Cluster, namespace: &str, events: &mpsc::Sender<Event>) -> Self {
        let selection = Selection {
            namespace: namespace.to_owned(),
            core: Some("configmaps"),
            labels: String::new(),
            fields: format!("metadata.name={}", Pause::CONFIG_MAP),
        };
        let mut sink = PauseSink {
            events: events.clone(),
            is_known: false,
            failure: String::new(),
        };
        let (cluster, mut tasks) = (cluster.clone(), JoinSet::new());
        tasks.spawn(async move {
            let kind = GroupKind::new("", "ConfigMap");
            let Closed = follow_selected(&cluster, &kind, Form::Whole, &selection, &mut sink).await;
        });
        Self { _tasks: tasks }
    }
}

struct PauseSink {
    events: mpsc::Sender<Event>,
    /// It was read once: what it said then holds while it cannot be read.
    is_known: bool,
    failure: String,
}

impl Sink for PauseSink {
    async fn take(&mut self, seen: Seen) -> Result<(), Closed> {
        let pause = match seen {
            Seen::Listed(objects) => objects.first().map(Pause::of).unwrap_or_default(),
            Seen::Changed(object) => Pause::of(&object),
            Seen::Gone(_) => Pause::default(),
            Seen::Unavailable(error) => {
                let failure = error.to_string();
                if failure == self.failure {
                    return Ok(());
                }
                tracing::warn!(config_map = Pause::CONFIG_MAP, error = %failure, "cannot be watched");
                self.failure = failure;
                if self.is_known {
                    return Ok(());
                }
                let unknown = Event::DeletesPaused(Pause::unknown(&self.failure));
                return self.events.send(unknown).await.map_err(|_| Closed);
            }
        };
        self.is_known = true;
        self.failure.clear();
        self.events.send(Event::DeletesPaused(pause)).await.map_err(|_| Closed)
    }
}
