//! Every field that Git declares, held against the live one.

use serde_json::{Map, Value};

use super::defaults::{has_derived_default, is_default};
use super::fields::{ListHint, ManagedFields};
use super::path::{Covers, Keys, Segment, covers, render, same_item};
use super::removed::is_never_compared;
use super::schema::{self, ListKind};
use super::{FieldDifference, IgnoreRules, quantity};

/// What stands for a secret value: that two differ is told, never what they are.
const HIDDEN: &str = "++++++++";
const HIDDEN_OTHER: &str = "++++++++ (another value)";

/// One comparison on its way.
pub(super) struct Walk<'a> {
    pub(super) group: &'a str,
    pub(super) kind: &'a str,
    pub(super) managed: ManagedFields<'a>,
    pub(super) rules: &'a IgnoreRules,
    pub(super) path: Vec<Segment<'a>>,
    pub(super) differences: Vec<FieldDifference>,
    /// How many atomic lists the walk is inside of.
    atomic: usize,
}

/// How a list is compared, keys at hand.
pub(super) enum Listing {
    Map(Keys),
    Set,
    Atomic,
}

impl<'a> Walk<'a> {
    pub(super) fn new(group: &'a str, kind: &'a str, managed: ManagedFields<'a>, rules: &'a IgnoreRules) -> Self {
        Self {
            group,
            kind,
            managed,
            rules,
            path: Vec::new(),
            differences: Vec::new(),
            atomic: 0,
        }
    }

    pub(super) fn under(&mut self, segment: Segment<'a>, step: impl FnOnce(&mut Self)) {
        self.path.push(segment);
        step(self);
        self.path.pop();
    }

    /// Is what `desired` declares, at the present path, live?
    pub(super) fn declared(&mut self, desired: &'a Value, live: Option<&'a Value>) {
        let live = live.filter(|live| !live.is_null());
        match (desired, live) {
            (Value::Null, _) => {}
            (Value::Object(fields), Some(Value::Object(live_fields))) => self.fields(fields, live_fields),
            (Value::Object(fields), None) if self.is_partly_ignored() => {
                for (name, value) in fields {
                    self.under(Segment::Field(name), |walk| walk.declared(value, None));
                }
            }
            (Value::Array(items), Some(live)) if items.is_empty() && self.is_left_to_server(desired, live) => {}
            (Value::Array(items), Some(Value::Array(live_items))) => self.items(items, live_items),
            (desired, None) => {
                if !schema::is_void(self.group, &self.path, desired) {
                    self.report(Some(desired), None);
                }
            }
            (desired, Some(live)) => {
                if !self.is_same_scalar(desired, live) && !self.is_left_to_server(desired, live) {
                    self.report(Some(desired), Some(live));
                }
            }
        }
    }

    fn fields(&mut self, desired: &'a Map<String, Value>, live: &'a Map<String, Value>) {
        for (name, value) in desired {
            self.under(Segment::Field(name), |walk| {
                if !is_never_compared(&walk.path) {
                    walk.declared(value, live.get(name));
                }
            });
        }
        if self.atomic > 0 && schema::is_built_in(self.group) {
            self.extras(desired, live);
        }
    }

    /// An item of an atomic list is Git's as a whole: what stands in it beside the declared fields is a default or a difference.
    fn extras(&mut self, desired: &'a Map<String, Value>, live: &'a Map<String, Value>) {
        for (name, value) in live {
            if desired.get(name).is_none_or(Value::is_null) {
                let kind = self.kind;
                self.under(Segment::Field(name), |walk| {
                    if !is_default(kind, &walk.path, value, Some(live)) {
                        walk.report(None, Some(value));
                    }
                });
            }
        }
    }

    fn items(&mut self, desired: &'a [Value], live: &'a [Value]) {
        match self.listing(desired) {
            Listing::Map(keys) => self.mapped(&keys, desired, live),
            Listing::Set => {
                for member in desired.iter().filter(|member| !live.contains(member)) {
                    self.under(Segment::Member(member), |walk| walk.report(Some(member), None));
                }
            }
            Listing::Atomic if desired.len() != live.len() => self.report_list(desired, live),
            Listing::Atomic => {
                self.atomic += 1;
                for (index, (item, live_item)) in desired.iter().zip(live).enumerate() {
                    self.under(Segment::Index(index), |walk| match item {
                        Value::Null if !live_item.is_null() => walk.report(Some(item), Some(live_item)),
                        _ => walk.declared(item, Some(live_item)),
                    });
                }
                self.atomic -= 1;
            }
        }
    }

