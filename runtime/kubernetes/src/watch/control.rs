//! Applications and AppProjects of the control cluster.
//!
//! Every item is understood alone: one that is malformed is reported by name, and the others go on.

use std::collections::BTreeSet;

use capstan_engine::event::Event;
use capstan_model::{AppProject, Application, ApplicationId, GroupKind};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::kind::{Closed, Seen, Sink, follow};
use super::live::text;
use crate::cluster::Cluster;
use crate::list::Form;

/// Watches of the control cluster's own resources. Dropping it ends them.
#[derive(Debug)]
pub struct ControlWatches {
    _tasks: JoinSet<()>,
}

impl ControlWatches {
    /// Watches Applications and AppProjects; what is seen goes to `events`.
    pub fn start(cluster: &Cluster, events: &mpsc::Sender<Event>) -> Self {
        let mut tasks = JoinSet::new();
        for kind in ["AppProject", "Application"] {
            let (cluster, events) = (cluster.clone(), events.clone());
            tasks.spawn(async move {
                let group_kind = GroupKind::new("argoproj.io", kind);
                let Closed = match kind {
                    "Application" => {
                        let mut sink = ControlSink::<Application>::new(events);
                        follow(&cluster, &group_kind, Form::Whole, &mut sink).await
                    }
                    _ => {
                        let mut sink = ControlSink::<AppProject>::new(events);
                        follow(&cluster, &group_kind, Form::Whole, &mut sink).await
                    }
                };
            });
        }
        Self { _tasks: tasks }
    }
}

/// A resource that the engine is told of.
trait Resource {
    /// What names one.
    type Id: Ord + Send + Sync;
    const KIND: &'static str;
    fn id(object: &Value) -> Self::Id;
    fn observed(object: &Value) -> Option<Event>;
    fn gone(id: Self::Id) -> Event;
    fn listed() -> Event;
}

struct ControlSink<R: Resource> {
    events: mpsc::Sender<Event>,
    /// Those that exist, so that a list tells which are gone.
    known: BTreeSet<R::Id>,
    listed: bool,
    /// What was last logged, so that a lasting failure is logged once.
    failure: String,
}

impl<R: Resource> ControlSink<R> {
    fn new(events: mpsc::Sender<Event>) -> Self {
        Self {
            events,
            known: BTreeSet::new(),
            listed: false,
            failure: String::new(),
        }
    }

    async fn send(&self, event: Event) -> Result<(), Closed> {
        self.events.send(event).await.map_err(|_| Closed)
    }

    async fn observed(&self, object: &Value) -> Result<(), Closed> {
        match R::observed(object) {
            Some(event) => self.send(event).await,
            None => Ok(()),
        }
    }

    async fn all(&mut self, objects: Vec<Value>) -> Result<(), Closed> {
        let present: BTreeSet<R::Id> = objects.iter().map(R::id).collect();
        for id in std::mem::take(&mut self.known) {
            if !present.contains(&id) {
                self.send(R::gone(id)).await?;
            }
        }
        self.known = present;
        for object in &objects {
            self.observed(object).await?;
        }
        if !std::mem::replace(&mut self.listed, true) {
            self.send(R::listed()).await?;
        }
        Ok(())
    }
}

impl<R: Resource + Send> Sink for ControlSink<R> {
    async fn take(&mut self, seen: Seen) -> Result<(), Closed> {
        match seen {
            Seen::Listed(objects) => {
                self.failure.clear();
                self.all(objects).await
            }
            Seen::Changed(object) => {
                self.known.insert(R::id(&object));
                self.observed(&object).await
            }
            Seen::Gone(object) => {
                let id = R::id(&object);
                self.known.remove(&id);
                self.send(R::gone(id)).await
            }
            Seen::Unavailable(error) => {
                let failure = error.to_string();
                if failure != self.failure {
                    tracing::warn!(kind = R::KIND, error = %failure, "cannot be watched");
                    self.failure = failure;
                }
                Ok(())
            }
        }
    }
}

impl Resource for Application {
    type Id = ApplicationId;
    const KIND: &'static str = "Application";

    fn id(object: &Value) -> ApplicationId {
        ApplicationId::new(text(object, "/metadata/namespace"), text(object, "/metadata/name"))
    }

    fn observed(object: &Value) -> Option<Event> {
        Some(match Self::parse(object) {
            Ok(application) => Event::ApplicationObserved(Box::new(application)),
            Err(error) => Event::ApplicationInvalid {
                application: Box::new(Self::readable(object)),
                error,
            },
        })
    }

    fn gone(id: ApplicationId) -> Event {
        Event::ApplicationGone(id)
    }

    fn listed() -> Event {
        Event::ApplicationsListed
    }
}

impl Resource for AppProject {
    type Id = String;
    const KIND: &'static str = "AppProject";

    fn id(object: &Value) -> String {
        text(object, "/metadata/name")
    }

    /// A project that cannot be understood is not reported: the engine keeps the rules it had, or knows of no such project and
    /// refuses what would need it.
    fn observed(object: &Value) -> Option<Event> {
        match serde_json::from_value::<Self>(object.clone()) {
            Ok(project) => Some(Event::ProjectObserved(Box::new(project))),
            Err(error) => {
                let name = <Self as Resource>::id(object);
                tracing::error!(project = name, %error, "AppProject cannot be understood; what was known of it stays");
                None
            }
        }
    }

    fn gone(id: String) -> Event {
        Event::ProjectGone(id)
    }

    fn listed() -> Event {
        Event::ProjectsListed
    }
}
