//! Reading a document into fields as Go's JSON decoder does after `sigs.k8s.io/yaml`: numbers and booleans become text where text is
//! wanted, null leaves a field as it was, lists are laid over lists, and what does not fit is an error in Go's words.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use capstan_yaml::Step;
use regex::Regex;
use serde_json::Value;

/// A field that does not fit, or one that may not be what it is.
#[derive(Debug, PartialEq)]
pub(crate) struct Misfit {
    /// Helm's words.
    pub(crate) message: String,
    /// Where it stands in the document.
    pub(crate) path: Vec<Step>,
}

pub(crate) type Fit = Result<(), Misfit>;

impl Misfit {
    pub(crate) fn of(field: &str, message: String) -> Self {
        Self {
            message,
            path: vec![Step::Key(field.to_owned())],
        }
    }

    pub(crate) fn item(mut self, index: usize) -> Self {
        self.path.push(Step::Index(index));
        self
    }
}

/// Reads values into fields and knows their place, for errors in Go's words.
pub(crate) struct Reader {
    /// Go's name of the struct around the field.
    parent: &'static str,
    /// Go's name of the type that is read here.
    kind: &'static str,
    /// Names of the fields down to here.
    dotted: String,
    path: Vec<Step>,
}

impl Reader {
    pub(crate) fn new(parent: &'static str, kind: &'static str) -> Self {
        Self {
            parent,
            kind,
            dotted: String::new(),
            path: Vec::new(),
        }
    }

    pub(crate) fn field(&self, name: &str, key: &str) -> Self {
        let dotted = match self.dotted.as_str() {
            "" => name.to_owned(),
            above => format!("{above}.{name}"),
        };
        let step = Step::Key(key.to_owned());
        Self {
            parent: self.parent,
            kind: "string",
            dotted,
            path: self.path.iter().cloned().chain([step]).collect(),
        }
    }

    fn item(&self, index: usize) -> Self {
        Self {
            parent: self.parent,
            kind: self.kind,
            dotted: self.dotted.clone(),
            path: self.path.iter().cloned().chain([Step::Index(index)]).collect(),
        }
    }

    pub(crate) fn of(&self, parent: &'static str, kind: &'static str) -> Self {
        Self {
            parent,
            kind,
            dotted: self.dotted.clone(),
            path: self.path.clone(),
        }
    }

    pub(crate) fn misfit(&self, found: &Value, kind: &str) -> Misfit {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let place = match self.dotted.as_str() {
            "" => "Go value".to_owned(),
            dotted => format!("Go struct field {}.{dotted}", self.parent),
        };
        Misfit {
            message: format!(
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into {place} of type {kind}"
            ),
            path: self.path.clone(),
        }
    }

    /// The fields of a mapping in the order of their names; `None` for null.
    pub(crate) fn fields<'v>(&self, value: &'v Value) -> Result<Option<Vec<(&'v String, &'v Value)>>, Misfit> {
        match value {
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_by_key(|(name, _)| *name);
                Ok(Some(fields))
            }
            Value::Null => Ok(None),
            other => Err(self.misfit(other, self.kind)),
        }
    }

    pub(crate) fn text(&self, into: &mut String, value: &Value) -> Fit {
        match value {
            Value::Null => {}
            Value::String(text) => into.clone_from(text),
            Value::Bool(flag) => *into = flag.to_string(),
            Value::Number(number) => *into = number_text(number),
            other => return Err(self.misfit(other, "string")),
        }
        Ok(())
    }

    pub(crate) fn flag(&self, into: &mut bool, value: &Value) -> Fit {
        match value {
            Value::Null => {}
            Value::Bool(flag) => *into = *flag,
            other => return Err(self.misfit(other, "bool")),
        }
        Ok(())
    }

    /// A point in time (RFC 3339), which nobody looks at.
    pub(crate) fn time(&self, value: &Value) -> Fit {
        let is_time = |text: &str| {
            let numbers = TIME.as_ref()?.captures(text)?;
            let number = |index: usize| numbers.get(index)?.as_str().parse::<u32>().ok();
            let (year, month, day) = (number(1)?, number(2)?, number(3)?);
            let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
            let days = match month {
                2 if is_leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (day <= days).then_some(())
        };
        match value {
            Value::Null => Ok(()),
            Value::String(text) if is_time(text).is_some() => Ok(()),
            other => Err(self.misfit(other, "time.Time")),
        }
    }

    pub(crate) fn texts(&self, into: &mut Vec<String>, value: &Value) -> Fit {
        self.list("[]string", into, value, Self::text)
    }

    pub(crate) fn text_map(&self, into: &mut Option<BTreeMap<String, String>>, value: &Value) -> Fit {
        match value {
            Value::Null => *into = None,
            Value::Object(fields) => {
                let into = into.get_or_insert_default();
                for (name, value) in fields {
                    let mut reader = self.item(0);
                    reader.path.pop();
                    reader.path.push(Step::Key(name.clone()));
                    let mut text = String::new();
                    reader.text(&mut text, value)?;
                    into.insert(name.clone(), text);
                }
            }
            other => return Err(self.misfit(other, "map[string]string")),
        }
        Ok(())
    }

    /// Each element is laid over the one that is there.
    pub(crate) fn list<T: Default>(
        &self,
        kind: &str,
        into: &mut Vec<T>,
        value: &Value,
        one: impl Fn(&Self, &mut T, &Value) -> Fit,
    ) -> Fit {
        match value {
            Value::Null => into.clear(),
            Value::Array(items) => {
                into.truncate(items.len());
                into.resize_with(items.len(), T::default);
                for (index, (entry, item)) in into.iter_mut().zip(items).enumerate() {
                    one(&self.item(index), entry, item)?;
                }
            }
            other => return Err(self.misfit(other, kind)),
        }
        Ok(())
    }
}

/// A YAML number where text is wanted: integers in decimal, floats with the precision of 32 bits.
fn number_text(number: &serde_json::Number) -> String {
    if number.is_f64() {
        capstan_yaml::go_float_key(number.as_f64().unwrap_or_default())
    } else {
        number.to_string()
    }
}

/// RFC 3339, as far as Go's decoder insists on it.
static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let day = r"(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])";
    let time = r"([01]?\d|2[0-3]):[0-5]\d:[0-5]\d([.,]\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)";
    Regex::new(&format!("^{day}T{time}$")).ok()
});
