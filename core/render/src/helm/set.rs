//! The `--set` grammar: `a.b[0].c=value,d={x,y}`, `\` before what is meant literally; as JSON, as literal text, as a file's text.
//!
//! What Helm accepts by accident is accepted here too: a text that ends in the middle of a path sets nothing, and is no error.

use std::iter::Peekable;
use std::str::Chars;

use serde_json::{Map, Value, json};

use super::values;

/// Longest list that an index may make.
const MAX_INDEX: usize = 65_536;
/// Most names in a path.
const MAX_LEVELS: usize = 30;

/// How the text of an argument is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetKind {
    /// `--set-json`: values are JSON, or the whole argument is an object.
    Json,
    /// `--set`: values are booleans, integers and null where they look like it.
    Typed,
    /// `--set-string`: values are strings.
    String,
    /// `--set-literal`: the value is everything after the first `=`.
    Literal,
}

/// One argument, such as `image.tag=1.2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetArgument {
    /// How it is read.
    pub kind: SetKind,
    /// Its text.
    pub text: String,
}

/// Why a text could not be read on.
enum Stop {
    /// It ends: Helm takes this for the end of the argument wherever it happens.
    End,
    Error(String),
}

type Read<T> = Result<T, Stop>;

/// Sets what an argument says.
pub(super) fn apply(values: &mut Map<String, Value>, kind: SetKind, text: &str) -> Result<(), String> {
    if kind == SetKind::Json {
        return json(values, text).map_err(|_| format!("failed parsing --set-json data {text}"));
    }
    let flag = match kind {
        SetKind::String => "--set-string",
        SetKind::Literal => "--set-literal",
        _ => "--set",
    };
    parse(values, kind, text).map_err(|why| format!("failed parsing {flag} data: {why}"))
}

/// `--set-file name=…` with the file's text: the same grammar of names, and nothing in the text means anything.
pub(super) fn apply_text(values: &mut Map<String, Value>, name: &str, text: &str) -> Result<(), String> {
    let marked = format!("{name}=");
    let mut parser = Parser {
        rest: marked.chars().peekable(),
        kind: SetKind::String,
        text: Some(text),
    };
    match parser.key(values, 0) {
        Ok(()) | Err(Stop::End) => Ok(()),
        Err(Stop::Error(why)) => Err(format!("failed parsing --set-file data: {why}")),
    }
}

fn json(values: &mut Map<String, Value>, text: &str) -> Result<(), String> {
    if !text.trim().starts_with('{') {
        return parse(values, SetKind::Json, text);
    }
    let object: Map<String, Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let object = object.into_iter().map(|(name, value)| (name, values::as_floats(value)));
    values::merge(values, object.collect());
    Ok(())
}

fn parse(values: &mut Map<String, Value>, kind: SetKind, text: &str) -> Result<(), String> {
    let rest = text.chars().peekable();
    let mut parser = Parser { rest, kind, text: None };
    loop {
        match parser.key(values, 0) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            Err(Stop::Error(why)) => return Err(why),
        }
    }
}

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
    kind: SetKind,
    /// The value of every name, in place of what follows `=`.
    text: Option<&'a str>,
}

