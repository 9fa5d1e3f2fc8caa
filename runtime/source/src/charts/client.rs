//! One GET at a time, bounded in time, pace, bytes and redirects, with credentials that go to one origin only.
//!
//! Redirects are followed here and not by the HTTP client, because each of them is a URL that somebody else chose: it has to pass the
//! same grammar as any, may not leave TLS, and loses the credentials when scheme, host or port change, for good.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};

use capstan_model::SecretBytes;
use reqwest::blocking::{Client, ClientBuilder, Response};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION};
use reqwest::{Method, NoProxy, Url};

use super::access::Access;
use crate::classify::{Peer, classify_http, status};
use crate::guard::GuardedResolver;
use crate::meter::{Budget, Meter};
use crate::url::Origin;
use crate::{FetchLimits, SourceError};

/// Kinds of connections that are kept open.
const MAX_CLIENTS: usize = 32;

/// The HTTP side of all repositories of charts.
#[derive(Debug)]
pub(crate) struct Wire {
    limits: FetchLimits,
    /// By what connections are made of.
    clients: Mutex<BTreeMap<[u8; 32], Client>>,
}

/// What an index was when it came last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Validators {
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
}

/// One request.
#[derive(Clone)]
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) accept: &'a str,
    /// Value of the header, and the only origin it goes to.
    pub(crate) authorization: Option<(&'a SecretBytes, &'a Origin)>,
    pub(crate) validators: Option<&'a Validators>,
    /// Bytes of the answer, at most, and what they are.
    pub(crate) bytes: u64,
    pub(crate) what: &'static str,
}

/// What came back: success, 304, or a status that the caller has to understand.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Empty unless the status is a success.
    pub(crate) body: Vec<u8>,
    /// Where it came from, as it may be shown.
    pub(crate) url: String,
    pub(crate) host: String,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name)?.to_str().ok().map(str::to_owned)
    }

    /// What a status that nobody expected says.
    pub(crate) fn error(&self, authenticated: bool) -> SourceError {
        if self.status == 401 {
            return SourceError::Unauthorized {
                url: self.url.clone(),
                advice: match authenticated {
                    true => "the credentials were not accepted; check whether the token expired",
                    false => "it is private; give credentials for it in a repository secret",
                },
            };
        }
        let meter = Meter::new(Budget::none());
        let peer = Peer {
            url: self.url.clone(),
            host: self.host.clone(),
            meter: &meter,
        };
        status(self.status, peer)
    }
}

impl Wire {
    pub(crate) fn new(limits: FetchLimits) -> Self {
        Self {
            limits,
            clients: Mutex::default(),
        }
    }

    pub(crate) fn limits(&self) -> &FetchLimits {
        &self.limits
    }

    /// Asks, and follows where it is sent.
    pub(crate) fn send(&self, ask: &Ask<'_>, access: &Access) -> Result<Answer, SourceError> {
        let meter = Meter::new(Budget {
            total: self.limits.exchange,
            idle: self.limits.idle,
            bytes: ask.bytes,
            what: ask.what,
            floor: Some((self.limits.floor, self.limits.floor_window)),
        });
        let client = self.client(access, &ask.url)?;
        let mut url = ask.url.clone();
        let mut authorization = ask.authorization;
        for _ in 0..=self.limits.redirects {
            let origin = checked(&url)?;
            authorization = authorization.filter(|(_, home)| **home == origin && access.may_send_to(home));
            let peer = Peer {
                url: shown(&url),
                host: origin.authority(),
                meter: &meter,
            };
            let response = request(&client, ask, &url, authorization)
                .send()
                .map_err(|error| classify_http(&error, peer.clone()))?;
            match redirect(&response, &url)? {
                Some(next) => url = next,
                None => return receive(response, &peer),
            }
            // Time passes also while nothing is read.
            meter.count(0).map_err(|error| classify_http(&error, peer))?;
        }
        Err(SourceError::Protocol {
            url: shown(&ask.url),
            reason: format!(
                "the server redirects in a circle or more than {} times; use the final URL",
                self.limits.redirects
            ),
        })
    }

    fn client(&self, access: &Access, url: &Url) -> Result<Client, SourceError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let key = access.transport();
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = build(access, &self.limits).map_err(|reason| SourceError::Tls {
            url: shown(url),
            host: url.host_str().unwrap_or_default().to_owned(),
            reason,
        })?;
        if clients.len() >= MAX_CLIENTS {
            clients.clear();
        }
        clients.insert(key, client.clone());
        Ok(client)
    }
}

