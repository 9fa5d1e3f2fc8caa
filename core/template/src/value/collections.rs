//! Lists and maps, shared between all who hold them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use super::{Text, Value};

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
    /// `uint8`
    Uint8,
    /// `map[string]interface {}`
    Map,
}

impl Element {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Str => "string",
            Self::Int => "int",
            Self::List => "[]interface {}",
            Self::Bytes => "[]uint8",
            Self::Uint8 => "uint8",
            Self::Map => "map[string]interface {}",
        }
    }

    /// What a missing key of a map with this element type yields.
    pub(crate) fn zero(self) -> Value {
        match self {
            Self::Any => Value::Nil,
            Self::Str => Value::from(""),
            Self::Int => Value::Int(0),
            Self::List => Value::List(List::nil(Self::Any)),
            Self::Bytes => Value::Bytes(Arc::from(&b""[..])),
            Self::Uint8 => Value::Uint8(0),
            Self::Map => Value::Map(Map::nil(Self::Any)),
        }
    }
}

/// A shared, immutable list.
#[derive(Clone)]
pub struct List(Rc<ListData>);

struct ListData {
    element: Element,
    items: Vec<Value>,
    /// Go's nil slice: empty, but `null` in JSON.
    nil: bool,
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
        Self(Rc::new(ListData {
            element,
            items,
            nil: false,
        }))
    }

    /// Go's nil slice of an element type: empty, but `null` in JSON.
    #[must_use]
    pub fn nil(element: Element) -> Self {
        Self(Rc::new(ListData {
            element,
            items: Vec::new(),
            nil: true,
        }))
    }

    /// Whether this is Go's nil slice.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        self.0.nil
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

/// The entries of a map by their keys, which are Go strings: any bytes.
pub type Entries = BTreeMap<Text, Value>;

/// A shared, mutable map with keys in byte order.
#[derive(Clone)]
pub struct Map(
    Rc<MapData>,
    /// The name of a named Go type (`common.Values`), if it is seen as one: a map may be shared under several types.
    Option<&'static str>,
);

struct MapData {
    element: Element,
    /// Go's nil map: empty, `null` in JSON, and cannot be written to.
    nil: bool,
    entries: RefCell<Entries>,
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
        Self::from_entries(Entries::new())
    }

    /// A `map[string]interface {}`.
    #[must_use]
    pub fn from_entries(entries: Entries) -> Self {
        Self::typed(Element::Any, entries)
    }

    /// A map with a declared element type.
    #[must_use]
    pub fn typed(element: Element, entries: Entries) -> Self {
        let data = MapData {
            element,
            nil: false,
            entries: RefCell::new(entries),
        };
        Self(Rc::new(data), None)
    }

    /// Go's nil map: empty, `null` in JSON. What would write to it has to fail instead.
    #[must_use]
    pub fn nil(element: Element) -> Self {
        let data = MapData {
            element,
            nil: true,
            entries: RefCell::default(),
        };
        Self(Rc::new(data), None)
    }

    /// Whether this is Go's nil map.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        self.0.nil
    }

    /// A `map[string]interface {}` of a named Go type, which `typeOf` shows.
    #[must_use]
    pub fn named(type_name: &'static str, entries: Entries) -> Self {
        Self::from_entries(entries).under(Some(type_name))
    }

    /// The same map, seen as another Go type.
    #[must_use]
    pub fn under(&self, type_name: Option<&'static str>) -> Self {
        Self(Rc::clone(&self.0), type_name)
    }

    /// A map of the same Go type.
    pub(crate) fn same_type(&self, entries: Entries) -> Self {
        let data = MapData {
            element: self.0.element,
            nil: false,
            entries: RefCell::new(entries),
        };
        Self(Rc::new(data), self.1)
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Value> {
        self.0.entries.borrow().get(key.as_ref()).cloned()
    }

    /// Whether the key is there, even with a nil value.
    #[must_use]
    pub fn contains_key(&self, key: impl AsRef<[u8]>) -> bool {
        self.0.entries.borrow().contains_key(key.as_ref())
    }

    /// Sets a key, for all who share the map.
    pub fn insert(&self, key: impl Into<Text>, value: Value) {
        let old = self.0.entries.borrow_mut().insert(key.into(), value);
        drop(old);
    }

    /// Removes a key, for all who share the map.
    pub fn remove(&self, key: impl AsRef<[u8]>) {
        let old = self.0.entries.borrow_mut().remove(key.as_ref());
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
    pub fn entries(&self) -> Vec<(Text, Value)> {
        self.0
            .entries
            .borrow()
            .iter()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }

    /// Shows every entry in key order. The map must not be changed meanwhile.
    pub(crate) fn for_each(&self, mut show: impl FnMut(&Text, &Value)) {
        for (key, value) in self.0.entries.borrow().iter() {
            show(key, value);
        }
    }

    /// The keys as they are now, in order.
    #[must_use]
    pub fn keys(&self) -> Vec<Text> {
        self.0.entries.borrow().keys().cloned().collect()
    }

    /// The declared element type.
    #[must_use]
    pub fn element(&self) -> Element {
        self.0.element
    }

    /// The name of the named Go type, if the map has one.
    pub(crate) fn type_name(&self) -> Option<&'static str> {
        self.1
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
        if let Some(map) = self.0.upgrade().map(|data| Map(data, None))
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
