//! Request bodies to values: JSON with the duplicates it hides and the messages Go's decoder gives, or YAML.
//!
//! The server decodes a body twice, leniently and strictly; the strict pass reports duplicate fields as a warning or an error by
//! `fieldValidation`. One scan here gives the value (the last duplicate wins) and the paths of the duplicates.

use serde_json::{Map, Number, Value};

/// A decoded body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decoded {
    /// The value.
    pub value: Value,
    /// Paths of fields given more than once, e.g. `data.a`, in order.
    pub duplicates: Vec<String>,
}

/// A body that is no JSON; the text is Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct SyntaxError {
    /// As Go's `encoding/json` words it.
    pub message: String,
}

const DEPTH: usize = 10_000;

/// Decodes JSON.
///
/// # Errors
/// [`SyntaxError`] with Go's message for the first byte that does not fit.
pub(crate) fn json(bytes: &[u8]) -> Result<Decoded, SyntaxError> {
    let mut scanner = Scanner {
        bytes,
        at: 0,
        path: Vec::new(),
        duplicates: Vec::new(),
    };
    let value = scanner.document().map_err(|message| SyntaxError { message })?;
    Ok(Decoded {
        value,
        duplicates: scanner.duplicates,
    })
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    path: Vec<String>,
    duplicates: Vec<String>,
}

type Scan<T> = Result<T, String>;

impl Scanner<'_> {
    fn document(&mut self) -> Scan<Value> {
        self.space();
        let value = self.value()?;
        self.space();
        match self.bytes.get(self.at) {
            None => Ok(value),
            Some(_) => Err(self.invalid("after top-level value")),
        }
    }

    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn invalid(&self, context: &str) -> String {
        let Some(rest) = self.bytes.get(self.at..).filter(|rest| !rest.is_empty()) else {
            return "unexpected end of JSON input".to_owned();
        };
        let shown = match rest[0] {
            b'\'' => r"'\''".to_owned(),
            b'"' => "'\"'".to_owned(),
            b'\n' => r"'\n'".to_owned(),
            b'\t' => r"'\t'".to_owned(),
            b'\r' => r"'\r'".to_owned(),
            b'\\' => r"'\\'".to_owned(),
            byte if byte < 0x20 || byte == 0x7f => format!("'\\x{byte:02x}'"),
            byte => format!("'{}'", char::from(byte)),
        };
        format!("invalid character {shown} {context}")
    }

    fn value(&mut self) -> Scan<Value> {
        if self.path.len() > DEPTH {
            return Err("exceeded max depth".to_owned());
        }
        match self.bytes.get(self.at) {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.invalid("looking for beginning of value")),
        }
    }

    fn literal(&mut self, word: &str, value: Value) -> Scan<Value> {
        for (i, expected) in word.bytes().enumerate() {
            if self.bytes.get(self.at) != Some(&expected) {
                return Err(self.invalid(&format!("in literal {word} (expecting '{}')", &word[i..=i])));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn object(&mut self) -> Scan<Value> {
        let mut map = Map::new();
        self.at += 1;
        self.space();
        if self.bytes.get(self.at) == Some(&b'}') {
            self.at += 1;
            return Ok(Value::Object(map));
        }
        loop {
            self.space();
            if self.bytes.get(self.at) != Some(&b'"') {
                return Err(self.invalid("looking for beginning of object key string"));
            }
            let key = self.string()?;
            self.space();
            if self.bytes.get(self.at) != Some(&b':') {
                return Err(self.invalid("after object key"));
            }
            self.at += 1;
            self.space();
            self.path.push(key.clone());
            let value = self.value()?;
            if map.contains_key(&key) {
                self.duplicates.push(shown_path(&self.path));
            }
            self.path.pop();
            map.insert(key, value);
            self.space();
            match self.bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(map));
                }
                _ => return Err(self.invalid("after object key:value pair")),
            }
        }
    }

    fn array(&mut self) -> Scan<Value> {
        let mut items = Vec::new();
        self.at += 1;
        self.space();
        if self.bytes.get(self.at) == Some(&b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            self.space();
            self.path.push(format!("[{}]", items.len()));
            items.push(self.value()?);
            self.path.pop();
            self.space();
            match self.bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                _ => return Err(self.invalid("after array element")),
            }
        }
    }

    fn string(&mut self) -> Scan<String> {
        self.at += 1;
        let mut out: Vec<u8> = Vec::new();
        loop {
            match self.bytes.get(self.at).copied() {
                None => return Err(self.invalid("")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(String::from_utf8_lossy(&out).into_owned());
                }
                Some(b'\\') => {
                    let c = self.escape()?;
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(byte) if byte < 0x20 => return Err(self.invalid("in string literal")),
                Some(byte) => {
                    out.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    fn escape(&mut self) -> Scan<char> {
        self.at += 1;
        let c = match self.bytes.get(self.at) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.invalid("in string escape code")),
        };
        self.at += 1;
        Ok(c)
    }

    fn unicode(&mut self) -> Scan<char> {
        let high = self.hex4()?;
        let pair = (0xd800..0xdc00).contains(&high) && self.bytes.get(self.at..self.at + 2) == Some(b"\\u");
        if pair {
            let before = self.at;
            self.at += 1;
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or('\u{fffd}'));
            }
            self.at = before;
        }
        Ok(char::from_u32(high).unwrap_or('\u{fffd}'))
    }

    /// The four digits after `u`, which `at` is on.
    fn hex4(&mut self) -> Scan<u32> {
        self.at += 1;
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.bytes.get(self.at).and_then(|b| char::from(*b).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.invalid("in \\u hexadecimal character escape"));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn number(&mut self) -> Scan<Value> {
        let start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        match self.bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.invalid("in numeric literal")),
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            if !matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
                return Err(self.invalid("after decimal point in numeric literal"));
            }
            self.digits();
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
                return Err(self.invalid("in exponent of numeric literal"));
            }
            self.digits();
        }
        let text = String::from_utf8_lossy(&self.bytes[start..self.at]);
        let integer = text.parse::<i64>().map(Number::from).ok();
        let number = integer.or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64));
        number
            .map(Value::Number)
            .ok_or_else(|| format!("json: cannot unmarshal number {text} into Go value of type float64"))
    }

    fn digits(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }
}

