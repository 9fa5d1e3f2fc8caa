//! Go's regular expressions in the words of the engine here.
//!
//! Both engines are of the same family; the differences that charts meet are rewritten: `\d`, `\w`, `\s` and `\b` are ASCII in Go, a brace
//! that is not a repetition, or a bracket inside a class, is itself, `\Q…\E` quotes, `\101` is octal. What only the engine here knows (flags,
//! escapes, a repetition of a repetition) is refused.

/// Whose words an expression is written in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    /// The engine's.
    Own,
    /// Those that are JavaScript's and the engine's.
    JavaScript,
}

/// An expression of Go as one of the engine here, or what Go says about it.
pub(crate) fn translate(pattern: &str) -> Result<String, String> {
    write(pattern, Words::Own)
}

fn write(pattern: &str, words: Words) -> Result<String, String> {
    let characters: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len());
    let (mut at, mut in_class) = (0, false);
    while at < characters.len() {
        let c = characters[at];
        match c {
            '\\' => {
                at = escaped(&characters, at, in_class, words, &mut out)?;
                continue;
            }
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                if characters.get(at + 1) == Some(&'^') {
                    out.push('^');
                    at += 1;
                }
                // A bracket at the beginning of a class is itself.
                if characters.get(at + 1) == Some(&']') {
                    out.push_str("\\]");
                    at += 1;
                }
            }
            '[' if characters.get(at + 1) == Some(&':') => {
                at = named_class(&characters, at, &mut out);
                continue;
            }
            '[' | '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            '{' if !in_class && !is_repetition(&characters[at..]) => out.push_str("\\{"),
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '}' | ']' if !in_class => out.extend(['\\', c]),
            '(' if !in_class && characters.get(at + 1) == Some(&'?') => {
                check_flags(&characters[at..])?;
                out.push_str("(?");
                // `(?P<name>` and `(?<name>` are one.
                at += if characters.get(at + 2) == Some(&'P') { 3 } else { 2 };
                continue;
            }
            '*' | '+' | '?' | '{' if !in_class => {
                at = repetition(&characters, at, &mut out)?;
                continue;
            }
            _ => out.push(c),
        }
        at += 1;
    }
    Ok(out)
}

/// What begins with a backslash. Gives where it ends.
fn escaped(characters: &[char], at: usize, in_class: bool, words: Words, out: &mut String) -> Result<usize, String> {
    let Some(next) = characters.get(at + 1) else {
        out.push('\\');
        return Ok(characters.len());
    };
    if *next == 'Q' && !in_class {
        let rest: String = characters[at + 2..].iter().collect();
        let quoted = rest.split("\\E").next().unwrap_or_default();
        out.push_str(&regex::escape(quoted));
        return Ok(at + 2 + quoted.chars().count() + 2);
    }
    let (written, used) = escape(&characters[at + 1..], *next, in_class, words)?;
    out.push_str(&written);
    let end = at + 1 + used;
    // What stands for several characters begins no range: `[\w-.]`.
    if in_class && matches!(next, 'd' | 'w' | 's' | 'D' | 'W' | 'S') && characters.get(end) == Some(&'-') {
        out.push_str("\\-");
        return Ok(end + 1);
    }
    Ok(end)
}

/// `[:alpha:]` within a class; else the bracket is itself. Gives where it ends.
fn named_class(characters: &[char], at: usize, out: &mut String) -> usize {
    let rest: String = characters[at..].iter().collect();
    match rest.find(":]") {
        Some(end) => {
            out.push_str(&rest[..end + 2]);
            at + rest[..end + 2].chars().count()
        }
        None => {
            out.push_str("\\[");
            at + 1
        }
    }
}

/// A repetition with its lazy mark. Another one behind it is an error in Go, and so are counts above 1000.
fn repetition(characters: &[char], at: usize, out: &mut String) -> Result<usize, String> {
    let length = |from: usize| match characters.get(from) {
        Some('*' | '+' | '?') => 1,
        Some('{') if is_repetition(&characters[from..]) => characters[from..]
            .iter()
            .position(|c| *c == '}')
            .map_or(1, |end| end + 1),
        _ => 0,
    };
    let shown = |from: usize, to: usize| characters[from..to].iter().collect::<String>();
    let end = at + length(at);
    let counts = shown(at, end);
    let too_large = |count: &str| count.len() > 4 || count.parse::<u32>().is_ok_and(|count| count > 1000);
    if counts.starts_with('{') && counts[1..counts.len() - 1].split(',').any(too_large) {
        return Err(format!("invalid repeat count: `{counts}`"));
    }
    let lazy = usize::from(characters.get(end) == Some(&'?'));
    let next = end + lazy;
    let more = length(next);
    if more > 0 {
        return Err(format!(
            "invalid nested repetition operator: `{}`",
            shown(at, next + more)
        ));
    }
    out.push_str(&shown(at, next));
    Ok(next)
}

