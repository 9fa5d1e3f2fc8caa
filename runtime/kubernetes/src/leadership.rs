//! Whether this replica leads, for whoever is about to write.
//!
//! **Problem.** What is asked for while this replica leads may come to its turn later: when another leads, or when this one leads again and
//! has started anew from what it then read.
//!
//! **Invariants.** A [`Mandate`] holds only in the term in which it was given, and not after the time until which that is known for sure,
//! by this machine's own clock. It is asked right before every single request that writes, not only before the first of several.
//!
//! **Deliberately absent.** A request that was sent in time and is carried out late: only the fence of a delete can tell that, and only the
//! versions that writes insist on make it harmless.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// One term of one Lease. A Lease that was deleted and made anew is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    /// UID of the Lease.
    pub(crate) lease: String,
    /// `spec.leaseTransitions`.
    pub(crate) number: i64,
}

/// Whether this replica leads. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Leadership {
    /// In which term, and until when for sure. `None`: it does not.
    held: Arc<Mutex<Option<(Term, Instant)>>>,
}

impl Leadership {
    /// May something be written now?
    pub fn holds(&self) -> bool {
        self.term().is_some()
    }

    /// For what is asked for now: it may be written in this term only.
    pub fn mandate(&self) -> Mandate {
        Mandate {
            leadership: self.clone(),
            term: self.term(),
        }
    }

    fn term(&self) -> Option<Term> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_ref().filter(|(_, until)| Instant::now() < *until);
        held.map(|(term, _)| term.clone())
    }

    pub(crate) fn set(&self, held: Option<(Term, Instant)>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }
}

/// The right to write of what was asked for in one term.
#[derive(Clone, Debug)]
pub struct Mandate {
    leadership: Leadership,
    term: Option<Term>,
}

impl Mandate {
    /// May it be written now?
    pub fn holds(&self) -> bool {
        self.term.is_some() && self.leadership.term() == self.term
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn term(lease: &str, number: i64) -> Term {
        let lease = lease.to_owned();
        Term { lease, number }
    }

    #[tokio::test(start_paused = true)]
    async fn a_mandate_ends_with_its_term_and_with_its_time() {
        let leadership = Leadership::default();
        let soon = || Instant::now() + Duration::from_secs(10);
        let of_nobody = leadership.mandate();
        leadership.set(Some((term("a", 1), soon())));
        assert!(!of_nobody.holds(), "asked for before it led");
        let first = leadership.mandate();
        assert!(first.holds());

        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(!first.holds() && !leadership.holds(), "its time is over, told or not");
        leadership.set(Some((term("a", 1), soon())));
        assert!(first.holds(), "renewed in the same term");

        for next in [term("a", 2), term("b", 1)] {
            leadership.set(Some((next, soon())));
            assert!(!first.holds() && leadership.mandate().holds());
        }
        leadership.set(None);
        assert!(!first.holds() && !leadership.mandate().holds());
    }
}
