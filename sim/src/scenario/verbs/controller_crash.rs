//! `controller.crash`: the controller dies and is started again.

use serde::Deserialize;

use super::Stage;

/// The controller dies and is started again.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crash {}

impl Crash {
    pub(super) fn perform(&self, stage: &mut impl Stage) {
        stage.crash_controller();
    }
}
