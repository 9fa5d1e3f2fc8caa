//! Which regular expressions Go takes, and what it says about the others.
//!
//! It goes by the rules of Go's parser from left to right, so that of two mistakes the first one is told. What the expression means is no matter
//! here: [`super::go_regex`] writes it for the engine here.

/// How often Go repeats anything at the most, repetitions of repetitions counted.
const MOST: u32 = 1000;

type Checked<T> = Result<T, String>;

/// Is it an expression of Go?
pub(crate) fn check(pattern: &str) -> Checked<()> {
    let mut parser = Parser {
        whole: pattern,
        rest: pattern,
        has_atom: false,
        repeated: None,
        counts: Counts::default(),
    };
    while let Some(c) = parser.rest.chars().next() {
        parser.part(c)?;
    }
    match parser.counts.around.is_empty() {
        true => Ok(()),
        false => Err(format!("missing closing ): `{pattern}`")),
    }
}

struct Parser<'p> {
    whole: &'p str,
    rest: &'p str,
    /// Is there something that may be repeated?
    has_atom: bool,
    /// The repetition just before, and all after it.
    repeated: Option<&'p str>,
    counts: Counts,
}

/// What of a text comes before its end.
fn before<'t>(text: &'t str, end: &str) -> &'t str {
    text.get(..text.len() - end.len()).unwrap_or_default()
}

/// A text without its first character.
fn tail(text: &str) -> &str {
    let mut characters = text.chars();
    characters.next();
    characters.as_str()
}

impl<'p> Parser<'p> {
    fn part(&mut self, c: char) -> Checked<()> {
        let repeated = self.repeated.take();
        match c {
            '(' if self.rest.starts_with("(?") => self.group(),
            '(' => {
                self.rest = tail(self.rest);
                self.open();
                Ok(())
            }
            ')' if self.counts.around.is_empty() => Err(format!("unexpected ): `{}`", self.whole)),
            ')' => {
                self.rest = tail(self.rest);
                self.counts.close();
                self.has_atom = true;
                Ok(())
            }
            '|' => {
                self.rest = tail(self.rest);
                self.has_atom = false;
                Ok(())
            }
            '*' | '+' | '?' => self.repetition(tail(self.rest), repeated),
            '{' => match bounds(self.rest) {
                Some((least, most, after)) => {
                    if most.is_some_and(|most| least > most) || least.max(most.unwrap_or_default()) > MOST {
                        return Err(format!("invalid repeat count: `{}`", before(self.rest, after)));
                    }
                    self.repetition(after, repeated)
                }
                None => self.atom(tail(self.rest)),
            },
            '[' => {
                let after = class(self.rest)?;
                self.atom(after)
            }
            '\\' => self.escape(),
            _ => self.atom(tail(self.rest)),
        }
    }

    fn atom(&mut self, after: &'p str) -> Checked<()> {
        self.rest = after;
        self.has_atom = true;
        self.counts.last = 1;
        Ok(())
    }

    fn open(&mut self) {
        self.has_atom = false;
        self.counts.open();
    }

    fn repetition(&mut self, after: &'p str, repeated: Option<&'p str>) -> Checked<()> {
        let start = self.rest;
        let after = after.strip_prefix('?').unwrap_or(after);
        if let Some(first) = repeated {
            return Err(format!(
                "invalid nested repetition operator: `{}`",
                before(first, after)
            ));
        }
        if !self.has_atom {
            return Err(format!(
                "missing argument to repetition operator: `{}`",
                before(start, after)
            ));
        }
        if let Some((least, most, _)) = bounds(start)
            && self.counts.repeat(least, most).is_none()
        {
            return Err(format!("invalid repeat count: `{}`", before(start, after)));
        }
        self.rest = after;
        self.repeated = Some(start);
        Ok(())
    }

