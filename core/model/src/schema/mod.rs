//! Types of the built-in kinds: which fields they have, of which Go type, and how lists and maps merge.
//!
//! The problem: comparing, merging and owning parts of objects needs to know that `containers` is keyed by `name`, that a selector is
//! one value, that `replicas` is a number that may be absent. The facts are in `table.txt`, written from a real API server by
//! `tests/oracles/kubernetes/schema`; custom kinds bring theirs as OpenAPI ([`Node::Structural`]); what nobody describes is deduced
//! from the value ([`Node::Deduced`]).
//!
//! Table format, a line each: `K <apiVersion> <Kind> <type>`; `T <type> [a]` (`a`: merged as one value) followed by its fields,
//! ` <name> <shape> <flags>`. Shapes: `*` pointer, `[]` list, `{}` map, a scalar, or the name of a type; named scalars are
//! `kind/GoName`. Flags: `!` printed when empty, `r` required, `m:<keys>` list keyed by these, `s` set, `a` one value, `k:<key>`
//! strategic merge key, `p:<strategies>` strategic merge strategies, `d:<JSON>` default.
//!
//! Deliberately absent: descriptions, validation, defaults that depend on other fields.

mod node;
mod table;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

pub use node::{ListRelation, Node, Relation};

/// The built-in types of Kubernetes 1.36.
static TABLE: LazyLock<Table> = LazyLock::new(|| table::parse(include_str!("table.txt")));

/// All types by name and by kind.
#[derive(Debug, Default)]
struct Table {
    types: BTreeMap<&'static str, Type>,
    kinds: BTreeMap<(&'static str, &'static str), &'static str>,
}

/// A struct type.
#[derive(Debug)]
pub struct Type {
    /// Last three parts of its full name, e.g. `apps.v1.DeploymentSpec`.
    pub name: &'static str,
    /// Merged and owned as one value.
    pub atomic: bool,
    /// Its fields in order of declaration.
    pub fields: Vec<Field>,
}

/// A field of a struct.
#[derive(Debug)]
pub struct Field {
    /// JSON name.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// A pointer: a zero value is not the same as absent.
    pub pointer: bool,
    /// Printed even when empty: has no `omitempty`, or is a struct.
    pub printed: bool,
    /// Required by the schema.
    pub required: bool,
    /// How its list or map merges.
    pub relation: Relation,
    /// Key of the strategic merge patch, if lists are merged.
    pub merge_key: Option<&'static str>,
    /// Strategic merge: lists are merged (`merge`).
    pub merges: bool,
    /// Strategic merge: keys that the patch does not name go (`retainKeys`).
    pub retains_keys: bool,
    /// Strategic merge: the value is replaced (`replace`).
    pub replaces: bool,
    /// Default declared in the schema.
    pub default: Option<Value>,
}

/// What a value looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A struct, by type name.
    Struct(&'static str),
    /// A list.
    List(Box<Self>),
    /// A map from strings.
    Map(Box<Self>),
    /// A single value.
    Scalar(Scalar),
    /// Any JSON.
    Any,
}

/// Single values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A string, with its Go type's name when it has one, e.g. `v1.Protocol`.
    String(&'static str),
    /// `bool`.
    Bool,
    /// A 32-bit integer, with its Go type's name.
    Int32(&'static str),
    /// A 64-bit integer, with its Go type's name.
    Int64(&'static str),
    /// A float.
    Float64,
    /// Base64 text.
    Bytes,
    /// RFC 3339, whole seconds.
    Time,
    /// RFC 3339, microseconds.
    MicroTime,
    /// A Go duration.
    Duration,
    /// A quantity, e.g. `500m`.
    Quantity,
    /// A number or a string.
    IntOrString,
}

impl Type {
    /// The field of that JSON name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// The type's name without its package, e.g. `DeploymentSpec`.
    pub fn short(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }
}

impl Shape {
    /// The Go type as error messages name it: `int32`, `v1.PodSpec`, `[]string`, `map[string]string`.
    pub fn go_type(&self) -> String {
        match self {
            Self::Struct(name) => name.split_once('.').map_or(*name, |(_, rest)| rest).to_owned(),
            Self::List(item) => format!("[]{}", item.go_type()),
            Self::Map(item) => format!("map[string]{}", item.go_type()),
            Self::Any => "interface {}".to_owned(),
            Self::Scalar(scalar) => scalar.go_type().to_owned(),
        }
    }
}

impl Scalar {
    fn go_type(self) -> &'static str {
        match self {
            Self::String(name) | Self::Int32(name) | Self::Int64(name) => name,
            Self::Bool => "bool",
            Self::Float64 => "float64",
            Self::Bytes => "[]uint8",
            Self::Time => "v1.Time",
            Self::MicroTime => "v1.MicroTime",
            Self::Duration => "v1.Duration",
            Self::Quantity => "resource.Quantity",
            Self::IntOrString => "intstr.IntOrString",
        }
    }
}

/// The struct type of that name, e.g. `core.v1.PodSpec`.
pub fn type_named(name: &str) -> Option<&'static Type> {
    TABLE.types.get(name)
}

