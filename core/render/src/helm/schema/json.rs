//! JSON as Go reads it: bytes that are no UTF-8 and halves of surrogate pairs are U+FFFD, of two fields with one name the last counts,
//! numbers keep their digits. What is wrong is said in Go's words.

use std::collections::BTreeMap;

use capstan_template::grow;

use super::number::Number;
use super::words::quote_go;

/// Lists and objects in each other.
pub(super) const MAX_DEPTH: usize = 1000;

#[derive(Clone, Debug)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Self>),
    Object(BTreeMap<String, Self>),
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
    /// The one value of a text.
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        let mut reader = Reader { text, at: 0, depth: 0 };
        reader.space();
        if reader.peek().is_none() {
            return Err("EOF".to_owned());
        }
        let value = reader.value()?;
        reader.space();
        match reader.peek() {
            None => Ok(value),
            Some(_) => Err("invalid character after top-level value".to_owned()),
        }
    }

    /// Gives away what is in it.
    fn release(&mut self, to: &mut Vec<Self>) {
        match self {
            Self::List(items) => to.append(items),
            Self::Object(fields) => to.extend(std::mem::take(fields).into_values()),
            _ => {}
        }
    }

    pub(super) fn of(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(number) => Self::Number(Number::new(&number.to_string())),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(items) => grow(|| Self::List(items.iter().map(Self::of).collect())),
            Value::Object(fields) => grow(|| {
                let fields = fields.iter().map(|(name, value)| (name.clone(), Self::of(value)));
                Self::Object(fields.collect())
            }),
        }
    }

    pub(super) fn as_object(&self) -> Option<&BTreeMap<String, Self>> {
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

    /// Equality by value: `1` is `1.0`.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Number(one), Self::Number(other)) => one.compare(other).is_some_and(std::cmp::Ordering::is_eq),
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::List(one), Self::List(other)) => {
                one.len() == other.len() && grow(|| one.iter().zip(other).all(|(one, other)| one.equals(other)))
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
                    for (name, value) in fields {
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

    /// Values in it, itself included: what a comparison may cost.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::List(items) => 1 + grow(|| items.iter().map(Self::size).sum::<u64>()),
            Self::Object(fields) => 1 + grow(|| fields.values().map(Self::size).sum::<u64>()),
            _ => 1,
        }
    }
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
}

