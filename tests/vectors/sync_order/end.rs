//! How two ends of one case differ, and whether ours is worse: judged by what was declared, not by what the engine says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::case::{Case, key_of};
use super::replay::Played;

/// How one object is other with our way than with Argo CD's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// It is there; Argo CD deleted it.
    Kept,
    /// It is as it was; Argo CD wrote it.
    Unchanged,
    /// It is not there, as before; Argo CD made it.
    NotMade,
    /// It is as it is declared; Argo CD left it as it was.
    Changed,
    /// It is there, as it is declared; Argo CD did not make it.
    Made,
    /// It is gone; Argo CD kept it.
    Deleted,
}

impl Way {
    /// Less was done than Argo CD does.
    pub(crate) fn is_held(self) -> bool {
        matches!(self, Self::Kept | Self::Unchanged | Self::NotMade)
    }

    /// It is as it is declared, and Argo CD did not come to it.
    pub(crate) fn is_done(self) -> bool {
        matches!(self, Self::Made | Self::Changed)
    }
}

/// The ends of a case.
#[derive(Debug)]
pub(crate) struct End {
    /// Each object that is not the same, and each hook that ran with one of them only.
    pub(crate) ways: BTreeMap<String, Way>,
    /// Ours deleted them, and nothing that the case declares allows that.
    wrongly_deleted: BTreeSet<String>,
    /// They are neither as they were nor as they are declared.
    spoilt: BTreeSet<String>,
    /// Phases and messages: Argo CD's way, ours.
    phases: [String; 2],
    messages: [String; 2],
    is_unclear: bool,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [argo, ours] = &self.phases;
        let [argo_says, says] = &self.messages;
        write!(f, "{:?}; ", self.ways)?;
        write!(f, "Argo CD {argo} {argo_says:?}, ours {ours} {says:?}")
    }
}

impl End {
    pub(crate) fn of(case: &Case, argo: &Played, ours: &Played) -> Self {
        let (theirs, mine) = (state(case, argo), state(case, ours));
        let before: BTreeMap<String, &Value> = case.live.iter().map(|live| (key_of(&live.obj), &live.obj)).collect();
        let declared: BTreeMap<String, &Value> = case.desired.iter().map(|object| (key_of(object), object)).collect();
        // What somebody else deleted, or what it lived in, is their loss.
        let is_taken = |key: &String| ours.world.taken.contains(key);
        let may_go = |key: &String| {
            may_be_deleted(case, key, before[key]) || is_taken(key) || is_gone_with_another(case, ours, key)
        };
        let is_lost = |key: &&String| !ours.world.objects.contains_key(*key) && !is_hook(before[*key]);
        let wrongly_deleted = before
            .keys()
            .filter(is_lost)
            .filter(|key| !may_go(key))
            .cloned()
            .collect();
        let payload = |object: &Value| object.pointer("/metadata/labels").cloned().unwrap_or_default();
        let is_spoilt = |(key, object): &(&String, &super::world::Object)| {
            let now = payload(&object.value);
            let was = before.get(*key).is_some_and(|was| payload(was) == now);
            let is = declared.get(*key).is_some_and(|is| payload(is) == now);
            let is_ours_to_make = key.starts_with("/Namespace//") || declared_by_generated_name(case, key);
            !was && !is && !is_ours_to_make
        };
        let spoilt = ours
            .world
            .objects
            .iter()
            .filter(is_spoilt)
            .map(|(key, _)| key.clone())
            .collect();
        let waits = matches!(ours.phase.as_str(), "Running" | "Terminating");
        let says = ours.message.contains("waiting for ")
            && ours.message.contains(", since ")
            && ours.message.contains(", until ");
        let ways = ways(case, &before, [argo, ours], [&theirs, &mine]);
        Self {
            ways,
            wrongly_deleted,
            spoilt,
            phases: [argo.phase.clone(), ours.phase.clone()],
            messages: [argo.message.clone(), ours.message.clone()],
            is_unclear: waits && (!says || ours.deadline.is_none()),
        }
    }

