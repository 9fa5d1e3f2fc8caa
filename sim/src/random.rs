//! Identity and chance from one seed: uids, name suffixes, allocated numbers.
//!
//! A SplitMix64 sequence: small, well known, and the same on every machine. Nothing here is for security.

/// A seeded source of numbers.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

/// The letters Kubernetes draws name suffixes from: no vowels, nothing that looks alike.
const SUFFIX: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.bits() % bound }
    }

    /// A version 4 UUID.
    pub fn uid(&mut self) -> String {
        let (high, low) = (self.bits(), self.bits());
        let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, (high & 0x0fff) | 0x4000);
        let (d, e) = (((low >> 48) & 0x3fff) | 0x8000, low & 0xffff_ffff_ffff);
        format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
    }

    /// The five characters appended to a `generateName`.
    pub fn suffix(&mut self) -> String {
        (0..5)
            .map(|_| char::from(SUFFIX[usize::try_from(self.below(SUFFIX.len() as u64)).unwrap_or(0)]))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_uids_are_version_4() {
        let (mut a, mut b) = (Random::new(7), Random::new(7));
        let uid = a.uid();
        assert_eq!(uid, b.uid());
        assert_ne!(uid, a.uid());
        assert_eq!((uid.len(), &uid[14..15]), (36, "4"));
        assert_eq!(a.suffix().len(), 5);
    }
}
