//! One operand with one verb.

use super::Bounded;
use super::shape::Flags;
use crate::object::Object;
use crate::stack::grow;
use crate::value::{Element, Map, Value};

/// Values nested deeper than this print as `...`; callers refuse them before.
const MAX_DEPTH: usize = 1000;

/// Addresses differ between two runs of Go; here every value has the same.
const ADDRESS: u64 = 0xc0_0001_0000;

pub(super) struct Printer {
    pub(super) out: Bounded,
    pub(super) flags: Flags,
    /// Inside a marker for a mistake, where methods are not used.
    erring: bool,
}

impl Printer {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            out: Bounded::new(limit),
            flags: Flags::default(),
            erring: false,
        }
    }

    /// Prints an operand.
    pub(super) fn argument(&mut self, value: &Value, verb: char) {
        match (value, verb) {
            (Value::Nil, 'T' | 'v') => self.flags.pad(&mut self.out, b"<nil>"),
            (Value::Nil, _) => self.bad_verb(value, verb, true),
            (_, 'T') => self.flags.text(&mut self.out, value.type_name().as_bytes()),
            (_, 'p') => self.pointer(value),
            (Value::Bytes(bytes), _) => self.bytes(value, bytes, verb),
            _ if self.by_method(value, verb) => {}
            _ => self.value(value, verb, 0),
        }
    }

    /// Prints a value that knows how to print itself, if the verb asks for text.
    fn by_method(&mut self, value: &Value, verb: char) -> bool {
        if self.erring {
            return false;
        }
        if verb == 'w' {
            // Verb for errors, which no value is.
            let simple = is_simple(value);
            if !simple {
                self.bad_verb(value, verb, true);
            }
            return !simple;
        }
        if self.flags.sharp_v {
            if let Value::Time(time) = value {
                let text = crate::time::go_syntax(time);
                self.flags.text(&mut self.out, text.as_bytes());
                return true;
            }
            return false;
        }
        if !matches!(verb, 'v' | 's' | 'x' | 'X' | 'q') {
            return false;
        }
        let text = match value {
            Value::Duration(n) => crate::time::duration_text(*n),
            Value::Time(time) => crate::time::time_text(time),
            Value::Month(n) => crate::time::month_text(*n),
            Value::Weekday(n) => crate::time::weekday_text(*n),
            Value::Object(object) if object.is_stringer() && object.underlying().is_none() => object.print(),
            _ => return false,
        };
        self.string(value, text.as_bytes(), verb);
        true
    }

    fn value(&mut self, value: &Value, verb: char, depth: usize) {
        if depth > MAX_DEPTH || self.out.is_full() {
            return self.out.write(b"...");
        }
        match value {
            Value::Nil => self.out.write(b"<nil>"),
            Value::Bool(b) => match verb {
                't' | 'v' => self.flags.pad(&mut self.out, b.to_string().as_bytes()),
                _ => self.bad_verb(value, verb, false),
            },
            Value::Int(i) | Value::Int64(i) | Value::Duration(i) | Value::Month(i) | Value::Weekday(i) => {
                self.integer(value, i.unsigned_abs(), *i < 0, verb);
            }
            Value::Uint(u) => self.unsigned(value, *u, verb),
            Value::Uint8(u) => self.unsigned(value, u64::from(*u), verb),
            Value::Float(f) => {
                if !self.float(*f, verb) {
                    self.bad_verb(value, verb, false);
                }
            }
            Value::Complex(re, im) => self.complex(value, *re, *im, verb),
            Value::Str(text) => self.string(value, text.bytes(), verb),
            Value::Bytes(bytes) if matches!(verb, 's' | 'q' | 'x' | 'X') => self.bytes(value, bytes, verb),
            Value::Bytes(_) | Value::List(_) => self.list(value, verb, depth),
            Value::Map(map) => self.map(&value.type_name(), map, verb, depth),
            Value::Time(time) => {
                let fields = crate::time::fields(time);
                self.fields("time.Time", &fields, verb, depth);
            }
            Value::Object(object) => self.object(value, object.as_ref(), verb, depth),
        }
    }

    fn object(&mut self, value: &Value, object: &dyn Object, verb: char, depth: usize) {
        if object.is_nil() {
            return match verb {
                'v' => self.flags.pad(&mut self.out, b"<nil>"),
                'b' | 'o' | 'd' | 'x' | 'X' => self.flags.integer(&mut self.out, 0, false, verb),
                _ => self.bad_verb(value, verb, false),
            };
        }
        // A pointer inside a value is not followed.
        let by_text = matches!(verb, 'v' | 's' | 'q') && !self.flags.sharp_v;
        if depth > 0 && object.kind() == "ptr" && !by_text {
            return match verb {
                'v' => {
                    let text = format!("({})({ADDRESS:#x})", object.type_name());
                    self.out.write(text.as_bytes());
                }
                'b' | 'o' | 'd' | 'x' | 'X' => self.flags.integer(&mut self.out, ADDRESS, false, verb),
                _ => self.bad_verb(value, verb, false),
            };
        }
        match (object.underlying(), object.fields()) {
            (Some(map), _) => self.map(&object.type_name(), &map, verb, depth),
            (None, Some(fields)) => {
                let name = object.type_name();
                if name.starts_with('*') {
                    self.out.push(b'&');
                }
                self.fields(name.trim_start_matches('*'), &fields, verb, depth);
            }
            (None, None) if object.items().is_some() => self.list(value, verb, depth),
            (None, None) => self.string(value, object.print().as_bytes(), verb),
        }
    }

    /// A value inside another.
    fn nested(&mut self, element: Element, value: &Value, verb: char, depth: usize) {
        if value.is_nil() && element == Element::Any && self.flags.sharp_v {
            return self.out.write(b"interface {}(nil)");
        }
        if value.is_nil() && verb == 'w' {
            return self.bad_verb(value, verb, true);
        }
        if !self.by_method(value, verb) {
            grow(|| self.value(value, verb, depth + 1));
        }
    }

    fn separator(&mut self, i: usize) {
        if i > 0 {
            self.out.write(if self.flags.sharp_v { b", " } else { b" " });
        }
    }

    fn list(&mut self, value: &Value, verb: char, depth: usize) {
        let (element, nil) = match value {
            Value::List(list) => (list.element(), list.is_nil()),
            Value::Object(object) => object
                .items()
                .map_or((Element::Any, true), |list| (list.element(), list.is_nil())),
            _ => (Element::Uint8, false),
        };
        let sharp = self.flags.sharp_v;
        if sharp {
            self.out.write(value.type_name().as_bytes());
            if nil {
                return self.out.write(b"(nil)");
            }
        }
        self.out.push(if sharp { b'{' } else { b'[' });
        for (i, item) in value.slice_items().unwrap_or_default().iter().enumerate() {
            self.separator(i);
            self.nested(element, item, verb, depth);
        }
        self.out.push(if sharp { b'}' } else { b']' });
    }

    fn map(&mut self, type_name: &str, map: &Map, verb: char, depth: usize) {
        let sharp = self.flags.sharp_v;
        if sharp {
            self.out.write(type_name.as_bytes());
            if map.is_nil() {
                return self.out.write(b"(nil)");
            }
        }
        self.out.write(if sharp { b"{" } else { b"map[" });
        for (i, (key, item)) in map.entries().into_iter().enumerate() {
            self.separator(i);
            self.nested(Element::Str, &Value::from(key), verb, depth);
            self.out.push(b':');
            self.nested(map.element(), &item, verb, depth);
        }
        self.out.push(if sharp { b'}' } else { b']' });
    }

    fn fields(&mut self, type_name: &str, fields: &[(&'static str, Value)], verb: char, depth: usize) {
        if self.flags.sharp_v {
            self.out.write(type_name.as_bytes());
        }
        self.out.push(b'{');
        for (i, (name, value)) in fields.iter().enumerate() {
            self.separator(i);
            if self.flags.plus_v || self.flags.sharp_v {
                self.out.write(name.as_bytes());
                self.out.push(b':');
            }
            grow(|| self.value(value, verb, depth + 1));
        }
        self.out.push(b'}');
    }

    fn pointer(&mut self, value: &Value) {
        match value {
            Value::List(_) | Value::Bytes(_) | Value::Map(_) => {}
            Value::Object(object) if object.kind() != "struct" => {}
            _ => return self.bad_verb(value, 'p', true),
        }
        let flags = Flags {
            sharp: !self.flags.sharp,
            ..self.flags
        };
        flags.integer(&mut self.out, ADDRESS, false, 'x');
    }

    fn integer(&mut self, value: &Value, magnitude: u64, negative: bool, verb: char) {
        let (flags, out) = (self.flags, &mut self.out);
        let code = if negative { magnitude.wrapping_neg() } else { magnitude };
        match verb {
            'v' | 'd' => flags.integer(out, magnitude, negative, 'd'),
            'b' | 'o' | 'O' | 'x' | 'X' => flags.integer(out, magnitude, negative, verb),
            'c' => flags.character(out, code),
            'q' => flags.quoted_character(out, code),
            'U' => flags.unicode(out, code),
            _ => self.bad_verb(value, verb, false),
        }
    }

    fn unsigned(&mut self, value: &Value, number: u64, verb: char) {
        if verb == 'v' && self.flags.sharp_v {
            let flags = Flags {
                sharp: true,
                ..self.flags
            };
            return flags.integer(&mut self.out, number, false, 'x');
        }
        self.integer(value, number, false, verb);
    }

    /// Prints a float; `false` for a verb that floats do not have.
    fn float(&mut self, value: f64, verb: char) -> bool {
        let (flags, out) = (self.flags, &mut self.out);
        match verb {
            'v' => flags.float(out, value, 'g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => flags.float(out, value, verb, None),
            'f' | 'e' | 'E' => flags.float(out, value, verb, Some(6)),
            'F' => flags.float(out, value, 'f', Some(6)),
            _ => return false,
        }
        true
    }

    fn complex(&mut self, value: &Value, re: f64, im: f64, verb: char) {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') {
            return self.bad_verb(value, verb, false);
        }
        self.out.push(b'(');
        self.float(re, verb);
        let plus = std::mem::replace(&mut self.flags.plus, true);
        self.float(im, verb);
        self.flags.plus = plus;
        self.out.write(b"i)");
    }

    fn string(&mut self, value: &Value, text: &[u8], verb: char) {
        let (flags, out) = (self.flags, &mut self.out);
        match verb {
            'v' if flags.sharp_v => flags.quoted(out, text),
            'v' | 's' => flags.text(out, text),
            'x' | 'X' => flags.hex(out, text, verb == 'X'),
            'q' => flags.quoted(out, text),
            _ => self.bad_verb(value, verb, false),
        }
    }

    fn bytes(&mut self, value: &Value, bytes: &[u8], verb: char) {
        let (flags, out) = (self.flags, &mut self.out);
        match verb {
            's' => flags.text(out, bytes),
            'x' | 'X' => flags.hex(out, bytes, verb == 'X'),
            'q' => flags.quoted(out, bytes),
            'v' | 'd' if flags.sharp_v => {
                out.write(b"[]byte{");
                for (i, byte) in bytes.iter().enumerate() {
                    self.separator(i);
                    self.unsigned(value, u64::from(*byte), 'v');
                }
                self.out.push(b'}');
            }
            _ => self.list(value, verb, 0),
        }
    }

    /// `%!verb(type=value)`; `with_methods` when the value still is an operand.
    fn bad_verb(&mut self, value: &Value, verb: char, operand: bool) {
        self.out.write(b"%!");
        self.out.write(verb.encode_utf8(&mut [0; 4]).as_bytes());
        if value.is_nil() {
            return self.out.write(b"(<nil>)");
        }
        self.erring = true;
        self.out.push(b'(');
        self.out.write(value.type_name().as_bytes());
        self.out.push(b'=');
        if operand {
            self.argument(value, 'v');
        } else {
            self.value(value, 'v', 0);
        }
        self.out.push(b')');
        self.erring = false;
    }
}

/// Types that Go prints without looking for methods.
fn is_simple(value: &Value) -> bool {
    matches!(
        value,
        Value::Bool(_)
            | Value::Int(_)
            | Value::Int64(_)
            | Value::Uint(_)
            | Value::Uint8(_)
            | Value::Float(_)
            | Value::Complex(..)
            | Value::Str(_)
            | Value::Bytes(_)
    )
}
