//! What the driver needs of an engine.

use capstan_engine::journal::Journal;
use capstan_engine::view::ApplicationView;
use capstan_engine::{Effect, Engine, Event};
use capstan_model::{ApplicationId, Timestamp};

/// A machine that is told what happens and says what it wants done. [`Engine`] is the one; tests of the driver have another, whose
/// effects they choose.
pub(crate) trait Machine: Send + 'static {
    fn handle(&mut self, now: Timestamp, event: Event);
    fn handle_timeout(&mut self, now: Timestamp);
    fn poll_effect(&mut self) -> Option<Effect>;
    fn poll_timeout(&self) -> Option<Timestamp>;
    fn poll_changed(&mut self) -> Option<ApplicationId>;
    fn view(&self, id: &ApplicationId) -> Option<ApplicationView>;
    fn journal(&self) -> &Journal;
    fn late_completions(&self) -> u64;
}

impl Machine for Engine {
    fn handle(&mut self, now: Timestamp, event: Event) {
        Self::handle(self, now, event);
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        Self::handle_timeout(self, now);
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        Self::poll_effect(self)
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        Self::poll_timeout(self)
    }

    fn poll_changed(&mut self) -> Option<ApplicationId> {
        Self::poll_changed(self)
    }

    fn view(&self, id: &ApplicationId) -> Option<ApplicationView> {
        Self::view(self, id)
    }

    fn journal(&self) -> &Journal {
        Self::journal(self)
    }

    fn late_completions(&self) -> u64 {
        Self::late_completions(self)
    }
}
