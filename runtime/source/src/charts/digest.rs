//! SHA-256 of bytes, in OCI's spelling.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::INVALID_DIGEST;

/// `sha256:` and 64 hex digits in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let hash = Sha256::digest(bytes);
        let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(digits)
    }

    /// Reads `sha256:…` or the bare digits, as indexes of Helm repositories have them.
    ///
    /// # Errors
    /// What a digest has to look like.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let digits = text.trim();
        let digits = digits.strip_prefix("sha256:").unwrap_or(digits);
        let hex = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex.then(|| Self(digits.to_ascii_lowercase())).ok_or(INVALID_DIGEST)
    }

    /// The 64 digits alone.
    pub fn hex(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        let empty = Digest::of(b"");
        assert_eq!(
            empty.to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(Digest::parse(&empty.hex().to_uppercase()), Ok(empty.clone()));
        assert_eq!(Digest::parse(&empty.to_string()), Ok(empty));
        for bad in [
            "",
            "sha256:",
            "sha512:00",
            "sha256:zz",
            &"a".repeat(63),
            &"ü".repeat(32),
        ] {
            assert_eq!(Digest::parse(bad), Err(INVALID_DIGEST), "{bad}");
        }
    }
}
