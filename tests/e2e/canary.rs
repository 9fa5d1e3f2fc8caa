//! Secrets that everything has in hand, and nothing may show: each a word of its own that is looked for in all that the program says.
//!
//! They are in the Secrets about repositories, where they belong and where they do not (a password in a flag, a key that is no key, a proxy's
//! URL), in the secret of webhooks, and in a Secret that is deployed, changed, edited by somebody, refused and pruned. The log is at its most
//! talkative.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;

use crate::harness::{CAPSTAN, Clone, Kubectl, Process, eventually, exchange, has, http};
use crate::restart;

const PATIENCE: Duration = Duration::from_secs(60);

/// The words that are looked for.
const CANARIES: [&str; 13] = [
    "git",
    "bearer",
    "flag",
    "certificate",
    "key",
    "proxy",
    "ssh",
    "webhook",
    "first",
    "second",
    "edited",
    "pruned",
    "refused",
];

/// A word that nothing else says, 64 letters long.
fn canary(name: &str) -> String {
    format!("canary{name}{}", "q7x".repeat(20)).chars().take(64).collect()
}

/// As it is, and as Secrets and headers carry it.
fn forms(name: &str) -> Vec<String> {
    let word = canary(name);
    let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    // What stands before it shifts the letters of base64: what is left of each shift is looked for.
    let inner = |pad: &str| {
        let text = encoded(&format!("{pad}{word}"));
        text[4..text.len() - 8].to_owned()
    };
    vec![word.clone(), inner(""), inner("a"), inner("ab")]
}

fn base64_of(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Answers 401 to everything, and keeps what it was sent.
fn refusing_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut bytes = [0; 4096];
            let _ = stream.read(&mut bytes);
            let _ = stream.write_all(
                b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
        }
    });
    port
}

fn repository_secret(name: &str, kind: &str, data: &[(&str, &str)]) -> String {
    let data: BTreeMap<&str, String> = data.iter().map(|(key, value)| (*key, base64_of(value))).collect();
    let mut text = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  namespace: argocd\n  labels: {{argocd.argoproj.io/secret-type: {kind}}}\ndata:\n"
    );
    for (key, value) in data {
        text.push_str(&format!("  {key}: {value}\n"));
    }
    text
}

fn repository_secrets(port: u16) -> String {
    let at = |path: &str| format!("http://127.0.0.1:{port}/{path}");
    let secret = |name: &str, kind: &str, url: &str, data: &[(&str, &str)]| {
        let url = at(url);
        repository_secret(name, kind, &[&[("url", url.as_str())], data].concat())
    };
    let proxy = format!("socks5://ada:{}@proxy:1080", canary("proxy"));
    let (git, bearer, flag) = (canary("git"), canary("bearer"), canary("flag"));
    let (certificate, key, ssh) = (canary("certificate"), canary("key"), canary("ssh"));
    let login = [("username", "ada"), ("password", &git), ("insecure", "true")];
    let token = [("type", "helm"), ("bearerToken", &bearer), ("insecure", "true")];
    let pair = [("tlsClientCertData", certificate.as_str()), ("tlsClientCertKey", &key)];
    [
        secret("git", "repository", "git.git", &login),
        secret("charts", "repository", "charts", &token),
        secret("odd", "repository", "odd.git", &[("insecure", &flag)]),
        secret("key", "repository", "key.git", &pair),
        secret("proxied", "repository", "proxied.git", &[("proxy", &proxy)]),
        secret("template", "repo-creds", "", &[("sshPrivateKey", &ssh)]),
    ]
    .concat()
}

fn application(name: &str, repository: &str, more: &str) -> String {
    format!(
        "---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nspec:\n  project: default\n  \
         source: {{repoURL: '{repository}', targetRevision: main, {more}}}\n  \
         destination: {{server: https://kubernetes.default.svc, namespace: shop}}\n  \
         syncPolicy: {{automated: {{prune: true, selfHeal: true}}, syncOptions: [CreateNamespace=true]}}\n"
    )
}

fn secret(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\ndata: {{password: {}}}\n",
        base64_of(value)
    )
}

fn repository(folder: &Path) -> Clone {
    let (_, clone) = restart::repository(folder);
    clone.write("app/kept.yaml", &secret("kept", &canary("first")));
    clone.write("app/pruned.yaml", &secret("pruned", &canary("pruned")));
    clone.push("two secrets");
    clone
}

/// A controller over a world, as talkative as it can be.
fn controller(folder: &Path) -> Process {
    let mut command = restart::controller_command(folder);
    command
        .env("RUST_LOG", "trace")
        .env("CAPSTAN_WEBHOOK_SECRET", canary("webhook"));
    Process::start(&mut command)
}

