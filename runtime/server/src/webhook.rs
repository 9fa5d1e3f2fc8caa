//! Push events of Git servers.
//!
//! GitHub, GitLab, Gitea, Gogs and Bitbucket put the repository's addresses in different places; all of them are looked at, nothing
//! else is. The signature is checked over the raw bytes before anything is parsed.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use ring::hmac;
use serde_json::Value;

use crate::Context;

/// Largest body taken, in bytes.
pub(crate) const LIMIT: usize = 8 * 1024 * 1024;

/// Addresses of the repository that was pushed to; empty when the payload names none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushedRepositories(pub Vec<String>);

/// Why a webhook is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// There is a secret and the signature is absent or wrong.
    #[error("the signature does not match: sign with the secret that the controller was given")]
    Signature,
    /// There is no secret and unsigned webhooks are not accepted.
    #[error("webhooks are not accepted without a secret: start the controller with one")]
    NotAccepted,
    /// The body is not JSON.
    #[error("the body is not a JSON push event")]
    Malformed,
}

/// `POST /api/webhook`.
pub(crate) async fn receive(State(context): State<Context>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(error) = authenticate(&context, &headers, &body) {
        return (StatusCode::UNAUTHORIZED, format!("{error}\n")).into_response();
    }
    let Ok(PushedRepositories(urls)) = pushed_repositories(&body) else {
        return (StatusCode::BAD_REQUEST, format!("{}\n", WebhookError::Malformed)).into_response();
    };
    if urls.is_empty() {
        context.backend.source_changed(None);
        return "refreshing every repository: the payload names none\n".into_response();
    }
    for url in &urls {
        context.backend.source_changed(Some(url));
    }
    "refreshing\n".into_response()
}

fn authenticate(context: &Context, headers: &HeaderMap, body: &[u8]) -> Result<(), WebhookError> {
    let options = &context.options;
    let Some(secret) = &options.webhook_secret else {
        return if options.unsigned_webhooks {
            Ok(())
        } else {
            Err(WebhookError::NotAccepted)
        };
    };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
    let hub = header("x-hub-signature-256").and_then(|text| text.strip_prefix("sha256="));
    let signature = hub
        .or_else(|| header("x-gitea-signature"))
        .or_else(|| header("x-gogs-signature"))
        .and_then(decode_hex);
    if let Some(signature) = signature {
        return hmac::verify(&key, body, &signature).map_err(|_| WebhookError::Signature);
    }
    // GitLab sends the secret itself: compared by the tags of both, in constant time.
    let token = header("x-gitlab-token").ok_or(WebhookError::Signature)?;
    hmac::verify(&key, secret.expose(), hmac::sign(&key, token.as_bytes()).as_ref())
        .map_err(|_| WebhookError::Signature)
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// The first value of a form, as GitHub sends events that are not sent as JSON.
fn decode_form(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied().take_while(|byte| *byte != b'&');
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next().unwrap_or(b'0'), bytes.next().unwrap_or(b'0')];
                std::str::from_utf8(&digits)
                    .ok()
                    .and_then(|text| u8::from_str_radix(text, 16).ok())
                    .unwrap_or(b'?')
            }
            other => other,
        });
    }
    decoded
}

/// Addresses in a push event.
///
/// # Errors
/// [`WebhookError::Malformed`] when the body is not JSON. An empty body names no repository.
pub fn pushed_repositories(body: &[u8]) -> Result<PushedRepositories, WebhookError> {
    if body.trim_ascii().is_empty() {
        return Ok(PushedRepositories::default());
    }
    let form = body.strip_prefix(b"payload=").map(decode_form);
    let event: Value = serde_json::from_slice(form.as_deref().unwrap_or(body)).map_err(|_| WebhookError::Malformed)?;
    let places = [
        "/repository/clone_url",
        "/repository/html_url",
        "/repository/ssh_url",
        "/repository/git_url",
        "/repository/git_http_url",
        "/repository/git_ssh_url",
        "/repository/url",
        "/repository/homepage",
        "/repository/links/html/href",
        "/project/git_http_url",
        "/project/git_ssh_url",
        "/project/web_url",
        "/repoURL",
    ];
    let mut urls: Vec<String> = Vec::new();
    for url in places
        .iter()
        .filter_map(|place| event.pointer(place)?.as_str())
        .filter(|url| url.len() <= 2048)
    {
        if !urls.iter().any(|known| known == url) {
            urls.push(url.to_owned());
        }
    }
    Ok(PushedRepositories(urls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_repository_of_each_server() {
        let body = br#"{"ref": "refs/heads/main", "repository": {"clone_url": "https://git.example/a.git", "html_url": "https://git.example/a"}}"#;
        let urls = pushed_repositories(body).unwrap().0;
        assert_eq!(urls, ["https://git.example/a.git", "https://git.example/a"]);
        let body =
            br#"{"object_kind": "push", "project": {"git_http_url": "https://lab.example/a.git"}, "repository": null}"#;
        assert_eq!(pushed_repositories(body).unwrap().0, ["https://lab.example/a.git"]);
    }

    #[test]
    fn odd_bodies_are_no_panic() {
        assert_eq!(pushed_repositories(b" \n").unwrap().0, Vec::<String>::new());
        assert_eq!(pushed_repositories(b"[null]").unwrap().0, Vec::<String>::new());
        assert_eq!(
            pushed_repositories(br#"{"repository": {"url": 3}}"#).unwrap().0,
            Vec::<String>::new()
        );
        assert_eq!(pushed_repositories(b"ref=main"), Err(WebhookError::Malformed));
        let form =
            b"payload=%7B%22repository%22%3A+%7B%22clone_url%22%3A%22https%3A%2F%2Fgit.example%2Fa.git%22%7D%7D&x=1";
        assert_eq!(pushed_repositories(form).unwrap().0, ["https://git.example/a.git"]);
        assert_eq!(pushed_repositories(b"payload=%7"), Err(WebhookError::Malformed));
        assert_eq!(decode_hex("zz"), None);
        assert_eq!(decode_hex("0aff"), Some(vec![10, 255]));
    }
}
