//! The order in which go-yaml writes the keys of a mapping: digits compare as numbers, letters come after everything else.

use std::cmp::Ordering;

/// Whether `a` is written before `b`: `a1 < a2 < a10`, `1 < 2 < 10`, punctuation and digits before letters.
pub fn natural_less(a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() {
        return less(a.as_bytes(), b.as_bytes(), |byte| char::from(*byte));
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    less(&a, &b, |c| *c)
}

fn less<T: Copy + PartialEq>(a: &[T], b: &[T], to_char: impl Fn(&T) -> char) -> bool {
    let Some(at) = a.iter().zip(b).position(|(x, y)| x != y) else {
        return a.len() < b.len();
    };
    let (x, y) = (to_char(&a[at]), to_char(&b[at]));
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => return x < y,
        (true, false) => return false,
        (false, true) => return true,
        (false, false) => {}
    }
    let digit = |c: &T| to_char(c).to_digit(10).filter(|_| to_char(c).is_ascii_digit());
    // A zero after a non-zero digit continues a number; a leading one is dropped. A common prefix of 1 stands for that number.
    let continues = (x == '0' || y == '0') && a[..at].iter().rev().map_while(digit).any(|d| d != 0);
    let start = u64::from(continues);
    let (x_value, x_end) = number(&a[at..], start, digit);
    let (y_value, y_end) = number(&b[at..], start, digit);
    match x_value.cmp(&y_value).then(x_end.cmp(&y_end)) {
        Ordering::Less => true,
        Ordering::Greater => false,
        Ordering::Equal => x < y,
    }
}

/// The number at the beginning (after a leading `start`) and how many digits it has. Wraps like the original's 64-bit arithmetic.
fn number<T>(text: &[T], start: u64, digit: impl Fn(&T) -> Option<u32>) -> (i64, usize) {
    let mut value = start;
    let mut length = 0;
    for d in text.iter().map_while(digit) {
        value = value.wrapping_mul(10).wrapping_add(u64::from(d));
        length += 1;
    }
    (value.cast_signed(), length)
}

/// Sorts by [`natural_less`], which is no total order for every input, so the standard sort may not be used with it.
pub(crate) fn natural_sort<V>(mut entries: Vec<(&str, V)>) -> Vec<(&str, V)> {
    if entries.len() < 2 {
        return entries;
    }
    let right = natural_sort(entries.split_off(entries.len() / 2));
    let left = natural_sort(entries);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some((l, _)), Some((r, _))) = (left.peek(), right.peek()) {
        let next = if natural_less(r, l) { right.next() } else { left.next() };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_inside_keys_sort_as_numbers() {
        let keys = [
            "a10", "a2", "10", "2", "1", "b", "A", "a", ".x", "-y", "a.b", "a-b", "ab", "01", "é",
        ];
        let sorted: Vec<&str> = natural_sort(keys.iter().map(|key| (*key, ())).collect())
            .into_iter()
            .map(|entry| entry.0)
            .collect();
        assert_eq!(
            sorted,
            [
                "-y", ".x", "1", "01", "2", "10", "A", "a", "a-b", "a.b", "a2", "a10", "ab", "b", "é"
            ]
        );
    }
}
