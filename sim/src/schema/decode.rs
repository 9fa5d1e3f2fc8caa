//! Typed decoding.

use capstan_model::schema::{Field, Scalar, Shape, Type, type_named};
use serde_json::{Map, Value, json};

use super::quantity::Quantity;

/// An empty list of owners means something: that they be forgotten.
const FORGET: &str = "managedFields";

/// A value of another type than its field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{json}")]
pub(crate) struct DecodeError {
    /// As the JSON decoder words it.
    pub(crate) json: String,
    /// As the conversion from maps words it, which strategic patches go through.
    pub(crate) map: String,
}

impl DecodeError {
    fn plain(text: String) -> Self {
        Self {
            map: text.clone(),
            json: text,
        }
    }
}

/// Reads a value as a struct type, in place; gives the paths of fields the type does not know, in order.
///
/// # Errors
/// The decoder's message for the first value of another type.
pub(crate) fn decode(of: &Type, value: &mut Value) -> Result<Vec<String>, DecodeError> {
    let mut reader = Reader {
        path: Vec::new(),
        unknown: Vec::new(),
    };
    reader.structure(of, value)?;
    Ok(reader.unknown)
}

/// A struct with nothing set, as it prints.
pub(crate) fn empty(of: &Type) -> Value {
    let mut map = Map::new();
    for field in of.fields.iter().filter(|f| f.printed) {
        map.insert(field.name.into(), zero(field));
    }
    Value::Object(map)
}

fn zero(field: &Field) -> Value {
    if field.pointer {
        return Value::Null;
    }
    match &field.shape {
        Shape::Struct(name) => type_named(name).map_or(Value::Null, empty),
        Shape::List(_) | Shape::Map(_) | Shape::Any => Value::Null,
        Shape::Scalar(scalar) => match scalar {
            Scalar::String(_) => json!(""),
            Scalar::Bool => json!(false),
            Scalar::Int32(_) | Scalar::Int64(_) | Scalar::Float64 | Scalar::IntOrString => json!(0),
            Scalar::Quantity => json!("0"),
            Scalar::Duration => json!("0s"),
            Scalar::Bytes | Scalar::Time | Scalar::MicroTime => Value::Null,
        },
    }
}

/// Where the reader is: the field's name and, within a list, the index.
enum Place {
    Field(&'static str),
    Key(String),
    Index(usize),
}

struct Reader {
    path: Vec<Place>,
    unknown: Vec<String>,
}

impl Reader {
    fn structure(&mut self, of: &Type, value: &mut Value) -> Result<(), DecodeError> {
        let Value::Object(sent) = value else {
            return Ok(());
        };
        let mut sent = std::mem::take(sent);
        let mut out = Map::new();
        for key in sent.keys().filter(|key| of.field(key).is_none()) {
            self.unknown.push(self.dotted(key));
        }
        for field in &of.fields {
            let given = sent.remove(field.name).filter(|v| !v.is_null());
            let kept = match given {
                Some(mut given) => {
                    self.path.push(Place::Field(field.name));
                    self.value(of, &field.shape, &mut given)?;
                    self.path.pop();
                    let kept = field.printed || field.pointer || !is_zero(&given) || field.name == FORGET;
                    kept.then_some(given)
                }
                None => field.printed.then(|| zero(field)),
            };
            if let Some(kept) = kept {
                out.insert(field.name.into(), kept);
            }
        }
        *value = Value::Object(out);
        Ok(())
    }

    fn value(&mut self, parent: &Type, shape: &Shape, value: &mut Value) -> Result<(), DecodeError> {
        match shape {
            Shape::Any => Ok(()),
            Shape::Struct(name) => {
                if !value.is_object() {
                    return Err(self.mismatch(parent, shape, value));
                }
                match type_named(name) {
                    Some(of) => self.structure(of, value),
                    None => Ok(()),
                }
            }
            Shape::List(item) => {
                let Value::Array(items) = value else {
                    return Err(self.mismatch(parent, shape, value));
                };
                for (i, value) in items.iter_mut().enumerate() {
                    self.path.push(Place::Index(i));
                    self.element(parent, item, value)?;
                    self.path.pop();
                }
                Ok(())
            }
            Shape::Map(item) => {
                let Value::Object(map) = value else {
                    return Err(self.mismatch(parent, shape, value));
                };
                for (key, value) in map.iter_mut() {
                    self.path.push(Place::Key(key.clone()));
                    self.element(parent, item, value)?;
                    self.path.pop();
                }
                Ok(())
            }
            Shape::Scalar(scalar) => self.scalar(parent, *scalar, shape, value),
        }
    }

    /// An item of a list or map: null is the zero value.
    fn element(&mut self, parent: &Type, shape: &Shape, value: &mut Value) -> Result<(), DecodeError> {
        if value.is_null() {
            *value = match shape {
                Shape::Struct(name) => type_named(name).map_or(Value::Null, empty),
                Shape::Scalar(Scalar::String(_) | Scalar::Bytes) => json!(""),
                Shape::Scalar(Scalar::Quantity) => json!("0"),
                _ => Value::Null,
            };
            return Ok(());
        }
        self.value(parent, shape, value)
    }

    fn scalar(&self, parent: &Type, scalar: Scalar, shape: &Shape, value: &mut Value) -> Result<(), DecodeError> {
        let fits = match scalar {
            Scalar::String(_) | Scalar::Duration => value.is_string(),
            Scalar::Time | Scalar::MicroTime => value.is_string(),
            Scalar::Bool => value.is_boolean(),
            Scalar::Int32(_) => value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
            Scalar::Int64(_) => value.is_i64() || value.is_u64(),
            Scalar::Float64 => value.is_number(),
            Scalar::IntOrString => value.is_string() || value.is_i64(),
            Scalar::Bytes => return self.bytes(parent, shape, value),
            Scalar::Quantity => {
                let text = match &*value {
                    Value::String(text) => text.clone(),
                    Value::Number(number) => number.to_string(),
                    _ => return Err(DecodeError::plain(super::quantity::MALFORMED.into())),
                };
                let quantity = Quantity::parse(&text).map_err(|why| DecodeError::plain(why.into()))?;
                *value = json!(quantity.canonical());
                true
            }
        };
        if fits {
            Ok(())
        } else {
            Err(self.mismatch(parent, shape, value))
        }
    }

