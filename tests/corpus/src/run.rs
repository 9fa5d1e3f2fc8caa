//! Many cases, on all processors.

use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::{Case, Oracle, Report, compare};

/// Compares all cases; `None`, where the real Helm has not been built. Each processor gets a Helm of its own.
///
/// # Panics
/// When a thread panics.
#[must_use]
pub fn run(cases: &[Case]) -> Option<Report> {
    drop(Oracle::start()?);
    let next = Mutex::new(0..cases.len());
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(cases.len().max(1));
    let mut parts: Vec<(usize, Report)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| work(cases, &next))).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("a worker does not panic"))
            .collect()
    });
    parts.sort_by_key(|(number, _)| *number);
    let mut report = Report::default();
    parts.into_iter().for_each(|(_, part)| report.merge(part));
    Some(report)
}

fn work(cases: &[Case], next: &Mutex<std::ops::Range<usize>>) -> Vec<(usize, Report)> {
    let mut parts = Vec::new();
    let Some(mut oracle) = Oracle::start() else {
        return parts;
    };
    loop {
        let number = next.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some(number) = number else { return parts };
        let case = &cases[number];
        let theirs = oracle.ask(case);
        let mut report = Report::default();
        report.add(case, compare(&theirs, case.render()));
        parts.push((number, report));
    }
}
