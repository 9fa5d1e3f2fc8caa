//! Of many who want the same at the same time, one goes and gets it for all.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// What is being fetched now.
#[derive(Debug)]
pub(crate) struct Flights<T> {
    running: Mutex<BTreeMap<String, Arc<Flight<T>>>>,
}

#[derive(Debug)]
struct Flight<T> {
    state: Mutex<State<T>>,
    landed: Condvar,
}

#[derive(Debug)]
enum State<T> {
    Flying,
    Landed(T),
    /// Whoever flew it panicked.
    Lost,
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self {
            running: Mutex::default(),
        }
    }
}

impl<T: Clone> Flights<T> {
    /// What `work` gives, or what somebody else's `work` for the same key gives who began before.
    pub(crate) fn share(&self, key: &str, work: impl Fn() -> T) -> T {
        loop {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(flight) = running.get(key).cloned() else {
                let flight = Arc::new(Flight {
                    state: Mutex::new(State::Flying),
                    landed: Condvar::new(),
                });
                running.insert(key.to_owned(), Arc::clone(&flight));
                drop(running);
                let pilot = Pilot {
                    flights: self,
                    key,
                    flight: &flight,
                };
                let result = work();
                pilot.land(State::Landed(result.clone()));
                return result;
            };
            drop(running);
            if let Some(result) = flight.wait() {
                return result;
            }
        }
    }
}

impl<T: Clone> Flight<T> {
    fn wait(&self) -> Option<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*state {
                State::Flying => state = self.landed.wait(state).unwrap_or_else(PoisonError::into_inner),
                State::Landed(result) => return Some(result.clone()),
                State::Lost => return None,
            }
        }
    }
}

/// Lands the flight however it ends, so that nobody waits for ever.
struct Pilot<'a, T> {
    flights: &'a Flights<T>,
    key: &'a str,
    flight: &'a Flight<T>,
}

impl<T> Pilot<'_, T> {
    fn land(&self, state: State<T>) {
        *self.flight.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl<T> Drop for Pilot<'_, T> {
    fn drop(&mut self) {
        let mut running = self.flights.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(self.key);
        let mut state = self.flight.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Flying) {
            *state = State::Lost;
        }
        self.flight.landed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Barrier};
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_goes_for_all_and_the_next_goes_again() {
        let flights = Arc::new(Flights::<usize>::default());
        let (count, barrier) = (Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(8)));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (flights, count, barrier) = (flights.clone(), count.clone(), barrier.clone());
                std::thread::spawn(move || {
                    barrier.wait();
                    flights.share("a", || {
                        std::thread::sleep(Duration::from_millis(300));
                        count.fetch_add(1, Ordering::SeqCst)
                    })
                })
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 0);
        }
        assert_eq!(flights.share("a", || count.fetch_add(1, Ordering::SeqCst)), 1);
        assert_eq!(flights.share("b", || 7), 7);
    }

    #[test]
    fn a_panic_leaves_nobody_waiting() {
        let flights = Arc::new(Flights::<u8>::default());
        let first = {
            let flights = flights.clone();
            std::thread::spawn(move || {
                flights.share("a", || {
                    std::thread::sleep(Duration::from_millis(200));
                    panic!("on purpose")
                })
            })
        };
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(flights.share("a", || 3), 3);
        assert!(first.join().is_err());
    }
}
