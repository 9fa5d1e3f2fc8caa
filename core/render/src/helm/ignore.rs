//! `.helmignore`: one pattern a line, `!` negates, a trailing `/` means folders only, a `/` inside means the whole path.

use crate::Glob;

#[derive(Debug)]
struct Rule {
    glob: Glob,
    negated: bool,
    only_folders: bool,
    /// Matched against the whole path, not only the last part.
    whole_path: bool,
}

/// The rules of one chart. Hidden files in `templates/` are always ignored.
#[derive(Debug, Default)]
pub(super) struct Ignore {
    rules: Vec<Rule>,
}

impl Ignore {
    /// Reads a `.helmignore`. Patterns that cannot be compiled match nothing.
    pub(super) fn parse(text: &str) -> Self {
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
        Self {
            rules: lines
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .filter_map(rule)
                .collect(),
        }
    }

    /// Is the file or folder left out? A rule that negates leaves out what it does not match, as Helm's do.
    pub(super) fn ignores(&self, path: &str, is_folder: bool) -> bool {
        if path
            .strip_prefix("templates/")
            .is_some_and(|name| name.starts_with('.') && !name.contains('/') && name.len() > 1)
        {
            return true;
        }
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

fn rule(line: &str) -> Option<Rule> {
    let (negated, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
    let (only_folders, line) = line.strip_suffix('/').map_or((false, line), |rest| (true, rest));
    let whole_path = line.contains('/');
    let glob = Glob::path(line.trim_start_matches('/')).ok()?;
    Some(Rule {
        glob,
        negated,
        only_folders,
        whole_path,
    })
}
