//! What proves to a server who is asking: held in memory, bound to one host, never shown.

use std::fmt;
use std::sync::Arc;

use capstan_model::SecretBytes;

use crate::RepoUrl;
use crate::charts::{Access, Login};

/// Credentials of one host. They are sent to no other, not even after a redirect.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    host: String,
    login: Login,
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
        Some(Self {
            host: url.host(),
            login: access.login.clone(),
            clear_text: access.insecure,
            transport: Some(Arc::new(access)),
        })
    }

    /// User and password (or token) for the host of `url`.
    pub fn basic(url: &RepoUrl, user: impl Into<String>, password: impl Into<SecretBytes>) -> Self {
        Self {
            host: url.host(),
            login: Login::Basic {
                user: user.into(),
                password: password.into(),
            },
            clear_text: false,
            transport: None,
        }
    }

    /// A bearer token for the host of `url`.
    pub fn bearer(url: &RepoUrl, token: impl Into<SecretBytes>) -> Self {
        Self {
            host: url.host(),
            login: Login::Bearer(token.into()),
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
        match &self.login {
            Login::Basic { user, password } => Some(gix::sec::identity::Account {
                username: user.clone(),
                password: password.expose_text()?.to_owned(),
                oauth_refresh_token: None,
            }),
            Login::Bearer(_) | Login::Anonymous => None,
        }
    }

    /// Do they only tell the way?
    pub(crate) fn is_anonymous(&self) -> bool {
        self.login.is_anonymous()
    }

    pub(crate) fn transport(&self) -> Option<&Arc<Access>> {
        self.transport.as_ref()
    }

    /// The header that carries them; `None` when they hold what no header may.
    pub(crate) fn header(&self) -> Option<SecretBytes> {
        let value = self.login.header().ok().flatten()?;
        Some(SecretBytes::concat(&[b"Authorization: ", value.expose()]))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.login {
            Login::Basic { .. } => "basic",
            Login::Bearer(_) => "bearer",
            Login::Anonymous => "anonymous",
        };
        write!(f, "Credentials({kind} for {}, ***)", self.host)
    }
}
