//! Go's `fmt`: how values print, and `printf` with Go's verbs and its markers for mistakes.
//!
//! A width can ask for a million characters for every item of a list, so all output is [`Bounded`]: what does not fit is not made, and
//! the result is one byte longer than the limit, which the caller's check of the length refuses.

mod format;
mod print;
mod quote;
mod shape;

pub(crate) use format::sprintf;
pub(crate) use quote::{can_backquote, describe, quote};

use crate::value::Value;
use print::Printer;
use shape::Flags;

/// Bytes up to a limit; the first byte above it is kept as a sign that there was more.
pub(crate) struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl Bounded {
    fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            limit: limit.saturating_add(1),
        }
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= self.limit
    }

    fn push(&mut self, byte: u8) {
        if !self.is_full() {
            self.bytes.push(byte);
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let room = self.limit.saturating_sub(self.bytes.len()).min(bytes.len());
        self.bytes.extend_from_slice(&bytes[..room]);
    }

    fn fill(&mut self, byte: u8, count: usize) {
        let room = self.limit.saturating_sub(self.bytes.len()).min(count);
        self.bytes.extend(std::iter::repeat_n(byte, room));
    }
}

/// A value as `%v` prints it.
pub(crate) fn sprint_v(value: &Value, limit: usize) -> Vec<u8> {
    let mut printer = Printer::new(limit);
    printer.argument(value, 'v');
    printer.out.bytes
}

/// A value as `%v` prints it, for messages.
pub(crate) fn shown(value: &Value) -> String {
    const LIMIT: usize = 4096;
    String::from_utf8_lossy(&sprint_v(value, LIMIT)).into_owned()
}

/// Go's `fmt.Sprint`: a space between two operands when neither is a string.
pub(crate) fn sprint(values: &[Value], limit: usize) -> Vec<u8> {
    let mut printer = Printer::new(limit);
    let mut after_string = true;
    for (i, value) in values.iter().enumerate() {
        let is_string = matches!(value, Value::Str(_));
        if i > 0 && !is_string && !after_string {
            printer.out.push(b' ');
        }
        printer.argument(value, 'v');
        after_string = is_string;
    }
    printer.out.bytes
}

/// Go's `fmt.Sprintln`.
pub(crate) fn sprintln(values: &[Value], limit: usize) -> Vec<u8> {
    let mut printer = Printer::new(limit);
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            printer.out.push(b' ');
        }
        printer.argument(value, 'v');
    }
    printer.out.push(b'\n');
    printer.out.bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: &str, args: &[Value]) -> String {
        String::from_utf8_lossy(&sprintf(format.as_bytes(), args, 1 << 20)).into_owned()
    }

    #[test]
    fn verbs() {
        let s = Value::from("hi");
        for (format, args, expected) in [
            ("%d", vec![s.clone()], "%!d(string=hi)"),
            ("%s", vec![Value::Float(3.0)], "%!s(float64=3)"),
            ("%s", vec![], "%!s(MISSING)"),
            ("x", vec![s.clone(), Value::Int(2)], "x%!(EXTRA string=hi, int=2)"),
            (
                "%05d|%-4d|%+d|%x|%X|%o|%b",
                vec![-42, 3, 3, 255, 255, 8, 5].into_iter().map(Value::Int).collect(),
                "-0042|3   |+3|ff|FF|10|101",
            ),
            (
                "%6.2f|%e|%08.3f",
                vec![Value::Float(1.234), Value::Float(1500.0), Value::Float(-3.5)],
                "  1.23|1.500000e+03|-003.500",
            ),
            ("%q %#q %x", vec![s.clone(), s.clone(), s.clone()], "\"hi\" `hi` 6869"),
            ("%[2]s %[1]s", vec![s.clone(), Value::from("b")], "b hi"),
            ("%*d", vec![Value::Int(4), Value::Int(2)], "   2"),
            ("%", vec![], "%!(NOVERB)"),
            ("%s", vec![Value::list(vec![s.clone(), Value::Nil])], "[hi <nil>]"),
            (
                "%v",
                vec![Value::map([("b", Value::Nil), ("a", s.clone())])],
                "map[a:hi b:<nil>]",
            ),
            ("%c %U", vec![Value::Int(97), Value::Int(97)], "a U+0061"),
            ("%.1s|%5.1q", vec![s.clone(), s], "h|  \"h\""),
        ] {
            assert_eq!(printed(format, &args), expected, "{format}");
        }
    }

    #[test]
    fn output_is_bounded() {
        let list = Value::list(vec![Value::Int(1); 1000]);
        assert_eq!(sprintf(b"%1000000v", &[list], 5000).len(), 5001);
    }
}
