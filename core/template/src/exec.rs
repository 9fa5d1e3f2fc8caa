//! Walks a template and writes its output.

use std::rc::Rc;

use crate::ast::{Branch, NodeRef, Pipe, Stmt, Template};
use crate::context::Context;
use crate::error::{ExecError, Limit};
use crate::set::Scope;
use crate::stack::grow;
use crate::value::{Element, Value};

pub(crate) type Result<T> = std::result::Result<T, ExecError>;

/// A value, and whether Go sees it through a variable of type `interface {}`.
///
/// `Nil` that is not an interface is Go's invalid value, from which every field is again invalid; a nil interface is an error to look into.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) value: Value,
    pub(crate) interface: bool,
}

impl Slot {
    pub(crate) fn plain(value: Value) -> Self {
        Self {
            value,
            interface: false,
        }
    }

    /// An item of a list or map with this element type.
    pub(crate) fn element(element: Element, value: Value) -> Self {
        Self {
            value,
            interface: element == Element::Any,
        }
    }
}

/// What all templates of an execution share.
pub(crate) struct Env<'c> {
    pub(crate) scope: Rc<Scope>,
    pub(crate) context: &'c mut Context,
}

/// A number of rounds, and the item of each.
type Rounds = (u64, fn(u64) -> Value);

/// How often a loop over a number runs, and the items it sees: numbers of the same type. `None` for what is no number.
fn counter(value: &Value) -> Option<Rounds> {
    fn signed(i: u64) -> i64 {
        i64::try_from(i).unwrap_or(i64::MAX)
    }
    let (count, item): (i64, fn(u64) -> Value) = match value {
        Value::Uint(count) => return Some((*count, Value::Uint)),
        Value::Uint8(count) => (i64::from(*count), |i| Value::Uint8(u8::try_from(i).unwrap_or(u8::MAX))),
        Value::Int(count) => (*count, |i| Value::Int(signed(i))),
        Value::Int64(count) => (*count, |i| Value::Int64(signed(i))),
        Value::Duration(count) => (*count, |i| Value::Duration(signed(i))),
        Value::Month(count) => (*count, |i| Value::Month(signed(i))),
        Value::Weekday(count) => (*count, |i| Value::Weekday(signed(i))),
        _ => return None,
    };
    Some((u64::try_from(count).unwrap_or(0), item))
}

/// The execution of one template.
pub(crate) struct Exec<'t, 'e, 'c> {
    pub(crate) env: &'e mut Env<'c>,
    pub(crate) template: &'t Template,
    pub(crate) variables: Vec<(&'t str, Slot)>,
    /// The node an error would be reported at.
    pub(crate) node: Option<NodeRef<'t>>,
    out: &'e mut Vec<u8>,
}

/// How a statement ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

impl<'t, 'e, 'c> Exec<'t, 'e, 'c> {
    /// Executes a template and returns its output.
    pub(crate) fn run(env: &'e mut Env<'c>, template: &'t Template, data: Value) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        Exec::write(env, template, &Slot::plain(data), &mut out)?;
        Ok(out)
    }

    fn write(env: &mut Env<'c>, template: &Template, data: &Slot, out: &mut Vec<u8>) -> Result<()> {
        let limit = env.context.limits.depth;
        if env.context.depth >= limit {
            let message = format_args!("more than {limit} templates call each other");
            return Err(ExecError::limit(Limit::Depth, message));
        }
        env.context.depth += 1;
        let variables = vec![("$", data.clone())];
        let mut exec = Exec {
            env,
            template,
            variables,
            node: None,
            out,
        };
        let result = grow(|| exec.walk_list(data, &template.root));
        env.context.depth -= 1;
        result.map(|_| ())
    }

    pub(crate) fn at(&mut self, node: NodeRef<'t>) {
        self.node = Some(node);
    }

    /// An error at the current node.
    pub(crate) fn fail<T>(&self, message: impl std::fmt::Display) -> Result<T> {
        Err(self.located(&ExecError::plain(message.to_string()), None))
    }

