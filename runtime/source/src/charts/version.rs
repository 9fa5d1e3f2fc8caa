//! Choosing a version: Helm's rules, with the constraints of the library that Helm uses.

use capstan_template::matches_constraint;

use crate::constraint::Version;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The place of it in the list.
    Found(usize),
    None,
    /// What was asked for is neither a version nor a range, nor one of the list.
    Invalid(String),
}

/// The version of `sorted` (newest first) that `wanted` means: the very one, else the first that fits it as a range. Empty is the
/// newest that is no pre-release.
pub(crate) fn choose<'a>(sorted: impl Iterator<Item = &'a str> + Clone, wanted: &str) -> Choice {
    if let Some(exact) = sorted
        .clone()
        .position(|version| !wanted.is_empty() && version == wanted)
    {
        return Choice::Found(exact);
    }
    let constraint = if wanted.is_empty() { "*" } else { wanted };
    if let Err(reason) = matches_constraint(constraint, "0.0.0") {
        return Choice::Invalid(format!(
            "{reason}; write a version such as 1.2.3 or a range such as ^1.2"
        ));
    }
    let found = sorted
        .into_iter()
        .position(|version| matches_constraint(constraint, version) == Ok(true));
    found.map_or(Choice::None, Choice::Found)
}

/// Can it only mean one version, so that no list has to be looked at?
pub fn is_exact(wanted: &str) -> bool {
    Version::parse(wanted).is_some()
}

/// Are these two spellings of one version? What is no version is only the same as itself.
pub fn is_same_version(a: &str, b: &str) -> bool {
    match (Version::parse(a), Version::parse(b)) {
        (Some(a), Some(b)) => a.cmp(&b).is_eq(),
        _ => a == b,
    }
}

/// Is it a range?
pub fn is_range(wanted: &str) -> bool {
    !is_exact(wanted) && (wanted.is_empty() || matches_constraint(wanted, "0.0.0").is_ok())
}

/// Names the newest of a list.
pub(crate) fn list<'a>(sorted: impl Iterator<Item = &'a str>, most: usize) -> String {
    let names: Vec<&str> = sorted.take(most).collect();
    match names.as_slice() {
        [] => "it has no version at all".to_owned(),
        [one] => format!("the newest is {one}"),
        names => format!("the newest are {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helms_rules() {
        let sorted = ["2.0.0-rc.1", "1.10.0+build", "1.10.0", "1.2.3", "v1.0.0"];
        let chosen = |wanted| choose(sorted.into_iter(), wanted);
        assert_eq!(chosen(""), Choice::Found(1));
        assert_eq!(chosen("1.10.0"), Choice::Found(2));
        assert_eq!(chosen("1.0.0"), Choice::Found(4));
        assert_eq!(chosen("1.2"), Choice::Found(3));
        assert_eq!(chosen(">1.0.0-0"), Choice::Found(0));
        assert_eq!(chosen("<1"), Choice::None);
        assert!(matches!(chosen("latest"), Choice::Invalid(_)));
        assert!(is_same_version("v1.2", "1.2.0") && !is_same_version("1.2", "1.2.1") && is_same_version("x", "x"));
        assert!(is_exact("v1.2") && !is_exact("1.x") && is_range("") && is_range("1.x") && !is_range("latest"));
    }
}
