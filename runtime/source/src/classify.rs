//! From gix's chain of errors to one that says what, where and what next.

use std::error::Error as StdError;
use std::io;

use gix::protocol::transport::client::AuthenticationRequired;

use crate::error::Unreachable;
use crate::meter::{Exceeded, Meter};
use crate::url::redact;
use crate::{RepoUrl, SourceError};

/// How deep a chain is followed.
const MAX_CAUSES: usize = 64;

/// Says what an exchange with `url` failed of.
pub(crate) fn classify(error: &gix::Error, url: &RepoUrl, meter: &Meter, authenticated: bool) -> SourceError {
    let (shown, host) = (url.to_string(), url.host());
    if let Some(exceeded) = meter.exceeded() {
        return bound(exceeded, url);
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
        return http(failure, &causes, url, meter);
    }
    if causes.iter().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|io| io.kind() == io::ErrorKind::TimedOut)
    }) {
        return timeout(url, meter);
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

fn http(failure: &reqwest::Error, causes: &[&(dyn StdError + 'static)], url: &RepoUrl, meter: &Meter) -> SourceError {
    let (shown, host) = (url.to_string(), url.host());
    if let Some(code) = failure.status() {
        return status(code.as_u16(), url);
    }
    if failure.is_timeout() {
        return timeout(url, meter);
    }
    if failure.is_redirect() {
        let reason = "the server redirects in a circle or to where it must not; use the final URL".to_owned();
        return SourceError::Protocol { url: shown, reason };
    }
    let broke_off = causes.iter().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|io| io.kind() == io::ErrorKind::UnexpectedEof)
    });
    if failure.is_connect() && broke_off {
        let reason = "the server ended the handshake; does it speak TLS on this port?".to_owned();
        return SourceError::Tls {
            url: shown,
            host,
            reason,
        };
    }
    let says = |words: &str| causes.iter().any(|cause| cause.to_string().contains(words));
    let cause = if says("dns error") || says("failed to lookup address") {
        Unreachable::Dns
    } else if failure.is_connect() {
        Unreachable::Connect
    } else {
        Unreachable::Interrupted
    };
    SourceError::Unreachable {
        url: shown,
        host,
        cause,
    }
}

fn bound(exceeded: Exceeded, url: &RepoUrl) -> SourceError {
    let shown = url.to_string();
    match exceeded {
        Exceeded::Time { limit, received } => SourceError::Timeout {
            url: shown,
            host: url.host(),
            limit,
            received,
        },
        Exceeded::Bytes { what, measured, limit } => SourceError::Limit {
            url: shown,
            what,
            measured,
            limit,
        },
    }
}

fn status(code: u16, url: &RepoUrl) -> SourceError {
    let shown = url.to_string();
    match code {
        403 => SourceError::Forbidden {
            url: shown,
            reason: "HTTP 403".to_owned(),
        },
        404 | 410 => SourceError::NotFound { url: shown },
        408 | 429 | 500.. => SourceError::Unreachable {
            url: shown,
            host: url.host(),
            cause: Unreachable::Server(code),
        },
        other => SourceError::Protocol {
            url: shown,
            reason: format!("the server answered HTTP {other}"),
        },
    }
}

fn timeout(url: &RepoUrl, meter: &Meter) -> SourceError {
    SourceError::Timeout {
        url: url.to_string(),
        host: url.host(),
        limit: meter.idle(),
        received: meter.received(),
    }
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
