//! The demo's Git repository: a bare one, and a clone of it with a work tree, both made without a `git` binary.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gix::bstr::BString;
use gix::objs::tree::{Entry, EntryKind};
use miette::{Context, IntoDiagnostic};

use super::files::FILES;

/// Where the two repositories are.
#[derive(Clone, Debug)]
pub(super) struct Repository {
    /// Bare: what the controller reads and people push to.
    pub(super) bare: PathBuf,
    /// A clone on `main`, to commit in.
    pub(super) clone: PathBuf,
}

/// The files of `argocd/`: the project and the Applications.
pub(super) fn declarations() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().copied().filter(|(path, _)| path.starts_with("argocd/"))
}

impl Repository {
    /// Makes both in `dir`, unless they are there from an earlier run.
    pub(super) fn create(dir: &Path) -> miette::Result<Self> {
        let repository = Self {
            bare: dir.join("infra.git"),
            clone: dir.join("infra"),
        };
        if repository.bare.join("HEAD").exists() {
            return Ok(repository);
        }
        repository
            .fill()
            .wrap_err_with(|| format!("the sample repository cannot be made in {}", dir.display()))?;
        Ok(repository)
    }

    /// Its URL.
    pub(super) fn url(&self) -> String {
        format!("file://{}", self.bare.display())
    }

    fn fill(&self) -> miette::Result<()> {
        let bare = gix::init_bare(&self.bare).into_diagnostic()?;
        commit(&bare, &["refs/heads/main"])?;
        head(&self.bare)?;
        let clone = gix::init(&self.clone).into_diagnostic()?;
        let tree = commit(&clone, &["refs/heads/main", "refs/remotes/origin/main"])?;
        head(&self.clone.join(".git"))?;
        for (path, text) in FILES {
            let path = self.clone.join(path);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).into_diagnostic()?;
            }
            fs::write(&path, text).into_diagnostic()?;
        }
        let mut index = clone.index_from_tree(&tree).into_diagnostic()?;
        index.write(gix::index::write::Options::default()).into_diagnostic()?;
        self.configure(&clone)
    }

    /// The remote, and an author for those who have configured none.
    fn configure(&self, clone: &gix::Repository) -> miette::Result<()> {
        let path = self.clone.join(".git/config");
        let mut config = fs::read_to_string(&path).into_diagnostic()?;
        config.push_str(&format!(
            "[remote \"origin\"]\n\turl = {}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n\
             [branch \"main\"]\n\tremote = origin\n\tmerge = refs/heads/main\n",
            self.bare.display()
        ));
        if clone.config_snapshot().string("user.email").is_none() {
            config.push_str("[user]\n\tname = Demo\n\temail = demo@capstan.example\n");
        }
        fs::write(&path, config).into_diagnostic()
    }
}

fn head(git_dir: &Path) -> miette::Result<()> {
    fs::write(git_dir.join("HEAD"), "ref: refs/heads/main\n").into_diagnostic()
}

/// Writes the one commit and points the references at it; the same in every repository. Returns its tree.
fn commit(repository: &gix::Repository, references: &[&str]) -> miette::Result<gix::ObjectId> {
    let mut root = Folder::default();
    for (path, text) in FILES {
        let blob = repository.write_blob(text.as_bytes()).into_diagnostic()?.detach();
        root.insert(path, blob);
    }
    let tree = root.write(repository)?;
    let author = gix::actor::SignatureRef {
        name: "Ana Ortiz".into(),
        email: "ana@capstan.example".into(),
        time: "1767258000 +0000",
    };
    let first: Option<gix::ObjectId> = None;
    let commit = repository
        .commit_as(
            author,
            author,
            references[0],
            "Everything that runs in production and staging",
            tree,
            first,
        )
        .into_diagnostic()?
        .detach();
    for reference in &references[1..] {
        let edit = gix::refs::transaction::PreviousValue::Any;
        repository
            .reference(*reference, commit, edit, "clone")
            .into_diagnostic()?;
    }
    Ok(tree)
}

/// A folder on its way to a tree object.
#[derive(Default)]
struct Folder {
    files: BTreeMap<String, gix::ObjectId>,
    folders: BTreeMap<String, Self>,
}

impl Folder {
    fn insert(&mut self, path: &str, blob: gix::ObjectId) {
        match path.split_once('/') {
            Some((folder, rest)) => self.folders.entry(folder.to_owned()).or_default().insert(rest, blob),
            None => drop(self.files.insert(path.to_owned(), blob)),
        }
    }

    fn write(&self, repository: &gix::Repository) -> miette::Result<gix::ObjectId> {
        let mut entries = Vec::new();
        for (name, oid) in &self.files {
            entries.push(Entry {
                mode: EntryKind::Blob.into(),
                filename: BString::from(name.as_str()),
                oid: *oid,
            });
        }
        for (name, folder) in &self.folders {
            let oid = folder.write(repository)?;
            entries.push(Entry {
                mode: EntryKind::Tree.into(),
                filename: BString::from(name.as_str()),
                oid,
            });
        }
        entries.sort();
        Ok(repository
            .write_object(gix::objs::Tree { entries })
            .into_diagnostic()?
            .detach())
    }
}
