//! What the library says of each.

use super::*;

#[test]
fn as_the_library_has_it() {
    for (pattern, text, wanted) in [
        ("conf/*", "conf/a", true),
        ("conf/*", "conf/a/b", false),
        ("**.yaml", "a/b.yaml", true),
        ("{a,b}/*.yaml", "b/x.yaml", true),
        ("{*.yml,*.json}", "x.json", true),
        ("a?c", "a/c", false),
        ("[!a-c]x", "bx", false),
        ("d/**/a.yaml", "d/a.yaml", true),
        ("a\\*", "a*", true),
        ("{a,{b", "b", true),
        ("[abc-e]x", "-x", true),
        // What it should not be.
        ("?", "", true),
        ("***", "", false),
        ("a{a*,b}", "aab", false),
        ("**{a,b***", "c{ab", false),
        ("[!ab]", "", true),
        ("\\", "", true),
        ("x\\", "x", true),
        ("?é", "aé", false),
    ] {
        let glob = Gobwas::new(pattern, Some('/')).unwrap();
        assert_eq!(glob.matches(text), Ok(wanted), "{pattern} {text}");
    }
    let broken = Gobwas::new("[a-c]{}", Some('/')).unwrap();
    assert_eq!(broken.matches("a"), Err(Failure::Bounds));
}

#[test]
fn classes_are_one_range_or_characters() {
    for pattern in ["[a", "[]", "[a-]", "[a-z0-9]", "[z-a]", "[]a]", "\u{fffd}"] {
        assert_eq!(
            Gobwas::new(pattern, None).unwrap_err(),
            InvalidPattern::Syntax,
            "{pattern}"
        );
    }
}

#[test]
fn no_pattern_takes_long() {
    assert_eq!(
        Gobwas::new(&"{a,b}".repeat(50), None).unwrap_err(),
        InvalidPattern::TooMany
    );
    let stars = Gobwas::new(&("*a".repeat(45) + "b"), Some('/')).unwrap();
    assert_ne!(stars.matches(&"a".repeat(5000)), Ok(true));
}
