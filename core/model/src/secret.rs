//! What nobody may see.
//!
//! **Problem.** A password that is a text ends up where texts go: into a log by `{:?}` of something that holds it, into an error, into JSON.
//! A filter at each of these places is forgotten at the next one.
//!
//! **Invariants.** [`SecretBytes`] has no `Debug`, no `Display` and no `Serialize`: what holds one does not derive them either, and says by hand
//! what of it may be shown. It is overwritten when its last holder lets it go. To look at it takes [`SecretBytes::expose`], by which the
//! few places that do are found.
//!
//! **Deliberately absent.** Copies that others make: what a TLS or HTTP library is given is theirs.

use std::sync::Arc;

use secrecy::zeroize::Zeroize as _;
use secrecy::{ExposeSecret as _, SecretBox};

/// A password, a token, a key. Cloning shares it.
///
/// ```compile_fail
/// format!("{:?}", capstan_model::SecretBytes::from("hunter2"));
/// ```
/// ```compile_fail
/// format!("{}", capstan_model::SecretBytes::from("hunter2"));
/// ```
/// ```compile_fail
/// serde_json::to_string(&capstan_model::SecretBytes::from("hunter2"));
/// ```
#[derive(Clone)]
pub struct SecretBytes(Arc<SecretBox<[u8]>>);

impl SecretBytes {
    /// Takes the bytes over, and overwrites where they were.
    #[must_use]
    pub fn new(mut bytes: Vec<u8>) -> Self {
        let secret = Self(Arc::new(SecretBox::new(bytes.as_slice().into())));
        bytes.zeroize();
        secret
    }

    /// One after the other.
    #[must_use]
    pub fn concat(parts: &[&[u8]]) -> Self {
        // As long as it will be: what grows leaves copies behind.
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            bytes.extend_from_slice(part);
        }
        Self::new(bytes)
    }

    /// What it is: for whoever it is meant for.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The same as a text; `None` when it is none.
    #[must_use]
    pub fn expose_text(&self) -> Option<&str> {
        std::str::from_utf8(self.expose()).ok()
    }

    /// Is there nothing of it?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl From<String> for SecretBytes {
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

impl From<&str> for SecretBytes {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes().to_vec())
    }
}

/// Takes as long wherever they differ.
impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.expose(), other.expose());
        let difference = ours.iter().zip(theirs).fold(0, |sum, (a, b)| sum | (a ^ b));
        ours.len() == theirs.len() && difference == 0
    }
}

impl Eq for SecretBytes {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_compared_whole() {
        let secret = |text: &str| SecretBytes::from(text);
        assert!(secret("hunter2") == secret("hunter2"));
        for other in ["", "hunter", "hunter3", "Hunter2", "hunter22"] {
            assert!(secret("hunter2") != secret(other), "{other}");
        }
        assert!(SecretBytes::concat(&[b"hun", b"", b"ter2"]) == secret("hunter2"));
        assert_eq!(SecretBytes::new(vec![0xff]).expose_text(), None);
    }
}
