//! Values that many nodes share: kinds, namespaces, applications, images.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Below this many entries nothing is swept.
const SWEEP_FROM: usize = 1024;

/// Each distinct value once. What no node uses any more is dropped in a sweep, each time the set has doubled since the last one, so
/// that values which come and go (info texts) do not pile up.
#[derive(Debug)]
pub(crate) struct Interner<T: ?Sized> {
    values: BTreeSet<Arc<T>>,
    sweep_at: usize,
}

impl<T: ?Sized + Ord> Default for Interner<T> {
    fn default() -> Self {
        Self {
            values: BTreeSet::new(),
            sweep_at: SWEEP_FROM,
        }
    }
}

impl<T: ?Sized + Ord> Interner<T> {
    /// The shared value equal to `value`.
    pub(crate) fn intern<Q>(&mut self, value: &Q) -> Arc<T>
    where
        Arc<T>: Borrow<Q>,
        Q: ?Sized + Ord + ToOwned,
        Q::Owned: Into<Arc<T>>,
    {
        if let Some(shared) = self.values.get(value) {
            return shared.clone();
        }
        if self.values.len() >= self.sweep_at {
            self.values.retain(|value| Arc::strong_count(value) > 1);
            self.sweep_at = SWEEP_FROM.max(self.values.len() * 2);
        }
        let shared: Arc<T> = value.to_owned().into();
        self.values.insert(shared.clone());
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_and_unused_ones_go() {
        let mut interner = Interner::<str>::default();
        let kept = interner.intern("kept");
        assert!(Arc::ptr_eq(&kept, &interner.intern("kept")));
        for n in 0..5 * SWEEP_FROM {
            interner.intern(&*n.to_string());
        }
        assert!(interner.values.len() <= SWEEP_FROM, "{}", interner.values.len());
        assert!(Arc::ptr_eq(&kept, &interner.intern("kept")));
    }
}
