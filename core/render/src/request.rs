//! What is rendered, and what comes of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use capstan_model::{ApplicationSource, Manifest};
use capstan_template::{Interrupt, Random};

use crate::recording::RecordingTree;
use crate::{
    FileTree, HelmOutput, ReadError, RenderCache, RenderError, RenderInputs, SetArgument, directory, helm, limits,
};

/// Where passwords, keys, certificates, identifiers and the time come from.
#[derive(Clone, Copy)]
pub enum Determinism<'a> {
    /// From the seed, the application, the chart's content, the template and the number of the call; the time is the commit's. Two
    /// renders of one input are equal, on any machine. Whoever knows the seed can tell every password: it is a secret.
    Stable {
        /// Kept by the installation.
        seed: &'a [u8],
    },
    /// As Helm has it: new with every render.
    Helm {
        /// Makes a source of random bytes.
        random: &'a (dyn Fn() -> Box<dyn Random> + Sync),
        /// Seconds since 1970-01-01T00:00:00Z.
        now: i64,
    },
    /// A template that asks for any of them fails.
    Forbid,
}

/// One source and what it is rendered for.
#[derive(Clone)]
pub struct RenderRequest<'a> {
    /// The application's name: the release name where the source says none.
    pub application: &'a str,
    /// The source.
    pub source: &'a ApplicationSource,
    /// Namespace of the destination.
    pub namespace: &'a str,
    /// `.Capabilities.KubeVersion`, such as `v1.36.3`.
    pub kube_version: &'a str,
    /// `.Capabilities.APIVersions`.
    pub api_versions: &'a [String],
    /// `--set` arguments, applied before the source's parameters; an Application has none.
    pub set: &'a [SetArgument],
    /// As `helm template` takes it from a command line: values files are names, not patterns, and dependencies have to be in `charts/`.
    /// Argo CD looks for patterns, and builds dependencies first.
    pub command_line: bool,
    /// Variables for `$NAME` in parameters and the names of values files: [`build_environment`](crate::build_environment).
    pub environment: &'a BTreeMap<String, String>,
    /// Where what is not reproducible comes from.
    pub determinism: Determinism<'a>,
    /// Stops the render from outside.
    pub interrupt: Interrupt,
    /// Charts and parsed templates of other renders.
    pub cache: Option<&'a RenderCache>,
    /// Trees of the sources that have a name, for `$name/path`.
    pub references: &'a BTreeMap<String, Arc<dyn FileTree>>,
}

impl<'a> RenderRequest<'a> {
    /// For an application and one of its sources; everything else as `helm template` has it without a cluster.
    #[must_use]
    pub fn new(application: &'a str, source: &'a ApplicationSource) -> Self {
        static NO_VARIABLES: BTreeMap<String, String> = BTreeMap::new();
        static NO_REFERENCES: BTreeMap<String, Arc<dyn FileTree>> = BTreeMap::new();
        Self {
            application,
            source,
            namespace: "",
            kube_version: helm::DEFAULT_KUBE_VERSION,
            api_versions: &[],
            set: &[],
            command_line: false,
            environment: &NO_VARIABLES,
            determinism: Determinism::Stable { seed: &[] },
            interrupt: Interrupt::default(),
            cache: None,
            references: &NO_REFERENCES,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct RenderOutput {
    /// The objects, in the order of their files.
    pub manifests: Vec<Manifest>,
    /// `Helm` or `Directory`.
    pub source_type: &'static str,
    /// What was odd and did not matter.
    pub warnings: Vec<String>,
    /// Everything the result depends on, absences included.
    pub inputs: RenderInputs,
}

/// Renders a source. The same request and tree give the same output, on any machine.
pub fn render(request: &RenderRequest<'_>, tree: &dyn FileTree) -> Result<RenderOutput, RenderError> {
    let inputs = Mutex::new(RenderInputs::new());
    let mut output = {
        let recorded = RecordingTree::new(tree, String::new(), &inputs);
        let references = recorded_references(request, &inputs);
        let sources = helm::Sources {
            tree: &recorded,
            references: &references,
        };
        match source_kind(request, &recorded)? {
            SourceKind::Helm(path) => helm::render(request, &path, &sources)?,
            SourceKind::Directory(path) => directory::render(request, &path, &recorded)?,
            SourceKind::Nothing => RenderOutput::default(),
        }
    };
    limits::check(&output.manifests)?;
    output.inputs = inputs.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(output)
}

/// Renders a chart as `helm template` does: fails exactly where Helm fails, and gives its texts.
///
/// # Errors
/// [`RenderError`]; a folder that is no chart is one.
pub fn helm_template(request: &RenderRequest<'_>, tree: &dyn FileTree) -> Result<HelmOutput, RenderError> {
    let inputs = Mutex::new(RenderInputs::new());
    let recorded = RecordingTree::new(tree, String::new(), &inputs);
    let references = recorded_references(request, &inputs);
    let sources = helm::Sources {
        tree: &recorded,
        references: &references,
    };
    match source_kind(request, &recorded)? {
        SourceKind::Helm(path) => helm::template(request, &path, &sources),
        SourceKind::Directory(path) => Err(RenderError::Chart {
            file: path,
            reason: "Chart.yaml file is missing".into(),
        }),
        SourceKind::Nothing => Ok(HelmOutput::default()),
    }
}

fn recorded_references<'a>(
    request: &'a RenderRequest<'_>,
    inputs: &'a Mutex<RenderInputs>,
) -> BTreeMap<&'a str, RecordingTree<'a>> {
    let trees = request.references.iter();
    trees
        .map(|(name, tree)| (name.as_str(), RecordingTree::new(&**tree, format!("${name}/"), inputs)))
        .collect()
}

enum SourceKind {
    Helm(String),
    Directory(String),
    /// A source that only others refer to.
    Nothing,
}

/// As Argo CD: what is said explicitly, else what is there.
fn source_kind(request: &RenderRequest<'_>, tree: &dyn FileTree) -> Result<SourceKind, RenderError> {
    let source = request.source;
    if source.path.is_empty() && !source.reference.is_empty() {
        return Ok(SourceKind::Nothing);
    }
    let path = crate::normalize(&source.path)?;
    let unsupported = |what: &str| RenderError::Unsupported {
        file: path.clone(),
        what: what.into(),
        instead: "",
    };
    if source.kustomize.is_some() {
        return Err(unsupported("Kustomize"));
    }
    if source.plugin.is_some() {
        return Err(unsupported("a config management plugin"));
    }
    match tree.list(&path) {
        Ok(Some(_)) => {}
        Ok(None) => return Err(RenderError::MissingPath { path }),
        // A packed chart.
        Err(ReadError::WrongKind { .. }) if path.ends_with(".tgz") && source.directory.is_none() => {
            return Ok(SourceKind::Helm(path));
        }
        Err(error) => return Err(error.into()),
    }
    let has = |name: &str| tree.id(&in_folder(&path, name)).map(|id| id.is_some());
    if source.helm.is_some() || source.directory.is_none() && has("Chart.yaml")? {
        return Ok(SourceKind::Helm(path));
    }
    if source.directory.is_none() {
        for name in ["kustomization.yaml", "kustomization.yml", "Kustomization"] {
            if has(name)? {
                let instead =
                    ": render it into plain YAML, or set spec.source.directory to apply the files as they are";
                return Err(RenderError::Unsupported {
                    file: in_folder(&path, name),
                    what: "Kustomize".into(),
                    instead,
                });
            }
        }
    }
    Ok(SourceKind::Directory(path))
}

/// A path below a folder; the root is the empty path.
pub(crate) fn in_folder(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}
