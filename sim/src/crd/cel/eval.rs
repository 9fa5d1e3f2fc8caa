//! From expression to value.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{CelError, Expression};

/// Variables in reach.
pub(super) struct Scope<'v> {
    outer: &'v BTreeMap<String, Value>,
    inner: Vec<(String, Value)>,
}

type Evaluated = Result<Value, CelError>;

fn fail(text: impl Into<String>) -> CelError {
    CelError::Evaluation(text.into())
}

fn no_overload() -> CelError {
    fail("no such overload")
}

impl<'v> Scope<'v> {
    pub(super) fn new(outer: &'v BTreeMap<String, Value>) -> Self {
        Self {
            outer,
            inner: Vec::new(),
        }
    }

    /// The value of an expression.
    pub(super) fn value(&mut self, expression: &Expression) -> Evaluated {
        match expression {
            Expression::Literal(value) => Ok(value.clone()),
            Expression::Name(name) => self.variable(name),
            Expression::Member(base, name) => member(&self.value(base)?, name),
            Expression::Index(base, index) => {
                let (base, index) = (self.value(base)?, self.value(index)?);
                indexed(&base, &index)
            }
            Expression::Call(base, name, arguments) => self.call(base.as_deref(), name, arguments),
            Expression::Unary('!', inner) => match self.value(inner)? {
                Value::Bool(b) => Ok(json!(!b)),
                _ => Err(no_overload()),
            },
            Expression::Unary(_, inner) => match self.value(inner)? {
                Value::Number(n) => negative(&n),
                _ => Err(no_overload()),
            },
            Expression::Binary("&&", left, right) => self.logical(left, right, false),
            Expression::Binary("||", left, right) => self.logical(left, right, true),
            Expression::Binary(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                binary(operator, &left, &right)
            }
            Expression::Choice(condition, yes, no) => match self.value(condition)? {
                Value::Bool(true) => self.value(yes),
                Value::Bool(false) => self.value(no),
                _ => Err(no_overload()),
            },
            Expression::List(items) => {
                let items: Result<Vec<Value>, CelError> = items.iter().map(|item| self.value(item)).collect();
                Ok(Value::Array(items?))
            }
            Expression::Map(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    let key = self.value(key)?.as_str().map(str::to_owned).ok_or_else(no_overload)?;
                    map.insert(key, self.value(value)?);
                }
                Ok(Value::Object(map))
            }
        }
    }

    fn variable(&self, name: &str) -> Evaluated {
        let inner = self.inner.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v);
        let found = inner.or_else(|| self.outer.get(name)).cloned();
        found.ok_or_else(|| fail(format!("undeclared reference to '{name}'")))
    }

    /// `&&` and `||` forgive a failing side when the other decides.
    fn logical(&mut self, left: &Expression, right: &Expression, decisive: bool) -> Evaluated {
        let side = |value: Evaluated| match value {
            Ok(Value::Bool(b)) => Ok(b),
            Ok(_) => Err(no_overload()),
            Err(error) => Err(error),
        };
        let left = side(self.value(left));
        if left == Ok(decisive) {
            return Ok(json!(decisive));
        }
        let right = side(self.value(right));
        if right == Ok(decisive) {
            return Ok(json!(decisive));
        }
        left.and(right).map(Value::Bool)
    }

    fn call(&mut self, base: Option<&Expression>, name: &str, arguments: &[Expression]) -> Evaluated {
        match (base, name, arguments) {
            (None, "has", [Expression::Member(inner, field)]) => {
                let inner = self.value(inner)?;
                return Ok(json!(inner.get(field).is_some_and(|v| !v.is_null())));
            }
            (
                Some(base),
                "all" | "exists" | "exists_one" | "filter" | "map",
                [Expression::Name(variable), rest @ ..],
            ) => {
                let items = elements(&self.value(base)?)?;
                return self.comprehension(name, variable, &items, rest);
            }
            _ => {}
        }
        let base = base.map(|base| self.value(base)).transpose()?;
        let arguments: Result<Vec<Value>, CelError> = arguments.iter().map(|a| self.value(a)).collect();
        let mut all: Vec<Value> = base.into_iter().collect();
        all.extend(arguments?);
        function(name, &all)
    }

    fn comprehension(&mut self, name: &str, variable: &str, items: &[Value], rest: &[Expression]) -> Evaluated {
        let (condition, body) = match (name, rest) {
            ("map", [body]) => (None, Some(body)),
            ("map", [condition, body]) => (Some(condition), Some(body)),
            (_, [condition]) if name != "map" => (Some(condition), None),
            _ => return Err(no_overload()),
        };
        let mut kept = Vec::new();
        let mut failure = None;
        for item in items {
            self.inner.push((variable.to_owned(), item.clone()));
            let holds = condition.map_or(Ok(json!(true)), |c| self.value(c));
            let value = match (&holds, body) {
                (Ok(Value::Bool(true)), Some(body)) => self.value(body),
                _ => Ok(item.clone()),
            };
            self.inner.pop();
            match holds {
                Ok(Value::Bool(true)) => kept.push(value?),
                Ok(Value::Bool(false)) if name == "all" => return Ok(json!(false)),
                Ok(Value::Bool(false)) => {}
                Ok(_) => return Err(no_overload()),
                Err(error) if matches!(name, "all" | "exists") => failure = Some(error),
                Err(error) => return Err(error),
            }
            if name == "exists" && !kept.is_empty() {
                return Ok(json!(true));
            }
        }
        match (name, failure) {
            (_, Some(error)) => Err(error),
            ("all", None) => Ok(json!(true)),
            ("exists", None) => Ok(json!(false)),
            ("exists_one", None) => Ok(json!(kept.len() == 1)),
            _ => Ok(Value::Array(kept)),
        }
    }
}

