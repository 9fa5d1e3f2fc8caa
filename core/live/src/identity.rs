//! UIDs and resourceVersions, small.

use std::cmp::Ordering;
use std::fmt;

/// `metadata.uid`. Nearly always a UUID, which fits in 16 bytes; anything else is kept as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Uid {
    /// A UUID in its canonical lower-case spelling.
    Uuid([u8; 16]),
    /// Anything else, as written.
    Text(Box<str>),
}

const HYPHENS: [usize; 4] = [8, 13, 18, 23];

impl Uid {
    pub(crate) fn new(text: &str) -> Self {
        parse_uuid(text).map_or_else(|| Self::Text(text.into()), Self::Uuid)
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid(bytes) => {
                for (index, byte) in bytes.iter().enumerate() {
                    if matches!(index, 4 | 6 | 8 | 10) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Only the spelling that printing gives back.
fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let text = text.as_bytes();
    if text.len() != 36 || HYPHENS.iter().any(|&at| text[at] != b'-') {
        return None;
    }
    let mut bytes = [0; 16];
    let mut nibbles = 0;
    for (at, &character) in text.iter().enumerate() {
        if HYPHENS.contains(&at) {
            continue;
        }
        let nibble = match character {
            b'0'..=b'9' => character - b'0',
            b'a'..=b'f' => character - b'a' + 10,
            _ => return None,
        };
        bytes[nibbles / 2] = bytes[nibbles / 2] << 4 | nibble;
        nibbles += 1;
    }
    Some(bytes)
}

/// `metadata.resourceVersion`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResourceVersion {
    /// As every API server that keeps its state in etcd writes it.
    Number(u64),
    /// Opaque: tells equal from different, not older from newer. Boxed twice to keep the common case small.
    Text(Box<Box<str>>),
}

impl ResourceVersion {
    pub(crate) fn new(text: &str) -> Self {
        match text.parse::<u64>() {
            Ok(number) if number.to_string() == text => Self::Number(number),
            _ => Self::Text(Box::new(text.into())),
        }
    }

    /// `None` where the two cannot be ordered; an object without a version tells nothing.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) if a == b && !a.is_empty() => Some(Ordering::Equal),
            _ => None,
        }
    }
}

impl fmt::Display for ResourceVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_uid_prints_as_it_was_written(text in "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9A-Fa-f-]{0,40}|.{36}") {
            prop_assert_eq!(Uid::new(&text).to_string(), text);
        }

        #[test]
        fn a_version_prints_as_it_was_written(text in "[0-9]{0,22}|\\+[0-9]{1,3}|.{0,8}") {
            prop_assert_eq!(ResourceVersion::new(&text).to_string(), text);
        }
    }

    #[test]
    fn a_uuid_is_small() {
        assert!(matches!(Uid::new("9e7e2541-31cf-46da-a8c1-eb9321d9ceea"), Uid::Uuid(_)));
        assert!(size_of::<Uid>() <= 24 && size_of::<ResourceVersion>() <= 16);
    }

    #[test]
    fn only_numbers_are_ordered() {
        let new = ResourceVersion::new;
        assert_eq!(new("9").compare(&new("10")), Some(Ordering::Less));
        assert_eq!(new("a").compare(&new("b")), None);
        assert_eq!(new("a").compare(&new("a")), Some(Ordering::Equal));
        assert_eq!(new("").compare(&new("")), None);
    }
}