    fn bytes(&self, parent: &Type, shape: &Shape, value: &Value) -> Result<(), DecodeError> {
        let Value::String(text) = value else {
            return Err(self.mismatch(parent, shape, value));
        };
        match bad_base64(text) {
            Some(at) => Err(DecodeError::plain(format!("illegal base64 data at input byte {at}"))),
            None => Ok(()),
        }
    }

    fn mismatch(&self, parent: &Type, shape: &Shape, value: &Value) -> DecodeError {
        let what = match value {
            Value::Null => "null".to_owned(),
            Value::Bool(_) => "bool".to_owned(),
            Value::Number(n) if matches!(shape, Shape::Scalar(Scalar::Int32(_) | Scalar::Int64(_))) => {
                format!("number {n}")
            }
            Value::Number(_) => "number".to_owned(),
            Value::String(_) => "string".to_owned(),
            Value::Array(_) => "array".to_owned(),
            Value::Object(_) => "object".to_owned(),
        };
        let names: Vec<&str> = self
            .path
            .iter()
            .filter_map(|place| match place {
                Place::Field(name) => Some(*name),
                Place::Key(_) | Place::Index(_) => None,
            })
            .collect();
        let json = format!(
            "json: cannot unmarshal {what} into Go struct field {}.{} of type {}",
            parent.short(),
            names.join("."),
            shape.go_type()
        );
        DecodeError {
            json,
            map: restored(shape, value),
        }
    }

    fn dotted(&self, last: &str) -> String {
        let mut out = String::new();
        for place in &self.path {
            match place {
                Place::Index(i) => out.push_str(&format!("[{i}]")),
                Place::Field(name) => push(&mut out, name),
                Place::Key(key) => push(&mut out, key),
            }
        }
        push(&mut out, last);
        out
    }
}

/// How the conversion from maps refuses a value.
fn restored(shape: &Shape, value: &Value) -> String {
    let kind = match value {
        Value::Null => "invalid",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
    };
    match shape {
        Shape::Struct(_) => format!("cannot restore struct from: {kind}"),
        Shape::List(_) => format!("cannot restore slice from {kind}"),
        Shape::Map(_) => format!("cannot restore map from {kind}"),
        Shape::Scalar(Scalar::Bool) => "unrecognized type: bool".into(),
        Shape::Scalar(Scalar::Int32(_)) => "unrecognized type: int32".into(),
        Shape::Scalar(Scalar::Int64(_)) => "unrecognized type: int64".into(),
        _ => "unrecognized type: string".into(),
    }
}

fn push(out: &mut String, name: &str) {
    if !out.is_empty() {
        out.push('.');
    }
    out.push_str(name);
}

/// What `omitempty` leaves out.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

/// Index of the first byte at which standard base64 fails, as Go's decoder counts.
fn bad_base64(text: &str) -> Option<usize> {
    let bytes: Vec<(usize, u8)> = text
        .bytes()
        .enumerate()
        .filter(|(_, b)| !matches!(b, b'\r' | b'\n'))
        .collect();
    let data = bytes.iter().position(|(_, b)| *b == b'=').unwrap_or(bytes.len());
    let bad = |b: u8| !(b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
    if let Some((at, _)) = bytes[..data].iter().find(|(_, b)| bad(*b)) {
        return Some(*at);
    }
    let padding = bytes.len() - data;
    let wanted = (4 - data % 4) % 4;
    if wanted == 3 {
        return Some(data - 1);
    }
    if padding == wanted && bytes[data..].iter().all(|(_, b)| *b == b'=') {
        return None;
    }
    if padding < wanted {
        Some(data - data % 4)
    } else {
        Some(data + wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment() -> &'static Type {
        capstan_model::schema::kind("apps/v1", "Deployment").unwrap()
    }

    #[test]
    fn what_the_type_does_not_know_goes_and_is_named() {
        let mut value = json!({"spec": {"bogus": 1, "paused": false, "replicas": 0, "template": {"spec": {"volumes": [{"name": "v", "x": 1}]}}}});
        let unknown = decode(deployment(), &mut value).unwrap();
        assert_eq!(unknown, ["spec.bogus", "spec.template.spec.volumes[0].x"]);
        assert_eq!(value["spec"].get("paused"), None);
        assert_eq!(value["spec"]["replicas"], 0);
        assert_eq!(value["spec"]["selector"], Value::Null);
    }

    #[test]
    fn another_type_is_refused_in_the_decoders_words() {
        let mut value = json!({"spec": {"replicas": "three"}});
        assert_eq!(
            decode(deployment(), &mut value).unwrap_err().json,
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
        );
        let mut value = json!({"spec": {"template": {"spec": {"containers": [{"env": [{"name": "a", "value": 5}]}]}}}});
        assert_eq!(
            decode(deployment(), &mut value).unwrap_err().json,
            "json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string"
        );
    }

    #[test]
    fn base64_fails_where_go_fails() {
        for (text, expected) in [
            ("aGk=", None),
            ("", None),
            ("***", Some(0)),
            ("b", Some(0)),
            ("aGk", Some(0)),
            ("aaaa=", Some(4)),
        ] {
            assert_eq!(bad_base64(text), expected, "{text}");
        }
    }
}
