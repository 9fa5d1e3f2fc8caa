//! Version constraints over tags, as Argo CD reads a `targetRevision`: the dialect of Helm (`^1.2`, `~1.4`, `1.x`, `>=1.0 <2.0 || 3.x`,
//! `1.2 - 1.4`), where a version may have a leading `v` and fewer than three numbers.
//!
//! A pre-release only fits a constraint that names a pre-release itself. A plain version (`1.2.3`, `v2`) is no constraint but a name.

use std::cmp::Ordering;

/// A version of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    numbers: [u64; 3],
    /// How many numbers were written.
    written: usize,
    pre: Vec<String>,
}

impl Version {
    /// Reads `v1.2.3-rc.1+build`, also with fewer numbers.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, build) = text
            .split_once('+')
            .map_or((text, None), |(left, right)| (left, Some(right)));
        let (core, pre) = text
            .split_once('-')
            .map_or((text, None), |(left, right)| (left, Some(right)));
        if build.is_some_and(|build| !identifiers(build)) || pre.is_some_and(|pre| !identifiers(pre)) {
            return None;
        }
        let parts: Vec<&str> = core.split('.').collect();
        if parts.len() > 3 {
            return None;
        }
        let mut numbers = [0; 3];
        for (slot, part) in numbers.iter_mut().zip(&parts) {
            *slot = number(part)?;
        }
        let pre = pre
            .map(|pre| pre.split('.').map(str::to_owned).collect())
            .unwrap_or_default();
        Some(Self {
            numbers,
            written: parts.len(),
            pre,
        })
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => compare_pre(&self.pre, &other.pre),
            })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn compare_pre(left: &[String], right: &[String]) -> Ordering {
    for (a, b) in left.iter().zip(right) {
        let order = match (a.parse::<u64>(), b.parse::<u64>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => a.cmp(b),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len())
}

fn number(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

fn identifiers(text: &str) -> bool {
    text.split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Tilde,
    Caret,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparator {
    operator: Operator,
    /// Unwritten and wildcard numbers are 0; `version.written` says how many were given.
    version: Version,
}

/// Alternatives, each a list of comparators that all have to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Constraint {
    alternatives: Vec<Vec<Comparator>>,
}

impl Constraint {
    /// Reads a constraint; `None` for everything else, also for a plain version.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if Version::parse(text.trim()).is_some() {
            return None;
        }
        let alternatives = text.split("||").map(alternative).collect::<Option<Vec<_>>>()?;
        Some(Self { alternatives })
    }

    /// Does `version` fit?
    pub(crate) fn allows(&self, version: &Version) -> bool {
        self.alternatives
            .iter()
            .any(|all| all.iter().all(|comparator| comparator.allows(version)))
    }

    /// The newest of `tags` that fits, by its own spelling.
    pub(crate) fn newest<'a>(&self, tags: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        tags.filter_map(|tag| Version::parse(tag).map(|version| (version, tag)))
            .filter(|(version, _)| self.allows(version))
            .max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(a.1)))
            .map(|(_, tag)| tag)
    }
}

fn alternative(text: &str) -> Option<Vec<Comparator>> {
    let text = text.trim();
    if let Some((from, to)) = text.split_once(" - ") {
        let (from, to) = (
            comparator(&format!(">={}", from.trim()))?,
            comparator(&format!("<={}", to.trim()))?,
        );
        return Some(vec![from, to]);
    }
    let mut all = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let operator_end = rest.find(|c: char| !"=<>!~^".contains(c)).unwrap_or(rest.len());
        let (operator, tail) = rest.split_at(operator_end);
        let tail = tail.trim_start();
        let end = tail
            .find([',', ' ', '<', '>', '=', '!', '~', '^'])
            .unwrap_or(tail.len());
        let (version, tail) = tail.split_at(end);
        all.push(comparator(&format!("{operator}{version}"))?);
        rest = tail.trim_start_matches([',', ' ']);
    }
    (!all.is_empty()).then_some(all)
}

