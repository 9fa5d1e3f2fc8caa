//! An Application that goes to another cluster from now on.
//!
//! **Problem.** Everything that is known of an application's objects is of one cluster: which are there and which were, verdicts, holds,
//! what was put right, what is under way. None of it says anything of another cluster, and what runs was made for the one that is left.
//!
//! **Invariants.**
//! - What is left behind stays as it is: nothing is asked of a cluster but while its application goes there. That is Argo CD's rule, too.
//! - A running operation ends with the move and is not tried again: neither half of it is a sync of anything. How a sync ended somewhere else
//!   keeps none from beginning here.
//! - Nothing is written to the new cluster before what is under way in the one that is left was answered; the answers are taken for what is
//!   live there, and for nothing else. So writes of two operations do not overlap when somebody moves it there and back.
//! - An operation's record says where it went, and which clusters those before it were synced to, by the UID of `kube-system`: whoever comes
//!   back to an address knows who was there.
//!
//! **Deliberately absent.** Finalizers of hooks that are left behind: nobody takes them off before the application comes back.

use std::collections::BTreeSet;

use capstan_model::{
    Application, ApplicationDestination, ClusterId, GroupKind, ManagedNamespaceMetadata, Operation, OperationPhase,
    OperationState, Timestamp,
};
use serde_json::Value;

use super::Engine;
use super::assessment::Assessment;
use super::deletion::DeletionRun;
use super::drift::Drift;
use super::guarding::Guarding;
use super::inventory::Inventory;
use super::operation::{OperationRun, info};
use super::release::Releases;
use super::state::ApplicationState;
use super::touched::Touched;
use crate::guard::{Hold, Rule};
use crate::journal::Cause;
use crate::limits::REMEMBERED_DESTINATIONS;
use crate::machine::Refresh;
use crate::sabotage::{self, Sabotage};

/// Entry of `operation.info`: the destination and the UID of its namespace `kube-system`, which tells clusters apart.
const INFO_DESTINATION: &str = "capstan.dev/destination";
/// Entry of `operation.info`: the same of other destinations, to which syncs before it went, a line each, the latest first.
const INFO_OTHER_DESTINATIONS: &str = "capstan.dev/other-destinations";
/// Entry of `operation.info`: the UID of `kube-system` in the cluster that it went to, whether that is trusted to be the right one or not.
const INFO_CLUSTER: &str = "capstan.dev/cluster";
/// Entry of `operation.info`: the application went elsewhere while it ran, so that it is no sync of anything.
const INFO_LEFT: &str = "capstan.dev/left";
/// A cluster whose `kube-system` cannot be read.
const UNKNOWN: &str = "-";

/// A cluster as an operation's record names it: its address, and the UID of its namespace `kube-system`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pin<'a> {
    cluster: &'a str,
    /// `None`: not known.
    uid: Option<&'a str>,
}

impl<'a> Pin<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (cluster, uid) = text.rsplit_once(' ')?;
        Some(Self {
            cluster,
            uid: (uid != UNKNOWN).then_some(uid),
        })
    }
}

/// The same, to be recorded.
fn written(cluster: &ClusterId, uid: &str) -> String {
    let uid = if uid.is_empty() { UNKNOWN } else { uid };
    format!("{cluster} {uid}")
}

/// Where an operation goes.
fn pin(operation: &Operation) -> Option<Pin<'_>> {
    Pin::read(info(operation, INFO_DESTINATION)?)
}

/// The cluster that was synced to at this address, as the last operation knows: it went there, or one before it.
fn known_at<'a>(operation: &'a Operation, cluster: &ClusterId) -> Option<Pin<'a>> {
    let others = info(operation, INFO_OTHER_DESTINATIONS).unwrap_or_default();
    let own = info(operation, INFO_DESTINATION);
    let mut all = own.into_iter().chain(others.lines()).filter_map(Pin::read);
    all.find(|pin| pin.cluster == cluster.0)
}

impl ApplicationState {
    fn goes_to(&self) -> ClusterId {
        self.application.spec.destination.cluster()
    }

    /// Does an operation go to where the application goes: to that address, and to the cluster that answers there? One that does not say where
    /// it went is taken to have gone there.
    fn is_of_here(&self, operation: &Operation) -> bool {
        let here = self.goes_to();
        let uid = info(operation, INFO_CLUSTER).filter(|_| !self.inventory.cluster_uid.is_empty());
        pin(operation).is_none_or(|pin| pin.cluster == here.0)
            && uid.is_none_or(|uid| uid == self.inventory.cluster_uid)
    }

