//! Numbers for Prometheus.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use capstan_engine::journal::JournalEntry;
use capstan_kubernetes::RequestCounts;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::read_model::ReadModel;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct EffectLabels {
    pub(crate) effect: &'static str,
    pub(crate) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JournalLabels {
    machine: &'static str,
    to: String,
}

/// All metrics of one controller.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    effects: Family<EffectLabels, Counter>,
    journal: Family<JournalLabels, Counter>,
    events: Counter,
    queue: Gauge,
    in_flight: Gauge,
    panics: Counter,
    late: Gauge,
}

impl Metrics {
    /// Of the applications in `model` and the requests counted in `requests`; the rest is counted here.
    pub fn new(model: Arc<ReadModel>, requests: RequestCounts) -> Self {
        let mut root = Registry::default();
        root.register_collector(Box::new(ApplicationCollector(model)));
        let registry = root.sub_registry_with_prefix("capstan");
        let effects = Family::default();
        registry.register(
            "effects",
            "Effects carried out, by what became of them",
            effects.clone(),
        );
        let journal = Family::default();
        registry.register(
            "transitions",
            "Entries of the journal, by machine and new state",
            journal.clone(),
        );
        let events = Counter::default();
        registry.register("events", "Events the engine was told", events.clone());
        let queue = Gauge::default();
        registry.register("event_queue", "Events that wait for the engine", queue.clone());
        let in_flight = Gauge::default();
        registry.register("effects_in_flight", "Effects being carried out", in_flight.clone());
        let panics = Counter::default();
        registry.register("effect_panics", "Effects that ended in a panic", panics.clone());
        let late = Gauge::default();
        registry.register(
            "late_completions",
            "Effects that ended after what they belonged to was over",
            late.clone(),
        );
        registry.register_collector(Box::new(RequestCollector(requests)));
        Self {
            registry: Mutex::new(root),
            effects,
            journal,
            events,
            queue,
            in_flight,
            panics,
            late,
        }
    }

    /// As OpenMetrics text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &registry) {
            tracing::error!(%error, "metrics cannot be written");
        }
        text
    }

    pub(crate) fn effect(&self, labels: &EffectLabels) {
        self.effects.get_or_create(labels).inc();
    }

    pub(crate) fn panicked(&self) {
        self.panics.inc();
    }

    pub(crate) fn event(&self) {
        self.events.inc();
    }

    pub(crate) fn late(&self, completions: u64) {
        self.late.set(i64::try_from(completions).unwrap_or(i64::MAX));
    }

    pub(crate) fn queues(&self, waiting: usize, in_flight: usize) {
        self.queue.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.in_flight.set(i64::try_from(in_flight).unwrap_or(i64::MAX));
    }

    pub(crate) fn entry(&self, entry: &JournalEntry) {
        // Machines and their states are bounded sets; messages and objects are not, and stay in the journal.
        let labels = JournalLabels {
            machine: entry.machine,
            to: entry.to.clone(),
        };
        self.journal.get_or_create(&labels).inc();
    }
}

#[derive(Debug)]
struct RequestCollector(RequestCounts);

impl Collector for RequestCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "Requests to Kubernetes APIs, by verb, kind and outcome";
        let mut metric = encoder.encode_descriptor("kubernetes_requests", help, None::<&Unit>, MetricType::Counter)?;
        for (labels, count) in self.0.snapshot() {
            let labels = [
                ("verb", labels.verb.to_owned()),
                ("group", labels.kind.group),
                ("kind", labels.kind.kind),
                ("outcome", labels.outcome),
            ];
            metric
                .encode_family(&labels)?
                .encode_counter::<NoLabelSet, u64, f64>(&count, None)?;
        }
        Ok(())
    }
}

/// `argocd_app_info`, as dashboards made for Argo CD expect it.
#[derive(Debug)]
struct ApplicationCollector(Arc<ReadModel>);

impl Collector for ApplicationCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "One row an application, with its state";
        let mut metric: MetricEncoder =
            encoder.encode_descriptor("argocd_app_info", help, None::<&Unit>, MetricType::Gauge)?;
        for view in self.0.snapshot().applications.values() {
            let labels = [
                ("namespace", view.id.namespace.clone()),
                ("name", view.id.name.clone()),
                ("project", view.project.clone()),
                (
                    "repo",
                    view.sources
                        .first()
                        .map(|source| source.repo_url.clone())
                        .unwrap_or_default(),
                ),
                ("dest_server", view.destination.server.clone()),
                ("dest_namespace", view.destination.namespace.clone()),
                ("sync_status", view.sync.to_string()),
                ("health_status", view.health.status.to_string()),
                (
                    "operation",
                    view.operation
                        .as_ref()
                        .map(|operation| operation.phase.to_string())
                        .unwrap_or_default(),
                ),
                ("autosync_enabled", view.automated.is_some().to_string()),
            ];
            metric.encode_family(&labels)?.encode_gauge(&1_i64)?;
        }
        Ok(())
    }
}