fn comparator(text: &str) -> Option<Comparator> {
    let split = text.find(|c: char| !"=<>!~^".contains(c))?;
    let operator = match &text[..split] {
        "" | "=" | "==" => Operator::Equal,
        "!=" => Operator::NotEqual,
        ">" => Operator::Greater,
        ">=" | "=>" => Operator::GreaterEqual,
        "<" => Operator::Less,
        "<=" | "=<" => Operator::LessEqual,
        "~" | "~>" => Operator::Tilde,
        "^" => Operator::Caret,
        _ => return None,
    };
    let text = text[split..].strip_prefix('v').unwrap_or(&text[split..]);
    let wildcard = |part: &str| matches!(part, "x" | "X" | "*");
    let parts: Vec<&str> = text.split('.').collect();
    let version = match parts.iter().position(|part| wildcard(part)) {
        None => Version::parse(text)?,
        Some(_) if parts.len() > 3 => return None,
        Some(first) if parts[first..].iter().all(|part| wildcard(part)) => {
            let mut numbers = [0; 3];
            for (slot, part) in numbers.iter_mut().zip(&parts[..first]) {
                *slot = number(part)?;
            }
            Version {
                numbers,
                written: first,
                pre: Vec::new(),
            }
        }
        Some(_) => return None,
    };
    Some(Comparator { operator, version })
}

impl Comparator {
    fn allows(&self, version: &Version) -> bool {
        if !version.pre.is_empty() && self.version.pre.is_empty() {
            return false;
        }
        let order = version.cmp(&self.version);
        let same = |count: usize| version.numbers[..count] == self.version.numbers[..count];
        let written = self.version.written;
        match self.operator {
            Operator::Equal if written < 3 => same(written),
            Operator::Equal => order == Ordering::Equal,
            Operator::NotEqual if written < 3 => !same(written),
            Operator::NotEqual => order != Ordering::Equal,
            Operator::Greater if written < 3 => order == Ordering::Greater && !same(written),
            Operator::Greater => order == Ordering::Greater,
            Operator::GreaterEqual => order != Ordering::Less,
            Operator::Less => order == Ordering::Less,
            Operator::LessEqual if written < 3 => order != Ordering::Greater || same(written),
            Operator::LessEqual => order != Ordering::Greater,
            Operator::Tilde => order != Ordering::Less && same(written.min(2)),
            Operator::Caret => order != Ordering::Less && same(self.caret_width()),
        }
    }

    /// How many leading numbers `^` holds fixed: up to the first that is not zero, as far as they are written.
    fn caret_width(&self) -> usize {
        let written = self.version.written;
        match self.version.numbers[..written].iter().position(|number| *number != 0) {
            Some(first) => first + 1,
            None => written,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(constraint: &str, version: &str) -> bool {
        Constraint::parse(constraint)
            .unwrap()
            .allows(&Version::parse(version).unwrap())
    }

    #[test]
    fn plain_names_are_no_constraints() {
        for name in [
            "main",
            "1.2.3",
            "v1.2.3",
            "v2",
            "1.2",
            "HEAD",
            "release-1.x",
            "feature/x.y",
            "",
            "1.x.3",
            "deadbeef",
        ] {
            assert!(Constraint::parse(name).is_none(), "{name}");
        }
    }

    #[test]
    fn operators() {
        for (constraint, yes, no) in [
            ("*", "0.0.1", "1.0.0-rc.1"),
            ("1.x", "1.9.9", "2.0.0"),
            ("1.2.*", "v1.2.7", "1.3.0"),
            ("^1.2.3", "1.9.0", "2.0.0"),
            ("^0.2.3", "0.2.9", "0.3.0"),
            ("^0.0.3", "0.0.3", "0.0.4"),
            ("^0.0", "0.0.9", "0.1.0"),
            ("^0", "0.9.0", "1.0.0"),
            ("~1.2.3", "1.2.9", "1.3.0"),
            ("~1", "1.9.0", "2.0.0"),
            (">=1.0 <2.0", "1.5.0", "2.0.0"),
            (">= 1.0, < 2.0", "1.5.0", "0.9.0"),
            (">1.2", "1.3.0", "1.2.9"),
            ("<=1.2", "1.2.9", "1.3.0"),
            ("1.2 - 1.4", "1.4.9", "1.5.0"),
            ("1.x || 3.x", "3.1.0", "2.0.0"),
            ("!=1.2.3", "1.2.4", "1.2.3"),
            (">=1.0.0-0", "1.1.0-rc.2", "0.9.0"),
        ] {
            assert!(fits(constraint, yes), "{constraint} {yes}");
            assert!(!fits(constraint, no), "{constraint} {no}");
        }
    }

    #[test]
    fn the_newest_tag_wins_and_keeps_its_spelling() {
        let tags = ["v1.2.0", "v1.10.0", "v1.9.0", "v2.0.0-rc.1", "nightly"];
        let newest = |text: &str| Constraint::parse(text).unwrap().newest(tags.into_iter());
        assert_eq!(newest("1.x"), Some("v1.10.0"));
        assert_eq!(newest(">=2.0.0-0"), Some("v2.0.0-rc.1"));
        assert_eq!(newest("^3"), None);
    }
}
