//! What objects own, as a tree.

use std::collections::BTreeSet;

use capstan_model::ResourceKey;

use crate::index::LiveIndex;
use crate::node::Node;

/// One object in a resource tree.
#[derive(Clone, Debug)]
pub struct TreeNode<'a> {
    /// Which.
    pub key: ResourceKey,
    /// The object it hangs under; `None` for a root.
    pub parent: Option<ResourceKey>,
    /// 0 for a root.
    pub depth: usize,
    /// Its facts.
    pub node: &'a Node,
}

impl LiveIndex {
    /// The objects of `roots` that are known, and everything they own, directly or not: parents before children, siblings in the order
    /// of their keys, each object once. A root that another root owns appears under it.
    pub fn tree<'k>(&self, roots: impl IntoIterator<Item = &'k ResourceKey>) -> Vec<TreeNode<'_>> {
        let slots: BTreeSet<u32> = roots.into_iter().filter_map(|key| self.slot(key)).collect();
        let mut tops: Vec<(ResourceKey, u32)> = slots
            .iter()
            .filter(|&&slot| !self.has_ancestor(slot, &slots))
            .filter_map(|&slot| Some((self.node(slot)?.key(), slot)))
            .collect();
        tops.sort();
        let mut seen = BTreeSet::new();
        let mut tree = Vec::new();
        // A stack in reverse order: the recursion that this replaces would be as deep as the ownership, which anybody can write.
        let mut stack: Vec<Pending> = tops
            .into_iter()
            .rev()
            .map(|(key, slot)| Pending {
                key,
                slot,
                parent: None,
                depth: 0,
            })
            .collect();
        while let Some(pending) = stack.pop() {
            self.visit(pending, &mut seen, &mut stack, &mut tree);
        }
        tree
    }

    fn visit<'a>(
        &'a self,
        pending: Pending,
        seen: &mut BTreeSet<u32>,
        stack: &mut Vec<Pending>,
        tree: &mut Vec<TreeNode<'a>>,
    ) {
        let Pending {
            key,
            slot,
            parent,
            depth,
        } = pending;
        let Some(node) = self.node(slot) else { return };
        if !seen.insert(slot) {
            return;
        }
        let mut children: Vec<(ResourceKey, u32)> = self
            .child_slots(&node.uid)
            .iter()
            .filter(|child| !seen.contains(child))
            .filter_map(|&child| Some((self.node(child)?.key(), child)))
            .collect();
        children.sort();
        stack.extend(children.into_iter().rev().map(|(child, slot)| Pending {
            key: child,
            slot,
            parent: Some(key.clone()),
            depth: depth + 1,
        }));
        tree.push(TreeNode {
            key,
            parent,
            depth,
            node,
        });
    }

    /// Does one of `slots` own the object in `slot`, directly or not? An object that owns itself in a circle stays a root.
    fn has_ancestor(&self, slot: u32, slots: &BTreeSet<u32>) -> bool {
        let mut seen = BTreeSet::from([slot]);
        let mut ahead = vec![slot];
        while let Some(at) = ahead.pop() {
            for owner in self.owner_slots(at) {
                if seen.insert(owner) {
                    if slots.contains(&owner) && !self.owns(slot, owner) {
                        return true;
                    }
                    ahead.push(owner);
                }
            }
        }
        false
    }

    /// Does the object in `owner` own the one in `slot`, directly or not?
    fn owns(&self, owner: u32, slot: u32) -> bool {
        let mut seen = BTreeSet::from([slot]);
        let mut ahead = vec![slot];
        while let Some(at) = ahead.pop() {
            for above in self.owner_slots(at) {
                if above == owner {
                    return true;
                }
                if seen.insert(above) {
                    ahead.push(above);
                }
            }
        }
        false
    }
}

struct Pending {
    key: ResourceKey,
    slot: u32,
    parent: Option<ResourceKey>,
    depth: usize,
}
