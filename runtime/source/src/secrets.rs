//! Argo CD's Secrets about repositories: how each is reached, and the names by which charts call them.
//!
//! `argocd.argoproj.io/secret-type: repository` is about one URL, `repo-creds` about all URLs below one. What a repository's own Secret
//! leaves open comes from the longest fitting template, as in Argo CD. One difference, on purpose: a template fits whole path segments
//! only, so that `https://host/acme` says nothing about `https://host/acme-evil`.
//!
//! A Secret that cannot be understood is not taken for none: whoever needs it is told its name, the key and what is wrong, never a value.
//!
//! Deliberately absent: Secrets of one project only (they are not used at all), SSH keys, GitHub Apps, Google's and Azure's identities.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use capstan_model::{SecretBytes, repository_url};
use serde_json::Value;

use crate::charts::{Access, ChartRepository, ClientCertificate, Login, Proxy};
use crate::{Credentials, RepoUrl, SourceError};

/// The label that makes a Secret one about repositories.
pub const SECRET_TYPE_LABEL: &str = "argocd.argoproj.io/secret-type";

/// Argo CD's ConfigMap of certificate authorities.
pub const AUTHORITIES_MAP: &str = "argocd-tls-certs-cm";

/// Keys of ways to log in that are not supported.
const UNSUPPORTED: [&str; 6] = [
    "sshPrivateKey",
    "githubAppPrivateKey",
    "githubAppID",
    "gcpServiceAccountKey",
    "useAzureWorkloadIdentity",
    "azureServicePrincipalClientId",
];

/// All Secrets about repositories, by their names.
#[derive(Clone, Debug, Default)]
pub struct RepositorySecrets {
    secrets: BTreeMap<String, Secret>,
    /// By host name: certificate authorities, PEM.
    authorities: BTreeMap<String, String>,
}

#[derive(Clone)]
struct Secret {
    is_template: bool,
    /// As compared: see [`normalize`].
    url: String,
    /// As written.
    written: String,
    /// `data.name`.
    name: String,
    is_registry: bool,
    /// Its URL begins with `http://` or `https://`.
    has_scheme: bool,
    content: Result<Access, String>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("content", &self.content)
            .finish_non_exhaustive()
    }
}

/// How a repository of charts is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartSource {
    /// Where it is; a registry also when only its Secret says that it is one.
    pub repository: ChartRepository,
    /// Who asks, and how.
    pub access: Access,
}

impl RepositorySecrets {
    /// Takes a Secret in, in place of the one of the same name. What is wrong with it is returned for the log, and remembered for those
    /// who will need it.
    ///
    /// # Errors
    /// The key that is wrong and why, without any value.
    pub fn insert(&mut self, secret: &Value) -> Result<(), String> {
        let name = text_at(secret, "/metadata/name");
        let kind = secret
            .pointer("/metadata/labels")
            .and_then(|labels| labels.get(SECRET_TYPE_LABEL))
            .and_then(Value::as_str);
        let is_template = match kind {
            Some("repository") => false,
            Some("repo-creds") => true,
            _ => {
                self.secrets.remove(&name);
                return Ok(());
            }
        };
        let Some(parsed) = Secret::read(secret, is_template)? else {
            self.secrets.remove(&name);
            return Err("it is of one project only (key project), which is not supported: it is not used".to_owned());
        };
        let problem = parsed.content.as_ref().err().cloned();
        self.secrets.insert(name, parsed);
        problem.map_or(Ok(()), Err)
    }

    /// All Secrets are listed anew: what was known of them goes, the authorities stay.
    pub fn clear(&mut self) {
        self.secrets.clear();
    }

    /// The Secret of this name is gone.
    pub fn remove(&mut self, name: &str) {
        self.secrets.remove(name);
    }

    /// Takes the ConfigMap [`AUTHORITIES_MAP`]: certificate authorities by host name.
    pub fn set_authorities(&mut self, map: Option<&Value>) {
        let data = map.and_then(|map| map.get("data")).and_then(Value::as_object);
        let entries = data.into_iter().flatten();
        let entries = entries.filter_map(|(host, pem)| Some((host.to_lowercase(), pem.as_str()?.to_owned())));
        self.authorities = entries.collect();
    }