type Read<T> = Result<T, String>;

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// What is wrong with the next byte.
    fn wrong<T>(&self, place: &str) -> Read<T> {
        let Some(byte) = self.peek() else {
            return Err("unexpected EOF".to_owned());
        };
        let shown = match byte {
            b'\'' => "'\\''".to_owned(),
            b'"' => "'\"'".to_owned(),
            _ => format!("'{}'", quote_go(&char::from(byte).to_string()).trim_matches('"')),
        };
        Err(format!("invalid character {shown} {place}"))
    }

    fn value(&mut self) -> Read<Json> {
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal("true", Json::Bool(true)),
            Some(b'f') => self.literal("false", Json::Bool(false)),
            Some(b'n') => self.literal("null", Json::Null),
            _ => self.wrong("looking for beginning of value"),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Read<Json>) -> Read<Json> {
        if self.depth == MAX_DEPTH {
            return Err(format!(
                "exceeded max depth: more than {MAX_DEPTH} lists and objects in each other"
            ));
        }
        self.depth += 1;
        self.at += 1;
        let value = grow(|| read(self));
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Read<Json> {
        let mut fields = BTreeMap::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(fields));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return self.wrong("looking for beginning of object key string");
            }
            let name = self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return self.wrong("after object key");
            }
            self.at += 1;
            self.space();
            let value = self.value()?;
            fields.insert(name, value);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return self.wrong("after object key:value pair"),
            }
        }
        self.at += 1;
        Ok(Json::Object(fields))
    }

    fn list(&mut self) -> Read<Json> {
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::List(items));
        }
        loop {
            self.space();
            items.push(self.value()?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return self.wrong("after array element"),
            }
        }
        self.at += 1;
        Ok(Json::List(items))
    }

    fn literal(&mut self, word: &'static str, value: Json) -> Read<Json> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                return self.wrong(&format!("in literal {word} (expecting '{}')", char::from(expected)));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Read<Json> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ if self.digits() == 0 => return self.wrong("in numeric literal"),
            _ => {}
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return self.wrong("after decimal point in numeric literal");
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return self.wrong("in exponent of numeric literal");
            }
        }
        let text = String::from_utf8_lossy(&self.text[start..self.at]);
        Ok(Json::Number(Number::new(&text)))
    }

    fn string(&mut self) -> Read<String> {
        let mut text = String::new();
        self.at += 1;
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            for part in self.text[start..self.at].utf8_chunks() {
                text.push_str(part.valid());
                text.extend(part.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
            }
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                _ => return self.wrong("in string literal"),
            }
        }
        self.at += 1;
        Ok(text)
    }

    fn escape(&mut self) -> Read<char> {
        let escaped = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return self.wrong("in string escape code"),
        };
        self.at += 1;
        Ok(escaped)
    }

    /// The four digits after `\u`, and those of the other half of a pair.
    fn unicode(&mut self) -> Read<char> {
        let first = self.hexadecimal()?;
        if !(0xd800..0xdc00).contains(&first) || !self.text[self.at..].starts_with(b"\\u") {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let back = self.at;
        self.at += 2;
        let second = self.hexadecimal()?;
        if (0xdc00..0xe000).contains(&second) {
            let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        // What follows a half stands for itself.
        self.at = back;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hexadecimal(&mut self) -> Read<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                return self.wrong("in \\u hexadecimal character escape");
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_go_makes_of_it() {
        for (written, expected) in [
            (&b"\"a\xffb\xe2\x82\""[..], "a\u{fffd}b\u{fffd}\u{fffd}"),
            (br#""\ud800""#, "\u{fffd}"),
            (br#""\ud83d\ude00""#, "😀"),
            (br#""\ud83d\u0041""#, "\u{fffd}A"),
            (br#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (br#""\/\b\f\n\r\t\"\\""#, "/\u{8}\u{c}\n\r\t\"\\"),
        ] {
            assert_eq!(Json::read(written).unwrap().as_text(), Some(expected));
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_gos_words() {
        for (written, expected) in [
            ("", "EOF"),
            (" \n", "EOF"),
            ("{", "unexpected EOF"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            (
                "{'a'}",
                "invalid character '\\'' looking for beginning of object key string",
            ),
            (
                "{\"a\":1,}",
                "invalid character '}' looking for beginning of object key string",
            ),
            ("[1 \"\"]", "invalid character '\"' after array element"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("{\"a\":1 2}", "invalid character '2' after object key:value pair"),
            ("tru", "unexpected EOF"),
            ("nul1", "invalid character '1' in literal null (expecting 'l')"),
            ("-x", "invalid character 'x' in numeric literal"),
            ("1.e", "invalid character 'e' after decimal point in numeric literal"),
            ("1ex", "invalid character 'x' in exponent of numeric literal"),
            ("01", "invalid character after top-level value"),
            ("{} {}", "invalid character after top-level value"),
            ("\"\n\"", "invalid character '\\n' in string literal"),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            (
                "\"\\u12g4\"",
                "invalid character 'g' in \\u hexadecimal character escape",
            ),
            ("ï", "invalid character 'Ã' looking for beginning of value"),
        ] {
            assert_eq!(Json::read(written.as_bytes()).unwrap_err(), expected, "{written}");
        }
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::read(nested(MAX_DEPTH).as_bytes()).is_ok());
        let error = Json::read(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err();
        assert!(error.starts_with("exceeded max depth"), "{error}");
    }
}