impl Parser<'_> {
    /// Reads up to one of `stops`, which is taken; `None` at the end of the text.
    fn until(&mut self, stops: &str) -> (String, Option<char>) {
        let mut read = String::new();
        while let Some(c) = self.rest.next() {
            match c {
                c if stops.contains(c) => return (read, Some(c)),
                '\\' if self.kind != SetKind::Literal => match self.rest.next() {
                    Some(escaped) => read.push(escaped),
                    None => return (read, None),
                },
                c => read.push(c),
            }
        }
        (read, None)
    }

    /// One `name=value`, or the part of it after a `.`.
    fn key(&mut self, into: &mut Map<String, Value>, level: usize) -> Read<()> {
        let stops = if self.kind == SetKind::Literal { "=[." } else { "=[,." };
        let (name, stop) = self.until(stops);
        match stop {
            None if name.is_empty() => Err(Stop::End),
            None => Err(Stop::Error(format!("key {name:?} has no value"))),
            Some('[') => {
                let index = self.index()?;
                let list = match into.get_mut(&name) {
                    None => Vec::new(),
                    Some(Value::Array(items)) => std::mem::take(items),
                    Some(other) => return Err(conversion(other, "[]interface {}")),
                };
                let (list, read) = self.item(list, index, level);
                put(into, name, Value::Array(list));
                read
            }
            Some('=') => self.assign(into, name),
            Some('.') => self.below(into, name, level + 1),
            Some(_) => Err(Stop::Error(format!("key {name:?} has no value (cannot end with ,)"))),
        }
    }

    fn below(&mut self, into: &mut Map<String, Value>, name: String, level: usize) -> Read<()> {
        if level > MAX_LEVELS {
            return Err(Stop::Error(format!(
                "value name nested level is greater than maximum supported nested level of {MAX_LEVELS}"
            )));
        }
        let mut inner = match into.get_mut(&name) {
            None => Map::new(),
            Some(Value::Object(fields)) => std::mem::take(fields),
            Some(other) => return Err(conversion(other, "map[string]interface {}")),
        };
        let read = self.key(&mut inner, level);
        if read.is_ok() && inner.is_empty() {
            return Err(Stop::Error(format!("key map {name:?} has no value")));
        }
        if !inner.is_empty() || into.contains_key(&name) {
            put(into, name, Value::Object(inner));
        }
        read
    }

    fn assign(&mut self, into: &mut Map<String, Value>, name: String) -> Read<()> {
        match self.value() {
            Ok(value) => {
                put(into, name, value);
                Ok(())
            }
            Err(Stop::End) => {
                put(into, name, json!(""));
                Err(Stop::End)
            }
            Err(error) => Err(error),
        }
    }

    /// What follows an index: a value, another index or a name.
    fn item(&mut self, mut list: Vec<Value>, index: i64, level: usize) -> (Vec<Value>, Read<()>) {
        let Ok(at) = usize::try_from(index) else {
            return (list, Err(Stop::Error(format!("negative {index} index not allowed"))));
        };
        let (read, stop) = self.until("[.=");
        if !read.is_empty() {
            let why = format!("unexpected data at end of array index: {read:?}");
            return (list, Err(Stop::Error(why)));
        }
        match stop {
            None => (list, Err(Stop::End)),
            Some('=') => match self.value() {
                Ok(value) => set_index(list, at, value),
                Err(Stop::End) => set_index(list, at, json!("")),
                Err(error) => (list, Err(error)),
            },
            Some('[') => {
                let next = match self.index() {
                    Ok(next) => next,
                    Err(error) => return (list, Err(error)),
                };
                let inner = match list.get_mut(at) {
                    None | Some(Value::Null) => Vec::new(),
                    Some(Value::Array(items)) => std::mem::take(items),
                    Some(other) => {
                        let error = conversion(other, "[]interface {}");
                        return (list, Err(error));
                    }
                };
                match self.item(inner, next, level) {
                    (inner, Ok(())) => set_index(list, at, Value::Array(inner)),
                    (_, Err(error)) => (list, Err(error)),
                }
            }
            Some(_) => {
                let mut inner = match list.get_mut(at) {
                    Some(Value::Object(fields)) => std::mem::take(fields),
                    _ => Map::new(),
                };
                let read = self.key(&mut inner, level);
                if read.is_ok() {
                    return set_index(list, at, Value::Object(inner));
                }
                if let Some(place) = list.get_mut(at) {
                    *place = Value::Object(inner);
                }
                (list, read)
            }
        }
    }

    /// The number between brackets. A text that ends there ends the argument.
    fn index(&mut self) -> Read<i64> {
        match self.until("]") {
            (_, None) => Err(Stop::End),
            (digits, Some(_)) => digits.parse().map_err(|_| {
                Stop::Error(format!(
                    "error parsing index: strconv.Atoi: parsing {digits:?}: invalid syntax"
                ))
            }),
        }
    }

    fn value(&mut self) -> Read<Value> {
        if let Some(text) = self.text {
            return Ok(json!(text));
        }
        match self.kind {
            SetKind::Json => return self.json_value(),
            SetKind::Literal => return Ok(json!(self.rest.by_ref().collect::<String>())),
            SetKind::Typed | SetKind::String => {}
        }
        match self.rest.peek() {
            None => return Err(Stop::End),
            Some('{') => {
                self.rest.next();
            }
            Some(_) => {
                let (text, _) = self.until(",");
                return Ok(self.scalar(text));
            }
        }
        let mut items = Vec::new();
        loop {
            let (text, stop) = self.until(",}");
            let Some(stop) = stop else {
                return Err(Stop::Error("list must terminate with '}'".into()));
            };
            items.push(self.scalar(text));
            if stop == '}' {
                self.rest.next_if_eq(&',');
                return Ok(Value::Array(items));
            }
        }
    }

    /// JSON, and the comma after it. Nothing in its place is null.
    fn json_value(&mut self) -> Read<Value> {
        if self.nothing_follows() {
            return Ok(Value::Null);
        }
        let text: String = self.rest.clone().collect();
        let (value, length) = first_json(&text).map_err(|error| Stop::Error(error.to_string()))?;
        let taken = text[..length].chars().count();
        self.rest.by_ref().take(taken).for_each(drop);
        self.nothing_follows();
        Ok(values::as_floats(value))
    }

    /// Skips blanks and one comma: whether there was nothing before it.
    fn nothing_follows(&mut self) -> bool {
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
        self.rest.peek().is_none() || self.rest.next_if_eq(&',').is_some()
    }

    /// `true`, `false`, `null` in any case and integers are what they look like; `007` is a string.
    fn scalar(&self, text: String) -> Value {
        if self.kind == SetKind::String {
            return Value::String(text);
        }
        // A long s is an s in another case.
        match text.to_lowercase().replace('\u{17f}', "s").as_str() {
            "true" => return json!(true),
            "false" => return json!(false),
            "null" => return Value::Null,
            "0" => return json!(0_i64),
            _ => {}
        }
        match text.parse::<i64>() {
            Ok(number) if !text.starts_with('0') => json!(number),
            _ => Value::String(text),
        }
    }
}

