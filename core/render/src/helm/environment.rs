//! `$NAME` in parameters: the build environment of Argo CD.

use std::collections::BTreeMap;

use capstan_model::ApplicationSource;

/// What Argo CD calls the build environment: the variables that may stand in parameters and in the names of values files.
///
/// `revision` is the commit that is rendered.
#[must_use]
pub fn build_environment(
    application: (&str, &str, &str),
    source: &ApplicationSource,
    revision: &str,
    kube_version: &str,
    api_versions: &[String],
) -> BTreeMap<String, String> {
    let (namespace, name, project) = application;
    let short = |length: usize| revision.chars().take(length).collect::<String>();
    [
        ("ARGOCD_APP_NAME", name.to_owned()),
        ("ARGOCD_APP_NAMESPACE", namespace.to_owned()),
        ("ARGOCD_APP_PROJECT_NAME", project.to_owned()),
        ("ARGOCD_APP_REVISION", revision.to_owned()),
        ("ARGOCD_APP_REVISION_SHORT", short(7)),
        ("ARGOCD_APP_REVISION_SHORT_8", short(8)),
        ("ARGOCD_APP_SOURCE_REPO_URL", source.repo_url.clone()),
        ("ARGOCD_APP_SOURCE_PATH", source.path.clone()),
        ("ARGOCD_APP_SOURCE_TARGET_REVISION", source.target_revision.clone()),
        ("KUBE_VERSION", kube_version.trim_start_matches('v').to_owned()),
        ("KUBE_API_VERSIONS", api_versions.join(",")),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Replaces `$NAME` and `${NAME}` as Go's `os.Expand` does; unknown names become nothing, `$$` becomes `$`.
///
/// With no variables at all the text stays as it is: there is no environment.
pub(super) fn substitute(text: &str, environment: &BTreeMap<String, String>) -> String {
    if environment.is_empty() || !text.contains('$') {
        return text.to_owned();
    }
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, taken) = name(after);
        match name {
            Some("$") => out.push('$'),
            Some(name) => out.push_str(environment.get(name).map_or("", |value| value)),
            None if taken == 0 => out.push('$'),
            None => {}
        }
        rest = &after[taken..];
    }
    out.push_str(rest);
    out
}

/// The name that follows a `$`, and how many bytes it takes; no name and some bytes is bad syntax, which is eaten.
fn name(after: &str) -> (Option<&str>, usize) {
    const SPECIAL: &str = "*#$@!?-0123456789";
    let Some(first) = after.chars().next() else {
        return (None, 0);
    };
    if first == '{' {
        return match after.find('}') {
            Some(1) => (None, 2),
            Some(end) => (Some(&after[1..end]), end + 1),
            None => (None, 1),
        };
    }
    if SPECIAL.contains(first) {
        return (Some(&after[..1]), 1);
    }
    let is_part = |c: char| c == '_' || c.is_ascii_alphanumeric();
    let length = after.find(|c| !is_part(c)).unwrap_or(after.len());
    if length == 0 {
        (None, 0)
    } else {
        (Some(&after[..length]), length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_as_go_replaces_them() {
        let source = ApplicationSource {
            repo_url: "https://git.example.org/infra".into(),
            ..ApplicationSource::default()
        };
        let application = ("argocd", "shop", "web");
        let variables = build_environment(
            application,
            &source,
            "0123456789abcdef",
            "v1.36.3",
            &["v1".into(), "apps/v1".into()],
        );
        for (text, wanted) in [
            ("$ARGOCD_APP_NAME-x", "shop-x"),
            ("${ARGOCD_APP_PROJECT_NAME}x", "webx"),
            ("${ARGOCD_APP_REVISION_SHORT_8}", "01234567"),
            ("$KUBE_VERSION $KUBE_API_VERSIONS", "1.36.3 v1,apps/v1"),
            ("a$$b$ c$NONE${}d", "a$b$ cd"),
            ("$", "$"),
        ] {
            assert_eq!(substitute(text, &variables), wanted, "{text}");
        }
        assert_eq!(substitute("$HOME", &BTreeMap::new()), "$HOME");
    }
}
