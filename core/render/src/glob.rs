//! The two glob dialects of the field: gobwas (Argo CD's include and exclude, Helm's `.Files.Glob`) and Go's `filepath.Match`
//! (`.helmignore`). Matching takes time proportional to pattern times text: no pattern can blow up.

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Glob {
    /// Braces expanded: the text has to match one of them.
    alternatives: Vec<Vec<Token>>,
    separator: Option<char>,
}

#[derive(Clone, Debug)]
enum Token {
    Literal(char),
    /// One character, not the separator.
    One,
    /// Any characters but the separator.
    Many,
    /// Any characters.
    Super,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// A pattern that cannot be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGlob {
    /// A `[` without its `]`, or an empty class.
    #[error("a character class `[…]` is not closed or empty")]
    Class,
    /// A `{` without its `}`.
    #[error("an alternative `{{…}}` is not closed")]
    Braces,
    /// Nothing follows the last backslash.
    #[error("nothing follows the last `\\`")]
    Escape,
    /// More than [`MAX_ALTERNATIVES`].
    #[error("the alternatives multiply to more than 256")]
    TooMany,
}

/// How many patterns the braces of one pattern may expand to.
pub const MAX_ALTERNATIVES: usize = 256;

impl Glob {
    /// gobwas: `*`, `**`, `?`, `[a-z]`, `[!a]`, `{a,b}`, `\`. Without a separator `*` crosses everything.
    ///
    /// # Errors
    /// [`InvalidGlob`].
    pub fn gobwas(pattern: &str, separator: Option<char>) -> Result<Self, InvalidGlob> {
        let alternatives = expand(&pattern.chars().collect::<Vec<_>>())?
            .iter()
            .map(|pattern| tokens(pattern, '!', true))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            alternatives,
            separator,
        })
    }

    /// Go's `filepath.Match`: `*` and `?` within one part of a path, `[a-z]`, `[^a]`, `\`.
    ///
    /// # Errors
    /// [`InvalidGlob`].
    pub fn path(pattern: &str) -> Result<Self, InvalidGlob> {
        let tokens = tokens(&pattern.chars().collect::<Vec<_>>(), '^', false)?;
        Ok(Self {
            alternatives: vec![tokens],
            separator: Some('/'),
        })
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        self.alternatives
            .iter()
            .any(|tokens| self.matches_tokens(tokens, &text))
    }

    fn matches_tokens(&self, tokens: &[Token], text: &[char]) -> bool {
        // reachable[i]: the tokens so far match the first i characters.
        let mut reachable = vec![false; text.len() + 1];
        reachable[0] = true;
        for token in tokens {
            let mut next = vec![false; text.len() + 1];
            match token {
                Token::Many | Token::Super => {
                    let crosses = matches!(token, Token::Super);
                    let mut open = false;
                    for at in 0..=text.len() {
                        open |= reachable[at];
                        next[at] = open;
                        open &= text.get(at).is_some_and(|c| crosses || Some(*c) != self.separator);
                    }
                }
                _ => {
                    for (at, c) in text.iter().enumerate() {
                        next[at + 1] = reachable[at] && self.matches_one(token, *c);
                    }
                }
            }
            reachable = next;
        }
        reachable[text.len()]
    }

    fn matches_one(&self, token: &Token, c: char) -> bool {
        match token {
            Token::Literal(literal) => *literal == c,
            Token::One => Some(c) != self.separator,
            Token::Class { negated, ranges } => ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated,
            Token::Many | Token::Super => false,
        }
    }
}

/// Every pattern that the braces stand for.
fn expand(pattern: &[char]) -> Result<Vec<Vec<char>>, InvalidGlob> {
    let mut at = 0;
    while at < pattern.len() {
        match pattern[at] {
            '\\' => at += 2,
            '[' => at = class_end(pattern, at).ok_or(InvalidGlob::Class)?,
            '{' => {
                let (parts, end) = alternatives(pattern, at)?;
                let tails = expand(&pattern[end..])?;
                let mut expanded = Vec::new();
                for part in parts {
                    for middle in expand(part)? {
                        for tail in &tails {
                            expanded.push([&pattern[..at], &middle, tail].concat());
                        }
                    }
                }
                return if expanded.len() > MAX_ALTERNATIVES {
                    Err(InvalidGlob::TooMany)
                } else {
                    Ok(expanded)
                };
            }
            _ => at += 1,
        }
    }
    Ok(vec![pattern.to_vec()])
}