/// The type of a built-in kind.
pub fn kind(api_version: &str, kind: &str) -> Option<&'static Type> {
    let kinds: &BTreeMap<(&str, &str), &'static str> = &TABLE.kinds;
    let name = kinds.get(&(api_version, kind))?;
    TABLE.types.get(name)
}

/// Every built-in kind as `(apiVersion, kind)`, ordered.
pub fn kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.kinds.keys().copied()
}

/// Keys of the list at `path` in a built-in kind, e.g. `["spec", "ports"]` of a Service: `["port", "protocol"]`. List items on the way
/// are passed over, so `["spec", "containers", "ports"]` names the ports of a container. `None` when the kind or the path is not known or
/// the list is not keyed.
pub fn list_map_keys(api_version: &str, kind_name: &str, path: &[&str]) -> Option<Vec<&'static str>> {
    let mut node = Node::of_kind(api_version, kind_name)?;
    for step in path {
        while matches!(node.shape(), Some(Shape::List(_))) {
            node = node.item();
        }
        node = node.field(step)?;
    }
    match node {
        Node::Typed {
            relation: Relation::Keyed(keys),
            ..
        } => Some(keys.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_named_in_the_table_is_in_it() {
        fn check(shape: &Shape) {
            match shape {
                Shape::Struct(name) => assert!(type_named(name).is_some(), "{name}"),
                Shape::List(item) | Shape::Map(item) => check(item),
                Shape::Scalar(_) | Shape::Any => {}
            }
        }
        assert!(TABLE.types.len() > 300 && TABLE.kinds.len() > 60);
        TABLE
            .kinds
            .values()
            .for_each(|name| assert!(type_named(name).is_some(), "{name}"));
        TABLE
            .types
            .values()
            .flat_map(|t| &t.fields)
            .for_each(|f| check(&f.shape));
    }

    #[test]
    fn list_keys_are_found_by_path() {
        let keys = |version, kind, path: &[&str]| list_map_keys(version, kind, path);
        assert_eq!(
            keys("v1", "Service", &["spec", "ports"]),
            Some(vec!["port", "protocol"])
        );
        let ports = ["spec", "template", "spec", "containers", "ports"];
        assert_eq!(
            keys("apps/v1", "Deployment", &ports),
            Some(vec!["containerPort", "protocol"])
        );
        assert_eq!(keys("apps/v1", "Deployment", &["spec", "replicas"]), None);
        assert_eq!(keys("v1", "Nothing", &["spec"]), None);
        assert_eq!(keys("v1", "Pod", &["metadata", "ownerReferences"]), Some(vec!["uid"]));
    }

    #[test]
    fn fields_know_their_go_types() {
        let container = type_named("core.v1.Container").unwrap();
        assert_eq!(container.short(), "Container");
        assert_eq!(
            container.field("imagePullPolicy").unwrap().shape.go_type(),
            "v1.PullPolicy"
        );
        assert_eq!(container.field("env").unwrap().shape.go_type(), "[]v1.EnvVar");
        let spec = type_named("apps.v1.DeploymentSpec").unwrap();
        assert!(spec.field("replicas").unwrap().pointer && !spec.field("paused").unwrap().pointer);
        let port = type_named("core.v1.ContainerPort").unwrap();
        assert_eq!(port.field("protocol").unwrap().default, Some(Value::from("TCP")));
    }
}
