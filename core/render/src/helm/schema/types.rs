//! The keywords that speak of one type: objects, lists, texts, numbers.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::json::Json;
use super::number::Number;
use super::rules::{Additional, Dependency};
use super::validate::{Problem, Run, State};
use super::words::{grouped, number, quote, quote_all};

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
fn missing<'n>(fields: &BTreeMap<String, Json>, names: &'n [String]) -> Vec<&'n str> {
    let names = names.iter().map(String::as_str);
    names.filter(|name| !fields.contains_key(*name)).collect()
}

impl<'p> Run<'p> {
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

    fn object<'v>(&mut self, state: &mut State<'p, 'v>, fields: &'v BTreeMap<String, Json>) {
        let rules = &state.rules.object;
        self.spend((fields.len() + rules.required.len()) as u64 / 8);
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
        for (name, dependency) in &rules.dependencies {
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
        for (name, id) in &rules.dependent_schemas {
            if fields.contains_key(name) {
                self.also(state, *id);
            }
        }
        for (name, names) in &rules.dependent_required {
            if fields.contains_key(name) {
                self.require(state, fields, name, names);
            }
        }
    }

    /// What a property that is there asks for.
    fn require(&mut self, state: &mut State<'p, '_>, fields: &BTreeMap<String, Json>, name: &str, names: &[String]) {
        let absent = missing(fields, names);
        if !absent.is_empty() {
            self.fail(state, || {
                format!("properties {} required, if {} exists", quote_all(absent), quote(name))
            });
        }
    }

    /// Each property against its schemas; false if nothing more need be known.
    fn properties<'v>(&mut self, state: &mut State<'p, 'v>, fields: &'v BTreeMap<String, Json>) -> bool {
        let rules = &state.rules.object;
        let mut unwanted = Vec::new();
        for (name, value) in fields {
            if state.is_decided() {
                return false;
            }
            let mut ids: Vec<usize> = rules.properties.get(name).copied().into_iter().collect();
            self.spend(rules.patterns.len() as u64 * (1 + name.len() as u64 / 16));
            ids.extend(
                rules
                    .patterns
                    .iter()
                    .filter(|(pattern, _)| pattern.is_match(name.as_bytes()))
                    .map(|(_, id)| *id),
            );
            match rules.additional {
                Some(Additional::Fixed(false)) if ids.is_empty() => unwanted.push(name.as_str()),
                Some(Additional::Schema(id)) if ids.is_empty() => ids.push(id),
                None if ids.is_empty() => continue,
                _ => {}
            }
            for id in ids {
                let held = self.inner(state, id, value, name.clone());
                state.failures.extend(held.err());
            }
            state.unseen.names.remove(name.as_str());
        }
        if !unwanted.is_empty() {
            self.fail(state, || {
                format!("additional properties {} not allowed", quote_all(unwanted))
            });
        }
        true
    }

    fn list<'v>(&mut self, state: &mut State<'p, 'v>, items: &'v [Json]) {
        let rules = &state.rules.list;
        self.size(state, "Items", items.len(), rules.min, rules.max);
        if rules.is_unique
            && let Some((first, second)) = self.equal_items(items)
        {
            self.fail(state, || {
                format!("items at {} and {} are equal", shown(first), shown(second))
            });
        }
        for (index, (item, id)) in items.iter().zip(&rules.first).enumerate() {
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
        let mut known = BTreeMap::new();
        for (second, item) in items.iter().enumerate() {
            let mut key = String::new();
            item.write_key(&mut key);
            self.spend(1 + key.len() as u64 / 16);
            if let Some(first) = known.insert(key, second) {
                return Some((first, second));
            }
        }
        None
    }

    fn contains<'v>(&mut self, state: &mut State<'p, 'v>, items: &'v [Json]) {
        let rules = &state.rules.list;
        let Some(id) = rules.contains else { return };
        let (mut causes, mut matched) = (Vec::new(), Vec::new());
        for (index, item) in items.iter().enumerate() {
            match self.inner(state, id, item, index.to_string()) {
                Err(cause) => causes.push(cause),
                Ok(()) => {
                    matched.push(index);
                    if state.rules.draft >= super::document::Draft::Y2020 {
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
        let rules = &state.rules.text;
        if rules.min.is_some() || rules.max.is_some() {
            self.spend(text.len() as u64 / 64);
            self.size(state, "Length", text.chars().count(), rules.min, rules.max);
        }
        if let Some((regex, pattern)) = &rules.pattern {
            self.spend(1 + text.len() as u64 / 16);
            if !regex.is_match(text.as_bytes()) {
                self.fail(state, || {
                    format!("{} does not match pattern {}", quote(text), quote(pattern))
                });
            }
        }
    }

    fn number(&mut self, state: &mut State<'p, '_>, value: &Number) {
        let rules = &state.rules.number;
        if rules.is_empty() {
            return;
        }
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
            if let Some(limit) = limit
                && value.compare(limit).is_some_and(is_wrong)
            {
                self.fail(state, || said(keyword, limit));
            }
        }
        if let Some(unit) = &rules.multiple_of {
            self.spend(value.cost(unit) / 64);
            if !value.is_multiple_of(unit).unwrap_or_default() {
                self.fail(state, || said("multipleOf", unit));
            }
        }
    }
}
