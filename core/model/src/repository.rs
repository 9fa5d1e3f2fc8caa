//! Repository URLs: the same repository is written in many ways, and is to be found under each of them by webhooks, credentials and projects.

/// One text for all ways to write a repository's URL, as Argo CD compares them: whatever the case, with or without `.git` and a slash at the end, and
/// `git@host:path` for `ssh://git@host/path`. Of a pattern, the pattern that matches such texts.
pub fn repository_url(url: &str) -> String {
    let url = url.trim().to_lowercase();
    let url = url.trim_end_matches('/');
    let url = url.strip_suffix(".git").unwrap_or(url);
    match short_form(url) {
        Some((host, path)) => format!("ssh://{host}/{}", path.trim_start_matches('/')),
        None => url.to_owned(),
    }
}

/// `user@host:path`, which Git knows besides URLs.
fn short_form(url: &str) -> Option<(&str, &str)> {
    let (host, path) = url.split_once(':')?;
    let (user, _) = host.split_once('@')?;
    (!user.contains('/') && !path.starts_with("//")).then_some((host, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_for_each_repository() {
        for (url, expected) in [
            ("https://Git/Team/Shop.git", "https://git/team/shop"),
            (" https://git/team/shop/ ", "https://git/team/shop"),
            ("git@git:team/shop.git", "ssh://git@git/team/shop"),
            ("git@git:/team/shop", "ssh://git@git/team/shop"),
            ("ssh://git@git/team/shop.git", "ssh://git@git/team/shop"),
            ("ssh://git@git:22/team/shop", "ssh://git@git:22/team/shop"),
            ("https://user@git:8443/shop", "https://user@git:8443/shop"),
            ("oci://registry/charts", "oci://registry/charts"),
            ("registry:5000/charts", "registry:5000/charts"),
            ("/srv/git/shop.git", "/srv/git/shop"),
            ("", ""),
        ] {
            assert_eq!(repository_url(url), expected, "{url}");
        }
    }
}
