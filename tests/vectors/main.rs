//! The project, held against data that nobody here wrote: one test a folder of the vectors.
//!
//! The vectors are not part of the project: `CAPSTAN_VECTORS` names their place, otherwise they are looked for beside the checkout, and
//! a test that finds none says so and passes. Each prints how many cases are as expected, and fails below what was once reached.

#![expect(clippy::print_stdout, reason = "a meter prints what it measures")]

mod api;
mod diff;
mod differences;
mod health;
mod helm;
#[path = "../../core/template/tests/support/mod.rs"]
mod support;
mod sync_order;

use std::path::{Path, PathBuf};

/// What came of a folder.
#[derive(Default)]
pub(crate) struct Score {
    /// As expected.
    pub(crate) equal: usize,
    /// All.
    pub(crate) total: usize,
    /// One line for each that is not.
    pub(crate) differences: Vec<String>,
}

/// How good it must be, per mille: what was reached once, less a little where other cases of the same shape may be played, too.
const HEALTH_BUILTIN: usize = 1000;
const DIFF: usize = 990;
const HELM: usize = 990;
const API: usize = 990;
const SYNC_ORDER: usize = 980;
const SYNC_ORDER_DEFAULT: usize = 990;
const SYNC_ORDER_OTHERS: usize = 960;
const SYNC_ORDER_RULES: usize = 990;

/// How many differences are shown.
const SHOWN: usize = 60;

/// A folder of the vectors; `None`, and a word about it, when it is not there.
fn folder(name: &str) -> Option<PathBuf> {
    let place = match std::env::var_os("CAPSTAN_VECTORS") {
        Some(place) => PathBuf::from(place),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
    };
    let place = place.join(name);
    if !place.is_dir() {
        println!("{name}: skipped, there is no {}", place.display());
        return None;
    }
    Some(place)
}

/// Runs a folder and holds its score against the bar.
fn hold(name: &str, bar: usize, run: impl FnOnce(&Path) -> Score) {
    hold_folder(name, name, bar, run);
}

/// The same, under another name than the folder's.
fn hold_folder(name: &str, folder_name: &str, bar: usize, run: impl FnOnce(&Path) -> Score) {
    let Some(folder) = folder(folder_name) else { return };
    let Score {
        equal,
        total,
        differences,
    } = run(&folder);
    for difference in differences.iter().take(SHOWN) {
        println!("{difference}");
    }
    println!("{name}: {equal}/{total}");
    assert!(total > 0, "{name} holds no cases");
    assert!(
        equal * 1000 >= total * bar,
        "{name}: {equal} of {total}, which is less than {bar} of 1000"
    );
}

#[test]
fn health_builtin() {
    hold("health-builtin", HEALTH_BUILTIN, health::run);
}

#[test]
fn diff() {
    hold("diff", DIFF, diff::run);
}

#[test]
fn sync_order() {
    hold_folder("sync_order", "sync-order", SYNC_ORDER, sync_order::run);
}

#[test]
fn sync_order_default() {
    hold_folder(
        "sync_order_default",
        "sync-order",
        SYNC_ORDER_DEFAULT,
        sync_order::run_default,
    );
}

#[test]
fn sync_order_others() {
    hold_folder(
        "sync_order_others",
        "sync-order",
        SYNC_ORDER_OTHERS,
        sync_order::run_others,
    );
}

#[test]
fn sync_order_rules() {
    hold_folder(
        "sync_order_rules",
        "sync-order",
        SYNC_ORDER_RULES,
        sync_order::run_rules,
    );
}

#[test]
fn sync_order_sabotage() {
    hold_folder("sync_order_sabotage", "sync-order", 1000, sync_order::run_sabotage);
}

#[test]
fn helm() {
    hold("helm", HELM, helm::run);
}

#[test]
fn api() {
    hold("api", API, api::run);
}