    fn mapped(&mut self, keys: &Keys, desired: &'a [Value], live: &'a [Value]) {
        for (position, item) in desired.iter().enumerate() {
            let at = find_item(keys, item, position, live);
            let segment = Segment::Item {
                keys: keys.clone(),
                item,
                desired: Some(position),
                live: at,
            };
            self.under(segment, |walk| match at.and_then(|at| live.get(at)) {
                Some(live_item) => walk.declared(item, Some(live_item)),
                None => walk.report(Some(item), None),
            });
        }
    }

    /// How the list at the present path is compared: what the server itself took it for, as far as managedFields show that, else what
    /// is known of the kind, else as one value.
    pub(super) fn listing(&self, items: &[Value]) -> Listing {
        let known = schema::list_kind(self.group, self.kind, &self.path);
        match known {
            Some(ListKind::Map(keys)) if all_have(items, keys) => {
                return Listing::Map(Keys::Known(keys));
            }
            Some(ListKind::Set) => return Listing::Set,
            _ => {}
        }
        match self.managed.list_hint(&self.path) {
            Some(ListHint::Map(keys)) => Listing::Map(keys),
            Some(ListHint::Set) => Listing::Set,
            None => Listing::Atomic,
        }
    }

    /// Does `desired` say nothing, and is `live` what the server makes of that?
    fn is_left_to_server(&self, desired: &Value, live: &Value) -> bool {
        schema::is_void(self.group, &self.path, desired)
            && schema::is_built_in(self.group)
            && (has_derived_default(&self.path) || is_default(self.kind, &self.path, live, None))
    }

    fn is_same_scalar(&self, desired: &Value, live: &Value) -> bool {
        desired == live
            || is_same_number(desired, live)
            || (schema::is_quantity(self.group, self.kind, &self.path) && quantity::equal(desired, live))
            || (schema::is_bytes(self.group, self.kind, &self.path) && is_same_base64(desired, live))
    }

    /// Does a rule name something inside the present place, so that the place must be looked at field by field?
    pub(super) fn is_partly_ignored(&self) -> bool {
        let mut pointers = self.rules.json_pointers.iter();
        pointers.any(|pointer| covers(pointer, &self.path) == Covers::Part)
    }

    pub(super) fn is_ignored(&self) -> bool {
        let rules = self.rules;
        rules
            .json_pointers
            .iter()
            .any(|pointer| covers(pointer, &self.path) == Covers::All)
            || (!rules.managers.is_empty() && self.managed.is_owned_by(&rules.managers, &self.path))
    }

    pub(super) fn report(&mut self, desired: Option<&Value>, live: Option<&Value>) {
        if self.is_ignored() {
            return;
        }
        let is_secret = self.is_secret();
        let shown = |value: &Value, hidden: &str| match is_secret {
            true => Value::from(hidden),
            false => value.clone(),
        };
        self.differences.push(FieldDifference {
            path: render(&self.path),
            desired: desired.map(|value| shown(value, HIDDEN)),
            live: live.map(|value| shown(value, if desired.is_some() { HIDDEN_OTHER } else { HIDDEN })),
            writer: live.and_then(|_| self.managed.writer(&self.path)),
        });
    }

    fn report_list(&mut self, desired: &[Value], live: &[Value]) {
        self.report(Some(&Value::from(desired)), Some(&Value::from(live)));
    }

    /// A Secret's values, and the annotation in which kubectl keeps a copy of them.
    fn is_secret(&self) -> bool {
        const COPY: &str = "kubectl.kubernetes.io/last-applied-configuration";
        if !self.group.is_empty() || self.kind != "Secret" {
            return false;
        }
        match self.path.as_slice() {
            [Segment::Field("data" | "stringData"), ..] => true,
            [Segment::Field("metadata"), Segment::Field("annotations"), rest @ ..] => {
                matches!(rest.first(), None | Some(Segment::Field(COPY)))
            }
            _ => false,
        }
    }
}

/// Position in `items` of the one that has the keys of `item`, looked for at `position` first: mostly both lists have one order.
pub(super) fn find_item(keys: &Keys, item: &Value, position: usize, items: &[Value]) -> Option<usize> {
    if items.get(position).is_some_and(|other| same_item(keys, item, other)) {
        return Some(position);
    }
    items.iter().position(|other| same_item(keys, item, other))
}

fn all_have(items: &[Value], keys: &[&str]) -> bool {
    items
        .iter()
        .all(|item| item.is_object() && keys.first().is_some_and(|key| item.get(key).is_some()))
}

/// `3.0` is `3`.
fn is_same_number(desired: &Value, live: &Value) -> bool {
    match (desired, live) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().is_some_and(|a| b.as_f64() == Some(a)),
        _ => false,
    }
}

/// Base64 may be wrapped.
fn is_same_base64(desired: &Value, live: &Value) -> bool {
    let (Some(desired), Some(live)) = (desired.as_str(), live.as_str()) else {
        return false;
    };
    let packed = |text: &str| -> Vec<u8> { text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect() };
    packed(desired) == packed(live)
}
