//! Is a live object what is desired? And if not: which field, and who wrote it?
//!
//! **Problem.** A live object is never the one in Git: the server writes defaults, controllers write what is theirs, quantities come back
//! in another spelling. Comparing everything makes noise, and noise gets ignored. So only fields that Git owns are compared: what it
//! declares must be live ([`walk`]), and what it declared before must not be, unless it is the default ([`removed`]).
//!
//! **Invariants.**
//! - What the server made of what we applied compares equal to it.
//! - A field that Git never declared is no difference, whoever sets it; but what `kubectl apply` or Argo CD applied client-side is taken
//!   for declared, since it is handed over to us with the next write.
//! - Values of Secrets never leave this module.
//! - A pair that is equal copies nothing of either tree.
//!
//! **Deliberately absent.** The API: no dry-run is asked for. Schemas of custom resources: what kind of list a field is comes from the
//! object's own managedFields, and their defaults are not known.

mod defaults;
mod fields;
mod path;
mod quantity;
mod removed;
mod respect;
mod schema;
mod walk;

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use capstan_model::{Blob, Digest, ResourceKey, SyncOptions, Timestamp};
use serde::Serialize;
use serde_json::Value;

use fields::ManagedFields;
pub(crate) use respect::with_live_values;
use walk::Walk;

/// Compares every pair. Pure: the same task gives the same verdicts, in the order of the pairs.
pub fn compare(task: &CompareTask) -> Vec<PairVerdict> {
    task.pairs
        .iter()
        .map(|pair| PairVerdict {
            key: pair.key.clone(),
            desired: pair.desired.digest(),
            live: pair.live.digest(),
            verdict: verdict(pair),
        })
        .collect()
}

fn verdict(pair: &ComparePair) -> Verdict {
    let (desired, live) = match (pair.desired.value(), pair.live.value()) {
        (Ok(desired), Ok(live)) => (desired, live),
        (Err(error), _) | (_, Err(error)) => return Verdict::Failed(error.to_string()),
    };
    if !desired.is_object() || !live.is_object() {
        return Verdict::Failed(format!("{}: not an object", pair.key));
    }
    match differences(&pair.key, &desired, &live, &pair.rules) {
        differences if differences.is_empty() => Verdict::Equal,
        differences => Verdict::Different(differences),
    }
}

/// The fields in which `live` is not what `desired` says; empty when there are none.
pub fn differences(key: &ResourceKey, desired: &Value, live: &Value, rules: &IgnoreRules) -> Vec<FieldDifference> {
    let managed = ManagedFields::of(live);
    let plain = secret_data(key, desired);
    let by_apply = managed.ours("Apply").next().is_some();
    // Beside fields of ours by apply, the annotation still counts where client-side apply is to be handed over to us.
    let applied = if by_apply && !managed.is_client_side(rules.left) {
        None
    } else {
        removed::last_applied(live)
    };
    let mut walk = Walk::new(&key.group, &key.kind, managed, rules);
    let desired = plain.as_ref().unwrap_or(desired);
    walk.declared(desired, Some(live));
    if let Some(applied) = &applied {
        walk.applied_before(applied, Some(desired), live, None);
    }
    for owned in managed.ours("Apply") {
        walk.owned(owned, Some(desired), live);
    }
    // Who creates an object owns its defaults too, and those of a custom resource are not known.
    if applied.is_none() && !by_apply && schema::is_built_in(&key.group) {
        for owned in managed.ours("Update") {
            walk.owned(owned, Some(desired), live);
        }
    }
    let mut seen = BTreeSet::new();
    walk.differences
        .retain(|difference| seen.insert(difference.path.clone()));
    walk.differences
}

/// A Secret whose `stringData` was folded into `data`, as the server does it; `None` where there is nothing to fold.
fn secret_data(key: &ResourceKey, desired: &Value) -> Option<Value> {
    if !key.group.is_empty() || key.kind != "Secret" {
        return None;
    }
    let texts = desired.get("stringData")?.as_object()?;
    let mut folded = desired.clone();
    let object = folded.as_object_mut()?;
    object.remove("stringData");
    let data = object
        .entry("data")
        .or_insert_with(|| Value::Object(serde_json::Map::new()));
    if data.is_null() {
        *data = Value::Object(serde_json::Map::new());
    }
    for (name, text) in texts {
        let text = text.as_str().unwrap_or_default();
        data.as_object_mut()?
            .insert(name.clone(), BASE64_STANDARD.encode(text).into());
    }
    Some(folded)
}

/// Pairs to compare. Only pairs whose verdict is not known yet are in it.
#[derive(Clone, Debug, Default)]
pub struct CompareTask {
    /// The pairs.
    pub pairs: Vec<ComparePair>,
}

/// One desired object and the live one of the same key.
#[derive(Clone, Debug)]
pub struct ComparePair {
    /// Their key.
    pub key: ResourceKey,
    /// As it would be applied.
    pub desired: Blob,
    /// As the server has it, managedFields included.
    pub live: Blob,
    /// Fields that do not count.
    pub rules: IgnoreRules,
}

