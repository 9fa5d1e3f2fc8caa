//! Reading what a plan is about from the cluster: every object by itself, as the person who asks may read it.

use std::collections::{BTreeMap, BTreeSet};

use capstan_engine::event::KindLookup;
use capstan_engine::guard::Pause;
use capstan_engine::plan::{LiveObject, Outlook, OutlookRequest, Plan, PruneItem};
use capstan_engine::settings::Guards;
use capstan_model::annotations::PAUSE_DELETES;
use capstan_model::{
    Application, GroupVersionKind, ObjectMeta, ResourceIgnoreDifferences, ResourceKey, ResourceStatus,
};
use futures::StreamExt as _;

use super::{Arguments, Subject, folder};
use crate::desired::{Origin, scopes, targets};
use crate::error::CommandError;
use crate::output::complain;
use crate::session::Session;

/// Reads under way at once.
const READS: usize = 16;

type LiveObjects = BTreeMap<ResourceKey, LiveObject>;

/// A folder beside the cluster. What it would delete is not known: no Application says what belongs to it.
pub(super) async fn of_folder(session: &Session, arguments: &Arguments) -> Result<(Plan, Outlook), CommandError> {
    let namespaced = scopes(&session.cluster.table().discovery);
    let subject = folder(arguments, namespaced)?;
    let live = read(session, wanted(&subject)).await;
    complain("note: what is in the cluster and not in the folder is not shown: --app NAME says what belongs together");
    let plan = subject.plan(&[])?;
    let outlook = Outlook::new(&request(session, &subject, &plan, &live, &[]));
    Ok((plan, outlook))
}

/// An Application beside its cluster.
pub(super) async fn of_application(
    session: &Session,
    arguments: &Arguments,
    name: &str,
) -> Result<(Plan, Outlook), CommandError> {
    let application = session.application(&session.id(name)?).await?;
    if application.spec.destination.cluster() != *session.cluster.id() {
        return Err(CommandError::Usage(format!(
            "{} goes to cluster {}: only the cluster that the Applications are in can be read here",
            application.id(),
            application.spec.destination.cluster()
        )));
    }
    let origin = match &arguments.local {
        Some(root) => Origin::Local(root),
        None => Origin::Git(arguments.revision.as_deref()),
    };
    let subject = Subject {
        application: application.id(),
        targets: targets(session, &application, &origin)?,
        destination_namespace: application.spec.destination.namespace.clone(),
        options: application.spec.sync_policy.options(),
    };
    let extra = undeclared(&application, &subject);
    let known = extra.iter().map(|resource| (resource.key(), kind_of(resource)));
    let live = read(session, wanted(&subject).into_iter().chain(known).collect()).await;
    let last = subject.options.prune_last == Some(true);
    let items: Vec<PruneItem> = extra.iter().map(|resource| prune_item(resource, &live, last)).collect();
    let plan = subject.plan(&items)?;
    let paused = paused(session, &application).await;
    let ignored = &application.spec.ignore_differences;
    let outlook = Outlook::new(&OutlookRequest {
        by_person: arguments.prune,
        keeps: keeps(&application).filter(|_| !arguments.prune),
        paused: paused.as_deref(),
        ..request(session, &subject, &plan, &live, ignored)
    });
    Ok((plan, outlook))
}

fn request<'a>(
    session: &'a Session,
    subject: &'a Subject,
    plan: &'a Plan,
    live: &'a LiveObjects,
    ignored: &'a [ResourceIgnoreDifferences],
) -> OutlookRequest<'a> {
    OutlookRequest {
        plan,
        targets: &subject.targets,
        live,
        application: &subject.application,
        control_namespace: session.namespace(),
        ignored,
        options: &subject.options,
        by_person: false,
        keeps: None,
        paused: None,
        protected: &[],
        guards: Guards::default(),
    }
}

/// What the sync writes.
fn wanted(subject: &Subject) -> Vec<(ResourceKey, GroupVersionKind)> {
    let declared = subject.targets.objects().iter();
    let named = declared.filter(|target| target.generate_name.is_none());
    let mut all: Vec<_> = named.map(|target| (target.key.clone(), target.gvk.clone())).collect();
    if subject.options.create_namespace == Some(true) {
        let key = ResourceKey::new("", "Namespace", "", &subject.destination_namespace);
        all.push((key, GroupVersionKind::from_api_version("v1", "Namespace")));
    }
    all
}

