//! Server-side apply and the tracking of who owns which field, as structured-merge-diff and the API server's field managers do it.
//!
//! Pure functions over values and a schema ([`capstan_model::schema::Node`]): [`update`] tracks an ordinary write, [`apply`] merges a
//! configuration. Objects come without `managedFields`; ownership comes and goes as [`Managers`].
//!
//! Deliberately absent: converting ownership between versions of a kind whose versions differ in shape; ownership is kept under the
//! version it was written in and compared as it is.

mod compare;
mod managers;
mod merge;
mod set;
mod strategic;
mod typed;

use capstan_model::schema::Node;
use serde_json::Value;

pub(crate) use managers::{Manager, Managers, Owned};
pub(crate) use set::{Set, Step, print};
pub(crate) use strategic::{go_print, strategic};

use compare::Comparison;

/// Which fields a write may take ownership of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All but these and what is below them.
    AllBut(Set),
    /// Only this field and what is below.
    Only(&'static str),
}

impl Scope {
    fn filter(&self, set: &Set) -> Set {
        match self {
            Self::AllBut(reset) => set.without(reset),
            Self::Only(field) => set.only(&Step::field(field)),
        }
    }

    fn filtered(&self, all: &Comparison) -> Comparison {
        Comparison {
            added: self.filter(&all.added),
            removed: self.filter(&all.removed),
            modified: self.filter(&all.modified),
        }
    }
}

/// One write, as ownership sees it.
#[derive(Clone, Debug)]
pub(crate) struct Write<'w> {
    /// The kind's schema.
    pub(crate) node: Node<'w>,
    /// `group/version` written through.
    pub(crate) api_version: String,
    /// Who writes.
    pub(crate) manager: &'w str,
    /// Subresource written through.
    pub(crate) subresource: &'w str,
    /// What may be owned.
    pub(crate) scope: &'w Scope,
    /// The time, as entries carry it.
    pub(crate) now: &'w str,
}

/// A field that somebody else owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// Who.
    pub(crate) manager: Manager,
    /// Which field, as messages show it.
    pub(crate) path: String,
}

/// Why an apply failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApplyError {
    /// The configuration does not fit the schema.
    #[error("{0}")]
    NotTyped(String),
    /// Others own fields it sets to something else.
    #[error("{} conflicts", .0.len())]
    Conflicts(Vec<Conflict>),
}

/// What an apply comes to.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    /// The new object; `None` when nothing but ownership changes.
    pub(crate) object: Option<Value>,
    /// Who owns what then.
    pub(crate) managers: Managers,
}

/// Metadata nobody owns.
fn unowned() -> Set {
    Set::of_fields(&[
        &["apiVersion"],
        &["kind"],
        &["metadata"],
        &["metadata", "name"],
        &["metadata", "namespace"],
        &["metadata", "creationTimestamp"],
        &["metadata", "selfLink"],
        &["metadata", "uid"],
        &["metadata", "clusterName"],
        &["metadata", "generation"],
        &["metadata", "managedFields"],
        &["metadata", "resourceVersion"],
    ])
}

/// Ownership after an ordinary write of `new` over `live`.
pub(crate) fn update(write: &Write<'_>, live: &Value, new: &Value, managers: &Managers) -> Managers {
    let mut managers = managers.clone();
    let comparison = write.scope.filtered(&compare::compare(write.node, live, new));
    take_over(&comparison, &mut managers, None);
    let taken = comparison.modified.union(&comparison.added).difference(&unowned());
    if !taken.is_empty() {
        let manager = Manager {
            applies: false,
            name: write.manager.to_owned(),
            api_version: write.api_version.clone(),
            subresource: write.subresource.to_owned(),
        };
        let before = managers.owned.remove(&manager).map(|o| o.set).unwrap_or_default();
        let owned = Owned {
            set: taken.union(&before),
            api_version: write.api_version.clone(),
            time: Some(write.now.to_owned()),
        };
        managers.owned.insert(manager, owned);
        managers.cap();
    }
    managers
}

