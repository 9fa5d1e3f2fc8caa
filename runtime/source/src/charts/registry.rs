//! Charts in OCI registries, as `helm push` puts them there: a manifest with Helm's config, and the packed chart as a layer.
//!
//! Our own thin client and no crate: what is needed are four GETs, and what matters is what a crate would hide (which host sees the
//! credentials, how far a redirect leads, how many bytes are read). A version's `+` is a `_` in its tag.
//!
//! Deliberately absent: identity tokens (the OAuth2 POST), indexes of several platforms, digests other than SHA-256, referrers,
//! and artifacts that are no Helm charts.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use capstan_model::SecretBytes;
use reqwest::{Method, Url};
use serde::Deserialize;

use super::access::{Access, Login};
use super::blobs::Blobs;
use super::challenge::{Challenge, next_link};
use super::client::{Answer, Ask, Wire};
use super::digest::Digest;
use super::location::OciLocation;
use super::version::{self, Choice};
use crate::SourceError;
use crate::constraint::Version;
use crate::url::Origin;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const HELM_CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
const HELM_CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/// Of Helm before 3.7.
const LEGACY_CHART: &str = "application/tar+gzip";

/// Tokens that are kept.
const MAX_TOKENS: usize = 256;
/// How long a token is good for when the server does not say (the distribution specification's default).
const TOKEN_LIFETIME: Duration = Duration::from_secs(60);
/// A token is not used in the last moments of its life.
const TOKEN_MARGIN: Duration = Duration::from_secs(5);
/// Versions that are listed in a message.
const SHOWN: usize = 5;

/// An artifact, and the fingerprint of who asks.
type Key = (String, [u8; 32]);

/// Tokens of registries.
#[derive(Default)]
pub(crate) struct Tokens {
    /// Header value and end of life, by artifact and by who asks.
    known: Mutex<BTreeMap<Key, (SecretBytes, Instant)>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(***)")
    }
}