    /// What begins with `(?`: flags, a group with or without them, or one with a name.
    fn group(&mut self) -> Checked<()> {
        let start = self.rest;
        for (prefix, least) in [("(?P<", 4), ("(?<", 3)] {
            let Some(name) = start.strip_prefix(prefix).filter(|_| start.len() > least) else {
                continue;
            };
            let Some((name, after)) = name.split_once('>') else {
                return Err(format!("invalid named capture: `{start}`"));
            };
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Err(format!("invalid named capture: `{}`", before(start, after)));
            }
            self.rest = after;
            self.open();
            return Ok(());
        }
        let (mut is_negative, mut has_flag) = (false, false);
        let mut rest = &start[2..];
        while let Some(c) = rest.chars().next() {
            rest = tail(rest);
            match c {
                'i' | 'm' | 's' | 'U' => has_flag = true,
                '-' if !is_negative => (is_negative, has_flag) = (true, false),
                ':' | ')' if !is_negative || has_flag => {
                    self.rest = rest;
                    if c == ':' {
                        self.open();
                    }
                    return Ok(());
                }
                _ => break,
            }
        }
        Err(format!("invalid or unsupported Perl syntax: `{}`", before(start, rest)))
    }

    fn escape(&mut self) -> Checked<()> {
        let start = self.rest;
        let after = match start[1..].chars().next() {
            Some('A' | 'b' | 'B' | 'z') => &start[2..],
            Some('Q') => {
                let quoted = start[2..].split("\\E").next().unwrap_or_default();
                let after = start[2 + quoted.len()..].strip_prefix("\\E").unwrap_or_default();
                if quoted.is_empty() {
                    self.rest = after;
                    return Ok(());
                }
                after
            }
            _ => match wide_class(start)? {
                Some(after) => after,
                None => character(start)?.1,
            },
        };
        self.atom(after)
    }
}

/// `\d` and its like, `\pL` and `\p{Greek}`. Gives what follows.
fn wide_class(text: &str) -> Checked<Option<&str>> {
    let Some(escape) = text.strip_prefix('\\') else {
        return Ok(None);
    };
    match escape.chars().next() {
        Some('d' | 'D' | 's' | 'S' | 'w' | 'W') => Ok(Some(&escape[1..])),
        Some('p' | 'P') => {
            let inner = &escape[1..];
            let (name, after) = match inner.strip_prefix('{') {
                Some(inner) => match inner.split_once('}') {
                    Some(parts) => parts,
                    None => return Err(format!("invalid character class range: `{text}`")),
                },
                None => (before(inner, tail(inner)), tail(inner)),
            };
            match is_unicode_class(name.strip_prefix('^').unwrap_or(name)) {
                true => Ok(Some(after)),
                false => Err(format!("invalid character class range: `{}`", before(text, after))),
            }
        }
        _ => Ok(None),
    }
}

/// A general category, or a script by its long name.
fn is_unicode_class(name: &str) -> bool {
    let loose: String = name
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '_'))
        .collect::<String>()
        .to_ascii_lowercase();
    let is_word = !loose.is_empty() && loose.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_word || loose.starts_with("is") {
        return false;
    }
    let exists = |kind: &str| regex_syntax::parse(&format!("\\p{{{kind}={name}}}")).is_ok();
    matches!(loose.as_str(), "any" | "ascii" | "assigned") || exists("gc") || exists("sc")
}

/// A character, escaped or not. Gives what follows.
fn character(text: &str) -> Checked<(Option<char>, &str)> {
    let Some(escape) = text.strip_prefix('\\') else {
        return Ok((text.chars().next(), tail(text)));
    };
    let Some(c) = escape.chars().next() else {
        return Err("trailing backslash at end of expression: ``".to_owned());
    };
    let mut rest = tail(escape);
    let invalid = |rest: &str| Err(format!("invalid escape sequence: `{}`", before(text, rest)));
    let code = match c {
        '1'..='7' if !rest.starts_with(|c: char| ('0'..='7').contains(&c)) => return invalid(rest),
        '0'..='7' => {
            let mut code = u32::from(c) - u32::from('0');
            for _ in 0..2 {
                let Some(digit) = rest.chars().next().and_then(|c| c.to_digit(8)) else {
                    break;
                };
                code = code * 8 + digit;
                rest = tail(rest);
            }
            code
        }
        'x' => match hexadecimal(rest) {
            Ok((code, after)) => {
                rest = after;
                code
            }
            Err(after) => return invalid(after),
        },
        'a' => 7,
        'f' => 12,
        'n' => 10,
        'r' => 13,
        't' => 9,
        'v' => 11,
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => u32::from(c),
        _ => return invalid(rest),
    };
    Ok((char::from_u32(code), rest))
}

