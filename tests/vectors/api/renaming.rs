//! Texts that are equal up to the numbers in `<uid 1>`, `<rv 2>`, `<ip 3>` and `<port 4>`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"<(uid|rv|ip|port) \d+>").expect("a constant pattern is valid"));

/// Which name of one side is which of the other: one to one, for a whole session.
#[derive(Debug, Default)]
pub(super) struct Renaming {
    to: BTreeMap<String, String>,
    from: BTreeMap<String, String>,
}

impl Renaming {
    /// Are the texts equal under this renaming, extended by names that are new on both sides?
    pub(super) fn makes_equal(&mut self, expected: &str, found: &str) -> bool {
        if NAME.replace_all(expected, "<$1>") != NAME.replace_all(found, "<$1>") {
            return false;
        }
        let pairs: Vec<(&str, &str)> = NAME
            .find_iter(expected)
            .zip(NAME.find_iter(found))
            .map(|(one, other)| (one.as_str(), other.as_str()))
            .collect();
        pairs.into_iter().all(|(one, other)| self.pair(one, other))
    }

    fn pair(&mut self, one: &str, other: &str) -> bool {
        match (self.to.get(one), self.from.get(other)) {
            (None, None) => {
                self.to.insert(one.to_owned(), other.to_owned());
                self.from.insert(other.to_owned(), one.to_owned());
                true
            }
            (Some(known), _) => known == other,
            (None, Some(_)) => false,
        }
    }
}

#[test]
fn equal_values_stay_equal_and_others_do_not() {
    let mut renaming = Renaming::default();
    assert!(renaming.makes_equal("<port 1>", "<port 3>"));
    assert!(renaming.makes_equal("at <port 1> and <rv 1>", "at <port 3> and <rv 1>"));
    assert!(!renaming.makes_equal("<port 1>", "<port 2>"));
    assert!(!renaming.makes_equal("<port 2>", "<port 3>"));
    assert!(!renaming.makes_equal("<uid 1>", "<rv 9>"));
}
