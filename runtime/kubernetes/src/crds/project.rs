//! `AppProject`.

use serde_json::Value;

use super::schema::{describe, flag, list, object, open, text};
use super::{Column, Names, custom_resource, root};

pub(super) fn definition() -> Value {
    let names = Names {
        kind: "AppProject",
        plural: "appprojects",
        short: &["appproj", "appprojs"],
    };
    let columns = [
        Column("Description", ".spec.description", "string", 1),
        Column("Age", ".metadata.creationTimestamp", "date", 0),
    ];
    let schema = root(
        "What its Applications may read and write.",
        &[("spec", spec()), ("status", open())],
    );
    // Argo CD's has no status subresource, and the controller writes no status of a project.
    custom_resource(&names, &columns, false, &schema)
}

fn window() -> Value {
    object([
        ("kind", describe(text(), "allow or deny.")),
        ("schedule", describe(text(), "When it opens, five fields of cron.")),
        ("duration", describe(text(), "For how long, such as 30m or 8h.")),
        ("timeZone", text()),
        ("applications", list(text())),
        ("namespaces", list(text())),
        ("clusters", list(text())),
        ("andOperator", flag()),
        ("manualSync", flag()),
        ("syncOverrun", flag()),
        ("description", text()),
    ])
}

fn spec() -> Value {
    let kinds = || list(object([("group", text()), ("kind", text()), ("name", text())]));
    let destination = object([("server", text()), ("name", text()), ("namespace", text())]);
    object([
        ("description", text()),
        (
            "sourceRepos",
            describe(list(text()), "Globs of repositories; ! denies."),
        ),
        (
            "sourceNamespaces",
            describe(list(text()), "Namespaces whose Applications may use it."),
        ),
        (
            "destinations",
            describe(list(destination), "Where its Applications may go."),
        ),
        ("clusterResourceWhitelist", kinds()),
        ("clusterResourceBlacklist", kinds()),
        ("namespaceResourceWhitelist", kinds()),
        ("namespaceResourceBlacklist", kinds()),
        ("orphanedResources", open()),
        ("roles", list(open())),
        (
            "syncWindows",
            describe(list(window()), "When its applications may be synced."),
        ),
        ("signatureKeys", list(open())),
        ("destinationServiceAccounts", list(open())),
        ("permitOnlyProjectScopedClusters", flag()),
    ])
}