/// The number after `\x` and what follows it; or what is left where there is none.
fn hexadecimal(text: &str) -> Result<(u32, &str), &str> {
    let (digits, is_braced) = match text.strip_prefix('{') {
        Some(inner) => (inner, true),
        None => (text, false),
    };
    let (mut code, mut count, mut rest) = (0, 0, digits);
    while is_braced || count < 2 {
        let c = rest.chars().next();
        rest = tail(rest);
        match c.and_then(|c| c.to_digit(16)) {
            Some(digit) => code = code * 16 + digit,
            None if is_braced && c == Some('}') && count > 0 => return Ok((code, rest)),
            None if is_braced || count == 1 => return Err(rest),
            // Two characters are read before either is looked at.
            None => return Err(tail(rest)),
        }
        if code > u32::from(char::MAX) {
            return Err(rest);
        }
        count += 1;
    }
    Ok((code, rest))
}

/// A class in brackets. Gives what follows.
fn class(text: &str) -> Checked<&str> {
    const NAMES: [&str; 14] = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
        "word", "xdigit",
    ];
    let missing = || format!("missing closing ]: `{text}`");
    let inner = &text[1..];
    let mut rest = inner.strip_prefix('^').unwrap_or(inner);
    let mut is_first = true;
    while is_first || !rest.starts_with(']') {
        is_first = false;
        if let Some((name, after)) = rest.strip_prefix("[:").and_then(|name| name.split_once(":]")) {
            if !NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
                return Err(format!("invalid character class range: `{}`", before(rest, after)));
            }
            rest = after;
            continue;
        }
        if let Some(after) = wide_class(rest)? {
            rest = after;
            continue;
        }
        let start = rest;
        if rest.is_empty() {
            return Err(missing());
        }
        let (low, after) = character(rest)?;
        rest = after;
        let Some(high) = rest
            .strip_prefix('-')
            .filter(|high| !high.is_empty() && !high.starts_with(']'))
        else {
            continue;
        };
        let (high, after) = character(high)?;
        rest = after;
        if high < low {
            return Err(format!("invalid character class range: `{}`", before(start, rest)));
        }
    }
    Ok(tail(rest))
}

/// The least and the most of `{2}`, `{2,}` and `{2,3}` and what follows, if it begins so. What no number holds is more than [`MOST`].
fn bounds(text: &str) -> Option<(u32, Option<u32>, &str)> {
    let (inner, after) = text.strip_prefix('{')?.split_once('}')?;
    let is_number = |digits: &str| {
        let is_padded = digits.len() > 1 && digits.starts_with('0');
        !digits.is_empty() && !is_padded && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let number = |digits: &str| digits.parse().unwrap_or(u32::MAX);
    match inner.split_once(',') {
        None => is_number(inner).then(|| (number(inner), Some(number(inner)), after)),
        Some((least, "")) => is_number(least).then(|| (number(least), None, after)),
        Some((least, most)) => {
            (is_number(least) && is_number(most)).then(|| (number(least), Some(number(most)), after))
        }
    }
}

/// Does a text begin with a repetition in braces?
pub(crate) fn is_repetition(text: &str) -> bool {
    bounds(text).is_some()
}

/// How often the innermost part of what was read so far is repeated, by the groups that are open.
#[derive(Default)]
struct Counts {
    /// Of each group around, the largest product in it so far.
    around: Vec<u32>,
    /// The same for the innermost group.
    largest: u32,
    /// The product within what was read last.
    last: u32,
}

impl Counts {
    fn open(&mut self) {
        self.around.push(std::mem::take(&mut self.largest));
        self.last = 1;
    }

    fn close(&mut self) {
        self.last = self.largest.max(1);
        self.largest = self.around.pop().unwrap_or_default().max(self.last);
    }

    /// Repeats what was read last; nothing if that is too often.
    fn repeat(&mut self, least: u32, most: Option<u32>) -> Option<()> {
        let product = match most.unwrap_or(least) {
            // Without an upper bound the lower one counts; what occurs never repeats nothing.
            0 if most.is_some() => 1,
            times => self.last.saturating_mul(times.max(1)),
        };
        let is_checked = least >= 2 || most.is_some_and(|most| most >= 2);
        self.last = product;
        self.largest = self.largest.max(product);
        (!is_checked || product <= MOST).then_some(())
    }
}

#[cfg(test)]
mod tests;