/// An empty name sets nothing.
fn put(into: &mut Map<String, Value>, name: String, value: Value) {
    if !name.is_empty() {
        into.insert(name, value);
    }
}

fn set_index(mut list: Vec<Value>, index: usize, value: Value) -> (Vec<Value>, Read<()>) {
    if index > MAX_INDEX {
        let why = format!("index of {index} is greater than maximum supported index of {MAX_INDEX}");
        return (list, Err(Stop::Error(why)));
    }
    if list.len() <= index {
        list.resize(index + 1, Value::Null);
    }
    list[index] = value;
    (list, Ok(()))
}

/// Where a path goes through something that is no list or no mapping.
fn conversion(found: &Value, wanted: &str) -> Stop {
    let found = match found {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    };
    Stop::Error(format!(
        "unable to parse key: interface conversion: interface {{}} is {found}, not {wanted}"
    ))
}

/// The JSON value that a text begins with, and its length in bytes. As in Go, anything may follow it, even right behind a number.
fn first_json(text: &str) -> Result<(Value, usize), serde_json::Error> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let error = match stream.next() {
        Some(Ok(value)) => return Ok((value, stream.byte_offset())),
        Some(Err(error)) => error,
        None => return serde_json::from_str(text).map(|value| (value, text.len())),
    };
    let before = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let offset = before.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
    let begins = text.get(..offset).map(serde_json::from_str);
    match begins {
        Some(Ok(value)) => Ok((value, offset)),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(kind: SetKind, arguments: &[&str]) -> Result<Value, String> {
        let mut values = Map::new();
        for text in arguments {
            apply(&mut values, kind, text)?;
        }
        Ok(Value::Object(values))
    }

    #[test]
    fn paths_lists_and_types() {
        let values = set(
            SetKind::Typed,
            &["a.b[1].c=1,d={x,2}", "e=007,f\\.g=TRUE", "h=a\\,b,i=null,j=", "k={}"],
        );
        let wanted = json!({
            "a": {"b": [null, {"c": 1}]}, "d": ["x", 2], "e": "007", "f.g": true, "h": "a,b", "i": null, "j": "", "k": [""]
        });
        assert_eq!(values.unwrap(), wanted);
        assert_eq!(
            set(SetKind::String, &["a=1,b=true"]).unwrap(),
            json!({"a": "1", "b": "true"})
        );
        assert_eq!(
            set(SetKind::Literal, &["a.b=x,y=\\{"]).unwrap(),
            json!({"a": {"b": "x,y=\\{"}})
        );
        assert_eq!(
            set(SetKind::Json, &["a=[1, {\"b\": null}],c={},d=,e=\"x\"", "{\"a\": 1}"]).unwrap(),
            json!({"a": 1.0, "c": {}, "d": null, "e": "x"})
        );
        // Go reads a value after the other, and asks for no comma.
        for text in ["a=1b=2", "a=1 b=2", "a= 1,b=2"] {
            assert_eq!(
                set(SetKind::Json, &[text]).unwrap(),
                json!({"a": 1.0, "b": 2.0}),
                "{text}"
            );
        }
        assert_eq!(
            set(SetKind::Json, &["a=trueb={\"k\":\n1}c=[1]"]).unwrap(),
            json!({"a": true, "b": {"k": 1.0}, "c": [1.0]})
        );
        for text in ["a=1 x", "a=[1]b", "a=1}", "a=1,,b=2", "a=nul", "a="] {
            assert_eq!(set(SetKind::Json, &[text]).is_ok(), text == "a=", "{text}");
        }
    }

    #[test]
    fn what_ends_too_early_sets_nothing() {
        assert_eq!(
            set(SetKind::Typed, &["a.", "b[0", "c[0].d="]).unwrap(),
            json!({"c": []})
        );
    }

    #[test]
    fn odd_arguments_are_refused() {
        for text in [
            "a",
            "a,b=1",
            "a=1,b",
            "a[x]=1",
            "a[-1]=1",
            "a[70000]=1",
            "a={x",
            "a=1,a.b=2",
            "a=1,a[0]=2",
            "a[0]x=1",
        ] {
            assert!(set(SetKind::Typed, &[text]).is_err(), "{text}");
        }
        assert!(set(SetKind::Typed, &[&format!("{}z=1", "a.".repeat(31))]).is_err());
    }
}
