//! Templates that are not UTF-8.
//!
//! Go's templates are bytes, and what it reads here is text. A byte that is part of no character is harmless in a comment, and has to come
//! out of a text between actions as it went in. So it goes through the lexer as a character that stands for it.

use std::borrow::Cow;

/// Characters of the last private plane: this one and a byte.
const MARK: u32 = 0x10_fe00;

/// The text of a template, with characters in place of bytes that are none.
pub(crate) struct Marked<'b> {
    pub(crate) text: Cow<'b, str>,
    is_garbled: bool,
}

impl<'b> Marked<'b> {
    pub(crate) fn of(bytes: &'b [u8]) -> Self {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Self {
                text: text.into(),
                is_garbled: false,
            };
        }
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            let marks = chunk.invalid().iter();
            text.extend(marks.filter_map(|byte| char::from_u32(MARK + u32::from(*byte))));
        }
        Self {
            text: text.into(),
            is_garbled: true,
        }
    }

    /// How to read parts of the text.
    pub(crate) fn reading(&self) -> Reading {
        Reading(self.is_garbled)
    }
}

/// Reads parts of a text that may hold characters for bytes.
#[derive(Clone, Copy)]
pub(crate) struct Reading(bool);

impl Reading {
    /// With the bytes in their places, as between actions and in raw strings.
    pub(crate) fn bytes(self, part: &[u8]) -> Cow<'_, [u8]> {
        self.replaced(part, |byte, out| out.push(byte))
    }

    /// With U+FFFD for each byte, as in quoted strings.
    pub(crate) fn text(self, part: &[u8]) -> Cow<'_, [u8]> {
        self.replaced(part, |_, out| out.extend_from_slice("\u{fffd}".as_bytes()))
    }

    fn replaced(self, part: &[u8], replace: impl Fn(u8, &mut Vec<u8>)) -> Cow<'_, [u8]> {
        if !self.0 {
            return part.into();
        }
        let mut out = Vec::with_capacity(part.len());
        for chunk in part.utf8_chunks() {
            for c in chunk.valid().chars() {
                match u32::from(c).checked_sub(MARK).map(u8::try_from) {
                    Some(Ok(byte)) if byte >= 0x80 => replace(byte, &mut out),
                    _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
            out.extend_from_slice(chunk.invalid());
        }
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_where_they_were() {
        let bytes = [
            &b"caf\xe9: \xc3"[..],
            b"\xff\xfea\0",
            b"\xed\xa0\x80",
            "é \u{fffd} \u{10fe7f}".as_bytes(),
        ];
        for bytes in bytes {
            let marked = Marked::of(bytes);
            assert_eq!(&*marked.reading().bytes(marked.text.as_bytes()), bytes);
        }
        let marked = Marked::of(b"caf\xe9");
        assert_eq!(
            &*marked.reading().text(marked.text.as_bytes()),
            "caf\u{fffd}".as_bytes()
        );
        // What is text stays as it is.
        let marked = Marked::of("\u{10fee9}".as_bytes());
        assert_eq!(
            &*marked.reading().bytes(marked.text.as_bytes()),
            "\u{10fee9}".as_bytes()
        );
    }
}