    /// The last operation, if it went to where the application goes.
    pub(super) fn last_here(&self) -> Option<&OperationState> {
        let last = self.last_operation.as_ref();
        last.filter(|state| self.is_of_here(&state.operation))
    }

    /// The last operation that tried to sync something where the application goes: one that ended with a move did not, not even where it came
    /// back since.
    pub(super) fn last_tried_here(&self) -> Option<&OperationState> {
        self.last_here()
            .filter(|state| info(&state.operation, INFO_LEFT).is_none())
    }

    /// What its syncs keep of its namespace.
    pub(crate) fn kept_metadata(&self) -> Option<&ManagedNamespaceMetadata> {
        match &self.operation {
            Some(operation) => operation.namespace.as_ref(),
            None => {
                let result = self.last_here()?.sync_result.as_ref()?;
                result.managed_namespace_metadata.as_ref()
            }
        }
    }

    /// Kinds of the objects that its resource's status names, as far as is known: what another process would look at.
    pub(crate) fn told_kinds(&self) -> BTreeSet<GroupKind> {
        // A status of another destination names nothing that is here.
        let destination = serde_json::from_value(self.said["sync"]["comparedTo"]["destination"].clone());
        if is_elsewhere(
            &destination.unwrap_or_default(),
            &self.application.spec.destination.cluster(),
        ) {
            return BTreeSet::new();
        }
        let rows = self.said["resources"].as_array().into_iter().flatten();
        let text = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
        rows.map(|row| GroupKind::new(text(row, "group"), text(row, "kind")))
            .collect()
    }

    /// It goes elsewhere from now on: nothing that is known is of that cluster.
    pub(super) fn leave(&mut self, from: &ClusterId) {
        if sabotage::is(Sabotage::GoesOnElsewhere) {
            return;
        }
        self.in_flight.leave(from);
        self.desired = None;
        // It is asked for anew, even where it goes back to what was asked for last.
        self.attempted = None;
        if self.refresh == Refresh::Compared {
            self.refresh = Refresh::Fresh;
        }
        if let Some(operation) = &mut self.operation {
            operation.is_left = true;
        }
        self.inventory = Inventory::default();
        self.kinds.clear();
        self.assessment = Assessment::default();
        self.extra.clear();
        self.compared.clear();
        self.incomparable.clear();
        self.heal.clear();
        self.contention.clear();
        self.drift = Drift::default();
        self.guarding.leave();
        self.releases = Releases::of(self.last_operation.as_ref(), &self.said);
        self.deletion = DeletionRun::default();
        self.deletion_retry = None;
        self.deletion_errors.clear();
        self.deletion_left.clear();
        self.touched = Touched::everything();
        self.telling.forget();
    }
}

/// Is its status of another destination? Then its objects and its holds are of elsewhere.
fn is_of_elsewhere(application: &Application) -> bool {
    let destination = &application.status.sync.compared_to.destination;
    is_elsewhere(destination, &application.spec.destination.cluster())
}

/// Is this another destination? None is not.
fn is_elsewhere(destination: &ApplicationDestination, cluster: &ClusterId) -> bool {
    let is_told = !destination.server.is_empty() || !destination.name.is_empty();
    is_told && destination.cluster() != *cluster
}

impl Guarding {
    /// What is known of what is held, unless the status that tells of it is of elsewhere.
    pub(super) fn of(application: &Application) -> Self {
        match is_of_elsewhere(application) {
            true => Self::default(),
            false => Self::restore(&application.status.conditions),
        }
    }
}

impl Inventory {
    /// What is known of its objects, unless the status that names them is of elsewhere.
    pub(super) fn of(application: &Application) -> Self {
        match is_of_elsewhere(application) {
            true => Self::default(),
            false => Self::recorded(&application.status),
        }
    }
}

