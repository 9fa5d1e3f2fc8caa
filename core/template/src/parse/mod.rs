//! Builds templates from tokens, by Go's grammar and with Go's complaints.

mod pipeline;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ast::{Branch, Source, Stmt, Template, is_blank};
use crate::garbled::{Marked, Reading};
use crate::lex::{Kind, Lexer, Token};
use crate::literal;
use crate::stack::grow;

/// How deep blocks and parentheses may nest.
pub(crate) const MAX_NESTING: usize = 500;

/// How many nodes one text may have: its parsed form takes some 200 bytes for each.
pub(crate) const MAX_NODES: usize = 1_000_000;

/// A text that is not a template. The message starts with `template: name:line: `, as Go's does.
pub(crate) type ParseResult<T> = Result<T, String>;

/// Parses a text into the template it is and those it defines, by name.
pub(crate) fn parse(
    name: &str,
    bytes: &[u8],
    has_function: &dyn Fn(&str) -> bool,
) -> ParseResult<BTreeMap<String, Arc<Template>>> {
    let marked = Marked::of(bytes);
    let text = &*marked.text;
    let source = Arc::new(Source {
        name: name.to_owned(),
        text: text.to_owned(),
    });
    let mut parser = Parser {
        lexer: Lexer::new(text),
        reading: marked.reading(),
        at: 0,
        reached: 0,
        reached_line: 1,
        nodes: 0,
        action_line: 0,
        depth: 0,
        range_depth: 0,
        variables: vec!["$".to_owned()],
        source,
        defined: BTreeMap::new(),
        has_function,
    };
    let root = parser.top_level()?;
    parser.add(name.to_owned(), root)?;
    Ok(parser.defined)
}

struct Parser<'a, 'f> {
    lexer: Lexer<'a>,
    reading: Reading,
    /// The number of the next token.
    at: usize,
    /// The furthest token looked at, and its line: where Go's errors say they are.
    reached: usize,
    reached_line: usize,
    nodes: usize,
    action_line: usize,
    depth: usize,
    range_depth: usize,
    variables: Vec<String>,
    source: Arc<Source>,
    defined: BTreeMap<String, Arc<Template>>,
    has_function: &'f dyn Fn(&str) -> bool,
}

/// What ended a list of statements.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    End,
    Else,
}

impl End {
    fn shown(self) -> &'static str {
        match self {
            Self::End => "{{end}}",
            Self::Else => "{{else}}",
        }
    }
}

enum Item {
    Stmt(Stmt),
    End(End),
}

