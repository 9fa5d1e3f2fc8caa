//! What the parts of a pattern match. Lengths are sometimes characters where bytes are meant: the library has it so.

use std::cell::Cell;

/// Something that matches texts.
#[derive(Clone, Debug)]
pub(super) enum Matcher {
    /// Any characters but these.
    Any(Vec<char>),
    AnyOf(Vec<Self>),
    Branch(Box<Branch>),
    /// Has this in it, or has it not.
    Contains(Vec<u8>, bool),
    EveryOf(Vec<Self>),
    List(Vec<char>, bool),
    Max(usize),
    Min(usize),
    Nothing,
    Prefix(Vec<u8>),
    PrefixAny(Vec<u8>, Vec<char>),
    PrefixSuffix(Vec<u8>, Vec<u8>),
    Range(char, char, bool),
    Row(Vec<Self>, usize),
    Single(Vec<char>),
    Suffix(Vec<u8>),
    SuffixAny(Vec<u8>, Vec<char>),
    Super,
    Text {
        text: Vec<u8>,
        length: usize,
    },
}

/// A part in the middle, and what comes before and behind it.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) value: Matcher,
    pub(super) left: Option<Matcher>,
    pub(super) right: Option<Matcher>,
    length: Option<usize>,
    /// Characters that are left free on both sides.
    offset: usize,
    after: usize,
}

impl Branch {
    pub(super) fn new(value: Matcher, left: Option<Matcher>, right: Option<Matcher>) -> Self {
        let side = |side: &Option<Matcher>| side.as_ref().map_or(Some(0), Matcher::length);
        let (before, after) = (side(&left), side(&right));
        let length = [before, value.length(), after].into_iter().sum();
        Self {
            length,
            offset: before.unwrap_or(0),
            after: after.unwrap_or(0),
            value,
            left,
            right,
        }
    }
}

/// Why it cannot be said whether a text matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The library looks behind the end of the text.
    #[error("runtime error: slice bounds out of range")]
    Bounds,
    /// More steps than allowed.
    #[error("matching the pattern takes more than {MAX_STEPS} steps")]
    Steps,
}

/// How many steps a match may take: a `*` in a pattern may multiply them.
const MAX_STEPS: usize = 1_000_000;

/// The steps of a match that are left.
pub(super) struct Steps(Cell<usize>);

impl Default for Steps {
    fn default() -> Self {
        Self(Cell::new(MAX_STEPS))
    }
}

impl Steps {
    fn pay(&self, steps: usize) -> Result<(), Failure> {
        let left = self.0.get().checked_sub(steps).ok_or(Failure::Steps)?;
        self.0.set(left);
        Ok(())
    }
}

/// The first character and its length; U+FFFD of one byte for a broken one, and of none for nothing.
fn first(text: &[u8]) -> (char, usize) {
    let head = &text[..text.len().min(4)];
    match head.utf8_chunks().next() {
        None => (char::REPLACEMENT_CHARACTER, 0),
        Some(chunk) => match chunk.valid().chars().next() {
            Some(c) => (c, c.len_utf8()),
            None => (char::REPLACEMENT_CHARACTER, 1),
        },
    }
}

/// The characters of a text with their places, broken bytes one by one.
fn characters(text: &[u8]) -> impl Iterator<Item = (usize, char)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (c, length) = first(&text[at..]);
        at += length;
        (length > 0).then(|| (at - length, c))
    })
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, part)
}

/// The place of the first of these characters that is there at all, tried in their order.
fn find_any(text: &[u8], characters: &[char]) -> Option<usize> {
    let place = |c: &char| find(text, c.encode_utf8(&mut [0; 4]).as_bytes());
    characters.iter().find_map(place)
}

fn last_of_any(text: &[u8], characters: &[char]) -> Option<usize> {
    let place = |c: &char| memchr::memmem::rfind(text, c.encode_utf8(&mut [0; 4]).as_bytes());
    characters.iter().find_map(place)
}

/// A part is found at a place, and may have one of these lengths.
type Found = Option<(usize, Vec<usize>)>;

/// All lengths that a text may be cut to, from an offset on.
fn lengths(text: &[u8], offset: usize) -> Vec<usize> {
    let starts = characters(text).map(|(at, _)| offset + at);
    starts.chain([offset + text.len()]).collect()
}

/// The same, without the first: where each character ends. A broken one counts as three bytes.
fn ends(text: &[u8], offset: usize) -> impl Iterator<Item = usize> {
    characters(text).map(move |(at, c)| offset + at + c.len_utf8())
}

impl Matcher {
    pub(super) fn text(text: &str) -> Self {
        Self::Text {
            text: text.into(),
            length: text.chars().count(),
        }
    }

    pub(super) fn text_of(text: Vec<u8>) -> Self {
        let length = characters(&text).count();
        Self::Text { text, length }
    }

