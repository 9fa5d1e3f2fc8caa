//! Which Secret is about which URL, and what is said of one that cannot be used.

use serde_json::json;

use super::*;

fn secret(name: &str, kind: &str, data: &[(&str, &str)]) -> Value {
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let data: serde_json::Map<String, Value> = data
        .iter()
        .map(|(key, text)| ((*key).to_owned(), json!(encode(text))))
        .collect();
    json!({"metadata": {"name": name, "labels": {SECRET_TYPE_LABEL: kind}}, "data": data})
}

fn all(secrets: &[Value]) -> RepositorySecrets {
    let mut all = RepositorySecrets::default();
    for secret in secrets {
        all.insert(secret).unwrap();
    }
    all
}

fn user(access: &Access) -> &str {
    match &access.login {
        Login::Basic { user, .. } => user,
        Login::Anonymous | Login::Bearer(_) => "",
    }
}

#[test]
fn the_own_secret_and_the_longest_template() {
    let login = |user| [("username", user), ("password", "hunter2")];
    let with = |url: &'static str, user: &'static str| [&[("url", url)][..], &login(user)].concat();
    let secrets = all(&[
        secret("own", "repository", &with("https://git.example/acme/Infra.git", "own")),
        secret(
            "bare",
            "repository",
            &[("url", "https://git.example/acme/bare"), ("insecure", "true")],
        ),
        secret("wide", "repo-creds", &with("https://git.example", "wide")),
        secret("narrow", "repo-creds", &with("https://git.example/acme", "narrow")),
        secret("no-type", "something", &with("https://other.example/x", "none")),
    ]);
    for (url, expected) in [
        ("https://git.example/acme/infra", "own"),
        ("https://git.example/acme/bare", "narrow"),
        ("https://git.example/acme/other.git", "narrow"),
        ("https://git.example/acme-evil/x", "wide"),
        ("https://git.example.evil.example/acme/x", ""),
        ("https://other.example/x", ""),
        ("http://git.example/acme/x", ""),
    ] {
        let access = secrets.access(url).unwrap();
        assert_eq!(user(&access), expected, "{url}");
        let git = secrets.git(&RepoUrl::parse(url).unwrap()).unwrap();
        assert_eq!(git.is_some(), !expected.is_empty());
        assert!(!format!("{git:?} {secrets:?}").contains("hunter2"));
    }
    assert!(secrets.access("https://git.example/acme/bare").unwrap().insecure);
}

/// Registries, with and without a scheme, and a Helm repository.
fn registries() -> RepositorySecrets {
    let login = [("username", "ada"), ("password", "hunter2")];
    all(&[
        secret(
            "helm",
            "repository",
            &[
                &[
                    ("url", "registry.example/charts"),
                    ("type", "helm"),
                    ("enableOCI", "true"),
                    ("name", "acme"),
                ][..],
                &login,
            ]
            .concat(),
        ),
        secret(
            "oci",
            "repository",
            &[&[("url", "oci://other.example/a/web"), ("type", "oci")][..], &login].concat(),
        ),
        secret(
            "odd",
            "repository",
            &[
                ("url", "https://third.example/charts"),
                ("type", "helm"),
                ("enableOCI", "true"),
            ],
        ),
        secret(
            "http",
            "repository",
            &[("url", "https://charts.example"), ("type", "helm"), ("name", "stable")],
        ),
    ])
}

#[test]
fn registries_with_and_without_scheme() {
    let secrets = registries();
    for (url, chart, repository, expected) in [
        ("registry.example/charts", "web", "oci://registry.example/charts", "ada"),
        (
            "oci://registry.example/charts",
            "web",
            "oci://registry.example/charts",
            "ada",
        ),
        (
            "oci://registry.example/charts-evil",
            "web",
            "oci://registry.example/charts-evil",
            "",
        ),
        ("oci://other.example/a", "web", "oci://other.example/a", "ada"),
        ("oci://other.example/a/web", "", "oci://other.example/a/web", "ada"),
        ("oci://other.example/a", "wab", "oci://other.example/a", ""),
        ("https://charts.example/", "web", "https://charts.example", ""),
        ("https://third.example/charts", "web", "oci://third.example/charts", ""),
        (
            "https://registry.example/charts",
            "web",
            "https://registry.example/charts",
            "",
        ),
    ] {
        let found = secrets.charts(url, chart).unwrap();
        assert_eq!(
            (found.repository.to_string().as_str(), user(&found.access)),
            (repository, expected),
            "{url}"
        );
    }
    assert_eq!(secrets.named("acme"), Some("oci://registry.example/charts"));
    assert_eq!(secrets.named("stable"), Some("https://charts.example"));
    assert_eq!(secrets.named("other"), None);
    assert!(secrets.charts("ftp://x", "web").is_err());
}

#[test]
fn what_is_wrong_is_named_and_never_shown() {
    let url = ("url", "https://git.example/x");
    for (data, says) in [
        (vec![url, ("insecure", "hunter2")], "key insecure"),
        (vec![url, ("tlsClientCertData", "hunter2")], "both or none"),
        (vec![url, ("proxy", "hunter2")], "key proxy"),
        (vec![url, ("sshPrivateKey", "hunter2")], "key sshPrivateKey"),
        (vec![url, ("githubAppID", "7")], "key githubAppID"),
    ] {
        let mut secrets = RepositorySecrets::default();
        let logged = secrets.insert(&secret("a", "repository", &data)).unwrap_err();
        assert!(logged.contains(says) && !logged.contains("hunter2"), "{logged}");
        let error = secrets.git(&RepoUrl::parse(url.1).unwrap()).unwrap_err().to_string();
        assert!(
            error.contains(says) && error.contains("Secret a") && !error.contains("hunter2"),
            "{error}"
        );
    }
    let mut secrets = RepositorySecrets::default();
    for (data, says) in [
        (
            json!({"url": "aHVudGVyMg==", "password": "!hunter2"}),
            "key password: it is not base64",
        ),
        (
            json!({"url": "aHVudGVyMg==", "password": "/w=="}),
            "key password: it is not UTF-8",
        ),
        (
            json!({"url": "aHVudGVyMg==", "password": 7}),
            "key password: it is not a text",
        ),
        (json!({}), "key url: it is missing"),
        (json!({"url": 7}), "key url"),
        (json!({"url": "aHVudGVyMg==", "project": "aHVudGVyMg=="}), "key project"),
    ] {
        let mut object = secret("a", "repository", &[]);
        object["data"] = data;
        let error = secrets.insert(&object).unwrap_err();
        assert!(error.contains(says) && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn authorities_are_by_host() {
    let mut secrets = RepositorySecrets::default();
    let map = json!({"data": {"Charts.example": "PEM", "odd": 7}});
    secrets.set_authorities(Some(&map));
    for (url, expected) in [
        ("https://charts.example/x", "PEM"),
        ("https://charts.example:8443", "PEM"),
        ("oci://charts.example:5000/x", "PEM"),
        ("https://evil-charts.example/x", ""),
        ("https://[2001:db8::1]:8443/x", ""),
    ] {
        assert_eq!(secrets.charts(url, "").unwrap().access.authorities, expected, "{url}");
    }
    let git = RepoUrl::parse("https://charts.example/x.git").unwrap();
    assert!(secrets.git(&git).unwrap().is_some());
    secrets.set_authorities(None);
    assert_eq!(secrets.git(&git), Ok(None));
}
