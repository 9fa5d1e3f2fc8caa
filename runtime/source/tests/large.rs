//! What a large index costs.

mod support;

use std::time::{Duration, Instant};

use capstan_source::{Access, Chart, ChartRepository, Charts, Digest, FetchLimits, FetchPolicy};
use support::site::{Reply, Site};

/// `cargo test --release -p capstan-source --test large -- --ignored --nocapture`
#[test]
#[ignore = "prints times; proves nothing"]
fn what_a_large_index_costs() {
    let dir = tempfile::tempdir().unwrap();
    let mut index = String::from("apiVersion: v1\nentries:\n");
    for number in 0..120 {
        index.push_str(&format!("  chart-{number}:\n"));
        for version in 0..170 {
            let digest = Digest::of(format!("{number} {version}").as_bytes());
            let filler = "x".repeat(40);
            index.push_str(&format!(
                "  - annotations:\n      images: |\n{}    apiVersion: v2\n    created: \"2026-01-02T03:04:05.678901Z\"\n    dependencies:\n    - name: common\n      repository: oci://registry.example/charts\n      tags:\n      - common\n      version: 2.x.x\n    description: {filler}\n    digest: {digest}\n    keywords: [a, b, c, d]\n    maintainers:\n    - name: Somebody\n      url: https://example.com/x\n    name: chart-{number}\n    urls:\n    - chart-{number}-1.{version}.0.tgz\n    version: 1.{version}.0\n",
                format!("        - image: {filler}\n").repeat(6)
            ));
        }
    }
    let bytes = index.len();
    let tag = Digest::of(index.as_bytes()).to_string();
    let site = Site::start(move |request| match request.header("if-none-match") == tag {
        true => Reply::status(304),
        false => Reply::ok(index.clone()).with("ETag", tag.clone()),
    });
    let limits = FetchLimits {
        index_lifetime: Duration::ZERO,
        ..FetchLimits::default()
    };
    let charts = Charts::new(dir.path().join("cache"), limits);
    let chart = Chart {
        repository: ChartRepository::parse(&site.url("")).unwrap(),
        name: "chart-7".to_owned(),
        access: Access::default(),
    };
    for what in ["first", "again, not modified"] {
        let begin = Instant::now();
        charts.resolve(&chart, "1.x", FetchPolicy::Fetch).unwrap();
        println!("{bytes} bytes of an index, {what}: {:?}", begin.elapsed());
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!(
        "{}",
        status
            .lines()
            .filter(|line| line.starts_with("Vm"))
            .collect::<Vec<_>>()
            .join("\n")
    );
}
