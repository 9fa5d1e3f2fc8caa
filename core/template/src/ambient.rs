//! The clock and the randomness of a render: three policies.
//!
//! * **stable** ([`Ambient::frozen`]): a clock that stands still and randomness that is a function of a key, so that two renders of one
//!   input are equal to the byte, passwords and certificates included.
//! * **helm** ([`Ambient::live`]): the caller's clock and randomness, as `helm template` has them.
//! * **forbid** ([`Ambient::forbidden`]): a template that asks for either fails, naming the function and the place.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::value::{Time, Value};

/// Where random bytes come from.
pub trait Random {
    /// Fills a buffer for a function called while `template` (the file being rendered) is executed.
    ///
    /// # Errors
    /// Why randomness is refused.
    fn fill(&mut self, template: &str, bytes: &mut [u8]) -> Result<(), String>;
}

/// Randomness that is the same for the same key, template and call: two renders of one input are equal.
///
/// Every block is an HMAC of the template's name, the number of the call within that template, and the number of the block, so that
/// nobody who sees some of the output can tell the rest.
pub struct KeyedRandom {
    key: Vec<u8>,
    calls: BTreeMap<String, u64>,
}

impl KeyedRandom {
    /// A generator for one render; the key should cover a secret, the application and the chart's digest.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self {
            key: key.to_vec(),
            calls: BTreeMap::new(),
        }
    }
}

impl Random for KeyedRandom {
    fn fill(&mut self, template: &str, bytes: &mut [u8]) -> Result<(), String> {
        let call = self.calls.entry(template.to_owned()).or_default();
        *call += 1;
        for (block, chunk) in (0u64..).zip(bytes.chunks_mut(32)) {
            let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).map_err(|error| error.to_string())?;
            mac.update(&(template.len() as u64).to_be_bytes());
            mac.update(template.as_bytes());
            mac.update(&call.to_be_bytes());
            mac.update(&block.to_be_bytes());
            chunk.copy_from_slice(&mac.finalize().into_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// Randomness that is not there.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForbiddenRandom;

impl Random for ForbiddenRandom {
    fn fill(&mut self, _template: &str, _bytes: &mut [u8]) -> Result<(), String> {
        Err(
            "draws random bytes, which this application forbids (determinism: forbid); give the result as a value"
                .to_owned(),
        )
    }
}

/// What `now` and the dates relative to it see.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// A time that does not pass while templates are rendered.
    Frozen(Time),
    /// Asking for the time is an error.
    Forbidden,
}

/// Answers `lookup`: API version, kind, namespace, name.
pub type Lookup = Box<dyn FnMut(&str, &str, &str, &str) -> Result<Value, String>>;

/// What the impure functions see.
pub struct Ambient {
    /// What `now` returns.
    pub clock: Clock,
    /// What `rand*`, `gen*`, `uuidv4`, `shuffle` and the salts of password hashes draw from.
    pub random: Box<dyn Random>,
    /// What `lookup` asks; without it, `lookup` returns an empty map, as `helm template` does.
    pub lookup: Option<Lookup>,
}

impl Ambient {
    /// A frozen clock and keyed randomness.
    ///
    /// `now` is in seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn frozen(now: i64, key: &[u8]) -> Self {
        Self::live(now, Box::new(KeyedRandom::new(key)))
    }

    /// The caller's time, in seconds since 1970-01-01T00:00:00Z, and the caller's randomness.
    #[must_use]
    pub fn live(now: i64, random: Box<dyn Random>) -> Self {
        Self {
            clock: Clock::Frozen(crate::time::from_unix(now)),
            random,
            lookup: None,
        }
    }

    /// Neither a clock nor randomness: what would need them fails.
    #[must_use]
    pub fn forbidden() -> Self {
        Self {
            clock: Clock::Forbidden,
            random: Box::new(ForbiddenRandom),
            lookup: None,
        }
    }
}