    pub(crate) fn is_same(&self) -> bool {
        self.ways.is_empty()
    }

    /// Why ours is worse, or does not say what it waits for.
    pub(crate) fn fault(&self) -> Option<String> {
        if !self.wrongly_deleted.is_empty() {
            return Some(format!("deleted {:?}", self.wrongly_deleted));
        }
        if !self.spoilt.is_empty() {
            return Some(format!("neither as before nor as declared: {:?}", self.spoilt));
        }
        self.is_unclear.then(|| {
            format!(
                "it does not say what it waits for, since when and until when: {:?}",
                self.messages[1]
            )
        })
    }
}

/// Each object that is not the same in the two, and each hook that ran with one of them only.
fn ways(
    case: &Case,
    before: &BTreeMap<String, &Value>,
    [argo, ours]: [&Played; 2],
    [theirs, mine]: [&BTreeMap<String, Value>; 2],
) -> BTreeMap<String, Way> {
    let payload = |object: &Value| object.pointer("/metadata/labels").cloned().unwrap_or_default();
    let was_there = |key: &String| before.contains_key(key);
    let is_as_before = |key: &String, object: &Value| before.get(key).is_some_and(|was| payload(was) == *object);
    let missing = theirs.keys().filter(|key| !mine.contains_key(*key));
    // What is left of an earlier run of a hook, and declared as an ordinary object now, is there and not as it is declared.
    let is_left = |played: &Played, key: &String| played.world.settled().contains(key);
    let missing = missing.map(|key| match was_there(key) {
        true if is_left(ours, key) => (key.clone(), Way::Unchanged),
        true => (key.clone(), Way::Deleted),
        false => (key.clone(), Way::NotMade),
    });
    let more = mine.keys().filter(|key| !theirs.contains_key(*key));
    let more = more.map(|key| match was_there(key) {
        true if is_left(argo, key) => (key.clone(), Way::Changed),
        true => (key.clone(), Way::Kept),
        false => (key.clone(), Way::Made),
    });
    let changed = mine
        .iter()
        .filter(|(key, value)| theirs.get(*key).is_some_and(|other| other != *value));
    let changed = changed.map(|(key, value)| {
        let way = if is_as_before(key, value) {
            Way::Unchanged
        } else {
            Way::Changed
        };
        (key.clone(), way)
    });
    let (theirs_ran, ran) = (hooks_run(case, argo), hooks_run(case, ours));
    let hooks = theirs_ran.symmetric_difference(&ran);
    let hooks = hooks.map(|key| (key.clone(), if ran.contains(key) { Way::Made } else { Way::NotMade }));
    missing.chain(more).chain(changed).chain(hooks).collect()
}

/// Ordinary objects that are there to stay, and their payload.
fn state(case: &Case, played: &Played) -> BTreeMap<String, Value> {
    let settled = played.world.settled();
    // What CreateNamespace made is no hook, and may be declared as one.
    let is_run = |key: &str| {
        let mut declared = case.desired.iter().filter(|object| key_of(object) == key);
        key.starts_with("/Namespace/") && declared.any(|object| crate::differences::phases(object) > 0)
    };
    let stays = played
        .world
        .objects
        .iter()
        .filter(|(key, object)| settled.contains(*key) && !is_hook(&object.value) && !is_run(key));
    let ordinary = stays.filter(|(key, _)| !declared_by_generated_name(case, key));
    ordinary
        .map(|(key, object)| (key.clone(), object.value["metadata"]["labels"].clone()))
        .collect()
}

/// Declared hooks of which a run was made, by their keys; one without a name by what its name begins with.
fn hooks_run(case: &Case, played: &Played) -> BTreeSet<String> {
    let rows = played.rounds.iter().flat_map(|round| round.ops.iter().flatten());
    let made = rows.filter(|row| matches!(row.op.as_str(), "create" | "apply" | "replace") && !row.has("fail"));
    let hooks: Vec<(String, bool)> = case
        .desired
        .iter()
        .filter(|object| crate::differences::phases(object) > 0)
        .map(|object| match object["metadata"]["generateName"].as_str() {
            Some(prefix) => (format!("{}{prefix}", key_of(object)), true),
            None => (key_of(object), false),
        })
        .collect();
    let hook_of = |key: &String| {
        let is_it = |(hook, is_prefix): &&(String, bool)| hook == key || *is_prefix && key.starts_with(hook);
        hooks.iter().find(is_it).map(|(hook, _)| hook.clone())
    };
    made.filter_map(|row| hook_of(&row.key)).collect()
}

