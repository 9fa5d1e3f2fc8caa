//! Which fields of an object do not count. What is no JSON pointer names none; [`odd_in_application`](capstan_model::odd_in_application) tells it.

use capstan_model::{ResourceIgnoreDifferences, ResourceKey, is_json_pointer, pattern::allows};

use crate::compare::IgnoreRules;
use crate::sabotage::{self, Sabotage};

/// The rules of `spec.ignoreDifferences` that speak of `key`, put together.
pub fn ignore_rules(rules: &[ResourceIgnoreDifferences], key: &ResourceKey) -> IgnoreRules {
    let mut all = IgnoreRules::default();
    let fits = |pattern: &str, text: &str| pattern.is_empty() || pattern == text;
    for rule in rules {
        if allows(&rule.group, &key.group)
            && allows(&rule.kind, &key.kind)
            && fits(&rule.name, &key.name)
            && fits(&rule.namespace, &key.namespace)
            && !sabotage::is(Sabotage::ComparesIgnored)
        {
            let pointers = rule.json_pointers.iter().filter(|pointer| is_json_pointer(pointer));
            all.json_pointers.extend(pointers.cloned());
            all.managers.extend(rule.managed_fields_managers.iter().cloned());
        }
    }
    all
}
