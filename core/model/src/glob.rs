//! Glob dialects of the field: doublestar (Argo CD's `valueFiles`), Go's `filepath.Match` (`.helmignore`, kinds in projects), that of names and
//! namespaces in projects and windows, and the same for URLs, which have parts. Matching takes time proportional to pattern times text: no pattern can blow up.

/// What `*` and `?` do not cross.
const SEPARATOR: char = '/';

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Glob {
    /// Braces expanded: the text has to match one of them.
    alternatives: Vec<Vec<Token>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Doublestar,
    Names,
    Urls,
    Path,
}

#[derive(Clone, Debug)]
enum Token {
    Literal(char),
    /// One character.
    Any,
    /// One character, not the separator.
    One,
    /// Any characters but the separator.
    Many,
    /// Any characters.
    Super,
    /// `**/`: any number of whole parts of a path.
    Parts,
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
    /// A range that ends before it begins.
    #[error("a range of a character class `[…]` ends before it begins")]
    Range,
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
    /// doublestar: `*` and `?` within one part of a path, `**` as a part of its own for any number of parts, `[a-z0]`, `[^a]`, `[!a]`,
    /// `{a,b}`, `\`.
    ///
    /// # Errors
    /// [`InvalidGlob`].
    pub fn doublestar(pattern: &str) -> Result<Self, InvalidGlob> {
        Self::braced(pattern, Dialect::Doublestar)
    }

    /// Of names: `*`, `**` and `?` cross separators, `[a-z0]`, `[!a]`, `{a,b}`, `\`.
    ///
    /// # Errors
    /// [`InvalidGlob`].
    pub fn names(pattern: &str) -> Result<Self, InvalidGlob> {
        Self::braced(pattern, Dialect::Names)
    }

    /// Of URLs: as names, but `*` and `?` stay within one part; `**` does not.
    ///
    /// # Errors
    /// [`InvalidGlob`].
    pub fn urls(pattern: &str) -> Result<Self, InvalidGlob> {
        Self::braced(pattern, Dialect::Urls)
    }

    fn braced(pattern: &str, dialect: Dialect) -> Result<Self, InvalidGlob> {
        let alternatives = expand(&pattern.chars().collect::<Vec<_>>(), dialect)?
            .iter()
            .map(|pattern| tokens(pattern, dialect))
            .collect::<Result<_, _>>()?;
        Ok(Self { alternatives })
    }

    /// Go's `filepath.Match`: `*` and `?` within one part of a path, `[a-z]`, `[^a]`, `\`.
    ///
    /// # Errors
    /// [`InvalidGlob`].
    pub fn path(pattern: &str) -> Result<Self, InvalidGlob> {
        let tokens = tokens(&pattern.chars().collect::<Vec<_>>(), Dialect::Path)?;
        Ok(Self {
            alternatives: vec![tokens],
        })
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        self.alternatives.iter().any(|tokens| matches_tokens(tokens, &text))
    }
}

fn matches_tokens(tokens: &[Token], text: &[char]) -> bool {
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
                    open &= text.get(at).is_some_and(|c| crosses || *c != SEPARATOR);
                }
            }
            Token::Parts => {
                let mut open = false;
                for at in 0..=text.len() {
                    next[at] = reachable[at] || open && at > 0 && text[at - 1] == '/';
                    open |= reachable[at];
                }
            }
            _ => {
                for (at, c) in text.iter().enumerate() {
                    next[at + 1] = reachable[at] && matches_one(token, *c);
                }
            }
        }
        reachable = next;
    }
    reachable[text.len()]
}

fn matches_one(token: &Token, c: char) -> bool {
    match token {
        Token::Literal(literal) => *literal == c,
        Token::Any => true,
        Token::One => c != SEPARATOR,
        Token::Class { negated, ranges } => ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated,
        Token::Many | Token::Super | Token::Parts => false,
    }
}

