//! Versions and ranges, as Masterminds' library compares them (Helm's `kubeVersion` follows the same rules).

use std::cmp::Ordering;
use std::sync::LazyLock;

use regex::Regex;

use super::{Function, error, fixed, string};
use crate::object::Object;
use crate::signature::Type::{self, Str};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("semver", &[Str], |_, args| match Version::parse(&string(args, 0)) {
        Ok(version) => Ok(version.value()),
        Err(message) => error(message),
    }),
    fixed("semverCompare", &[Str, Str], |_, args| {
        match matches_constraint(&string(args, 0), &string(args, 1)) {
            Ok(matches) => Ok(Value::Bool(matches)),
            Err(message) => error(message),
        }
    }),
];

/// Whether a version satisfies a constraint such as `>=1.20-0 <2 || ^3.1`.
///
/// # Errors
/// The library's complaint about the constraint or the version.
pub fn matches_constraint(constraint: &str, version: &str) -> Result<bool, String> {
    let groups = parse_constraints(constraint)?;
    let version = Version::parse(version)?;
    Ok(groups.iter().any(|group| {
        let prereleases = group.iter().any(|range| !range.version.pre.is_empty());
        group
            .iter()
            .all(|range| (version.pre.is_empty() || prereleases) && range.matches(&version))
    }))
}

/// A version; missing minor and patch numbers are zero.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    numbers: [u64; 3],
    pre: String,
    metadata: String,
    original: String,
}

/// Prefix, three numbers, pre-release and metadata.
const LOOSE: &str = r"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?";
const RANGE: &str = r"v?([0-9|xX*]+)(\.[0-9|xX*]+)?(\.[0-9|xX*]+)?(-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?";
const OPERATORS: &str = r"!=|>=|=>|<=|=<|~>|=|>|<|~|\^|";

/// A pattern of this module; they are constants that compile.
fn compiled(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

static VERSION: LazyLock<Option<Regex>> = LazyLock::new(|| compiled(&format!("^{LOOSE}$")));
static HYPHEN: LazyLock<Option<Regex>> = LazyLock::new(|| compiled(&format!(r"\s*({RANGE})\s+-\s+({RANGE})\s*")));
static FIND: LazyLock<Option<Regex>> = LazyLock::new(|| compiled(&format!(r"({OPERATORS})\s*({RANGE})")));
static VALID: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(&format!(
        r"^\s*(?:{OPERATORS})\s*(?:{RANGE})\s*(?:(?:\s+|,\s*)(?:{OPERATORS})\s*(?:{RANGE})\s*)*$"
    ))
});

impl Version {
    fn parse(text: &str) -> Result<Self, String> {
        if text.len() > 256 {
            return Err("version string is too long (max 256 bytes)".to_owned());
        }
        let found = VERSION
            .as_ref()
            .and_then(|pattern| pattern.captures(text))
            .ok_or_else(|| "invalid semantic version".to_owned())?;
        let part = |i: usize| found.get(i).map_or("", |m| m.as_str());
        let mut numbers = [0; 3];
        for (i, number) in numbers.iter_mut().enumerate() {
            let digits = part(i + 1);
            if !digits.is_empty() {
                *number = digits.parse().map_err(|_| {
                    format!(
                        "error parsing version segment: strconv.ParseUint: parsing \"{digits}\": value out of range"
                    )
                })?;
            }
        }
        let pre = part(4);
        if pre
            .split('.')
            .any(|p| p.len() > 1 && p.starts_with('0') && p.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err("version segment starts with 0".to_owned());
        }
        Ok(Self {
            numbers,
            pre: pre.to_owned(),
            metadata: part(5).to_owned(),
            original: text.to_owned(),
        })
    }

    fn text(&self) -> String {
        let [major, minor, patch] = self.numbers;
        let pre = if self.pre.is_empty() {
            String::new()
        } else {
            format!("-{}", self.pre)
        };
        let metadata = if self.metadata.is_empty() {
            String::new()
        } else {
            format!("+{}", self.metadata)
        };
        format!("{major}.{minor}.{patch}{pre}{metadata}")
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => compare_pre(&self.pre, &other.pre),
            })
    }

    /// A version with one of its numbers raised.
    fn raised(&self, index: usize) -> Self {
        let mut numbers = self.numbers;
        let keeps_patch = index == 2 && !self.pre.is_empty();
        if !keeps_patch {
            numbers[index] = numbers[index].wrapping_add(1);
        }
        numbers[index + 1..].fill(0);
        let mut raised = Self {
            numbers,
            pre: String::new(),
            metadata: String::new(),
            original: String::new(),
        };
        let v = if self.original.starts_with('v') { "v" } else { "" };
        raised.original = format!("{v}{}", raised.text());
        raised
    }

    fn value(self) -> Value {
        Value::Object(std::rc::Rc::new(self))
    }
}

/// The fields and methods templates use.
impl Object for Version {
    fn type_name(&self) -> String {
        "*semver.Version".to_owned()
    }

