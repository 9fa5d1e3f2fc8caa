//! Much of an application would go at once.
//!
//! Prevents: a template change that looked harmless and pruned every service of every region; a chart's values that were not read; a folder
//! that was renamed in Git and not in the Application. Argo CD looks only at exactly everything, and only when it schedules a sync.

use std::fmt;

use capstan_model::SyncOptions;

/// What is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PruneLimits {
    /// Where the application says nothing: more than this part, and at least so many. Small applications change as a whole all the time.
    Default { percentage: u8, at_least: usize },
    /// `MaxPrunePercentage=` and `MaxPruneCount=`: neither may be exceeded.
    Set { percentage: Option<u8>, count: Option<u32> },
}

impl PruneLimits {
    /// More than half, and ten or more.
    pub(crate) const DEFAULT: Self = Self::Default {
        percentage: 50,
        at_least: 10,
    };

    pub(crate) fn of(options: &SyncOptions) -> Self {
        match (options.max_prune_percentage, options.max_prune_count) {
            (None, None) => Self::DEFAULT,
            (percentage, count) => Self::Set { percentage, count },
        }
    }

    /// Is pruning `doomed` of `tracked` objects too much?
    pub(crate) fn are_exceeded(self, doomed: usize, tracked: usize) -> bool {
        let over = |percentage: u8| doomed.saturating_mul(100) > tracked.saturating_mul(usize::from(percentage));
        match self {
            Self::Default { percentage, at_least } => doomed >= at_least && over(percentage),
            Self::Set { percentage, count } => {
                percentage.is_some_and(over)
                    || count.is_some_and(|count| doomed > usize::try_from(count).unwrap_or(usize::MAX))
            }
        }
    }
}

impl fmt::Display for PruneLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default { percentage, at_least } => write!(f, "over {percentage} %, {at_least} or more"),
            Self::Set {
                percentage: Some(percentage),
                count: None,
            } => write!(f, "over {percentage} %"),
            Self::Set {
                percentage: None,
                count: Some(count),
            } => write!(f, "over {count} objects"),
            Self::Set {
                percentage: Some(percentage),
                count: Some(count),
            } => write!(f, "over {percentage} % or {count} objects"),
            Self::Set {
                percentage: None,
                count: None,
            } => f.write_str("no limit"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(words: &[&str]) -> PruneLimits {
        PruneLimits::of(&SyncOptions::parse(words.iter().copied()))
    }

    #[test]
    fn more_than_half_and_ten_or_more() {
        let exceeded = |doomed, tracked| set(&[]).are_exceeded(doomed, tracked);
        assert!(exceeded(10, 19) && exceeded(10, 10) && exceeded(501, 1000));
        assert!(!exceeded(10, 20), "half is not more than half");
        assert!(!exceeded(9, 9), "few objects");
        assert!(!exceeded(500, 1000));
    }

    #[test]
    fn the_application_s_own_limits_take_their_place() {
        assert!(
            set(&["MaxPrunePercentage=20"]).are_exceeded(3, 10),
            "few objects count, too"
        );
        assert!(!set(&["MaxPrunePercentage=20"]).are_exceeded(2, 10));
        assert!(
            !set(&["MaxPrunePercentage=100"]).are_exceeded(1000, 1000),
            "switched off"
        );
        assert!(set(&["MaxPrunePercentage=0"]).are_exceeded(1, 1000));
        assert!(set(&["MaxPruneCount=5"]).are_exceeded(6, 1000));
        assert!(!set(&["MaxPruneCount=5"]).are_exceeded(5, 5));
        let both = set(&["MaxPruneCount=50", "MaxPrunePercentage=10"]);
        assert!(both.are_exceeded(51, 10_000) && both.are_exceeded(2, 10) && !both.are_exceeded(50, 500));
    }
}