    /// Puts the place before a message.
    pub(crate) fn located(&self, error: &ExecError, cause: Option<Box<ExecError>>) -> ExecError {
        let Some(node) = self.node else {
            let message = format!("template: {}: {}", self.template.name, error.message);
            return ExecError {
                message,
                limit: error.limit,
                cause,
            };
        };
        let location = self.template.source.location(node.pos());
        let shown = grow(|| node.to_string());
        let name = crate::gofmt::quote(self.template.name.as_bytes());
        let message = format!("template: {location}: executing {name} at <{shown}>: {}", error.message);
        ExecError {
            message,
            limit: error.limit,
            cause,
        }
    }

    /// Uses a step, and says where when there are none left.
    pub(crate) fn step(&mut self) -> Result<()> {
        match self.env.context.charge(1) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.located(&error, None)),
        }
    }

    /// Runs something nested, with enough stack.
    pub(crate) fn nested<T>(&mut self, body: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if let Err(error) = self.env.context.enter() {
            return Err(self.located(&error, None));
        }
        let result = grow(|| body(self));
        self.env.context.leave();
        result
    }

    fn emit(&mut self, bytes: &[u8]) -> Result<()> {
        let limit = self.env.context.limits.output;
        if self.out.len() + bytes.len() > limit {
            let error = ExecError::limit(Limit::Output, format_args!("a text of more than {limit} bytes"));
            return Err(self.located(&error, None));
        }
        self.out.extend_from_slice(bytes);
        self.env
            .context
            .charge(bytes.len() as u64 / 16)
            .map_err(|error| self.located(&error, None))
    }

    fn walk_list(&mut self, dot: &Slot, list: &'t [Stmt]) -> Result<Flow> {
        for stmt in list {
            let flow = self.walk(dot, stmt)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn walk(&mut self, dot: &Slot, stmt: &'t Stmt) -> Result<Flow> {
        self.at(NodeRef::Stmt(stmt));
        self.step()?;
        match stmt {
            Stmt::Text { text, .. } => self.emit(text.bytes())?,
            Stmt::Action { pipe, .. } => {
                let slot = self.pipeline(dot, pipe)?;
                if pipe.declared.is_empty() {
                    self.at(NodeRef::Stmt(stmt));
                    self.print(&slot.value)?;
                }
            }
            Stmt::If { branch, .. } => return self.nested(|exec| exec.if_or_with(dot, branch, false)),
            Stmt::With { branch, .. } => return self.nested(|exec| exec.if_or_with(dot, branch, true)),
            Stmt::Range { branch, .. } => return self.nested(|exec| exec.range(dot, branch)),
            Stmt::Template { name, pipe, .. } => self.call_template(dot, name, pipe.as_ref())?,
            Stmt::Break { .. } => return Ok(Flow::Break),
            Stmt::Continue { .. } => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn print(&mut self, value: &Value) -> Result<()> {
        match value {
            Value::Nil => self.emit(b"<no value>"),
            Value::Str(text) => self.emit(text.bytes()),
            other => {
                if let Err(error) = self.env.context.charge_value(other) {
                    return Err(self.located(&error, None));
                }
                let limit = self.env.context.limits.output;
                match other {
                    Value::Object(object) if object.boxed().is_some() => self.emit(object.print().as_bytes()),
                    // Go follows a pointer that it prints from its place.
                    Value::Object(object) if object.kind() == "ptr" && !object.is_stringer() => {
                        let text = crate::gofmt::sprint_v(other, limit);
                        self.emit(text.strip_prefix(b"&").unwrap_or(&text))
                    }
                    _ => self.emit(&crate::gofmt::sprint_v(other, limit)),
                }
            }
        }
    }

    fn if_or_with(&mut self, dot: &Slot, branch: &'t Branch, with: bool) -> Result<Flow> {
        let mark = self.variables.len();
        let slot = self.pipeline(dot, &branch.pipe)?;
        let flow = if slot.value.truth() {
            self.walk_list(if with { &slot } else { dot }, &branch.list)?
        } else if let Some(otherwise) = &branch.otherwise {
            self.walk_list(dot, otherwise)?
        } else {
            Flow::Next
        };
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn range(&mut self, dot: &Slot, branch: &'t Branch) -> Result<Flow> {
        let mark = self.variables.len();
        let slot = self.pipeline(dot, &branch.pipe)?;
        let flow = self.range_over(dot, branch, &slot.value)?;
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn range_over(&mut self, dot: &Slot, branch: &'t Branch, value: &Value) -> Result<Flow> {
        let mut ran = false;
        match value {
            Value::Nil => {}
            _ if counter(value).is_some() => ran = self.range_count(branch, value)?,
            _ if value.slice_items().is_some() => {
                let element = match value {
                    Value::List(list) => list.element(),
                    Value::Object(object) => object.items().map_or(Element::Any, |list| list.element()),
                    _ => Element::Uint8,
                };
                let items = value.slice_items().unwrap_or_default();
                for (i, item) in (0i64..).zip(items.iter()) {
                    ran = true;
                    if !self.iterate(
                        branch,
                        Slot::plain(Value::Int(i)),
                        &Slot::element(element, item.clone()),
                    )? {
                        break;
                    }
                }
            }
            other => match other.as_map() {
                Some(map) => {
                    for (key, item) in map.entries() {
                        ran = true;
                        let item = Slot::element(map.element(), item);
                        if !self.iterate(branch, Slot::plain(Value::from(key)), &item)? {
                            break;
                        }
                    }
                }
                None => {
                    let shown = crate::gofmt::shown(other);
                    return self.fail(format_args!("range can't iterate over {shown}"));
                }
            },
        }
        match &branch.otherwise {
            Some(otherwise) if !ran => self.walk_list(dot, otherwise),
            _ => Ok(Flow::Next),
        }
    }

    /// A loop over a number; whether it ran.
    fn range_count(&mut self, branch: &'t Branch, value: &Value) -> Result<bool> {
        if branch.pipe.declared.len() > 1 {
            let count = crate::gofmt::shown(value);
            return self.fail(format_args!("can't use {count} to iterate over more than one variable"));
        }
        let Some((count, item)) = counter(value) else {
            return Ok(false);
        };
        for i in 0..count {
            if !self.iterate(branch, Slot::plain(Value::Nil), &Slot::plain(item(i)))? {
                break;
            }
        }
        Ok(count > 0)
    }

    /// One round of a loop; `false` ends it.
    fn iterate(&mut self, branch: &'t Branch, index: Slot, item: &Slot) -> Result<bool> {
        self.step()?;
        let declared = &branch.pipe.declared;
        let top = self.variables.len();
        match declared.as_slice() {
            [] => {}
            [first] if branch.pipe.assign => self.assign(first, item.clone())?,
            [first, second, ..] if branch.pipe.assign => {
                self.assign(first, index)?;
                self.assign(second, item.clone())?;
            }
            [_] => self.variables[top - 1].1 = item.clone(),
            [_, _, ..] => {
                self.variables[top - 1].1 = item.clone();
                self.variables[top - 2].1 = index;
            }
        }
        let flow = self.walk_list(item, &branch.list)?;
        self.variables.truncate(top);
        Ok(flow != Flow::Break)
    }

    /// Sets the innermost variable of a name.
    pub(crate) fn assign(&mut self, name: &str, slot: Slot) -> Result<()> {
        match self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = slot,
            None => return self.fail(format_args!("undefined variable: {name}")),
        }
        Ok(())
    }

    fn call_template(&mut self, dot: &Slot, name: &str, pipe: Option<&'t Pipe>) -> Result<()> {
        let Some(template) = self.env.scope.find(name) else {
            return self.fail(format_args!(
                "template {} not defined",
                crate::gofmt::quote(name.as_bytes())
            ));
        };
        let data = match pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Slot::plain(Value::Nil),
        };
        match Exec::write(self.env, &template, &data, self.out) {
            // The limit on the depth of calls knows no place yet.
            Err(error) if error.limit.is_some() && !error.message.starts_with("template: ") => {
                Err(self.located(&error, None))
            }
            other => other,
        }
    }
}
