//! When what changed is shown.
//!
//! A view is as long as its application, and an application changes as often as it has objects: shown at every change, a sync of n objects
//! would cost n² rows. So a long view rests after it was made, in proportion to its rows; short ones are shown at once. What changed
//! meanwhile is shown when the rest is over, never lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use capstan_engine::view::ApplicationView;
use capstan_model::ApplicationId;
use tokio::time::Instant;

/// Views of up to so many rows are shown whenever they change.
const SHORT: usize = 100;
/// For every row of a longer one. Making a row takes about a tenth of that.
const REST_A_ROW: Duration = Duration::from_micros(10);

/// Applications that changed and were not shown since.
#[derive(Debug, Default)]
pub(crate) struct Publishing {
    changed: BTreeSet<ApplicationId>,
    /// Until when an application rests.
    resting: BTreeMap<ApplicationId, Instant>,
}

impl Publishing {
    pub(crate) fn note(&mut self, application: ApplicationId) {
        self.changed.insert(application);
    }

    /// Takes those that changed and do not rest.
    pub(crate) fn take_due(&mut self, now: Instant) -> BTreeSet<ApplicationId> {
        self.resting.retain(|_, until| *until > now);
        let (resting, due) = std::mem::take(&mut self.changed)
            .into_iter()
            .partition(|id| self.resting.contains_key(id));
        self.changed = resting;
        due
    }

    /// It was shown, in so many rows.
    pub(crate) fn shown(&mut self, application: &ApplicationId, rows: usize, now: Instant) {
        if rows > SHORT {
            let rest = REST_A_ROW.saturating_mul(u32::try_from(rows).unwrap_or(u32::MAX));
            self.resting.insert(application.clone(), now + rest);
        }
    }

    /// When the first that changed may be shown.
    pub(crate) fn wakes_at(&self) -> Option<Instant> {
        self.changed.iter().filter_map(|id| self.resting.get(id)).min().copied()
    }
}

/// What a view costs.
pub(crate) fn rows(view: &ApplicationView) -> usize {
    view.resources.len() + view.operation.as_ref().map_or(0, |operation| operation.tasks.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often an application of so many rows is shown that changes every millisecond for a second, and whether its last change was.
    fn shown(rows: usize) -> (usize, bool) {
        let id = ApplicationId::new("argocd", "shop");
        let begin = Instant::now();
        let mut publishing = Publishing::default();
        let mut times = 0;
        let mut show = |publishing: &mut Publishing, now| {
            for id in publishing.take_due(now) {
                publishing.shown(&id, rows, now);
                times += 1;
            }
        };
        for millisecond in 0..1000 {
            publishing.note(id.clone());
            show(&mut publishing, begin + Duration::from_millis(millisecond));
        }
        while let Some(at) = publishing.wakes_at() {
            show(&mut publishing, at);
        }
        (times, publishing.changed.is_empty())
    }

    #[test]
    fn a_long_view_rests_and_its_last_change_is_shown() {
        assert_eq!(shown(1), (1000, true));
        assert_eq!(shown(SHORT), (1000, true));
        assert_eq!(shown(1_000), (101, true));
        assert_eq!(shown(20_000), (6, true));
    }

    #[test]
    fn one_that_rests_holds_up_no_other() {
        let (long, short) = (
            ApplicationId::new("argocd", "long"),
            ApplicationId::new("argocd", "short"),
        );
        let now = Instant::now();
        let mut publishing = Publishing::default();
        publishing.shown(&long, 100_000, now);
        publishing.note(long.clone());
        publishing.note(short.clone());
        assert_eq!(publishing.take_due(now), BTreeSet::from([short]));
        assert_eq!(publishing.wakes_at(), Some(now + Duration::from_secs(1)));
        assert_eq!(
            publishing.take_due(now + Duration::from_secs(1)),
            BTreeSet::from([long])
        );
        assert_eq!(publishing.wakes_at(), None);
    }
}
