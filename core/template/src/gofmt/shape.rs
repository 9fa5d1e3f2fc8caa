//! Numbers and texts within the width, the precision and the flags of a verb.

use super::Bounded;
use super::quote::{can_backquote, quote_with};
use crate::characters::is_printable;
use crate::float::format_float;

/// Flags of a verb.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "these are Go's flags")]
pub(super) struct Flags {
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    /// `%+v`: names of fields.
    pub(super) plus_v: bool,
    /// `%#v`: Go syntax.
    pub(super) sharp_v: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

/// How many characters a text has, every broken byte being one.
fn count(text: &[u8]) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.utf8_chunks()
        .map(|chunk| chunk.valid().chars().count() + chunk.invalid().len())
        .sum()
}

/// The first characters of a text.
fn truncated(text: &[u8], limit: usize) -> &[u8] {
    let (mut end, mut left) = (0, limit);
    for chunk in text.utf8_chunks() {
        let lengths = chunk
            .valid()
            .chars()
            .map(char::len_utf8)
            .chain(chunk.invalid().iter().map(|_| 1));
        for length in lengths {
            if left == 0 {
                return &text[..end];
            }
            left -= 1;
            end += length;
        }
    }
    text
}

impl Flags {
    fn padding(&self, out: &mut Bounded, count: usize) {
        out.fill(if self.zero && !self.minus { b'0' } else { b' ' }, count);
    }

    /// A text, filled up to the width.
    pub(super) fn pad(&self, out: &mut Bounded, text: &[u8]) {
        let fill = match self.width {
            None | Some(0) => 0,
            Some(width) => width.saturating_sub(count(text)),
        };
        if self.minus {
            out.write(text);
            self.padding(out, fill);
        } else {
            self.padding(out, fill);
            out.write(text);
        }
    }

    /// A copy that does not pad with zeros.
    fn without_zero(&self) -> Self {
        Self { zero: false, ..*self }
    }

