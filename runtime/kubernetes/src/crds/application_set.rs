//! `ApplicationSet`.

use serde_json::Value;

use super::application;
use super::schema::{describe, flag, list, object, open, text, texts};
use super::{Column, Names, custom_resource, root};

pub(super) fn definition() -> Value {
    let names = Names {
        kind: "ApplicationSet",
        plural: "applicationsets",
        short: &["appset", "appsets"],
    };
    let columns = [Column("Age", ".metadata.creationTimestamp", "date", 0)];
    let schema = root(
        "Applications made of a template and generators.",
        &[("spec", spec()), ("status", open())],
    );
    custom_resource(&names, &columns, true, &schema)
}

fn spec() -> Value {
    let metadata = object([
        ("name", text()),
        ("namespace", text()),
        ("labels", texts()),
        ("annotations", texts()),
        ("finalizers", list(text())),
    ]);
    // A template's fields may hold placeholders where an Application has numbers or flags, so its spec is not typed.
    let mut template_spec = open();
    template_spec["description"] = application::spec()["description"].clone();
    let template = object([("metadata", metadata), ("spec", template_spec)]);
    let sync_policy = object([("preserveResourcesOnDeletion", flag()), ("applicationsSync", text())]);
    object([
        ("goTemplate", flag()),
        ("goTemplateOptions", list(text())),
        (
            "generators",
            describe(list(open()), "Where the sets of parameters come from."),
        ),
        ("template", describe(template, "The Application made of each set.")),
        ("templatePatch", text()),
        ("syncPolicy", sync_policy),
        ("strategy", open()),
        ("preservedFields", open()),
        ("ignoreApplicationDifferences", list(open())),
        ("applyNestedSelectors", flag()),
    ])
}
