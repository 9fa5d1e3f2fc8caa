//! What a text is composed of: values, with what they cost where an alias names them.

use serde_json::Value;

/// What an anchor stands for.
pub(crate) enum Anchor {
    /// The node is still being read: an alias to it would contain itself.
    Open,
    Done(Node),
}

/// A composed node with its size.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    /// Nodes that Go's decoder visits for it, itself included.
    pub(crate) nodes: usize,
    /// Levels of collections in it.
    pub(crate) height: usize,
}

impl Node {
    pub(crate) fn scalar(value: Value) -> Self {
        Self {
            value,
            nodes: 1,
            height: 0,
        }
    }
}
