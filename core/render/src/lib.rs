//! A tree of files to Kubernetes manifests: Helm charts and plain directories

pub mod tree;

pub use tree::{EntryKind, FileTree, MAX_LINKS, MAX_PATH, RawEntry, ReadError, TreeEntry, join, normalize, resolve};
