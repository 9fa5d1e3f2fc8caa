//! Label and field selectors: the query grammar with the server's messages, and the `matchLabels`/`matchExpressions` form.

use std::fmt;

use serde_json::Value;

/// A selector that does not parse; the text is the server's message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SelectorError {
    /// As kube-apiserver words it.
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operator {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Greater(i64),
    Less(i64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
}

/// Requirements on labels, all of which must hold. The empty selector matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

impl LabelSelector {
    /// Parses the query form, e.g. `tier in (a,b),!odd`.
    ///
    /// # Errors
    /// [`SelectorError`] with the server's message.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut parser = Parser {
            tokens: tokens(text),
            at: 0,
        };
        let requirements = parser.selector().map_err(|message| SelectorError { message })?;
        Ok(Self { requirements })
    }

    /// From a `LabelSelector` object; `null` matches nothing and gives `None`.
    pub fn from_value(value: &Value) -> Option<Self> {
        let map = value.as_object()?;
        let mut requirements = Vec::new();
        for (key, wanted) in map.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
            let operator = Operator::In(vec![wanted.as_str()?.to_owned()]);
            requirements.push(Requirement {
                key: key.clone(),
                operator,
            });
        }
        for expression in map
            .get("matchExpressions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let key = expression.get("key")?.as_str()?.to_owned();
            let values = expression.get("values").and_then(Value::as_array);
            let values = values
                .into_iter()
                .flatten()
                .filter_map(|v| v.as_str().map(str::to_owned))
                .collect();
            let operator = match expression.get("operator")?.as_str()? {
                "In" => Operator::In(values),
                "NotIn" => Operator::NotIn(values),
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::Absent,
                _ => return None,
            };
            requirements.push(Requirement { key, operator });
        }
        Some(Self { requirements })
    }

    /// From a plain map of labels, e.g. a Service's selector.
    pub fn from_labels(value: &Value) -> Self {
        let labels = value.as_object().into_iter().flatten();
        let requirement = |(key, v): (&String, &Value)| Requirement {
            key: key.clone(),
            operator: Operator::In(vec![v.as_str().unwrap_or_default().to_owned()]),
        };
        Self {
            requirements: labels.map(requirement).collect(),
        }
    }

    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether an object's labels satisfy it.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = object.get("metadata").and_then(|m| m.get("labels"));
        self.requirements.iter().all(|r| r.matches(labels))
    }
}

impl Requirement {
    fn matches(&self, labels: Option<&Value>) -> bool {
        let value = labels.and_then(|l| l.get(&self.key)).and_then(Value::as_str);
        let number = || value.and_then(|v| v.parse::<i64>().ok());
        match &self.operator {
            Operator::Exists => value.is_some(),
            Operator::Absent => value.is_none(),
            Operator::In(values) => value.is_some_and(|v| values.iter().any(|w| w == v)),
            Operator::NotIn(values) => value.is_none_or(|v| !values.iter().any(|w| w == v)),
            Operator::Greater(bound) => number().is_some_and(|n| n > *bound),
            Operator::Less(bound) => number().is_some_and(|n| n < *bound),
        }
    }
}

/// The canonical text, as the scale subresource shows it: requirements by key.
impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut texts: Vec<(&str, String)> = self.requirements.iter().map(|r| (r.key.as_str(), r.text())).collect();
        texts.sort_by(|a, b| a.0.cmp(b.0));
        let texts: Vec<String> = texts.into_iter().map(|(_, text)| text).collect();
        f.write_str(&texts.join(","))
    }
}

impl Requirement {
    fn text(&self) -> String {
        let key = &self.key;
        let set = |values: &[String]| {
            let mut values = values.to_vec();
            values.sort();
            values.join(",")
        };
        match &self.operator {
            Operator::Exists => key.clone(),
            Operator::Absent => format!("!{key}"),
            Operator::In(values) if values.len() == 1 => format!("{key}={}", values[0]),
            Operator::In(values) => format!("{key} in ({})", set(values)),
            Operator::NotIn(values) => format!("{key} notin ({})", set(values)),
            Operator::Greater(n) => format!("{key}>{n}"),
            Operator::Less(n) => format!("{key}<{n}"),
        }
    }
}

