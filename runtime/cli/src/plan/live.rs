//! Reading what a plan is about from the cluster: every object by itself, as the person who asks may read it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use capstan_engine::event::KindLookup;
use capstan_engine::guard::{Content, Pause};
use capstan_engine::plan::{Aside, LiveObject, Outlook, OutlookRequest, Plan, PruneItem};
use capstan_engine::policy::dependency_error;
use capstan_model::annotations::DEPENDS_ON;
use capstan_model::{
    AppProject, Application, ClusterId, GroupVersionKind, ObjectMeta, ResourceKey, ResourceStatus, SyncPolicyAutomated,
    Timestamp,
};
use futures::StreamExt as _;

use super::{Arguments, Subject, folder};
use crate::desired::{Origin, Setting, scopes, targets};
use crate::error::CommandError;
use crate::output::complain;
use crate::session::Session;

/// Reads under way at once.
const READS: usize = 16;

type LiveObjects = BTreeMap<ResourceKey, LiveObject>;
type Contents = BTreeMap<ResourceKey, Result<Vec<Content>, String>>;

/// A folder beside the cluster, as an Application without a project of its own that is synced automatically. What it would delete is not
/// known: no Application says what belongs to it.
pub(super) async fn of_folder(session: &Session, arguments: &Arguments) -> Result<Seen, CommandError> {
    let namespaced = scopes(&session.cluster.table().discovery);
    let subject = folder(arguments, Some(namespaced))?;
    let mut application = Application::default();
    application
        .metadata
        .namespace
        .clone_from(&subject.application.namespace);
    application.metadata.name.clone_from(&subject.application.name);
    application.spec.destination.server = ClusterId::IN_CLUSTER.into();
    application
        .spec
        .destination
        .namespace
        .clone_from(&subject.destination_namespace);
    application.spec.sync_policy.automated = Some(SyncPolicyAutomated::default());
    let live = read(session, wanted(&subject)).await;
    complain("note: what is in the cluster and not in the folder is not shown: --app NAME says what belongs together");
    let plan = subject.plan(&[])?;
    let found = Found {
        live,
        contents: Contents::new(),
        project: Ok(Some(AppProject::permissive("default"))),
        pause: Pause::default(),
    };
    Ok(Seen {
        outlook: outlook(session, arguments, &subject, &application, &plan, &found),
        aside: subject.aside(None),
        plan,
    })
}

/// An Application beside its cluster.
pub(super) async fn of_application(session: &Session, arguments: &Arguments, name: &str) -> Result<Seen, CommandError> {
    let application = session.application(&session.id(name)?).await?;
    if application.spec.destination.cluster() != *session.cluster.id() {
        return Err(CommandError::Usage(format!(
            "{} goes to cluster {}: only the cluster that the Applications are in can be read here",
            application.id(),
            application.spec.destination.cluster()
        )));
    }
    is_no_cycle(session, &application).await?;
    let project = session.project(application.spec.project()).await;
    let subject = subject(session, arguments, &application, project.as_ref().ok()).await?;
    let extra = undeclared(&application, &subject);
    let known = extra.iter().map(|resource| (resource.key(), kind_of(resource)));
    let live = read(session, wanted(&subject).into_iter().chain(known).collect()).await;
    let last = subject.options.prune_last == Some(true);
    let items: Vec<PruneItem> = extra.iter().map(|resource| prune_item(resource, &live, last)).collect();
    let plan = subject.plan(&items)?;
    let found = Found {
        contents: contents(session, &items, &live).await,
        live,
        project,
        pause: pause(session).await,
    };
    Ok(Seen {
        outlook: outlook(session, arguments, &subject, &application, &plan, &found),
        aside: subject.aside(Some(&application)),
        plan,
    })
}

/// Applications that wait for each other are never synced, whatever they declare.
async fn is_no_cycle(session: &Session, application: &Application) -> Result<(), CommandError> {
    if application.annotation(DEPENDS_ON).is_empty() {
        return Ok(());
    }
    let listed = session.cluster.applications().await.unwrap_or_else(|error| {
        complain(&format!(
            "note: whether Applications wait for each other is not known: {error}"
        ));
        Vec::new()
    });
    let others = listed.iter().filter_map(|object| Application::parse(object).ok());
    let others: BTreeMap<_, Application> = others.map(|other| (other.id(), other)).collect();
    match dependency_error(application, |other| others.get(other)) {
        Some(error) => Err(CommandError::Source(error)),
        None => Ok(()),
    }
}

/// What an Application declares.
async fn subject(
    session: &Session,
    arguments: &Arguments,
    application: &Application,
    project: Option<&Option<AppProject>>,
) -> Result<Subject, CommandError> {
    let origin = match &arguments.local {
        Some(root) => Origin::Local(root),
        None => Origin::Remote(arguments.revision.as_deref()),
    };
    // What a project that is not known would refuse is told with everything else that keeps the sync from beginning.
    let permissive = || AppProject::permissive(application.spec.project());
    let setting = Setting {
        project: &project.cloned().flatten().unwrap_or_else(permissive),
        installation_id: &arguments.controller.installation_id,
    };
    Ok(Subject {
        application: application.id(),
        targets: targets(session, application, &origin, &setting).await?,
        destination_namespace: application.spec.destination.namespace.clone(),
        options: application.spec.sync_policy.options(),
        guards: arguments.controller.guards,
    })
}

/// A plan, and what it comes to in the cluster.
pub(super) struct Seen {
    pub(super) plan: Plan,
    pub(super) outlook: Outlook,
    pub(super) aside: Aside,
}

/// What was read of the cluster, and what could not be.
struct Found {
    live: LiveObjects,
    contents: Contents,
    project: Result<Option<AppProject>, String>,
    pause: Pause,
}

fn outlook(
    session: &Session,
    arguments: &Arguments,
    subject: &Subject,
    application: &Application,
    plan: &Plan,
    found: &Found,
) -> Outlook {
    Outlook::new(&OutlookRequest {
        plan,
        targets: &subject.targets,
        live: &found.live,
        contents: &found.contents,
        discovery: &session.cluster.table().discovery,
        application,
        project: found.project.as_ref().map(Option::as_ref).map_err(String::as_str),
        options: &subject.options,
        pause: &found.pause,
        settings: &arguments.settings(),
        by_person: arguments.prune,
        now: now(),
    })
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_seconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
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
    let objects = subject
        .targets
        .objects()
        .iter()
        .filter(|target| target.meta.is_resource());
    let declared: BTreeSet<&ResourceKey> = objects.map(|target| &target.key).collect();
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

/// What of deletes is paused. What cannot be read counts as a pause, as in the controller.
async fn pause(session: &Session) -> Pause {
    let config_map = ResourceKey::new("", "ConfigMap", session.namespace(), Pause::CONFIG_MAP);
    let kind = GroupVersionKind::from_api_version("v1", "ConfigMap");
    match session.cluster.observe(&config_map, &kind).await {
        Ok(found) => found.map(|object| Pause::of(&object)).unwrap_or_default(),
        Err(error) => Pause::unknown(&error.to_string()),
    }
}

/// What would go along with the namespaces and definitions that are not declared any more.
async fn contents(session: &Session, items: &[PruneItem], live: &LiveObjects) -> Contents {
    let mut contents = Contents::new();
    for item in items {
        if let Some(LiveObject::Present(object)) = live.get(&item.key)
            && let Some(found) = session.cluster.goes_along(object).await
        {
            contents.insert(item.key.clone(), found);
        }
    }
    contents
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
