//! How a revision is shown. One of a chart is a version and the digest of what it is made of; people want to see the version.

/// What stands for a revision in a status: the version of a chart (`1.2.3` for `1.2.3@sha256:…`), and everything else whole.
pub fn shown_revision(revision: &str) -> &str {
    match revision.split_once("@sha256:") {
        Some((version, _)) if !version.is_empty() => version,
        _ => revision,
    }
}

/// A revision as people write it: so many digits of a commit or a digest, and a version whole.
pub fn short_revision(revision: &str, digits: usize) -> &str {
    let shown = shown_revision(revision);
    let (prefix, hex) = match shown.strip_prefix("sha256:") {
        Some(hex) => ("sha256:".len(), hex),
        None => (0, shown),
    };
    // A commit has no dot, a version has.
    match hex.get(..digits) {
        Some(_) if !hex.contains('.') => &shown[..prefix + digits],
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_cut_and_versions_are_not() {
        let (commit, digest) = ("0123456789abcdef0123456789abcdef01234567", "a".repeat(64));
        for (revision, shown, short) in [
            (commit.to_owned(), commit.to_owned(), "0123456".to_owned()),
            (
                format!("1.10.1+build.7@sha256:{digest}"),
                "1.10.1+build.7".into(),
                "1.10.1+build.7".into(),
            ),
            (
                format!("sha256:{digest}"),
                format!("sha256:{digest}"),
                "sha256:aaaaaaa".into(),
            ),
            ("main".into(), "main".into(), "main".into()),
            ("1.10.1-rc.1".into(), "1.10.1-rc.1".into(), "1.10.1-rc.1".into()),
            ("ü".repeat(9), "ü".repeat(9), "ü".repeat(9)),
            (String::new(), String::new(), String::new()),
        ] {
            assert_eq!(shown_revision(&revision), shown);
            assert_eq!(short_revision(&revision, 7), short);
        }
    }
}
