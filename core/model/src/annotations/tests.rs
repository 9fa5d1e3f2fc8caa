//! Words of annotations, one by one.

use serde_json::json;

use super::*;

fn meta(annotations: Value) -> ObjectMeta {
    let metadata = serde_json::Map::from_iter([("annotations".to_owned(), annotations)]);
    ObjectMeta::of(&Value::Object(serde_json::Map::from_iter([(
        "metadata".to_owned(),
        Value::Object(metadata),
    )])))
}

#[test]
fn what_no_sync_writes_waits_for_nothing() {
    for (hook, warnings) in [("PreSync", 0), ("PreSync,PreDelete", 0), ("PostDelete", 1), ("Skip", 1)] {
        let meta = meta(json!({HOOK: hook, DEPENDS_ON: "ConfigMap/a"}));
        assert_eq!(meta.warnings.len(), warnings, "{hook}: {:?}", meta.warnings);
    }
    assert!(meta(json!({DEPENDS_ON: "ConfigMap/a"})).warnings.is_empty());
}

#[test]
fn argo_hooks_win_over_helm_hooks() {
    let meta = meta(json!({HOOK: "PreSync, PostSync", HELM_HOOK: "pre-delete", SYNC_WAVE: "-2"}));
    assert_eq!(meta.hooks, BTreeSet::from([HookType::PreSync, HookType::PostSync]));
    assert_eq!(
        meta.hook_delete_policies,
        BTreeSet::from([HookDeletePolicy::BeforeHookCreation])
    );
    assert_eq!(meta.wave, -2);
}

#[test]
fn helm_hooks_map_to_phases_and_weights_to_waves() {
    let meta = meta(
        json!({HELM_HOOK: "pre-install,pre-upgrade", HELM_HOOK_WEIGHT: "5", HELM_HOOK_DELETE_POLICY: "hook-succeeded"}),
    );
    assert_eq!(meta.hooks, BTreeSet::from([HookType::PreSync]));
    assert_eq!(meta.wave, 5);
    assert_eq!(
        meta.hook_delete_policies,
        BTreeSet::from([HookDeletePolicy::HookSucceeded])
    );
}

#[test]
fn a_helm_test_is_a_hook_that_never_runs() {
    let meta = meta(json!({HELM_HOOK: "test"}));
    assert!(meta.is_hook && meta.hooks.is_empty());
}

#[test]
fn a_crd_install_hook_is_an_ordinary_object() {
    assert!(meta(json!({HELM_HOOK: "crd-install"})).is_resource());
}

#[test]
fn limits_of_pruning_are_numbers_and_the_first_one_counts() {
    let options = SyncOptions::parse(["MaxPrunePercentage=30", "MaxPrunePercentage=90", "MaxPruneCount=7"]);
    assert_eq!(
        (options.max_prune_percentage, options.max_prune_count),
        (Some(30), Some(7))
    );
    let options = SyncOptions::parse(["MaxPrunePercentage=101", "MaxPrunePercentage=-1", "MaxPruneCount=many"]);
    assert_eq!((options.max_prune_percentage, options.max_prune_count), (None, None));
    assert_eq!(options.unknown.len(), 3);
}

#[test]
fn unknown_words_warn_and_do_not_fail() {
    let meta = meta(json!({HOOK: "Foo", SYNC_WAVE: "abc", SYNC_OPTIONS: "Prune=flase,Replace=true"}));
    assert!(meta.is_hook && meta.hooks.is_empty());
    assert_eq!(meta.wave, 0);
    assert_eq!(meta.sync_options.replace, Some(true));
    assert_eq!(meta.warnings.len(), 3, "{:?}", meta.warnings);
}
