//! Validation rules of custom resources: the part of the Common Expression Language that schemas use.
//!
//! A rule is parsed when it is checked and evaluated over JSON values. Macros (`has`, `all`, `exists`, `exists_one`, `filter`, `map`),
//! operators, and the functions on strings, lists and maps are here; durations, timestamps, URLs, quantities, optional values and
//! regular-expression extraction are not: a rule that uses them is a model gap, never a silent pass.

mod eval;
mod parse;

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) use parse::parse;

/// Why a rule gave no verdict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CelError {
    /// The text is no expression.
    #[error("Syntax error: {0}")]
    Syntax(String),
    /// The evaluation failed, as the language defines it: no such key, no such overload, division by zero.
    #[error("{0}")]
    Evaluation(String),
    /// The language has it, this evaluator does not.
    #[error("{0}")]
    Unsupported(String),
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    /// A literal.
    Literal(Value),
    /// A variable.
    Name(String),
    /// `a.b`.
    Member(Box<Self>, String),
    /// `a[b]`.
    Index(Box<Self>, Box<Self>),
    /// `f(a, b)` or `a.f(b)`.
    Call(Option<Box<Self>>, String, Vec<Self>),
    /// `!a` or `-a`.
    Unary(char, Box<Self>),
    /// `a + b`, `a && b`, `a in b`, ...
    Binary(&'static str, Box<Self>, Box<Self>),
    /// `a ? b : c`.
    Choice(Box<Self>, Box<Self>, Box<Self>),
    /// `[a, b]`.
    List(Vec<Self>),
    /// `{a: b}`.
    Map(Vec<(Self, Self)>),
}

/// The value of an expression with these variables.
///
/// # Errors
/// [`CelError`] when there is no value.
pub(crate) fn evaluate(text: &str, variables: &BTreeMap<String, Value>) -> Result<Value, CelError> {
    eval::Scope::new(variables).value(&parse(text)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> Result<Value, CelError> {
        let this = json!({"n": 3, "s": "abc", "l": [1, 2, 3], "m": {"a": {"x": 1}}, "a-b": 1, "size": 2, "f": 1.5});
        evaluate(text, &BTreeMap::from([("self".to_owned(), this)]))
    }

    #[test]
    fn rules_evaluate() {
        for text in [
            "self.n <= self.l.size() && size(self.s) == 3",
            "!has(self.replicas) || self.replicas <= self.size",
            "has(self.m.a) ? self.m.a.x == 1 : false",
            "self.l.all(i, i > 0) && self.l.exists(i, i == 2) && !self.l.exists_one(i, i > 1)",
            "self.l.filter(i, i > 1).map(i, i * 2) == [4, 6]",
            "self.s.startsWith('a') && self.s.matches('^[a-c]+$') && self.s + 'd' == \"abcd\"",
            "'a' in self.m && 3 in self.l && !(4 in self.l)",
            "self.m.all(k, self.m[k].x == 1)",
            "self.__a__dash__b__ == 1 || self['a-b'] == 1",
            "7 / 2 == 3 && 7 % 2 == 1 && -1 < 0 && self.f > 1",
            "self.s[0] == 'a' || true",
            "false ? self.none.x : true",
            "self.missing == 1 || self.n == 3",
            "['x', 'y'].join(',') == 'x,y' && 'A'.lowerAscii() == 'a'",
        ] {
            assert_eq!(value(text), Ok(json!(true)), "{text}");
        }
    }

    #[test]
    fn failures_are_not_verdicts() {
        assert_eq!(
            value("self.missing == 1").unwrap_err(),
            CelError::Evaluation("no such key: missing".into())
        );
        assert!(matches!(value("self.n +"), Err(CelError::Syntax(_))));
        assert!(matches!(
            value("duration('1h') > duration('1m')"),
            Err(CelError::Unsupported(_))
        ));
        assert!(matches!(value("1 / 0 == 1"), Err(CelError::Evaluation(_))));
        assert!(matches!(value("self.n + 'x' == 1"), Err(CelError::Evaluation(_))));
    }
}
