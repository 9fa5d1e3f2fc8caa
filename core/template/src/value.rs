//! The values templates compute with.
//!
//! **Problem.** Charts depend on Go's runtime types: `3` read from a values file is a `float64` and is not equal to the literal `3`; a
//! dict handed to a template can be changed there, and everybody who holds it sees the change.
//!
//! **Invariants.** Maps are shared and mutable, lists are shared and immutable, strings are bytes (Go cuts them anywhere). Dropping a
//! value never recurses, however deeply it is nested.
//!
//! **Deliberately absent.** Go's unsigned and sized integers beyond those the functions return; channels, functions and complex numbers.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use crate::object::Object;

/// A Go string: bytes that are usually UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(Arc<[u8]>);

impl Text {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, with U+FFFD for what is not UTF-8.
    #[must_use]
    pub fn lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into_bytes().into())
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.lossy())
    }
}

/// The declared element type of a list or a map: what Go's reflection sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// `interface {}`
    Any,
    /// `string`
    Str,
    /// `int`
    Int,
    /// `[]interface {}`
    List,
    /// `[]uint8`
    Bytes,
}

impl Element {
    fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Str => "string",
            Self::Int => "int",
            Self::List => "[]interface {}",
            Self::Bytes => "[]uint8",
        }
    }

    /// What a missing key of a map with this element type yields.
    pub(crate) fn zero(self) -> Value {
        match self {
            Self::Any => Value::Nil,
            Self::Str => Value::from(""),
            Self::Int => Value::Int(0),
            Self::List => Value::list(Vec::new()),
            Self::Bytes => Value::Bytes(Arc::from(&b""[..])),
        }
    }
}

/// A shared, immutable list.
#[derive(Clone)]
pub struct List(Rc<ListData>);

struct ListData {
    element: Element,
    items: Vec<Value>,
}

impl List {
    /// A list of `interface {}`.
    #[must_use]
    pub fn new(items: Vec<Value>) -> Self {
        Self::typed(Element::Any, items)
    }

    /// A list with a declared element type.
    #[must_use]
    pub fn typed(element: Element, items: Vec<Value>) -> Self {
        Self(Rc::new(ListData { element, items }))
    }

