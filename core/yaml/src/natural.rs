//! The order in which go-yaml writes the keys of a mapping: digits compare as numbers, letters come after everything else.

use std::cmp::Ordering;

use crate::emit::Layout;
use crate::letter::{is_digit, is_letter};

/// Whether `a` is written before `b`: `a1 < a2 < a10`, `1 < 2 < 10`, punctuation and digits before letters.
fn natural_less(a: &str, b: &str, layout: Layout) -> bool {
    if a.is_ascii() && b.is_ascii() {
        return less(a.as_bytes(), b.as_bytes(), |byte| char::from(*byte), layout);
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    less(&a, &b, |c| *c, layout)
}

fn less<T: Copy + PartialEq>(a: &[T], b: &[T], to_char: impl Fn(&T) -> char, layout: Layout) -> bool {
    let Some(at) = a.iter().zip(b).position(|(x, y)| x != y) else {
        return a.len() < b.len();
    };
    let (x, y) = (to_char(&a[at]), to_char(&b[at]));
    // The library of the indented layout is a later one, which puts letters first behind a digit.
    let letters_first = layout == Layout::Indented && at > 0 && is_digit(to_char(&a[at - 1]));
    match (is_letter(x), is_letter(y)) {
        (true, true) => return x < y,
        (true, false) => return letters_first,
        (false, true) => return !letters_first,
        (false, false) => {}
    }
    // Digits of other scripts are taken for numbers as far from zero as their codes are.
    let digit = |c: &T| is_digit(to_char(c)).then(|| i64::from(u32::from(to_char(c))) - i64::from(b'0'));
    // A zero after a non-zero digit continues a number; a leading one is dropped. A common prefix of 1 stands for that number.
    let continues = (x == '0' || y == '0') && a[..at].iter().rev().map_while(digit).any(|d| d != 0);
    let start = i64::from(continues);
    let (x_value, x_end) = number(&a[at..], start, digit);
    let (y_value, y_end) = number(&b[at..], start, digit);
    match x_value.cmp(&y_value).then(x_end.cmp(&y_end)) {
        Ordering::Less => true,
        Ordering::Greater => false,
        Ordering::Equal => x < y,
    }
}

/// The number at the beginning (after a leading `start`) and how many digits it has. Wraps like the original's 64-bit arithmetic.
fn number<T>(text: &[T], start: i64, digit: impl Fn(&T) -> Option<i64>) -> (i64, usize) {
    let mut value = start;
    let mut length = 0;
    for d in text.iter().map_while(digit) {
        value = value.wrapping_mul(10).wrapping_add(d);
        length += 1;
    }
    (value, length)
}

/// Sorts by [`natural_less`], which is no total order for every input, so the standard sort may not be used with it.
pub(crate) fn natural_sort<V>(mut entries: Vec<(&str, V)>, layout: Layout) -> Vec<(&str, V)> {
    if entries.len() < 2 {
        return entries;
    }
    let right = natural_sort(entries.split_off(entries.len() / 2), layout);
    let left = natural_sort(entries, layout);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some((l, _)), Some((r, _))) = (left.peek(), right.peek()) {
        let next = if natural_less(r, l, layout) {
            right.next()
        } else {
            left.next()
        };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted<'k>(keys: &[&'k str], layout: Layout) -> Vec<&'k str> {
        let entries = keys.iter().map(|key| (*key, ())).collect();
        natural_sort(entries, layout).into_iter().map(|entry| entry.0).collect()
    }

    #[test]
    fn numbers_inside_keys_sort_as_numbers() {
        let keys = [
            "a10", "a2", "10", "2", "1", "b", "A", "a", ".x", "-y", "a.b", "a-b", "ab", "01", "é",
        ];
        assert_eq!(
            sorted(&keys, Layout::Compact),
            [
                "-y", ".x", "1", "01", "2", "10", "A", "a", "a-b", "a.b", "a2", "a10", "ab", "b", "é"
            ]
        );
    }
    #[test]
    fn what_is_a_letter_depends_on_the_layout_and_on_unicode() {
        let keys = ["a1b", "a1-", "a\u{345}", "ab", "\u{660}1", "9"];
        assert_eq!(
            sorted(&keys, Layout::Compact),
            ["9", "\u{660}1", "a\u{345}", "a1-", "a1b", "ab"]
        );
        assert_eq!(
            sorted(&keys, Layout::Indented),
            ["9", "\u{660}1", "a\u{345}", "a1b", "a1-", "ab"]
        );
    }
}
