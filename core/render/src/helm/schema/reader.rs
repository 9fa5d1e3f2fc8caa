//! JSON as Go reads it: bytes that are no UTF-8 and halves of surrogate pairs are U+FFFD, of two fields with one name the last counts.
//! What is wrong is said in Go's words.

use capstan_template::grow;

use super::budget::{Budget, Refused};
use super::json::{Fields, Json, VALUE_SIZE};
use super::number::Number;
use super::words::quote_go;

/// Lists and objects in each other.
const MAX_DEPTH: usize = 1000;

impl Json {
    /// The one value of a text.
    pub(super) fn read(text: &[u8], budget: &mut Budget) -> Result<Self, Refused> {
        let mut reader = Reader {
            text,
            at: 0,
            depth: 0,
            budget,
        };
        reader.space();
        if reader.peek().is_none() {
            return Err("EOF".to_owned().into());
        }
        let value = reader.value()?;
        reader.space();
        match reader.peek() {
            None => Ok(value),
            Some(_) => Err("invalid character after top-level value".to_owned().into()),
        }
    }
}

struct Reader<'t, 'b> {
    text: &'t [u8],
    at: usize,
    depth: usize,
    budget: &'b mut Budget,
}

type Read<T> = Result<T, Refused>;

impl Reader<'_, '_> {
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
            return Err("unexpected EOF".to_owned().into());
        };
        let shown = match byte {
            b'\'' => "'\\''".to_owned(),
            b'"' => "'\"'".to_owned(),
            _ => format!("'{}'", quote_go(&char::from(byte).to_string()).trim_matches('"')),
        };
        Err(format!("invalid character {shown} {place}").into())
    }

    fn value(&mut self) -> Read<Json> {
        self.budget.spend(1)?;
        self.budget.take(VALUE_SIZE)?;
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'"') => Ok(Json::Text(self.string()?.into())),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal("true", Json::Bool(true)),
            Some(b'f') => self.literal("false", Json::Bool(false)),
            Some(b'n') => self.literal("null", Json::Null),
            _ => self.wrong("looking for beginning of value"),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Read<Json>) -> Read<Json> {
        if self.depth == MAX_DEPTH {
            let reason = format!("exceeded max depth: more than {MAX_DEPTH} lists and objects in each other");
            return Err(reason.into());
        }
        self.depth += 1;
        self.at += 1;
        let value = grow(|| read(self));
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Read<Json> {
        let mut fields = Vec::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(Fields::default()));
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
            fields.push((name.into(), value));
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return self.wrong("after object key:value pair"),
            }
        }
        self.at += 1;
        Ok(Json::Object(Fields::new(fields)))
    }

    fn list(&mut self) -> Read<Json> {
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::List(Box::default()));
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
        Ok(Json::List(items.into()))
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
        self.budget.take(text.len())?;
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
        self.budget.take(text.len())?;
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

    fn read(text: &[u8]) -> Read<Json> {
        Json::read(text, &mut Budget::FULL.clone())
    }

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
            assert_eq!(read(written).unwrap().as_text(), Some(expected));
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
            assert_eq!(read(written.as_bytes()).unwrap_err().to_string(), expected, "{written}");
        }
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(nested(MAX_DEPTH).as_bytes()).is_ok());
        let error = read(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with("exceeded max depth"), "{error}");
    }
}