/// Syncs, drift, a refusal and a prune of Secrets.
fn deploy(kubectl: &Kubectl, clone: &Clone) {
    let value = |name: &str| {
        let object = kubectl.object(&["-n", "shop", "secret", name])?;
        object["data"]["password"].as_str().map(str::to_owned)
    };
    eventually("the Secret is there", PATIENCE, || {
        value("pruned") == Some(base64_of(&canary("pruned")))
    });
    clone.write("app/kept.yaml", &secret("kept", &canary("second")));
    clone.push("another password");
    eventually("the Secret is changed", PATIENCE, || {
        value("kept") == Some(base64_of(&canary("second")))
    });
    let patch = format!("{{\"data\":{{\"password\":\"{}\"}}}}", base64_of(&canary("edited")));
    kubectl.run(&["-n", "shop", "patch", "secret", "kept", "-p", &patch]);
    eventually("the edit is reverted", PATIENCE, || {
        value("kept") == Some(base64_of(&canary("second")))
    });
    std::fs::remove_file(clone.path.join("app/pruned.yaml")).expect("removed");
    clone.push("one less");
    eventually("the Secret is pruned", PATIENCE, || value("pruned").is_none());
    let odd = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: refused}}\nstringData: {{password: [{}]}}\n",
        canary("refused")
    );
    clone.write("app/refused.yaml", &odd);
    clone.push("a Secret that the server refuses");
    eventually("the refusal is told", PATIENCE, || {
        let words = kubectl.words("shop");
        words.contains("Failed") || words.contains("SyncFailed")
    });
}

/// Everything that the program says to anybody, but for Secrets themselves.
fn told(kubectl: &Kubectl, url: &str, controller: &Process) -> Vec<(String, String)> {
    let mut told = vec![("the log".to_owned(), controller.output())];
    let pages = ["/", "/api/v1/applications", "/api/v1/journal", "/metrics", "/healthz"];
    let mut paths: Vec<String> = pages.map(str::to_owned).to_vec();
    for name in ["shop", "git", "charts", "odd", "key", "proxied"] {
        paths.push(format!("/applications/argocd/{name}"));
        paths.push(format!("/api/v1/applications/argocd/{name}"));
    }
    told.extend(
        paths
            .into_iter()
            .map(|path| (path.clone(), http(url, "GET", &path, ""))),
    );
    for kind in [
        "applications.argoproj.io",
        "appprojects.argoproj.io",
        "events",
        "configmaps",
        "leases",
    ] {
        let text = kubectl.run(&["get", kind, "-A", "-o", "yaml", "--show-managed-fields"]);
        told.push((kind.to_owned(), text));
    }
    for (header, body) in [
        ("X-Gitlab-Token: no", "{}"),
        ("X-Hub-Signature-256: sha256=00", "{}"),
        ("X-No: 1", "{"),
    ] {
        told.push((header.to_owned(), exchange(url, "POST", "/api/webhook", header, body)));
    }
    told
}

/// A world with the definitions and the Secrets about repositories.
fn world(folder: &Path, port: u16) -> (Process, Kubectl) {
    let mut command = Command::new(CAPSTAN);
    command.args(["world", "--kubeconfig"]).arg(folder.join("kubeconfig"));
    let mut world = Process::start(&mut command);
    world.wait_for_line("ready", PATIENCE);
    let kubectl = Kubectl::new(&folder.join("kubeconfig"));
    let definitions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/crds");
    kubectl.run(&["apply", "-f", definitions.to_str().expect("text")]);
    kubectl.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: argocd}\n");
    kubectl.apply(&repository_secrets(port));
    (world, kubectl)
}

/// One of our own repository, and one for each Secret about another.
fn applications(folder: &Path, port: u16) -> String {
    let at = |path: &str| format!("http://127.0.0.1:{port}/{path}");
    let own = format!("file://{}", folder.join("repository.git").display());
    let mut applications = application("shop", &own, "path: app");
    for name in ["git", "odd", "key", "proxied"] {
        applications.push_str(&application(name, &at(&format!("{name}.git")), "path: ."));
    }
    applications.push_str(&application("charts", &at("charts"), "chart: web").replace("main", "1.0.0"));
    applications
}

/// Panics if `text` holds one of the words.
fn holds_none(place: &str, text: &str) {
    assert!(!text.is_empty() || place == "/healthz", "{place} says nothing");
    for name in CANARIES {
        for form in forms(name) {
            if let Some(found) = text.find(&form) {
                let before = text[..found].char_indices().rev().nth(300).map_or(0, |(at, _)| at);
                panic!("{place} shows {name}: …{}…", &text[before..found + form.len()]);
            }
        }
    }
}

#[test]
fn no_secret_is_shown_anywhere() {
    if !has("kubectl") || !has("git") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let port = refusing_server();
    let (_world, kubectl) = world(folder.path(), port);
    let clone = repository(folder.path());
    let mut controller = controller(folder.path());
    let line = controller.wait_for_line("dashboard", PATIENCE);
    let url = line.split_whitespace().last().expect("a URL").to_owned();
    kubectl.apply(&applications(folder.path(), port));
    deploy(&kubectl, &clone);
    for name in ["git", "charts", "odd", "key", "proxied"] {
        eventually("what is wrong is told", PATIENCE, || {
            kubectl.words(name).contains("ComparisonError")
        });
    }
    // What is right is let in, and is what the program holds.
    let token = format!("X-Gitlab-Token: {}", canary("webhook"));
    let answer = exchange(&url, "POST", "/api/webhook", &token, "{}");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for (place, text) in told(&kubectl, &url, &controller) {
        holds_none(&place, &text);
    }
}
