//! The core is pure, and only two crates may name Kubernetes' client and Git.
//!
//! `core/clippy.toml` bans calls; this looks at what is linked: the dependency closure of every core crate and of the simulator, as
//! `cargo metadata` resolves it, and the lines of source that name the standard library's I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const CORE: &[&str] = &[
    "capstan-engine",
    "capstan-live",
    "capstan-model",
    "capstan-render",
    "capstan-template",
    "capstan-yaml",
];
/// Nothing pure may link these.
const BANNED: &[&str] = &[
    "async-std",
    "axum",
    "gix",
    "hyper",
    "k8s-openapi",
    "kube",
    "mio",
    "rand",
    "reqwest",
    "rustls",
    "smol",
    "socket2",
    "tokio",
];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

/// Package name → names of its ordinary and build dependencies, optional ones that no feature switches on left out.
fn dependencies(metadata: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let name_of: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .map(|package| {
            (
                package["id"].as_str().expect("id"),
                package["name"].as_str().expect("name"),
            )
        })
        .collect();
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().expect("nodes") {
        let name = name_of[node["id"].as_str().expect("id")];
        for dependency in node["deps"].as_array().expect("deps") {
            let ordinary = dependency["dep_kinds"]
                .as_array()
                .expect("kinds")
                .iter()
                .any(|kind| kind["kind"] != "dev");
            if ordinary {
                graph
                    .entry(name.into())
                    .or_default()
                    .insert(name_of[dependency["pkg"].as_str().expect("pkg")].into());
            }
        }
    }
    graph
}

fn closure(graph: &BTreeMap<String, BTreeSet<String>>, root: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open = vec![root.to_owned()];
    while let Some(name) = open.pop() {
        if seen.insert(name.clone()) {
            open.extend(graph.get(&name).into_iter().flatten().cloned());
        }
    }
    seen
}

#[test]
fn core_links_no_io() {
    let graph = dependencies(&metadata());
    for root in CORE {
        let closure = closure(&graph, root);
        assert!(
            closure.len() > 1 || *root == "capstan-yaml",
            "{root} is not in the graph"
        );
        let found: Vec<&str> = BANNED
            .iter()
            .copied()
            .filter(|banned| closure.contains(*banned))
            .collect();
        assert!(found.is_empty(), "{root} links {found:?}");
    }
}

/// With its front ends the simulator links tokio and hyper; the world itself names neither.
#[test]
fn only_the_front_ends_of_the_simulator_do_io() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("checkout")
        .join("sim/src");
    let mut problems = Vec::new();
    scan(&root, &mut |path, line| {
        let front_end = path
            .components()
            .any(|part| part.as_os_str() == "front_ends" || part.as_os_str() == "front_ends.rs");
        let io = [
            "tokio::",
            "hyper::",
            "std::net::Tcp",
            "std::net::Udp",
            "std::fs",
            "std::thread",
            "Instant::now",
            "SystemTime::now",
            "Timestamp::now",
        ];
        if !front_end && io.iter().any(|word| line.contains(word)) {
            problems.push(format!("{}: {}", path.display(), line.trim()));
        }
    });
    assert!(
        problems.is_empty(),
        "I/O outside sim/src/front_ends:\n{}",
        problems.join("\n")
    );
}

#[test]
fn core_names_no_io() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("checkout")
        .join("core");
    let mut problems = Vec::new();
    scan(&root, &mut |path, line| {
        let product = !path
            .components()
            .any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "examples" | "benches")));
        let io = [
            "std::fs",
            "std::net::Tcp",
            "std::net::Udp",
            "std::env::",
            "std::thread",
            "Instant::now",
            "SystemTime::now",
            "Timestamp::now(",
        ];
        if product && io.iter().any(|word| line.contains(word)) {
            problems.push(format!("{}: {}", path.display(), line.trim()));
        }
    });
    assert!(problems.is_empty(), "the core names I/O:\n{}", problems.join("\n"));
}

#[test]
fn only_two_crates_name_kube_and_gix() {
    let metadata = metadata();
    for (dependency, allowed) in [
        ("kube", &["capstan-kubernetes"][..]),
        ("gix", &["capstan-source", "capstan-sim", "capstan"]),
    ] {
        for package in metadata["packages"].as_array().expect("packages") {
            let name = package["name"].as_str().expect("name");
            let ours = package["source"].is_null() && name.starts_with("capstan") && name != "capstan-tests";
            let names_it = package["dependencies"]
                .as_array()
                .expect("dependencies")
                .iter()
                .any(|entry| entry["name"] == dependency && entry["kind"] != "dev");
            assert!(
                !(ours && names_it) || allowed.contains(&name),
                "{name} depends on {dependency}"
            );
        }
    }
}

/// Calls `look` with every line of code (comments and test modules left out) below `folder`.
fn scan(folder: &Path, look: &mut dyn FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).expect("the checkout can be read") {
        let path = entry.expect("the checkout can be read").path();
        if path.is_dir() {
            scan(&path, look);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a Rust file is text");
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            code.lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .for_each(|line| look(&path, line));
        }
    }
}

/// The switches that break the engine on purpose are for its own tests: the program is built without them.
#[test]
fn the_program_cannot_be_sabotaged() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "-p",
            "capstan",
            "-e",
            "no-dev",
            "-f",
            "{p} [{f}]",
            "--offline",
            "--locked",
        ])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8_lossy(&output.stdout);
    let engine = tree.lines().find(|line| line.contains("capstan-engine"));
    let engine = engine.expect("the program links the engine");
    assert!(!engine.contains("sabotage"), "{engine}");
}
