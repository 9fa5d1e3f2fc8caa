//! The format strings of `printf`.

use super::Flags;
use super::print::Printer;
use crate::value::Value;

/// Widths and precisions above this are Go's `%!(BADWIDTH)`.
const MAX_SIZE: i64 = 1_000_000;

/// Go's `fmt.Sprintf`.
pub(crate) fn sprintf(format: &[u8], args: &[Value], limit: usize) -> Vec<u8> {
    let mut formatter = Formatter {
        format,
        at: 0,
        args,
        next: 0,
        reordered: false,
        good_index: true,
        after_index: false,
        printer: Printer::new(limit),
    };
    formatter.run();
    formatter.printer.out.bytes
}

struct Formatter<'a> {
    format: &'a [u8],
    at: usize,
    args: &'a [Value],
    next: usize,
    reordered: bool,
    /// Whether the indexes of this verb can be used.
    good_index: bool,
    /// The last thing read was an index.
    after_index: bool,
    printer: Printer,
}

impl Formatter<'_> {
    fn run(&mut self) {
        while self.at < self.format.len() && !self.printer.out.is_full() {
            let rest = &self.format[self.at..];
            let literal = rest.iter().position(|b| *b == b'%').unwrap_or(rest.len());
            self.printer.out.write(&rest[..literal]);
            self.at += literal;
            if self.at < self.format.len() {
                self.at += 1;
                self.directive();
            }
        }
        self.printer.flags = Flags::default();
        if !self.reordered && self.next < self.args.len() {
            self.extra();
        }
    }

    fn extra(&mut self) {
        let out = &mut self.printer;
        out.out.write(b"%!(EXTRA ");
        for (i, arg) in self.args[self.next..].iter().enumerate() {
            if i > 0 {
                out.out.write(b", ");
            }
            if arg.is_nil() {
                out.out.write(b"<nil>");
            } else {
                out.out.write(arg.type_name().as_bytes());
                out.out.push(b'=');
                out.argument(arg, 'v');
            }
        }
        out.out.push(b')');
    }

    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    fn directive(&mut self) {
        self.good_index = true;
        self.printer.flags = Flags::default();
        while let Some(byte) = self.peek() {
            let flags = &mut self.printer.flags;
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                b'a'..=b'z' if self.next < self.args.len() => {
                    self.at += 1;
                    return self.print(char::from(byte));
                }
                _ => break,
            }
            self.at += 1;
        }
        self.index();
        self.width();
        // Go looks for a precision only if something can follow the point.
        if self.peek() == Some(b'.') && self.at + 1 < self.format.len() {
            self.at += 1;
            self.precision();
        }
        if !self.after_index {
            self.index();
        }
        let Some(verb) = self.verb() else {
            self.printer.out.write(b"%!(NOVERB)");
            return;
        };
        if verb == '%' {
            self.printer.out.push(b'%');
        } else if !self.good_index {
            self.marker(verb, b"(BADINDEX)");
        } else if self.next >= self.args.len() {
            self.marker(verb, b"(MISSING)");
        } else {
            self.print(verb);
        }
    }

    fn marker(&mut self, verb: char, marker: &[u8]) {
        self.printer.out.write(b"%!");
        self.printer.out.write(verb.encode_utf8(&mut [0; 4]).as_bytes());
        self.printer.out.write(marker);
    }

    fn print(&mut self, verb: char) {
        let flags = &mut self.printer.flags;
        if matches!(verb, 'v' | 'w') {
            flags.sharp_v = std::mem::take(&mut flags.sharp);
            flags.plus_v = std::mem::take(&mut flags.plus);
        }
        self.printer.argument(&self.args[self.next], verb);
        self.next += 1;
    }

    fn verb(&mut self) -> Option<char> {
        let chunk = self.format[self.at..].utf8_chunks().next()?;
        let first = chunk.valid().chars().next();
        self.at += first.map_or(1, char::len_utf8);
        Some(first.unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn width(&mut self) {
        if self.peek() == Some(b'*') {
            self.at += 1;
            match self.size_argument() {
                Some(size) => {
                    self.printer.flags.width = usize::try_from(size.unsigned_abs()).ok();
                    if size < 0 {
                        self.printer.flags.minus = true;
                        self.printer.flags.zero = false;
                    }
                }
                None => self.printer.out.write(b"%!(BADWIDTH)"),
            }
            self.after_index = false;
            return;
        }
        self.printer.flags.width = self.number();
        if self.after_index && self.printer.flags.width.is_some() {
            self.good_index = false;
        }
    }

    fn precision(&mut self) {
        if self.after_index {
            self.good_index = false;
        }
        self.index();
        if self.peek() == Some(b'*') {
            self.at += 1;
            let size = self.size_argument();
            self.printer.flags.precision = size.and_then(|size| usize::try_from(size).ok());
            if self.printer.flags.precision.is_none() {
                self.printer.out.write(b"%!(BADPREC)");
            }
            self.after_index = false;
            return;
        }
        self.printer.flags.precision = Some(self.number().unwrap_or(0));
    }

    /// Digits in the format. After too many, Go gives up on the rest of the format.
    fn number(&mut self) -> Option<usize> {
        let mut number: Option<i64> = None;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            if number.is_some_and(|number| number > MAX_SIZE) {
                self.at = self.format.len();
                return None;
            }
            number = Some(number.unwrap_or(0) * 10 + i64::from(digit - b'0'));
            self.at += 1;
        }
        number.and_then(|number| usize::try_from(number).ok())
    }

    /// The size that `*` takes from the arguments.
    fn size_argument(&mut self) -> Option<i64> {
        let arg = self.args.get(self.next)?;
        self.next += 1;
        let size = match arg {
            Value::Int(n) | Value::Int64(n) | Value::Duration(n) | Value::Month(n) | Value::Weekday(n) => *n,
            Value::Uint(n) => i64::try_from(*n).ok()?,
            Value::Uint8(n) => i64::from(*n),
            _ => return None,
        };
        (-MAX_SIZE..=MAX_SIZE).contains(&size).then_some(size)
    }

    /// `[n]`
    fn index(&mut self) {
        self.after_index = false;
        if self.peek() != Some(b'[') {
            return;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let end = rest.iter().position(|b| *b == b']').filter(|_| rest.len() >= 3);
        let Some(end) = end else {
            self.at += 1;
            self.good_index = false;
            return;
        };
        let number = std::str::from_utf8(&rest[1..end])
            .ok()
            .filter(|text| text.bytes().all(|b| b.is_ascii_digit()) && text.len() < 9)
            .and_then(|text| text.parse::<usize>().ok());
        self.at += end + 1;
        match number {
            Some(n) if n >= 1 && n <= self.args.len() => {
                self.next = n - 1;
                self.after_index = true;
            }
            other => {
                self.good_index = false;
                self.after_index = other.is_some();
            }
        }
    }
}