fn tokens(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        if c.is_whitespace() {
            chars.next();
        } else if "=!<>(),".contains(c) {
            chars.next();
            let mut token = String::from(c);
            if "=!".contains(c) && chars.peek() == Some(&'=') {
                chars.next();
                token.push('=');
            }
            out.push(token);
        } else {
            let mut token = String::new();
            while let Some(&c) = chars.peek().filter(|c| !c.is_whitespace() && !"=!<>(),".contains(**c)) {
                token.push(c);
                chars.next();
            }
            out.push(token);
        }
    }
    out
}

struct Parser {
    tokens: Vec<String>,
    at: usize,
}

fn is_word(token: &str) -> bool {
    !token.is_empty() && !matches!(token, "=" | "==" | "!=" | "!" | "<" | ">" | "(" | ")" | ",")
}

impl Parser {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    fn next(&mut self) -> String {
        let token = self.peek().to_owned();
        self.at += 1;
        token
    }

    fn selector(&mut self) -> Result<Vec<Requirement>, String> {
        let mut out = Vec::new();
        if self.peek().is_empty() {
            return Ok(out);
        }
        loop {
            let token = self.peek();
            if !is_word(token) && token != "!" {
                return Err(format!("found '{token}', expected: !, identifier, or 'end of string'"));
            }
            out.push(
                self.requirement()
                    .map_err(|m| format!("unable to parse requirement: {m}"))?,
            );
            match self.next().as_str() {
                "" => return Ok(out),
                "," => {
                    let token = self.peek();
                    if !is_word(token) && token != "!" {
                        return Err(format!("found '{token}', expected: identifier after ','"));
                    }
                }
                token => return Err(format!("found '{token}', expected: ',' or 'end of string'")),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = self.peek() == "!";
        if absent {
            self.at += 1;
        }
        let key = self.next();
        if !is_word(&key) {
            return Err(format!("found '{key}', expected: identifier"));
        }
        check_key(&key)?;
        if absent || matches!(self.peek(), "" | ",") {
            let operator = if absent { Operator::Absent } else { Operator::Exists };
            return Ok(Requirement { key, operator });
        }
        let operator = match self.next().as_str() {
            "=" | "==" => Operator::In(vec![self.value()?]),
            "!=" => Operator::NotIn(vec![self.value()?]),
            "in" => Operator::In(self.values()?),
            "notin" => Operator::NotIn(self.values()?),
            ">" | "gt" => Operator::Greater(self.bound()?),
            "<" | "lt" => Operator::Less(self.bound()?),
            found => return Err(format!("found '{found}', expected: in, notin, =, ==, !=, gt, lt")),
        };
        Ok(Requirement { key, operator })
    }

    fn value(&mut self) -> Result<String, String> {
        if matches!(self.peek(), "" | ",") {
            return Ok(String::new());
        }
        let value = self.next();
        if !is_word(&value) {
            return Err(format!("found '{value}', expected: identifier"));
        }
        check_value(&value)?;
        Ok(value)
    }

    fn bound(&mut self) -> Result<i64, String> {
        let value = self.value()?;
        value.parse().map_err(|_| {
            format!("values[0]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be an integer")
        })
    }

    fn values(&mut self) -> Result<Vec<String>, String> {
        let open = self.next();
        if open != "(" {
            return Err(format!("found '{open}' expected: '('"));
        }
        let mut out = Vec::new();
        if self.peek() == ")" {
            self.at += 1;
            return Ok(vec![String::new()]);
        }
        loop {
            let token = self.next();
            if token == "," {
                out.push(String::new());
                continue;
            }
            if token == ")" {
                out.push(String::new());
                return Ok(out);
            }
            if !is_word(&token) {
                return Err(format!("found '{token}', expected: ',', or identifier"));
            }
            check_value(&token)?;
            out.push(token);
            match self.next().as_str() {
                "," => {}
                ")" => return Ok(out),
                found => return Err(format!("found '{found}', expected: ',' or ')'")),
            }
        }
    }
}

fn check_value(value: &str) -> Result<(), String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    if value.len() <= 63 && value.chars().all(inner) && edge(value.chars().next()) && edge(value.chars().last()) {
        return Ok(());
    }
    Err(format!(
        "values[0][]: Invalid value: {value:?}: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', \
         and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for \
         validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
    ))
}

fn check_key(key: &str) -> Result<(), String> {
    let name = key.rsplit('/').next().unwrap_or(key);
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if name.len() <= 63 && name.chars().all(inner) && edge(name.chars().next()) && edge(name.chars().last()) {
        return Ok(());
    }
    Err(format!(
        "key: Invalid value: {key:?}: name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end \
         with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
         '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
    ))
}

/// Requirements on fields: equal or not equal, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    terms: Vec<(String, bool, String)>,
}

