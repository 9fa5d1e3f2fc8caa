//! What templates see: `.Chart`, `.Release`, `.Capabilities`, `.Files`, `.Values`.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use base64::Engine;
use capstan_template::{Element, Map, Object, Record, Type, Value};
use serde_json::Value as Json;

use super::Prepared;
use super::chart::Chart;
use crate::Glob;

/// The Kubernetes version that Helm 4.2 assumes without a cluster.
pub const DEFAULT_KUBE_VERSION: &str = "v1.36.0";

/// The API versions that Helm 4.2 assumes without a cluster.
pub const DEFAULT_API_VERSIONS: &str = "v1 admissionregistration.k8s.io/v1 admissionregistration.k8s.io/v1alpha1 \
    admissionregistration.k8s.io/v1beta1 internal.apiserver.k8s.io/v1alpha1 apps/v1 apps/v1beta1 apps/v1beta2 authentication.k8s.io/v1 \
    authentication.k8s.io/v1alpha1 authentication.k8s.io/v1beta1 authorization.k8s.io/v1 authorization.k8s.io/v1beta1 autoscaling/v1 \
    autoscaling/v2 batch/v1 batch/v1beta1 certificates.k8s.io/v1 certificates.k8s.io/v1beta1 certificates.k8s.io/v1alpha1 \
    coordination.k8s.io/v1alpha2 coordination.k8s.io/v1beta1 coordination.k8s.io/v1 discovery.k8s.io/v1 discovery.k8s.io/v1beta1 \
    events.k8s.io/v1 events.k8s.io/v1beta1 extensions/v1beta1 flowcontrol.apiserver.k8s.io/v1 flowcontrol.apiserver.k8s.io/v1beta1 \
    flowcontrol.apiserver.k8s.io/v1beta2 flowcontrol.apiserver.k8s.io/v1beta3 networking.k8s.io/v1 networking.k8s.io/v1beta1 \
    node.k8s.io/v1 node.k8s.io/v1alpha1 node.k8s.io/v1beta1 policy/v1 policy/v1beta1 rbac.authorization.k8s.io/v1 \
    rbac.authorization.k8s.io/v1beta1 rbac.authorization.k8s.io/v1alpha1 resource.k8s.io/v1 resource.k8s.io/v1beta2 \
    resource.k8s.io/v1beta1 resource.k8s.io/v1alpha3 scheduling.k8s.io/v1alpha2 scheduling.k8s.io/v1beta1 scheduling.k8s.io/v1 \
    storage.k8s.io/v1beta1 storage.k8s.io/v1 storage.k8s.io/v1alpha1 storagemigration.k8s.io/v1beta1 apiextensions.k8s.io/v1beta1 \
    apiextensions.k8s.io/v1";

/// The Helm whose behaviour is followed.
const HELM_VERSION: &str = "v4.2.3";

/// Values as templates see them: floats of YAML, integers of `--set`.
pub(super) fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(integer) if !number.is_f64() => Value::Int64(integer),
            _ => Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::list(items.iter().map(value).collect()),
        Json::Object(fields) => Value::map(fields.iter().map(|(name, field)| (name.clone(), value(field)))),
    }
}

/// `.Release`.
pub(super) fn release(prepared: &Prepared<'_>) -> Value {
    Value::map([
        ("Name", Value::from(prepared.release.as_str())),
        ("Namespace", Value::from(prepared.namespace.as_str())),
        ("Service", Value::from("Helm")),
        ("Revision", Value::Int(1)),
        ("IsInstall", Value::Bool(true)),
        ("IsUpgrade", Value::Bool(false)),
    ])
}

/// `.Chart`: the fields have Go's names.
pub(super) fn chart(chart: &Chart, is_root: bool) -> Value {
    let annotations = chart.metadata.annotations.iter();
    let annotations: BTreeMap<String, Value> = annotations
        .map(|(name, text)| (name.clone(), Value::from(text.as_str())))
        .collect();
    let fields = chart.metadata.fields().into_iter();
    let own = [
        ("IsRoot".to_owned(), Value::Bool(is_root)),
        (
            "Annotations".to_owned(),
            Value::Map(Map::typed(Element::Str, annotations)),
        ),
    ];
    Value::map(fields.map(|(name, field)| (name, value(&field))).chain(own))
}

