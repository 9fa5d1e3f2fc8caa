//! Patterns of AppProjects and Applications: which dialect is read where, and what counts where one cannot be read.
//!
//! **Problem.** A pattern that is read otherwise than it was meant denies too little or permits too much, and nobody sees it: a window
//! `{shop,bank}` that forbids nothing. So each is read in Argo CD's dialect, and what cannot be read is an error, not a pattern that matches nothing: whoever
//! asks says what counts then. Where a match permits, [`allows`]; where it denies, [`denies`]. A pattern means what it says: Argo CD's library misses some
//! texts (`a{a*,b}` and `aab`), which is not done here.
//!
//! **Deliberately absent.** Compiled patterns that are kept: almost every pattern that is written is a name or `*`, and those are not compiled at all.

use crate::{Glob, InvalidGlob, repository_url};

/// A pattern of which it cannot be said what it matches.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pattern {pattern:?} cannot be understood: {why}")]
pub struct UnreadablePattern {
    pattern: String,
    why: InvalidGlob,
}

impl UnreadablePattern {
    fn of(pattern: &str, why: InvalidGlob) -> Self {
        Self {
            pattern: pattern.to_owned(),
            why,
        }
    }
}

/// What means something else than itself in either dialect.
const SPECIAL: [char; 5] = ['*', '?', '[', '{', '\\'];

/// Does a pattern of names match the whole text? `*` and `**` match any run of characters, `/` included, `?` one, `[abc]`, `[!abc]` and `[a-z]` one of
/// these, `{a,b}` either; a backslash makes a character ordinary.
///
/// # Errors
/// [`UnreadablePattern`].
pub fn matches(pattern: &str, text: &str) -> Result<bool, UnreadablePattern> {
    if pattern == "*" || !pattern.contains(SPECIAL) {
        return Ok(pattern == "*" || pattern == text);
    }
    let compiled = Glob::names(pattern).map_err(|why| UnreadablePattern::of(pattern, why))?;
    Ok(compiled.matches(text))
}

/// Does a pattern of repositories match this one, however either is written ([`repository_url`])? As [`matches`], but `*` and `?` stay within one part of
/// the URL, and `**` does not: who may read `https://git/team/*` may not read `https://git/team/other/secrets`.
///
/// # Errors
/// [`UnreadablePattern`].
pub fn matches_repository(pattern: &str, url: &str) -> Result<bool, UnreadablePattern> {
    if pattern == "*" {
        return Ok(true);
    }
    let (normal, url) = (repository_url(pattern), repository_url(url));
    if !normal.contains(SPECIAL) {
        return Ok(normal == url);
    }
    let compiled = Glob::urls(&normal).map_err(|why| UnreadablePattern::of(pattern, why))?;
    Ok(compiled.matches(&url))
}

/// The same of a pattern that denies: here `*` and `?` match a `/`, too, since what is forbidden is forbidden below, and what cannot be read denies everything.
pub fn denies_repository(pattern: &str, url: &str) -> bool {
    denies(&repository_url(pattern), &repository_url(url))
}

/// Does a pattern of kinds match the whole text? As a path of files: `*` and `?` within one part of it, `[abc]`, `[^abc]`, `[a-z]`; no braces.
///
/// # Errors
/// [`UnreadablePattern`].
pub fn matches_kind(pattern: &str, text: &str) -> Result<bool, UnreadablePattern> {
    if !pattern.contains(SPECIAL) {
        return Ok(pattern == text);
    }
    if pattern == "*" {
        return Ok(!text.contains('/'));
    }
    let compiled = Glob::path(pattern).map_err(|why| UnreadablePattern::of(pattern, why))?;
    Ok(compiled.matches(text))
}

/// [`matches`], where a match permits something: what cannot be read permits nothing.
pub fn allows(pattern: &str, text: &str) -> bool {
    matches(pattern, text).unwrap_or(false)
}

/// [`matches`], where a match denies something: what cannot be read denies everything.
pub fn denies(pattern: &str, text: &str) -> bool {
    matches(pattern, text).unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_argo_cd_has_it() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "https://github.com/a/b.git", true),
            ("**", "a/b", true),
            ("shop", "shop", true),
            ("shop", "Shop", false),
            ("https://github.com/*", "https://github.com/a/b.git", true),
            ("a?c", "abc", true),
            ("a", "ab", false),
            ("*b", "abc", false),
            ("{win,other}", "win", true),
            ("{win,other}", "lose", false),
            ("w[hij]n", "win", true),
            ("w[!hij]n", "win", false),
            ("w[a-z]n", "win", true),
            ("pr-{*-eu,us}", "pr-shop-eu", true),
            ("a,b", "a,b", true),
            ("!a", "!a", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
        ] {
            assert_eq!(matches(pattern, text), Ok(expected), "{pattern} {text}");
        }
    }

    #[test]
    fn repositories_match_however_they_are_written() {
        for (pattern, url, expected) in [
            ("*", "git@git:team/shop.git", true),
            ("https://Git/Team/*", "https://git/team/shop.git", true),
            ("https://git/team/shop", "https://git/team/shop.git", true),
            ("https://git/team/shop.git", "https://git/team/shop/", true),
            ("git@git:team/*", "ssh://git@git/team/shop", true),
            ("ssh://git@git/team/*", "git@git:team/shop.git", true),
            ("https://git/team/*", "https://git/team/other/secrets", false),
            ("https://git/team/**", "https://git/team/other/secrets", true),
            ("https://git/team/*", "https://git/team-b/shop", false),
        ] {
            assert_eq!(matches_repository(pattern, url), Ok(expected), "{pattern} {url}");
        }
        assert!(matches_repository("https://git/{team", "https://git/team").is_err());
        assert!(denies_repository("https://git/{team", "https://git/shop"));
        assert!(denies_repository("https://git/secret/*", "https://git/secret/a/b.git"));
        assert!(denies_repository("git@git:secret/*", "ssh://git@git/Secret/a"));
        assert!(!denies_repository("https://git/secret/*", "https://git/shop"));
    }

    #[test]
    fn kinds_match_as_files_do() {
        for (pattern, text, expected) in [
            ("*", "Deployment", true),
            ("*", "", true),
            ("*.k8s.io", "networking.k8s.io", true),
            ("[DR]*", "Role", true),
            ("[^R]*", "Role", false),
            ("[!R]ole", "Role", true),
            ("{Role,Deployment}", "Role", false),
            ("Rol?", "Role", true),
            ("Rol\\e", "Role", true),
        ] {
            assert_eq!(matches_kind(pattern, text), Ok(expected), "{pattern} {text}");
        }
    }

    #[test]
    fn what_cannot_be_read_denies_and_does_not_permit() {
        for pattern in ["[", "[a", "[]", "[z-a]", "{a,b", "a\\", &"{a,b}".repeat(9)] {
            assert!(matches(pattern, "a").is_err(), "{pattern}");
            assert!(denies(pattern, "a") && !allows(pattern, "a"), "{pattern}");
        }
        for pattern in ["[", "[a", "[]", "Rol\\"] {
            assert!(matches_kind(pattern, "a").is_err(), "{pattern}");
        }
        let told = matches("[a", "a").expect_err("not closed").to_string();
        assert!(
            told.starts_with("pattern \"[a\" cannot be understood: a character class"),
            "{told}"
        );
    }
}