/// What a comprehension goes over: the items of a list, the keys of a map.
fn elements(value: &Value) -> Result<Vec<Value>, CelError> {
    match value {
        Value::Array(items) => Ok(items.clone()),
        Value::Object(map) => Ok(map.keys().map(|k| json!(k)).collect()),
        _ => Err(no_overload()),
    }
}

fn member(base: &Value, name: &str) -> Evaluated {
    match base {
        Value::Object(map) => map
            .get(name)
            .cloned()
            .ok_or_else(|| fail(format!("no such key: {name}"))),
        _ => Err(no_overload()),
    }
}

fn indexed(base: &Value, index: &Value) -> Evaluated {
    match (base, index) {
        (Value::Object(map), Value::String(key)) => {
            map.get(key).cloned().ok_or_else(|| fail(format!("no such key: {key}")))
        }
        (Value::Array(items), Value::Number(n)) => {
            let at = n.as_i64().and_then(|n| usize::try_from(n).ok());
            let found = at.and_then(|at| items.get(at)).cloned();
            found.ok_or_else(|| fail(format!("index out of bounds: {n}")))
        }
        _ => Err(no_overload()),
    }
}

fn negative(number: &serde_json::Number) -> Evaluated {
    match number.as_i64() {
        Some(n) => n
            .checked_neg()
            .map(|n| json!(n))
            .ok_or_else(|| fail("integer overflow")),
        None => Ok(json!(-number.as_f64().unwrap_or(0.0))),
    }
}

fn binary(operator: &str, left: &Value, right: &Value) -> Evaluated {
    match operator {
        "==" => Ok(json!(equal(left, right))),
        "!=" => Ok(json!(!equal(left, right))),
        "in" => match right {
            Value::Array(items) => Ok(json!(items.iter().any(|item| equal(item, left)))),
            Value::Object(map) => Ok(json!(left.as_str().is_some_and(|key| map.contains_key(key)))),
            _ => Err(no_overload()),
        },
        "<" => Ok(json!(compare(left, right)? == Ordering::Less)),
        "<=" => Ok(json!(compare(left, right)? != Ordering::Greater)),
        ">" => Ok(json!(compare(left, right)? == Ordering::Greater)),
        ">=" => Ok(json!(compare(left, right)? != Ordering::Less)),
        _ => arithmetic(operator, left, right),
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a == b,
            _ => a.as_f64() == b.as_f64(),
        },
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| equal(v, w)))
        }
        _ => left == right,
    }
}

fn compare(left: &Value, right: &Value) -> Result<Ordering, CelError> {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Ok(a.cmp(&b)),
            _ => a.as_f64().partial_cmp(&b.as_f64()).ok_or_else(no_overload),
        },
        (Value::String(a), Value::String(b)) => Ok(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Ok(a.cmp(b)),
        _ => Err(no_overload()),
    }
}

fn arithmetic(operator: &str, left: &Value, right: &Value) -> Evaluated {
    match (left, right) {
        (Value::String(a), Value::String(b)) if operator == "+" => Ok(json!(format!("{a}{b}"))),
        (Value::Array(a), Value::Array(b)) if operator == "+" => {
            Ok(Value::Array([a.as_slice(), b.as_slice()].concat()))
        }
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => integers(operator, a, b),
            _ => {
                let (a, b) = (a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0));
                match operator {
                    "+" => Ok(json!(a + b)),
                    "-" => Ok(json!(a - b)),
                    "*" => Ok(json!(a * b)),
                    "/" => Ok(json!(a / b)),
                    _ => Err(no_overload()),
                }
            }
        },
        _ => Err(no_overload()),
    }
}

