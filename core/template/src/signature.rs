//! The types functions declare for their parameters, from which Go's argument errors follow.

/// The name of sprig's type for a certificate with its key.
pub(crate) const CERTIFICATE: &str = "sprig.certificate";

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
    /// `uint32`
    Uint32,
    /// `float64`
    Float,
    /// `bool`
    Bool,
    /// `map[string]interface {}`
    Map,
    /// `[]interface {}`
    List,
    /// `time.Time`
    Time,
    /// `time.Duration`
    Duration,
    /// `sprig.certificate`: what the functions for certificates return.
    Certificate,
    /// `io.Writer`: no value of a template is one.
    Writer,
}

impl Type {
    /// The Go name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Reflect => "reflect.Value",
            Self::Str => "string",
            Self::Int => "int",
            Self::Uint32 => "uint32",
            Self::Float => "float64",
            Self::Bool => "bool",
            Self::Map => "map[string]interface {}",
            Self::List => "[]interface {}",
            Self::Time => "time.Time",
            Self::Duration => "time.Duration",
            Self::Certificate => CERTIFICATE,
            Self::Writer => "io.Writer",
        }
    }

    /// Whether an untyped nil fits.
    pub(crate) fn can_be_nil(self) -> bool {
        matches!(self, Self::Any | Self::Reflect | Self::Map | Self::List | Self::Writer)
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
            Self::List => matches!(value, Value::List(list) if list.element() == Element::Any),
            Self::Time => matches!(value, Value::Time(_)),
            Self::Duration => matches!(value, Value::Duration(_)),
            Self::Certificate => matches!(value, Value::Object(object) if object.type_name() == CERTIFICATE),
            // No function returns one.
            Self::Uint32 | Self::Writer => false,
        }
    }
}
