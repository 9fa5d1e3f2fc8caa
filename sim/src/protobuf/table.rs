//! The table of messages.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Messages by the name of their type.
static TABLE: LazyLock<BTreeMap<&'static str, Message>> =
    LazyLock::new(|| include_str!("table.txt").lines().filter_map(message).collect());

/// A message.
#[derive(Debug)]
pub(super) struct Message {
    /// Type, as [`capstan_model::schema`] names it.
    pub(super) name: &'static str,
    fields: BTreeMap<u32, Field>,
}

/// A field of a message.
#[derive(Debug)]
pub(super) struct Field {
    /// JSON name; empty when the fields of its message are the outer object's.
    pub(super) name: &'static str,
    /// Go name, where it is not the JSON name with a capital.
    go: Option<&'static str>,
    /// Left out when it is zero: Go writes it all the same.
    pub(super) omitted: bool,
    /// What it holds.
    pub(super) shape: Shape,
}

/// What a value looks like.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    String,
    Bool,
    Int32,
    Int64,
    Float64,
    Bytes,
    Time,
    MicroTime,
    Quantity,
    IntOrString,
    /// Embedded JSON in field 1.
    Raw,
    /// A list of strings wrapped in a message.
    Items,
    List(Box<Self>),
    Map(Box<Self>),
    Message(&'static str),
}

impl Message {
    /// The field of that number.
    pub(super) fn field(&self, number: u32) -> Option<&Field> {
        self.fields.get(&number)
    }

    /// The type's name without its package.
    pub(super) fn short(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }
}

impl Field {
    /// The field's name in Go, which errors speak of.
    pub(super) fn go_name(&self) -> String {
        if let Some(name) = self.go {
            return name.to_owned();
        }
        let mut name = self.name.chars();
        let first: String = name.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
        first + name.as_str()
    }
}

/// The message of a type.
pub(super) fn named(name: &str) -> Option<&'static Message> {
    TABLE.get(name)
}

fn message(line: &'static str) -> Option<(&'static str, Message)> {
    let mut words = line.strip_prefix("T ")?.split(' ');
    let name = words.next()?;
    let fields = words.filter_map(field).collect();
    Some((name, Message { name, fields }))
}

fn field(word: &'static str) -> Option<(u32, Field)> {
    let (number, rest) = word.split_once(':')?;
    let (name, form) = rest.split_once(':')?;
    let (name, go) = match name.split_once('/') {
        Some((name, go)) => (name, Some(go)),
        None => (name, None),
    };
    let omitted = form.starts_with('?');
    let field = Field {
        name,
        go,
        omitted,
        shape: shape(form.trim_start_matches('?')),
    };
    Some((number.parse().ok()?, field))
}

fn shape(form: &'static str) -> Shape {
    if let Some(item) = form.strip_prefix("[]") {
        return Shape::List(Box::new(shape(item)));
    }
    if let Some(item) = form.strip_prefix("{}") {
        return Shape::Map(Box::new(shape(item)));
    }
    match form {
        "string" => Shape::String,
        "bool" => Shape::Bool,
        "int32" => Shape::Int32,
        "int64" => Shape::Int64,
        "float64" => Shape::Float64,
        "bytes" => Shape::Bytes,
        "time" => Shape::Time,
        "microtime" => Shape::MicroTime,
        "quantity" => Shape::Quantity,
        "intstr" => Shape::IntOrString,
        "raw" => Shape::Raw,
        "items" => Shape::Items,
        name => Shape::Message(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shape: &Shape) {
        match shape {
            Shape::Message(name) => assert!(named(name).is_some(), "{name}"),
            Shape::List(item) | Shape::Map(item) => check(item),
            _ => {}
        }
    }

    #[test]
    fn every_built_in_kind_has_its_message_and_every_message_named_is_there() {
        for (version, kind) in capstan_model::schema::kinds() {
            let name = capstan_model::schema::kind(version, kind).unwrap().name;
            assert!(named(name).is_some(), "{name}");
        }
        assert!(TABLE.len() > 400);
        TABLE
            .values()
            .flat_map(|m| m.fields.values())
            .for_each(|f| check(&f.shape));
    }

    #[test]
    fn every_field_of_a_message_is_a_field_of_its_type() {
        for message in TABLE.values() {
            let Some(of) = capstan_model::schema::type_named(message.name) else {
                continue;
            };
            for field in message.fields.values().filter(|f| !f.name.is_empty()) {
                assert!(of.field(field.name).is_some(), "{} {}", message.name, field.name);
            }
        }
    }
}