fn integers(operator: &str, a: i64, b: i64) -> Evaluated {
    let result = match operator {
        "+" => a.checked_add(b),
        "-" => a.checked_sub(b),
        "*" => a.checked_mul(b),
        "/" if b == 0 => return Err(fail("division by zero")),
        "%" if b == 0 => return Err(fail("modulus by zero")),
        "/" => a.checked_div(b),
        "%" => a.checked_rem(b),
        _ => return Err(no_overload()),
    };
    result.map(|n| json!(n)).ok_or_else(|| fail("integer overflow"))
}

/// Functions; a method's receiver is its first argument.
fn function(name: &str, arguments: &[Value]) -> Evaluated {
    match (name, arguments) {
        ("size", [Value::String(text)]) => Ok(json!(text.chars().count())),
        ("size", [Value::Array(items)]) => Ok(json!(items.len())),
        ("size", [Value::Object(map)]) => Ok(json!(map.len())),
        ("string", [Value::String(text)]) => Ok(json!(text)),
        ("string", [Value::Number(n)]) => Ok(json!(n.to_string())),
        ("string", [Value::Bool(b)]) => Ok(json!(b.to_string())),
        ("int", [Value::Number(n)]) => Ok(json!(n.as_i64().unwrap_or(n.as_f64().unwrap_or(0.0).trunc() as i64))),
        ("int", [Value::String(text)]) => text.parse::<i64>().map(|n| json!(n)).map_err(|e| fail(e.to_string())),
        ("double", [Value::Number(n)]) => Ok(json!(n.as_f64().unwrap_or(0.0))),
        ("type" | "dyn", [value]) if name == "dyn" => Ok(value.clone()),
        (_, [Value::String(text), rest @ ..]) => text_function(name, text, rest),
        (_, [Value::Array(items), rest @ ..]) => list_function(name, items, rest),
        _ => Err(CelError::Unsupported(format!("the function {name}"))),
    }
}

fn text_function(name: &str, text: &str, rest: &[Value]) -> Evaluated {
    match (name, rest) {
        ("contains", [Value::String(part)]) => Ok(json!(text.contains(part.as_str()))),
        ("startsWith", [Value::String(part)]) => Ok(json!(text.starts_with(part.as_str()))),
        ("endsWith", [Value::String(part)]) => Ok(json!(text.ends_with(part.as_str()))),
        ("matches", [Value::String(pattern)]) => match regex::Regex::new(pattern) {
            Ok(pattern) => Ok(json!(pattern.is_match(text))),
            Err(error) => Err(fail(error.to_string())),
        },
        ("lowerAscii", []) => Ok(json!(text.to_ascii_lowercase())),
        ("upperAscii", []) => Ok(json!(text.to_ascii_uppercase())),
        ("trim", []) => Ok(json!(text.trim())),
        ("split", [Value::String(by)]) => Ok(json!(text.split(by.as_str()).collect::<Vec<_>>())),
        ("replace", [Value::String(from), Value::String(to)]) => Ok(json!(text.replace(from.as_str(), to))),
        ("indexOf", [Value::String(part)]) => {
            let at = text.find(part.as_str()).map(|at| text[..at].chars().count());
            Ok(at.map_or(json!(-1), |at| json!(at)))
        }
        ("charAt", [Value::Number(n)]) => {
            let at = n.as_u64().and_then(|n| usize::try_from(n).ok());
            let found = at.and_then(|at| text.chars().nth(at));
            found
                .map(|c| json!(c.to_string()))
                .ok_or_else(|| fail(format!("index out of range: {n}")))
        }
        _ => Err(CelError::Unsupported(format!("the function {name} of strings"))),
    }
}

fn list_function(name: &str, items: &[Value], rest: &[Value]) -> Evaluated {
    match (name, rest) {
        ("join", []) | ("join", [Value::String(_)]) => {
            let by = rest.first().and_then(Value::as_str).unwrap_or_default();
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            texts.map(|t| json!(t.join(by))).ok_or_else(no_overload)
        }
        ("sum", []) => {
            let mut sum = json!(0);
            for item in items {
                sum = arithmetic("+", &sum, item)?;
            }
            Ok(sum)
        }
        ("min" | "max", []) => {
            let mut best = items
                .first()
                .cloned()
                .ok_or_else(|| fail(format!("{name} called on empty list")))?;
            for item in items {
                let wanted = if name == "min" {
                    Ordering::Less
                } else {
                    Ordering::Greater
                };
                if compare(item, &best)? == wanted {
                    best = item.clone();
                }
            }
            Ok(best)
        }
        ("isSorted", []) => {
            for pair in items.windows(2) {
                if compare(&pair[0], &pair[1])? == Ordering::Greater {
                    return Ok(json!(false));
                }
            }
            Ok(json!(true))
        }
        ("indexOf", [wanted]) => {
            let at = items.iter().position(|item| equal(item, wanted));
            Ok(at.map_or(json!(-1), |at| json!(at)))
        }
        _ => Err(CelError::Unsupported(format!("the function {name} of lists"))),
    }
}