impl FieldSelector {
    /// Parses the query form, e.g. `metadata.name=web,status.phase!=Running`.
    ///
    /// # Errors
    /// [`SelectorError`] with the server's message.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut terms = Vec::new();
        for part in text.split(',').filter(|p| !p.is_empty()) {
            let (key, equal, value) = if let Some((key, value)) = part.split_once("!=") {
                (key, false, value)
            } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
                (key, true, value)
            } else {
                let message = format!("invalid selector: {text:?}; can't understand {part:?}");
                return Err(SelectorError {
                    message: message.replace('"', "'"),
                });
            };
            terms.push((key.to_owned(), equal, value.to_owned()));
        }
        Ok(Self { terms })
    }

    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The fields it asks about.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().map(|(key, _, _)| key.as_str())
    }

    /// Whether the fields, read by `field`, satisfy it.
    pub fn matches(&self, field: impl Fn(&str) -> String) -> bool {
        self.terms
            .iter()
            .all(|(key, equal, value)| (field(key) == *value) == *equal)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Value {
        let map: serde_json::Map<String, Value> = pairs.iter().map(|(k, v)| ((*k).to_owned(), json!(v))).collect();
        json!({"metadata": {"labels": map}})
    }

    #[test]
    fn the_grammar_matches_as_it_reads() {
        let object = labels(&[("tier", "a"), ("n", "7")]);
        for (text, expected) in [
            ("tier=a", true),
            ("tier==b", false),
            ("tier!=b,!odd", true),
            ("tier in (a, b)", true),
            ("tier notin (a)", false),
            ("n>5", true),
            ("n<5", false),
            ("tier", true),
            ("tier=", false),
            ("", true),
        ] {
            assert_eq!(LabelSelector::parse(text).unwrap().matches(&object), expected, "{text}");
        }
    }

    #[test]
    fn refusals_are_worded_as_the_server_words_them() {
        let message = |text| LabelSelector::parse(text).unwrap_err().message;
        assert_eq!(message("a=b=c"), "found '=', expected: ',' or 'end of string'");
        assert_eq!(message("=a"), "found '=', expected: !, identifier, or 'end of string'");
        assert_eq!(
            message("tier in (a"),
            "unable to parse requirement: found '', expected: ',' or ')'"
        );
        assert_eq!(
            message("a b c"),
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"
        );
    }

    #[test]
    fn objects_and_their_text_form_agree() {
        let value = json!({"matchLabels": {"b": "1", "a": "2"}, "matchExpressions": [{"key": "c", "operator": "In", "values": ["y", "x"]}]});
        assert_eq!(
            LabelSelector::from_value(&value).unwrap().to_string(),
            "a=2,b=1,c in (x,y)"
        );
        assert!(LabelSelector::from_value(&Value::Null).is_none());
    }

    #[test]
    fn fields_are_equal_or_not() {
        let selector = FieldSelector::parse("metadata.name=a,status.phase!=Running").unwrap();
        assert!(selector.matches(|key| if key == "metadata.name" {
            "a".into()
        } else {
            "Pending".into()
        }));
        assert!(FieldSelector::parse("name").is_err());
    }
}
