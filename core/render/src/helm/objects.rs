//! What templates see: `.Chart`, `.Release`, `.Capabilities`, `.Files`, `.Values`.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use base64::Engine;
use capstan_template::{Element, Map, Object, Text, Type, Value};
use serde_json::Value as Json;

use super::Prepared;
use super::chart::Chart;
use crate::gobwas::{Gobwas, InvalidPattern};

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
    let entry = |(name, text): (&String, &String)| (Text::from(name.as_str()), Value::from(text.as_str()));
    let annotations = match &chart.metadata.annotations {
        Some(annotations) => Map::typed(Element::Str, annotations.iter().map(entry).collect()),
        None => Map::nil(Element::Str),
    };
    let fields = chart.metadata.fields().into_iter();
    let own = [
        ("IsRoot".to_owned(), Value::Bool(is_root)),
        ("Annotations".to_owned(), Value::Map(annotations)),
    ];
    Value::map(fields.map(|(name, field)| (name, value(&field))).chain(own))
}

/// `.Files`.
pub(super) struct Files(BTreeMap<String, Arc<[u8]>>);

impl Files {
    pub(super) fn of(chart: &Chart) -> Value {
        Value::Object(Rc::new(Self(chart.files.clone())))
    }

    fn bytes(&self, name: &str) -> Arc<[u8]> {
        self.0.get(name).cloned().unwrap_or_else(|| Arc::from(&[][..]))
    }

    /// The lines of a file without the last line break. An empty file makes Helm look at the byte before the first.
    fn lines(&self, name: &str) -> Result<Value, String> {
        let Some(bytes) = self.0.get(name) else {
            return Ok(Value::strings::<&str>([]));
        };
        if bytes.is_empty() {
            return Err("runtime error: index out of range [-1]".into());
        }
        let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        Ok(Value::strings(text.split(|byte| *byte == b'\n')))
    }

    /// A pattern that cannot be compiled matches everything, as in Helm.
    fn glob(&self, pattern: &str) -> Result<Self, String> {
        let glob = match Gobwas::new(pattern, Some('/')) {
            Ok(glob) => Some(glob),
            Err(InvalidPattern::Syntax) => None,
            Err(error) => return Err(error.to_string()),
        };
        let mut found = BTreeMap::new();
        for (name, bytes) in &self.0 {
            let matches = glob.as_ref().map_or(Ok(true), |glob| glob.matches(name));
            if matches.map_err(|error| error.to_string())? {
                found.insert(name.clone(), bytes.clone());
            }
        }
        Ok(Self(found))
    }

    fn yaml(&self, show: impl Fn(&[u8]) -> Text) -> Value {
        let base = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
        let entries = self.0.iter();
        let map = Value::map(entries.map(|(name, bytes)| (base(name), Value::Str(show(bytes)))));
        let text = capstan_template::to_yaml(&map);
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
            "Get" => Value::from(Text::from(&*self.bytes(&first))),
            "GetBytes" => Value::Bytes(self.bytes(&first)),
            "Glob" => Value::Object(Rc::new(self.glob(&first)?)),
            "Lines" => self.lines(&first)?,
            "AsConfig" => self.yaml(|bytes| bytes.into()),
            _ => self.yaml(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes).into()),
        })
    }

    fn underlying(&self) -> Option<Map> {
        let entries = self
            .0
            .iter()
            .map(|(name, bytes)| (Text::from(name.as_str()), Value::Bytes(bytes.clone())))
            .collect();
        Some(Map::typed(Element::Bytes, entries))
    }

    fn print(&self) -> String {
        String::new()
    }
}