/// `{n}`, `{n,}` or `{n,m}`.
fn is_repetition(rest: &[char]) -> bool {
    let Some(end) = rest.iter().position(|c| *c == '}') else {
        return false;
    };
    let inner: String = rest[1..end].iter().collect();
    let (low, high) = inner.split_once(',').unwrap_or((&inner, ""));
    !low.is_empty() && low.chars().chain(high.chars()).all(|c| c.is_ascii_digit())
}

/// Of what may follow `(?`, Go knows fewer flags than the engine here.
fn check_flags(group: &[char]) -> Result<(), String> {
    let flags = group[2..].iter().take_while(|c| c.is_ascii_alphabetic() || **c == '-');
    let flags: String = flags.collect();
    let is_name = flags.starts_with('P') || group.get(2) == Some(&'<');
    if is_name || flags.chars().all(|flag| "imsU-".contains(flag)) {
        return Ok(());
    }
    let known = flags.chars().take_while(|flag| "imsU-".contains(*flag)).count();
    let shown: String = group[..3 + known].iter().collect();
    Err(format!("invalid or unsupported Perl syntax: `{shown}`"))
}

/// What stands for `\c`, and how many characters of `rest`, which begins with it, that uses up.
fn escape(rest: &[char], c: char, in_class: bool, words: Words) -> Result<(String, usize), String> {
    let is_script = words == Words::JavaScript;
    let written = match (c, in_class) {
        // A class in a class is the engine's own; so are ASCII's word boundaries, and the ends of the text.
        ('D' | 'W' | 'S', true) | ('b' | 'B', false) if is_script => format!("\\{c}"),
        ('A', false) if is_script => "^".to_owned(),
        ('z', false) if is_script => "$".to_owned(),
        // With its braces, which are no repetition.
        ('x' | 'p' | 'P', _) if rest.get(1) == Some(&'{') => {
            let inner: String = rest[1..].iter().take_while(|c| **c != '}').collect();
            let name = if c == 'x' && is_script { 'u' } else { c };
            return Ok((format!("\\{name}{inner}}}"), 2 + inner.chars().count()));
        }
        ('p' | 'P', _) if rest.get(1).is_some_and(char::is_ascii_alphabetic) => {
            return Ok((format!("\\{c}{{{}}}", rest[1]), 2));
        }
        ('d', true) => "0-9".to_owned(),
        ('d', false) => "[0-9]".to_owned(),
        ('w', true) => "0-9A-Za-z_".to_owned(),
        ('w', false) => "[0-9A-Za-z_]".to_owned(),
        ('s', true) => "\\t\\n\\x0C\\r ".to_owned(),
        ('s', false) => "[\\t\\n\\x0C\\r ]".to_owned(),
        ('D', _) => "[^0-9]".to_owned(),
        ('W', _) => "[^0-9A-Za-z_]".to_owned(),
        ('S', _) => "[^\\t\\n\\x0C\\r ]".to_owned(),
        ('b', false) => "(?-u:\\b)".to_owned(),
        ('B', false) => "(?-u:\\B)".to_owned(),
        ('0'..='7', _) => {
            let digits: String = rest.iter().take(3).take_while(|c| ('0'..='7').contains(*c)).collect();
            if c != '0' && digits.len() == 1 {
                return Err(format!("invalid escape sequence: `\\{c}`"));
            }
            let code = u32::from_str_radix(&digits, 8).unwrap_or_default();
            return Ok((format!("\\u{{{code:X}}}"), digits.len()));
        }
        ('A' | 'z', false) | ('a' | 'f' | 'n' | 'r' | 't' | 'v' | 'x' | 'p' | 'P', _) => format!("\\{c}"),
        _ if c.is_ascii_alphanumeric() => return Err(format!("invalid escape sequence: `\\{c}`")),
        ('/' | '"' | '\'' | '%' | '@' | ',' | ':' | ';' | '=' | '`' | '!' | '<' | '>' | '_', _) => c.to_string(),
        _ => format!("\\{c}"),
    };
    Ok((written, 1))
}

