//! What the schemas of one render may cost, all of its charts together: a chart can stand under a thousand names, and each asks again.
//!
//! Steps are time, bytes are memory, as far as both can be foreseen: a step is about the time it takes to hold a small value against a
//! small schema, and bytes are counted once and never given back. What a schema costs to read and to compile is paid by every render
//! that uses it, whether it is kept from another one or not: what is kept changes nothing but time.

/// Steps of reading and compiling schemas, and of holding values against them.
const STEPS: u64 = 20_000_000;
/// Bytes of schemas, patterns, values and messages.
const BYTES: u64 = 128 << 20;
/// Schemas that lead to each other.
pub(super) const DEPTH: usize = 5_000;

/// What is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: the limit is {}", self.what(), self.limit())]
pub(super) enum Exceeded {
    Steps,
    Bytes,
    Depth,
}

impl Exceeded {
    /// What is limited.
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Steps => "steps of checking values against schemas in one render",
            Self::Bytes => "bytes of schemas, and of what they say about values, in one render",
            Self::Depth => "schemas that lead to each other",
        }
    }

    pub(super) const fn limit(self) -> u64 {
        match self {
            Self::Steps => STEPS,
            Self::Bytes => BYTES,
            Self::Depth => DEPTH as u64,
        }
    }
}

/// Why a schema is not used.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Refused {
    /// What Helm says about it.
    #[error("{0}")]
    Because(String),
    #[error(transparent)]
    Limit(#[from] Exceeded),
}

impl From<String> for Refused {
    fn from(reason: String) -> Self {
        Self::Because(reason)
    }
}

/// What is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    steps: u64,
    bytes: u64,
}

impl Budget {
    /// That of a render.
    pub(super) const FULL: Self = Self {
        steps: STEPS,
        bytes: BYTES,
    };
    /// For the meta schemas, which are ours.
    pub(super) const ENDLESS: Self = Self {
        steps: u64::MAX,
        bytes: u64::MAX,
    };

    /// Pays for time.
    pub(super) fn spend(&mut self, steps: u64) -> Result<(), Exceeded> {
        self.steps = self.steps.checked_sub(steps).ok_or(Exceeded::Steps)?;
        Ok(())
    }

    /// Pays for memory.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Exceeded> {
        self.bytes = self.bytes.checked_sub(bytes as u64).ok_or(Exceeded::Bytes)?;
        Ok(())
    }

    /// What was used, if so much is left now.
    pub(super) const fn used(self, left: Self) -> Self {
        Self {
            steps: self.steps - left.steps,
            bytes: self.bytes - left.bytes,
        }
    }

    /// Pays what something cost elsewhere.
    pub(super) fn pay(&mut self, cost: Self) -> Result<(), Exceeded> {
        self.steps = self.steps.checked_sub(cost.steps).ok_or(Exceeded::Steps)?;
        self.bytes = self.bytes.checked_sub(cost.bytes).ok_or(Exceeded::Bytes)?;
        Ok(())
    }
}