/// What the controller says belongs to the Application, and is not declared.
fn undeclared<'a>(application: &'a Application, subject: &Subject) -> Vec<&'a ResourceStatus> {
    let declared: BTreeSet<&ResourceKey> = subject.targets.objects().iter().map(|target| &target.key).collect();
    let resources = application.status.resources.iter();
    resources
        .filter(|resource| !resource.hook && !declared.contains(&resource.key()))
        .collect()
}

fn kind_of(resource: &ResourceStatus) -> GroupVersionKind {
    GroupVersionKind {
        group: resource.group.clone(),
        version: resource.version.clone(),
        kind: resource.kind.clone(),
    }
}

fn prune_item(resource: &ResourceStatus, live: &LiveObjects, last: bool) -> PruneItem {
    let key = resource.key();
    let meta = match live.get(&key) {
        Some(LiveObject::Present(object)) => Some(ObjectMeta::of(object)),
        _ => None,
    };
    let own_last = meta.as_ref().and_then(|meta| meta.sync_options.prune_last) == Some(true);
    PruneItem {
        key,
        gvk: kind_of(resource),
        wave: meta.map_or(resource.sync_wave, |meta| meta.wave),
        last: last || own_last,
    }
}

/// Why an Application's automated sync deletes nothing.
fn keeps(application: &Application) -> Option<&'static str> {
    match application.spec.sync_policy.automation() {
        None => Some(
            "it is not synced automatically, and a sync deletes only where it is asked to: `capstan app sync --prune`",
        ),
        Some(automated) if !automated.prune => {
            Some("automated.prune is not set: only `capstan app sync --prune` deletes it")
        }
        Some(_) => None,
    }
}

/// Why deletes of it are paused. What cannot be read counts as a pause, as in the controller.
async fn paused(session: &Session, application: &Application) -> Option<String> {
    let namespace = session.namespace();
    let config_map = ResourceKey::new("", "ConfigMap", namespace, Pause::CONFIG_MAP);
    let kind = GroupVersionKind::from_api_version("v1", "ConfigMap");
    let pause = match session.cluster.observe(&config_map, &kind).await {
        Ok(found) => found.map(|object| Pause::of(&object)).unwrap_or_default(),
        Err(error) => Pause::unknown(&error.to_string()),
    };
    let spec = &application.spec;
    let project = ResourceKey::new("argoproj.io", "AppProject", namespace, spec.project());
    let kind = GroupVersionKind::from_api_version("argoproj.io/v1alpha1", "AppProject");
    let project = session.cluster.observe(&project, &kind).await.ok().flatten();
    let of_project = project.and_then(|project| {
        let annotations = project.pointer("/metadata/annotations")?;
        annotations.get(PAUSE_DELETES)?.as_str().map(ToOwned::to_owned)
    });
    let of_application = application.metadata.annotations.get(PAUSE_DELETES);
    let annotations = [("AppProject", of_project.as_ref()), ("Application", of_application)];
    pause.reason(&spec.destination.cluster(), spec.project(), annotations)
}

/// What the cluster has under these keys.
async fn read(session: &Session, wanted: Vec<(ResourceKey, GroupVersionKind)>) -> LiveObjects {
    let reads = wanted.into_iter().map(|(key, kind)| async move {
        let live = one(session, &key, &kind).await;
        (key, live)
    });
    futures::stream::iter(reads).buffer_unordered(READS).collect().await
}

async fn one(session: &Session, key: &ResourceKey, kind: &GroupVersionKind) -> LiveObject {
    match session.cluster.table().discovery.lookup(&key.group_kind()) {
        KindLookup::Served(_) => {}
        KindLookup::NotServed => return LiveObject::NotServed,
        KindLookup::Unknown => {
            return LiveObject::Unread(format!("the kinds of group {} could not be discovered", key.group));
        }
    }
    match session.cluster.observe(key, kind).await {
        Ok(Some(object)) => LiveObject::Present(object),
        Ok(None) => LiveObject::Absent,
        Err(error) => LiveObject::Unread(error.to_string()),
    }
}
