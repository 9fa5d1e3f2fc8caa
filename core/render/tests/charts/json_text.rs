//! JSON as it is written: numbers keep their digits, names may stand twice.

use std::fmt;

#[derive(Clone, Debug)]
pub(crate) enum Text {
    Raw(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Text {
    pub(crate) fn raw(text: &str) -> Self {
        Self::Raw(text.to_owned())
    }

    pub(crate) fn quoted(text: &str) -> Self {
        // YAML takes no such letter as it is.
        let quoted = serde_json::Value::from(text).to_string();
        Self::Raw(quoted.replace('\u{7f}', "\\u007f"))
    }

    /// Of fields with one name the first stays: YAML takes no other.
    pub(crate) fn object(fields: Vec<(String, Self)>) -> Self {
        let mut kept: Vec<(String, Self)> = Vec::new();
        for (name, value) in fields {
            if kept.iter().all(|(known, _)| *known != name) {
                kept.push((name, value));
            }
        }
        Self::Object(kept)
    }

    /// The same with one thing less, what takes away most first.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        match self {
            Self::Raw(_) => Vec::new(),
            Self::List(items) => {
                let without = (0..items.len()).map(|at| {
                    let mut rest = items.clone();
                    drop(rest.remove(at));
                    Self::List(rest)
                });
                let within = items.iter().enumerate().flat_map(|(at, item)| {
                    item.smaller().into_iter().map(move |smaller| {
                        let mut all = items.clone();
                        all[at] = smaller;
                        Self::List(all)
                    })
                });
                without.chain(within).collect()
            }
            Self::Object(fields) => {
                let inside = fields.iter().map(|(_, value)| value.clone());
                let inside = inside.filter(|value| matches!(value, Self::Object(_)));
                let without = (0..fields.len()).map(|at| {
                    let mut rest = fields.clone();
                    drop(rest.remove(at));
                    Self::Object(rest)
                });
                let within = fields.iter().enumerate().flat_map(|(at, (_, value))| {
                    value.smaller().into_iter().map(move |smaller| {
                        let mut all = fields.clone();
                        all[at].1 = smaller;
                        Self::Object(all)
                    })
                });
                inside.chain(without).chain(within).collect()
            }
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raw(text) => f.write_str(text),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Self::Object(fields) => {
                let field = |(name, value): &(String, Self)| format!("{}: {value}", Self::quoted(name));
                let fields: Vec<String> = fields.iter().map(field).collect();
                write!(f, "{{{}}}", fields.join(", "))
            }
        }
    }
}