/// Every pattern that the braces stand for.
fn expand(pattern: &[char], dialect: Dialect) -> Result<Vec<Vec<char>>, InvalidGlob> {
    let mut at = 0;
    while at < pattern.len() {
        match pattern[at] {
            '\\' => at += 2,
            '[' => at = class(pattern, at, dialect)?.1,
            '{' => {
                let (parts, end) = alternatives(pattern, at, dialect)?;
                let tails = expand(&pattern[end..], dialect)?;
                let mut expanded = Vec::new();
                for part in parts {
                    for middle in expand(part, dialect)? {
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
fn alternatives(pattern: &[char], open: usize, dialect: Dialect) -> Result<(Vec<&[char]>, usize), InvalidGlob> {
    let (mut parts, mut depth, mut start, mut at) = (Vec::new(), 0, open + 1, open);
    while at < pattern.len() {
        match pattern[at] {
            '\\' => at += 1,
            '[' => at = class(pattern, at, dialect)?.1 - 1,
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

/// The class that opens at a position, and the position after its `]`.
fn class(pattern: &[char], open: usize, dialect: Dialect) -> Result<(Token, usize), InvalidGlob> {
    match dialect {
        Dialect::Doublestar => path_class(pattern, open, &['^', '!']),
        Dialect::Path => path_class(pattern, open, &['^']),
        Dialect::Names | Dialect::Urls => {
            let (class, end) = path_class(pattern, open, &['!'])?;
            match &class {
                Token::Class { ranges, .. } if ranges.iter().any(|(from, to)| from > to) => Err(InvalidGlob::Range),
                _ => Ok((class, end)),
            }
        }
    }
}

/// Does `**` stand here as a part of its own?
fn is_part(pattern: &[char], at: usize) -> bool {
    let begins = at == 0 || pattern[at - 1] == '/';
    begins && pattern.get(at + 1) == Some(&'*') && pattern.get(at + 2).is_none_or(|next| *next == '/')
}

fn tokens(pattern: &[char], dialect: Dialect) -> Result<Vec<Token>, InvalidGlob> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = pattern.get(at) {
        at += 1;
        tokens.push(match c {
            '*' if dialect == Dialect::Doublestar && is_part(pattern, at - 1) => {
                at += 1;
                match pattern.get(at) {
                    Some(_) => {
                        at += 1;
                        Token::Parts
                    }
                    None => Token::Super,
                }
            }
            '*' if dialect == Dialect::Names => Token::Super,
            '*' if dialect == Dialect::Urls && pattern.get(at) == Some(&'*') => {
                at += 1;
                Token::Super
            }
            '*' => Token::Many,
            '?' if dialect == Dialect::Names => Token::Any,
            '?' => Token::One,
            '\\' => {
                at += 1;
                Token::Literal(*pattern.get(at - 1).ok_or(InvalidGlob::Escape)?)
            }
            '[' => {
                let (class, end) = class(pattern, at - 1, dialect)?;
                at = end;
                class
            }
            literal => Token::Literal(*literal),
        });
    }
    Ok(tokens)
}

/// Of Go's `filepath.Match`: ranges and characters.
fn path_class(pattern: &[char], open: usize, negations: &[char]) -> Result<(Token, usize), InvalidGlob> {
    let end = class_end(pattern, open).ok_or(InvalidGlob::Class)?;
    let body = &pattern[open + 1..end - 1];
    let negated = body.first().is_some_and(|first| negations.contains(first));
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
        Ok((Token::Class { negated, ranges }, end))
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
    fn doublestar_knows_parts_of_a_path() {
        for (pattern, text, matches) in [
            ("d/**/a.yaml", "d/a.yaml", true),
            ("d/**/a.yaml", "d/b/c/a.yaml", true),
            ("d/**/a.yaml", "d/ba.yaml", false),
            ("d/**", "d/b/a", true),
            ("**/a", "a", true),
            ("d/**.yaml", "d/b/a.yaml", false),
            ("d/*.yaml", "d/b/a.yaml", false),
            ("v[a-z0-9]", "v7", true),
            ("v[^a-z]", "va", false),
            ("v[!a-z]", "v7", true),
            ("{dev,prod}/*", "prod/a", true),
        ] {
            assert_eq!(
                Glob::doublestar(pattern).unwrap().matches(text),
                matches,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn path_patterns_stay_within_a_part() {
        assert!(Glob::path("templates/.?*").unwrap().matches("templates/.x"));
        assert!(!Glob::path("*").unwrap().matches("a/b"));
        assert!(Glob::path("[^a]").unwrap().matches("b"));
        assert!(Glob::path("{a,b}").unwrap().matches("{a,b}"));
    }

    #[test]
    fn urls_have_parts() {
        for (pattern, text, expected) in [
            ("https://git/team/*", "https://git/team/shop", true),
            ("https://git/team/*", "https://git/team/shop/secrets", false),
            ("https://git/team/**", "https://git/team/shop/secrets", true),
            ("https://git/team**", "https://git/team-b/x/y", true),
            ("https://git/*/shop", "https://git/team/shop", true),
            ("https://git/*/shop", "https://git/team/a/shop", false),
            ("https://git/team?shop", "https://git/team/shop", false),
            ("https://git/{a,b}/*", "https://git/b/x", true),
            ("https://git/[!a]/*", "https://git/b/x", true),
            ("***", "a/b", true),
        ] {
            let glob = Glob::urls(pattern).unwrap();
            assert_eq!(glob.matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn names_have_no_parts() {
        for (pattern, text, matches) in [
            ("pr-{*-eu,us}", "pr-shop-eu", true),
            ("a{a*,b}", "aab", true),
            ("?", "/", true),
            ("?", "", false),
            ("ab*ba", "aba", false),
            ("https://*/{a,b}/**", "https://x/y/b/", true),
            ("v[a-z0-9]", "v7", true),
            ("v[^a]", "v^", true),
            ("[]{]x", "{x", true),
        ] {
            assert_eq!(Glob::names(pattern).unwrap().matches(text), matches, "{pattern} {text}");
        }
        assert_eq!(Glob::names("[z-a]").unwrap_err(), InvalidGlob::Range);
    }

    #[test]
    fn stars_do_not_blow_up() {
        let pattern = "*a".repeat(60) + "b";
        assert!(!Glob::doublestar(&pattern).unwrap().matches(&"a".repeat(5000)));
        assert_eq!(Glob::doublestar(&"{a,b}".repeat(20)).unwrap_err(), InvalidGlob::TooMany);
        assert_eq!(Glob::doublestar("{a").unwrap_err(), InvalidGlob::Braces);
    }
}
