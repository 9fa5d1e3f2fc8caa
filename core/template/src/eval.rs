//! Evaluates pipelines, fields and calls, with the checks of types that Go's reflection makes.

use crate::ast::{Command, Expr, ExprKind, NodeRef, Number, Pipe};
use crate::error::ExecError;
use crate::exec::{Exec, Result, Slot};
use crate::functions::{Function, find};
use crate::set::ROOT;
use crate::signature::Type;
use crate::value::Value;

/// The parameters of a function or method.
#[derive(Clone, Copy)]
struct Parameters<'p> {
    fixed: &'p [Type],
    variadic: Option<Type>,
}

impl<'t> Exec<'t, '_, '_> {
    pub(crate) fn pipeline(&mut self, dot: &Slot, pipe: &'t Pipe) -> Result<Slot> {
        self.at(NodeRef::Pipe(pipe));
        let mut last: Option<Slot> = None;
        for command in &pipe.commands {
            let mut slot = self.command(dot, command, last.take())?;
            slot.interface = false;
            last = Some(slot);
        }
        let slot = last.unwrap_or_else(|| Slot::plain(Value::Nil));
        for name in &pipe.declared {
            if pipe.assign {
                self.assign(name, slot.clone())?;
            } else {
                self.variables.push((name, slot.clone()));
            }
        }
        Ok(slot)
    }

    fn not_a_function(&mut self, args: &'t [Expr], last: Option<&Slot>) -> Result<()> {
        if args.len() > 1 || last.is_some() {
            return self.fail(format_args!("can't give argument to non-function {}", args[0]));
        }
        Ok(())
    }

    fn command(&mut self, dot: &Slot, command: &'t Command, last: Option<Slot>) -> Result<Slot> {
        self.step()?;
        let args = command.args.as_slice();
        let first = &args[0];
        match &first.kind {
            ExprKind::Field(names) => {
                self.at(NodeRef::Expr(first));
                return self.fields(dot, dot.clone(), first, names, args, last);
            }
            ExprKind::Chain(_, names) => return self.chain(dot, first, names, args, last),
            ExprKind::Identifier(name) => {
                self.at(NodeRef::Expr(first));
                return self.function(dot, name, NodeRef::Command(command), &args[1..], last);
            }
            ExprKind::Pipe(pipe) => {
                self.not_a_function(args, last.as_ref())?;
                return self.nested(|exec| exec.pipeline(dot, pipe));
            }
            ExprKind::Variable(names) => return self.variable(dot, first, names, args, last),
            _ => {}
        }
        self.at(NodeRef::Expr(first));
        self.not_a_function(args, last.as_ref())?;
        match &first.kind {
            ExprKind::Dot => Ok(dot.clone()),
            ExprKind::Nil => self.fail("nil is not a command"),
            _ => self.literal(first),
        }
    }

    /// A constant whose type its spelling decides.
    fn literal(&mut self, expr: &'t Expr) -> Result<Slot> {
        self.at(NodeRef::Expr(expr));
        Ok(Slot::plain(match &expr.kind {
            ExprKind::Bool(b) => Value::Bool(*b),
            ExprKind::Str { text, .. } => Value::Str(text.clone()),
            ExprKind::Number(number) => match ideal(number) {
                Some(value) => value,
                None => return self.fail(format_args!("{} overflows int", number.text)),
            },
            _ => {
                return self.fail(format_args!(
                    "can't handle assignment of {expr} to empty interface argument"
                ));
            }
        }))
    }

    fn chain(
        &mut self,
        dot: &Slot,
        expr: &'t Expr,
        names: &'t [String],
        args: &'t [Expr],
        last: Option<Slot>,
    ) -> Result<Slot> {
        self.at(NodeRef::Expr(expr));
        let ExprKind::Chain(node, _) = &expr.kind else {
            return self.fail("not a chain");
        };
        let receiver = self.argument_of_any_type(dot, node)?;
        self.fields(dot, receiver, expr, names, args, last)
    }

