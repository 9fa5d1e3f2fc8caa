//! Words of an Application's options that nobody knows, or that have no effect where they stand.

use capstan_model::annotations::COMPARE_OPTIONS;
use capstan_model::{Application, OptionPlace, odd_compare_options, odd_in_application, odd_sync_options};

/// A sentence for each, with where it stands.
pub fn odd_options(application: &Application) -> Vec<String> {
    let options = &application.spec.sync_policy.sync_options;
    let options = odd_sync_options(options.iter().map(String::as_str), OptionPlace::Application).into_iter();
    let compare = odd_compare_options(application.annotation(COMPARE_OPTIONS).split(',')).into_iter();
    let options = options.map(|odd| format!("spec.syncPolicy.syncOptions: {odd}"));
    let compare = compare.map(|odd| format!("metadata.annotations: {COMPARE_OPTIONS}: {odd}"));
    options.chain(compare).chain(odd_in_application(application)).collect()
}
