//! How long a chart takes to render: a small one, a medium one and an umbrella, each cold (nothing known) and warm (chart and parsed
//! templates known from another render), and 1,000 applications of one chart with values of their own. Then the same by the real Helm
//! where it has been built: a process for each render, as Argo CD starts one, and within one process; and the memory this took.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use capstan_corpus::{Case, Oracle};
use capstan_model::{ApplicationSource, HelmSource};
use capstan_render::{MemoryTree, RenderCache, RenderRequest, render};
use criterion::Criterion;
use serde_json::json;

/// Applications of one chart.
const APPLICATIONS: usize = 1000;
/// Copies of the small chart's templates in the medium one, and of the small chart in the umbrella.
const COPIES: usize = 10;
/// Renders by the real Helm, of which the median is taken.
const PEER_ROUNDS: usize = 15;

fn small() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/service")
}

/// The files of the small chart: path and text.
fn files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for name in ["Chart.yaml", "values.yaml"] {
        files.push((name.to_owned(), read(&small().join(name))));
    }
    for entry in std::fs::read_dir(small().join("templates")).expect("the chart can be read") {
        let path = entry.expect("the chart can be read").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        files.push((format!("templates/{name}"), read(&path)));
    }
    files
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file of the chart")
}

/// Ten times the templates of the small chart.
fn medium() -> Vec<(String, String)> {
    let mut medium = Vec::new();
    for (path, text) in files() {
        let is_copied = path.starts_with("templates/") && path.ends_with(".yaml");
        for copy in 1..COPIES * usize::from(is_copied) {
            let name = path.trim_start_matches("templates/");
            medium.push((format!("templates/copy-{copy}/{name}"), text.clone()));
        }
        medium.push((path, text));
    }
    medium
}

/// A chart of nothing but ten aliases of the small one.
fn umbrella() -> Vec<(String, String)> {
    let aliases: String = (0..COPIES)
        .map(|copy| format!("- {{name: service, version: 1.x.x, repository: '', alias: part-{copy}}}\n"))
        .collect();
    let head = format!("apiVersion: v2\nname: umbrella\nversion: 1.0.0\ndependencies:\n{aliases}");
    let below = files()
        .into_iter()
        .map(|(path, text)| (format!("charts/service/{path}"), text));
    std::iter::once(("Chart.yaml".to_owned(), head)).chain(below).collect()
}

fn source(values: serde_json::Value) -> ApplicationSource {
    ApplicationSource {
        path: "chart".into(),
        helm: Some(HelmSource {
            values_object: Some(values),
            ..HelmSource::default()
        }),
        ..ApplicationSource::default()
    }
}

/// Renders once; the number of objects.
fn once(tree: &MemoryTree, source: &ApplicationSource, name: &str, cache: Option<&RenderCache>) -> usize {
    let request = RenderRequest {
        namespace: "team",
        cache,
        ..RenderRequest::new(name, source)
    };
    render(&request, tree).expect("the chart renders").manifests.len()
}

fn tree_of(files: &[(String, String)]) -> MemoryTree {
    MemoryTree::from_files(files.iter().map(|(path, text)| (format!("chart/{path}"), text)))
}

fn charts(criterion: &mut Criterion, charts: &[(&str, Vec<(String, String)>)]) {
    for (name, files) in charts {
        let (tree, source) = (tree_of(files), source(json!({})));
        let mut group = criterion.benchmark_group(*name);
        group.bench_function("cold", |bencher| {
            bencher.iter(|| once(black_box(&tree), &source, "shop", None));
        });
        let cache = RenderCache::default();
        group.bench_function("warm", |bencher| {
            bencher.iter(|| once(black_box(&tree), &source, "shop", Some(&cache)));
        });
        group.finish();
    }
}

fn applications(criterion: &mut Criterion) {
    let tree = tree_of(&files());
    let sources: Vec<ApplicationSource> = (0..APPLICATIONS)
        .map(|number| source(json!({"replicas": number % 7, "image": {"tag": format!("1.{number}")}})))
        .collect();
    let mut group = criterion.benchmark_group("1000 applications");
    group.sample_size(10);
    for (name, is_cached) in [("without a cache", false), ("with a cache", true)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let cache = is_cached.then(RenderCache::default);
                let numbered = sources.iter().enumerate();
                numbered
                    .map(|(number, source)| once(&tree, source, &format!("app-{number}"), cache.as_ref()))
                    .sum::<usize>()
            });
        });
    }
    group.finish();
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn peer(charts: &[(&str, Vec<(String, String)>)]) {
    let Some(mut oracle) = Oracle::start() else {
        println!("the real helm is not there (tests/oracles/build.sh builds it): nothing to compare with");
        return;
    };
    let program = Oracle::program("helm").expect("it is beside the other");
    let folder = tempfile::tempdir().expect("a folder");
    for (name, files) in charts {
        let chart = folder.path().join(name);
        for (path, text) in files {
            let path = chart.join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("written");
            std::fs::write(path, text).expect("written");
        }
        let case = Case::new(&chart);
        let time = |work: &mut dyn FnMut()| {
            let times = (0..PEER_ROUNDS).map(|_| {
                let start = Instant::now();
                work();
                start.elapsed()
            });
            median(times.collect())
        };
        let process = time(&mut || {
            let mut command = Command::new(&program);
            command
                .arg("template")
                .arg("shop")
                .arg(&chart)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            assert!(command.status().expect("helm starts").success());
        });
        // The oracle renders three times: once for the manifests, twice for the files.
        let within = time(&mut || assert!(oracle.ask(&case).error.is_empty())) / 3;
        let ours = time(&mut || drop(case.render().expect("the chart renders")));
        println!(
            "{name}, from the disk, median: helm process {process:?}, helm library {within:?}, ours cold {ours:?}"
        );
    }
}

/// Resident memory of this process at its highest, in KiB.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.map_or("unknown".to_owned(), |line| line["VmHWM:".len()..].trim().to_owned())
}

fn main() {
    let all = [("small", files()), ("medium", medium()), ("umbrella", umbrella())];
    let mut criterion = Criterion::default().configure_from_args();
    charts(&mut criterion, &all);
    applications(&mut criterion);
    println!("peak memory of all renders: {}", peak_memory());
    peer(&all);
    criterion.final_summary();
}
