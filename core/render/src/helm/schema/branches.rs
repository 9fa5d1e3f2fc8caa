//! The keywords that hold other schemas against the same value: references, `allOf` and its like, `if`, and what is left for `unevaluated…`.

use super::json::Json;
use super::validate::{Run, Scope, State};

impl<'p> Run<'p> {
    pub(super) fn references(&mut self, state: &mut State<'p, '_>) {
        if let Some(mut id) = state.rules.recursive_reference {
            if self.program.rules[id].is_recursive_anchor {
                let is_anchor = |scope: &&Scope| {
                    let rules = &self.program.rules;
                    rules[rules[scope.id].resource].is_recursive_anchor
                };
                id = self.scopes.iter().find(is_anchor).map_or(id, |scope| scope.id);
            }
            let held = self.refer(state, id, "$recursiveRef");
            state.failures.extend(held.err());
        }
        if let Some((mut id, name)) = state.rules.dynamic_reference.as_ref().map(|(id, name)| (*id, name)) {
            let rules = &self.program.rules;
            if !name.is_empty() && rules[id].dynamic_anchor == *name {
                let named = |scope: &Scope| rules[rules[scope.id].resource].dynamic_anchors.get(name).copied();
                id = self.scopes.iter().find_map(named).unwrap_or(id);
            }
            let held = self.refer(state, id, "$dynamicRef");
            state.failures.extend(held.err());
        }
    }

    pub(super) fn branches<'v>(&mut self, state: &mut State<'p, 'v>) {
        let rules = state.rules;
        if let Some(id) = rules.not
            && self.same(state, id, "", true).is_ok()
        {
            self.fail(state, || "'not' failed".to_owned());
        }
        let mut causes = Vec::new();
        for id in &rules.all_of {
            causes.extend(self.same(state, *id, "", false).err());
            if state.is_quiet && !causes.is_empty() {
                break;
            }
        }
        if !causes.is_empty() {
            self.fail_with(state, "'allOf' failed", causes);
        }
        self.any_of(state);
        self.one_of(state);
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

    fn any_of<'v>(&mut self, state: &mut State<'p, 'v>) {
        let (mut causes, mut matched) = (Vec::new(), state.rules.any_of.is_empty());
        for id in &state.rules.any_of {
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

    fn one_of<'v>(&mut self, state: &mut State<'p, 'v>) {
        let (mut causes, mut matched) = (Vec::new(), None);
        for (index, id) in state.rules.one_of.iter().enumerate() {
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
        if matched.is_none() && !state.rules.one_of.is_empty() {
            self.fail_with(state, "'oneOf' failed, none matched", causes);
        }
    }

    pub(super) fn unevaluated<'v>(&mut self, state: &mut State<'p, 'v>) {
        if let (Some(id), Json::Object(fields)) = (state.rules.object.unevaluated, state.value) {
            for name in std::mem::take(&mut state.unseen.names) {
                let Some(value) = fields.get(name) else { continue };
                let held = self.inner(state, id, value, name.to_owned());
                state.failures.extend(held.err());
            }
        }
        if let (Some(id), Json::List(items)) = (state.rules.list.unevaluated, state.value) {
            for index in std::mem::take(&mut state.unseen.items) {
                let held = self.inner(state, id, &items[index], index.to_string());
                state.failures.extend(held.err());
            }
        }
    }
}