    fn variable(
        &mut self,
        dot: &Slot,
        expr: &'t Expr,
        names: &'t [String],
        args: &'t [Expr],
        last: Option<Slot>,
    ) -> Result<Slot> {
        self.at(NodeRef::Expr(expr));
        let found = self
            .variables
            .iter()
            .rev()
            .find(|(known, _)| *known == names[0])
            .map(|(_, slot)| slot.clone());
        let Some(slot) = found else {
            return self.fail(format_args!("undefined variable: {}", names[0]));
        };
        if names.len() == 1 {
            self.not_a_function(args, last.as_ref())?;
            return Ok(slot);
        }
        self.fields(dot, slot, expr, &names[1..], args, last)
    }

    /// `.X.Y.Z`: only the last can take arguments.
    fn fields(
        &mut self,
        dot: &Slot,
        receiver: Slot,
        expr: &'t Expr,
        names: &'t [String],
        args: &'t [Expr],
        last: Option<Slot>,
    ) -> Result<Slot> {
        let Some((end, path)) = names.split_last() else {
            return Ok(receiver);
        };
        let mut receiver = receiver;
        for name in path {
            receiver = self.field(dot, &receiver, name, expr, &[], None)?;
        }
        self.field(dot, &receiver, end, expr, args.get(1..).unwrap_or_default(), last)
    }

    /// A field, a map entry, or a method's result.
    fn field(
        &mut self,
        dot: &Slot,
        receiver: &Slot,
        name: &'t str,
        expr: &'t Expr,
        args: &'t [Expr],
        last: Option<Slot>,
    ) -> Result<Slot> {
        let has_args = !args.is_empty() || last.is_some();
        if receiver.value.is_nil() {
            if receiver.interface {
                return self.fail(format_args!("nil pointer evaluating interface {{}}.{name}"));
            }
            return Ok(Slot::plain(Value::Nil));
        }
        if let Some(fixed) = method(&receiver.value, name) {
            let parameters = Parameters {
                fixed: &fixed,
                variadic: None,
            };
            let values = self.arguments(dot, name, parameters, args, last)?;
            return self.returned(name, NodeRef::Expr(expr), call_method(&receiver.value, name, &values));
        }
        if let Value::Object(object) = &receiver.value
            && let Some(value) = object.field(name)
        {
            if has_args {
                return self.fail(format_args!("{name} has arguments but cannot be invoked as function"));
            }
            return Ok(Slot::plain(value));
        }
        if let Some(map) = receiver.value.as_map() {
            if has_args {
                return self.fail(format_args!("{name} is not a method but has arguments"));
            }
            let value = map.get(name).unwrap_or_else(|| map.element().zero());
            return Ok(Slot::element(map.element(), value));
        }
        let type_name = if receiver.interface {
            "interface {}".into()
        } else {
            receiver.value.type_name()
        };
        self.fail(format_args!("can't evaluate field {name} in type {type_name}"))
    }

    fn function(
        &mut self,
        dot: &Slot,
        name: &'t str,
        node: NodeRef<'t>,
        args: &'t [Expr],
        last: Option<Slot>,
    ) -> Result<Slot> {
        let Some(function) = find(name) else {
            return self.fail(format_args!(
                "{} is not a defined function",
                crate::gofmt::quote(name.as_bytes())
            ));
        };
        if matches!(name, "and" | "or") {
            return self.and_or(dot, name, args, last);
        }
        let parameters = Parameters {
            fixed: function.fixed,
            variadic: function.variadic,
        };
        let callee = last.as_ref().filter(|_| args.is_empty()).map(|slot| slot.value.clone());
        let values = self.arguments(dot, name, parameters, args, last)?;
        let mut result = self.call(function, &values);
        if name == "call" {
            result = Err(not_callable(&values, args.first(), callee.as_ref()));
        }
        self.returned(name, node, result)
    }

    fn call(&mut self, function: &Function, values: &[Value]) -> Result<Value> {
        self.env.context.charge(2)?;
        (function.call)(self.env, values)
    }

    /// Puts the place before a function's error.
    fn returned(&mut self, name: &str, node: NodeRef<'t>, result: Result<Value>) -> Result<Slot> {
        match result {
            Ok(value) => Ok(Slot::plain(value)),
            Err(error) => {
                // A limit names the innermost place; the chain of callers adds nothing and could be long. A text given to `tpl` is no
                // place that anybody could look up: the file that gave it is named too.
                let in_text = error.message.starts_with("template: gotpl:") && self.template.source.name != ROOT;
                if error.limit.is_some() && error.message.starts_with("template: ") && !in_text {
                    return Err(error);
                }
                self.at(node);
                let limit = error.limit;
                let message = if limit.is_some() {
                    format!("{name}: {}", error.message)
                } else {
                    format!("error calling {name}: {}", error.message)
                };
                let outer = ExecError {
                    message,
                    limit,
                    cause: None,
                };
                Err(self.located(&outer, Some(Box::new(error))))
            }
        }
    }