/// An expression of Go, written so that a translation from JavaScript, which JSON Schema's libraries make, changes nothing any more.
///
/// # Errors
/// What Go says about an expression that is none.
pub fn go_regex(pattern: &str) -> Result<String, String> {
    let translated = write(pattern, Words::JavaScript).map_err(|problem| format!("error parsing regexp: {problem}"))?;
    let translated = with_grouped_flags(translated);
    let crosses = pattern.split("(?").skip(1).any(|group| {
        let flags = group.split([')', ':', '<']).next().unwrap_or_default();
        flags.split('-').next().unwrap_or_default().contains('s')
    });
    let dot = if crosses { "[\\u{0}-\\u{10FFFF}]" } else { "[^\\n]" };
    let mut out = String::with_capacity(translated.len());
    let (mut rest, mut in_class) = (translated.as_str(), false);
    while let Some(c) = rest.chars().next() {
        let mut used = c.len_utf8();
        match c {
            '\\' => {
                used += rest[1..].chars().next().map_or(0, char::len_utf8);
                match &rest[..used] {
                    "\\a" => out.push_str("\\x07"),
                    other => out.push_str(other),
                }
            }
            '.' if !in_class => out.push_str(dot),
            '[' if in_class => match rest.find(":]") {
                Some(end) => {
                    used = end + 2;
                    out.push_str(posix(&rest[..used]).unwrap_or(&rest[..used]));
                }
                None => out.push(c),
            },
            '[' | ']' => {
                in_class = c == '[';
                out.push(c);
            }
            _ => out.push(c),
        }
        rest = &rest[used..];
    }
    Ok(out)
}

/// `(?i)rest` as `(?i:rest)`, which is the only form that JavaScript has, where it means the same.
fn with_grouped_flags(pattern: String) -> String {
    let (anchor, flagged) = match pattern.strip_prefix('^') {
        Some(flagged) => ("^", flagged),
        None => ("", pattern.as_str()),
    };
    let Some((flags, rest)) = flagged.strip_prefix("(?").and_then(|rest| rest.split_once(')')) else {
        return pattern;
    };
    let is_flags = !flags.is_empty() && flags.chars().all(|flag| "ims-".contains(flag));
    // An alternative would take the anchor, or the flags, with it.
    if !is_flags || !anchor.is_empty() && rest.contains('|') {
        return pattern;
    }
    format!("{anchor}(?{flags}:{rest})")
}

/// The characters of a class such as `[:alpha:]`.
fn posix(class: &str) -> Option<&'static str> {
    Some(match class {
        "[:alnum:]" => "0-9A-Za-z",
        "[:alpha:]" => "A-Za-z",
        "[:ascii:]" => "\\x00-\\x7F",
        "[:blank:]" => "\\t ",
        "[:cntrl:]" => "\\x00-\\x1F\\x7F",
        "[:digit:]" => "0-9",
        "[:graph:]" => "!-\\x7E",
        "[:lower:]" => "a-z",
        "[:print:]" => " -\\x7E",
        "[:punct:]" => "!-/:-@\\[-`\\{-\\x7E",
        "[:space:]" => "\\t\\n\\x0B\\x0C\\r ",
        "[:upper:]" => "A-Z",
        "[:word:]" => "0-9A-Za-z_",
        "[:xdigit:]" => "0-9A-Fa-f",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use regex::bytes::Regex;

    use super::*;

    #[test]
    fn dialect() {
        for (pattern, text, found) in [
            (r"\d+", "x42", Some("42")),
            (r"[\w.-]+", "a-b.c d", Some("a-b.c")),
            (r"{{ x", "a{{ x", Some("{{ x")),
            (r"[[a]", "x[", Some("[")),
            (r"[]a]", "x]", Some("]")),
            (r"[[:alpha:]]+", "12ab", Some("ab")),
            (r"\Qa.b\E+", "a.bb", Some("a.bb")),
            (r"[a&&b]", "&", Some("&")),
            (r"\bfoo\b", "a foo b", Some("foo")),
            (r"\/x", "/x", Some("/x")),
            (r"[\w-.]+", "a-b.c d", Some("a-b.c")),
            (r"\101\x42", "AB", Some("AB")),
            (r"[[:word:]-]+", " x_-", Some("x_-")),
            (r"(?i)a.c", "xA\rC", Some("A\rC")),
            (r"[\s\S]+", "a b", Some("a b")),
            (r"^(?i)ab|c$", "AB", Some("AB")),
            (r"(?P<x>a)}]", "a}]", Some("a}]")),
            (r"\pL+", "é1", Some("é")),
            (r"[^\p{L}]\x{41}", "é1A", Some("1A")),
            (r"\Ax\z", "x", Some("x")),
        ] {
            for written in [translate(pattern), go_regex(pattern)] {
                let regex = Regex::new(&written.expect(pattern)).expect(pattern);
                let shown = regex
                    .find(text.as_bytes())
                    .map(|m| String::from_utf8_lossy(m.as_bytes()).into_owned());
                assert_eq!(shown.as_deref(), found, "{pattern}");
            }
        }
    }

    #[test]
    fn what_go_does_not_know_is_refused() {
        for pattern in [r"\u0041", r"(?x) x", "(?R)x", "(?u)x", "x**", "x++", r"\1", r"\Z"] {
            assert!(translate(pattern).is_err(), "{pattern}");
        }
    }
}
