//! Splits a template into tokens, as Go's scanner does.
//!
//! The whole text is scanned at once; what cannot be scanned ends the list with a [`Kind::Error`] token, which the parser reports when it
//! gets there (an earlier grammar error wins, as in Go).

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Error,
    Bool,
    Char,
    CharConstant,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl Kind {
    fn is_keyword(self) -> bool {
        matches!(
            self,
            Self::Block
                | Self::Break
                | Self::Continue
                | Self::Dot
                | Self::Define
                | Self::Else
                | Self::End
                | Self::If
                | Self::Nil
                | Self::Range
                | Self::Template
                | Self::With
        )
    }
}

/// One token.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Byte offset in the template.
    pub(crate) pos: usize,
    pub(crate) val: String,
    /// Line, counted from 1.
    pub(crate) line: usize,
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            Kind::Eof => f.write_str("EOF"),
            Kind::Error => f.write_str(&self.val),
            kind if kind.is_keyword() => write!(f, "<{}>", self.val),
            _ if self.val.len() > 10 => {
                let head: String = self.val.chars().take(10).collect();
                write!(f, "{}...", crate::gofmt::quote(head.as_bytes()))
            }
            _ => f.write_str(&crate::gofmt::quote(self.val.as_bytes())),
        }
    }
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";
const LEFT_COMMENT: &str = "/*";
const RIGHT_COMMENT: &str = "*/";

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn has_left_trim(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 2 && bytes[0] == b'-' && is_space(char::from(bytes[1]))
}

fn has_right_trim(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 2 && is_space(char::from(bytes[0])) && bytes[1] == b'-'
}

/// Whether a character can stand in a name.
fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// All tokens of a template; the last is `Eof` or `Error`.
pub(crate) fn tokens(input: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        input,
        pos: 0,
        start: 0,
        line: 1,
        start_line: 1,
        paren_depth: 0,
        out: Vec::new(),
    };
    lexer.run();
    lexer.out
}

struct Lexer<'a> {
    input: &'a str,
    pos: usize,
    start: usize,
    line: usize,
    start_line: usize,
    paren_depth: usize,
    out: Vec<Token>,
}

/// The scan ended with an error token.
struct Stop;

impl<'a> Lexer<'a> {
    fn run(&mut self) {
        while self.pos < self.input.len() {
            if self.text().is_err() {
                return;
            }
        }
        self.start = self.pos;
        self.start_line = self.line;
        self.emit(Kind::Eof);
    }

    fn rest(&self) -> &'a str {
        &self.input[self.pos..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    fn advance(&mut self, bytes: usize) {
        let skipped = &self.input[self.pos..self.pos + bytes];
        self.line += skipped.bytes().filter(|b| *b == b'\n').count();
        self.pos += bytes;
    }

    fn ignore(&mut self) {
        self.start = self.pos;
        self.start_line = self.line;
    }

    fn emit(&mut self, kind: Kind) {
        let val = self.input[self.start..self.pos].to_owned();
        self.out.push(Token {
            kind,
            pos: self.start,
            val,
            line: self.start_line,
        });
        self.ignore();
    }

    fn error(&mut self, message: impl Into<String>) -> Stop {
        self.out.push(Token {
            kind: Kind::Error,
            pos: self.start,
            val: message.into(),
            line: self.start_line,
        });
        Stop
    }

    /// Text up to the next action, and the action.
    fn text(&mut self) -> Result<(), Stop> {
        let Some(found) = self.rest().find(LEFT) else {
            let len = self.rest().len();
            self.advance(len);
            if self.pos > self.start {
                self.emit(Kind::Text);
            }
            return Ok(());
        };
        let text = &self.rest()[..found];
        let kept = if has_left_trim(&self.rest()[found + LEFT.len()..]) {
            text.trim_end_matches(is_space).len()
        } else {
            found
        };
        self.advance(kept);
        if self.pos > self.start {
            self.emit(Kind::Text);
        }
        self.advance(found - kept);
        self.ignore();
        self.left_delim()
    }

    fn left_delim(&mut self) -> Result<(), Stop> {
        self.advance(LEFT.len());
        let trim = has_left_trim(self.rest());
        let marker = if trim { 2 } else { 0 };
        if self.rest()[marker..].starts_with(LEFT_COMMENT) {
            self.advance(marker);
            self.ignore();
            return self.comment();
        }
        self.emit(Kind::LeftDelim);
        self.advance(marker);
        self.ignore();
        self.paren_depth = 0;
        self.inside_action()
    }

    fn comment(&mut self) -> Result<(), Stop> {
        self.advance(LEFT_COMMENT.len());
        let Some(end) = self.rest().find(RIGHT_COMMENT) else {
            return Err(self.error("unclosed comment"));
        };
        self.advance(end + RIGHT_COMMENT.len());
        let Some(trim) = self.at_right_delim() else {
            return Err(self.error("comment ends before closing delimiter"));
        };
        self.close_action(trim);
        Ok(())
    }

    /// Skips the closing delimiter and, after a trim marker, the white space behind it.
    fn close_action(&mut self, trim: bool) {
        if trim {
            self.advance(2);
        }
        self.advance(RIGHT.len());
        if trim {
            let rest = self.rest();
            let spaces = rest.len() - rest.trim_start_matches(is_space).len();
            self.advance(spaces);
        }
        self.ignore();
    }

    /// Whether the closing delimiter stands here, and whether it trims.
    fn at_right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        if has_right_trim(rest) && rest[2..].starts_with(RIGHT) {
            return Some(true);
        }
        rest.starts_with(RIGHT).then_some(false)
    }

