//! Finding objects by what people write: the resources of a selective sync, and `capstan.dev/depends-on`. Both may name as many objects as there
//! are, so what is named is looked up.

use std::collections::BTreeMap;

use capstan_model::{ResourceKey, SyncOperationResource};

/// The objects that a selective sync names.
pub(crate) struct Selection<'a> {
    /// Namespaces by group, kind and name; an empty one is any.
    named: BTreeMap<(&'a str, &'a str, &'a str), Vec<&'a str>>,
}

impl<'a> Selection<'a> {
    /// None at all is every object.
    pub(crate) fn of(resources: &'a [SyncOperationResource]) -> Self {
        let mut named: BTreeMap<_, Vec<&str>> = BTreeMap::new();
        for wanted in resources {
            let place = (wanted.group.as_str(), wanted.kind.as_str(), wanted.name.as_str());
            named.entry(place).or_default().push(&wanted.namespace);
        }
        Self { named }
    }

    pub(crate) fn has(&self, key: &ResourceKey) -> bool {
        let namespaces = self.named.get(&(&*key.group, &*key.kind, &*key.name));
        let fits = |namespace: &&str| namespace.is_empty() || *namespace == key.namespace;
        self.named.is_empty() || namespaces.is_some_and(|all| all.iter().any(fits))
    }
}

/// Objects by kind and name, each with a number.
pub(super) struct ByName<'a> {
    all: BTreeMap<(&'a str, &'a str), Vec<(usize, &'a ResourceKey)>>,
}

impl<'a> ByName<'a> {
    pub(super) fn of(keys: impl Iterator<Item = (usize, &'a ResourceKey)>) -> Self {
        let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (number, key) in keys {
            let place = (key.kind.as_str(), key.name.as_str());
            all.entry(place).or_default().push((number, key));
        }
        Self { all }
    }

    /// The first object that `text` (`[group/]Kind/[namespace/]name`) names. Without a namespace it means the one of the object that says
    /// it, or none.
    pub(super) fn first(&self, text: &str, own_namespace: &str) -> Option<usize> {
        let parts: Vec<&str> = text.split('/').collect();
        let (name, kinds) = parts.split_last()?;
        let found = kinds.iter().filter_map(|kind| self.all.get(&(*kind, *name))).flatten();
        let named = found.filter(|(_, key)| names(&parts, key, own_namespace));
        named.map(|(number, _)| *number).min()
    }
}

fn names(parts: &[&str], key: &ResourceKey, own_namespace: &str) -> bool {
    let in_own = key.namespace == own_namespace || key.namespace.is_empty();
    match *parts {
        [kind, name] => key.kind == kind && key.name == name && in_own,
        [first, second, name] => {
            key.name == name
                && (key.group == first && key.kind == second && in_own || key.kind == first && key.namespace == second)
        }
        [group, kind, namespace, name] => {
            key.group == group && key.kind == kind && key.namespace == namespace && key.name == name
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_found_by_every_way_to_write_it() {
        let keys = [
            ResourceKey::new("batch", "Job", "other", "migrate"),
            ResourceKey::new("batch", "Job", "prod", "migrate"),
            ResourceKey::new("", "Namespace", "", "prod"),
        ];
        let all = ByName::of(keys.iter().enumerate());
        for (text, found) in [
            ("Job/migrate", Some(1)),
            ("batch/Job/migrate", Some(1)),
            ("Job/other/migrate", Some(0)),
            ("batch/Job/other/migrate", Some(0)),
            ("apps/Job/other/migrate", None),
            ("Namespace/prod", Some(2)),
            ("Job/third/migrate", None),
            ("migrate", None),
            ("", None),
        ] {
            assert_eq!(all.first(text, "prod"), found, "{text}");
        }
    }

    #[test]
    fn a_selection_without_a_namespace_means_any() {
        let wanted = |namespace: &str| SyncOperationResource {
            kind: "Pod".into(),
            name: "a".into(),
            namespace: namespace.into(),
            ..SyncOperationResource::default()
        };
        let key = ResourceKey::new("", "Pod", "prod", "a");
        for (resources, has) in [
            (vec![], true),
            (vec![wanted("")], true),
            (vec![wanted("other")], false),
            (vec![wanted("other"), wanted("prod")], true),
        ] {
            assert_eq!(Selection::of(&resources).has(&key), has, "{resources:?}");
        }
    }
}
