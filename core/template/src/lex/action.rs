//! What stands between the delimiters of an action.

use super::{Kind, Lexer, RIGHT, Stop, has_right_trim, is_name, is_space};
use crate::gofmt::describe;

impl Lexer<'_> {
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

    pub(super) fn action_step(&mut self) -> Result<(), Stop> {
        if let Some(trim) = self.at_right_delim() {
            if self.paren_depth > 0 {
                return Err(self.error("unclosed left paren"));
            }
            self.right_delim(trim);
            self.inside = false;
            return Ok(());
        }
        let Some(c) = self.next() else {
            return Err(self.error("unclosed action"));
        };
        self.action_item(c)
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
            _ if c.is_ascii_graphic() => self.emit(Kind::Char),
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
        let shown = self.peek().map_or_else(|| "U+FFFFFFFFFFFFFFFF".to_owned(), describe);
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
        if !self.scan_number() {
            return Err(self.bad_number());
        }
        if !matches!(self.peek(), Some('+' | '-')) {
            self.emit(Kind::Number);
            return Ok(());
        }
        if !self.scan_number() || !self.input[self.start..self.pos].ends_with('i') {
            return Err(self.bad_number());
        }
        self.emit(Kind::Complex);
        Ok(())
    }

    fn bad_number(&mut self) -> Stop {
        let text = crate::gofmt::quote(&self.input.as_bytes()[self.start..self.pos]);
        self.error(format!("bad number syntax: {text}"))
    }

    fn scan_number(&mut self) -> bool {
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
        self.accept("i");
        if self.peek().is_some_and(is_name) {
            self.next();
            return false;
        }
        true
    }

    fn accept(&mut self, valid: &str) -> bool {
        let found = self.peek().is_some_and(|c| valid.contains(c));
        if found {
            self.next();
        }
        found
    }
}