/// `a.b[0].c` out of the parts `a`, `b`, `[0]`, `c`.
fn shown_path(parts: &[String]) -> String {
    let mut out = String::new();
    for part in parts {
        if !out.is_empty() && !part.starts_with('[') {
            out.push('.');
        }
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_duplicate_wins_and_is_reported() {
        let decoded = json(br#"{"data":{"a":"1","a":"2"},"l":[{"b":1,"b":2}]}"#).unwrap();
        assert_eq!(decoded.value, json!({"data": {"a": "2"}, "l": [{"b": 2}]}));
        assert_eq!(decoded.duplicates, ["data.a", "l[0].b"]);
    }

    #[test]
    fn refusals_are_worded_as_go_words_them() {
        let message = |text: &str| json(text.as_bytes()).unwrap_err().message;
        assert_eq!(
            message("{not json"),
            "invalid character 'n' looking for beginning of object key string"
        );
        assert_eq!(message("{\"a\":1"), "unexpected end of JSON input");
        assert_eq!(message("[1,]"), "invalid character ']' looking for beginning of value");
        assert_eq!(message("tru3"), "invalid character '3' in literal true (expecting 'e')");
        assert_eq!(message("{} x"), "invalid character 'x' after top-level value");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC*".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("\\PC*", inner, 0..4).prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_serde_writes_is_read_back(value in any_json()) {
            let decoded = json(value.to_string().as_bytes()).unwrap();
            prop_assert_eq!(decoded.value, value);
            prop_assert!(decoded.duplicates.is_empty());
        }
    }
}
