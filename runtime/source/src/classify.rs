//! From gix's chain of errors to one that says what, where and what next.

use std::error::Error as StdError;
use std::io;

use gix::protocol::transport::client::AuthenticationRequired;

use crate::error::Unreachable;
use crate::guard::RefusedAddress;
use crate::meter::{Exceeded, Meter};
use crate::url::redact;
use crate::{RepoUrl, SourceError};

/// How deep a chain is followed.
const MAX_CAUSES: usize = 64;

/// Whom an exchange was with, as it may be shown, and what was counted.
#[derive(Clone, Debug)]
pub(crate) struct Peer<'a> {
    /// The URL, redacted.
    pub(crate) url: String,
    /// Host and port.
    pub(crate) host: String,
    pub(crate) meter: &'a Meter,
}

/// Says what an exchange with `url` failed of.
pub(crate) fn classify(error: &gix::Error, url: &RepoUrl, meter: &Meter, authenticated: bool) -> SourceError {
    let (shown, host) = (url.to_string(), url.host());
    let peer = Peer {
        url: shown.clone(),
        host: host.clone(),
        meter,
    };
    if let Some(exceeded) = meter.exceeded() {
        return bound(exceeded, peer);
    }
    let causes = causes(error);
    if error.is_unauthenticated() || causes.iter().any(|cause| cause.is::<AuthenticationRequired>()) {
        let advice = if authenticated {
            "the credentials were not accepted; check whether the token expired"
        } else {
            "it does not exist or is private; give credentials for it"
        };
        return SourceError::Unauthorized { url: shown, advice };
    }
    if let Some(tls) = causes.iter().find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        return SourceError::Tls {
            url: shown,
            host,
            reason: tls.to_string(),
        };
    }
    if let Some(failure) = causes.iter().find_map(|cause| cause.downcast_ref::<reqwest::Error>()) {
        return http(failure, &causes, peer);
    }
    if causes.iter().any(|cause| is_timeout(*cause)) {
        return timeout(peer);
    }
    if causes.iter().any(|cause| is_interruption(*cause)) {
        return SourceError::Unreachable {
            url: shown,
            host,
            cause: Unreachable::Interrupted,
        };
    }
    SourceError::Protocol {
        url: shown,
        reason: summary(&causes),
    }
}

/// Says what an exchange failed of that the HTTP client alone was part of.
pub(crate) fn classify_http(error: &(dyn StdError + 'static), peer: Peer<'_>) -> SourceError {
    if let Some(exceeded) = peer.meter.exceeded() {
        return bound(exceeded, peer);
    }
    let mut causes = Vec::new();
    collect(error, &mut causes);
    if let Some(tls) = causes.iter().find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        return SourceError::Tls {
            url: peer.url,
            host: peer.host,
            reason: tls.to_string(),
        };
    }
    if causes.iter().any(|cause| is_timeout(*cause)) {
        return timeout(peer);
    }
    match causes.iter().find_map(|cause| cause.downcast_ref::<reqwest::Error>()) {
        Some(failure) => http(failure, &causes, peer),
        None => SourceError::Unreachable {
            url: peer.url,
            host: peer.host,
            cause: Unreachable::Interrupted,
        },
    }
}

fn http(failure: &reqwest::Error, causes: &[&(dyn StdError + 'static)], peer: Peer<'_>) -> SourceError {
    if let Some(code) = failure.status() {
        return status(code.as_u16(), peer);
    }
    if failure.is_timeout() {
        return timeout(peer);
    }
    let Peer { url, host, .. } = peer;
    if failure.is_redirect() {
        let reason = "the server redirects in a circle or to where it must not; use the final URL".to_owned();
        return SourceError::Protocol { url, reason };
    }
    if let Some(refused) = causes.iter().find_map(|cause| cause.downcast_ref::<RefusedAddress>()) {
        let reason = refused.to_string();
        return SourceError::Protocol { url, reason };
    }
    let broke_off = causes.iter().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|io| io.kind() == io::ErrorKind::UnexpectedEof)
    });
    if failure.is_connect() && broke_off {
        let reason = "the server ended the handshake; does it speak TLS on this port?".to_owned();
        return SourceError::Tls { url, host, reason };
    }
    let says = |words: &str| causes.iter().any(|cause| cause.to_string().contains(words));
    let cause = if says("dns error") || says("failed to lookup address") {
        Unreachable::Dns
    } else if failure.is_connect() {
        Unreachable::Connect
    } else {
        Unreachable::Interrupted
    };
    SourceError::Unreachable { url, host, cause }
}

