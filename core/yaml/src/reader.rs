//! A text as Go's YAML library reads it: UTF-8 or UTF-16, 512 bytes at a time, and only as far as the document goes.
//!
//! **Problem.** What follows the first document of a text may be no text at all, and nobody minds unless it stands in the bytes that are read
//! with it. So what is readable is told apart from why it ends, and that is an error only for who reads so far.
//!
//! **Invariants.** The error is the library's, in its words, at the byte it complains about.

use std::borrow::Cow;
use std::io::{BufRead, Read};

use crate::YamlError;

/// Bytes that are read at a time.
const WINDOW: usize = 512;

/// What can be read of some bytes.
pub(crate) struct Readable<'b> {
    pub(crate) text: Cow<'b, str>,
    /// Why there is no more, where that is not the end.
    pub(crate) end: Option<YamlError>,
}

#[derive(Clone, Copy)]
enum Encoding {
    Utf8,
    Utf16(fn([u8; 2]) -> u16),
}

/// What stands at the beginning of some bytes.
enum Next {
    Character(char, usize),
    /// More bytes are wanted; what is said where there are none.
    Cut(&'static str),
    /// The library's complaint, and where.
    Wrong(&'static str, usize),
}

impl<'b> Readable<'b> {
    pub(crate) fn of(bytes: &'b [u8]) -> Self {
        let (encoding, mark) = match bytes {
            [0xff, 0xfe, ..] => (Encoding::Utf16(u16::from_le_bytes), 2),
            [0xfe, 0xff, ..] => (Encoding::Utf16(u16::from_be_bytes), 2),
            [0xef, 0xbb, 0xbf, ..] => (Encoding::Utf8, 3),
            _ => (Encoding::Utf8, 0),
        };
        if let (Encoding::Utf8, Ok(text)) = (encoding, std::str::from_utf8(&bytes[mark..]))
            && text.chars().all(is_allowed)
        {
            return Self {
                text: text.into(),
                end: None,
            };
        }
        Self::by_windows(bytes, encoding, mark)
    }

    fn by_windows(bytes: &[u8], encoding: Encoding, mark: usize) -> Self {
        let (mut text, mut at) = (String::new(), mark);
        // What is left of the bytes when all were seen is looked at once more.
        let (mut end, mut is_last) = (bytes.len().min(WINDOW), false);
        loop {
            let before = text.len();
            while at < end {
                let wrong = match next(&bytes[at..end], encoding) {
                    Next::Character(c, length) if is_allowed(c) => {
                        text.push(c);
                        at += length;
                        continue;
                    }
                    Next::Character(..) => ("control characters are not allowed", at),
                    Next::Cut(problem) if is_last => (problem, at),
                    Next::Cut(_) => break,
                    Next::Wrong(problem, further) => (problem, at + further),
                };
                text.truncate(before);
                return Self {
                    text: text.into(),
                    end: Some(YamlError::encoding(bytes, wrong.1, wrong.0)),
                };
            }
            if at == bytes.len() {
                return Self {
                    text: text.into(),
                    end: None,
                };
            }
            is_last = end == bytes.len();
            end = bytes.len().min(at + WINDOW);
        }
    }
}

fn next(bytes: &[u8], encoding: Encoding) -> Next {
    match encoding {
        Encoding::Utf8 => next_of_utf8(bytes),
        Encoding::Utf16(unit) => next_of_utf16(bytes, unit),
    }
}

fn next_of_utf8(bytes: &[u8]) -> Next {
    let length = match bytes[0] {
        0..0x80 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf8 => 4,
        _ => return Next::Wrong("invalid leading UTF-8 octet", 0),
    };
    let Some(sequence) = bytes.get(..length) else {
        return Next::Cut("incomplete UTF-8 octet sequence");
    };
    if let Some(at) = (1..length).find(|at| sequence[*at] & 0xc0 != 0x80) {
        return Next::Wrong("invalid trailing UTF-8 octet", at);
    }
    match std::str::from_utf8(sequence).ok().and_then(|text| text.chars().next()) {
        Some(c) => Next::Character(c, length),
        // Halves of pairs, and what is beyond the last character.
        None if matches!(
            sequence,
            [0xed, 0xa0..=0xff, ..] | [0xf4, 0x90..=0xff, ..] | [0xf5..=0xff, ..]
        ) =>
        {
            Next::Wrong("invalid Unicode character", 0)
        }
        None => Next::Wrong("invalid length of a UTF-8 sequence", 0),
    }
}

fn next_of_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Next {
    let units = bytes.as_chunks::<2>().0;
    let Some(first) = units.first().map(|bytes| unit(*bytes)) else {
        return Next::Cut("incomplete UTF-16 character");
    };
    let pair = match (first, units.get(1).map(|bytes| unit(*bytes))) {
        (0xdc00..=0xdfff, _) => return Next::Wrong("unexpected low surrogate area", 0),
        (0xd800..=0xdbff, None) => return Next::Cut("incomplete UTF-16 surrogate pair"),
        (0xd800..=0xdbff, Some(second)) => vec![first, second],
        _ => vec![first],
    };
    let length = 2 * pair.len();
    match char::decode_utf16(pair).next() {
        Some(Ok(c)) => Next::Character(c, length),
        _ => Next::Wrong("expected low surrogate area", 2),
    }
}

/// The characters of YAML.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

/// What follows a text for the scanner.
#[derive(Debug)]
pub(crate) enum Tail {
    /// A line break where the text has none, or nothing.
    Bytes(&'static [u8]),
    /// What cannot be read.
    Unreadable,
}

impl Read for Tail {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Bytes(bytes) => bytes.read(into),
            Self::Unreadable => Err(std::io::Error::other("unreadable")),
        }
    }
}

impl BufRead for Tail {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Unreadable => Err(std::io::Error::other("unreadable")),
        }
    }

    fn consume(&mut self, amount: usize) {
        if let Self::Bytes(bytes) = self {
            bytes.consume(amount);
        }
    }
}