impl OperationRun {
    /// Records where it goes, and what the one before knew of clusters: which one is trusted to be the right one is decided later.
    pub(super) fn remember_destinations(&mut self, app: &ApplicationState) {
        let (last, here) = (app.last_operation.as_ref(), &app.goes_to());
        if !app.inventory.cluster_uid.is_empty() {
            self.set_info(INFO_CLUSTER, app.inventory.cluster_uid.clone());
        }
        let known = last.and_then(|state| known_at(&state.operation, here));
        let uid = known.and_then(|pin| pin.uid).unwrap_or_default();
        self.set_info(INFO_DESTINATION, written(here, uid));
        let Some(last) = last.map(|state| &state.operation) else {
            return;
        };
        let others = info(last, INFO_OTHER_DESTINATIONS).unwrap_or_default();
        let all = info(last, INFO_DESTINATION).into_iter().chain(others.lines());
        let of = |line: &&str| Pin::read(line).is_some_and(|pin| pin.cluster != here.0);
        let others: Vec<&str> = all.filter(of).take(REMEMBERED_DESTINATIONS).collect();
        if !others.is_empty() {
            self.set_info(INFO_OTHER_DESTINATIONS, others.join("\n"));
        }
    }
}

impl Engine {
    /// Ends an operation that goes elsewhere. Nothing more is done of it, its clean-up included: that would be asked of the wrong cluster.
    pub(super) fn step_moved(&mut self, now: Timestamp, app: &mut ApplicationState) {
        let uid = self.cluster(app).and_then(|cluster| cluster.discovery.as_ref());
        let uid = uid.map_or("", |discovery| &discovery.cluster_uid);
        if app.inventory.cluster_uid != uid {
            app.inventory.cluster_uid = uid.to_owned();
        }
        let is_elsewhere = |operation: &OperationRun| operation.is_left || !app.is_of_here(&operation.operation);
        let is_over = app.operation.as_ref().is_some_and(is_elsewhere) && !sabotage::is(Sabotage::GoesOnElsewhere);
        if !self.leads || !is_over {
            return;
        }
        let Some(mut operation) = app.operation.take() else {
            return;
        };
        let here = app.goes_to();
        let from = operation.stage.name();
        let went = pin(&operation.operation).map_or_else(String::new, |pin| pin.cluster.to_owned());
        operation.set_info(INFO_LEFT, here.to_string());
        let why = match operation.is_left || went != here.0 {
            true => "spec.destination was changed",
            false => "another cluster answers there",
        };
        operation.message = format!("stopped, since {why}: what this sync did in {went} stays as it is");
        operation.brief.clone_from(&operation.message);
        let mut ended = operation.record(Some(now));
        ended.phase = OperationPhase::Failed;
        self.note(
            now,
            app,
            None,
            "operation",
            from,
            "Failed",
            operation.message.clone(),
            Cause::Cluster,
        );
        app.is_paused = false;
        app.terminate_by = None;
        app.remember(ended);
        self.empty_operation_field(app, &mut operation);
    }

    /// Why the destination is not the one that was synced to.
    pub(super) fn replaced(&self, app: &ApplicationState) -> Option<String> {
        let cluster = app.application.spec.destination.cluster();
        let uid = known_at(&app.last_operation.as_ref()?.operation, &cluster)?.uid?;
        let found = self.cluster(app)?.discovery.as_ref()?.cluster_uid.as_str();
        (!found.is_empty() && uid != found).then(|| {
            format!("another cluster answers at {cluster}: its namespace kube-system has UID {found}, and the one that was synced to has {uid}")
        })
    }

    /// The destination, with the identity of the cluster that answers there.
    fn destination(&self, app: &ApplicationState) -> Option<String> {
        let discovery = self.cluster(app)?.discovery.as_ref()?;
        Some(written(
            &app.application.spec.destination.cluster(),
            &discovery.cluster_uid,
        ))
    }

    /// Which cluster the operation is for, once it is known that it may delete there.
    pub(super) fn pin_destination(&self, app: &ApplicationState, operation: &mut OperationRun, holds: &[Hold]) {
        let is_other = |hold: &Hold| hold.finding.rule == Rule::DestinationReplaced && !hold.is_approved;
        let cluster = app.application.spec.destination.cluster();
        let last = app.last_operation.as_ref();
        let before = last.and_then(|state| known_at(&state.operation, &cluster));
        let before = before.map(|pin| written(&cluster, pin.uid.unwrap_or_default()));
        let pin = match holds.iter().any(is_other) {
            true => before,
            // That it is not known which one it is does not make it another.
            false => {
                let found = self.destination(app);
                let known = found.clone().filter(|pin| !pin.ends_with(UNKNOWN));
                known.or(before).or(found)
            }
        };
        if let Some(pin) = pin {
            operation.set_info(INFO_DESTINATION, pin);
        }
    }
}