/// `.Capabilities`.
pub(super) fn capabilities(prepared: &Prepared<'_>) -> Value {
    let version = prepared.kube_version.clone();
    let mut parts = version.trim_start_matches('v').split('.');
    let (major, minor) = (
        parts.next().unwrap_or("1").to_owned(),
        parts.next().unwrap_or("0").to_owned(),
    );
    let git_version = Value::from(version.as_str());
    let kube = Record::new("*common.KubeVersion", version.as_str())
        .field("Version", git_version.clone())
        .field("Major", Value::from(major.as_str()))
        .field("Minor", Value::from(minor.as_str()))
        .method("GitVersion", &[], move |_| Ok(git_version.clone()))
        .build();
    let defaults = DEFAULT_API_VERSIONS.split_ascii_whitespace().map(str::to_owned);
    let versions: std::collections::BTreeSet<String> = defaults.chain(prepared.api_versions.iter().cloned()).collect();
    let printed = format!("[{}]", versions.iter().cloned().collect::<Vec<_>>().join(" "));
    let has = move |arguments: &[Value]| {
        let found = matches!(arguments.first(), Some(Value::Str(text)) if versions.contains(text.lossy().as_ref()));
        Ok(Value::Bool(found))
    };
    let api_versions = Record::new("common.VersionSet", printed)
        .method("Has", &[Type::Str], has)
        .build();
    let helm = Record::new("common.BuildInfo", "")
        .field("Version", Value::from(HELM_VERSION))
        .build();
    Record::new("*common.Capabilities", "")
        .field("KubeVersion", kube)
        .field("APIVersions", api_versions)
        .field("HelmVersion", helm)
        .build()
}

/// `.Files`.
pub(super) struct Files(BTreeMap<String, Arc<[u8]>>);

impl Files {
    pub(super) fn of(chart: &Chart) -> Value {
        Value::Object(Rc::new(Self(chart.files.clone())))
    }

    fn text(&self, name: &str) -> String {
        self.0
            .get(name)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .unwrap_or_default()
    }

    /// A pattern that cannot be compiled matches everything, as in Helm.
    fn glob(&self, pattern: &str) -> Self {
        let glob = Glob::gobwas(pattern, Some('/')).ok();
        let matches = |name: &str| glob.as_ref().is_none_or(|glob| glob.matches(name));
        Self(
            self.0
                .iter()
                .filter(|(name, _)| matches(name))
                .map(|(name, bytes)| (name.clone(), bytes.clone()))
                .collect(),
        )
    }

    fn yaml(&self, show: impl Fn(&[u8]) -> String) -> Value {
        if self.0.is_empty() {
            return Value::from("");
        }
        let base = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
        let entries = self
            .0
            .iter()
            .map(|(name, bytes)| (base(name), Json::String(show(bytes))));
        let text = capstan_yaml::to_go_yaml(&Json::Object(entries.collect()));
        Value::from(text.strip_suffix('\n').unwrap_or(&text))
    }
}

impl Object for Files {
    fn type_name(&self) -> String {
        "engine.files".to_owned()
    }

    fn method(&self, name: &str) -> Option<&[Type]> {
        match name {
            "Get" | "GetBytes" | "Glob" | "Lines" => Some(&[Type::Str]),
            "AsConfig" | "AsSecrets" => Some(&[]),
            _ => None,
        }
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        let first = match arguments.first() {
            Some(Value::Str(text)) => text.lossy().into_owned(),
            _ => String::new(),
        };
        Ok(match name {
            "Get" => Value::from(self.text(&first).as_str()),
            "GetBytes" => Value::Bytes(self.0.get(&first).cloned().unwrap_or_else(|| Arc::from(&[][..]))),
            "Glob" => Value::Object(Rc::new(self.glob(&first))),
            "Lines" => match self.0.contains_key(&first) {
                true => {
                    let text = self.text(&first);
                    Value::strings(text.strip_suffix('\n').unwrap_or(&text).split('\n'))
                }
                false => Value::strings::<&str>([]),
            },
            "AsConfig" => self.yaml(|bytes| String::from_utf8_lossy(bytes).into_owned()),
            _ => self.yaml(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes)),
        })
    }

    fn underlying(&self) -> Option<Map> {
        let entries = self
            .0
            .iter()
            .map(|(name, bytes)| (name.clone(), Value::Bytes(bytes.clone())))
            .collect();
        Some(Map::typed(Element::Bytes, entries))
    }

    fn print(&self) -> String {
        String::new()
    }
}
