//! As whom a cluster is written to.
//!
//! **Problem.** A request that impersonates nobody is a request with the controller's own rights. So an account that was left empty, is
//! blank, or is anything else than an account must never become "nobody": it would give the most rights to those who said the least.
//!
//! **Invariants.** An [`Identity`] is the controller's own, asked for by that name, or a service account whose namespace and name are what
//! Kubernetes lets them be. There is no empty one, no default, and no way from text to the controller's own.
//!
//! **Deliberately absent.** Users and groups: Argo CD impersonates service accounts only, and the API server knows which groups those have.

use std::fmt;

/// What users of service accounts are called before their namespace and name.
const PREFIX: &str = "system:serviceaccount:";
/// Longest name of a namespace.
const LONGEST_LABEL: usize = 63;
/// Longest name of a service account.
const LONGEST_SUBDOMAIN: usize = 253;

/// As whom something is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// The controller's own.
    Controller,
    /// A service account of the cluster that is written to.
    ServiceAccount(ServiceAccount),
}

/// A service account. There is none without a namespace or without a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceAccount {
    namespace: String,
    name: String,
}

/// No service account is called so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdentity {
    /// Its name is empty, or nothing but blanks.
    #[error("the name of the service account is empty")]
    NoName,
    /// Its namespace is.
    #[error("the namespace of the service account is empty")]
    NoNamespace,
    /// Its name cannot be one.
    #[error(
        "{0:?} cannot be the name of a service account: lower-case letters, digits, - and . only, such as deployer or team-a:deployer"
    )]
    Name(String),
    /// Its namespace cannot be one.
    #[error("{0:?} cannot be the namespace of a service account: lower-case letters, digits and - only")]
    Namespace(String),
}

impl ServiceAccount {
    /// The account `name` in `namespace`.
    pub fn new(namespace: &str, name: &str) -> Result<Self, InvalidIdentity> {
        if namespace.trim().is_empty() {
            return Err(InvalidIdentity::NoNamespace);
        }
        if name.trim().is_empty() {
            return Err(InvalidIdentity::NoName);
        }
        if namespace.len() > LONGEST_LABEL || !is_label(namespace) {
            return Err(InvalidIdentity::Namespace(namespace.to_owned()));
        }
        if name.len() > LONGEST_SUBDOMAIN || !name.split('.').all(is_label) {
            return Err(InvalidIdentity::Name(name.to_owned()));
        }
        Ok(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }

    /// As an AppProject writes it: `NAME`, which is in `namespace`, or `NAMESPACE:NAME`.
    pub fn parse(text: &str, namespace: &str) -> Result<Self, InvalidIdentity> {
        match text.split_once(':') {
            Some((namespace, name)) => Self::new(namespace, name),
            None if text.trim().is_empty() => Err(InvalidIdentity::NoName),
            None => Self::new(namespace, text),
        }
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The user that Kubernetes knows it by.
impl fmt::Display for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}:{}", self.namespace, self.name)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Controller => f.write_str("the controller"),
            Self::ServiceAccount(account) => account.fmt(f),
        }
    }
}

/// A DNS label, but for its length.
fn is_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(is_inner) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_where_it_is_written() {
        let user = |text: &str| ServiceAccount::parse(text, "shop").map(|account| account.to_string());
        assert_eq!(user("deployer"), Ok("system:serviceaccount:shop:deployer".into()));
        assert_eq!(
            user("team-a:deployer"),
            Ok("system:serviceaccount:team-a:deployer".into())
        );
        assert_eq!(user("ci.deployer"), Ok("system:serviceaccount:shop:ci.deployer".into()));
    }

    #[test]
    fn nothing_empty_and_nothing_odd_is_an_account() {
        let long = "x".repeat(64);
        let cases = [
            "",
            " ",
            "\t",
            "\u{a0}",
            ":",
            "a:",
            ":a",
            " :a",
            "a: ",
            "a:b:c",
            "a/b",
            "*",
            "!a",
            "{a,b}",
            "[a]",
            "a\\b",
            "a\nb",
            "a\r\nImpersonate-User: b",
            "a\0",
            "A",
            "ä",
            " a",
            "a ",
            "-a",
            "a-",
            ".",
            "a..b",
            "a.",
            ".a",
            "system:masters:x",
            "system:serviceaccount:shop:deployer",
            "a.b:c",
            &format!("{long}:a"),
            &format!("a:{}", "x".repeat(254)),
        ];
        for text in cases {
            assert!(ServiceAccount::parse(text, "shop").is_err(), "{text:?}");
        }
        for namespace in ["", " ", "\u{200b}", "a.b", "a:b", "A", &long] {
            assert!(ServiceAccount::parse("deployer", namespace).is_err(), "{namespace:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let refused = |text: &str| ServiceAccount::parse(text, "shop").map_err(|error| error.to_string());
        assert_eq!(refused(" "), Err("the name of the service account is empty".into()));
        assert_eq!(
            refused(":a"),
            Err("the namespace of the service account is empty".into())
        );
        let why = refused("a\nb").expect_err("no account");
        assert!(why.starts_with(r#""a\nb" cannot be the name"#), "{why}");
    }
}