/// The parts of the braces that open at a position, and the position after them.
fn alternatives(pattern: &[char], open: usize) -> Result<(Vec<&[char]>, usize), InvalidGlob> {
    let (mut parts, mut depth, mut start, mut at) = (Vec::new(), 0, open + 1, open);
    while at < pattern.len() {
        match pattern[at] {
            '\\' => at += 1,
            '[' => at = class_end(pattern, at).ok_or(InvalidGlob::Class)? - 1,
            '{' => depth += 1,
            ',' if depth == 1 => {
                parts.push(&pattern[start..at]);
                start = at + 1;
            }
            '}' => {
                depth -= 1;
                if depth == 0 {
                    parts.push(&pattern[start..at]);
                    return Ok((parts, at + 1));
                }
            }
            _ => {}
        }
        at += 1;
    }
    Err(InvalidGlob::Braces)
}

/// The position after the `]` of a class.
fn class_end(pattern: &[char], open: usize) -> Option<usize> {
    let mut at = open + 1;
    while let Some(c) = pattern.get(at) {
        match c {
            '\\' => at += 1,
            ']' if at > open + 1 => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
    None
}

fn tokens(pattern: &[char], negation: char, supers: bool) -> Result<Vec<Token>, InvalidGlob> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = pattern.get(at) {
        at += 1;
        tokens.push(match c {
            '*' if supers && pattern.get(at) == Some(&'*') => {
                while pattern.get(at) == Some(&'*') {
                    at += 1;
                }
                Token::Super
            }
            '*' => Token::Many,
            '?' => Token::One,
            '\\' => {
                at += 1;
                Token::Literal(*pattern.get(at - 1).ok_or(InvalidGlob::Escape)?)
            }
            '[' => {
                let end = class_end(pattern, at - 1).ok_or(InvalidGlob::Class)?;
                let class = class(&pattern[at..end - 1], negation)?;
                at = end;
                class
            }
            literal => Token::Literal(*literal),
        });
    }
    Ok(tokens)
}

fn class(body: &[char], negation: char) -> Result<Token, InvalidGlob> {
    let negated = body.first() == Some(&negation);
    let mut rest = body[usize::from(negated)..].iter().copied().peekable();
    let mut ranges = Vec::new();
    while let Some(c) = rest.next() {
        let from = if c == '\\' {
            rest.next().ok_or(InvalidGlob::Escape)?
        } else {
            c
        };
        let mut to = from;
        if rest.peek() == Some(&'-') {
            rest.next();
            to = match rest.next() {
                Some('\\') => rest.next().ok_or(InvalidGlob::Escape)?,
                Some(c) => c,
                None => {
                    ranges.push((from, from));
                    from_dash(&mut ranges);
                    break;
                }
            };
        }
        ranges.push((from, to));
    }
    if ranges.is_empty() {
        Err(InvalidGlob::Class)
    } else {
        Ok(Token::Class { negated, ranges })
    }
}

/// A dash at the end of a class stands for itself.
fn from_dash(ranges: &mut Vec<(char, char)>) {
    ranges.push(('-', '-'));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gobwas_with_and_without_a_separator() {
        let cases = [
            ("*.yaml", "a/b.yaml", true, false),
            ("**.yaml", "a/b.yaml", true, true),
            ("conf/*", "conf/a", true, true),
            ("{a,b}/*.yaml", "b/x.yaml", true, true),
            ("{*.yml,*.json}", "x.json", true, true),
            ("a?c", "abc", true, true),
            ("a?c", "a/c", true, false),
            ("[a-c]x", "bx", true, true),
            ("[!a-c]x", "bx", false, false),
            ("a\\*", "a*", true, true),
            ("a\\*", "ab", false, false),
            ("", "", true, true),
        ];
        for (pattern, text, without, with) in cases {
            assert_eq!(
                Glob::gobwas(pattern, None).unwrap().matches(text),
                without,
                "{pattern} {text}"
            );
            assert_eq!(
                Glob::gobwas(pattern, Some('/')).unwrap().matches(text),
                with,
                "{pattern} {text} /"
            );
        }
        assert_eq!(Glob::gobwas("{a", None).unwrap_err(), InvalidGlob::Braces);
        assert_eq!(Glob::gobwas("[a", None).unwrap_err(), InvalidGlob::Class);
        assert_eq!(
            Glob::gobwas(&"{a,b}".repeat(20), None).unwrap_err(),
            InvalidGlob::TooMany
        );
    }

    #[test]
    fn path_patterns_stay_within_a_part() {
        assert!(Glob::path("templates/.?*").unwrap().matches("templates/.x"));
        assert!(!Glob::path("*").unwrap().matches("a/b"));
        assert!(Glob::path("[^a]").unwrap().matches("b"));
        assert!(Glob::path("{a,b}").unwrap().matches("{a,b}"));
    }

    #[test]
    fn stars_do_not_blow_up() {
        let pattern = "*a".repeat(60) + "b";
        assert!(!Glob::gobwas(&pattern, None).unwrap().matches(&"a".repeat(5000)));
    }
}