    /// How many characters it takes, if that is always the same.
    pub(super) fn length(&self) -> Option<usize> {
        match self {
            Self::List(..) | Self::Range(..) | Self::Single(_) => Some(1),
            Self::Nothing => Some(0),
            Self::Text { length, .. } | Self::Row(_, length) => Some(*length),
            Self::Branch(branch) => branch.length,
            Self::AnyOf(alternatives) => {
                // One that is not known is forgotten as long as none is.
                let mut known = None;
                for length in alternatives.iter().map(Self::length) {
                    match known {
                        None => known = length,
                        Some(_) if length != known => return None,
                        Some(_) => {}
                    }
                }
                known
            }
            _ => None,
        }
    }

    pub(super) fn matches(&self, text: &[u8], steps: &Steps) -> Result<bool, Failure> {
        steps.pay(1 + text.len() / 8)?;
        let is_one = |fits: &dyn Fn(char) -> bool| {
            let (c, length) = first(text);
            text.len() <= length && fits(c)
        };
        Ok(match self {
            Self::Any(stops) => find_any(text, stops).is_none(),
            Self::AnyOf(alternatives) => {
                for alternative in alternatives {
                    if alternative.matches(text, steps)? {
                        return Ok(true);
                    }
                }
                false
            }
            Self::Branch(branch) => return branch.matches(text, steps),
            Self::Contains(part, not) => find(text, part).is_some() != *not,
            Self::EveryOf(all) => {
                for one in all {
                    if !one.matches(text, steps)? {
                        return Ok(false);
                    }
                }
                true
            }
            Self::List(characters, not) => is_one(&|c| characters.contains(&c) != *not),
            Self::Range(low, high, not) => is_one(&|c| (*low..=*high).contains(&c) != *not),
            Self::Single(stops) => is_one(&|c| !stops.contains(&c)),
            Self::Max(most) => characters(text).count() <= *most,
            Self::Min(least) => characters(text).count() >= (*least).max(1),
            Self::Nothing => text.is_empty(),
            Self::Prefix(prefix) => text.starts_with(prefix),
            Self::Suffix(suffix) => text.ends_with(suffix),
            Self::PrefixAny(prefix, stops) => text
                .strip_prefix(prefix.as_slice())
                .is_some_and(|rest| find_any(rest, stops).is_none()),
            Self::SuffixAny(suffix, stops) => text
                .strip_suffix(suffix.as_slice())
                .is_some_and(|rest| find_any(rest, stops).is_none()),
            Self::PrefixSuffix(prefix, suffix) => text.starts_with(prefix) && text.ends_with(suffix),
            Self::Row(row, length) => characters(text).count() == *length && row_matches(row, text, steps)?,
            Self::Super => true,
            Self::Text { text: own, .. } => own == text,
        })
    }

    /// Where it is found in a text, and how long it may be there.
    fn find_in(&self, text: &[u8], steps: &Steps) -> Result<Found, Failure> {
        steps.pay(1 + text.len() / 4)?;
        let one = |fits: &dyn Fn(char) -> bool| {
            let found = characters(text).find(|(_, c)| fits(*c));
            found.map(|(at, c)| (at, vec![c.len_utf8()]))
        };
        Ok(match self {
            Self::Any(stops) => match find_any(text, stops) {
                None => Some((0, lengths(text, 0))),
                Some(stop) => Some((0, lengths(&text[..stop], 0))),
            },
            Self::AnyOf(alternatives) => return any_of(alternatives, text, steps),
            Self::Branch(_) => None,
            Self::Contains(part, not) => contains(text, part, *not),
            Self::EveryOf(all) => return every_of(all, text, steps),
            Self::List(characters, not) => one(&|c| characters.contains(&c) != *not),
            Self::Range(low, high, not) => one(&|c| (*low..=*high).contains(&c) != *not),
            Self::Single(stops) => one(&|c| !stops.contains(&c)),
            Self::Max(most) => Some((0, std::iter::once(0).chain(ends(text, 0).take(*most)).collect())),
            Self::Min(least) => {
                let ends: Vec<usize> = ends(text, 0).skip(least.saturating_sub(1)).collect();
                (text.len() >= *least && !ends.is_empty()).then_some((0, ends))
            }
            Self::Nothing => Some((0, vec![0])),
            Self::Prefix(prefix) => find(text, prefix).map(|at| {
                let length = prefix.len();
                let more = ends(&text[at + length..], length);
                (at, std::iter::once(length).chain(more).collect())
            }),
            Self::PrefixAny(prefix, stops) => find(text, prefix).map(|at| {
                let rest = &text[at + prefix.len()..];
                let rest = &rest[..find_any(rest, stops).unwrap_or(rest.len())];
                let more = ends(rest, prefix.len());
                (at, std::iter::once(prefix.len()).chain(more).collect())
            }),
            Self::Suffix(suffix) => find(text, suffix).map(|at| (0, vec![at + suffix.len()])),
            Self::SuffixAny(suffix, stops) => find(text, suffix).map(|at| {
                let start = last_of_any(&text[..at], stops).map_or(0, |stop| stop + 1);
                (start, vec![at + suffix.len() - start])
            }),
            Self::PrefixSuffix(prefix, suffix) => prefix_suffix(text, prefix, suffix),
            Self::Row(row, length) => return row_in(row, *length, text, steps),
            Self::Super => Some((0, lengths(text, 0))),
            Self::Text { text: own, .. } => find(text, own).map(|at| (at, vec![own.len()])),
        })
    }
}