    fn method(&self, name: &str) -> Option<&[Type]> {
        match name {
            "Major" | "Minor" | "Patch" | "Prerelease" | "Metadata" | "Original" | "String" | "MarshalJSON"
            | "MarshalText" | "IncMajor" | "IncMinor" | "IncPatch" => Some(&[]),
            "SetPrerelease" | "SetMetadata" => Some(&[Str]),
            "Compare" | "Equal" | "LessThan" | "LessThanEqual" | "GreaterThan" | "GreaterThanEqual" => {
                Some(&[Type::Any])
            }
            _ => None,
        }
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        let argument = arguments.first().map(crate::gofmt::shown).unwrap_or_default();
        Ok(match name {
            "Major" => Value::Uint(self.numbers[0]),
            "Minor" => Value::Uint(self.numbers[1]),
            "Patch" => Value::Uint(self.numbers[2]),
            "Prerelease" => Value::from(self.pre.as_str()),
            "Metadata" => Value::from(self.metadata.as_str()),
            "Original" => Value::from(self.original.as_str()),
            "String" => Value::from(self.text()),
            "MarshalJSON" => Value::Bytes(format!("\"{}\"", self.text()).into_bytes().into()),
            "MarshalText" => Value::Bytes(self.text().into_bytes().into()),
            "IncMajor" => self.raised(0).value(),
            "IncMinor" => self.raised(1).value(),
            "IncPatch" => self.raised(2).value(),
            "SetPrerelease" => self.with(Some(argument), None)?.value(),
            "SetMetadata" => self.with(None, Some(argument))?.value(),
            _ => {
                let order = self.compare(&Self::parse(&argument)?);
                match name {
                    "Equal" => Value::Bool(order.is_eq()),
                    "LessThan" => Value::Bool(order.is_lt()),
                    "LessThanEqual" => Value::Bool(order.is_le()),
                    "GreaterThan" => Value::Bool(order.is_gt()),
                    "GreaterThanEqual" => Value::Bool(order.is_ge()),
                    _ => Value::Int(order as i64),
                }
            }
        })
    }

    fn fields(&self) -> Option<Vec<(&'static str, Value)>> {
        Some(vec![
            ("major", Value::Uint(self.numbers[0])),
            ("minor", Value::Uint(self.numbers[1])),
            ("patch", Value::Uint(self.numbers[2])),
            ("pre", Value::from(self.pre.as_str())),
            ("metadata", Value::from(self.metadata.as_str())),
            ("original", Value::from(self.original.as_str())),
        ])
    }

    fn is_stringer(&self) -> bool {
        true
    }

    fn deep_copied(&self) -> Option<Value> {
        let zero = Self {
            numbers: [0; 3],
            pre: String::new(),
            metadata: String::new(),
            original: String::new(),
        };
        Some(zero.value())
    }

    fn print(&self) -> String {
        self.text()
    }

    fn document(&self) -> Value {
        Value::from(self.text())
    }
}

impl Version {
    /// A version with another pre-release or metadata.
    fn with(&self, pre: Option<String>, metadata: Option<String>) -> Result<Self, String> {
        let changed = Self {
            pre: pre.unwrap_or_else(|| self.pre.clone()),
            metadata: metadata.unwrap_or_else(|| self.metadata.clone()),
            ..self.clone()
        };
        let v = if self.original.starts_with('v') { "v" } else { "" };
        let text = format!("{v}{}", changed.text());
        Self::parse(&text)
    }
}

