//! Pipelines, commands and operands.

use super::{ParseResult, Parser};
use crate::ast::{Command, Expr, ExprKind, Number, Pipe};
use crate::lex::Kind;
use crate::literal;

impl Parser<'_, '_> {
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> ParseResult<Pipe> {
        let mut pipe = Pipe {
            pos: self.peek_non_space().pos,
            assign: false,
            declared: Vec::new(),
            commands: Vec::with_capacity(1),
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
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.back(&token);
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
                    pipe.declared.push(variable.val.as_ref().to_owned());
                    self.variables.push(variable.val.into_owned());
                    return Ok(());
                }
                Kind::Char if next.val == "," => {
                    self.next();
                    pipe.declared.push(variable.val.as_ref().to_owned());
                    self.variables.push(variable.val.into_owned());
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
            args: Vec::with_capacity(1),
        };
        loop {
            self.skip_spaces();
            if let Some(operand) = self.operand()? {
                command.args.push(operand);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.back(&token),
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
        self.count()?;
        let token = self.next_non_space();
        let pos = token.pos;
        let kind = match token.kind {
            Kind::Identifier => {
                if !(self.has_function)(&token.val) {
                    let shown = crate::gofmt::quote(token.val.as_bytes());
                    return self.error(format!("function {shown} not defined"));
                }
                ExprKind::Identifier(token.val.into_owned())
            }
            Kind::Dot => ExprKind::Dot,
            Kind::Nil => ExprKind::Nil,
            Kind::Variable => {
                if !self.variables.iter().any(|known| *known == token.val) {
                    let shown = crate::gofmt::quote(token.val.as_bytes());
                    return self.error(format!("undefined variable {shown}"));
                }
                ExprKind::Variable(vec![token.val.into_owned()])
            }
            Kind::Field => ExprKind::Field(vec![token.val[1..].to_owned()]),
            Kind::Bool => ExprKind::Bool(token.val == "true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                let text = self.reading.text(token.val.as_bytes());
                match number(token.kind, &String::from_utf8_lossy(&text)) {
                    Ok(number) => ExprKind::Number(number),
                    Err(message) => return self.error(message),
                }
            }
            Kind::LeftParen => {
                let pipe = self.nested(|parser| parser.pipeline("parenthesized pipeline", Kind::RightParen))?;
                ExprKind::Pipe(Box::new(pipe))
            }
            Kind::String | Kind::RawString => match self.unquote(&token) {
                Some(bytes) => ExprKind::Str {
                    quoted: token.val.into_owned(),
                    text: bytes.into(),
                },
                None => return self.error("invalid syntax"),
            },
            _ => {
                self.back(&token);
                return Ok(None);
            }
        };
        Ok(Some(Expr { pos, kind }))
    }
}

fn number(kind: Kind, text: &str) -> Result<Number, String> {
    match kind {
        Kind::CharConstant => literal::character(text),
        Kind::Complex => literal::complex(text),
        _ => literal::number(text),
    }
}