/// One artifact, spoken about on behalf of somebody.
pub(crate) struct Registry<'a> {
    pub(crate) wire: &'a Wire,
    pub(crate) blobs: &'a Blobs,
    pub(crate) tokens: &'a Tokens,
    pub(crate) access: &'a Access,
    artifact: OciLocation,
    origin: Origin,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Manifest {
    media_type: String,
    config: Descriptor,
    layers: Vec<Descriptor>,
    manifests: Vec<serde::de::IgnoredAny>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TagList {
    tags: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl<'a> Registry<'a> {
    pub(crate) fn new(
        (wire, blobs, tokens): (&'a Wire, &'a Blobs, &'a Tokens),
        location: &OciLocation,
        chart: &str,
        access: &'a Access,
    ) -> Result<Self, SourceError> {
        let invalid = |reason: &str| SourceError::InvalidUrl {
            url: location.to_string(),
            reason: reason.to_owned(),
        };
        let artifact = location.artifact(chart).map_err(invalid)?;
        // A registry on this machine is rarely behind TLS; if it is, its authority or a client's certificate is given.
        let has_tls_settings = !access.authorities.is_empty() || access.client_certificate.is_some() || access.insecure;
        let plain = access.plain_http || (artifact.is_loopback() && !has_tls_settings);
        let origin = artifact.origin(!plain).map_err(invalid)?;
        Ok(Self {
            wire,
            blobs,
            tokens,
            access,
            artifact,
            origin,
        })
    }

    /// The version (with `+`) and the digest of its manifest.
    pub(crate) fn resolve(&self, wanted: &str) -> Result<(String, Digest), SourceError> {
        if let Ok(digest) = Digest::parse(wanted)
            && wanted.starts_with("sha256:")
        {
            self.manifest(&digest)?;
            return Ok((String::new(), digest));
        }
        let version = match version::is_range(wanted) {
            true => self.newest(wanted)?,
            false => wanted.to_owned(),
        };
        let digest = self.manifest_digest(&version)?;
        Ok((version, digest))
    }

    /// The packed chart of a manifest, and its digest.
    pub(crate) fn chart(&self, manifest: &Digest) -> Result<(Vec<u8>, Digest), SourceError> {
        let layer = self.chart_layer(&self.manifest(manifest)?)?;
        let digest = Digest::parse(&layer.digest).map_err(|reason| self.no_chart(&format!("its layer: {reason}")))?;
        if let Some(bytes) = self.blobs.find(&digest) {
            return Ok((bytes, digest));
        }
        let limit = self.wire.limits().archive_bytes;
        if layer.size > limit {
            return Err(SourceError::Limit {
                url: self.artifact.to_string(),
                what: "bytes of a packed chart",
                measured: layer.size,
                limit,
            });
        }
        let answer = self.send(&Method::GET, &format!("blobs/{digest}"), "*/*", limit)?;
        if answer.status == 404 {
            return Err(self.no_chart("its manifest names a layer that the registry does not have; push it again"));
        }
        let bytes = self.success(answer)?.body;
        self.verify("the packed chart", &bytes, &digest)?;
        self.blobs.keep(&digest, &bytes);
        Ok((bytes, digest))
    }

    fn manifest(&self, digest: &Digest) -> Result<Vec<u8>, SourceError> {
        if let Some(bytes) = self.blobs.find(digest) {
            return Ok(bytes);
        }
        let answer = self.send(&Method::GET, &format!("manifests/{digest}"), MANIFEST, self.small())?;
        if answer.status == 404 {
            return Err(self.no_version(
                &digest.to_string(),
                "its manifest is not, or no longer, in the registry",
            ));
        }
        let bytes = self.success(answer)?.body;
        self.verify("the manifest", &bytes, digest)?;
        self.blobs.keep(digest, &bytes);
        Ok(bytes)
    }

    /// Asks what a version's tag names now. The manifest itself comes only when the registry does not tell its digest.
    fn manifest_digest(&self, version: &str) -> Result<Digest, SourceError> {
        let tag = version.replace('+', "_");
        if !is_tag(&tag) {
            let reason = "it is neither a version, nor a range, nor a tag, nor a digest";
            return Err(self.no_version(version, reason));
        }
        let path = format!("manifests/{tag}");
        let answer = self.send(&Method::HEAD, &path, MANIFEST, self.small())?;
        if answer.status == 404 {
            return Err(self.no_version(version, &format!("the registry has no tag {tag:?}")));
        }
        let told = answer.header("docker-content-digest");
        if let Some(Ok(digest)) = told.as_deref().filter(|_| answer.is_success()).map(Digest::parse) {
            return Ok(digest);
        }
        let answer = self.success(self.send(&Method::GET, &path, MANIFEST, self.small())?)?;
        let digest = Digest::of(&answer.body);
        self.blobs.keep(&digest, &answer.body);
        Ok(digest)
    }

    /// The layer that is the packed chart.
    fn chart_layer(&self, manifest: &[u8]) -> Result<Descriptor, SourceError> {
        let manifest: Manifest = serde_json::from_slice(manifest)
            .map_err(|error| self.no_chart(&format!("its manifest cannot be read: {error}")))?;
        if !manifest.manifests.is_empty() {
            return Err(self.no_chart("it is an index of several images, not a Helm chart"));
        }
        if manifest.config.media_type != HELM_CONFIG {
            let (found, kind) = (&manifest.config.media_type, &manifest.media_type);
            let found = [found.as_str(), kind, "not named"]
                .into_iter()
                .find(|text| !text.is_empty());
            let found = printable(found.unwrap_or_default());
            return Err(self.no_chart(&format!(
                "it is not a Helm chart: its config is {found}, not {HELM_CONFIG}"
            )));
        }
        let layer = |kind: &str| manifest.layers.iter().rfind(|layer| layer.media_type == kind);
        layer(HELM_CHART)
            .or_else(|| layer(LEGACY_CHART))
            .cloned()
            .ok_or_else(|| self.no_chart(&format!("its manifest has no layer of type {HELM_CHART}")))
    }

    /// The newest version that fits a range.
    fn newest(&self, range: &str) -> Result<String, SourceError> {
        let mut versions: Vec<(Version, String)> = Vec::new();
        for tag in self.tags()? {
            let version = tag.replace('_', "+");
            versions.extend(Version::parse(&version).map(|parsed| (parsed, version)));
        }
        versions.sort_by(|a, b| b.0.cmp(&a.0));
        let names = || versions.iter().map(|(_, version)| version.as_str());
        match version::choose(names(), range) {
            Choice::Found(index) => Ok(versions.swap_remove(index).1),
            Choice::Invalid(reason) => Err(self.no_version(range, &reason)),
            Choice::None => Err(self.no_version(range, &version::list(names(), SHOWN))),
        }
    }

    /// All tags, page by page.
    fn tags(&self) -> Result<Vec<String>, SourceError> {
        let most = self.wire.limits().tags;
        let mut found: Vec<String> = Vec::new();
        let mut path = "tags/list?n=1000".to_owned();
        for _ in 0..=most {
            let answer = self.send(&Method::GET, &path, "application/json", self.small())?;
            if answer.status == 404 {
                return Err(SourceError::ChartNotFound {
                    url: format!("oci://{}", self.artifact.registry),
                    chart: self.artifact.name.clone(),
                    reason: "the registry knows no artifact of that name, or does not show it without credentials"
                        .to_owned(),
                });
            }
            let answer = self.success(answer)?;
            let page: TagList = serde_json::from_slice(&answer.body)
                .map_err(|error| self.protocol(&format!("its list of tags cannot be read: {error}")))?;
            found.extend(page.tags.into_iter().flatten());
            if found.len() > most {
                break;
            }
            let Some(next) = answer.header("link").as_deref().and_then(next_link).map(str::to_owned) else {
                return Ok(found);
            };
            let next = self.next_page(&next)?;
            if next == path {
                return Err(self.protocol("its list of tags names itself as its next page"));
            }
            path = next;
        }
        Err(SourceError::Limit {
            url: self.artifact.to_string(),
            what: "tags or pages of tags",
            measured: u64::try_from(found.len()).unwrap_or(u64::MAX),
            limit: u64::try_from(most).unwrap_or(u64::MAX),
        })
    }

    /// A next page is of the same list, wherever the link says that it is.
    fn next_page(&self, link: &str) -> Result<String, SourceError> {
        let base = self.url("tags/list")?;
        let next = base.join(link).ok().filter(|next| next.path() == base.path());
        let query = next.as_ref().and_then(|next| next.query());
        query
            .map(|query| format!("tags/list?{query}"))
            .ok_or_else(|| self.protocol("its list of tags has a next page that is of another list"))
    }

    fn url(&self, path: &str) -> Result<Url, SourceError> {
        let text = format!("{}/v2/{}/{path}", self.origin, self.artifact.name);
        Url::parse(&text).map_err(|_| SourceError::InvalidUrl {
            url: self.artifact.to_string(),
            reason: "it makes no URL of a registry".to_owned(),
        })
    }

    /// Asks; proves who asks if the registry wants to know.
    fn send(&self, method: &Method, path: &str, accept: &str, bytes: u64) -> Result<Answer, SourceError> {
        let url = self.url(path)?;
        let ask = |authorization: Option<&SecretBytes>| {
            let ask = Ask {
                method: method.clone(),
                url: url.clone(),
                accept,
                authorization: authorization.map(|value| (value, &self.origin)),
                validators: None,
                bytes,
                what: "bytes of a registry's answer",
            };
            self.wire.send(&ask, self.access)
        };
        let known = match &self.access.login {
            Login::Bearer(_) => self.header()?,
            Login::Anonymous | Login::Basic { .. } => self.tokens.find(&self.key()),
        };
        let answer = ask(known.as_ref())?;
        // A host that a blob was redirected to gets no credentials, whatever it asks for.
        let ours = answer.host == self.origin.authority();
        if answer.status != 401 || !ours || matches!(self.access.login, Login::Bearer(_)) {
            return Ok(answer);
        }
        self.tokens.forget(&self.key());
        match self.authorize(&answer)? {
            Some(authorization) => ask(Some(&authorization)),
            None => Ok(answer),
        }
    }

    /// What the registry wants to see, as a header's value.
    fn authorize(&self, refusal: &Answer) -> Result<Option<SecretBytes>, SourceError> {
        let headers = refusal.headers.get_all("www-authenticate").iter();
        let challenges: Vec<Challenge> = headers
            .filter_map(|header| header.to_str().ok())
            .flat_map(Challenge::parse)
            .collect();
        let of = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme == scheme);
        if let Some(bearer) = of("bearer") {
            return self.token(bearer).map(Some);
        }
        match of("basic") {
            Some(_) if !self.access.may_send_to(&self.origin) => Err(self.protocol(super::CLEAR_TEXT)),
            Some(_) => self.header(),
            None => Ok(None),
        }
    }

    /// Gets a token from where the registry says. The credentials go there too: that is how registries work.
    fn token(&self, challenge: &Challenge) -> Result<SecretBytes, SourceError> {
        let realm = challenge.parameter("realm").and_then(|realm| Url::parse(realm).ok());
        let mut url = realm.ok_or_else(|| self.protocol("it asks for a token and does not say where to get one"))?;
        let origin =
            Origin::of(&url).map_err(|reason| self.protocol(&format!("where it gives out tokens: {reason}")))?;
        if self.origin.tls && !origin.tls {
            return Err(self.protocol("it gives out tokens over http://, which is refused"));
        }
        let scope = format!("repository:{}:pull", self.artifact.name);
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("scope", challenge.parameter("scope").unwrap_or(&scope));
            if let Some(service) = challenge.parameter("service") {
                query.append_pair("service", service);
            }
        }
        let header = self.header()?;
        if header.is_some() && !self.access.may_send_to(&origin) {
            return Err(self.protocol(super::CLEAR_TEXT));
        }
        let ask = Ask {
            method: Method::GET,
            url,
            accept: "application/json",
            authorization: header.as_ref().map(|value| (value, &origin)),
            validators: None,
            bytes: self.small(),
            what: "bytes of a token",
        };
        let answer = self.success(self.wire.send(&ask, self.access)?)?;
        let answer: TokenAnswer = serde_json::from_slice(&answer.body)
            .map_err(|_| self.protocol("what it gives out as a token is not JSON"))?;
        let token = SecretBytes::from(answer.token.or(answer.access_token).unwrap_or_default());
        let header = Login::Bearer(token.clone()).header().ok().flatten();
        let header = header
            .filter(|_| !token.is_empty())
            .ok_or_else(|| self.protocol("what it gives out as a token is none"))?;
        let lifetime = answer.expires_in.map_or(TOKEN_LIFETIME, Duration::from_secs);
        self.tokens.keep(self.key(), header.clone(), lifetime);
        Ok(header)
    }

    fn header(&self) -> Result<Option<SecretBytes>, SourceError> {
        self.access.login.header().map_err(|reason| self.protocol(reason))
    }

    fn key(&self) -> Key {
        (
            format!("{}/{}", self.origin, self.artifact.name),
            self.access.fingerprint(),
        )
    }

    fn small(&self) -> u64 {
        self.wire.limits().registry_bytes
    }

    fn success(&self, answer: Answer) -> Result<Answer, SourceError> {
        match answer.is_success() {
            true => Ok(answer),
            false => Err(answer.error(!self.access.login.is_anonymous())),
        }
    }

    fn verify(&self, what: &'static str, bytes: &[u8], expected: &Digest) -> Result<(), SourceError> {
        super::verify(&self.artifact.to_string(), what, bytes, expected)
    }

    fn protocol(&self, reason: &str) -> SourceError {
        SourceError::Protocol {
            url: self.artifact.to_string(),
            reason: reason.to_owned(),
        }
    }

    fn no_chart(&self, reason: &str) -> SourceError {
        SourceError::NoChart {
            url: self.artifact.to_string(),
            reason: reason.to_owned(),
        }
    }

    fn no_version(&self, version: &str, reason: &str) -> SourceError {
        SourceError::ChartVersionNotFound {
            url: format!("oci://{}", self.artifact.registry),
            chart: self.artifact.name.clone(),
            version: printable(version),
            reason: reason.to_owned(),
        }
    }
}

impl Tokens {
    fn find(&self, key: &Key) -> Option<SecretBytes> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (header, end) = known.get(key)?;
        (*end > Instant::now()).then(|| header.clone())
    }

    fn keep(&self, key: Key, header: SecretBytes, lifetime: Duration) {
        let Some(end) = Instant::now().checked_add(lifetime.saturating_sub(TOKEN_MARGIN)) else {
            return;
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_TOKENS {
            known.clear();
        }
        known.insert(key, (header, end));
    }

    fn forget(&self, key: &Key) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// The distribution specification's grammar of tags.
fn is_tag(text: &str) -> bool {
    let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128 && text.starts_with(first) && text.chars().all(|c| first(c) || matches!(c, '.' | '-'))
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
