//! The live-state index: compact nodes, owner tree, tracking index; never a parsed tree at rest