/// Parts between dots: numbers before words, fewer parts first.
fn compare_pre(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.split('.'), b.split('.'));
    loop {
        let (x, y) = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => (x, y),
        };
        let order = match (x.parse::<u64>(), y.parse::<u64>()) {
            (Ok(m), Ok(n)) => m.cmp(&n),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => x.cmp(y),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// One comparison of a constraint.
struct Range {
    operator: String,
    version: Version,
    /// Something is left open (`1.x`, `*`), and whether it is the minor or the patch number.
    open: bool,
    open_minor: bool,
    open_patch: bool,
}

fn parse_constraints(constraint: &str) -> Result<Vec<Vec<Range>>, String> {
    if constraint.len() > 512 {
        return Err("constraint string is too long (max 512 bytes)".to_owned());
    }
    let rewritten = match HYPHEN.as_ref() {
        Some(pattern) => pattern.replace_all(constraint, ">= $1, <= $7 ").into_owned(),
        None => constraint.to_owned(),
    };
    let groups: Vec<&str> = rewritten.split("||").collect();
    if groups.len() > 32 {
        return Err("too many constraint groups (max 32)".to_owned());
    }
    groups.into_iter().map(parse_group).collect()
}

fn parse_group(group: &str) -> Result<Vec<Range>, String> {
    let (Some(valid), Some(find)) = (VALID.as_ref(), FIND.as_ref()) else {
        return Err("constraint parser error".to_owned());
    };
    if !valid.is_match(group) {
        return Err(format!(
            "improper constraint: {}",
            crate::gofmt::quote(group.as_bytes())
        ));
    }
    find.captures_iter(group)
        .map(|found| {
            let part = |i: usize| found.get(i).map_or("", |m| m.as_str());
            let is_open = |text: &str| matches!(text.trim_start_matches('.'), "" | "x" | "X" | "*");
            let (major, minor, patch, pre) = (part(3), part(4), part(5), part(6));
            let (text, open, open_minor, open_patch) = if is_open(major) {
                (format!("0.0.0{pre}"), true, false, false)
            } else if is_open(minor) {
                (format!("{major}.0.0{pre}"), true, true, false)
            } else if is_open(patch) {
                (format!("{major}{minor}.0{pre}"), true, false, true)
            } else {
                (part(2).to_owned(), false, false, false)
            };
            let version = Version::parse(&text).map_err(|_| "constraint parser error".to_owned())?;
            Ok(Range {
                operator: part(1).to_owned(),
                version,
                open,
                open_minor,
                open_patch,
            })
        })
        .collect()
}

impl Range {
    fn matches(&self, version: &Version) -> bool {
        let order = version.compare(&self.version);
        match self.operator.as_str() {
            "" | "=" if self.open => self.tilde(version),
            "" | "=" => order == Ordering::Equal,
            "!=" => self.differs(version),
            ">" => self.greater(version),
            "<" => order == Ordering::Less,
            ">=" | "=>" => order != Ordering::Less,
            "<=" | "=<" => self.at_most(version),
            "^" => self.caret(version),
            _ => self.tilde(version),
        }
    }

    fn differs(&self, version: &Version) -> bool {
        let (mine, theirs) = (&self.version.numbers, &version.numbers);
        if !self.open {
            return version.compare(&self.version) != Ordering::Equal;
        }
        if mine[0] != theirs[0] || (mine[1] != theirs[1] && !self.open_minor) {
            return true;
        }
        if self.open_minor {
            return false;
        }
        if mine[2] != theirs[2] && !self.open_patch {
            return true;
        }
        if self.open_patch {
            return (!version.pre.is_empty() || !self.version.pre.is_empty()) && version.pre != self.version.pre;
        }
        version.compare(&self.version) != Ordering::Equal
    }

    fn greater(&self, version: &Version) -> bool {
        let (mine, theirs) = (&self.version.numbers, &version.numbers);
        if !self.open {
            return version.compare(&self.version) == Ordering::Greater;
        }
        match theirs[0].cmp(&mine[0]) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal if self.open_minor => false,
            Ordering::Equal if self.open_patch => theirs[1] > mine[1],
            Ordering::Equal => version.compare(&self.version) == Ordering::Greater,
        }
    }

    fn at_most(&self, version: &Version) -> bool {
        if !self.open {
            return version.compare(&self.version) != Ordering::Greater;
        }
        let (mine, theirs) = (&self.version.numbers, &version.numbers);
        !(theirs[0] > mine[0] || (theirs[0] == mine[0] && theirs[1] > mine[1] && !self.open_minor))
    }

    fn tilde(&self, version: &Version) -> bool {
        if version.compare(&self.version) == Ordering::Less {
            return false;
        }
        let (mine, theirs) = (&self.version.numbers, &version.numbers);
        // `*` matches everything.
        if *mine == [0, 0, 0] && !self.open_minor && !self.open_patch {
            return true;
        }
        mine[0] == theirs[0] && (mine[1] == theirs[1] || self.open_minor)
    }

    fn caret(&self, version: &Version) -> bool {
        if version.compare(&self.version) == Ordering::Less {
            return false;
        }
        let (mine, theirs) = (&self.version.numbers, &version.numbers);
        if mine[0] > 0 || self.open_minor {
            return mine[0] == theirs[0];
        }
        if theirs[0] > 0 {
            return false;
        }
        if mine[1] > 0 || self.open_patch {
            return mine[1] == theirs[1];
        }
        theirs[1] == 0 && mine[2] == theirs[2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints() {
        for (constraint, version, expected) in [
            (">=1.20-0", "v1.21.3", true),
            ("^1.2.0", "1.3.0-alpha", false),
            ("<1.14-0", "v1.36.0", false),
            (">=1.19-0", "v1.21.14-eks-18ef993", true),
            (">=1.19", "v1.21.14-eks-18ef993", false),
            ("1.x", "1.9.0", true),
            ("*", "0.1.0", true),
            ("~1.2", "1.2.9", true),
            ("~1.2", "1.3.0", false),
            (">1.2", "1.2.5", false),
            ("<=1.2", "1.2.5", true),
            ("1.2 - 1.4", "1.4.9", true),
            (">=1.2, <2 || ^3", "3.1.0", true),
            ("!=1.x", "1.4.0", false),
            ("^0.2.3", "0.3.0", false),
            ("^0.0.3", "0.0.3", true),
            (">=01.2", "01.02.3", true),
        ] {
            assert_eq!(
                matches_constraint(constraint, version),
                Ok(expected),
                "{constraint} {version}"
            );
        }
        assert_eq!(
            matches_constraint("nope", "1.0.0"),
            Err("improper constraint: \"nope\"".to_owned())
        );
        assert_eq!(matches_constraint("1", "x"), Err("invalid semantic version".to_owned()));
    }
}
