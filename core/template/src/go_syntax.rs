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
pub(crate) fn tail(text: &str) -> &str {
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
                let (text, after) = quoted(&start[2..]);
                if text.is_empty() {
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

/// What `\Q` quotes, and what follows it.
pub(crate) fn quoted(text: &str) -> (&str, &str) {
    text.split_once("\\E").unwrap_or((text, ""))
}

/// `\d` and its like, `\pL` and `\p{Greek}`. Gives what follows.
fn wide_class(text: &str) -> Checked<Option<&str>> {
    let Some(escape) = text.strip_prefix('\\') else {
        return Ok(None);
    };
    if escape.starts_with(['d', 'D', 's', 'S', 'w', 'W']) {
        return Ok(Some(&escape[1..]));
    }
    let Some((name, after)) = class_name(text)? else {
        return Ok(None);
    };
    match unicode_class(name.strip_prefix('^').unwrap_or(name)) {
        Some(_) => Ok(Some(after)),
        None => Err(format!("invalid character class range: `{}`", before(text, after))),
    }
}

/// The name in `\pL` and `\p{Greek}`, and what follows.
pub(crate) fn class_name(text: &str) -> Checked<Option<(&str, &str)>> {
    let Some(inner) = text.strip_prefix("\\p").or_else(|| text.strip_prefix("\\P")) else {
        return Ok(None);
    };
    match inner.strip_prefix('{') {
        Some(inner) => match inner.split_once('}') {
            Some(parts) => Ok(Some(parts)),
            None => Err(format!("invalid character class range: `{text}`")),
        },
        None => Ok(Some((before(inner, tail(inner)), tail(inner)))),
    }
}

/// The scripts whose names Go finds: it looks for them without underscores, so that those with one it does not find.
const SCRIPTS: &str = "
    Adlam Ahom Arabic Armenian Avestan Balinese Bamum Batak Bengali Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Carian Chakma Cham
    Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cyrillic Deseret Devanagari Dogra Duployan Elbasan Elymaic Ethiopic Georgian
    Glagolitic Gothic Grantha Greek Gujarati Gurmukhi Han Hangul Hanunoo Hatran Hebrew Hiragana Inherited Javanese Kaithi Kannada Katakana
    Kawi Kharoshthi Khmer Khojki Khudawadi Lao Latin Lepcha Limbu Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen
    Medefaidrin Miao Modi Mongolian Mro Multani Myanmar Nabataean Nandinagari Newa Nko Nushu Ogham Oriya Osage Osmanya Palmyrene Phoenician
    Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham Sinhala Sogdian Soyombo Sundanese Syriac Tagalog Tagbanwa Takri Tamil Tangsa
    Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Toto Ugaritic Vai Vithkuqi Wancho Yezidi Yi";

/// The class that a name stands for in Go, whose Unicode is 15.0, as the engine here writes it within brackets.
pub(crate) fn unicode_class(name: &str) -> Option<String> {
    let loose = name.chars().filter(|c| !matches!(c, ' ' | '-' | '_'));
    let loose = loose.collect::<String>().to_ascii_lowercase();
    let known = |class: String| format!("{class}&&\\p{{age=15.0}}");
    let class = match loose.as_str() {
        "any" => "\\x00-\\x{10FFFF}".to_owned(),
        "ascii" => "\\x00-\\x7F".to_owned(),
        "assigned" => known("\\P{gc=Cn}".to_owned()),
        "c" | "other" => "[^[\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Z}]&&\\p{age=15.0}]".to_owned(),
        "cn" | "unassigned" => "\\p{gc=Cn}[^\\p{age=15.0}]".to_owned(),
        "cs" | "surrogate" => "[^\\x00-\\x{10FFFF}]".to_owned(),
        // A sign that has changed from one to the other since.
        "mn" | "nonspacingmark" => known("[\\p{gc=Mn}\\x{1171E}]".to_owned()),
        "mc" | "spacingmark" => known("[\\p{gc=Mc}--\\x{1171E}]".to_owned()),
        _ if !loose.bytes().all(|byte| byte.is_ascii_lowercase()) || loose.starts_with("is") => return None,
        _ if SCRIPTS
            .split_whitespace()
            .any(|script| script.to_ascii_lowercase() == loose) =>
        {
            known(format!("\\p{{sc={loose}}}"))
        }
        _ if regex_syntax::parse(&format!("\\p{{gc={loose}}}")).is_ok() => known(format!("\\p{{gc={loose}}}")),
        _ => return None,
    };
    Some(class)
}

/// The code of a character, escaped or not, and what follows.
pub(crate) fn character(text: &str) -> Checked<(u32, &str)> {
    let Some(escape) = text.strip_prefix('\\') else {
        return Ok((text.chars().next().map_or(0, u32::from), tail(text)));
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
    Ok((code, rest))
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

/// `[:alpha:]` within a class.
pub(crate) struct Posix<'p> {
    pub(crate) text: &'p str,
    pub(crate) after: &'p str,
    is_known: bool,
}

pub(crate) fn posix_class(text: &str) -> Option<Posix<'_>> {
    const NAMES: [&str; 14] = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
        "word", "xdigit",
    ];
    let (name, after) = text.strip_prefix("[:")?.split_once(":]")?;
    Some(Posix {
        text: before(text, after),
        after,
        is_known: NAMES.contains(&name.strip_prefix('^').unwrap_or(name)),
    })
}

/// A character or a range of them within a class, and what follows.
pub(crate) fn range(text: &str) -> Checked<(u32, u32, &str)> {
    let (low, rest) = character(text)?;
    let high = rest.strip_prefix('-');
    let Some(high) = high.filter(|high| !high.is_empty() && !high.starts_with(']')) else {
        return Ok((low, low, rest));
    };
    let (high, rest) = character(high)?;
    match low <= high {
        true => Ok((low, high, rest)),
        false => Err(format!("invalid character class range: `{}`", before(text, rest))),
    }
}

/// A class in brackets. Gives what follows.
fn class(text: &str) -> Checked<&str> {
    let missing = || format!("missing closing ]: `{text}`");
    let inner = &text[1..];
    let mut rest = inner.strip_prefix('^').unwrap_or(inner);
    let mut is_first = true;
    while is_first || !rest.starts_with(']') {
        is_first = false;
        if let Some(posix) = posix_class(rest) {
            if !posix.is_known {
                return Err(format!("invalid character class range: `{}`", posix.text));
            }
            rest = posix.after;
            continue;
        }
        if let Some(after) = wide_class(rest)? {
            rest = after;
            continue;
        }
        if rest.is_empty() {
            return Err(missing());
        }
        rest = range(rest)?.2;
    }
    Ok(tail(rest))
}

/// The least and the most of `{2}`, `{2,}` and `{2,3}` and what follows, if it begins so. What no number holds is more than [`MOST`].
pub(crate) fn bounds(text: &str) -> Option<(u32, Option<u32>, &str)> {
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