impl<'a> Parser<'a, '_> {
    fn peek(&mut self) -> &Token<'a> {
        let (number, token) = self.lexer.token(self.at);
        if number >= self.reached {
            self.reached = number;
            self.reached_line = token.line;
        }
        token
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek().clone();
        // The last token is never passed.
        if !matches!(token.kind, Kind::Eof | Kind::Error) {
            self.at += 1;
        }
        token
    }

    /// Goes back by the token that was just taken.
    fn back(&mut self, token: &Token<'_>) {
        if !matches!(token.kind, Kind::Eof | Kind::Error) {
            self.at -= 1;
        }
    }

    fn skip_spaces(&mut self) {
        while self.peek().kind == Kind::Space {
            self.at += 1;
        }
    }

    fn peek_non_space(&mut self) -> Token<'a> {
        self.skip_spaces();
        self.peek().clone()
    }

    fn next_non_space(&mut self) -> Token<'a> {
        self.skip_spaces();
        self.next()
    }

    fn error<T>(&self, message: impl std::fmt::Display) -> ParseResult<T> {
        Err(format!(
            "template: {}:{}: {message}",
            self.source.name, self.reached_line
        ))
    }

    /// Counts a node.
    fn count(&mut self) -> ParseResult<()> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return self.error(format!("limit nodes: a template of more than {MAX_NODES} nodes"));
        }
        Ok(())
    }

    fn unexpected<T>(&self, token: &Token<'_>, context: &str) -> ParseResult<T> {
        if token.kind == Kind::Error {
            let mut extra = String::new();
            if self.action_line != 0 && self.action_line != token.line {
                extra = format!(" in action started at {}:{}", self.source.name, self.action_line);
                if token.val.ends_with(" action") {
                    extra = extra[" in action".len()..].to_owned();
                }
            }
            return self.error(format!("{token}{extra}"));
        }
        self.error(format!("unexpected {token} in {context}"))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> ParseResult<Token<'a>> {
        let token = self.next_non_space();
        if token.kind == kind {
            Ok(token)
        } else {
            self.unexpected(&token, context)
        }
    }

    /// Remembers a definition; a second one that is not blank is an error.
    fn add(&mut self, name: String, root: Vec<Stmt>) -> ParseResult<()> {
        let old_counts = self.defined.get(&name).is_some_and(|old| !old.is_empty());
        if old_counts {
            if is_blank(&root) {
                return Ok(());
            }
            let shown = crate::gofmt::quote(name.as_bytes());
            return self.error(format!("template: multiple definition of template {shown}"));
        }
        let template = Template {
            name: name.clone(),
            source: Arc::clone(&self.source),
            root,
        };
        self.defined.insert(name, Arc::new(template));
        Ok(())
    }

    fn top_level(&mut self) -> ParseResult<Vec<Stmt>> {
        let mut root = Vec::new();
        while self.peek().kind != Kind::Eof {
            if self.peek().kind == Kind::LeftDelim {
                let before = self.at;
                self.next();
                if self.next_non_space().kind == Kind::Define {
                    self.definition()?;
                    continue;
                }
                self.at = before;
            }
            match self.text_or_action()? {
                Item::Stmt(stmt) => root.push(stmt),
                Item::End(end) => return self.error(format!("unexpected {}", end.shown())),
            }
        }
        Ok(root)
    }

    fn definition(&mut self) -> ParseResult<()> {
        let name = self.template_name("define clause")?.1;
        self.expect(Kind::RightDelim, "define clause")?;
        let (list, end) = self.separate(Self::item_list)?;
        if end != End::End {
            return self.error(format!("unexpected {} in define clause", end.shown()));
        }
        self.add(name, list)
    }

    /// Parses a body that sees none of the surrounding variables and loops.
    fn separate<T>(&mut self, body: impl FnOnce(&mut Self) -> ParseResult<T>) -> ParseResult<T> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let range_depth = std::mem::take(&mut self.range_depth);
        let result = body(self);
        self.variables = variables;
        self.range_depth = range_depth;
        result
    }

    fn item_list(&mut self) -> ParseResult<(Vec<Stmt>, End)> {
        let mut list = Vec::new();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Item::Stmt(stmt) => list.push(stmt),
                Item::End(end) => return Ok((list, end)),
            }
        }
        self.error("unexpected EOF")
    }

    fn text_or_action(&mut self) -> ParseResult<Item> {
        self.count()?;
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Item::Stmt(Stmt::Text {
                pos: token.pos,
                text: crate::value::Text::from(&*self.reading.bytes(token.val.as_bytes())),
            })),
            Kind::LeftDelim => {
                self.action_line = token.line;
                let item = self.action();
                self.action_line = 0;
                item
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> ParseResult<Item> {
        let token = self.next_non_space();
        let pos = token.pos;
        Ok(Item::Stmt(match token.kind {
            Kind::Block => self.block()?,
            Kind::Break => self.loop_exit("break", Stmt::Break { pos })?,
            Kind::Continue => self.loop_exit("continue", Stmt::Continue { pos })?,
            Kind::Else => {
                let next = self.peek_non_space().kind;
                if !matches!(next, Kind::If | Kind::With) {
                    self.expect(Kind::RightDelim, "else")?;
                }
                return Ok(Item::End(End::Else));
            }
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Item::End(End::End));
            }
            Kind::If => Stmt::If {
                pos,
                branch: self.control("if")?,
            },
            Kind::Range => Stmt::Range {
                pos,
                branch: self.control("range")?,
            },
            Kind::With => Stmt::With {
                pos,
                branch: self.control("with")?,
            },
            Kind::Template => {
                let (pos, name) = self.template_name("template clause")?;
                let pipe = if self.peek_non_space().kind == Kind::RightDelim {
                    self.next();
                    None
                } else {
                    Some(self.pipeline("template clause", Kind::RightDelim)?)
                };
                Stmt::Template { pos, name, pipe }
            }
            _ => {
                self.back(&token);
                let pos = self.peek().pos;
                Stmt::Action {
                    pos,
                    pipe: self.pipeline("command", Kind::RightDelim)?,
                }
            }
        }))
    }

    fn loop_exit(&mut self, word: &str, stmt: Stmt) -> ParseResult<Stmt> {
        let token = self.next_non_space();
        if token.kind != Kind::RightDelim {
            return self.unexpected(&token, &format!("{{{{{word}}}}}"));
        }
        if self.range_depth == 0 {
            return self.error(format!("{{{{{word}}}}} outside {{{{range}}}}"));
        }
        Ok(stmt)
    }

    /// The bytes a quoted string stands for.
    fn unquote(&self, token: &Token<'_>) -> Option<Vec<u8>> {
        let bytes = literal::unquote(&token.val)?;
        let bytes = match token.kind {
            Kind::RawString => self.reading.bytes(&bytes),
            _ => self.reading.text(&bytes),
        };
        Some(bytes.into_owned())
    }

    fn template_name(&mut self, context: &str) -> ParseResult<(usize, String)> {
        let token = self.next_non_space();
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return self.unexpected(&token, context);
        }
        match self.unquote(&token) {
            Some(name) => Ok((token.pos, String::from_utf8_lossy(&name).into_owned())),
            None => self.error("invalid syntax"),
        }
    }

    fn block(&mut self) -> ParseResult<Stmt> {
        let (pos, name) = self.template_name("block clause")?;
        let pipe = self.pipeline("block clause", Kind::RightDelim)?;
        let (list, end) = self.separate(|parser| parser.nested(Self::item_list))?;
        if end != End::End {
            return self.error(format!("unexpected {} in block clause", end.shown()));
        }
        self.add(name.clone(), list)?;
        Ok(Stmt::Template {
            pos,
            name,
            pipe: Some(pipe),
        })
    }

    /// One more level of nesting.
    fn nested<T>(&mut self, body: impl FnOnce(&mut Self) -> ParseResult<T>) -> ParseResult<T> {
        if self.depth >= MAX_NESTING {
            return self.error(format!(
                "limit nesting: blocks and parentheses nest deeper than {MAX_NESTING} levels"
            ));
        }
        self.depth += 1;
        let result = grow(|| body(self));
        self.depth -= 1;
        result
    }

    fn control(&mut self, context: &'static str) -> ParseResult<Branch> {
        let variables = self.variables.len();
        let branch = self.nested(|parser| parser.branch(context));
        self.variables.truncate(variables);
        branch
    }

    fn branch(&mut self, context: &'static str) -> ParseResult<Branch> {
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        let looping = usize::from(context == "range");
        self.range_depth += looping;
        let (list, end) = self.item_list()?;
        self.range_depth -= looping;
        let mut otherwise = None;
        if end == End::Else {
            let next = self.peek().clone();
            let chained = match (context, next.kind) {
                ("if", Kind::If) => Some("if"),
                ("with", Kind::With) => Some("with"),
                _ => None,
            };
            if let Some(word) = chained {
                self.next();
                let branch = self.control(word)?;
                let pos = next.pos;
                otherwise = Some(vec![if word == "if" {
                    Stmt::If { pos, branch }
                } else {
                    Stmt::With { pos, branch }
                }]);
            } else {
                let (list, end) = self.item_list()?;
                if end != End::End {
                    return self.error(format!("expected end; found {}", end.shown()));
                }
                otherwise = Some(list);
            }
        }
        Ok(Branch { pipe, list, otherwise })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        parse("t", text.as_bytes(), &|name| name == "printf").expect_err(text)
    }

    #[test]
    fn printed_as_go_prints() {
        let text = "{{ $x , $y := 1 }}";
        assert_eq!(complaint(text), "template: t:1: too many declarations in command");
        let text = "{{if (printf \"a\" .b.c $).d | printf}}x{{else if true}}{{.}}{{else}}{{template \"q\" nil}}{{end}}";
        let parsed = parse("t", text.as_bytes(), &|_| true).expect(text);
        assert_eq!(
            parsed["t"].root[0].to_string(),
            "{{if (printf \"a\" .b.c $).d | printf}}x{{else}}{{if true}}{{.}}{{else}}{{template \"q\" nil}}{{end}}{{end}}"
        );
    }

    #[test]
    fn complaints() {
        for (text, message) in [
            ("{{ nope 1 }}", "function \"nope\" not defined"),
            ("{{ $z }}", "undefined variable \"$z\""),
            ("{{ if true }}", "unexpected EOF"),
            ("{{ end }}", "unexpected {{end}}"),
            ("{{ break }}", "{{break}} outside {{range}}"),
            ("{{ if }}{{end}}", "missing value for if"),
            ("{{ . | 3 }}", "non executable command in pipeline stage 2"),
            ("{{ 3.a }}", "bad number syntax: \"3.a\""),
            ("{{ \"x\".a }}", "unexpected . after term \"\\\"x\\\"\""),
            (
                "{{ if true }}{{ define \"x\" }}{{ end }}{{ end }}",
                "unexpected <define> in command",
            ),
            (
                "{{ if true }}{{ else }}{{ else }}{{ end }}",
                "expected end; found {{else}}",
            ),
        ] {
            assert_eq!(complaint(text), format!("template: t:1: {message}"), "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(complaint(&deep).contains("limit nesting"));
        assert!(complaint(&"{{ if true }}".repeat(100_000)).contains("limit nesting"));
    }
}
