//! The values templates compute with.
//!
//! **Problem.** Charts depend on Go's runtime types: `3` read from a values file is a `float64` and is not equal to the literal `3`; a
//! dict handed to a template can be changed there, and everybody who holds it sees the change.
//!
//! **Invariants.** Maps are shared and mutable, lists are shared and immutable, strings are bytes (Go cuts them anywhere). Dropping a
//! value never recurses, however deeply it is nested.
//!
//! **Deliberately absent.** Go's unsigned and sized integers beyond those the functions return; channels and functions.

mod collections;
mod text;

pub(crate) use collections::WatchedMap;
pub use collections::{Element, Entries, List, Map};
pub use text::{Text, text};

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use crate::object::Object;

/// A value of a template.
#[derive(Clone)]
pub enum Value {
    /// No value.
    Nil,
    /// `bool`
    Bool(bool),
    /// `int`: literals, `int`, `len`, indexes.
    Int(i64),
    /// `int64`: `--set` numbers, arithmetic. Go does not take it where an `int` is declared.
    Int64(i64),
    /// `uint64`: the parts of a version.
    Uint(u64),
    /// `uint8`: a byte of a string or of a `[]uint8`.
    Uint8(u8),
    /// `float64`: every number of a YAML or JSON document.
    Float(f64),
    /// `complex128`: literals such as `2i`.
    Complex(f64, f64),
    /// `string`
    Str(Text),
    /// `[]uint8`
    Bytes(Arc<[u8]>),
    /// A slice.
    List(List),
    /// A map with string keys.
    Map(Map),
    /// Nanoseconds: `time.Duration`.
    Duration(i64),
    /// `time.Time`
    Time(Rc<Time>),
    /// `time.Month`: January is 1.
    Month(i64),
    /// `time.Weekday`: Sunday is 0.
    Weekday(i64),
    /// Something with fields and methods.
    Object(Rc<dyn Object>),
}

/// An instant and the zone it is shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    pub nanoseconds: i128,
    /// Seconds east of UTC.
    pub offset: i32,
    /// What the zone is called there.
    pub zone: Zone,
}

/// The short name of a time zone (`UTC`, `CEST`), in at most 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Zone {
    /// UTC itself.
    Utc,
    /// The local zone, which is UTC.
    Local,
    /// A zone without a name: its offset is shown instead.
    Unnamed,
    /// A name; unused bytes are zero.
    Named([u8; 16]),
}

impl Zone {
    /// A zone by its short name, which is cut at 16 bytes.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        Self::Named(bytes)
    }
}

impl Time {
    /// An instant in UTC, in nanoseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn utc(nanoseconds: i128) -> Self {
        Self {
            nanoseconds,
            offset: 0,
            zone: Zone::Utc,
        }
    }
}

