//! What planning and carrying out a sync costs, by its size. Nothing outside of memory: every effect is answered at once, one event at a
//! time, which is how the runtime drives the engine.
//!
//! `cargo bench -p capstan-engine --bench sync` measures; with `-- table [sizes]` it prints a table instead, in which cost by n log n
//! must not grow.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a benchmark measures time and prints it"
)]

mod world;

use std::hint::black_box;
use std::time::{Duration, Instant};

use capstan_engine::plan::{Plan, PlanRequest};
use capstan_engine::settings::Guards;
use capstan_model::SyncOptions;
use criterion::{BenchmarkId, Criterion, Throughput};
use world::{Shape, Story};

const SIZES: [usize; 3] = [10, 1_000, 100_000];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "table") {
        let sizes: Vec<usize> = arguments.iter().filter_map(|text| text.parse().ok()).collect();
        return table(if sizes.is_empty() { &SIZES } else { &sizes });
    }
    let mut criterion = Criterion::default().configure_from_args();
    measure(&mut criterion, "plan", |story| drop(black_box(plan(story))));
    measure(&mut criterion, "sync", |story| {
        black_box(world::sync(story));
    });
    criterion.final_summary();
}

fn measure(criterion: &mut Criterion, name: &str, run: impl Fn(&Story)) {
    for shape in Shape::ALL {
        let mut group = criterion.benchmark_group(format!("{name}/{}", shape.name()));
        group.sample_size(10);
        for size in SIZES {
            let story = Story::new(shape, size);
            group.throughput(Throughput::Elements(u64::try_from(size).unwrap_or(u64::MAX)));
            group.bench_with_input(BenchmarkId::from_parameter(size), &story, |bencher, story| {
                bencher.iter(|| run(story));
            });
        }
        group.finish();
    }
}

fn plan(story: &Story) -> Plan {
    let options = SyncOptions::default();
    let request = PlanRequest {
        targets: &story.targets,
        prune: &story.prune,
        hooks: true,
        selection: &[],
        options: &options,
        destination_namespace: "prod",
        create_namespace: false,
        hook_suffix: "1",
        guards: Guards::Capstan,
    };
    Plan::new(&request).expect("there is an order")
}

/// The shortest of some runs, so many that it takes a while.
fn shortest(mut run: impl FnMut()) -> Duration {
    let begun = Instant::now();
    let mut best = Duration::MAX;
    while best == Duration::MAX || begun.elapsed() < Duration::from_millis(300) {
        let at = Instant::now();
        run();
        best = best.min(at.elapsed());
    }
    best
}

fn table(sizes: &[usize]) {
    println!(
        "{:<12} {:>8} {:>12} {:>14} {:>12} {:>14} {:>8}",
        "shape", "tasks", "plan", "ns/(n log n)", "sync", "ns/(n log n)", "events"
    );
    for shape in Shape::ALL {
        for &size in sizes {
            let story = Story::new(shape, size);
            let planned = shortest(|| drop(black_box(plan(&story))));
            let mut events = 0;
            let synced = shortest(|| events = world::sync(&story));
            #[allow(clippy::cast_precision_loss, reason = "sizes are small")]
            let by = |took: Duration| took.as_nanos() as f64 / (size as f64 * (size as f64).log2());
            println!(
                "{:<12} {size:>8} {planned:>12.1?} {:>14.1} {synced:>12.1?} {:>14.1} {events:>8}",
                shape.name(),
                by(planned),
                by(synced),
            );
        }
    }
}