    fn right_delim(&mut self, trim: bool) {
        if trim {
            self.advance(2);
            self.ignore();
        }
        self.advance(RIGHT.len());
        self.emit(Kind::RightDelim);
        if trim {
            let rest = self.rest();
            let spaces = rest.len() - rest.trim_start_matches(is_space).len();
            self.advance(spaces);
            self.ignore();
        }
    }

    fn inside_action(&mut self) -> Result<(), Stop> {
        loop {
            if let Some(trim) = self.at_right_delim() {
                if self.paren_depth > 0 {
                    return Err(self.error("unclosed left paren"));
                }
                self.right_delim(trim);
                return Ok(());
            }
            let Some(c) = self.next() else {
                return Err(self.error("unclosed action"));
            };
            self.action_item(c)?;
        }
    }

    fn action_item(&mut self, c: char) -> Result<(), Stop> {
        match c {
            _ if is_space(c) => self.space(),
            '=' => self.emit(Kind::Assign),
            ':' => {
                if self.next() != Some('=') {
                    return Err(self.error("expected :="));
                }
                self.emit(Kind::Declare);
            }
            '|' => self.emit(Kind::Pipe),
            '"' => return self.quoted('"', Kind::String, "unterminated quoted string"),
            '\'' => return self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '`' => return self.raw_string(),
            '$' => return self.field_or_variable(Kind::Variable),
            '.' if !self.peek().is_some_and(|next| next.is_ascii_digit()) => {
                if self.peek().is_none() {
                    return self.number();
                }
                return self.field_or_variable(Kind::Field);
            }
            '.' | '+' | '-' | '0'..='9' => return self.number(),
            _ if is_name(c) => return self.identifier(),
            '(' => {
                self.paren_depth += 1;
                self.emit(Kind::LeftParen);
            }
            ')' => {
                let Some(depth) = self.paren_depth.checked_sub(1) else {
                    return Err(self.error("unexpected right paren"));
                };
                self.paren_depth = depth;
                self.emit(Kind::RightParen);
            }
            _ if c == ' ' || c.is_ascii_graphic() => self.emit(Kind::Char),
            _ => {
                let shown = describe(c);
                return Err(self.error(format!("unrecognized character in action: {shown}")));
            }
        }
        Ok(())
    }

    fn space(&mut self) {
        let mut count = 1;
        while self.peek().is_some_and(is_space) {
            self.next();
            count += 1;
        }
        // The last space may be the first half of a trim marker.
        let before = self.pos - 1;
        let tail = &self.input[before..];
        if has_right_trim(tail) && tail[2..].starts_with(RIGHT) {
            if self.input.as_bytes()[before] == b'\n' {
                self.line -= 1;
            }
            self.pos = before;
            if count == 1 {
                return;
            }
        }
        self.emit(Kind::Space);
    }

    fn quoted(&mut self, end: char, kind: Kind, unterminated: &str) -> Result<(), Stop> {
        loop {
            match self.next() {
                Some('\\') if self.peek().is_some_and(|c| c != '\n') => {
                    self.next();
                }
                None | Some('\n' | '\\') => return Err(self.error(unterminated)),
                Some(c) if c == end => break,
                Some(_) => {}
            }
        }
        self.emit(kind);
        Ok(())
    }