fn build(access: &Access, limits: &FetchLimits) -> Result<Client, String> {
    let builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(limits.connect)
        .timeout(limits.idle)
        .user_agent(concat!("capstan/", env!("CARGO_PKG_VERSION")));
    configure(builder, access)?
        .build()
        .map_err(|_| "the client certificate does not fit its key, or a certificate authority is none".to_owned())
}

/// Whom to trust, who we are, and which way to go. The reasons name what is wrong and repeat nothing of a certificate, key or URL.
pub(crate) fn configure(mut builder: ClientBuilder, access: &Access) -> Result<ClientBuilder, String> {
    builder = builder
        .dns_resolver(Arc::new(GuardedResolver))
        .tls_danger_accept_invalid_certs(access.insecure);
    if !access.authorities.trim().is_empty() {
        let certificates = reqwest::Certificate::from_pem_bundle(access.authorities.as_bytes())
            .map_err(|_| "the certificate authorities of the repository are not PEM".to_owned())?;
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(client) = &access.client_certificate {
        let (certificate, key) = (client.certificate.trim().as_bytes(), client.key.expose().trim_ascii());
        let pem = SecretBytes::concat(&[certificate, b"\n", key]);
        let reason = "the client certificate (tlsClientCertData) or its key (tlsClientCertKey) is not PEM";
        let identity = reqwest::Identity::from_pem(pem.expose()).map_err(|_| reason.to_owned())?;
        builder = builder.identity(identity);
    }
    if let Some(proxy) = &access.proxy {
        let except = NoProxy::from_string(proxy.except());
        let url = proxy.url().expose_text().unwrap_or_default();
        let proxy = reqwest::Proxy::all(url).map_err(|_| "the proxy's URL cannot be used".to_owned())?;
        builder = builder.proxy(proxy.no_proxy(except));
    }
    Ok(builder)
}

fn request(
    client: &Client,
    ask: &Ask<'_>,
    url: &Url,
    authorization: Option<(&SecretBytes, &Origin)>,
) -> reqwest::blocking::RequestBuilder {
    let mut request = client
        .request(ask.method.clone(), url.clone())
        .header(ACCEPT, ask.accept);
    if let Some(mut value) = authorization.and_then(|(value, _)| HeaderValue::from_bytes(value.expose()).ok()) {
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    let validators = ask.validators.cloned().unwrap_or_default();
    if let Some(etag) = validators.etag {
        request = request.header(IF_NONE_MATCH, etag);
    }
    if let Some(date) = validators.last_modified {
        request = request.header(IF_MODIFIED_SINCE, date);
    }
    request
}

/// Where a server sends us, if it does.
fn redirect(response: &Response, from: &Url) -> Result<Option<Url>, SourceError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let refuse = |reason: &str| SourceError::Protocol {
        url: shown(from),
        reason: reason.to_owned(),
    };
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| refuse("the server redirects without saying where to"))?;
    let next = from
        .join(location)
        .map_err(|_| refuse("the server redirects to what is no URL"))?;
    if let Err(reason) = Origin::of(&next) {
        return Err(refuse(&format!("the server redirects to {}: {reason}", shown(&next))));
    }
    if from.scheme() == "https" && next.scheme() != "https" {
        return Err(refuse(
            "the server redirects from https:// to http://, which is not followed",
        ));
    }
    Ok(Some(next))
}

fn receive(mut response: Response, peer: &Peer<'_>) -> Result<Answer, SourceError> {
    let mut answer = Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: Vec::new(),
        url: peer.url.clone(),
        host: peer.host.clone(),
    };
    if !answer.is_success() {
        return Ok(answer);
    }
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = response
            .read(&mut buffer)
            .map_err(|error| classify_http(&error, peer.clone()))?;
        peer.meter
            .count(count)
            .map_err(|error| classify_http(&error, peer.clone()))?;
        if count == 0 {
            return Ok(answer);
        }
        answer.body.extend_from_slice(&buffer[..count]);
    }
}

/// The origin of a URL that somebody else chose.
fn checked(url: &Url) -> Result<Origin, SourceError> {
    Origin::of(url).map_err(|reason| SourceError::InvalidUrl {
        url: shown(url),
        reason: reason.to_owned(),
    })
}

/// A URL without what may be secret in it: user, query, fragment.
pub(crate) fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!(
        "{}://{}{port}{}",
        url.scheme(),
        url.host_str().unwrap_or_default(),
        url.path()
    )
}
