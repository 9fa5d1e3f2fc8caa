//! Why a source does not render.

use capstan_model::{ManifestError, SourceLocation};
use capstan_yaml::YamlError;

use crate::ReadError;

/// Why a source does not render: what, where, why, and what next.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The source's path is not in the tree.
    #[error("path {path} does not exist in the repository at this revision: check spec.source.path and the branch")]
    MissingPath {
        /// The path.
        path: String,
    },
    /// Something in the tree could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A values file is not in the tree.
    #[error("values file {file} does not exist: {named} names it; create it, or set ignoreMissingValueFiles")]
    MissingValuesFile {
        /// The file, from the root of the repository.
        file: String,
        /// Where it is named.
        named: String,
    },
    /// A values file, or values in the Application, is no mapping.
    #[error("{place}: values must be a mapping, not {found}")]
    ValuesNotAMapping {
        /// Which values.
        place: String,
        /// What they are.
        found: &'static str,
    },
    /// YAML that does not parse.
    #[error("{file}:{}: {error}", .error.line)]
    Yaml {
        /// The file, from the root of the repository.
        file: String,
        /// Why.
        error: YamlError,
    },
    /// What a template rendered to is no YAML.
    #[error("{location}: what the template renders to is not YAML: {error}; `capstan render` prints it")]
    RenderedYaml {
        /// The template; the line is of the rendered text.
        location: SourceLocation,
        /// Why.
        error: YamlError,
    },
    /// A document is no Kubernetes object.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The chart itself cannot be used.
    #[error("{file}: {reason}")]
    Chart {
        /// The file, from the root of the repository.
        file: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A chart archive that cannot be unpacked.
    #[error("{place}: {reason}")]
    Archive {
        /// The archive, and the entry in it.
        place: String,
        /// Why.
        reason: String,
    },
    /// A chart that is more than may be.
    #[error("{place}: {what}: the limit is {limit}, and {found} were counted before reading on was given up")]
    Limit {
        /// The file or folder, or the archive and the entry in it, at which it was noticed.
        place: String,
        /// What is limited.
        what: &'static str,
        /// The most there may be.
        limit: u64,
        /// What was counted.
        found: u64,
    },
    /// A dependency that cannot be taken from where the chart says it is.
    #[error("{file}: dependency {name}: {reason}")]
    Dependency {
        /// The file that names it, from the root of the repository.
        file: String,
        /// Its name.
        name: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A template fails.
    #[error("{location}: {message}")]
    Template {
        /// The template and the line in it.
        location: SourceLocation,
        /// Helm's message.
        message: String,
    },
    /// A `--set` that cannot be understood.
    #[error("helm parameter {name:?}: {reason}")]
    Parameter {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A file whose bytes are no text.
    #[error("{file}: not UTF-8 text")]
    NotText {
        /// The file, from the root of the repository.
        file: String,
    },
    /// Something that is not there yet.
    #[error("{file}: {what} is not supported yet{instead}")]
    Unsupported {
        /// Where it was found.
        file: String,
        /// What.
        what: String,
        /// What to do instead.
        instead: &'static str,
    },
}
