//! The checkout's own files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// One text file of the checkout.
pub(crate) struct SourceFile {
    /// From the root, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package stands in the checkout")
        .to_owned()
}

/// All hand-written text files.
pub(crate) fn text_files() -> Vec<SourceFile> {
    let mut files = Vec::new();
    collect(&root(), &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// All Rust files.
pub(crate) fn rust_files() -> Vec<SourceFile> {
    text_files()
        .into_iter()
        .filter(|file| file.path.ends_with(".rs"))
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<SourceFile>) {
    for entry in std::fs::read_dir(folder).expect("the checkout can be read") {
        let path = entry.expect("the checkout can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !matches!(name, "target" | ".git" | "node_modules") {
                collect(&path, files);
            }
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let path = path
                .strip_prefix(root())
                .expect("below the root")
                .to_string_lossy()
                .replace('\\', "/");
            files.push(SourceFile { path, text });
        }
    }
}

/// Rust files that no `mod`, no target and no `include!` names.
pub(crate) fn unreached() -> Vec<String> {
    let files = rust_files();
    let all: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let manifests: String = text_files()
        .into_iter()
        .filter(|f| f.path.ends_with("Cargo.toml"))
        .map(|f| f.text)
        .collect();
    let mut reached = BTreeSet::new();
    for file in &files {
        let folder = module_folder(&file.path);
        for line in file.text.lines() {
            let line = line
                .trim()
                .trim_start_matches("pub(crate) ")
                .trim_start_matches("pub(super) ")
                .trim_start_matches("pub ");
            let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) else {
                continue;
            };
            reached.insert(format!("{folder}/{name}.rs"));
            reached.insert(format!("{folder}/{name}/mod.rs"));
        }
    }
    all.into_iter()
        .filter(|path| !reached.contains(*path) && !is_crate_root(path, &manifests))
        .map(str::to_owned)
        .collect()
}

fn module_folder(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        _ if folder.ends_with("/tests") || folder.ends_with("/examples") || folder.ends_with("/benches") => {
            folder.to_owned()
        }
        _ => format!("{folder}/{}", name.trim_end_matches(".rs")),
    }
}

fn is_crate_root(path: &str, manifests: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = folder.rsplit('/').next().unwrap_or_default();
    matches!(name, "lib.rs" | "main.rs" | "build.rs")
        || matches!(parent, "tests" | "examples" | "benches" | "bin")
        || manifests.contains(&format!("\"{parent}/{name}\""))
}
