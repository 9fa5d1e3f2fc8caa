//! The types functions declare for their parameters, from which Go's argument errors follow.

/// A parameter type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `interface {}`: anything, nil too.
    Any,
    /// `reflect.Value`: anything; how built-ins declare their parameters.
    Reflect,
    /// `string`
    Str,
    /// `int`
    Int,
    /// `float64`
    Float,
    /// `bool`
    Bool,
    /// `map[string]interface {}`
    Map,
    /// `time.Time`
    Time,
}

impl Type {
    /// The Go name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Reflect => "reflect.Value",
            Self::Str => "string",
            Self::Int => "int",
            Self::Float => "float64",
            Self::Bool => "bool",
            Self::Map => "map[string]interface {}",
            Self::Time => "time.Time",
        }
    }

    /// Whether an untyped nil fits.
    pub(crate) fn can_be_nil(self) -> bool {
        matches!(self, Self::Any | Self::Reflect | Self::Map)
    }

    /// Whether a value that is not nil fits.
    pub(crate) fn accepts(self, value: &crate::Value) -> bool {
        use crate::value::{Element, Value};
        match self {
            Self::Any | Self::Reflect => true,
            Self::Str => matches!(value, Value::Str(_)),
            Self::Int => matches!(value, Value::Int(_)),
            Self::Float => matches!(value, Value::Float(_)),
            Self::Bool => matches!(value, Value::Bool(_)),
            Self::Map => matches!(value, Value::Map(map) if map.element() == Element::Any),
            Self::Time => matches!(value, Value::Time(_)),
        }
    }
}
