//! What the engine is configured with. Resolved once, at the start.

use std::time::Duration;

use capstan_model::GroupKind;

/// Settings of an engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Namespace of the controller: its Applications are named without it.
    pub control_namespace: String,
    /// Told apart from other installations on the same cluster by this; empty when there is one only.
    pub installation_id: String,
    /// Repairs of one object in a row that are made at once, before the waits begin: a person who tries three things is not a fight.
    pub self_heal_free: u32,
    /// First wait before an object that drifts again and again is put right again.
    pub self_heal_backoff: Duration,
    /// Growth of that wait.
    pub self_heal_factor: u32,
    /// Longest such wait.
    pub self_heal_cap: Duration,
    /// First wait before a failed refresh is tried again.
    pub refresh_backoff: Duration,
    /// Longest such wait.
    pub refresh_backoff_cap: Duration,
    /// First wait before an automated sync that failed, its retries included, is begun anew; zero: never.
    pub resume_backoff: Duration,
    /// Longest such wait.
    pub resume_backoff_cap: Duration,
    /// How long one object or hook is waited for in a sync, where its annotation says nothing.
    pub object_timeout: Duration,
    /// How long one wave of a sync may last, where the Application's annotation says nothing.
    pub wave_timeout: Duration,
    /// How long a sync may last, retries included, where the Application's annotation says nothing.
    pub sync_timeout: Duration,
    /// How long a prune waits for its confirmation.
    pub confirmation_timeout: Duration,
    /// How long one write may take before it is re-observed.
    pub write_timeout: Duration,
    /// After a start or a change of leadership: how long what is to be pruned must have been the same before it is.
    pub warm_up: Duration,
    /// Kinds that are pruned automatically only with an approval, beside Namespaces, definitions, volumes and their claims.
    pub protected_kinds: Vec<GroupKind>,
    /// What is written to destinations is written as the service account that the project names (`destinationServiceAccounts`).
    pub impersonation: bool,
    /// Entries the journal keeps.
    pub journal_capacity: usize,
    /// Argo CD's hazards instead of the safe defaults.
    pub guards: Guards,
}

/// Which defaults hold where Argo CD's behaviour is a known hazard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guards {
    /// The safe ones.
    #[default]
    Capstan,
    /// Argo CD's, strictly.
    Argo,
}

impl std::str::FromStr for Guards {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "capstan" => Ok(Self::Capstan),
            "argo" => Ok(Self::Argo),
            _ => Err(format!("{text:?} is neither capstan (the safe defaults) nor argo")),
        }
    }
}

/// A kind as people write it: `Secret`, `apps/StatefulSet`.
pub fn parse_kind(text: &str) -> Result<GroupKind, String> {
    let (group, kind) = text.rsplit_once('/').unwrap_or(("", text));
    if !kind.starts_with(|first: char| first.is_ascii_uppercase()) || group.contains('/') {
        return Err(format!("{text:?} is no kind such as Secret or apps/StatefulSet"));
    }
    Ok(GroupKind::new(group, kind))
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            control_namespace: "argocd".into(),
            installation_id: String::new(),
            self_heal_free: 3,
            self_heal_backoff: Duration::from_secs(2),
            self_heal_factor: 3,
            self_heal_cap: Duration::from_secs(300),
            refresh_backoff: Duration::from_secs(5),
            refresh_backoff_cap: Duration::from_secs(180),
            resume_backoff: Duration::from_secs(300),
            resume_backoff_cap: Duration::from_secs(3600),
            object_timeout: Duration::from_secs(3600),
            wave_timeout: Duration::from_secs(6 * 3600),
            sync_timeout: Duration::from_secs(24 * 3600),
            confirmation_timeout: Duration::from_secs(12 * 3600),
            write_timeout: Duration::from_secs(30),
            warm_up: Duration::from_secs(10),
            protected_kinds: Vec::new(),
            impersonation: false,
            journal_capacity: 4096,
            guards: Guards::default(),
        }
    }
}

impl Settings {
    /// The wait before a source that could not be read is asked again, after so many attempts.
    pub(crate) fn refresh_wait(&self, attempts: u32) -> Duration {
        doubled(self.refresh_backoff, attempts, self.refresh_backoff_cap)
    }

    /// The wait before a sync that failed is begun anew, after it was so often.
    pub(crate) fn resume_wait(&self, times: u32) -> Duration {
        doubled(self.resume_backoff, times, self.resume_backoff_cap)
    }
}

fn doubled(first: Duration, times: u32, cap: Duration) -> Duration {
    first.saturating_mul(2u32.saturating_pow(times.min(20))).min(cap)
}
