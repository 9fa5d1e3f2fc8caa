//! The keywords that hold other schemas against the same value: references, `allOf` and its like, `if`, and what is left for `unevaluated…`.

use super::json::Json;
use super::rules::Id;
use super::validate::{Run, Scope, State};

impl<'p> Run<'p, '_> {
    pub(super) fn references(&mut self, state: &mut State<'p, '_>) {
        let Some(dynamic) = &state.rules.dynamic else { return };
        if let Some(mut id) = dynamic.recursive {
            if self.rules(id).is_recursive_anchor() {
                self.spend(self.scopes.len() / 8);
                let is_anchor = |scope: &&Scope| self.rules(self.rules(scope.id).resource).is_recursive_anchor();
                id = self.scopes.iter().find(is_anchor).map_or(id, |scope| scope.id);
            }
            let held = self.refer(state, id, "$recursiveRef");
            state.failures.extend(held.err());
        }
        if let Some((mut id, name)) = dynamic.reference.as_ref().map(|(id, name)| (*id, name)) {
            let target = self.rules(id).dynamic.as_ref();
            if !name.is_empty() && target.is_some_and(|target| target.anchor == *name) {
                self.spend(self.scopes.len() / 8);
                let named = |scope: &Scope| self.rules(self.rules(scope.id).resource).dynamic_anchor(name);
                id = self.scopes.iter().find_map(named).unwrap_or(id);
            }
            let held = self.refer(state, id, "$dynamicRef");
            state.failures.extend(held.err());
        }
    }

    pub(super) fn branches<'v>(&mut self, state: &mut State<'p, 'v>) {
        let Some(rules) = state.rules.branches.as_deref() else {
            return;
        };
        if let Some(id) = rules.not
            && self.same(state, id, "", true).is_ok()
        {
            self.fail(state, || "'not' failed".to_owned());
        }
        let mut causes = Vec::new();
        for id in &rules.all_of {
            causes.extend(self.same(state, *id, "", false).err());
            if state.is_quiet && !causes.is_empty() || self.is_over() {
                break;
            }
        }
        if !causes.is_empty() {
            self.fail_with(state, "'allOf' failed", causes);
        }
        self.any_of(state, &rules.any_of);
        self.one_of(state, &rules.one_of);
        if let Some(condition) = rules.condition {
            let branch = match self.same(state, condition, "", true) {
                Ok(()) => rules.then,
                Err(_) => rules.otherwise,
            };
            if let Some(id) = branch {
                self.also(state, id);
            }
        }
    }

    fn any_of<'v>(&mut self, state: &mut State<'p, 'v>, ids: &[Id]) {
        let (mut causes, mut matched) = (Vec::new(), ids.is_empty());
        for id in ids {
            if self.is_over() {
                break;
            }
            match self.same(state, *id, "", false) {
                Err(cause) => causes.push(cause),
                Ok(()) => {
                    matched = true;
                    // What is unevaluated has to be known of all.
                    if state.unseen.is_empty() {
                        break;
                    }
                }
            }
        }
        if !matched {
            self.fail_with(state, "'anyOf' failed", causes);
        }
    }

    fn one_of<'v>(&mut self, state: &mut State<'p, 'v>, ids: &[Id]) {
        let (mut causes, mut matched) = (Vec::new(), None);
        for (index, id) in ids.iter().enumerate() {
            if self.is_over() {
                break;
            }
            match (self.same(state, *id, "", matched.is_some()), matched) {
                (Err(cause), None) => causes.push(cause),
                (Err(_), Some(_)) => {}
                (Ok(()), None) => matched = Some(index),
                (Ok(()), Some(first)) => {
                    self.fail(state, || format!("'oneOf' failed, subschemas {first}, {index} matched"));
                    break;
                }
            }
        }
        if matched.is_none() && !ids.is_empty() {
            self.fail_with(state, "'oneOf' failed, none matched", causes);
        }
    }

    pub(super) fn unevaluated<'v>(&mut self, state: &mut State<'p, 'v>) {
        let rules = state.rules;
        let of_object = rules.object.as_ref().and_then(|rules| rules.unevaluated);
        if let (Some(id), Json::Object(fields)) = (of_object, state.value) {
            for name in std::mem::take(&mut state.unseen.names) {
                let Some(value) = fields.get(name) else { continue };
                if self.is_over() {
                    return;
                }
                let held = self.inner(state, id, value, name.to_owned());
                state.failures.extend(held.err());
            }
        }
        let of_list = rules.list.as_ref().and_then(|rules| rules.unevaluated);
        if let (Some(id), Json::List(items)) = (of_list, state.value) {
            for index in std::mem::take(&mut state.unseen.items) {
                if self.is_over() {
                    return;
                }
                let held = self.inner(state, id, &items[index], index.to_string());
                state.failures.extend(held.err());
            }
        }
    }
}
