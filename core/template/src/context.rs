//! What surrounds an execution: its limits, the clock and randomness it may see, and the counters that stop it.

use std::collections::BTreeMap;

use crate::error::{ExecError, Limit};
use crate::value::{Time, Value, WatchedMap};

/// What a render may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Steps: one for an evaluated node, one for 16 bytes and four for an item that a function makes or walks.
    pub fuel: u64,
    /// Bytes of one template's output, and of any one string a function makes.
    pub output: usize,
    /// Templates that are being executed at a time (`include`, `template` and `tpl` together).
    pub depth: usize,
    /// Levels of values in values that are printed, copied, compared or encoded.
    pub nesting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 20_000_000,
            output: 32 << 20,
            depth: 2000,
            nesting: 500,
        }
    }
}

/// Where random bytes come from.
pub trait Random {
    /// Fills a buffer for a function called while `template` (the file being rendered) is executed.
    ///
    /// # Errors
    /// Why randomness is refused.
    fn fill(&mut self, template: &str, bytes: &mut [u8]) -> Result<(), String>;
}

/// Randomness that is the same for the same key, template and call: two renders of one input are equal.
pub struct KeyedRandom {
    key: Vec<u8>,
    calls: BTreeMap<String, u64>,
}

impl KeyedRandom {
    /// A generator for one render; the key should cover a secret, the application and the chart.
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
        use sha2::{Digest, Sha256};
        let call = self.calls.entry(template.to_owned()).or_default();
        *call += 1;
        for (block, chunk) in (0u64..).zip(bytes.chunks_mut(32)) {
            let mut hash = Sha256::new();
            for part in [self.key.as_slice(), template.as_bytes()] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
            hash.update(call.to_be_bytes());
            hash.update(block.to_be_bytes());
            chunk.copy_from_slice(&hash.finalize()[..chunk.len()]);
        }
        Ok(())
    }
}

/// Answers `lookup`: API version, kind, namespace, name.
pub type Lookup = Box<dyn FnMut(&str, &str, &str, &str) -> Result<Value, String>>;

/// What the impure functions see.
pub struct Ambient {
    /// What `now` returns.
    pub now: Time,
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
        let now = Time {
            nanoseconds: i128::from(now) * 1_000_000_000,
            offset: 0,
        };
        Self {
            now,
            random: Box::new(KeyedRandom::new(key)),
            lookup: None,
        }
    }
}

/// The state of one render: all templates of a chart are executed with one context.
///
/// When it is dropped, maps that became part of a cycle are emptied, because nothing else would free them.
pub struct Context {
    /// What the render may use.
    pub limits: Limits,
    /// What the impure functions see.
    pub ambient: Ambient,
    pub(crate) fuel_used: u64,
    pub(crate) depth: usize,
    /// Nested blocks and pipelines being evaluated.
    pub(crate) nested: usize,
    pub(crate) included: BTreeMap<String, usize>,
    /// The file being rendered.
    pub(crate) file: String,
    pub(crate) regexes: BTreeMap<String, regex::bytes::Regex>,
    pub(crate) watched: Vec<WatchedMap>,
}

/// Nested blocks and pipelines over all templates being executed: bounds the stack.
const MAX_NESTED: usize = 20_000;

impl Context {
    /// The context of a new render.
    #[must_use]
    pub fn new(limits: Limits, ambient: Ambient) -> Self {
        Self {
            limits,
            ambient,
            fuel_used: 0,
            depth: 0,
            nested: 0,
            included: BTreeMap::new(),
            file: String::new(),
            regexes: BTreeMap::new(),
            watched: Vec::new(),
        }
    }

    /// Steps used so far.
    #[must_use]
    pub fn fuel_used(&self) -> u64 {
        self.fuel_used
    }

    /// Uses steps.
    pub(crate) fn charge(&mut self, steps: u64) -> Result<(), ExecError> {
        self.fuel_used = self.fuel_used.saturating_add(steps);
        if self.fuel_used > self.limits.fuel {
            let fuel = self.limits.fuel;
            return Err(ExecError::limit(
                Limit::Fuel,
                format_args!("the render takes more than {fuel} steps"),
            ));
        }
        Ok(())
    }

    /// Pays for a string of so many bytes.
    pub(crate) fn charge_bytes(&mut self, bytes: usize) -> Result<(), ExecError> {
        if bytes > self.limits.output {
            let output = self.limits.output;
            return Err(ExecError::limit(
                Limit::Output,
                format_args!("a text of more than {output} bytes"),
            ));
        }
        self.charge(bytes as u64 / 16 + 1)
    }

    /// Pays for so many list items.
    pub(crate) fn charge_items(&mut self, items: u64) -> Result<(), ExecError> {
        self.charge(items.saturating_mul(4))
    }

    /// Pays for walking a value, and refuses one that is nested too deeply (or contains itself).
    pub(crate) fn charge_value(&mut self, value: &Value) -> Result<(), ExecError> {
        let mut open = vec![(value.clone(), 0)];
        while let Some((value, level)) = open.pop() {
            if level > self.limits.nesting {
                let nesting = self.limits.nesting;
                let message = format_args!("a value is nested deeper than {nesting} levels, or contains itself");
                return Err(ExecError::limit(Limit::Nesting, message));
            }
            match value {
                Value::Str(text) => self.charge(text.bytes().len() as u64 / 16 + 1)?,
                Value::List(list) => {
                    self.charge(list.items().len() as u64 + 1)?;
                    open.extend(list.items().iter().map(|item| (item.clone(), level + 1)));
                }
                other => match other.as_map() {
                    Some(map) => {
                        self.charge(map.len() as u64 + 1)?;
                        open.extend(map.entries().into_iter().map(|(_, item)| (item, level + 1)));
                    }
                    None => self.charge(1)?,
                },
            }
        }
        Ok(())
    }

    /// One more block or pipeline inside another.
    pub(crate) fn enter(&mut self) -> Result<(), ExecError> {
        if self.nested >= MAX_NESTED {
            let message = format_args!("blocks and pipelines nest deeper than {MAX_NESTED} levels");
            return Err(ExecError::limit(Limit::Depth, message));
        }
        self.nested += 1;
        Ok(())
    }

    pub(crate) fn leave(&mut self) {
        self.nested -= 1;
    }

    pub(crate) fn random(&mut self, bytes: &mut [u8]) -> Result<(), ExecError> {
        self.charge_bytes(bytes.len())?;
        self.ambient.random.fill(&self.file, bytes).map_err(ExecError::plain)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        for map in &self.watched {
            map.break_cycle();
        }
    }
}