    /// Credentials of a Git repository.
    ///
    /// # Errors
    /// [`SourceError::Secret`] when its Secret cannot be understood.
    pub fn git(&self, url: &RepoUrl) -> Result<Option<Credentials>, SourceError> {
        Ok(Credentials::of_access(url, self.access(&url.to_string())?))
    }

    /// Where a chart of `repo_url` is, and how it is reached. `chart` is its name below the URL; empty when the URL names it.
    ///
    /// # Errors
    /// Those of the URL's grammar, and [`SourceError::Secret`].
    pub fn charts(&self, repo_url: &str, chart: &str) -> Result<ChartSource, SourceError> {
        let mut repository = ChartRepository::parse(repo_url)?;
        let as_registry = repository.as_registry();
        // `https://host/name` whose own Secret says that it is a registry.
        let converted = self
            .own(&as_registry.to_string())
            .filter(|secret| secret.is_registry && secret.has_scheme && !repository.is_registry());
        if converted.is_some() {
            repository = as_registry;
        }
        let own = converted.or_else(|| self.own(&repository.to_string()));
        let whole = match (repository.is_registry(), chart) {
            (true, chart) if !chart.is_empty() => format!("{repository}/{chart}"),
            _ => repository.to_string(),
        };
        let access = match own {
            Some(_) => self.access(&repository.to_string())?,
            None => self.access(&whole)?,
        };
        Ok(ChartSource { repository, access })
    }

    /// The URL of the repository that charts call `@name` or `alias:name`.
    pub fn named(&self, name: &str) -> Option<&str> {
        let mut found = self
            .secrets
            .values()
            .filter(|secret| !secret.is_template && secret.name == name);
        found.next().map(|secret| secret.written.as_str())
    }

    fn own(&self, url: &str) -> Option<&Secret> {
        let url = normalize(url);
        self.secrets
            .values()
            .find(|secret| !secret.is_template && secret.url == url)
    }

    /// What is known about a URL.
    fn access(&self, url: &str) -> Result<Access, SourceError> {
        let mut access = self.of_secrets(url)?;
        let authority = without_scheme(url).split('/').next().unwrap_or_default();
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        if let Some(pem) = self.authorities.get(&host.to_lowercase()) {
            access.authorities.clone_from(pem);
        }
        Ok(access)
    }

    /// The own Secret's, filled from the template that fits best.
    fn of_secrets(&self, url: &str) -> Result<Access, SourceError> {
        let own = self.own(url);
        let wanted = normalize(url);
        let is_registry = wanted.starts_with(REGISTRY);
        let template = self
            .secrets
            .iter()
            // A registry's own Secret is about all that is below its URL, since charts are.
            .filter(|(_, secret)| secret.is_template || (is_registry && own.is_none()))
            .filter(|(_, secret)| is_below(&wanted, &secret.url))
            .max_by_key(|(_, secret)| (secret.url.len(), secret.is_template));
        let content = |secret: &Secret| {
            secret.content.clone().map_err(|reason| SourceError::Secret {
                url: url.to_owned(),
                reason,
            })
        };
        let template = match template {
            Some((_, secret)) => content(secret)?,
            None => Access::default(),
        };
        let Some(own) = own.map(content).transpose()? else {
            return Ok(template);
        };
        if !own.login.is_anonymous() || own.client_certificate.is_some() {
            return Ok(own);
        }
        Ok(Access {
            login: template.login,
            client_certificate: template.client_certificate,
            plain_http: own.plain_http || template.plain_http,
            proxy: own.proxy.or(template.proxy),
            ..own
        })
    }
}

impl Secret {
    /// `None` for one that is of a project.
    fn read(secret: &Value, is_template: bool) -> Result<Option<Self>, String> {
        let fields = Fields { secret };
        if !fields.text("project")?.is_empty() {
            return Ok(None);
        }
        let written = fields.text("url")?;
        if written.is_empty() {
            return Err("key url: it is missing".to_owned());
        }
        let kind = fields.text("type")?;
        let is_registry = kind == "oci" || fields.flag("enableOCI").unwrap_or_default();
        let written_lower = written.trim().to_lowercase();
        let mut url = normalize(&written);
        if is_registry {
            url = format!("{REGISTRY}{}", without_scheme(&url));
        }
        let secret_name = text_at(secret, "/metadata/name");
        let content = fields
            .access()
            .map_err(|reason| format!("the Secret {secret_name} is about it and cannot be used: {reason}"));
        Ok(Some(Self {
            is_template,
            url,
            written: match is_registry && !written.starts_with(REGISTRY) {
                true => format!("{REGISTRY}{}", without_scheme(written.trim())),
                false => written,
            },
            has_scheme: written_lower.starts_with("http"),
            name: fields.text("name").unwrap_or_default(),
            is_registry,
            content,
        }))
    }
}

