//! What proves to a server who is asking: held in memory, bound to one host, never shown.

use std::fmt;
use std::sync::Arc;

use crate::RepoUrl;
use crate::charts::{Access, Login};

/// How to authenticate.
#[derive(Clone, PartialEq, Eq)]
enum Secret {
    /// Nothing: only the way to the host is told.
    None,
    Basic {
        user: String,
        password: String,
    },
    Bearer(String),
}

/// Credentials of one host. They are sent to no other, not even after a redirect.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    host: String,
    secret: Secret,
    clear_text: bool,
    /// Whom to trust, a client's certificate, and the way to go.
    transport: Option<Arc<Access>>,
}

impl Credentials {
    /// Everything that is known about reaching the host of `url`; `None` when that is nothing.
    pub fn of_access(url: &RepoUrl, access: Access) -> Option<Self> {
        if access == Access::default() {
            return None;
        }
        let secret = match &access.login {
            Login::Anonymous => Secret::None,
            Login::Basic { user, password } => Secret::Basic {
                user: user.clone(),
                password: password.clone(),
            },
            Login::Bearer(token) => Secret::Bearer(token.clone()),
        };
        Some(Self {
            host: url.host(),
            secret,
            clear_text: access.insecure,
            transport: Some(Arc::new(access)),
        })
    }

    /// User and password (or token) for the host of `url`.
    pub fn basic(url: &RepoUrl, user: impl Into<String>, password: impl Into<String>) -> Self {
        let secret = Secret::Basic {
            user: user.into(),
            password: password.into(),
        };
        Self {
            host: url.host(),
            secret,
            clear_text: false,
            transport: None,
        }
    }

    /// A bearer token for the host of `url`.
    pub fn bearer(url: &RepoUrl, token: impl Into<String>) -> Self {
        Self {
            host: url.host(),
            secret: Secret::Bearer(token.into()),
            clear_text: false,
            transport: None,
        }
    }

    /// Allows to send them over `http://`, where everybody on the way can read them.
    #[must_use]
    pub fn allow_clear_text(mut self) -> Self {
        self.clear_text = true;
        self
    }

    /// Are they meant for the host of `url`?
    pub(crate) fn fits(&self, url: &RepoUrl) -> bool {
        self.host == url.host()
    }

    pub(crate) fn clear_text(&self) -> bool {
        self.clear_text
    }

    /// User and password, unless it is a token for a header.
    pub(crate) fn account(&self) -> Option<gix::sec::identity::Account> {
        match &self.secret {
            Secret::Basic { user, password } => Some(gix::sec::identity::Account {
                username: user.clone(),
                password: password.clone(),
                oauth_refresh_token: None,
            }),
            Secret::Bearer(_) | Secret::None => None,
        }
    }

    /// Do they only tell the way?
    pub(crate) fn is_anonymous(&self) -> bool {
        self.secret == Secret::None
    }

    pub(crate) fn transport(&self) -> Option<&Arc<Access>> {
        self.transport.as_ref()
    }

    /// The header that carries them; `None` when they hold what no header may.
    pub(crate) fn header(&self) -> Option<String> {
        use base64::Engine as _;
        let value = match &self.secret {
            Secret::Basic { user, password } => {
                format!(
                    "Basic {}",
                    base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))
                )
            }
            Secret::Bearer(token) => format!("Bearer {token}"),
            Secret::None => return None,
        };
        value
            .bytes()
            .all(|byte| (0x20..0x7f).contains(&byte))
            .then(|| format!("Authorization: {value}"))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.secret {
            Secret::Basic { .. } => "basic",
            Secret::Bearer(_) => "bearer",
            Secret::None => "anonymous",
        };
        write!(f, "Credentials({kind} for {}, ***)", self.host)
    }
}
