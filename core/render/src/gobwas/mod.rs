//! Patterns of the library that Helm and Argo CD match names of files with (gobwas/glob 0.2.3): `*`, `**`, `?`, `[a-z]`, `[!a]`, `{a,b}`, `\`.
//!
//! **Problem.** The library turns a pattern into a tree of matchers by rules of thumb, and the tree does not always match what the pattern
//! says: `?` matches nothing at all, `{a*,b}` behind an `a` misses `aab`, and some trees look behind the end of a text. Charts choose files by
//! what it does, so that is done here: the same tree, by the same rules.
//!
//! **Invariants.** No pattern panics, and none takes long: its parts are counted, and the steps of a match.
//!
//! **Deliberately absent.** Separators of several characters.

mod matcher;
mod tree;

pub(crate) use matcher::Failure;
use matcher::{Matcher, Steps};

/// How many parts a pattern may have: making the tree takes time with their cube.
const MAX_PARTS: usize = 100;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) struct Gobwas(Matcher);

/// A pattern that cannot be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidPattern {
    /// A `[` without its `]`, an empty class, or a character that is none.
    #[error("a character class `[…]` is not closed or empty, or a character is broken")]
    Syntax,
    /// More than [`MAX_PARTS`].
    #[error("the pattern has more than {MAX_PARTS} parts")]
    TooMany,
}

impl Gobwas {
    /// With a separator, `*` and `?` do not cross it.
    pub(crate) fn new(pattern: &str, separator: Option<char>) -> Result<Self, InvalidPattern> {
        let mut parser = Parser {
            rest: pattern,
            parts: 0,
        };
        let node = parser.pattern()?;
        Ok(Self(tree::compile(&node, separator)))
    }

    /// Whether the whole text matches.
    pub(crate) fn matches(&self, text: &str) -> Result<bool, Failure> {
        self.0.matches(text.as_bytes(), &Steps::default())
    }
}

/// What a pattern consists of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Text(String),
    Any,
    Super,
    Single,
    List { characters: Vec<char>, not: bool },
    Range { low: char, high: char, not: bool },
    Nothing,
    AnyOf(Vec<Self>),
    Pattern(Vec<Self>),
}

struct Parser<'p> {
    rest: &'p str,
    parts: usize,
}

impl Parser<'_> {
    /// The whole pattern. Its end closes what is open.
    fn pattern(&mut self) -> Result<Node, InvalidPattern> {
        if self.rest.contains(char::REPLACEMENT_CHARACTER) {
            return Err(InvalidPattern::Syntax);
        }
        // Of each brace that is open the alternatives before, and the parts of the innermost alternative.
        let mut open: Vec<(Vec<Node>, Vec<Node>)> = Vec::new();
        let mut parts = Vec::new();
        let close = |open: &mut Vec<(Vec<Node>, Vec<Node>)>, parts: &mut Vec<Node>| {
            if let Some((outer, mut alternatives)) = open.pop() {
                alternatives.push(Node::Pattern(std::mem::replace(parts, outer)));
                parts.push(Node::AnyOf(alternatives));
            }
        };
        while let Some(c) = self.take() {
            self.parts += 1;
            if self.parts > MAX_PARTS {
                return Err(InvalidPattern::TooMany);
            }
            match c {
                '{' => open.push((std::mem::take(&mut parts), Vec::new())),
                ',' if let Some((_, alternatives)) = open.last_mut() => {
                    alternatives.push(Node::Pattern(std::mem::take(&mut parts)));
                }
                '}' if !open.is_empty() => close(&mut open, &mut parts),
                '[' => parts.push(self.class()?),
                '?' => parts.push(Node::Single),
                '*' if self.rest.starts_with('*') => {
                    self.take();
                    parts.push(Node::Super);
                }
                '*' => parts.push(Node::Any),
                _ => {
                    let ends: &[char] = match open.is_empty() {
                        true => &['?', '*', '[', '{'],
                        false => &['?', '*', '[', '{', '}', ','],
                    };
                    let text = self.text(Some(c), ends);
                    // A backslash at the end is nothing.
                    if !text.is_empty() {
                        parts.push(Node::Text(text));
                    }
                }
            }
        }
        while !open.is_empty() {
            close(&mut open, &mut parts);
        }
        Ok(Node::Pattern(parts))
    }

    fn take(&mut self) -> Option<char> {
        let mut rest = self.rest.chars();
        let c = rest.next();
        self.rest = rest.as_str();
        c
    }

    /// Characters up to one of those that end them, which a backslash makes ordinary.
    fn text(&mut self, first: Option<char>, ends: &[char]) -> String {
        let mut text = String::new();
        let mut next = first.or_else(|| self.take());
        while let Some(c) = next {
            match c {
                '\\' => text.extend(self.take()),
                _ => text.push(c),
            }
            next = match self.rest.starts_with(ends) {
                true => None,
                false => self.take(),
            };
        }
        text
    }

    /// One range, or characters one by one, among which `-` is no range: `[a-z0]` and `[a-]` are errors.
    fn class(&mut self) -> Result<Node, InvalidPattern> {
        let not = self.rest.starts_with('!');
        if not {
            self.take();
        }
        let mut ahead = self.rest.chars();
        let node = match (ahead.next(), ahead.next(), ahead.next()) {
            (Some(low), Some('-'), Some(high)) if low <= high && low != '\0' => {
                self.rest = ahead.as_str();
                Node::Range { low, high, not }
            }
            (Some(_), Some('-'), _) | (Some(']') | None, ..) => return Err(InvalidPattern::Syntax),
            _ => Node::List {
                characters: self.text(None, &[']']).chars().collect(),
                not,
            },
        };
        match self.take() {
            Some(']') => Ok(node),
            _ => Err(InvalidPattern::Syntax),
        }
    }
}

#[cfg(test)]
mod tests;
