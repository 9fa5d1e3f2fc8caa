//! A tree of files to Kubernetes manifests: Helm charts and plain directories.
//!
//! The problem: the same commit must give the same objects on every machine, what cannot be read must never look like what is not
//! there, and a mistake must be named by file and line. So a render is a function of a tree and a request; it notes every path it looked
//! at ([`RenderOutput::inputs`]), absences included, so that a later commit with the same inputs needs no render.
//!
//! Deliberately absent: Kustomize, fetching anything: [`missing_dependencies`] says what to fetch, and an [`OverlayTree`] shows it to a
//! render. What is not understood is refused by name.

mod archive;
mod cache;
mod directory;
mod error;
mod gobwas;
mod helm;
mod limits;
mod memory;
mod overlay;
mod recording;
mod request;
pub mod tree;

pub use archive::{ChartLimits, RATIO_FROM, unpack_chart};
pub use cache::RenderCache;
pub use capstan_model::{Glob, InvalidGlob, MAX_ALTERNATIVES};
pub use capstan_template::{Interrupt, Random};
pub use error::RenderError;
pub use helm::{
    DEFAULT_API_VERSIONS, DEFAULT_KUBE_VERSION, DependencyRepository, HelmDocument, HelmOutput, MissingDependency,
    SetArgument, SetKind, build_environment, missing_dependencies,
};
pub use memory::MemoryTree;
pub use overlay::OverlayTree;
pub use recording::{RenderInputs, inputs_unchanged};
pub use request::{Determinism, RenderOutput, RenderRequest, helm_template, render};
pub use tree::{EntryKind, FileTree, MAX_LINKS, MAX_PATH, RawEntry, ReadError, TreeEntry, join, normalize, resolve};
