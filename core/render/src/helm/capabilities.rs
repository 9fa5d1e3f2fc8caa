//! `.Capabilities`: what a chart may ask about the cluster.

use std::rc::Rc;

use capstan_template::{Object, Record, Type, Value};

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

/// The Helm whose behaviour is followed, as it is built from its module: a release also names its commit.
const HELM_VERSION: &str = "v4.2.3";
/// The Go it is built with.
const GO_VERSION: &str = "go1.26.8";
/// The Kubernetes whose client it has.
const CLIENT_VERSION: &str = "v1.36";

/// A version of Kubernetes, as Helm reads `--kube-version`: two or more numbers, and anything after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KubeVersion {
    /// As given, with its `v`: `v1.33.4-gke.1245000`.
    pub(crate) version: String,
    /// Only the numbers, with a `v`: what constraints are checked against.
    pub(crate) normalized: String,
    major: String,
    minor: String,
    /// In a variable of type `interface {}`: without the methods of its pointer.
    is_boxed: bool,
}

impl KubeVersion {
    /// Reads a version; an empty one is [`DEFAULT_KUBE_VERSION`].
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = if text.is_empty() { DEFAULT_KUBE_VERSION } else { text };
        let invalid = |why: String| format!("invalid kube version '{text}': {why}");
        let start = text.trim_start();
        let start = start.strip_prefix('v').unwrap_or(start);
        let mut numbers = Vec::new();
        let mut rest = start;
        loop {
            let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            if length == 0 {
                break;
            }
            numbers.push(&rest[..length]);
            match rest[length..].strip_prefix('.') {
                Some(after) => rest = after,
                None => break,
            }
        }
        let [major, minor, ..] = numbers.as_slice() else {
            return Err(invalid(format!("could not parse {text:?} as version")));
        };
        if major.starts_with('0') && *major != "0" {
            return Err(invalid(format!("illegal zero-prefixed version component {major:?}")));
        }
        let parsed: Result<Vec<u64>, _> = numbers.iter().map(|number| number.parse::<u64>()).collect();
        let parsed = parsed.map_err(|_| invalid("a number is too large".into()))?;
        let joined: Vec<String> = parsed.iter().map(u64::to_string).collect();
        Ok(Self {
            version: if text.starts_with('v') {
                text.to_owned()
            } else {
                format!("v{text}")
            },
            normalized: format!("v{}", joined.join(".")),
            major: parsed[0].to_string(),
            minor: minor.trim_start_matches('0').parse::<u64>().unwrap_or(0).to_string(),
            is_boxed: false,
        })
    }

    fn in_interface(&self, normalized: String) -> Option<Value> {
        let copy = Self {
            normalized,
            is_boxed: true,
            ..self.clone()
        };
        Some(Value::Object(Rc::new(copy)))
    }
}

/// `.Capabilities.KubeVersion`: a struct, whose methods belong to its pointer, so that a copy of it has none.
impl Object for KubeVersion {
    fn type_name(&self) -> String {
        "common.KubeVersion".to_owned()
    }

    fn kind(&self) -> &'static str {
        "struct"
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Version" => Some(Value::from(self.version.as_str())),
            "Major" => Some(Value::from(self.major.as_str())),
            "Minor" => Some(Value::from(self.minor.as_str())),
            _ => None,
        }
    }

    fn method(&self, name: &str) -> Option<&[Type]> {
        (!self.is_boxed && matches!(name, "GitVersion" | "String")).then_some(&[])
    }

    fn call(&self, name: &str, _arguments: &[Value]) -> Result<Value, String> {
        let text = if name == "String" {
            &self.normalized
        } else {
            &self.version
        };
        Ok(Value::from(text.as_str()))
    }

    fn fields(&self) -> Option<Vec<(&'static str, Value)>> {
        let fields = [
            ("Version", &self.version),
            ("normalizedVersion", &self.normalized),
            ("Major", &self.major),
            ("Minor", &self.minor),
        ];
        Some(fields.map(|(name, text)| (name, Value::from(text.as_str()))).into())
    }

    fn boxed(&self) -> Option<Value> {
        if self.is_boxed {
            return None;
        }
        self.in_interface(self.normalized.clone())
    }

    fn deep_copied(&self) -> Option<Value> {
        self.in_interface(String::new())
    }

    fn print(&self) -> String {
        self.normalized.clone()
    }

    fn document(&self) -> Value {
        Value::map(["Version", "Major", "Minor"].map(|name| (name, self.field(name).unwrap_or(Value::Nil))))
    }
}

/// `.Capabilities`.
pub(super) fn capabilities(kube: &KubeVersion, extra: &[String]) -> Value {
    let copied = (kube.clone(), extra.to_vec());
    let kube = Value::Object(Rc::new(kube.clone()));
    let defaults = DEFAULT_API_VERSIONS.split_ascii_whitespace().map(str::to_owned);
    let versions: Vec<String> = defaults.chain(extra.iter().cloned()).collect();
    let items = Value::strings(versions.iter().map(String::as_str));
    let has = move |arguments: &[Value]| {
        let found = |text: &str| versions.iter().any(|version| version == text);
        let found = matches!(arguments.first(), Some(Value::Str(text)) if found(&text.lossy()));
        Ok(Value::Bool(found))
    };
    let api_versions = Record::new("common.VersionSet")
        .items(items)
        .method("Has", &[Type::Str], has)
        .build();
    let helm = Record::new("version.BuildInfo")
        .field("Version", Value::from(HELM_VERSION))
        .field("GitCommit", Value::from(""))
        .field("GitTreeState", Value::from(""))
        .field("GoVersion", Value::from(GO_VERSION))
        .field("KubeClientVersion", Value::from(CLIENT_VERSION))
        .json([
            ("version", Value::from(HELM_VERSION)),
            ("go_version", Value::from(GO_VERSION)),
            ("kube_client_version", Value::from(CLIENT_VERSION)),
        ])
        .build();
    Record::new("*common.Capabilities")
        .field("KubeVersion", kube)
        .field("APIVersions", api_versions)
        .field("HelmVersion", helm)
        .method("Copy", &[], move |_| Ok(capabilities(&copied.0, &copied.1)))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_helm_reads_them() {
        for (text, version, normalized, minor) in [
            ("1.27", "v1.27", "v1.27", "27"),
            ("v1.21.14-eks-ba74326", "v1.21.14-eks-ba74326", "v1.21.14", "21"),
            ("1.2.3.4.5", "v1.2.3.4.5", "v1.2.3.4.5", "2"),
            ("1.30.0+k3s1", "v1.30.0+k3s1", "v1.30.0", "30"),
            ("", "v1.36.0", "v1.36.0", "36"),
        ] {
            let parsed = KubeVersion::parse(text).unwrap();
            let found = (
                parsed.version.as_str(),
                parsed.normalized.as_str(),
                parsed.minor.as_str(),
            );
            assert_eq!(found, (version, normalized, minor));
        }
        for text in ["abc", "1", "v1.", "01.2", "1.99999999999999999999"] {
            assert!(KubeVersion::parse(text).is_err(), "{text}");
        }
    }
}
