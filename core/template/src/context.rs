//! What surrounds an execution: its limits, the clock and randomness it may see, and the counters that stop it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ambient::{Ambient, Clock};
use crate::error::{ExecError, Limit};
use crate::functions::Pattern;
use crate::value::{Time, Value, WatchedMap};

/// What a render may use.
///
/// Fuel also bounds memory: whatever is made costs a step for every few bytes it may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Steps: one for an evaluated node, one for five bytes of text and eight for an item that a function makes.
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
            fuel: 50_000_000,
            output: 64 << 20,
            // Helm lets one name include itself a thousand times, and several names more; Go lets `template` go on to 100,000.
            depth: 5000,
            nesting: 500,
        }
    }
}

/// Stops a render from outside: the core reads no clock, so whoever owns one raises this when time is up.
///
/// A render notices at the next step it charges for; what takes longest in between is one RSA key.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Stops the renders that hold a clone of this.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was raised.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
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
    /// What stops the render from outside.
    pub interrupt: Interrupt,
    pub(crate) fuel_used: u64,
    pub(crate) depth: usize,
    /// Nested blocks and pipelines being evaluated.
    pub(crate) nested: usize,
    pub(crate) included: BTreeMap<String, usize>,
    /// The file being rendered.
    pub(crate) file: String,
    pub(crate) patterns: BTreeMap<String, Pattern>,
    pub(crate) watched: Vec<WatchedMap>,
}

/// Steps for making a map, on top of those for its entries.
pub(crate) const MAP_COST: u64 = 96;

/// Nested blocks and pipelines over all templates being executed: bounds the stack.
const MAX_NESTED: usize = 20_000;

impl Context {
    /// The context of a new render.
    #[must_use]
    pub fn new(limits: Limits, ambient: Ambient) -> Self {
        Self {
            limits,
            ambient,
            interrupt: Interrupt::default(),
            fuel_used: 0,
            depth: 0,
            nested: 0,
            included: BTreeMap::new(),
            file: String::new(),
            patterns: BTreeMap::new(),
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
        if self.interrupt.is_raised() {
            let message = "the render was stopped: it takes longer than it may";
            return Err(ExecError::limit(Limit::Time, message));
        }
        Ok(())
    }

    /// Refuses a text of more bytes than the limit.
    pub(crate) fn check_size(&self, bytes: usize) -> Result<(), ExecError> {
        if bytes <= self.limits.output {
            return Ok(());
        }
        let output = self.limits.output;
        Err(ExecError::limit(
            Limit::Output,
            format_args!("a text of more than {output} bytes"),
        ))
    }

    /// Pays for a string of so many bytes.
    pub(crate) fn charge_bytes(&mut self, bytes: usize) -> Result<(), ExecError> {
        self.check_size(bytes)?;
        self.charge(bytes as u64 / 5 + 1)
    }

    /// Pays for so many list items.
    pub(crate) fn charge_items(&mut self, items: u64) -> Result<(), ExecError> {
        self.charge(items.saturating_mul(8))
    }

    /// Pays for walking a value, and refuses one that is nested too deeply (or contains itself).
    pub(crate) fn charge_value(&mut self, value: &Value) -> Result<(), ExecError> {
        self.charge_walk(value, 1)
    }

    /// Pays for a copy of a value.
    pub(crate) fn charge_copy(&mut self, value: &Value) -> Result<(), ExecError> {
        self.charge_walk(value, 8)
    }

    fn charge_walk(&mut self, value: &Value, weight: u64) -> Result<(), ExecError> {
        match value {
            Value::Str(text) => return self.charge(text.bytes().len() as u64 * weight / 64 + 1),
            Value::List(_) | Value::Map(_) | Value::Object(_) => {}
            _ => return self.charge(weight),
        }
        let mut open = vec![(value.clone(), 0)];
        while let Some((value, level)) = open.pop() {
            if level > self.limits.nesting {
                let nesting = self.limits.nesting;
                let message = format_args!("a value is nested deeper than {nesting} levels, or contains itself");
                return Err(ExecError::limit(Limit::Nesting, message));
            }
            match value {
                Value::Str(text) => self.charge(text.bytes().len() as u64 * weight / 64 + 1)?,
                Value::List(list) => {
                    self.charge((list.items().len() as u64 + 1) * weight)?;
                    open.extend(list.items().iter().map(|item| (item.clone(), level + 1)));
                }
                other => match other.as_map() {
                    Some(map) => {
                        // Even a small map takes half a kilobyte.
                        self.charge((map.len() as u64 + 1) * weight)?;
                        if weight > 1 {
                            self.charge(MAP_COST)?;
                        }
                        map.for_each(|_, item| open.push((item.clone(), level + 1)));
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

    /// The clock, for a function that wants to know the time.
    pub(crate) fn now(&self, function: &str) -> Result<Time, ExecError> {
        match &self.ambient.clock {
            Clock::Frozen(now) => Ok(*now),
            Clock::Forbidden => Err(ExecError::plain(format!(
                "{function} reads the clock, which this application forbids (determinism: forbid); give the time as a value"
            ))),
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        for map in &self.watched {
            map.break_cycle();
        }
    }
}