    fn raw_string(&mut self) -> Result<(), Stop> {
        loop {
            match self.next() {
                None => return Err(self.error("unterminated raw quoted string")),
                Some('`') => break,
                Some(_) => {}
            }
        }
        self.emit(Kind::RawString);
        Ok(())
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(c) => is_space(c) || self.rest().starts_with(RIGHT),
        }
    }

    fn bad_character(&mut self) -> Stop {
        let shown = self.peek().map(describe).unwrap_or_default();
        self.error(format!("bad character {shown}"))
    }

    fn identifier(&mut self) -> Result<(), Stop> {
        while self.peek().is_some_and(is_name) {
            self.next();
        }
        if !self.at_terminator() {
            return Err(self.bad_character());
        }
        let kind = match &self.input[self.start..self.pos] {
            "block" => Kind::Block,
            "break" => Kind::Break,
            "continue" => Kind::Continue,
            "define" => Kind::Define,
            "else" => Kind::Else,
            "end" => Kind::End,
            "if" => Kind::If,
            "nil" => Kind::Nil,
            "range" => Kind::Range,
            "template" => Kind::Template,
            "with" => Kind::With,
            "true" | "false" => Kind::Bool,
            _ => Kind::Identifier,
        };
        self.emit(kind);
        Ok(())
    }

    fn field_or_variable(&mut self, kind: Kind) -> Result<(), Stop> {
        if self.at_terminator() {
            self.emit(if kind == Kind::Variable {
                Kind::Variable
            } else {
                Kind::Dot
            });
            return Ok(());
        }
        while self.peek().is_some_and(is_name) {
            self.next();
        }
        if !self.at_terminator() {
            return Err(self.bad_character());
        }
        self.emit(kind);
        Ok(())
    }

    fn number(&mut self) -> Result<(), Stop> {
        self.pos = self.start;
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        while self.accept(digits) {}
        if self.accept(".") {
            while self.accept(digits) {}
        }
        let exponent = match digits.len() {
            11 => self.accept("eE"),
            23 => self.accept("pP"),
            _ => false,
        };
        if exponent {
            self.accept("+-");
            while self.accept("0123456789_") {}
        }
        if self.peek().is_some_and(is_name) || self.pos == self.start {
            self.next();
            let text = crate::gofmt::quote(&self.input.as_bytes()[self.start..self.pos]);
            return Err(self.error(format!("bad number syntax: {text}")));
        }
        self.emit(Kind::Number);
        Ok(())
    }

    fn accept(&mut self, valid: &str) -> bool {
        let found = self.peek().is_some_and(|c| valid.contains(c));
        if found {
            self.next();
        }
        found
    }
}

/// A character as Go's `%#U` shows it.
fn describe(c: char) -> String {
    if c.is_control() {
        format!("U+{:04X}", u32::from(c))
    } else {
        format!("U+{:04X} '{c}'", u32::from(c))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        tokens(text).into_iter().map(|t| t.kind).collect()
    }

    #[test]
    fn trims_and_comments() {
        let shown: Vec<String> = tokens("a {{- 3 -}} b{{/* x */}} c")
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(shown, ["\"a\"", "\"{{\"", "\"3\"", "\"}}\"", "\"b\"", "\" c\"", "EOF"]);
        assert_eq!(
            kinds("{{-3}}"),
            [Kind::LeftDelim, Kind::Number, Kind::RightDelim, Kind::Eof]
        );
    }

    #[test]
    fn errors_are_tokens() {
        for (text, message) in [
            ("{{/* x", "unclosed comment"),
            ("{{ (", "unclosed action"),
            ("{{ ( }}", "unclosed left paren"),
            ("{{ ) }}", "unexpected right paren"),
            ("{{ \"a\nb\" }}", "unterminated quoted string"),
            ("{{ 3k }}", "bad number syntax: \"3k\""),
            ("{{ : }}", "expected :="),
            ("{{ \u{1} }}", "unrecognized character in action: U+0001"),
            ("{{ a\u{2603} }}", "bad character U+2603 '\u{2603}'"),
        ] {
            let last = tokens(text).pop().expect("tokens end with one");
            assert_eq!((last.kind, last.val.as_str()), (Kind::Error, message), "{text}");
        }
    }
}