impl Value {
    /// A `[]interface {}`.
    #[must_use]
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(List::new(items))
    }

    /// A `[]string`.
    #[must_use]
    pub fn strings<S: Into<Text>>(items: impl IntoIterator<Item = S>) -> Self {
        Self::List(List::typed(
            Element::Str,
            items.into_iter().map(|s| Self::Str(s.into())).collect(),
        ))
    }

    /// A `map[string]interface {}`.
    #[must_use]
    pub fn map<K: Into<Text>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Map(Map::from_entries(
            entries.into_iter().map(|(k, v)| (k.into(), v)).collect(),
        ))
    }

    /// The values of a YAML or JSON document: every number becomes a `float64`.
    #[must_use]
    pub fn from_document(json: &serde_json::Value) -> Self {
        Self::convert(json, &|n| Self::Float(n.as_f64().unwrap_or(0.0)))
    }

    /// Values whose whole numbers are `int64`, as those given with `--set`.
    #[must_use]
    pub fn from_json(json: &serde_json::Value) -> Self {
        Self::convert(json, &|n| {
            n.as_i64()
                .map_or_else(|| Self::Float(n.as_f64().unwrap_or(0.0)), Self::Int64)
        })
    }

    fn convert(json: &serde_json::Value, number: &dyn Fn(&serde_json::Number) -> Self) -> Self {
        use serde_json::Value as Json;
        match json {
            Json::Null => Self::Nil,
            Json::Bool(b) => Self::Bool(*b),
            Json::Number(n) => number(n),
            Json::String(s) => Self::from(s.as_str()),
            Json::Array(items) => Self::list(items.iter().map(|i| Self::convert(i, number)).collect()),
            Json::Object(entries) => Self::map(entries.iter().map(|(k, v)| (k.as_str(), Self::convert(v, number)))),
        }
    }

    fn is_container(&self) -> bool {
        matches!(self, Self::List(_) | Self::Map(_))
    }

    /// Whether this is [`Value::Nil`].
    #[must_use]
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    /// Go's notion of true: not the zero value of its type.
    #[must_use]
    pub fn truth(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(b) => *b,
            Self::Int(i) | Self::Int64(i) | Self::Duration(i) | Self::Month(i) | Self::Weekday(i) => *i != 0,
            Self::Uint(u) => *u != 0,
            Self::Uint8(u) => *u != 0,
            Self::Float(f) => *f != 0.0,
            Self::Complex(re, im) => *re != 0.0 || *im != 0.0,
            Self::Str(s) => !s.bytes().is_empty(),
            Self::Bytes(b) => !b.is_empty(),
            Self::List(l) => !l.items().is_empty(),
            Self::Map(m) => !m.is_empty(),
            Self::Time(_) => true,
            Self::Object(o) => match (o.underlying(), o.items()) {
                (Some(map), _) => !map.is_empty(),
                (None, items) => items.is_none_or(|items| !items.items().is_empty()),
            },
        }
    }

    /// The Go type, as `%T` prints it.
    #[must_use]
    pub fn type_name(&self) -> Cow<'static, str> {
        match self {
            Self::Nil => "<nil>".into(),
            Self::Bool(_) => "bool".into(),
            Self::Int(_) => "int".into(),
            Self::Int64(_) => "int64".into(),
            Self::Uint(_) => "uint64".into(),
            Self::Uint8(_) => "uint8".into(),
            Self::Float(_) => "float64".into(),
            Self::Complex(..) => "complex128".into(),
            Self::Str(_) => "string".into(),
            Self::Bytes(_) => "[]uint8".into(),
            Self::List(l) => format!("[]{}", l.element().name()).into(),
            Self::Map(m) => m
                .type_name()
                .map_or_else(|| format!("map[string]{}", m.element().name()).into(), Cow::Borrowed),
            Self::Duration(_) => "time.Duration".into(),
            Self::Time(_) => "time.Time".into(),
            Self::Month(_) => "time.Month".into(),
            Self::Weekday(_) => "time.Weekday".into(),
            Self::Object(o) => o.type_name().into(),
        }
    }

    /// The Go kind, as `kindOf` names it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "invalid",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::Month(_) | Self::Weekday(_) => "int",
            Self::Int64(_) | Self::Duration(_) => "int64",
            Self::Uint(_) => "uint64",
            Self::Uint8(_) => "uint8",
            Self::Float(_) => "float64",
            Self::Complex(..) => "complex128",
            Self::Str(_) => "string",
            Self::Bytes(_) | Self::List(_) => "slice",
            Self::Map(_) => "map",
            Self::Time(_) => "struct",
            Self::Object(o) => o.kind(),
        }
    }

    /// The map this value is, or has under its named type.
    #[must_use]
    pub fn as_map(&self) -> Option<Map> {
        match self {
            Self::Map(map) => Some(map.clone()),
            Self::Object(object) => object.underlying(),
            _ => None,
        }
    }

    /// The items of a slice.
    pub(crate) fn slice_items(&self) -> Option<Cow<'_, [Self]>> {
        match self {
            Self::List(list) => Some(Cow::Borrowed(list.items())),
            Self::Bytes(bytes) => Some(Cow::Owned(bytes.iter().map(|b| Self::Uint8(*b)).collect())),
            Self::Object(object) => object.items().map(|list| Cow::Owned(list.items().to_vec())),
            _ => None,
        }
    }

    /// Go's `reflect.DeepEqual`; `None` when nested deeper than `depth` levels.
    pub(crate) fn deep_equal(&self, other: &Self, depth: usize) -> Option<bool> {
        let depth = depth.checked_sub(1)?;
        Some(match (self, other) {
            (Self::Nil, Self::Nil) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) | (Self::Int64(a), Self::Int64(b)) => a == b,
            (Self::Duration(a), Self::Duration(b)) => a == b,
            (Self::Month(a), Self::Month(b)) | (Self::Weekday(a), Self::Weekday(b)) => a == b,
            (Self::Uint(a), Self::Uint(b)) => a == b,
            (Self::Uint8(a), Self::Uint8(b)) => a == b,
            (Self::Complex(a, b), Self::Complex(c, d)) => a == c && b == d,
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Time(a), Self::Time(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => objects_equal(a, b, depth)?,
            (Self::List(a), Self::List(b)) => {
                if a.same(b) {
                    return Some(true);
                }
                if a.element() != b.element() || a.is_nil() != b.is_nil() || a.items().len() != b.items().len() {
                    return Some(false);
                }
                for (x, y) in a.items().iter().zip(b.items()) {
                    if !x.deep_equal(y, depth)? {
                        return Some(false);
                    }
                }
                true
            }
            (Self::Map(a), Self::Map(b)) => {
                if a.same(b) {
                    return Some(true);
                }
                if self.type_name() != other.type_name() || a.is_nil() != b.is_nil() || a.len() != b.len() {
                    return Some(false);
                }
                for ((k, x), (l, y)) in a.entries().iter().zip(&b.entries()) {
                    if k != l || !x.deep_equal(y, depth)? {
                        return Some(false);
                    }
                }
                true
            }
            _ => false,
        })
    }
}

/// The same object, or structs of one type with equal fields.
fn objects_equal(a: &Rc<dyn Object>, b: &Rc<dyn Object>, depth: usize) -> Option<bool> {
    if Rc::ptr_eq(a, b) {
        return Some(true);
    }
    let (Some(x), Some(y)) = (a.fields(), b.fields()) else {
        return Some(false);
    };
    if a.type_name() != b.type_name() || x.len() != y.len() {
        return Some(false);
    }
    for ((_, x), (_, y)) in x.iter().zip(&y) {
        if !x.deep_equal(y, depth)? {
            return Some(false);
        }
    }
    Some(true)
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(Text::from(text))
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::Str(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(Text::from(text))
    }
}

impl From<Time> for Value {
    fn from(time: Time) -> Self {
        Self::Time(Rc::new(time))
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::gofmt::shown(self))
    }
}