/// Fields that do not count in a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoreRules {
    /// As JSON pointers.
    pub json_pointers: Vec<String>,
    /// Fields that these managers own.
    pub managers: Vec<String>,
    /// What was applied client-side is left to whoever did it (`ClientSideApplyMigration=false`).
    pub left: bool,
}

impl IgnoreRules {
    /// The same, under an application's options.
    #[must_use]
    pub fn with_options(self, options: &SyncOptions) -> Self {
        let left = options.client_side_apply_migration == Some(false);
        Self { left, ..self }
    }

    /// Does no field of the object stand aside?
    pub fn is_empty(&self) -> bool {
        self.json_pointers.is_empty() && self.managers.is_empty()
    }

    /// Equal rules have equal digests.
    pub fn digest(&self) -> Digest {
        Digest::of_json(&serde_json::json!([self.json_pointers, self.managers, self.left]))
    }
}

/// The verdict on one pair.
#[derive(Clone, Debug, PartialEq)]
pub struct PairVerdict {
    /// Their key.
    pub key: ResourceKey,
    /// Of the desired object that was compared.
    pub desired: Digest,
    /// Of the live object that was compared.
    pub live: Digest,
    /// Equal, or not.
    pub verdict: Verdict,
}

/// Equal, or not.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Every declared field is live, and we own nothing that is not declared.
    Equal,
    /// These fields differ. Never empty.
    Different(Vec<FieldDifference>),
    /// Could not be compared, and why. Counts as neither.
    Failed(String),
}

/// One field that differs. Values of a Secret are masked: that they differ is told, never what they are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldDifference {
    /// Such as `spec.template.spec.containers[name="web"].image`.
    pub path: String,
    /// What Git says; `None` when the field is not declared any more.
    pub desired: Option<Value>,
    /// What is live; `None` when it is absent.
    pub live: Option<Value>,
    /// Who wrote the live field last, by `managedFields`.
    pub writer: Option<FieldWriter>,
}

impl fmt::Display for FieldDifference {
    /// On one line, as people read it: `spec.replicas: Git 3 live 9   (written by kubectl)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: &Option<Value>| {
            let text = value.as_ref().map(ToString::to_string);
            text.unwrap_or_else(|| "nothing".to_owned())
                .replace(char::is_control, " ")
        };
        write!(
            f,
            "{}: Git {} live {}",
            self.path,
            show(&self.desired),
            show(&self.live)
        )?;
        match &self.writer {
            Some(writer) => write!(f, "   (written by {})", writer.manager),
            None => Ok(()),
        }
    }
}

