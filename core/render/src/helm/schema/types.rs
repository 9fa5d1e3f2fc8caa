//! The keywords that speak of one type: objects, lists, texts, numbers.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::dialect::Draft;
use super::json::{Fields, Json};
use super::number::Number;
use super::rules::{Additional, Dependency};
use super::validate::{Problem, Run, State};
use super::words::{grouped, number, quote, quote_all};

/// Items that are held against each other one by one; of more, only those are that have the same key.
const FEW: usize = 20;

/// A count as it is shown.
fn shown(count: impl std::fmt::Display) -> String {
    grouped(&format!("{count}"))
}

fn too_few(size: usize, min: Option<i64>) -> Option<i64> {
    min.filter(|min| i64::try_from(size).unwrap_or(i64::MAX) < *min)
}

fn too_many(size: usize, max: Option<i64>) -> Option<i64> {
    max.filter(|max| i64::try_from(size).unwrap_or(i64::MAX) > *max)
}

/// The names that are not there.
fn missing<'n>(fields: &Fields, names: &'n [Box<str>]) -> Vec<&'n str> {
    let names = names.iter().map(|name| &**name);
    names.filter(|name| !fields.contains_key(name)).collect()
}

impl<'p> Run<'p, '_> {
    pub(super) fn by_type<'v>(&mut self, state: &mut State<'p, 'v>) {
        match state.value {
            Json::Object(fields) => self.object(state, fields),
            Json::List(items) => self.list(state, items),
            Json::Text(text) => self.text(state, text),
            Json::Number(number) => self.number(state, number),
            Json::Null | Json::Bool(_) => {}
        }
    }

    /// How large it is.
    fn size(&mut self, state: &mut State<'p, '_>, what: &str, size: usize, min: Option<i64>, max: Option<i64>) {
        if let Some(min) = too_few(size, min) {
            self.fail(state, || format!("min{what}: got {}, want {}", shown(size), shown(min)));
        }
        if let Some(max) = too_many(size, max) {
            self.fail(state, || format!("max{what}: got {}, want {}", shown(size), shown(max)));
        }
    }

    fn object<'v>(&mut self, state: &mut State<'p, 'v>, fields: &'v Fields) {
        let Some(rules) = state.rules.object.as_deref() else {
            return;
        };
        let dependent = rules.dependencies.len() + rules.dependent_schemas.len() + rules.dependent_required.len();
        self.spend(fields.len() / 8 + (rules.required.len() + dependent) / 2);
        self.size(state, "Properties", fields.len(), rules.min, rules.max);
        let absent = missing(fields, &rules.required);
        match absent.as_slice() {
            [] => {}
            [one] => self.fail(state, || format!("missing property {}", quote(one))),
            all => self.fail(state, || {
                format!("missing properties {}", quote_all(all.iter().copied()))
            }),
        }
        if state.is_decided() {
            return;
        }
        for (name, dependency) in &*rules.dependencies {
            match dependency {
                _ if !fields.contains_key(name) => {}
                Dependency::Names(names) => self.require(state, fields, name, names),
                Dependency::Schema(id) => self.also(state, *id),
            }
        }
        if !self.properties(state, fields) {
            return;
        }
        if let Some(id) = rules.names {
            for name in fields.keys() {
                self.name(state, id, name);
            }
        }
        for (name, id) in &*rules.dependent_schemas {
            if fields.contains_key(name) {
                self.also(state, *id);
            }
        }
        for (name, names) in &*rules.dependent_required {
            if fields.contains_key(name) {
                self.require(state, fields, name, names);
            }
        }
    }

    /// What a property that is there asks for.
    fn require(&mut self, state: &mut State<'p, '_>, fields: &Fields, name: &str, names: &[Box<str>]) {
        self.spend(names.len() / 2);
        let absent = missing(fields, names);
        if !absent.is_empty() {
            self.fail(state, || {
                format!("properties {} required, if {} exists", quote_all(absent), quote(name))
            });
        }
    }

    /// Each property against its schemas; false if nothing more need be known.
    fn properties<'v>(&mut self, state: &mut State<'p, 'v>, fields: &'v Fields) -> bool {
        let Some(rules) = state.rules.object.as_deref() else {
            return true;
        };
        let weight: u64 = rules.patterns.iter().map(|(pattern, _)| pattern.weight).sum();
        let weight = usize::try_from(weight).unwrap_or(usize::MAX);
        let mut unwanted = Vec::new();
        for (name, value) in fields.iter() {
            self.spend(weight.saturating_mul(1 + name.len()));
            if state.is_decided() || self.is_over() {
                return false;
            }
            let mut ids: Vec<usize> = rules.property(name).into_iter().collect();
            let matching = rules
                .patterns
                .iter()
                .filter(|(pattern, _)| pattern.regex.is_match(name.as_bytes()));
            ids.extend(matching.map(|(_, id)| *id));
            match rules.additional {
                Some(Additional::Fixed(false)) if ids.is_empty() => unwanted.push(name),
                Some(Additional::Schema(id)) if ids.is_empty() => ids.push(id),
                None if ids.is_empty() => continue,
                _ => {}
            }
            for id in ids {
                let held = self.inner(state, id, value, name.to_owned());
                state.failures.extend(held.err());
            }
            state.unseen.names.remove(name);
        }
        if !unwanted.is_empty() {
            self.fail(state, || {
                format!("additional properties {} not allowed", quote_all(unwanted))
            });
        }
        true
    }

    fn list<'v>(&mut self, state: &mut State<'p, 'v>, items: &'v [Json]) {
        let Some(rules) = state.rules.list.as_deref() else {
            return;
        };
        self.size(state, "Items", items.len(), rules.min, rules.max);
        if rules.is_unique
            && let Some((first, second)) = self.equal_items(items)
        {
            self.fail(state, || {
                format!("items at {} and {} are equal", shown(first), shown(second))
            });
        }
        for (index, (item, id)) in items.iter().zip(&*rules.first).enumerate() {
            if self.is_over() {
                return;
            }
            let held = self.inner(state, *id, item, index.to_string());
            state.failures.extend(held.err());
        }
        let rest = items.get(rules.first.len()..).unwrap_or_default();
        match rules.rest {
            Some(Additional::Fixed(false)) if !rest.is_empty() => {
                self.fail(state, || {
                    format!("last {} additionalItem(s) not allowed", shown(rest.len()))
                });
            }
            Some(Additional::Schema(id)) => {
                // Helm counts from the first of them.
                for (index, item) in rest.iter().enumerate() {
                    if self.is_over() {
                        return;
                    }
                    let held = self.inner(state, id, item, index.to_string());
                    state.failures.extend(held.err());
                }
            }
            _ => {}
        }
        self.contains(state, items);
    }

    /// The first item that equals one before it, which comes first.
    fn equal_items(&mut self, items: &[Json]) -> Option<(usize, usize)> {
        if items.len() <= FEW {
            return (1..items.len()).find_map(|second| {
                let item = &items[second];
                self.spend(second * (1 + item.size() / 8));
                let equal = |first: &usize| item.equals(&items[*first]);
                (0..second).find(equal).map(|first| (first, second))
            });
        }
        let mut known = BTreeMap::new();
        for (second, item) in items.iter().enumerate() {
            let mut key = String::new();
            item.write_key(&mut key);
            self.spend(1 + key.len() / 16);
            if self.is_over() {
                return None;
            }
            if let Some(first) = known.insert(key, second) {
                return Some((first, second));
            }
        }
        None
    }

    fn contains<'v>(&mut self, state: &mut State<'p, 'v>, items: &'v [Json]) {
        let Some(rules) = state.rules.list.as_deref() else {
            return;
        };
        let Some(id) = rules.contains else { return };
        let (mut causes, mut matched) = (Vec::new(), Vec::new());
        for (index, item) in items.iter().enumerate() {
            if self.is_over() {
                return;
            }
            match self.inner(state, id, item, index.to_string()) {
                Err(cause) => causes.push(cause),
                Ok(()) => {
                    matched.push(index);
                    if state.rules.draft >= Draft::Y2020 {
                        state.unseen.items.remove(&index);
                    }
                }
            }
        }
        let places = || matched.iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
        let found = || format!("but matched {} items at {}", shown(matched.len()), places());
        match too_few(matched.len(), rules.min_contains) {
            Some(min) => {
                let found = if matched.is_empty() {
                    "but none matched".to_owned()
                } else {
                    found()
                };
                let text = || format!("min {} items required to match contains schema, {found}", shown(min));
                let failure = self.failure(state.is_quiet, text).with(causes);
                state.failures.push(failure);
            }
            None if rules.min_contains.is_none() && matched.is_empty() => {
                let failure = self.failure(state.is_quiet, || "no items match contains schema".to_owned());
                state.failures.push(failure.with(causes));
            }
            None => {}
        }
        if let Some(max) = too_many(matched.len(), rules.max_contains) {
            self.fail(state, || {
                format!(
                    "max {} items required to match contains schema, {}",
                    shown(max),
                    found()
                )
            });
        }
    }

    fn text(&mut self, state: &mut State<'p, '_>, text: &str) {
        let Some(rules) = state.rules.text.as_deref() else {
            return;
        };
        if rules.min.is_some() || rules.max.is_some() {
            self.spend(text.len() / 64);
            self.size(state, "Length", text.chars().count(), rules.min, rules.max);
        }
        if let Some(pattern) = &rules.pattern {
            let weight = usize::try_from(pattern.weight).unwrap_or(usize::MAX);
            self.spend(weight.saturating_mul(1 + text.len()));
            if !self.is_over() && !pattern.regex.is_match(text.as_bytes()) {
                self.fail(state, || {
                    format!("{} does not match pattern {}", quote(text), quote(&pattern.text))
                });
            }
        }
    }

    fn number(&mut self, state: &mut State<'p, '_>, value: &Number) {
        let Some(rules) = state.rules.number.as_deref() else {
            return;
        };
        self.spend(value.len() / 64);
        if !value.has_value() {
            return self.stop(Problem::NoNumber);
        }
        type Limit<'r> = (&'static str, &'r Option<Number>, fn(Ordering) -> bool);
        let wrong: [Limit<'_>; 4] = [
            ("minimum", &rules.min, Ordering::is_lt),
            ("maximum", &rules.max, Ordering::is_gt),
            ("exclusiveMinimum", &rules.above, Ordering::is_le),
            ("exclusiveMaximum", &rules.below, Ordering::is_ge),
        ];
        let said = |keyword: &str, limit: &Number| {
            let (value, limit) = (number(value.as_float()), number(limit.as_float()));
            format!("{keyword}: got {value}, want {limit}")
        };
        for (keyword, limit, is_wrong) in wrong {
            self.spend(limit.as_ref().map_or(0, Number::len) / 64);
            if let Some(limit) = limit
                && value.compare(limit).is_some_and(is_wrong)
            {
                self.fail(state, || said(keyword, limit));
            }
        }
        if let Some(unit) = &rules.multiple_of {
            self.spend(usize::try_from(value.cost(unit) / 4).unwrap_or(usize::MAX));
            if !self.is_over() && !value.is_multiple_of(unit).unwrap_or_default() {
                self.fail(state, || said("multipleOf", unit));
            }
        }
    }
}