/// `data` of a Secret.
struct Fields<'a> {
    secret: &'a Value,
}

impl Fields<'_> {
    fn access(&self) -> Result<Access, String> {
        let (user, password) = (self.text("username")?, self.secret("password")?);
        let token = self.secret("bearerToken")?;
        let login = match (user.is_empty() && password.is_empty(), token.is_empty()) {
            (false, _) => Login::Basic { user, password },
            (true, false) => Login::Bearer(token),
            (true, true) => Login::Anonymous,
        };
        if login.is_anonymous()
            && let Some(key) = UNSUPPORTED.into_iter().find(|key| self.is_set(key))
        {
            return Err(format!(
                "key {key}: this way to log in is not supported; use username and password"
            ));
        }
        let (certificate, key) = (self.text("tlsClientCertData")?, self.secret("tlsClientCertKey")?);
        let client_certificate = match (certificate.is_empty(), key.is_empty()) {
            (true, true) => None,
            (false, false) => Some(ClientCertificate { certificate, key }),
            _ => return Err("keys tlsClientCertData and tlsClientCertKey: both or none are needed".to_owned()),
        };
        let proxy = self.secret("proxy")?;
        let proxy = match proxy.expose_text().unwrap_or_default() {
            "" => None,
            url => {
                let proxy = Proxy::new(url, &self.text("noProxy")?);
                Some(proxy.map_err(|reason| format!("key proxy: {reason}"))?)
            }
        };
        // Whether Basic is sent unasked: it is, as `forceHttpBasicAuth` wants it.
        self.flag("forceHttpBasicAuth")?;
        Ok(Access {
            login,
            authorities: String::new(),
            client_certificate,
            insecure: self.flag("insecure")?,
            plain_http: self.flag("insecureOCIForceHttp")?,
            pass_credentials: false,
            proxy,
        })
    }

    fn is_set(&self, key: &str) -> bool {
        self.secret(key)
            .is_ok_and(|secret| !matches!(secret.expose(), b"" | b"0" | b"false"))
    }

    /// What may be shown.
    fn text(&self, key: &str) -> Result<String, String> {
        let text = self.secret(key)?;
        Ok(text.expose_text().unwrap_or_default().to_owned())
    }

    /// What may not. A text: nothing else is a password or a key.
    fn secret(&self, key: &str) -> Result<SecretBytes, String> {
        match self.secret.get("data").and_then(|data| data.get(key)) {
            None | Some(Value::Null) => Ok(SecretBytes::from("")),
            Some(Value::String(encoded)) => {
                let bytes = base64::engine::general_purpose::STANDARD.decode(encoded);
                let secret = SecretBytes::new(bytes.map_err(|_| format!("key {key}: it is not base64"))?);
                match secret.expose_text() {
                    Some(_) => Ok(secret),
                    None => Err(format!("key {key}: it is not UTF-8")),
                }
            }
            Some(_) => Err(format!("key {key}: it is not a text")),
        }
    }

    fn flag(&self, key: &str) -> Result<bool, String> {
        // As Go's strconv.ParseBool, by which Argo CD reads it.
        match self.text(key)?.as_str() {
            "" | "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
            _ => Err(format!("key {key}: write true or false")),
        }
    }
}

const REGISTRY: &str = "oci://";

/// URLs are compared however they are written ([`repository_url`]). One without a scheme is a registry's.
fn normalize(url: &str) -> String {
    let url = repository_url(url);
    match url.contains("://") || url.contains('@') || url.starts_with('/') {
        true => url,
        false => format!("{REGISTRY}{url}"),
    }
}

fn without_scheme(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

/// Is `url` the same as `prefix`, or below it?
fn is_below(url: &str, prefix: &str) -> bool {
    url.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'))
}

fn text_at(object: &Value, pointer: &str) -> String {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests;