    /// `and` and `or` stop at the argument that decides.
    fn and_or(&mut self, dot: &Slot, name: &str, args: &'t [Expr], last: Option<Slot>) -> Result<Slot> {
        if args.is_empty() && last.is_none() {
            return self.fail(format_args!("wrong number of args for {name}: want at least 1 got 0"));
        }
        let mut value = Value::Nil;
        for arg in args {
            value = self.argument(dot, Type::Reflect, arg)?;
            if value.truth() == (name == "or") {
                return Ok(Slot::plain(value));
            }
        }
        Ok(Slot::plain(last.map_or(value, |slot| slot.value)))
    }

    fn arguments(
        &mut self,
        dot: &Slot,
        name: &str,
        parameters: Parameters<'_>,
        args: &'t [Expr],
        last: Option<Slot>,
    ) -> Result<Vec<Value>> {
        let Parameters { fixed, variadic } = parameters;
        let count = args.len() + usize::from(last.is_some());
        if variadic.is_some() && count < fixed.len() {
            let (want, got) = (fixed.len(), args.len());
            return self.fail(format_args!(
                "wrong number of args for {name}: want at least {want} got {got}"
            ));
        }
        if variadic.is_none() && count != fixed.len() {
            return self.fail(format_args!(
                "wrong number of args for {name}: want {} got {count}",
                fixed.len()
            ));
        }
        let type_at = |i: usize| fixed.get(i).copied().or(variadic).unwrap_or(Type::Any);
        let mut values = Vec::with_capacity(count);
        for (i, arg) in args.iter().enumerate() {
            values.push(self.argument(dot, type_at(i), arg)?);
        }
        if let Some(slot) = last {
            values.push(self.validate(slot, type_at(args.len()))?);
        }
        Ok(values)
    }

    /// An argument for a parameter of a type.
    fn argument(&mut self, dot: &Slot, wanted: Type, expr: &'t Expr) -> Result<Value> {
        self.at(NodeRef::Expr(expr));
        if let ExprKind::Nil = expr.kind {
            if wanted.can_be_nil() {
                return Ok(Value::Nil);
            }
            return self.fail(format_args!("cannot assign nil to {}", wanted.name()));
        }
        let is_constant = matches!(
            expr.kind,
            ExprKind::Bool(_) | ExprKind::Number(_) | ExprKind::Str { .. }
        );
        if !is_constant {
            let slot = self.argument_of_any_type(dot, expr)?;
            return self.validate(slot, wanted);
        }
        match (wanted, &expr.kind) {
            (Type::Any | Type::Reflect, _) => Ok(self.literal(expr)?.value),
            (Type::Bool, ExprKind::Bool(b)) => Ok(Value::Bool(*b)),
            (Type::Str, ExprKind::Str { text, .. }) => Ok(Value::Str(text.clone())),
            (Type::Int, ExprKind::Number(Number { int: Some(int), .. })) => Ok(Value::Int(*int)),
            (Type::Duration, ExprKind::Number(Number { int: Some(int), .. })) => Ok(Value::Duration(*int)),
            (Type::Uint32, ExprKind::Number(Number { uint: Some(uint), .. })) => Ok(Value::Uint(*uint & 0xffff_ffff)),
            (Type::Float, ExprKind::Number(Number { float: Some(float), .. })) => Ok(Value::Float(*float)),
            (Type::Bool, _) => self.fail(format_args!("expected bool; found {expr}")),
            (Type::Str, _) => self.fail(format_args!("expected string; found {expr}")),
            (Type::Int | Type::Duration, _) => self.fail(format_args!("expected integer; found {expr}")),
            (Type::Uint32, _) => self.fail(format_args!("expected unsigned integer; found {expr}")),
            (Type::Float, _) => self.fail(format_args!("expected float; found {expr}")),
            (Type::Map | Type::List | Type::Time | Type::Certificate | Type::Writer, _) => {
                self.fail(format_args!("can't handle {expr} for arg of type {}", wanted.name()))
            }
        }
    }

