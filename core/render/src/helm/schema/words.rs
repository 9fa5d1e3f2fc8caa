//! How Go, and the English printer of the library Helm uses, write texts and numbers.

use super::json::Json;

/// Go's `%q`.
pub(super) fn quote_go(text: &str) -> String {
    quote_bytes(text.as_bytes())
}

/// The same for what may be no UTF-8.
pub(super) fn quote_bytes(bytes: &[u8]) -> String {
    let mut quoted = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => quoted.push_str("\\\""),
                c => push_escaped(&mut quoted, c),
            }
        }
        for byte in chunk.invalid() {
            quoted.push_str(&format!("\\x{byte:02x}"));
        }
    }
    quoted.push('"');
    quoted
}

/// Go's `%q` of a letter.
pub(super) fn quote_char(c: char) -> String {
    let mut quoted = String::from("'");
    match c {
        '\'' => quoted.push_str("\\'"),
        c => push_escaped(&mut quoted, c),
    }
    quoted.push('\'');
    quoted
}

fn push_escaped(quoted: &mut String, c: char) {
    match c {
        '\\' => quoted.push_str("\\\\"),
        '\u{7}' => quoted.push_str("\\a"),
        '\u{8}' => quoted.push_str("\\b"),
        '\u{c}' => quoted.push_str("\\f"),
        '\n' => quoted.push_str("\\n"),
        '\r' => quoted.push_str("\\r"),
        '\t' => quoted.push_str("\\t"),
        '\u{b}' => quoted.push_str("\\v"),
        '"' => quoted.push('"'),
        c if is_printable(c) => quoted.push(c),
        c if u32::from(c) < 0x80 => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
        c if u32::from(c) < 0x10000 => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
        c => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
    }
}

/// Would Go print it as it is? A mark is shown on the letter before it.
fn is_printable(c: char) -> bool {
    match c {
        ' '..='~' => true,
        c if c.escape_debug().count() == 1 => true,
        c => format!("a{c}").escape_debug().count() == 2,
    }
}

/// The same with single quotes.
pub(super) fn quote(text: &str) -> String {
    let quoted = quote_go(text).replace("\\\"", "\"").replace('\'', "\\'");
    format!("'{}'", quoted.get(1..quoted.len() - 1).unwrap_or_default())
}

/// Quoted names, separated by commas.
pub(super) fn quote_all<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    texts.into_iter().map(quote).collect::<Vec<_>>().join(", ")
}

/// A value in a message.
pub(super) fn display(value: &Json) -> String {
    match value {
        Json::Null => "<nil>".to_owned(),
        Json::Bool(flag) => flag.to_string(),
        Json::Number(number) => number.to_string(),
        Json::Text(text) => quote(text),
        Json::List(_) | Json::Object(_) => "value".to_owned(),
    }
}

/// A number as the English printer shows it: with an exponent below 1e-4 and from 1e6.
pub(super) fn number(number: f64) -> String {
    if number.is_infinite() {
        return if number < 0.0 { "-∞" } else { "∞" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = exponent.parse().unwrap_or_default();
    if number == 0.0 || (-4..6).contains(&power) {
        return grouped(&number.to_string());
    }
    let sign = if power < 0 { "⁻" } else { "" };
    let raised: String = format!("{:02}", power.unsigned_abs())
        .bytes()
        .filter_map(|digit| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(usize::from(digit - b'0')))
        .collect();
    format!("{digits}×10{sign}{raised}")
}

/// `1234567.5` as `1,234,567.5`.
pub(super) fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let (whole, fraction) = digits
        .split_once('.')
        .map_or((digits, String::new()), |(whole, rest)| (whole, format!(".{rest}")));
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{sign}{text}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_as_in_go() {
        for (text, expected) in [
            ("a'b\"c\\", "\"a'b\\\"c\\\\\""),
            ("\u{1}\u{7f}\n\u{b}", "\"\\x01\\x7f\\n\\v\""),
            (
                "é\u{301}\u{a0}\u{200b}\u{fffd}😀",
                "\"é\u{301}\\u00a0\\u200b\u{fffd}😀\"",
            ),
            ("\u{e000}\u{10ffff}", "\"\\ue000\\U0010ffff\""),
        ] {
            assert_eq!(quote_go(text), expected);
        }
        // Helm's library takes the last backslash for one of the quote.
        assert_eq!(quote("a'b\"c\\"), "'a\\'b\"c\\'");
    }
}
