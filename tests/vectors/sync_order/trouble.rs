//! What a case does to its objects: read from the case alone (what is declared, what is live, how the cluster behaves).

use serde_json::Value;

use super::case::{Case, key_of, name_in_script};

/// What a case does to one of its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// The cluster refuses its write.
    WriteFails,
    /// The cluster refuses its delete.
    DeleteFails,
    /// The cluster refuses to take its finalizer off.
    ReleaseFails,
    /// A dry run of it fails.
    DryRunFails,
    /// The project does not permit it.
    Denied,
    /// It is not healthy, at some time.
    Unhealthy,
    /// It does not go at once when it is deleted.
    Lingers,
    /// Somebody else deletes it, or what it lives in, or what defines it.
    Taken,
    /// It is a hook, and an object of its name is live.
    Earlier,
    /// Its kind, or its namespace, is not there at first.
    Homeless,
    /// Its delete has to be confirmed.
    Confirmed,
}

/// Has the object one of these troubles?
pub(crate) fn has(case: &Case, key: &str, wanted: &[Trouble]) -> bool {
    troubles(case, key).iter().any(|trouble| wanted.contains(trouble))
}

/// What the case does to an object.
pub(crate) fn troubles(case: &Case, key: &str) -> Vec<Trouble> {
    let generated = case.generated_names();
    let key = name_in_script(&generated, key);
    let script = &case.script;
    let of_key = |object: &&Value| key_of(object) == key;
    let live = case.live.iter().find(|live| key_of(&live.obj) == key);
    let declared = || case.desired.iter().filter(of_key);
    let is_held = |object: &Value| object.pointer("/metadata/finalizers").is_some();
    let statuses = script
        .health
        .get(key)
        .into_iter()
        .flatten()
        .chain(script.live_health.get(key));
    let all = [
        (fails(case, "apply", key), Trouble::WriteFails),
        (fails(case, "delete", key), Trouble::DeleteFails),
        (fails(case, "finalizer", key), Trouble::ReleaseFails),
        (fails(case, "dry-run", key), Trouble::DryRunFails),
        (fails(case, "deny", key), Trouble::Denied),
        (
            statuses.into_iter().any(|status| status != "Healthy"),
            Trouble::Unhealthy,
        ),
        (
            script.linger.contains_key(key) || live.is_some_and(|live| is_held(&live.obj)) || declared().any(is_held),
            Trouble::Lingers,
        ),
        (is_taken(case, key), Trouble::Taken),
        (
            live.is_some() && declared().any(|object| crate::differences::phases(object) > 0),
            Trouble::Earlier,
        ),
        (is_homeless(case, key), Trouble::Homeless),
        (says(case, key, "Prune=confirm"), Trouble::Confirmed),
    ];
    all.into_iter()
        .filter(|(is_so, _)| *is_so)
        .map(|(_, trouble)| trouble)
        .collect()
}

fn fails(case: &Case, op: &str, key: &str) -> bool {
    case.script.fail.iter().any(|fail| fail.op == op && fail.key == key)
}

/// The namespace of an object and the definition of its kind, where it has them.
pub(crate) fn homes(key: &str) -> Vec<String> {
    let mut parts = key.split('/');
    let mut next = || parts.next().unwrap_or_default();
    let (group, kind, namespace) = (next(), next(), next());
    let namespace = (!namespace.is_empty()).then(|| format!("/Namespace//{namespace}"));
    let definition = super::world::definition_of(group, kind);
    let definition = definition.map(|name| format!("apiextensions.k8s.io/CustomResourceDefinition//{name}"));
    namespace.into_iter().chain(definition).collect()
}

fn is_homeless(case: &Case, key: &str) -> bool {
    let is_live = |home: &String| case.live.iter().any(|live| key_of(&live.obj) == *home);
    !homes(key).iter().all(is_live)
}

fn is_taken(case: &Case, key: &str) -> bool {
    let is_going = |key: &str| {
        let mut vanish = case.script.vanish.iter();
        let mut live = case.live.iter().filter(|live| live.deleting);
        vanish.any(|vanish| vanish.key == key) || live.any(|live| key_of(&live.obj) == key)
    };
    is_going(key) || homes(key).iter().any(|home| is_going(home))
}

/// Does an object, as it is declared or live, or the application say this option?
pub(crate) fn says(case: &Case, key: &str, option: &str) -> bool {
    let objects = case.desired.iter().chain(case.live.iter().map(|live| &live.obj));
    let mut of_key = objects.filter(|object| key_of(object) == key);
    let of_app = case.op.sync_options.iter().any(|other| other == option);
    of_app || of_key.any(|object| crate::differences::options(object).contains(&option))
}