    fn argument_of_any_type(&mut self, dot: &Slot, expr: &'t Expr) -> Result<Slot> {
        self.at(NodeRef::Expr(expr));
        match &expr.kind {
            ExprKind::Dot => Ok(dot.clone()),
            ExprKind::Nil => self.fail("nil is not a command"),
            ExprKind::Field(names) => self.fields(dot, dot.clone(), expr, names, &[], None),
            ExprKind::Variable(names) => self.variable(dot, expr, names, &[], None),
            ExprKind::Pipe(pipe) => self.nested(|exec| exec.pipeline(dot, pipe)),
            ExprKind::Identifier(name) => self.function(dot, name, NodeRef::Expr(expr), &[], None),
            ExprKind::Chain(node, names) => {
                if matches!(node.kind, ExprKind::Nil) {
                    return self.fail(format_args!("indirection through explicit nil in {expr}"));
                }
                self.nested(|exec| exec.chain(dot, expr, names, &[], None))
            }
            _ => self.literal(expr),
        }
    }

    /// Guarantees that a value fits a parameter.
    fn validate(&mut self, slot: Slot, wanted: Type) -> Result<Value> {
        let Slot { value, interface } = slot;
        if value.is_nil() {
            return match (interface, wanted) {
                (_, Type::Any | Type::Reflect) => Ok(Value::Nil),
                (false, _) if wanted.can_be_nil() => Ok(Value::Nil),
                (false, _) => self.fail(format_args!("invalid value; expected {}", wanted.name())),
                (true, _) => self.fail(format_args!(
                    "wrong type for value; expected {}; got interface {{}}",
                    wanted.name()
                )),
            };
        }
        if wanted.accepts(&value) {
            return Ok(match (wanted, value) {
                (Type::Any, Value::Object(object)) => object.boxed().unwrap_or(Value::Object(object)),
                // A named type becomes the type that is declared.
                (Type::Map, Value::Map(map)) => Value::Map(map.under(None)),
                (_, value) => value,
            });
        }
        let got = value.type_name();
        self.fail(format_args!(
            "wrong type for value; expected {}; got {got}",
            wanted.name()
        ))
    }
}

/// There are no functions among the values, so `call` always fails.
fn not_callable(values: &[Value], written: Option<&Expr>, piped: Option<&Value>) -> ExecError {
    let Some(callee) = values.first().filter(|callee| !callee.is_nil()) else {
        return ExecError::plain("call of nil");
    };
    let name = match (written, piped) {
        (Some(expr), _) => expr.to_string(),
        (None, Some(Value::Str(text))) => text.lossy().into_owned(),
        _ => format!("<{} Value>", callee.type_name()),
    };
    ExecError::plain(format!("non-function {name} of type {}", callee.type_name()))
}

/// The value of a number without a wanted type: a float if it looks like one.
fn ideal(number: &Number) -> Option<Value> {
    let text = number.text.as_str();
    let hex = text.len() > 2 && (text.starts_with("0x") || text.starts_with("0X")) && !text.contains(['p', 'P']);
    let looks_float = !hex && !text.starts_with('\'') && text.contains(['.', 'e', 'E', 'p', 'P']);
    if let Some((re, im)) = number.complex {
        return Some(Value::Complex(re, im));
    }
    match number.float {
        Some(float) if looks_float => Some(Value::Float(float)),
        _ => number.int.map(Value::Int),
    }
}

fn method(value: &Value, name: &str) -> Option<Vec<Type>> {
    match value {
        Value::Object(object) => object.method(name).map(<[Type]>::to_vec),
        Value::Map(map) => crate::chart_values::method(map, name),
        Value::Time(_) | Value::Duration(_) | Value::Month(_) | Value::Weekday(_) => {
            crate::time::method(value, name).map(<[Type]>::to_vec)
        }
        _ => None,
    }
}

fn call_method(value: &Value, name: &str, arguments: &[Value]) -> Result<Value> {
    match value {
        Value::Object(object) => object.call(name, arguments).map_err(ExecError::plain),
        Value::Map(map) => crate::chart_values::call(map, name, arguments),
        _ => Ok(crate::time::call_method(value, name, arguments)),
    }
}
