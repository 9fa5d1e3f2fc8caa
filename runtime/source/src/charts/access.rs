//! How a repository of charts is reached: who asks, whom to trust, and which way to go. Held in memory, never shown.

use std::fmt;

use capstan_model::SecretBytes;
use sha2::{Digest as _, Sha256};

use crate::url::{Origin, check_host, check_text, split_port};

/// Who asks.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Login {
    /// Anybody.
    #[default]
    Anonymous,
    /// A user and a password or token.
    Basic {
        /// User.
        user: String,
        /// Password or token.
        password: SecretBytes,
    },
    /// A token alone.
    Bearer(SecretBytes),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Basic { .. } => "Basic(***)",
            Self::Bearer(_) => "Bearer(***)",
        })
    }
}

impl Login {
    /// The value of the header that carries it. `Err` when it holds what no header may hold.
    pub(crate) fn header(&self) -> Result<Option<SecretBytes>, &'static str> {
        use base64::Engine as _;
        let value = match self {
            Self::Anonymous => return Ok(None),
            Self::Basic { user, password } => {
                let pair = SecretBytes::concat(&[user.as_bytes(), b":", password.expose()]);
                let encoded = SecretBytes::from(base64::engine::general_purpose::STANDARD.encode(pair.expose()));
                SecretBytes::concat(&[b"Basic ", encoded.expose()])
            }
            Self::Bearer(token) => SecretBytes::concat(&[b"Bearer ", token.expose()]),
        };
        if value.expose().iter().all(|byte| (0x20..0x7f).contains(byte)) {
            Ok(Some(value))
        } else {
            Err("the credentials hold characters that no HTTP header may hold")
        }
    }

    pub(crate) fn is_anonymous(&self) -> bool {
        *self == Self::Anonymous
    }
}

/// A certificate and its key, PEM, by which we show who we are.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Certificate chain, PEM.
    pub certificate: String,
    /// Private key, PEM.
    pub key: SecretBytes,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate(***)")
    }
}

/// A proxy on the way, `http://` or `https://`.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// It may hold a password.
    url: SecretBytes,
    except: String,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxy(***)")
    }
}

impl Proxy {
    /// `except` lists hosts, separated by commas, that are reached directly.
    ///
    /// # Errors
    /// What a proxy's URL has to look like; nothing of it is repeated.
    pub fn new(url: &str, except: &str) -> Result<Self, &'static str> {
        let text = check_text(url).map_err(|_| "the proxy's URL is empty, too long or holds white space")?;
        let (scheme, rest) = text
            .split_once("://")
            .ok_or("the proxy's URL begins with http:// or https://")?;
        if !matches!(scheme, "http" | "https") {
            return Err("the proxy's URL begins with http:// or https://");
        }
        let authority = rest.trim_end_matches('/');
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        if host.contains(['/', '?', '#']) {
            return Err("the proxy's URL has no path and no query");
        }
        let (host, _) = split_port(host)?;
        check_host(&host)?;
        Ok(Self {
            url: SecretBytes::from(text),
            except: except.to_owned(),
        })
    }

    pub(crate) fn url(&self) -> &SecretBytes {
        &self.url
    }

    pub(crate) fn except(&self) -> &str {
        &self.except
    }
}

/// Everything about reaching one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Who asks. Sent to the repository's scheme, host and port only, and to where its registry says that tokens are given out.
    pub login: Login,
    /// Certificate authorities that are trusted as well as the system's, PEM.
    pub authorities: String,
    /// How we show who we are.
    pub client_certificate: Option<ClientCertificate>,
    /// Take any certificate, and send credentials over `http://`.
    pub insecure: bool,
    /// A registry is spoken to without TLS.
    pub plain_http: bool,
    /// Send the credentials also to other hosts that the index names for its charts.
    pub pass_credentials: bool,
    /// A proxy on the way.
    pub proxy: Option<Proxy>,
}

impl Access {
    /// May the credentials travel to `origin`? Over TLS, to this machine, or where a person said that it does not matter.
    pub(crate) fn may_send_to(&self, origin: &Origin) -> bool {
        origin.tls || origin.is_loopback() || self.insecure || self.plain_http
    }

    /// Two that are equal see the same answers. Not reversible: it is a key of caches.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let login = self.login.header().ok().flatten();
        self.hash([
            format!("{}{}", self.plain_http, self.pass_credentials).as_bytes(),
            login.as_ref().map(SecretBytes::expose).unwrap_or_default(),
        ])
    }

    /// Two that are equal can share connections.
    pub(crate) fn transport(&self) -> [u8; 32] {
        self.hash([b"", b""])
    }

    fn hash(&self, more: [&[u8]; 2]) -> [u8; 32] {
        let none: (&[u8], &[u8]) = (b"", b"");
        let (certificate, key) = self
            .client_certificate
            .as_ref()
            .map_or(none, |client| (client.certificate.as_bytes(), client.key.expose()));
        let (proxy, except) = self
            .proxy
            .as_ref()
            .map_or(none, |proxy| (proxy.url.expose(), proxy.except.as_bytes()));
        let insecure: &[u8] = if self.insecure { b"insecure" } else { b"" };
        let mut hash = Sha256::new();
        let parts = [self.authorities.as_bytes(), certificate, key, proxy, except, insecure];
        for part in parts.into_iter().chain(more) {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_a_secret() {
        let access = Access {
            login: Login::Basic {
                user: "ada".into(),
                password: "hunter2".into(),
            },
            client_certificate: Some(ClientCertificate {
                certificate: "hunter2".into(),
                key: "hunter2".into(),
            }),
            proxy: Some(Proxy::new("http://ada:hunter2@proxy.example:3128", "").unwrap()),
            ..Access::default()
        };
        assert!(!format!("{access:?}").contains("hunter2"));
        let other = Access {
            login: Login::Bearer("hunter2".into()),
            ..access.clone()
        };
        assert!(!format!("{other:?}").contains("hunter2"));
        assert_ne!(access.fingerprint(), other.fingerprint());
        assert_eq!(access.transport(), other.transport());
    }

    #[test]
    fn credentials_travel_encrypted_or_not_far() {
        let origin = |tls, host: &str| Origin::new(tls, host.to_owned(), None);
        let access = Access::default();
        assert!(access.may_send_to(&origin(true, "example.com")));
        assert!(access.may_send_to(&origin(false, "127.0.0.1")));
        assert!(access.may_send_to(&origin(false, "[::1]")));
        assert!(!access.may_send_to(&origin(false, "example.com")));
        assert!(!access.may_send_to(&origin(false, "10.0.0.1")));
        let insecure = Access {
            insecure: true,
            ..Access::default()
        };
        assert!(insecure.may_send_to(&origin(false, "example.com")));
    }

    #[test]
    fn proxies_are_checked() {
        for bad in [
            "",
            "proxy:3128",
            "socks5://proxy:1080",
            "http://169.254.169.254",
            "http://p/x",
            "ext::sh",
        ] {
            assert!(Proxy::new(bad, "").is_err(), "{bad}");
        }
    }
}
