//! JSON values, of a schema or of a chart: small, since there may be many; numbers keep their digits.

use capstan_template::grow;

use super::budget::{Budget, Exceeded};
use super::number::Number;

/// Bytes that a value takes, with its name, but for its text.
pub(super) const VALUE_SIZE: usize = 64;

#[derive(Clone, Debug)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(Box<str>),
    List(Box<[Self]>),
    Object(Fields),
}

/// The fields of an object in the order of their names: a file of small objects takes a map of its own for each otherwise.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Box<[(Box<str>, Json)]>);

impl Fields {
    /// Of fields with one name the last stays.
    pub(super) fn new(mut fields: Vec<(Box<str>, Json)>) -> Self {
        if !fields.is_sorted_by(|one, next| one.0 < next.0) {
            fields.sort_by(|one, other| one.0.cmp(&other.0));
            fields.dedup_by(|next, kept| {
                let is_same = next.0 == kept.0;
                if is_same {
                    std::mem::swap(next, kept);
                }
                is_same
            });
        }
        Self(fields.into_boxed_slice())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Json> {
        let at = self.0.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    pub(super) fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }
}

/// Not by recursion: it may be as deep as it likes.
impl Drop for Json {
    fn drop(&mut self) {
        let mut rest = Vec::new();
        self.release(&mut rest);
        while let Some(mut value) = rest.pop() {
            value.release(&mut rest);
        }
    }
}

impl Json {
    /// Gives away what is in it.
    fn release(&mut self, to: &mut Vec<Self>) {
        match self {
            Self::List(items) => to.append(&mut std::mem::take(items).into_vec()),
            Self::Object(fields) => to.extend(std::mem::take(&mut fields.0).into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }

    /// Values, as they come from YAML.
    pub(super) fn of(value: &serde_json::Value, budget: &mut Budget) -> Result<Self, Exceeded> {
        use serde_json::Value;
        budget.spend(1)?;
        budget.take(VALUE_SIZE)?;
        Ok(match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(number) => Self::Number(Number::new(&number.to_string())),
            Value::String(text) => {
                budget.take(text.len())?;
                Self::Text(text.as_str().into())
            }
            Value::Array(items) => {
                let items = grow(|| {
                    items
                        .iter()
                        .map(|item| Self::of(item, budget))
                        .collect::<Result<_, _>>()
                });
                Self::List(items?)
            }
            Value::Object(fields) => grow(|| Self::of_fields(fields, budget))?,
        })
    }

    pub(super) fn of_fields(
        fields: &serde_json::Map<String, serde_json::Value>,
        budget: &mut Budget,
    ) -> Result<Self, Exceeded> {
        let mut all = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            budget.take(name.len())?;
            all.push((name.as_str().into(), Self::of(value, budget)?));
        }
        Ok(Self::Object(Fields::new(all)))
    }

    pub(super) const fn as_object(&self) -> Option<&Fields> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    pub(super) fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The word for what it is.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::List(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// Equality by value, as Helm's library has it: `1` is `1.0`, and a number is also the text that says it, but no text is a number.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Number(one), Self::Number(other)) => one.compare(other).is_some_and(std::cmp::Ordering::is_eq),
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Number(one), Self::Text(other)) => Number::of_text(other)
                .and_then(|other| one.compare(&other))
                .is_some_and(std::cmp::Ordering::is_eq),
            (Self::List(one), Self::List(other)) => {
                one.len() == other.len() && grow(|| one.iter().zip(other.iter()).all(|(one, other)| one.equals(other)))
            }
            (Self::Object(one), Self::Object(other)) => {
                let same = || {
                    one.iter()
                        .all(|(name, value)| other.get(name).is_some_and(|known| value.equals(known)))
                };
                one.len() == other.len() && grow(same)
            }
            _ => false,
        }
    }

    /// Appends a text that equal values have in common.
    pub(super) fn write_key(&self, key: &mut String) {
        match self {
            Self::Number(number) => number.write_key(key),
            Self::Text(text) => key.push_str(&format!("{text:?}")),
            Self::List(items) => {
                key.push('[');
                grow(|| items.iter().for_each(|item| item.write_key(key)));
                key.push(']');
            }
            Self::Object(fields) => {
                key.push('{');
                grow(|| {
                    for (name, value) in fields.iter() {
                        key.push_str(&format!("{name:?}"));
                        value.write_key(key);
                    }
                });
                key.push('}');
            }
            Self::Null | Self::Bool(_) => key.push_str(match self.as_bool() {
                None => "n",
                Some(true) => "t",
                Some(false) => "f",
            }),
        }
    }

    /// Bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let inner = || match self {
            Self::List(items) => items.iter().map(Self::bytes).sum(),
            Self::Object(fields) => fields.iter().map(|(name, value)| name.len() + value.bytes()).sum(),
            Self::Text(text) => text.len(),
            Self::Number(number) => number.len(),
            Self::Null | Self::Bool(_) => 0,
        };
        VALUE_SIZE + grow(inner)
    }

    /// Values in it, itself included: what a comparison may cost.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::List(items) => 1 + grow(|| items.iter().map(Self::size).sum::<usize>()),
            Self::Object(fields) => 1 + grow(|| fields.iter().map(|(_, value)| value.size()).sum::<usize>()),
            _ => 1,
        }
    }
}
