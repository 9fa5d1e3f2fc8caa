//! What a sync that prunes would delete: the same answer for the engine's live view and for a plan's reads.

use capstan_model::{PruneOption, ResourceKey, SyncOptions};

use super::findings::Doomed;
use super::is_reserved;

/// A live object that nothing declares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Undeclared<'a> {
    pub(crate) key: &'a ResourceKey,
    /// The application tracks it.
    pub(crate) is_tracked: bool,
    /// Another object owns it, and it goes with that.
    pub(crate) is_owned: bool,
    /// It is going already.
    pub(crate) is_deleting: bool,
    /// What is declared [needs](super::need) it.
    pub(crate) is_needed: bool,
    /// It is declared as a hook that a sync runs.
    pub(crate) becomes_hook: bool,
    /// What its own annotation says.
    pub(crate) prune: Option<PruneOption>,
}

impl Undeclared<'_> {
    /// Is it the application's to prune at all?
    pub(crate) fn is_ours(&self) -> bool {
        self.is_tracked && !self.is_owned
    }

    /// It as the rules are asked about it; `None` where no sync with these options would delete it. What waits for a confirmation would
    /// be deleted, too.
    pub(crate) fn doomed(
        &self,
        options: &SyncOptions,
        control_namespace: &str,
        uid: impl FnOnce() -> String,
    ) -> Option<Doomed> {
        let stays = self.is_needed || is_reserved(self.key, control_namespace);
        let goes = self.is_ours() && !self.is_deleting && !stays;
        let is_kept = self.prune.or(options.prune) == Some(PruneOption::Never);
        (goes && !is_kept).then(|| Doomed {
            uid: uid(),
            is_released: self.prune == Some(PruneOption::Allow),
            becomes_hook: self.becomes_hook,
        })
    }
}

/// Why an ordinary object stays that is declared as a hook now, so that the hook cannot run. It is no earlier run, which a hook deletes by
/// itself: it goes as a prune goes, or stays. `option` is its own or the application's.
pub(crate) fn stays_ordinary(key: &ResourceKey, option: Option<PruneOption>, prunes: bool) -> Option<String> {
    let why = match option {
        Some(PruneOption::Never) => "it says Prune=false",
        _ if !prunes => "this sync deletes nothing: sync with prune, delete it, or rename the hook",
        _ => return None,
    };
    Some(format!(
        "{key} exists as an ordinary object, which no hook replaces by itself; {why}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_and_ours_and_not_kept_is_doomed() {
        let key = ResourceKey::new("", "ConfigMap", "prod", "a");
        let (reserved, none) = (
            ResourceKey::new("", "Namespace", "", "kube-public"),
            SyncOptions::default(),
        );
        let ours = Undeclared {
            key: &key,
            is_tracked: true,
            is_owned: false,
            is_deleting: false,
            is_needed: false,
            becomes_hook: false,
            prune: None,
        };
        let is_doomed =
            |object: Undeclared<'_>, options: &SyncOptions| object.doomed(options, "argocd", String::new).is_some();
        assert!(is_doomed(ours, &none));
        let confirm = Some(PruneOption::Confirm);
        assert!(is_doomed(Undeclared { prune: confirm, ..ours }, &none));
        for kept in [
            Undeclared {
                is_tracked: false,
                ..ours
            },
            Undeclared { is_owned: true, ..ours },
            Undeclared {
                is_deleting: true,
                ..ours
            },
            Undeclared { key: &reserved, ..ours },
            Undeclared {
                is_needed: true,
                ..ours
            },
            Undeclared {
                prune: Some(PruneOption::Never),
                ..ours
            },
        ] {
            assert!(!is_doomed(kept, &none), "{kept:?}");
        }
        let kept = SyncOptions::parse(["Prune=false"]);
        assert!(!is_doomed(ours, &kept), "the application's option");
        let released = Undeclared {
            prune: Some(PruneOption::Allow),
            ..ours
        };
        assert!(is_doomed(released, &kept), "its own is stronger");
    }
}
