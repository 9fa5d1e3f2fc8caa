//! Characters as Go's `unicode` package sees them.
//!
//! **Problem.** Go 1.26 has Unicode 15.0 and the standard library here a later one, which gives letters to code points that are nothing to Go.
//! And the two mean different things by the same words: here marks are alphabetic and circled letters upper case, and what becomes two
//! characters in upper case stays as it is in Go.
//!
//! **Invariants.** Each function gives what Go gives, for every character there is: the differential tests of `core/render` ask the real Helm.

use std::sync::LazyLock;

use capstan_yaml::Characters;
pub(crate) use capstan_yaml::{is_digit, is_letter};

use crate::go_syntax::unicode_class;

/// A class by Go's name of it.
fn named(name: &str) -> Characters {
    Characters::of(&format!("[{}]", unicode_class(name).unwrap_or_default()))
}

/// `unicode.IsNumber`
pub(crate) fn is_number(c: char) -> bool {
    static NUMBERS: LazyLock<Characters> = LazyLock::new(|| named("N"));
    match c.is_ascii() {
        true => c.is_ascii_digit(),
        false => NUMBERS.contains(c),
    }
}

/// `unicode.IsUpper`
pub(crate) fn is_upper(c: char) -> bool {
    static CAPITALS: LazyLock<Characters> = LazyLock::new(|| named("Lu"));
    match c.is_ascii() {
        true => c.is_ascii_uppercase(),
        false => CAPITALS.contains(c),
    }
}

/// `unicode.IsLower`
pub(crate) fn is_lower(c: char) -> bool {
    static SMALL: LazyLock<Characters> = LazyLock::new(|| named("Ll"));
    match c.is_ascii() {
        true => c.is_ascii_lowercase(),
        false => SMALL.contains(c),
    }
}

/// `unicode.IsTitle`
pub(crate) fn is_title(c: char) -> bool {
    static TITLES: LazyLock<Characters> = LazyLock::new(|| named("Lt"));
    !c.is_ascii() && TITLES.contains(c)
}

/// `unicode.IsPunct`
pub(crate) fn is_punctuation(c: char) -> bool {
    static PUNCTUATION: LazyLock<Characters> = LazyLock::new(|| named("P"));
    PUNCTUATION.contains(c)
}

/// Go's `strconv.IsPrint`.
#[must_use]
pub fn is_printable(c: char) -> bool {
    static PRINTABLE: LazyLock<Characters> =
        LazyLock::new(|| Characters::of("[[\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}]&&\\p{age=15.0}]"));
    match c.is_ascii() {
        true => matches!(c, ' '..='~'),
        false => PRINTABLE.contains(c),
    }
}

/// What is more than nothing to Go.
pub(crate) fn is_known(c: char) -> bool {
    static KNOWN: LazyLock<Characters> = LazyLock::new(|| named("Assigned"));
    KNOWN.contains(c)
}

/// The character that one becomes; itself where that are several, or one that Go does not know.
fn single(c: char, mut changed: impl Iterator<Item = char>) -> char {
    match (changed.next(), changed.next()) {
        (Some(only), None) if is_known(c) && is_known(only) => only,
        _ => c,
    }
}

fn further(c: char, by: u32) -> char {
    char::from_u32(u32::from(c) + by).unwrap_or(c)
}

/// `unicode.ToUpper`
pub(crate) fn upper(c: char) -> char {
    match c {
        _ if c.is_ascii() => c.to_ascii_uppercase(),
        // Greek letters with an iota below, which is beside the letter in full capitals.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => further(c, 8),
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => further(c, 9),
        _ => single(c, c.to_uppercase()),
    }
}

/// `unicode.ToLower`
pub(crate) fn lower(c: char) -> char {
    match c {
        _ if c.is_ascii() => c.to_ascii_lowercase(),
        // Dotted capital I: the only one whose small form is two characters.
        '\u{130}' => 'i',
        _ => single(c, c.to_lowercase()),
    }
}

/// `unicode.ToTitle`
pub(crate) fn title(c: char) -> char {
    match c {
        // Two letters in one, of which the first becomes a capital.
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        // Georgian has capitals for whole words only.
        '\u{10d0}'..='\u{10fa}' | '\u{10fd}'..='\u{10ff}' => c,
        _ => upper(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_character_becomes_one() {
        for (c, capital, small, first) in [
            ('ß', 'ß', 'ß', 'ß'),
            ('ǆ', 'Ǆ', 'ǆ', 'ǅ'),
            ('ᾳ', 'ᾼ', 'ᾳ', 'ᾼ'),
            ('Σ', 'Σ', 'σ', 'Σ'),
            ('İ', 'İ', 'i', 'İ'),
            ('ა', 'Ა', 'ა', 'ა'),
            // Its capital came with Unicode 16.
            ('\u{264}', '\u{264}', '\u{264}', '\u{264}'),
        ] {
            assert_eq!((upper(c), lower(c), title(c)), (capital, small, first), "{c}");
        }
    }

    #[test]
    fn kinds_are_categories() {
        assert!(is_upper('Ä') && !is_upper('Ⅷ') && !is_upper('Ⓐ'));
        assert!(is_lower('ä') && !is_lower('ª') && is_lower('\u{295}'));
        assert!(is_letter('ª') && !is_letter('\u{345}') && !is_letter('Ⅷ'));
        assert!(is_number('Ⅷ') && is_digit('٣') && !is_digit('²'));
        assert!(is_title('ǅ') && is_punctuation('«') && !is_punctuation('+'));
        assert!(is_printable('é') && !is_printable('\u{a0}') && !is_printable('\u{a7cb}'));
    }
}
