//! What Git declared before and no longer declares: still live, and not at its default.
//!
//! Who declared what is told, in this order: by what we own through server-side apply; by the annotation in which `kubectl apply` and
//! Argo CD keep what they applied; by what Argo CD owns through plain updates. The last one is the weakest, since a plain create owns
//! the defaults too.

use serde_json::{Map, Value};

use super::defaults::is_default;
use super::fields::{has_keys, is_value};
use super::path::{Keys, Segment};
use super::schema;
use super::walk::{Listing, Walk, find_item};

/// Where `kubectl apply` keeps what it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Fields that no comparison looks at: identity, what a server writes, what is not Git's.
pub(super) fn is_never_compared(path: &[Segment<'_>]) -> bool {
    match path {
        [Segment::Field("apiVersion" | "kind" | "status")] => true,
        [Segment::Field("metadata"), Segment::Field(name)] => matches!(
            *name,
            "creationTimestamp"
                | "deletionGracePeriodSeconds"
                | "deletionTimestamp"
                | "generateName"
                | "generation"
                | "managedFields"
                | "name"
                | "namespace"
                | "resourceVersion"
                | "selfLink"
                | "uid"
        ),
        [
            Segment::Field("metadata"),
            Segment::Field("annotations"),
            Segment::Field(LAST_APPLIED),
        ] => true,
        _ => false,
    }
}

/// What was applied last, by the annotation on `live`; `None` where there is none, or it is broken, or of another object.
pub(super) fn last_applied(live: &Value) -> Option<Value> {
    let text = live.pointer("/metadata/annotations")?.get(LAST_APPLIED)?.as_str()?;
    let applied: Value = serde_json::from_str(text).ok()?;
    let same = |pointer: &str| applied.pointer(pointer) == live.pointer(pointer);
    (same("/kind") && same("/metadata/name")).then_some(applied)
}

impl<'a> Walk<'a> {
    /// Reports what the set of fields `owned` holds and `desired` does not declare.
    pub(super) fn owned(&mut self, owned: &'a Value, desired: Option<&'a Value>, live: &'a Value) {
        for (name, inner) in owned.as_object().into_iter().flatten() {
            let Some((prefix, rest)) = name.split_once(':') else {
                continue;
            };
            let found = match prefix {
                "f" => live
                    .get(rest)
                    .map(|value| (Segment::Field(rest), value, desired.and_then(|all| all.get(rest)))),
                "k" => owned_item(rest, desired, live),
                "v" => live
                    .as_array()
                    .and_then(|all| all.iter().find(|value| is_value(rest, value)))
                    .map(|value| {
                        let members = desired.and_then(Value::as_array);
                        let declared = members.and_then(|all| all.iter().find(|member| *member == value));
                        (Segment::Member(value), value, declared)
                    }),
                _ => None,
            };
            let Some((segment, value, declared)) = found else {
                continue;
            };
            self.under(segment, |walk| {
                walk.owned_field(inner, declared, value, live.as_object());
            });
        }
    }

    fn owned_field(
        &mut self,
        owned: &'a Value,
        desired: Option<&'a Value>,
        live: &'a Value,
        parent: Option<&'a Map<String, Value>>,
    ) {
        let has_inner = owned
            .as_object()
            .is_some_and(|fields| fields.keys().any(|name| name != "."));
        // A null in a custom resource makes the server put the default there, and us its owner.
        let is_null = !has_inner && desired.is_some_and(Value::is_null) && !schema::is_built_in(self.group);
        if is_never_compared(&self.path) || live.is_null() || is_null {
            return;
        }
        // Written the same way: something owned as a whole, and a map of which only the map itself is owned.
        let is_scalar = !live.is_object() && !live.is_array();
        let is_whole = !has_inner && owned.get(".").is_none() && (is_scalar || !self.managed.has_inner(&self.path));
        match desired.filter(|value| !value.is_null()) {
            Some(declared) if is_whole => self.whole(declared, live),
            Some(declared) => self.owned(owned, Some(declared), live),
            None if matches!(self.path.last(), Some(Segment::Item { .. })) && owned.get(".").is_some() => {
                self.report(None, Some(live));
            }
            None if has_inner => self.owned(owned, None, live),
            None if is_whole => self.gone(live, parent),
            // Only the map or the list itself was ours, and nothing in it.
            None => {}
        }
    }

    /// What is owned as a whole is atomic: what stands in it beside the declared fields is a default, or a difference.
    fn whole(&mut self, desired: &'a Value, live: &'a Value) {
        let (fields, live_fields) = match (desired, live) {
            // Owning a map with nothing declared in it looks like owning it as a whole, and only the defaults of a built-in kind are known.
            (Value::Object(fields), _) if fields.is_empty() && !self.has_known_defaults() => return,
            (Value::Object(fields), Value::Object(live_fields)) => (fields, live_fields),
            // The items of an atomic list of a built-in kind are looked at with the declared fields. Those of a custom resource may
            // have defaults that only its schema knows, unless it is a known one.
            (Value::Array(items), Value::Array(live_items)) if schema::is_known_type(self.group, self.kind) => {
                return self.whole_items(items, live_items);
            }
            _ => return,
        };
        for (name, value) in live_fields {
            self.under(Segment::Field(name), |walk| {
                match fields.get(name).filter(|value| !value.is_null()) {
                    Some(declared) => walk.whole(declared, value),
                    None => walk.gone(value, Some(live_fields)),
                }
            });
        }
    }

    fn whole_items(&mut self, desired: &'a [Value], live: &'a [Value]) {
        let Listing::Map(keys) = self.listing(desired) else {
            // Of another length it is a difference already.
            for (index, (wanted, item)) in desired.iter().zip(live).enumerate() {
                self.under(Segment::Index(index), |walk| walk.whole(wanted, item));
            }
            return;
        };
        for (position, item) in live.iter().enumerate() {
            let at = find_item(&keys, item, position, desired);
            let segment = Segment::Item {
                keys: keys.clone(),
                item,
                desired: at,
                live: Some(position),
            };
            self.under(segment, |walk| match at {
                Some(at) => walk.whole(&desired[at], item),
                None => walk.report(None, Some(item)),
            });
        }
    }

    /// Reports what the document `before` declared and `desired` does not.
    pub(super) fn applied_before(
        &mut self,
        before: &'a Value,
        desired: Option<&'a Value>,
        live: &'a Value,
        parent: Option<&'a Map<String, Value>>,
    ) {
        if before.is_null() || live.is_null() || is_never_compared(&self.path) {
            return;
        }
        match (before, desired.filter(|value| !value.is_null()), live) {
            (Value::Object(fields), desired, Value::Object(live_fields)) => {
                if desired.is_none() && fields.len() >= live_fields.len() {
                    return self.gone(live, parent);
                }
                for (name, value) in fields {
                    let Some(live_value) = live_fields.get(name) else {
                        continue;
                    };
                    let declared = desired.and_then(|desired| desired.get(name));
                    self.under(Segment::Field(name), |walk| {
                        walk.applied_before(value, declared, live_value, Some(live_fields));
                    });
                }
            }
            (Value::Array(items), Some(Value::Array(desired)), Value::Array(live_items)) => {
                self.items_before(items, desired, live_items);
            }
            (_, Some(_), _) => {}
            (_, None, _) => self.gone(live, parent),
        }
    }

    fn items_before(&mut self, before: &'a [Value], desired: &'a [Value], live: &'a [Value]) {
        match self.listing(before) {
            Listing::Map(keys) => {
                for (position, item) in before.iter().enumerate() {
                    let Some(at) = find_item(&keys, item, position, live) else {
                        continue;
                    };
                    let wanted = find_item(&keys, item, position, desired);
                    let segment = Segment::Item {
                        keys: keys.clone(),
                        item,
                        desired: wanted,
                        live: Some(at),
                    };
                    self.under(segment, |walk| match wanted {
                        Some(wanted) => walk.applied_before(item, Some(&desired[wanted]), &live[at], None),
                        None => walk.report(None, Some(&live[at])),
                    });
                }
            }
            Listing::Set => {
                for member in before
                    .iter()
                    .filter(|member| live.contains(member) && !desired.contains(member))
                {
                    self.under(Segment::Member(member), |walk| walk.report(None, Some(member)));
                }
            }
            // Of another length it is a difference already; the items of one are held against each other by position.
            Listing::Atomic if before.len() == live.len() && desired.len() == live.len() => {
                for (index, ((item, wanted), live_item)) in before.iter().zip(desired).zip(live).enumerate() {
                    self.under(Segment::Index(index), |walk| {
                        walk.applied_before(item, Some(wanted), live_item, None);
                    });
                }
            }
            Listing::Atomic => {}
        }
    }

    fn has_known_defaults(&self) -> bool {
        schema::is_built_in(self.group) || schema::is_known_type(self.group, self.kind)
    }

    /// Something that Git no longer declares is live.
    fn gone(&mut self, live: &'a Value, parent: Option<&'a Map<String, Value>>) {
        if let Value::Object(fields) = live
            && self.is_partly_ignored()
        {
            for (name, value) in fields {
                self.under(Segment::Field(name), |walk| walk.gone(value, Some(fields)));
            }
            return;
        }
        let is_default = match schema::is_built_in(self.group) {
            true => is_default(self.kind, &self.path, live, parent),
            false => live.as_object().is_some_and(Map::is_empty) || live.as_array().is_some_and(Vec::is_empty),
        };
        if !is_default {
            self.report(None, Some(live));
        }
    }
}

/// The live item that a `k:` entry names, and the desired one.
fn owned_item<'a>(
    keys: &str,
    desired: Option<&'a Value>,
    live: &'a Value,
) -> Option<(Segment<'a>, &'a Value, Option<&'a Value>)> {
    let items = live.as_array()?;
    let keys: Map<String, Value> = serde_json::from_str(keys).ok()?;
    let at = items.iter().position(|item| has_keys(&keys, item))?;
    let wanted = desired.and_then(Value::as_array);
    let wanted = wanted.and_then(|all| all.iter().enumerate().find(|(_, item)| has_keys(&keys, item)));
    let names = Keys::Seen(keys.keys().cloned().collect());
    let segment = Segment::Item {
        keys: names,
        item: &items[at],
        desired: wanted.map(|(position, _)| position),
        live: Some(at),
    };
    Some((segment, &items[at], wanted.map(|(_, item)| item)))
}
