//! The objects that an application has, or had, in the cluster, and their kinds.

use std::collections::BTreeMap;

use capstan_model::{ApplicationStatus, GroupKind, ResourceKey, ResourceStatus};

/// One object of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InventoryEntry {
    pub(crate) version: String,
    pub(crate) wave: i64,
}

/// All of them. The kinds are counted, since they are asked for at every step.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Inventory {
    entries: BTreeMap<ResourceKey, InventoryEntry>,
    kinds: BTreeMap<GroupKind, usize>,
    /// The UID of `kube-system` in that cluster, as of the last step; empty while it is not known.
    pub(crate) cluster_uid: String,
}

impl Inventory {
    /// The objects that a status says the application has.
    pub(crate) fn recorded(status: &ApplicationStatus) -> Self {
        let mut inventory = Self::default();
        let objects = status.resources.iter().filter(|resource| !resource.hook);
        let entry = |resource: &ResourceStatus| InventoryEntry {
            version: resource.version.clone(),
            wave: resource.sync_wave,
        };
        for resource in objects {
            inventory.insert(resource.key(), entry(resource));
        }
        inventory
    }

    pub(crate) fn insert(&mut self, key: ResourceKey, entry: InventoryEntry) {
        match self.entries.get_mut(&key) {
            Some(old) => *old = entry,
            None => {
                *self.kinds.entry(key.group_kind()).or_default() += 1;
                self.entries.insert(key, entry);
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &ResourceKey) {
        if self.entries.remove(key).is_none() {
            return;
        }
        let kind = key.group_kind();
        if let Some(count) = self.kinds.get_mut(&kind) {
            *count -= 1;
            if *count == 0 {
                self.kinds.remove(&kind);
            }
        }
    }

    pub(crate) fn get(&self, key: &ResourceKey) -> Option<&InventoryEntry> {
        self.entries.get(key)
    }

    pub(crate) fn contains(&self, key: &ResourceKey) -> bool {
        self.entries.contains_key(key)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &ResourceKey> {
        self.entries.keys()
    }

    pub(crate) fn kinds(&self) -> impl Iterator<Item = &GroupKind> {
        self.kinds.keys()
    }
}
