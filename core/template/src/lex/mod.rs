//! Splits a template into tokens, as Go's scanner does.
//!
//! The text is scanned piece by piece, as the parser asks for more: a template of megabytes is never a list of tokens. What cannot be
//! scanned ends the tokens with a [`Kind::Error`], which the parser reports when it gets there (an earlier grammar error wins, as in Go).

mod action;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::LazyLock;

use regex::Regex;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Error,
    Bool,
    Char,
    CharConstant,
    Complex,
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
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    /// Byte offset in the template.
    pub(crate) pos: usize,
    pub(crate) val: Cow<'a, str>,
    /// Line, counted from 1.
    pub(crate) line: usize,
}

impl std::fmt::Display for Token<'_> {
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
    if c.is_ascii() {
        return c == '_' || c.is_ascii_alphanumeric();
    }
    LETTERS
        .as_ref()
        .is_some_and(|letters| letters.is_match(c.encode_utf8(&mut [0; 4])))
}

/// Letters and digits of the Unicode version that Go knows.
static LETTERS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[[\p{L}\p{Nd}]&&\p{age:15.0}]$").ok());

/// The tokens that the parser may still look at; the last of a template is `Eof` or `Error`.
pub(crate) struct Lexer<'a> {
    input: &'a str,
    pos: usize,
    start: usize,
    line: usize,
    start_line: usize,
    paren_depth: usize,
    /// Between the delimiters of an action.
    inside: bool,
    done: bool,
    /// How many tokens were dropped before those in the window.
    dropped: usize,
    out: VecDeque<Token<'a>>,
}

/// How many tokens behind the one it asks for the parser may return to.
const WINDOW: usize = 16;

/// The scan ended with an error token.
struct Stop;

impl<'a> Lexer<'a> {
    pub(crate) fn new(input: &'a str) -> Self {
        Self {
            input,
            pos: 0,
            start: 0,
            line: 1,
            start_line: 1,
            paren_depth: 0,
            inside: false,
            done: false,
            dropped: 0,
            out: VecDeque::new(),
        }
    }

    /// The token with a number, or the last one; and its number.
    pub(crate) fn token(&mut self, number: usize) -> (usize, &Token<'a>) {
        while !self.done && self.dropped + self.out.len() <= number {
            self.scan();
        }
        while number.saturating_sub(self.dropped) > WINDOW && self.out.len() > WINDOW {
            self.out.pop_front();
            self.dropped += 1;
        }
        let at = number.saturating_sub(self.dropped).min(self.out.len() - 1);
        (self.dropped + at, &self.out[at])
    }

    /// Scans the text up to the next action and its beginning, or one item of an action.
    fn scan(&mut self) {
        if self.inside {
            self.done = self.action_step().is_err();
            return;
        }
        if self.pos < self.input.len() {
            self.done = self.text().is_err();
            return;
        }
        self.start = self.pos;
        self.start_line = self.line;
        self.emit(Kind::Eof);
        self.done = true;
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
        self.out.push_back(Token {
            kind,
            pos: self.start,
            val: Cow::Borrowed(&self.input[self.start..self.pos]),
            line: self.start_line,
        });
        self.ignore();
    }

    fn error(&mut self, message: impl Into<String>) -> Stop {
        self.out.push_back(Token {
            kind: Kind::Error,
            pos: self.start,
            val: Cow::Owned(message.into()),
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
        self.inside = true;
        Ok(())
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token<'_>> {
        let mut lexer = Lexer::new(text);
        let mut tokens = Vec::new();
        loop {
            let token = lexer.token(tokens.len()).1.clone();
            let last = matches!(token.kind, Kind::Eof | Kind::Error);
            tokens.push(token);
            if last {
                return tokens;
            }
        }
    }

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
            assert_eq!((last.kind, last.val.as_ref()), (Kind::Error, message), "{text}");
        }
    }
}
