//! The one seam through which failures enter: every place where a real cluster can disappoint asks here.
//!
//! The world calls a [`Faults`] at four decision points. A choice tape sits behind an implementation of it; [`Benign`] always says no.

use capstan_model::Timestamp;

use crate::request::{Request, Response};
use crate::status::ApiError;
use crate::store::StoreEvent;

/// What a decision point may do to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Go on.
    Pass,
    /// Answer this instead. Before the commit nothing was done; after it the write stands although the caller reads a failure.
    Fail(ApiError),
}

/// What may happen to one event of one watch.
#[derive(Clone, Debug, PartialEq)]
pub enum EventVerdict {
    /// Deliver it.
    Deliver,
    /// Deliver it, and everything after it, not before this time.
    HoldUntil(Timestamp),
    /// End the stream instead of delivering it.
    Close,
    /// Answer with an in-stream error, then end the stream.
    Fail(ApiError),
}

/// Decides at every decision point. Must be deterministic: the same calls give the same answers.
pub trait Faults: Send {
    /// Before anything of the request is done.
    fn before(&mut self, _now: Timestamp, _request: &Request) -> Verdict {
        Verdict::Pass
    }

    /// After the request committed `revision` (equal to the one before when it wrote nothing).
    fn after_commit(&mut self, _now: Timestamp, _request: &Request, _revision: u64) -> Verdict {
        Verdict::Pass
    }

    /// On the answer as it leaves; may change it.
    fn on_response(&mut self, _now: Timestamp, _request: &Request, _response: &mut Response) {}

    /// Before one event is delivered to one watch.
    fn on_event(&mut self, _now: Timestamp, _watch: u64, _event: &StoreEvent) -> EventVerdict {
        EventVerdict::Deliver
    }
}

/// No failure ever.
#[derive(Clone, Copy, Debug, Default)]
pub struct Benign;

impl Faults for Benign {}