fn bound(exceeded: Exceeded, peer: Peer<'_>) -> SourceError {
    match exceeded {
        Exceeded::Time { limit, received } => SourceError::Timeout {
            url: peer.url,
            host: peer.host,
            limit,
            received,
        },
        Exceeded::Bytes { what, measured, limit } => SourceError::Limit {
            url: peer.url,
            what,
            measured,
            limit,
        },
    }
}

/// What a status that is no success says.
pub(crate) fn status(code: u16, peer: Peer<'_>) -> SourceError {
    match code {
        403 => SourceError::Forbidden {
            url: peer.url,
            reason: "HTTP 403".to_owned(),
        },
        404 | 410 => SourceError::NotFound { url: peer.url },
        408 | 429 | 500.. => SourceError::Unreachable {
            url: peer.url,
            host: peer.host,
            cause: Unreachable::Server(code),
        },
        other => SourceError::Protocol {
            url: peer.url,
            reason: format!("the server answered HTTP {other}"),
        },
    }
}

fn timeout(peer: Peer<'_>) -> SourceError {
    SourceError::Timeout {
        url: peer.url,
        host: peer.host,
        limit: peer.meter.idle(),
        received: peer.meter.received(),
    }
}

fn is_timeout(cause: &(dyn StdError + 'static)) -> bool {
    cause
        .downcast_ref::<io::Error>()
        .is_some_and(|io| io.kind() == io::ErrorKind::TimedOut)
}

fn is_interruption(cause: &(dyn StdError + 'static)) -> bool {
    use io::ErrorKind as Kind;
    cause.downcast_ref::<io::Error>().is_some_and(|io| {
        matches!(
            io.kind(),
            Kind::UnexpectedEof | Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe
        )
    })
}

/// The outermost and the innermost cause, on one line.
fn summary(causes: &[&(dyn StdError + 'static)]) -> String {
    let first = causes
        .first()
        .map(|cause| redact_words(&cause.to_string()))
        .unwrap_or_default();
    let last = causes
        .last()
        .map(|cause| redact_words(&cause.to_string()))
        .unwrap_or_default();
    if last.is_empty() || first.contains(&last) {
        first
    } else {
        format!("{first}: {last}")
    }
}

fn redact_words(text: &str) -> String {
    let words = text.split_whitespace().map(|word| {
        if word.contains("://") {
            redact(word)
        } else {
            word.to_owned()
        }
    });
    let line = words.collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// Every error of the tree that gix builds, outermost first, with what hides within I/O errors.
pub(crate) fn causes(error: &gix::Error) -> Vec<&(dyn StdError + 'static)> {
    let mut found: Vec<&(dyn StdError + 'static)> = Vec::new();
    for cause in error.iter_errors() {
        collect(cause, &mut found);
    }
    found
}

fn collect<'a>(cause: &'a (dyn StdError + 'static), found: &mut Vec<&'a (dyn StdError + 'static)>) {
    if found.len() >= MAX_CAUSES || found.iter().any(|known| std::ptr::addr_eq(*known, cause)) {
        return;
    }
    found.push(cause);
    if let Some(inner) = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        collect(inner, found);
    }
    if let Some(inner) = cause.downcast_ref::<gix::Error>() {
        for inner in inner.iter_errors() {
            collect(inner, found);
        }
    }
    if let Some(inner) = cause.source() {
        collect(inner, found);
    }
}