pub(crate) fn is_hook(object: &Value) -> bool {
    let annotations = object.pointer("/metadata/annotations");
    let named = |name: &str| annotations.is_some_and(|all| all.get(name).is_some());
    named("argocd.argoproj.io/hook") || named("helm.sh/hook")
}

fn declared_by_generated_name(case: &Case, key: &str) -> bool {
    let name = key.rsplit('/').next().unwrap_or_default();
    let prefixes = case
        .desired
        .iter()
        .filter_map(|object| object["metadata"]["generateName"].as_str());
    prefixes.into_iter().any(|prefix| name.starts_with(prefix))
}

/// A prune that was asked for, of an object that is tracked, permitted by the project, not declared as an ordinary object, and does not
/// protect itself.
pub(crate) fn may_be_deleted(case: &Case, key: &str, object: &Value) -> bool {
    let live = case.live.iter().find(|live| key_of(&live.obj) == key);
    let is_taken = live.is_some_and(|live| live.deleting) || case.script.vanish.iter().any(|vanish| vanish.key == key);
    is_taken || may_be_pruned(case, key, object)
}

/// The same of what nobody else deletes.
pub(crate) fn may_be_pruned(case: &Case, key: &str, object: &Value) -> bool {
    let live = case.live.iter().find(|live| key_of(&live.obj) == key);
    let is_tracked = live.is_some_and(|live| !live.unmanaged);
    // What has become a hook that runs goes as a prune does, to make room for it.
    let stays = |desired: &&Value| key_of(desired) == key && crate::differences::phases(desired) == 0;
    let is_declared = case.desired.iter().any(|desired| stays(&desired));
    let is_permitted = !case.script.fail.iter().any(|fail| fail.op == "deny" && fail.key == key);
    let own = object
        .pointer("/metadata/annotations")
        .and_then(|all| all.get("argocd.argoproj.io/sync-options"));
    let own = own.and_then(Value::as_str).unwrap_or_default();
    let words = own
        .split(',')
        .map(str::trim)
        .chain(case.op.sync_options.iter().map(String::as_str));
    let of_prune: Vec<&str> = words
        .filter(|word| matches!(*word, "Prune=true" | "Prune=false" | "Prune=confirm"))
        .collect();
    let confirmed = case.script.prune_confirmed_at.is_some();
    let allowed = match of_prune.first() {
        Some(&"Prune=false") => false,
        Some(&"Prune=confirm") => confirmed,
        _ => true,
    };
    case.op.prune && !case.op.dry_run && is_tracked && !is_declared && is_permitted && allowed
}

/// It lived in a namespace, or was of a kind, that may be deleted and is.
fn is_gone_with_another(case: &Case, ours: &Played, key: &str) -> bool {
    let mut parts = key.splitn(4, '/');
    let (group, _, namespace) = (
        parts.next().unwrap_or_default(),
        parts.next(),
        parts.next().unwrap_or_default(),
    );
    let is_lost = |holder: &str| {
        let live = case.live.iter().find(|live| key_of(&live.obj) == holder);
        !ours.world.objects.contains_key(holder) && live.is_some_and(|live| may_be_deleted(case, holder, &live.obj))
    };
    let definitions = case
        .live
        .iter()
        .filter(|live| live.obj["kind"] == "CustomResourceDefinition");
    let of_group = definitions
        .filter(|live| live.obj["spec"]["group"] == group)
        .map(|live| key_of(&live.obj));
    is_lost(&format!("/Namespace//{namespace}")) || of_group.into_iter().any(|key| is_lost(&key))
}