    fn cut<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        match self.precision {
            Some(limit) => truncated(text, limit),
            None => text,
        }
    }

    pub(super) fn text(&self, out: &mut Bounded, text: &[u8]) {
        self.pad(out, self.cut(text));
    }

    pub(super) fn quoted(&self, out: &mut Bounded, text: &[u8]) {
        let text = self.cut(text);
        if self.sharp && can_backquote(text) {
            self.pad(out, &[b"`", text, b"`"].concat());
        } else {
            self.pad(out, quote_with(text, '"', self.plus).as_bytes());
        }
    }

    /// The bytes of a text in hexadecimal.
    pub(super) fn hex(&self, out: &mut Bounded, bytes: &[u8], upper: bool) {
        let bytes = &bytes[..self.precision.unwrap_or(bytes.len()).min(bytes.len())];
        let width = self.width.unwrap_or(0);
        if bytes.is_empty() {
            return self.padding(out, width);
        }
        let prefix: &[u8] = match (self.sharp, upper) {
            (false, _) => b"",
            (true, false) => b"0x",
            (true, true) => b"0X",
        };
        let mut length = 2 * bytes.len();
        if self.space {
            length += bytes.len() * prefix.len() + bytes.len() - 1;
        } else {
            length += prefix.len();
        }
        if !self.minus {
            self.padding(out, width.saturating_sub(length));
        }
        out.write(prefix);
        let digits = if upper {
            b"0123456789ABCDEF"
        } else {
            b"0123456789abcdef"
        };
        for (i, byte) in bytes.iter().enumerate() {
            if self.space && i > 0 {
                out.push(b' ');
                out.write(prefix);
            }
            out.push(digits[usize::from(byte >> 4)]);
            out.push(digits[usize::from(byte & 15)]);
        }
        if self.minus {
            self.padding(out, width.saturating_sub(length));
        }
    }

    /// A whole number with a verb for its base.
    pub(super) fn integer(&self, out: &mut Bounded, magnitude: u64, negative: bool, verb: char) {
        if self.precision == Some(0) && magnitude == 0 {
            return self.without_zero().padding(out, self.width.unwrap_or(0));
        }
        let digits = match verb {
            'b' => format!("{magnitude:b}"),
            'o' | 'O' => format!("{magnitude:o}"),
            'x' => format!("{magnitude:x}"),
            'X' => format!("{magnitude:X}"),
            _ => magnitude.to_string(),
        };
        let sign = match (negative, self.plus, self.space) {
            (true, _, _) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        let wanted = match (self.precision, self.width) {
            (Some(precision), _) => precision,
            (None, Some(width)) if self.zero && !self.minus => width - sign.len().min(width),
            _ => 0,
        };
        let zeros = wanted.saturating_sub(digits.len());
        let prefix = match verb {
            'b' if self.sharp => "0b",
            'o' | 'O' if self.sharp && zeros == 0 && !digits.starts_with('0') => "0",
            'x' if self.sharp => "0x",
            'X' if self.sharp => "0X",
            _ => "",
        };
        let octal = if verb == 'O' { "0o" } else { "" };
        let mut text = Vec::with_capacity(zeros + digits.len() + 5);
        for part in [sign, octal, prefix] {
            text.extend_from_slice(part.as_bytes());
        }
        text.resize(text.len() + zeros, b'0');
        text.extend_from_slice(digits.as_bytes());
        self.without_zero().pad(out, &text);
    }

    /// A number as the character it stands for.
    pub(super) fn character(&self, out: &mut Bounded, code: u64) {
        self.pad(out, char_of(code).encode_utf8(&mut [0; 4]).as_bytes());
    }

    pub(super) fn quoted_character(&self, out: &mut Bounded, code: u64) {
        let mut buffer = [0; 4];
        let text = char_of(code).encode_utf8(&mut buffer).as_bytes();
        self.pad(out, quote_with(text, '\'', self.plus).as_bytes());
    }

    pub(super) fn unicode(&self, out: &mut Bounded, code: u64) {
        let digits = format!("{code:X}");
        let zeros = self.precision.unwrap_or(0).max(4).saturating_sub(digits.len());
        let mut text = b"U+".to_vec();
        text.resize(text.len() + zeros, b'0');
        text.extend_from_slice(digits.as_bytes());
        let character = u32::try_from(code).ok().and_then(char::from_u32);
        if let Some(c) = character.filter(|c| self.sharp && is_printable(*c)) {
            text.extend_from_slice(format!(" '{c}'").as_bytes());
        }
        self.without_zero().pad(out, &text);
    }

    pub(super) fn float(&self, out: &mut Bounded, value: f64, verb: char, precision: Option<usize>) {
        let precision = self.precision.or(precision);
        let number = format_float(value, verb, precision);
        let (mut sign, mut digits) = match number.as_bytes()[0] {
            b'-' => (b'-', number[1..].to_owned()),
            b'+' => (b'+', number[1..].to_owned()),
            _ => (b'+', number),
        };
        if self.space && sign == b'+' && !self.plus {
            sign = b' ';
        }
        if digits.starts_with(['I', 'N']) {
            let bare = digits.starts_with('N') && !self.space && !self.plus;
            let hidden = bare || (sign == b'+' && !self.plus && !digits.starts_with('I'));
            // An infinity always shows its sign, as Go's conversion does.
            let text = if hidden {
                digits.into_bytes()
            } else {
                [&[sign], digits.as_bytes()].concat()
            };
            return self.without_zero().pad(out, &text);
        }
        if self.sharp && verb != 'b' {
            digits = with_point(&digits, verb, precision);
        }
        if !self.plus && sign == b'+' {
            return self.pad(out, digits.as_bytes());
        }
        let length = digits.len() + 1;
        match self.width {
            Some(width) if self.zero && !self.minus && width > length => {
                out.push(sign);
                self.padding(out, width - length);
                out.write(digits.as_bytes());
            }
            _ => self.pad(out, &[&[sign], digits.as_bytes()].concat()),
        }
    }
}

fn char_of(code: u64) -> char {
    u32::try_from(code)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// `#`: a point in any case, and for `%g` the zeros that were cut.
fn with_point(number: &str, verb: char, precision: Option<usize>) -> String {
    let mut wanted = match verb {
        'g' | 'G' | 'x' => i64::try_from(precision.unwrap_or(6)).unwrap_or(i64::MAX),
        _ => 0,
    };
    let hexadecimal = matches!(verb, 'x' | 'X');
    let end = number
        .find(|c| matches!(c, 'p' | 'P') || (!hexadecimal && matches!(c, 'e' | 'E')))
        .unwrap_or(number.len());
    let (mantissa, tail) = number.split_at(end);
    let (mut point, mut significant) = (false, false);
    for byte in mantissa.bytes() {
        if byte == b'.' {
            point = true;
            continue;
        }
        significant |= byte != b'0';
        if significant {
            wanted -= 1;
        }
    }
    let mut out = mantissa.to_owned();
    if !point {
        if mantissa == "0" {
            wanted -= 1;
        }
        out.push('.');
    }
    out.extend(std::iter::repeat_n('0', usize::try_from(wanted).unwrap_or(0)));
    out.push_str(tail);
    out
}