    /// The items.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        &self.0.items
    }

    /// The declared element type.
    #[must_use]
    pub fn element(&self) -> Element {
        self.0.element
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Drop for ListData {
    fn drop(&mut self) {
        if self.items.iter().any(Value::is_container) {
            drop_flat(std::mem::take(&mut self.items));
        }
    }
}

/// A shared, mutable map with keys in byte order.
#[derive(Clone)]
pub struct Map(Rc<MapData>);

struct MapData {
    element: Element,
    /// The name of a named Go type (`common.Values`), if the map has one.
    type_name: Option<&'static str>,
    entries: RefCell<BTreeMap<String, Value>>,
}

impl Drop for MapData {
    fn drop(&mut self) {
        let entries = self.entries.get_mut();
        if entries.values().any(Value::is_container) {
            drop_flat(std::mem::take(entries).into_values().collect());
        }
    }
}

impl Map {
    /// An empty `map[string]interface {}`.
    #[must_use]
    pub fn new() -> Self {
        Self::from_entries(BTreeMap::new())
    }

    /// A `map[string]interface {}`.
    #[must_use]
    pub fn from_entries(entries: BTreeMap<String, Value>) -> Self {
        Self::typed(Element::Any, entries)
    }

    /// A map with a declared element type.
    #[must_use]
    pub fn typed(element: Element, entries: BTreeMap<String, Value>) -> Self {
        Self(Rc::new(MapData {
            element,
            type_name: None,
            entries: RefCell::new(entries),
        }))
    }

    /// A `map[string]interface {}` of a named Go type, which `typeOf` shows.
    #[must_use]
    pub fn named(type_name: &'static str, entries: BTreeMap<String, Value>) -> Self {
        Self(Rc::new(MapData {
            element: Element::Any,
            type_name: Some(type_name),
            entries: RefCell::new(entries),
        }))
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value> {
        self.0.entries.borrow().get(key).cloned()
    }

    /// Whether the key is there, even with a nil value.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.0.entries.borrow().contains_key(key)
    }

    /// Sets a key, for all who share the map.
    pub fn insert(&self, key: impl Into<String>, value: Value) {
        let old = self.0.entries.borrow_mut().insert(key.into(), value);
        drop(old);
    }

    /// Removes a key, for all who share the map.
    pub fn remove(&self, key: &str) {
        let old = self.0.entries.borrow_mut().remove(key);
        drop(old);
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.entries.borrow().len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries as they are now, in key order.
    #[must_use]
    pub fn entries(&self) -> Vec<(String, Value)> {
        self.0
            .entries
            .borrow()
            .iter()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }

    /// The keys as they are now, in order.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.0.entries.borrow().keys().cloned().collect()
    }

    /// The declared element type.
    #[must_use]
    pub fn element(&self) -> Element {
        self.0.element
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn watch(&self) -> WatchedMap {
        WatchedMap(Rc::downgrade(&self.0))
    }

    pub(crate) fn address(&self) -> usize {
        Rc::as_ptr(&self.0) as usize
    }

    fn clear(&self) {
        let entries = std::mem::take(&mut *self.0.entries.borrow_mut());
        drop(entries);
    }

    /// Whether the map can be reached from itself.
    fn is_cyclic(&self) -> bool {
        let mut seen = std::collections::BTreeSet::new();
        let mut open: Vec<Value> = self.entries().into_iter().map(|(_, v)| v).collect();
        while let Some(value) = open.pop() {
            match value {
                Value::Map(map) if map.same(self) => return true,
                Value::Map(map) if seen.insert(map.address()) => {
                    open.extend(map.entries().into_iter().map(|(_, v)| v));
                }
                Value::List(list) if seen.insert(Rc::as_ptr(&list.0) as usize) => {
                    open.extend(list.items().iter().cloned());
                }
                _ => {}
            }
        }
        false
    }
}

impl Default for Map {
    fn default() -> Self {
        Self::new()
    }
}

/// A map that got a container as an entry, and so may have become part of a cycle that would never be freed.
pub(crate) struct WatchedMap(Weak<MapData>);

impl WatchedMap {
    /// Empties the map if it is part of a cycle.
    pub(crate) fn break_cycle(&self) {
        if let Some(map) = self.0.upgrade().map(Map)
            && map.is_cyclic()
        {
            map.clear();
        }
    }
}

/// Drops nested containers one by one instead of recursively.
fn drop_flat(mut open: Vec<Value>) {
    while let Some(value) = open.pop() {
        match value {
            Value::List(list) => {
                if let Some(mut data) = Rc::into_inner(list.0) {
                    open.append(&mut data.items);
                }
            }
            Value::Map(map) => {
                if let Some(mut data) = Rc::into_inner(map.0) {
                    open.extend(std::mem::take(data.entries.get_mut()).into_values());
                }
            }
            _ => {}
        }
    }
}

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
    /// `float64`: every number of a YAML or JSON document.
    Float(f64),
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
    Time(Time),
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
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
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
            Self::Int(i) | Self::Int64(i) | Self::Duration(i) => *i != 0,
            Self::Uint(u) => *u != 0,
            Self::Float(f) => *f != 0.0,
            Self::Str(s) => !s.bytes().is_empty(),
            Self::Bytes(b) => !b.is_empty(),
            Self::List(l) => !l.items().is_empty(),
            Self::Map(m) => !m.is_empty(),
            Self::Time(_) => true,
            Self::Object(o) => o.underlying().is_none_or(|map| !map.is_empty()),
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
            Self::Float(_) => "float64".into(),
            Self::Str(_) => "string".into(),
            Self::Bytes(_) => "[]uint8".into(),
            Self::List(l) => format!("[]{}", l.element().name()).into(),
            Self::Map(m) => {
                m.0.type_name
                    .map_or_else(|| format!("map[string]{}", m.element().name()).into(), Cow::Borrowed)
            }
            Self::Duration(_) => "time.Duration".into(),
            Self::Time(_) => "time.Time".into(),
            Self::Object(o) => o.type_name().into(),
        }
    }

    /// The Go kind, as `kindOf` names it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "invalid",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int64(_) | Self::Duration(_) => "int64",
            Self::Uint(_) => "uint64",
            Self::Float(_) => "float64",
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
            Self::Bytes(bytes) => Some(Cow::Owned(bytes.iter().map(|b| Self::Uint(u64::from(*b))).collect())),
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
            (Self::Uint(a), Self::Uint(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Time(a), Self::Time(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => Rc::ptr_eq(a, b),
            (Self::List(a), Self::List(b)) => {
                if a.same(b) {
                    return Some(true);
                }
                if a.element() != b.element() || a.items().len() != b.items().len() {
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
                if self.type_name() != other.type_name() || a.len() != b.len() {
                    return Some(false);
                }
                for ((k, x), (l, y)) in a.entries().iter().zip(b.entries().iter()) {
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

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(Text::from(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(Text::from(text))
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&crate::gofmt::sprint_v(self)))
    }
}
