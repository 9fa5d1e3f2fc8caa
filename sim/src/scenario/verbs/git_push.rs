//! `git.push`: the branch of a repository moves.

use serde::Deserialize;

use super::Stage;

/// The branch of a repository moves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// Repository, by its name in the scenario.
    pub repository: String,
    /// Where to, by its name in the scenario.
    #[serde(rename = "to")]
    pub revision: String,
}

impl Push {
    pub(super) fn perform(&self, stage: &mut impl Stage) {
        stage.push(&self.repository, &self.revision);
    }
}
