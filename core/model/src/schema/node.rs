//! A place in an object together with what is known of it.

use serde_json::Value;

use super::{Field, Shape, Type, type_named};

/// How the parts of a list or map merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Each key of a map or struct by itself.
    Granular,
    /// As one value.
    Atomic,
    /// A list whose items are its values.
    Set,
    /// A list whose items are named by the values of these fields.
    Keyed(Vec<&'static str>),
}

/// What is known of a place: from the built-in table, from a custom kind's structural schema, or nothing.
#[derive(Clone, Copy, Debug)]
pub enum Node<'s> {
    /// A struct type of the table.
    Struct(&'static Type),
    /// A field or item of the table.
    Typed {
        /// What it holds.
        shape: &'static Shape,
        /// How it merges.
        relation: &'static Relation,
        /// The field it is, for defaults.
        field: Option<&'static Field>,
    },
    /// A structural schema of a custom kind.
    Structural(&'s Value),
    /// The root of a custom object: like a structural schema, with `metadata` of its own.
    Root(&'s Value),
    /// Nothing is known: maps are granular, lists are one value.
    Deduced,
    /// A single value of no further interest.
    Leaf,
}

static GRANULAR: Relation = Relation::Granular;
static ATOMIC: Relation = Relation::Atomic;

impl<'s> Node<'s> {
    /// The root of a built-in kind.
    pub fn of_kind(api_version: &str, kind: &str) -> Option<Self> {
        super::kind(api_version, kind).map(Self::Struct)
    }

    /// The root of a custom object with this structural schema.
    pub fn custom(schema: &'s Value) -> Self {
        Self::Root(schema)
    }

    /// The table's shape, where there is one.
    pub fn shape(&self) -> Option<&'static Shape> {
        match self {
            Self::Typed { shape, .. } => Some(shape),
            _ => None,
        }
    }

    /// The struct type here, directly or through a field.
    pub fn structure(&self) -> Option<&'static Type> {
        match self {
            Self::Struct(t) => Some(t),
            Self::Typed {
                shape: Shape::Struct(name),
                ..
            } => type_named(name),
            _ => None,
        }
    }

    /// The declared field of that name; `None` when the type declares no such field (a key of a map is no declared field).
    pub fn field(&self, name: &str) -> Option<Self> {
        match self {
            Self::Struct(_) | Self::Typed { .. } => self.structure()?.field(name).map(|field| Self::Typed {
                shape: &field.shape,
                relation: &field.relation,
                field: Some(field),
            }),
            Self::Root(schema) => match name {
                "metadata" => type_named("meta.v1.ObjectMeta").map(Self::Struct),
                "apiVersion" | "kind" => Some(Self::Leaf),
                _ => property(schema, name),
            },
            Self::Structural(schema) => {
                if schema["x-kubernetes-embedded-resource"] == true {
                    match name {
                        "metadata" => return type_named("meta.v1.ObjectMeta").map(Self::Struct),
                        "apiVersion" | "kind" => return Some(Self::Leaf),
                        _ => {}
                    }
                }
                property(schema, name)
            }
            Self::Deduced | Self::Leaf => None,
        }
    }

    /// What a key of this place holds when it is no declared field: the value of a map, or something nobody describes. `None` when no
    /// such key may be.
    pub fn element(&self) -> Option<Self> {
        match self {
            Self::Typed {
                shape: Shape::Map(item),
                ..
            } => Some(plain(item)),
            Self::Typed { shape: Shape::Any, .. } | Self::Deduced | Self::Leaf => Some(Self::Deduced),
            Self::Struct(_) | Self::Typed { .. } => None,
            Self::Root(schema) | Self::Structural(schema) => {
                if schema["additionalProperties"].is_object() {
                    return Some(Self::Structural(&schema["additionalProperties"]));
                }
                let open =
                    schema["x-kubernetes-preserve-unknown-fields"] == true || schema["additionalProperties"] == true;
                open.then_some(Self::Deduced)
            }
        }
    }

    /// What an item of the list here is.
    pub fn item(&self) -> Self {
        match self {
            Self::Typed {
                shape: Shape::List(item),
                ..
            } => plain(item),
            Self::Structural(schema) | Self::Root(schema) if schema["items"].is_object() => {
                Self::Structural(&schema["items"])
            }
            _ => Self::Deduced,
        }
    }

    /// How the map here merges.
    pub fn map_is_atomic(&self) -> bool {
        match self {
            Self::Struct(t) => t.atomic,
            Self::Typed { relation, .. } => {
                **relation == Relation::Atomic || self.structure().is_some_and(|t| t.atomic)
            }
            Self::Structural(schema) | Self::Root(schema) => schema["x-kubernetes-map-type"] == "atomic",
            Self::Deduced | Self::Leaf => false,
        }
    }

    /// How the list here merges.
    pub fn list(&self) -> ListRelation<'s> {
        match self {
            Self::Typed { relation, .. } => match relation {
                Relation::Keyed(keys) => ListRelation::Keyed(keys.clone()),
                Relation::Set => ListRelation::Set,
                Relation::Granular | Relation::Atomic => ListRelation::Atomic,
            },
            Self::Structural(schema) => match schema["x-kubernetes-list-type"].as_str() {
                Some("set") => ListRelation::Set,
                Some("map") => {
                    let keys = schema["x-kubernetes-list-map-keys"].as_array();
                    ListRelation::Keyed(keys.into_iter().flatten().filter_map(Value::as_str).collect())
                }
                _ => ListRelation::Atomic,
            },
            Self::Struct(_) | Self::Root(_) | Self::Deduced | Self::Leaf => ListRelation::Atomic,
        }
    }

    /// Default of a field of this struct, as lists keyed by it need.
    pub fn key_default(&self, name: &str) -> Option<Value> {
        match self {
            Self::Structural(schema) | Self::Root(schema) => schema["properties"][name].get("default").cloned(),
            _ => self.structure()?.field(name)?.default.clone(),
        }
    }
}

/// How the items of a list are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListRelation<'s> {
    /// Not at all: the list is one value.
    Atomic,
    /// By their values.
    Set,
    /// By these fields.
    Keyed(Vec<&'s str>),
}

fn plain<'s>(shape: &'static Shape) -> Node<'s> {
    let relation = if matches!(shape, Shape::List(_)) {
        &ATOMIC
    } else {
        &GRANULAR
    };
    Node::Typed {
        shape,
        relation,
        field: None,
    }
}

fn property<'s>(schema: &'s Value, name: &str) -> Option<Node<'s>> {
    let found = schema["properties"].get(name)?;
    let open = found["type"].is_null() && found["properties"].is_null() && found["x-kubernetes-int-or-string"] != true;
    Some(if open { Node::Deduced } else { Node::Structural(found) })
}
