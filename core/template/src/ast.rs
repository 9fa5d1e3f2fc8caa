//! The parsed form of templates: immutable, shareable between threads, printed as Go prints it in error messages.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use crate::value::Text;

/// A parsed template.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) name: String,
    pub(crate) source: Arc<Source>,
    pub(crate) root: Vec<Stmt>,
}

/// The text a template was parsed from, for positions.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Source {
    /// `name:line:column` of a byte offset, as Go counts (the column from 0).
    pub(crate) fn location(&self, pos: usize) -> String {
        let before = &self.text.as_bytes()[..pos.min(self.text.len())];
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        let column = before
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(pos, |newline| pos - newline - 1);
        format!("{}:{line}:{column}", self.name)
    }
}

impl Template {
    /// Whether nothing but white space and definitions stands in it.
    pub(crate) fn is_empty(&self) -> bool {
        is_blank(&self.root)
    }
}

/// Whether a list of statements is only white space.
pub(crate) fn is_blank(list: &[Stmt]) -> bool {
    list.iter()
        .all(|stmt| matches!(stmt, Stmt::Text { text, .. } if text.bytes().iter().all(u8::is_ascii_whitespace)))
}

/// One element of a template's body.
#[derive(Debug)]
pub(crate) enum Stmt {
    Text {
        pos: usize,
        text: Text,
    },
    Action {
        pos: usize,
        pipe: Pipe,
    },
    If {
        pos: usize,
        branch: Branch,
    },
    With {
        pos: usize,
        branch: Branch,
    },
    Range {
        pos: usize,
        branch: Branch,
    },
    Template {
        pos: usize,
        name: String,
        pipe: Option<Pipe>,
    },
    Break {
        pos: usize,
    },
    Continue {
        pos: usize,
    },
}

/// The parts of `if`, `with` and `range`.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) pipe: Pipe,
    pub(crate) list: Vec<Stmt>,
    pub(crate) otherwise: Option<Vec<Stmt>>,
}

/// Commands joined by `|`, maybe assigned to variables.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) pos: usize,
    pub(crate) assign: bool,
    pub(crate) declared: Vec<String>,
    pub(crate) commands: Vec<Command>,
}

/// A function, method or value with its arguments.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) pos: usize,
    pub(crate) args: Vec<Expr>,
}

/// A literal number and the types it can have.
#[derive(Clone, Debug)]
pub(crate) struct Number {
    pub(crate) text: String,
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
    pub(crate) complex: Option<(f64, f64)>,
}

/// An operand.
#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) pos: usize,
    pub(crate) kind: ExprKind,
}

/// What an operand is.
#[derive(Debug)]
pub(crate) enum ExprKind {
    Bool(bool),
    Dot,
    Nil,
    Number(Number),
    Str {
        quoted: String,
        text: Text,
    },
    Field(Vec<String>),
    /// The first name is the variable, with its `$`.
    Variable(Vec<String>),
    Identifier(String),
    Chain(Box<Expr>, Vec<String>),
    Pipe(Box<Pipe>),
}

fn join<T: Display>(f: &mut Formatter<'_>, items: &[T], separator: &str) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(separator)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Bool(b) => write!(f, "{b}"),
            ExprKind::Dot => f.write_str("."),
            ExprKind::Nil => f.write_str("nil"),
            ExprKind::Number(number) => f.write_str(&number.text),
            ExprKind::Str { quoted, .. } => f.write_str(quoted),
            ExprKind::Field(names) => {
                f.write_str(".")?;
                join(f, names, ".")
            }
            ExprKind::Variable(names) => join(f, names, "."),
            ExprKind::Identifier(name) => f.write_str(name),
            ExprKind::Chain(node, fields) => {
                match &node.kind {
                    ExprKind::Pipe(_) => write!(f, "({node})")?,
                    _ => write!(f, "{node}")?,
                }
                fields.iter().try_for_each(|field| write!(f, ".{field}"))
            }
            ExprKind::Pipe(pipe) => write!(f, "{pipe}"),
        }
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, arg) in self.args.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            match &arg.kind {
                ExprKind::Pipe(_) => write!(f, "({arg})")?,
                _ => write!(f, "{arg}")?,
            }
        }
        Ok(())
    }
}

impl Display for Pipe {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.declared.is_empty() {
            join(f, &self.declared, ", ")?;
            f.write_str(if self.assign { " = " } else { " := " })?;
        }
        join(f, &self.commands, " | ")
    }
}

impl Branch {
    fn write(&self, f: &mut Formatter<'_>, name: &str) -> fmt::Result {
        write!(f, "{{{{{name} {}}}}}", self.pipe)?;
        join(f, &self.list, "")?;
        if let Some(otherwise) = &self.otherwise {
            f.write_str("{{else}}")?;
            join(f, otherwise, "")?;
        }
        f.write_str("{{end}}")
    }
}

impl Display for Stmt {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { text, .. } => f.write_str(&text.lossy()),
            Self::Action { pipe, .. } => write!(f, "{{{{{pipe}}}}}"),
            Self::If { branch, .. } => branch.write(f, "if"),
            Self::With { branch, .. } => branch.write(f, "with"),
            Self::Range { branch, .. } => branch.write(f, "range"),
            Self::Template { name, pipe, .. } => {
                write!(f, "{{{{template {}", crate::gofmt::quote(name.as_bytes()))?;
                if let Some(pipe) = pipe {
                    write!(f, " {pipe}")?;
                }
                f.write_str("}}")
            }
            Self::Break { .. } => f.write_str("{{break}}"),
            Self::Continue { .. } => f.write_str("{{continue}}"),
        }
    }
}

/// The node an error is reported at.
#[derive(Clone, Copy)]
pub(crate) enum NodeRef<'t> {
    Stmt(&'t Stmt),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Expr(&'t Expr),
}

impl NodeRef<'_> {
    pub(crate) fn pos(&self) -> usize {
        match self {
            Self::Stmt(
                Stmt::Text { pos, .. }
                | Stmt::Action { pos, .. }
                | Stmt::If { pos, .. }
                | Stmt::With { pos, .. }
                | Stmt::Range { pos, .. }
                | Stmt::Template { pos, .. }
                | Stmt::Break { pos }
                | Stmt::Continue { pos },
            ) => *pos,
            Self::Pipe(pipe) => pipe.pos,
            Self::Command(command) => command.pos,
            Self::Expr(expr) => expr.pos,
        }
    }
}

impl Display for NodeRef<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stmt(node) => write!(f, "{node}"),
            Self::Pipe(node) => write!(f, "{node}"),
            Self::Command(node) => write!(f, "{node}"),
            Self::Expr(node) => write!(f, "{node}"),
        }
    }
}
