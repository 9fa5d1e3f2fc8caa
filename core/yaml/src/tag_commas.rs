//! Commas in tags, which Go takes for a part of the tag (`{a: !x,b c}`) and over which the scanner here falls.
//!
//! They are written as `%2C`, which both read so. What looks like a tag in a text stays as it is: where texts are is asked of the scanner,
//! with something harmless in the place of the commas.

use std::borrow::Cow;

use libyaml_safer::{EventData, Parser};

use crate::problem::syntax_error;
use crate::repair::{Failed, Place};

/// How often the scanner is asked: a comma of a text that is taken away may hide what comes after it.
const MOST_PASSES: usize = 100;

/// The text without commas in its tags.
pub(crate) fn escaped(text: &str) -> Result<Cow<'_, str>, Failed> {
    let mut unknown = after_exclamation_marks(text.as_bytes());
    if unknown.is_empty() {
        return Ok(text.into());
    }
    let mut of_tags = Vec::new();
    for pass in 0.. {
        let mut harmless = text.as_bytes().to_vec();
        let replaced = unknown.iter().chain(&of_tags);
        replaced.for_each(|comma| harmless[*comma] = b'+');
        harmless.push(b'\n');
        let (texts, end) = texts(&harmless);
        let is_text = |comma: usize| texts.iter().any(|(start, end)| (*start..*end).contains(&comma));
        let reached = end.as_ref().map_or(text.len(), |(at, _)| *at);
        let before = unknown.len();
        // What the scanner stumbles over begins something new there, so that the comma stands between.
        let (known, rest): (Vec<usize>, Vec<usize>) =
            unknown.iter().partition(|comma| **comma <= reached || is_text(**comma));
        of_tags.extend(known.into_iter().filter(|comma| *comma < reached && !is_text(*comma)));
        unknown = rest;
        match end {
            _ if unknown.is_empty() => break,
            Some((_, error)) if unknown.len() == before || pass == MOST_PASSES => return Err(error),
            _ => {}
        }
    }
    let mut out = String::with_capacity(text.len() + 2 * of_tags.len());
    let mut from = 0;
    for comma in of_tags {
        out.push_str(&text[from..comma]);
        out.push_str("%2C");
        from = comma + 1;
    }
    out.push_str(&text[from..]);
    Ok(out.into())
}

/// The commas in what may be a tag.
fn after_exclamation_marks(text: &[u8]) -> Vec<usize> {
    let mut commas = Vec::new();
    let mut next = 0;
    for mark in memchr::memchr_iter(b'!', text) {
        if mark < next {
            continue;
        }
        let is_verbatim = text.get(mark + 1) == Some(&b'<');
        let ends = |byte: &u8| match byte {
            b' ' | b'\t' | b'\n' | b'\r' => true,
            b'[' | b']' | b'{' | b'}' => !is_verbatim,
            _ => false,
        };
        let length = text[mark..].iter().position(ends);
        next = length.map_or(text.len(), |length| mark + length);
        commas.extend(memchr::memchr_iter(b',', &text[mark..next]).map(|at| mark + at));
    }
    commas
}

type Extent = (usize, usize);

/// Where the scalars of a text stand, without their tags and anchors, and where and why there are no more.
fn texts(text: &[u8]) -> (Vec<Extent>, Option<(usize, Failed)>) {
    let index = |mark: libyaml_safer::Mark| usize::try_from(mark.index).unwrap_or(usize::MAX);
    let mut parser = Parser::new();
    parser.set_encoding(libyaml_safer::Encoding::Utf8);
    parser.set_input(text);
    let mut found = Vec::new();
    loop {
        let event = match parser.parse() {
            Ok(event) => event,
            Err(error) => {
                let at = error.problem_mark().map_or(0, index);
                let failed = (syntax_error(&error, None), Place::of(&error));
                return (found, Some((at, failed)));
            }
        };
        match event.data {
            EventData::StreamEnd => return (found, None),
            EventData::Scalar { .. } => {
                let (mut start, end) = (index(event.start_mark), index(event.end_mark));
                while matches!(text.get(start), Some(b'!' | b'&')) {
                    let is_space = |byte: &u8| byte.is_ascii_whitespace();
                    let rest = &text[start..end.max(start)];
                    let word = rest.iter().position(is_space).unwrap_or(rest.len());
                    let gap = rest[word..]
                        .iter()
                        .position(|byte| !is_space(byte))
                        .unwrap_or(rest.len() - word);
                    start += word + gap;
                }
                found.push((start, end));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_of_tags_are_written_otherwise() {
        for (text, wanted) in [
            ("a: b, !c", "a: b, !c"),
            ("{a: !x,c: d}", "{a: !x%2Cc: d}"),
            ("[!!str,a]", "[!!str%2Ca]"),
            (
                "a: \"hey !you, there\"\nb: !x,y z\n",
                "a: \"hey !you, there\"\nb: !x%2Cy z\n",
            ),
            ("a: |\n  hey !you, there\n", "a: |\n  hey !you, there\n"),
            ("[wow!,{a: b}, \"x!,y\", !z, ]", "[wow!,{a: b}, \"x!,y\", !z%2C ]"),
            ("{a: \"x!\",b: 'y!',c: !z }", "{a: \"x!\",b: 'y!',c: !z }"),
            ("[!x 'a !b,c', !<t,u> d]", "[!x 'a !b,c', !<t%2Cu> d]"),
        ] {
            assert_eq!(escaped(text).unwrap(), wanted, "{text}");
        }
    }
}
