//! Builds templates from tokens, by Go's grammar and with Go's complaints.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ast::{Branch, Command, Expr, ExprKind, Pipe, Source, Stmt, Template, is_blank};
use crate::lex::{Kind, Token, tokens};
use crate::literal;
use crate::stack::grow;

/// How deep blocks and parentheses may nest.
pub(crate) const MAX_NESTING: usize = 500;

/// A text that is not a template. The message starts with `template: name:line: `, as Go's does.
pub(crate) type ParseResult<T> = Result<T, String>;

/// Parses a text into the template it is and those it defines, by name.
pub(crate) fn parse(
    name: &str,
    text: &str,
    has_function: &dyn Fn(&str) -> bool,
) -> ParseResult<BTreeMap<String, Arc<Template>>> {
    let source = Arc::new(Source {
        name: name.to_owned(),
        text: text.to_owned(),
    });
    let mut parser = Parser {
        tokens: tokens(text),
        at: 0,
        reached: 0,
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

struct Parser<'f> {
    tokens: Vec<Token>,
    /// The next token.
    at: usize,
    /// The furthest token looked at: where Go's errors say they are.
    reached: usize,
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

impl Parser<'_> {
    fn peek(&mut self) -> &Token {
        // The last token is always `Eof` or `Error` and never passed.
        let at = self.at.min(self.tokens.len() - 1);
        self.reached = self.reached.max(at);
        &self.tokens[at]
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at = (self.at + 1).min(self.tokens.len());
        token
    }

    fn skip_spaces(&mut self) {
        while self.peek().kind == Kind::Space {
            self.at += 1;
        }
    }

    fn peek_non_space(&mut self) -> Token {
        self.skip_spaces();
        self.peek().clone()
    }

    fn next_non_space(&mut self) -> Token {
        self.skip_spaces();
        self.next()
    }

    fn error<T>(&self, message: impl std::fmt::Display) -> ParseResult<T> {
        let line = self.tokens[self.reached.min(self.tokens.len() - 1)].line;
        Err(format!("template: {}:{line}: {message}", self.source.name))
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> ParseResult<T> {
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

    fn expect(&mut self, kind: Kind, context: &str) -> ParseResult<Token> {
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
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Item::Stmt(Stmt::Text {
                pos: token.pos,
                text: crate::value::Text::from(token.val),
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
                self.at -= 1;
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

    fn template_name(&mut self, context: &str) -> ParseResult<(usize, String)> {
        let token = self.next_non_space();
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return self.unexpected(&token, context);
        }
        match literal::unquote(&token.val) {
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

    fn pipeline(&mut self, context: &str, end: Kind) -> ParseResult<Pipe> {
        let mut pipe = Pipe {
            pos: self.peek_non_space().pos,
            assign: false,
            declared: Vec::new(),
            commands: Vec::new(),
        };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => {
                    self.check(&pipe, context)?;
                    return Ok(pipe);
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.at -= 1;
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return self.unexpected(&token, context),
            }
        }
    }

    /// `$x :=`, `$x =`, and `$i, $x :=` of `range`.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> ParseResult<()> {
        loop {
            let variable = self.peek_non_space();
            if variable.kind != Kind::Variable {
                return Ok(());
            }
            let before = self.at;
            self.next();
            let next = self.peek_non_space();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    self.next();
                    pipe.assign = next.kind == Kind::Assign;
                    pipe.declared.push(variable.val.clone());
                    self.variables.push(variable.val);
                    return Ok(());
                }
                Kind::Char if next.val == "," => {
                    self.next();
                    pipe.declared.push(variable.val.clone());
                    self.variables.push(variable.val);
                    if context != "range" || pipe.declared.len() >= 2 {
                        return self.error(format!("too many declarations in {context}"));
                    }
                    if !matches!(
                        self.peek_non_space().kind,
                        Kind::Variable | Kind::RightDelim | Kind::RightParen
                    ) {
                        return self.error("range can only initialize variables");
                    }
                }
                _ => {
                    self.at = before;
                    return Ok(());
                }
            }
        }
    }

    fn check(&self, pipe: &Pipe, context: &str) -> ParseResult<()> {
        if pipe.commands.is_empty() {
            return self.error(format!("missing value for {context}"));
        }
        for (i, command) in pipe.commands.iter().enumerate().skip(1) {
            let literal = command.args.first().is_some_and(|first| {
                matches!(
                    first.kind,
                    ExprKind::Bool(_) | ExprKind::Dot | ExprKind::Nil | ExprKind::Number(_) | ExprKind::Str { .. }
                )
            });
            if literal {
                return self.error(format!("non executable command in pipeline stage {}", i + 1));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> ParseResult<Command> {
        let mut command = Command {
            pos: self.peek_non_space().pos,
            args: Vec::new(),
        };
        loop {
            self.skip_spaces();
            if let Some(operand) = self.operand()? {
                command.args.push(operand);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.at -= 1,
                Kind::Pipe => {}
                _ => return self.unexpected(&token, "operand"),
            }
            break;
        }
        if command.args.is_empty() {
            return self.error("empty command");
        }
        Ok(command)
    }

    fn operand(&mut self) -> ParseResult<Option<Expr>> {
        let Some(node) = self.term()? else {
            return Ok(None);
        };
        if self.peek().kind != Kind::Field {
            return Ok(Some(node));
        }
        let pos = self.peek().pos;
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            fields.push(self.next().val[1..].to_owned());
        }
        let kind = match node.kind {
            ExprKind::Field(mut names) => {
                names.append(&mut fields);
                ExprKind::Field(names)
            }
            ExprKind::Variable(mut names) => {
                names.append(&mut fields);
                ExprKind::Variable(names)
            }
            ExprKind::Bool(_) | ExprKind::Str { .. } | ExprKind::Number(_) | ExprKind::Nil | ExprKind::Dot => {
                let shown = crate::gofmt::quote(node.to_string().as_bytes());
                return self.error(format!("unexpected . after term {shown}"));
            }
            _ => ExprKind::Chain(Box::new(node), fields),
        };
        Ok(Some(Expr { pos, kind }))
    }

    fn term(&mut self) -> ParseResult<Option<Expr>> {
        let token = self.next_non_space();
        let pos = token.pos;
        let kind = match token.kind {
            Kind::Identifier => {
                if !(self.has_function)(&token.val) {
                    let shown = crate::gofmt::quote(token.val.as_bytes());
                    return self.error(format!("function {shown} not defined"));
                }
                ExprKind::Identifier(token.val)
            }
            Kind::Dot => ExprKind::Dot,
            Kind::Nil => ExprKind::Nil,
            Kind::Variable => {
                if !self.variables.contains(&token.val) {
                    let shown = crate::gofmt::quote(token.val.as_bytes());
                    return self.error(format!("undefined variable {shown}"));
                }
                ExprKind::Variable(vec![token.val])
            }
            Kind::Field => ExprKind::Field(vec![token.val[1..].to_owned()]),
            Kind::Bool => ExprKind::Bool(token.val == "true"),
            Kind::CharConstant | Kind::Number => match literal::number(&token.val, token.kind == Kind::CharConstant) {
                Ok(number) => ExprKind::Number(number),
                Err(message) => return self.error(message),
            },
            Kind::LeftParen => {
                let pipe = self.nested(|parser| parser.pipeline("parenthesized pipeline", Kind::RightParen))?;
                ExprKind::Pipe(Box::new(pipe))
            }
            Kind::String | Kind::RawString => match literal::unquote(&token.val) {
                Some(bytes) => ExprKind::Str {
                    quoted: token.val,
                    text: bytes.into(),
                },
                None => return self.error("invalid syntax"),
            },
            _ => {
                self.at -= 1;
                return Ok(None);
            }
        };
        Ok(Some(Expr { pos, kind }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        parse("t", text, &|name| name == "printf").expect_err(text)
    }

    #[test]
    fn printed_as_go_prints() {
        let text = "{{ $x , $y := 1 }}";
        assert_eq!(complaint(text), "template: t:1: too many declarations in command");
        let text = "{{if (printf \"a\" .b.c $).d | printf}}x{{else if true}}{{.}}{{else}}{{template \"q\" nil}}{{end}}";
        let parsed = parse("t", text, &|_| true).expect(text);
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
