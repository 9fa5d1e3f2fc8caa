//! Values with fields and methods: what a chart sees as `.Files`, `.Capabilities` or a parsed version.

use std::rc::Rc;

use crate::signature::Type;
use crate::value::{List, Map, Text, Value};

/// A Go struct, or a named type with methods.
pub trait Object {
    /// The Go type, as `%T` prints it.
    fn type_name(&self) -> String;

    /// The Go kind, as `kindOf` names it.
    fn kind(&self) -> &'static str {
        match (self.underlying(), self.items()) {
            (Some(_), _) => "map",
            (None, Some(_)) => "slice",
            (None, None) => "ptr",
        }
    }

    /// The value of an exported field.
    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    /// The parameter types of a method.
    fn method(&self, _name: &str) -> Option<&[Type]> {
        None
    }

    /// Calls a method with arguments that fit its parameters.
    ///
    /// # Errors
    /// What the Go method would return as its error.
    fn call(&self, name: &str, _arguments: &[Value]) -> Result<Value, String> {
        Err(format!("no method {name}"))
    }

    /// The map this object is under its named type: it can be ranged over and indexed.
    fn underlying(&self) -> Option<Map> {
        None
    }

    /// The list this object is under its named type: it can be ranged over and indexed.
    fn items(&self) -> Option<List> {
        None
    }

    /// The fields of a struct in order, unexported ones too, where it prints field by field or is compared with others.
    fn fields(&self) -> Option<Vec<(&'static str, Value)>> {
        None
    }

    /// Whether [`Object::print`] is a Go `String` method, which the verbs for text use and the others do not.
    fn is_stringer(&self) -> bool {
        self.fields().is_none()
    }

    /// What `deepCopy` makes of it, if that is something else: Go's library copies exported fields only.
    fn deep_copied(&self) -> Option<Value> {
        None
    }

    /// What is left of it where a variable of type `interface {}` holds it, if that is less: a struct that can be addressed has the methods
    /// of its pointer, and a template prints it with them; its copy in an interface has not.
    fn boxed(&self) -> Option<Value> {
        None
    }

    /// Whether this is a nil pointer.
    fn is_nil(&self) -> bool {
        false
    }

    /// How it prints.
    fn print(&self) -> String;

    /// The exported fields of a struct, in order.
    fn exported_fields(&self) -> Option<Vec<(Text, Value)>> {
        let fields = self.fields().filter(|_| self.kind() == "struct")?;
        let is_exported = |name: &str| name.starts_with(|c: char| c.is_ascii_uppercase());
        let fields = fields.into_iter().filter(|(name, _)| is_exported(name));
        Some(fields.map(|(name, value)| (Text::from(name), value)).collect())
    }

    /// What JSON shows of a struct, in the order of its fields.
    fn json_fields(&self) -> Option<Vec<(Text, Value)>> {
        self.exported_fields()
    }

    /// What YAML shows, and JSON where the order of fields is that of their names.
    fn document(&self) -> Value {
        let items = || self.items().map_or(Value::Nil, Value::List);
        self.underlying().map_or_else(items, Value::Map)
    }
}

/// What a method of a [`Record`] does.
pub type Method = Rc<dyn Fn(&[Value]) -> Result<Value, String>>;

/// A struct with named fields, some methods and perhaps a printed form of its own.
#[derive(Clone)]
pub struct Record {
    type_name: &'static str,
    /// What its `String` method gives; without one it prints field by field.
    printed: Option<String>,
    fields: Vec<(&'static str, Value)>,
    methods: Vec<(&'static str, &'static [Type], Method)>,
    items: Option<List>,
    json: Option<Vec<(&'static str, Value)>>,
}

impl Record {
    /// A struct without fields; a pointer to one where the name of the type begins with `*`.
    #[must_use]
    pub fn new(type_name: &'static str) -> Self {
        Self {
            type_name,
            printed: None,
            fields: Vec::new(),
            methods: Vec::new(),
            items: None,
            json: None,
        }
    }

    /// Gives it a `String` method.
    #[must_use]
    pub fn printed(mut self, text: impl Into<String>) -> Self {
        self.printed = Some(text.into());
        self
    }

    /// What JSON and YAML show of it, where that is not its fields by their names.
    #[must_use]
    pub fn json(mut self, fields: impl Into<Vec<(&'static str, Value)>>) -> Self {
        self.json = Some(fields.into());
        self
    }

    /// Makes it a list of a named type: it can be ranged over and indexed.
    #[must_use]
    pub fn items(mut self, items: Value) -> Self {
        if let Value::List(items) = items {
            self.items = Some(items);
        }
        self
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, name: &'static str, value: Value) -> Self {
        self.fields.push((name, value));
        self
    }

    /// Adds a method.
    #[must_use]
    pub fn method(
        mut self,
        name: &'static str,
        parameters: &'static [Type],
        call: impl Fn(&[Value]) -> Result<Value, String> + 'static,
    ) -> Self {
        self.methods.push((name, parameters, Rc::new(call)));
        self
    }

    /// The struct as a value.
    #[must_use]
    pub fn build(self) -> Value {
        Value::Object(Rc::new(self))
    }
}

impl Object for Record {
    fn type_name(&self) -> String {
        self.type_name.to_owned()
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.fields
            .iter()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value.clone())
    }

    fn method(&self, name: &str) -> Option<&[Type]> {
        self.methods
            .iter()
            .find(|(method, _, _)| *method == name)
            .map(|(_, parameters, _)| *parameters)
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        match self.methods.iter().find(|(method, _, _)| *method == name) {
            Some((_, _, call)) => call(arguments),
            None => Err(format!("no method {name}")),
        }
    }

    fn kind(&self) -> &'static str {
        match &self.items {
            Some(_) => "slice",
            None if self.type_name.starts_with('*') => "ptr",
            None => "struct",
        }
    }

    fn items(&self) -> Option<List> {
        self.items.clone()
    }

    fn fields(&self) -> Option<Vec<(&'static str, Value)>> {
        (self.printed.is_none() && self.items.is_none()).then(|| self.fields.clone())
    }

    fn deep_copied(&self) -> Option<Value> {
        let mut copy = self.clone();
        let mut is_changed = false;
        for (_, value) in &mut copy.fields {
            if let Value::Object(object) = value
                && let Some(copied) = object.deep_copied()
            {
                (*value, is_changed) = (copied, true);
            }
        }
        is_changed.then(|| copy.build())
    }

    fn is_stringer(&self) -> bool {
        self.printed.is_some()
    }

    fn print(&self) -> String {
        self.printed.clone().unwrap_or_default()
    }

    fn exported_fields(&self) -> Option<Vec<(Text, Value)>> {
        self.items.is_none().then(|| owned(&self.fields))
    }

    fn json_fields(&self) -> Option<Vec<(Text, Value)>> {
        self.items
            .is_none()
            .then(|| owned(self.json.as_ref().unwrap_or(&self.fields)))
    }

    fn document(&self) -> Value {
        let items = || self.items.clone().map_or(Value::Nil, Value::List);
        self.json_fields().map_or_else(items, Value::map)
    }
}

fn owned(fields: &[(&'static str, Value)]) -> Vec<(Text, Value)> {
    fields
        .iter()
        .map(|(name, value)| (Text::from(*name), value.clone()))
        .collect()
}
