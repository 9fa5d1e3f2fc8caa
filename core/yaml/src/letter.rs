//! Letters and digits as Go 1.26 knows them: those of Unicode 15.0, without the marks that the standard library here takes for letters.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

/// A set of characters.
#[derive(Debug, Default)]
pub struct Characters(Vec<(char, char)>);

impl Characters {
    /// Those of a class as a regular expression has it; none for anything else.
    #[must_use]
    pub fn of(class: &str) -> Self {
        match regex_syntax::parse(class).map(regex_syntax::hir::Hir::into_kind) {
            Ok(HirKind::Class(Class::Unicode(class))) => {
                Self(class.iter().map(|range| (range.start(), range.end())).collect())
            }
            _ => Self::default(),
        }
    }

    /// Whether a character is one of them.
    #[must_use]
    pub fn contains(&self, c: char) -> bool {
        let next = self.0.partition_point(|(start, _)| *start <= c);
        next.checked_sub(1).is_some_and(|at| c <= self.0[at].1)
    }
}

/// Go's `unicode.IsLetter`.
#[must_use]
pub fn is_letter(c: char) -> bool {
    static LETTERS: LazyLock<Characters> = LazyLock::new(|| Characters::of("[\\p{L}&&\\p{age=15.0}]"));
    match c.is_ascii() {
        true => c.is_ascii_alphabetic(),
        false => LETTERS.contains(c),
    }
}

/// Go's `unicode.IsDigit`.
#[must_use]
pub fn is_digit(c: char) -> bool {
    static DIGITS: LazyLock<Characters> = LazyLock::new(|| Characters::of("[\\p{Nd}&&\\p{age=15.0}]"));
    match c.is_ascii() {
        true => c.is_ascii_digit(),
        false => DIGITS.contains(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_later_letters_are_none() {
        assert!(is_letter('é') && is_letter('ª') && is_letter('語'));
        assert!(!is_letter('\u{345}') && !is_letter('Ⅷ') && !is_letter('\u{a7cb}'));
        assert!(is_digit('7') && is_digit('٣') && !is_digit('²'));
    }
}