/// A field manager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldWriter {
    /// Its name, such as `kubectl-edit`.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// Such as `scale`; empty for the object itself.
    pub subresource: String,
    /// When.
    pub time: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment() -> ResourceKey {
        ResourceKey::new("apps", "Deployment", "prod", "web")
    }

    fn desired() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "prod"}, "spec": {
            "replicas": 3, "template": {"spec": {"containers": [{"name": "web", "image": "web:2", "resources": {"limits": {"cpu": "1000m"}}}]}}}})
    }

    fn live() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "prod", "uid": "u", "managedFields": [
                {"manager": "capstan", "operation": "Apply", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:minReadySeconds": {},
                    "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:resources": {"f:limits": {"f:cpu": {}}}}}}}}}},
                {"manager": "kubectl-set", "operation": "Update", "time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:spec": {
                    "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {"f:image": {}}}}}}}}]},
            "spec": {"replicas": 3, "progressDeadlineSeconds": 600, "template": {"spec": {"restartPolicy": "Always", "containers": [
                {"name": "proxy", "image": "proxy:1"},
                {"name": "web", "image": "web:1", "resources": {"limits": {"cpu": "1"}}, "imagePullPolicy": "IfNotPresent"}]}}},
            "status": {"replicas": 3}})
    }

    fn found(desired: &Value, live: &Value, rules: &IgnoreRules) -> Vec<String> {
        let found = differences(&deployment(), desired, live, rules);
        found.into_iter().map(|difference| difference.path).collect()
    }

    #[test]
    fn a_difference_names_the_field_and_who_wrote_it() {
        let found = differences(&deployment(), &desired(), &live(), &IgnoreRules::default());
        let [difference] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(difference.path, r#"spec.template.spec.containers[name="web"].image"#);
        assert_eq!(difference.desired, Some(json!("web:2")));
        assert_eq!(difference.live, Some(json!("web:1")));
        let writer = difference.writer.as_ref().expect("the field has a writer");
        assert_eq!(
            (writer.manager.as_str(), writer.operation.as_str()),
            ("kubectl-set", "Update")
        );
    }

    #[test]
    fn a_field_that_is_ours_and_no_longer_declared_is_a_difference_unless_default() {
        let mut live = live();
        live["spec"]["minReadySeconds"] = json!(30);
        let difference = &differences(&deployment(), &desired(), &live, &IgnoreRules::default())[1];
        assert_eq!(
            (difference.path.as_str(), &difference.desired),
            ("spec.minReadySeconds", &None)
        );
        live["spec"]["minReadySeconds"] = json!(0);
        assert_eq!(found(&desired(), &live, &IgnoreRules::default()).len(), 1);
    }

    #[test]
    fn a_selector_of_namespaces_that_git_drops_is_a_difference() {
        let key = ResourceKey::new("networking.k8s.io", "NetworkPolicy", "prod", "p");
        let policy = |peer: Value| json!({"spec": {"ingress": [{"from": [peer]}]}});
        let narrow = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "infra"}}});
        let desired = policy(json!({"namespaceSelector": {}}));
        let found = differences(&key, &desired, &policy(narrow.clone()), &IgnoreRules::default());
        assert_eq!(found.len(), 1, "open to all is not what is live: {found:?}");
        assert_eq!(
            differences(&key, &policy(narrow.clone()), &policy(narrow), &IgnoreRules::default()),
            []
        );
    }

    #[test]
    fn what_argo_cd_declared_counts_until_it_is_handed_over() {
        let applied =
            json!({"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 3, "minReadySeconds": 30}});
        let mut live = live();
        live["spec"]["minReadySeconds"] = json!(30);
        live["metadata"]["annotations"] =
            json!({"kubectl.kubernetes.io/last-applied-configuration": applied.to_string()});
        live["metadata"]["managedFields"] = json!([{"manager": "argocd-controller", "operation": "Update", "fieldsV1": {"f:spec": {"f:minReadySeconds": {}}}}]);
        let ours = found(&desired(), &live, &IgnoreRules::default());
        assert!(ours.contains(&"spec.minReadySeconds".to_owned()), "{ours:?}");
    }

    #[test]
    fn what_kubectl_applied_counts_until_it_is_handed_over_unless_it_is_left() {
        let applied = json!({"kind": "Deployment", "metadata": {"name": "web", "labels": {"team": "a"}}});
        let mut live = live();
        live["metadata"]["labels"] = json!({"team": "a"});
        live["metadata"]["annotations"] =
            json!({"kubectl.kubernetes.io/last-applied-configuration": applied.to_string()});
        let label = "metadata.labels".to_owned();
        assert!(!found(&desired(), &live, &IgnoreRules::default()).contains(&label));
        if let Some(entries) = live["metadata"]["managedFields"].as_array_mut() {
            entries.push(json!({"manager": "kubectl-client-side-apply", "operation": "Update",
                "fieldsV1": {"f:metadata": {"f:labels": {"f:team": {}}}}}));
        }
        assert!(found(&desired(), &live, &IgnoreRules::default()).contains(&label));
        let left = IgnoreRules::default().with_options(&SyncOptions::parse(["ClientSideApplyMigration=false"]));
        assert!(!found(&desired(), &live, &left).contains(&label));
    }

    #[test]
    fn rules_take_fields_out_by_place_and_by_manager() {
        let by_place = |pointer: &str| IgnoreRules {
            json_pointers: vec![pointer.to_owned()],
            ..IgnoreRules::default()
        };
        // By the position in the live list, and by that in the desired one.
        for pointer in [
            "/spec/template/spec/containers/1/image",
            "/spec/template/spec/containers/0",
        ] {
            assert_eq!(found(&desired(), &live(), &by_place(pointer)), Vec::<String>::new());
        }
        assert_eq!(found(&desired(), &live(), &by_place("/spec/replicas")).len(), 1);
        let by_manager = IgnoreRules {
            managers: vec!["kubectl-set".to_owned()],
            ..IgnoreRules::default()
        };
        assert_eq!(found(&desired(), &live(), &by_manager), Vec::<String>::new());
    }

    #[test]
    fn values_of_secrets_are_never_told() {
        let key = ResourceKey::new("", "Secret", "prod", "s");
        let desired = json!({"kind": "Secret", "stringData": {"a": "hunter2", "same": "x"}, "data": {"b": "bmV3"}});
        let live = json!({"kind": "Secret", "data": {"a": "b2xk", "same": "eA==", "b": "b2xkZXI="}});
        let found = differences(&key, &desired, &live, &IgnoreRules::default());
        let paths: Vec<&str> = found.iter().map(|difference| difference.path.as_str()).collect();
        assert_eq!(paths, ["data.a", "data.b"]);
        let text = format!("{found:?}");
        for secret in ["hunter2", "aHVudGVyMg", "b2xk", "bmV3"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(found.iter().all(|difference| difference.desired != difference.live));
    }

    #[test]
    fn an_object_that_is_no_object_fails_and_does_not_panic() {
        let pair = |desired: Value, live: Value| ComparePair {
            key: deployment(),
            desired: Blob::new(&desired),
            live: Blob::new(&live),
            rules: IgnoreRules::default(),
        };
        let task = CompareTask {
            pairs: vec![
                pair(json!([]), json!({})),
                pair(json!({"spec": {"replicas": [1]}}), json!({"spec": "x"})),
            ],
        };
        let verdicts = compare(&task);
        assert!(matches!(verdicts[0].verdict, Verdict::Failed(_)));
        assert!(matches!(verdicts[1].verdict, Verdict::Different(_)));
    }
}
