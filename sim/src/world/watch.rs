//! Watches: subscriptions that are polled for events.
//!
//! A watch holds a cursor into the event ring of its resource. An event is delivered as what it is *to this watch*: an object that
//! begins to match the selectors is `ADDED`, one that ceases to match is `DELETED`. A cursor the ring has left behind ends with 410.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::World;
use super::encode::Form;
use crate::faults::EventVerdict;
use crate::fields::metadata_mut;
use crate::registry::ResourceType;
use crate::status::ApiError;
use crate::store::{Change, StoreEvent};
use crate::verbs::Selection;

/// How often a quiet watch that asked for bookmarks gets one.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// One watch.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) resource: Arc<ResourceType>,
    pub(crate) selection: Selection,
    pub(crate) form: Form,
    /// Revision of the last event seen, matching or not.
    pub(crate) cursor: u64,
    /// Events to deliver before those of the ring: the initial state.
    pub(crate) initial: VecDeque<Value>,
    pub(crate) bookmarks: bool,
    pub(crate) next_bookmark: Timestamp,
    pub(crate) deadline: Timestamp,
    pub(crate) held_until: Option<Timestamp>,
    pub(crate) ended: bool,
    /// Whether the column definitions of a table were sent.
    pub(crate) headed: bool,
}

/// What a poll of a watch gives.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchPoll {
    /// An event: `{type, object}`.
    Event(Value),
    /// Nothing now; at that time at the latest there is a bookmark or the end.
    Pending(Timestamp),
    /// The stream is over.
    Closed,
}

impl Watch {
    /// First bookmark of a watch that begins now.
    pub(crate) fn first_bookmark(now: Timestamp) -> Timestamp {
        now + BOOKMARK_EVERY
    }
}

impl World {
    /// The next event of a watch. An unknown id is a closed watch.
    pub fn watch_poll(&mut self, now: Timestamp, id: u64) -> WatchPoll {
        let Some(mut watch) = self.watches.remove(&id) else {
            return WatchPoll::Closed;
        };
        let poll = self.poll(now, id, &mut watch);
        if poll != WatchPoll::Closed {
            self.watches.insert(id, watch);
        }
        poll
    }

    /// Ends a watch: its client went away.
    pub fn watch_close(&mut self, id: u64) {
        self.watches.remove(&id);
    }

    /// Watches that are open.
    pub fn open_watches(&self) -> usize {
        self.watches.len()
    }

    fn poll(&mut self, now: Timestamp, id: u64, watch: &mut Watch) -> WatchPoll {
        if watch.ended {
            return WatchPoll::Closed;
        }
        if let Some(event) = watch.initial.pop_front() {
            return WatchPoll::Event(self.shaped(now, watch, event));
        }
        if let Some(until) = watch.held_until.filter(|until| *until > now) {
            return if watch.deadline <= now {
                WatchPoll::Closed
            } else {
                WatchPoll::Pending(until.min(watch.deadline))
            };
        }
        match self.next_event(now, id, watch) {
            Some(poll) => poll,
            None => self.quiet(now, watch),
        }
    }

    /// Walks the ring until an event concerns this watch.
    fn next_event(&mut self, now: Timestamp, id: u64, watch: &mut Watch) -> Option<WatchPoll> {
        loop {
            let next = match self.store.events_since(&watch.resource.storage, watch.cursor) {
                Ok(mut events) => events.next()?.clone(),
                Err(compacted) => {
                    watch.ended = true;
                    let error = ApiError::expired(compacted.asked, compacted.oldest);
                    return Some(WatchPoll::Event(error_event(&error)));
                }
            };
            match self.faults.on_event(now, id, &next) {
                EventVerdict::Deliver => {}
                EventVerdict::HoldUntil(until) if until > now => {
                    watch.held_until = Some(until);
                    return Some(WatchPoll::Pending(until.min(watch.deadline)));
                }
                EventVerdict::HoldUntil(_) => {}
                EventVerdict::Close => return Some(WatchPoll::Closed),
                EventVerdict::Fail(error) => {
                    watch.ended = true;
                    return Some(WatchPoll::Event(error_event(&error)));
                }
            }
            watch.held_until = None;
            watch.cursor = next.revision;
            if let Some(event) = self.seen_by(watch, &next) {
                return Some(WatchPoll::Event(self.shaped(now, watch, event)));
            }
        }
    }

    /// What an event is to this watch, `None` when it is nothing.
    fn seen_by(&self, watch: &Watch, event: &StoreEvent) -> Option<Value> {
        let matches = |object: &Value| watch.selection.matches(&event.name, object);
        let before = event.previous.as_deref().is_some_and(matches);
        let after = event.change != Change::Deleted && matches(&event.object);
        let (kind, object) = match (before, after) {
            (false, false) => return None,
            (false, true) => ("ADDED", Value::clone(&event.object)),
            (true, true) => ("MODIFIED", Value::clone(&event.object)),
            (true, false) => {
                let mut last = event.previous.as_deref().cloned().unwrap_or_default();
                metadata_mut(&mut last).insert("resourceVersion".into(), json!(event.revision.to_string()));
                ("DELETED", last)
            }
        };
        Some(json!({"type": kind, "object": object}))
    }

    /// The event in the form the client asked for.
    fn shaped(&self, now: Timestamp, watch: &mut Watch, mut event: Value) -> Value {
        let bookmark = event["type"] == "BOOKMARK";
        if let Some(object) = event.get_mut("object") {
            let whole = self.served(&watch.resource, object.take());
            *object = match (watch.form, bookmark) {
                (Form::Table(_), true) => whole,
                (form, _) => self.formed(now, &watch.resource, form, whole, !watch.headed),
            };
            watch.headed |= !bookmark;
        }
        event
    }

    fn quiet(&mut self, now: Timestamp, watch: &mut Watch) -> WatchPoll {
        if watch.deadline <= now {
            return WatchPoll::Closed;
        }
        if watch.bookmarks && watch.next_bookmark <= now {
            watch.next_bookmark = now + BOOKMARK_EVERY;
            let event = bookmark(&watch.resource, self.store.revision(), false);
            return WatchPoll::Event(self.shaped(now, watch, event));
        }
        let wake = if watch.bookmarks {
            watch.deadline.min(watch.next_bookmark)
        } else {
            watch.deadline
        };
        WatchPoll::Pending(wake)
    }
}

/// A bookmark at a revision; `initial` marks the end of the initial events.
pub(crate) fn bookmark(resource: &ResourceType, revision: u64, initial: bool) -> Value {
    let mut object = json!({
        "kind": resource.kind, "apiVersion": resource.storage_api_version(),
        "metadata": {"resourceVersion": revision.to_string()},
    });
    if initial {
        object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    json!({"type": "BOOKMARK", "object": object})
}

fn error_event(error: &ApiError) -> Value {
    json!({"type": "ERROR", "object": error.to_status()})
}
