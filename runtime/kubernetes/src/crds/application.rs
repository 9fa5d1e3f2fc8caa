//! `Application`.

use serde_json::{Value, json};

use super::schema::{anything, describe, flag, list, number, object, open, text, texts, time};
use super::{Column, Names, custom_resource, root};

pub(super) fn definition() -> Value {
    let names = Names {
        kind: "Application",
        plural: "applications",
        short: &["app", "apps"],
    };
    let columns = [
        Column("Sync Status", ".status.sync.status", "string", 0),
        Column("Health Status", ".status.health.status", "string", 0),
        Column("Revision", ".status.sync.revision", "string", 1),
        Column("Project", ".spec.project", "string", 1),
        Column("Age", ".metadata.creationTimestamp", "date", 0),
    ];
    let schema = root(
        "What is deployed from which sources to which cluster and namespace.",
        &[("spec", spec()), ("status", status()), ("operation", operation())],
    );
    // No status subresource, as Argo CD's definition has none: either controller can take over from the other, and one patch can
    // be guarded by the object's UID and write the status at once.
    custom_resource(&names, &columns, false, &schema)
}

/// `spec`; also the heart of an ApplicationSet's template.
pub(super) fn spec() -> Value {
    let spec = object([
        (
            "project",
            describe(text(), "The AppProject that limits what it may do; default when empty."),
        ),
        ("source", source()),
        (
            "sources",
            describe(
                list(source()),
                "Several sources, put together; source is not looked at then.",
            ),
        ),
        ("destination", destination()),
        ("syncPolicy", sync_policy()),
        ("ignoreDifferences", list(ignore_differences())),
        ("revisionHistoryLimit", number()),
        ("info", list(object([("name", text()), ("value", text())]))),
        ("sourceHydrator", open()),
    ]);
    describe(spec, "What is wanted.")
}

fn destination() -> Value {
    let destination = object([
        ("server", describe(text(), "URL of the cluster; exclusive with name.")),
        ("name", describe(text(), "Name of the cluster; exclusive with server.")),
        ("namespace", describe(text(), "Namespace of objects that name none.")),
    ]);
    describe(destination, "Where it goes.")
}

fn source() -> Value {
    let source = object([
        ("repoURL", describe(text(), "Git, Helm or OCI repository.")),
        ("path", describe(text(), "Folder in the repository.")),
        (
            "targetRevision",
            describe(text(), "Branch, tag, commit or version constraint; HEAD when empty."),
        ),
        ("chart", describe(text(), "A chart's name in a Helm repository.")),
        (
            "ref",
            describe(text(), "Name by which other sources refer to this one's files."),
        ),
        ("name", text()),
        ("tagPrefix", text()),
        ("helm", helm()),
        ("directory", directory()),
        ("kustomize", open()),
        ("plugin", open()),
    ]);
    describe(source, "Where its manifests come from.")
}

fn helm() -> Value {
    object([
        ("releaseName", text()),
        (
            "valueFiles",
            describe(list(text()), "Relative to the path, or $ref/…; the last one wins."),
        ),
        ("values", describe(text(), "Values as YAML text.")),
        ("valuesObject", describe(open(), "Values; wins over values.")),
        (
            "parameters",
            list(object([("name", text()), ("value", text()), ("forceString", flag())])),
        ),
        ("fileParameters", list(object([("name", text()), ("path", text())]))),
        ("version", text()),
        ("passCredentials", flag()),
        ("ignoreMissingValueFiles", flag()),
        ("skipCrds", flag()),
        ("skipTests", flag()),
        ("skipSchemaValidation", flag()),
        ("namespace", text()),
        ("kubeVersion", text()),
        ("apiVersions", list(text())),
    ])
}

fn directory() -> Value {
    object([
        ("recurse", flag()),
        ("include", describe(text(), "Glob of files to take.")),
        ("exclude", describe(text(), "Glob of files to leave.")),
        ("jsonnet", open()),
    ])
}

fn sync_policy() -> Value {
    let automated = object([
        ("prune", describe(flag(), "Delete what is no longer in the source.")),
        ("selfHeal", describe(flag(), "Put drift right.")),
        ("allowEmpty", describe(flag(), "An empty source may delete everything.")),
        ("enabled", describe(flag(), "false pauses; on when absent.")),
    ]);
    object([
        ("automated", describe(automated, "Sync without being asked.")),
        ("syncOptions", list(text())),
        ("retry", retry()),
        (
            "managedNamespaceMetadata",
            object([("labels", texts()), ("annotations", texts())]),
        ),
    ])
}

fn retry() -> Value {
    let backoff = object([("duration", text()), ("factor", number()), ("maxDuration", text())]);
    let limit = describe(number(), "Attempts after the first; -1 for ever.");
    object([("limit", limit), ("backoff", backoff), ("refresh", flag())])
}

fn ignore_differences() -> Value {
    object([
        ("group", text()),
        ("kind", text()),
        ("name", text()),
        ("namespace", text()),
        ("jsonPointers", list(text())),
        ("jqPathExpressions", list(text())),
        ("managedFieldsManagers", list(text())),
    ])
}

fn operation() -> Value {
    let resource = object([
        ("group", text()),
        ("kind", text()),
        ("name", text()),
        ("namespace", text()),
    ]);
    let sync = object([
        ("revision", text()),
        ("revisions", list(text())),
        ("prune", flag()),
        ("dryRun", flag()),
        (
            "syncStrategy",
            object([
                ("apply", object([("force", flag())])),
                ("hook", object([("force", flag())])),
            ]),
        ),
        ("resources", list(resource)),
        ("source", source()),
        ("sources", list(source())),
        ("syncOptions", list(text())),
        ("autoHealAttemptsCount", number()),
        ("manifests", list(text())),
    ]);
    let operation = object([
        ("initiatedBy", object([("username", text()), ("automated", flag())])),
        ("info", list(object([("name", text()), ("value", text())]))),
        ("retry", retry()),
        ("sync", sync),
    ]);
    describe(
        operation,
        "A sync that somebody asks for; taken up and removed by the controller.",
    )
}

/// Written by the controller alone, which rebuilds what it cannot read: only what `kubectl` shows is typed.
fn status() -> Value {
    let health = object([("status", text()), ("message", text()), ("lastTransitionTime", time())]);
    let sync = object([("status", text()), ("revision", text()), ("revisions", list(text()))]);
    let condition = object([("type", text()), ("message", text()), ("lastTransitionTime", time())]);
    let mut status = object([
        ("sync", sync),
        ("health", health),
        ("conditions", list(condition)),
        ("resources", list(open())),
        ("history", list(open())),
        ("operationState", open()),
        ("summary", open()),
        ("reconciledAt", anything()),
    ]);
    status["description"] = json!("What was last found.");
    status
}
