//! Parsed folders of one repository, bounded by their bytes. They are immutable, so nothing here ever is out of date.
//!
//! Two generations: when the younger one has half the budget, the older one is dropped. What is used stays, and no clock or counter is
//! kept for each entry.

use std::collections::HashMap;
use std::sync::Arc;

use gix::ObjectId;

use crate::objects::Folder;

#[derive(Debug)]
pub(crate) struct TreeCache {
    young: HashMap<ObjectId, Arc<Folder>>,
    old: HashMap<ObjectId, Arc<Folder>>,
    /// Bytes of the younger generation.
    weight: usize,
    /// Bytes of both together, at most (but for one folder that is larger alone).
    budget: usize,
}

impl TreeCache {
    pub(crate) fn new(budget: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            weight: 0,
            budget,
        }
    }

    pub(crate) fn find(&mut self, id: ObjectId) -> Option<Arc<Folder>> {
        if let Some(folder) = self.young.get(&id) {
            return Some(Arc::clone(folder));
        }
        let folder = self.old.remove(&id)?;
        self.insert(id, &folder);
        Some(folder)
    }

    pub(crate) fn insert(&mut self, id: ObjectId, folder: &Arc<Folder>) {
        let weight = folder.weight();
        if self.weight + weight > self.budget / 2 {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
        if self.young.insert(id, Arc::clone(folder)).is_none() {
            self.weight += weight;
        }
    }
}