/// Takes changed and removed fields from everybody but `except`.
fn take_over(comparison: &Comparison, managers: &mut Managers, except: Option<&Manager>) {
    let changed = comparison.modified.union(&comparison.added);
    for (manager, owned) in &mut managers.owned {
        if Some(manager) != except {
            let lost = owned.set.intersection(&changed);
            owned.set = owned.set.difference(&lost).difference(&comparison.removed);
        }
    }
    managers.owned.retain(|_, owned| !owned.set.is_empty());
}

/// Applies `config` to `live`.
///
/// # Errors
/// [`ApplyError`] when the configuration does not fit the schema, or sets fields of others without `force`.
pub(crate) fn apply(
    write: &Write<'_>,
    live: &Value,
    config: &Value,
    managers: &Managers,
    force: bool,
) -> Result<Applied, ApplyError> {
    let node = write.node;
    let errors = typed::check(node, config);
    if !errors.is_empty() {
        return Err(ApplyError::NotTyped(typed::joined(&errors)));
    }
    let mut managers = managers.clone();
    let me = Manager {
        applies: true,
        name: write.manager.to_owned(),
        api_version: String::new(),
        subresource: write.subresource.to_owned(),
    };
    let before = managers.owned.remove(&me);
    let mut owned = Owned {
        set: write.scope.filter(&typed::field_set(node, config)),
        api_version: write.api_version.clone(),
        time: before.as_ref().and_then(|b| b.time.clone()),
    };
    managers.owned.insert(me.clone(), owned.clone());
    let merged = merge::merge(node, live, config);
    let last = before.map(|b| b.set).unwrap_or_default();
    let object = prune(node, merged, &managers, &last);
    let all = compare::compare(node, live, &object);
    let comparison = write.scope.filtered(&all);
    let conflicts = conflicts(&comparison, &managers, &me);
    if !force && !conflicts.is_empty() {
        return Err(ApplyError::Conflicts(conflicts));
    }
    take_over(&comparison, &mut managers, Some(&me));
    owned.set = owned.set.difference(&unowned());
    let changed = !all.is_same();
    if changed {
        owned.time = Some(write.now.to_owned());
    }
    if owned.set.is_empty() {
        managers.owned.remove(&me);
    } else {
        managers.owned.insert(me, owned);
    }
    Ok(Applied {
        object: changed.then_some(object),
        managers,
    })
}

fn conflicts(comparison: &Comparison, managers: &Managers, me: &Manager) -> Vec<Conflict> {
    let changed = comparison.modified.union(&comparison.added);
    let others = managers.owned.iter().filter(|(manager, _)| *manager != me);
    others
        .flat_map(|(manager, owned)| {
            owned
                .set
                .intersection(&changed)
                .paths()
                .into_iter()
                .map(move |path| Conflict {
                    manager: manager.clone(),
                    path: print(&path),
                })
        })
        .collect()
}

/// Takes out of the merged object what the applier owned before, unless somebody (itself included) still owns it.
fn prune(node: Node<'_>, merged: Value, managers: &Managers, last: &Set) -> Value {
    if last.is_empty() {
        return merged;
    }
    let named = |set: &Set| set.with_named_fields(Some(node));
    let last = named(last);
    let all = named(&typed::field_set(node, &merged));
    let mut pruned = merge::without(node, &merged, &last);
    let still = managers
        .owned
        .values()
        .fold(Set::default(), |set, owned| set.union(&owned.set));
    let gone = all
        .difference(&named(&typed::field_set(node, &pruned)))
        .difference(&named(&still));
    pruned = merge::without(node, &merged, &gone);
    let gone = all
        .difference(&named(&typed::field_set(node, &pruned)))
        .intersection(&last);
    merge::without(node, &merged, &gone)
}
