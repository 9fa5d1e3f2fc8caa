//! What is known of repositories' Secrets, told by a watch and waited for by those who need it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use capstan_kubernetes::SeenSecrets;
use capstan_source::{AUTHORITIES_MAP, RepositorySecrets};
use serde_json::Value;
use tokio::sync::watch;

/// How long the first list is waited for. Then it goes on without: a repository may be public.
const PATIENCE: Duration = Duration::from_secs(10);

/// Secrets about repositories, as a watch sees them.
#[derive(Debug)]
pub struct Secrets {
    known: watch::Sender<Known>,
    /// What was last logged, so that a lasting failure is logged once.
    failures: Mutex<[String; 2]>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    secrets: Arc<RepositorySecrets>,
    /// Does somebody watch?
    is_expected: bool,
    /// Was there an answer about Secrets and about authorities, be it that they cannot be read?
    answered: [bool; 2],
}

impl Known {
    fn is_ready(&self) -> bool {
        !self.is_expected || self.answered == [true; 2]
    }
}

impl Default for Secrets {
    fn default() -> Self {
        Self {
            known: watch::Sender::new(Known::default()),
            failures: Mutex::default(),
        }
    }
}

impl Secrets {
    /// A watch begins: from now on its first lists are waited for.
    pub fn expect(&self) {
        self.known.send_modify(|known| known.is_expected = true);
    }

    /// The watch sees something. What cannot be read any more stays as it was known.
    pub fn tell(&self, seen: SeenSecrets) {
        let answered = match &seen {
            SeenSecrets::ConfigMap(_) | SeenSecrets::ConfigMapUnavailable(_) => 1,
            _ => 0,
        };
        self.log(answered, &seen);
        self.known.send_modify(|known| {
            take(Arc::make_mut(&mut known.secrets), seen);
            known.answered[answered] = true;
        });
    }

    /// What is known now; if a watch has begun and has not answered, after a moment.
    pub(super) async fn known(&self) -> Arc<RepositorySecrets> {
        let mut receiver = self.known.subscribe();
        let known = tokio::time::timeout(PATIENCE, receiver.wait_for(Known::is_ready)).await;
        match known {
            Ok(Ok(known)) => known.secrets.clone(),
            _ => self.known.borrow().secrets.clone(),
        }
    }

    fn log(&self, index: usize, seen: &SeenSecrets) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        match seen {
            SeenSecrets::Unavailable(reason) if failures[index] != *reason => {
                tracing::warn!(error = %reason, "Secrets about repositories cannot be read: private ones cannot be either");
                failures[index].clone_from(reason);
            }
            SeenSecrets::ConfigMapUnavailable(reason) if failures[index] != *reason => {
                tracing::warn!(error = %reason, "ConfigMap {AUTHORITIES_MAP} cannot be read: only the system's authorities are trusted");
                failures[index].clone_from(reason);
            }
            SeenSecrets::Unavailable(_) | SeenSecrets::ConfigMapUnavailable(_) => {}
            _ => failures[index].clear(),
        }
    }
}

fn take(secrets: &mut RepositorySecrets, seen: SeenSecrets) {
    match seen {
        SeenSecrets::Listed(all) => {
            secrets.clear();
            for secret in &all {
                insert(secrets, secret);
            }
        }
        SeenSecrets::Changed(secret) => insert(secrets, &secret),
        SeenSecrets::Gone(name) => secrets.remove(&name),
        SeenSecrets::ConfigMap(map) => secrets.set_authorities(map.as_deref()),
        SeenSecrets::Unavailable(_) | SeenSecrets::ConfigMapUnavailable(_) => {}
    }
}

fn insert(secrets: &mut RepositorySecrets, secret: &Value) {
    if let Err(reason) = secrets.insert(secret) {
        let name = secret.pointer("/metadata/name").and_then(Value::as_str);
        tracing::warn!(secret = name, reason, "a repository's Secret cannot be used");
    }
}