impl Branch {
    fn matches(&self, text: &[u8], steps: &Steps) -> Result<bool, Failure> {
        if self.length.is_some_and(|length| length > text.len()) {
            return Ok(false);
        }
        let side = |side: &Option<Matcher>, part: &[u8]| match side {
            Some(matcher) => matcher.matches(part, steps),
            None => Ok(part.is_empty()),
        };
        let (mut offset, limit) = (self.offset, text.len().saturating_sub(self.after));
        while offset < limit {
            let Some((index, lengths)) = self.value.find_in(&text[offset..limit], steps)? else {
                return Ok(false);
            };
            let at = offset + index;
            if side(&self.left, &text[..at])? {
                for length in lengths.iter().rev() {
                    if side(&self.right, text.get(at + length..).unwrap_or_default())? {
                        return Ok(true);
                    }
                }
            }
            offset = at + first(&text[at..]).1.max(1);
        }
        Ok(false)
    }
}

fn contains(text: &[u8], part: &[u8], not: bool) -> Found {
    match (find(text, part), not) {
        (None, false) => None,
        (Some(at), false) => Some((0, lengths(&text[at + part.len()..], at + part.len()))),
        (None, true) => Some((0, lengths(text, 0))),
        (Some(at), true) => Some((0, lengths(&text[..at], 0))),
    }
}

fn prefix_suffix(text: &[u8], prefix: &[u8], suffix: &[u8]) -> Found {
    let start = find(text, prefix)?;
    let mut rest = &text[start..];
    let mut lengths = Vec::new();
    while let Some(at) = memchr::memmem::rfind(rest, suffix) {
        lengths.push(at + suffix.len());
        rest = &rest[..at];
    }
    lengths.reverse();
    (!lengths.is_empty()).then_some((start, lengths))
}

/// The alternatives that are found first.
fn any_of(alternatives: &[Matcher], text: &[u8], steps: &Steps) -> Result<Found, Failure> {
    let mut found: Found = None;
    for alternative in alternatives {
        let Some((at, mut more)) = alternative.find_in(text, steps)? else {
            continue;
        };
        match &mut found {
            Some((known, _)) if at > *known => {}
            Some((known, lengths)) if at == *known => {
                lengths.append(&mut more);
                lengths.sort_unstable();
                lengths.dedup();
            }
            _ => found = Some((at, more)),
        }
    }
    Ok(found)
}

/// The lengths that all find, each at the beginning.
fn every_of(all: &[Matcher], text: &[u8], steps: &Steps) -> Result<Found, Failure> {
    let mut common: Option<Vec<usize>> = None;
    for one in all {
        let Some((_, found)) = one.find_in(text, steps)? else {
            return Ok(None);
        };
        steps.pay(found.len())?;
        let found = match common {
            None => found,
            Some(known) => known
                .into_iter()
                .filter(|length| found.binary_search(length).is_ok())
                .collect(),
        };
        if found.is_empty() {
            return Ok(None);
        }
        common = Some(found);
    }
    Ok(common.map(|lengths| (0, lengths)))
}

/// Whether a text begins with all of these, one after another.
fn row_matches(row: &[Matcher], text: &[u8], steps: &Steps) -> Result<bool, Failure> {
    let mut at = 0;
    for one in row {
        let length = one.length().unwrap_or_default();
        let rest = text.get(at..).ok_or(Failure::Bounds)?;
        // One of no length goes through all of the rest.
        let (mut count, mut last) = (0, 0);
        for (place, _) in characters(rest) {
            (count, last) = (count + 1, place);
            if count == length {
                break;
            }
        }
        if count < length {
            return Ok(false);
        }
        // A character of several bytes is cut behind its first one.
        let part = rest.get(..=last).ok_or(Failure::Bounds)?;
        if !one.matches(part, steps)? {
            return Ok(false);
        }
        at += last + 1;
    }
    Ok(true)
}

fn row_in(row: &[Matcher], length: usize, text: &[u8], steps: &Steps) -> Result<Found, Failure> {
    for (at, _) in characters(text) {
        if text.len() - at < length {
            break;
        }
        if row_matches(row, &text[at..], steps)? {
            return Ok(Some((at, vec![length])));
        }
    }
    Ok(None)
}
