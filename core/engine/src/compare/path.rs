//! Where in an object the comparison is.

use std::fmt::Write;
use std::rc::Rc;

use serde_json::Value;

/// Names of the fields whose values tell the items of a list apart.
#[derive(Clone, Debug)]
pub(super) enum Keys {
    /// Of a list of a built-in kind.
    Known(&'static [&'static str]),
    /// As managedFields show them.
    Seen(Rc<[String]>),
}

impl Keys {
    pub(super) fn all(&self, mut test: impl FnMut(&str) -> bool) -> bool {
        match self {
            Self::Known(names) => names.iter().all(|name| test(name)),
            Self::Seen(names) => names.iter().all(|name| test(name)),
        }
    }
}

/// One step into an object.
#[derive(Clone, Debug)]
pub(super) enum Segment<'a> {
    /// A field of a map.
    Field(&'a str),
    /// An item of a list-map: its keys, the item itself, and its positions in the desired and in the live list.
    Item {
        keys: Keys,
        item: &'a Value,
        desired: Option<usize>,
        live: Option<usize>,
    },
    /// An item of a set.
    Member(&'a Value),
    /// An item of an atomic list.
    Index(usize),
}

/// Value of the key field `name` of a list item, with the default that a server gives it: ports are told apart by their protocol, which
/// few people write.
pub(super) fn key_value<'a>(item: &'a Value, name: &str) -> KeyValue<'a> {
    match item.get(name).filter(|value| !value.is_null() && *value != "") {
        Some(value) => KeyValue::Given(value),
        None if name == "protocol" => KeyValue::Text("TCP"),
        None => KeyValue::Absent,
    }
}

/// Value of a key field.
#[derive(Clone, Copy)]
pub(super) enum KeyValue<'a> {
    Given(&'a Value),
    Text(&'static str),
    Absent,
}

impl KeyValue<'_> {
    pub(super) fn equals(self, other: KeyValue<'_>) -> bool {
        match (self, other) {
            (Self::Given(a), KeyValue::Given(b)) => a == b,
            (Self::Given(value), KeyValue::Text(text)) => value.as_str() == Some(text),
            (Self::Text(text), KeyValue::Given(value)) => value.as_str() == Some(text),
            (Self::Text(a), KeyValue::Text(b)) => a == b,
            (Self::Absent, KeyValue::Absent) => true,
            _ => false,
        }
    }
}

/// Are `a` and `b` the same item of a list-map?
pub(super) fn same_item(keys: &Keys, a: &Value, b: &Value) -> bool {
    keys.all(|name| key_value(a, name).equals(key_value(b, name)))
}

/// As people read it: `spec.template.spec.containers[name="web"].image`.
pub(super) fn render(path: &[Segment<'_>]) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Field(name) if is_plain(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Segment::Field(name) => push(&mut text, format_args!("[{name:?}]")),
            Segment::Item { keys, item, .. } => {
                text.push('[');
                let mut comma = "";
                keys.all(|name| {
                    match key_value(item, name) {
                        KeyValue::Given(value) => push(&mut text, format_args!("{comma}{name}={value}")),
                        KeyValue::Text(value) => push(&mut text, format_args!("{comma}{name}={value:?}")),
                        KeyValue::Absent => push(&mut text, format_args!("{comma}{name}=")),
                    }
                    comma = ",";
                    true
                });
                text.push(']');
            }
            Segment::Member(value) => push(&mut text, format_args!("[={value}]")),
            Segment::Index(index) => push(&mut text, format_args!("[{index}]")),
        }
    }
    text
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a String does not fail");
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// How a JSON pointer lies to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Covers {
    /// It names the place or something around it.
    All,
    /// It names something inside the place.
    Part,
    /// Another place.
    Nothing,
}

/// How `pointer` lies to `path`. An item is meant by its position in the desired or in the live list, as each is cut on its own.
pub(super) fn covers(pointer: &str, path: &[Segment<'_>]) -> Covers {
    let mut tokens = pointer.split('/').skip(1);
    for segment in path {
        let Some(token) = tokens.next() else { return Covers::All };
        let token = token.replace("~1", "/").replace("~0", "~");
        let index = || token.parse::<usize>().ok();
        let matches = match segment {
            Segment::Field(name) => *name == token,
            Segment::Item { desired, live, .. } => {
                index().is_some_and(|index| *desired == Some(index) || *live == Some(index))
            }
            Segment::Member(_) => false,
            Segment::Index(at) => index() == Some(*at),
        };
        if !matches {
            return Covers::Nothing;
        }
    }
    match tokens.next() {
        None => Covers::All,
        Some(_) => Covers::Part,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_read_as_people_write_them() {
        let item = json!({"containerPort": 80});
        let keys = Keys::Known(&["containerPort", "protocol"]);
        let path = [
            Segment::Field("spec"),
            Segment::Field("ports"),
            Segment::Item {
                keys,
                item: &item,
                desired: Some(2),
                live: None,
            },
            Segment::Field("app.kubernetes.io/name"),
            Segment::Index(3),
        ];
        assert_eq!(
            render(&path),
            r#"spec.ports[containerPort=80,protocol="TCP"]["app.kubernetes.io/name"][3]"#
        );
        assert_eq!(covers("/spec/ports", &path), Covers::All);
        assert_eq!(covers("/spec/ports/2/app.kubernetes.io~1name/3/x", &path), Covers::Part);
        assert_eq!(covers("/spec/ports/1", &path), Covers::Nothing);
    }
}
