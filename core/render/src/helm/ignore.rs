//! `.helmignore`: one pattern a line, `!` negates, a trailing `/` means folders only, a `/` inside means the whole path.
//!
//! The file of the chart that is rendered counts for everything below it, its subcharts' folders included; those of the subcharts are
//! ordinary files, and archives are not filtered at all. Hidden entries of `templates/` are always left out.

use crate::Glob;

#[derive(Debug)]
struct Rule {
    glob: Glob,
    negated: bool,
    only_folders: bool,
    /// Matched against the whole path, not only the last part.
    whole_path: bool,
}

/// The rules of one chart.
#[derive(Debug)]
pub(super) struct Ignore {
    rules: Vec<Rule>,
}

/// Longest line that Helm reads, in bytes.
const LINE: usize = 64 << 10;
/// What Helm adds to every chart's rules.
const HIDDEN_TEMPLATES: &str = "templates/.?*";

impl Ignore {
    /// Reads a `.helmignore`. The error is the line, counted from 1, and what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, (usize, String)> {
        let lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines();
        let mut rules = Vec::new();
        for (index, line) in lines.chain([HIDDEN_TEMPLATES]).enumerate() {
            rules.extend(rule(line).map_err(|reason| (index + 1, reason))?);
        }
        Ok(Self { rules })
    }

    /// Is the file or folder left out? A rule that negates leaves out what it does not match, as Helm's do.
    pub(super) fn ignores(&self, path: &str, is_folder: bool) -> bool {
        let last = path.rsplit('/').next().unwrap_or(path);
        self.rules.iter().any(|rule| {
            let matches = rule.glob.matches(if rule.whole_path { path } else { last });
            match rule.negated {
                true => rule.only_folders && !is_folder || !matches,
                false => (!rule.only_folders || is_folder) && matches,
            }
        })
    }
}

fn rule(line: &str) -> Result<Option<Rule>, String> {
    let shown: String = line.chars().take(80).collect();
    if line.len() > LINE {
        return Err(format!("a line of more than {LINE} bytes"));
    }
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    if line.contains("**") {
        return Err(format!("{shown:?}: double-star (**) syntax is not supported"));
    }
    if !is_pattern(line) {
        return Err(format!("{shown:?}: syntax error in pattern"));
    }
    let (negated, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
    let (only_folders, line) = line.strip_suffix('/').map_or((false, line), |rest| (true, rest));
    let whole_path = line.contains('/');
    let pattern = line.strip_prefix('/').unwrap_or(line);
    // What only became invalid by taking `!` and `/` away matches nothing.
    let Ok(glob) = Glob::path(pattern) else { return Ok(None) };
    Ok(Some(Rule {
        glob,
        negated,
        only_folders,
        whole_path,
    }))
}

/// Is it a pattern of Go's `filepath.Match`? It is stricter about classes than other dialects.
fn is_pattern(pattern: &str) -> bool {
    let mut rest = pattern.chars();
    loop {
        match rest.next() {
            None => return true,
            Some('\\') if rest.next().is_none() => return false,
            Some('[') if !skip_class(&mut rest) => return false,
            Some(_) => {}
        }
    }
}

/// Passes a class up to its `]`. `-` and `]` must be escaped in it but where they mean a range and the end.
fn skip_class(rest: &mut std::str::Chars<'_>) -> bool {
    fn one(rest: &mut std::str::Chars<'_>) -> bool {
        match rest.next() {
            None | Some('-' | ']') => false,
            Some('\\') => rest.next().is_some(),
            Some(_) => true,
        }
    }
    let peek = |rest: &std::str::Chars<'_>| rest.clone().next();
    if peek(rest) == Some('^') {
        rest.next();
    }
    let mut ranges = 0;
    loop {
        if peek(rest) == Some(']') && ranges > 0 {
            rest.next();
            return true;
        }
        if !one(rest) {
            return false;
        }
        if peek(rest) == Some('-') {
            rest.next();
            if !one(rest) {
                return false;
            }
        }
        ranges += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_helm_refuses_are_refused() {
        for bad in ["a/**", "[", "[]", "[]a]", "[a-]", "[-a]", "[a", "x\\", "[^]"] {
            assert!(Ignore::parse(&format!("ok\n{bad}\n")).is_err(), "{bad}");
        }
        assert_eq!(Ignore::parse("\u{feff}# a\n\nx\n[").unwrap_err().0, 4);
        for good in ["[a-z]", "[\\]]", "[^a]b", "!", "/", "a?c", "{a,b}"] {
            assert!(Ignore::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn rules_apply_in_their_order() {
        let ignores = |rules: &str, path: &str, is_folder: bool| Ignore::parse(rules).unwrap().ignores(path, is_folder);
        assert!(ignores("", "templates/.hidden", false));
        assert!(!ignores("", "charts/x/templates/.hidden", false));
        assert!(ignores("*.md", "docs/a.md", false));
        assert!(!ignores("/*.md", "docs/a.md", false));
        assert!(ignores("docs/", "docs", true));
        assert!(!ignores("docs/", "docs", false));
        // A rule that negates leaves out everything else.
        assert!(ignores("!keep.txt", "other.txt", false));
        assert!(!ignores("!keep.txt", "keep.txt", false));
        assert!(ignores("!keep/", "keep", false));
    }
}
