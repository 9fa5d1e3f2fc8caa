//! The simulated Kubernetes cluster: an API server over an in-memory store, and what acts in it.
//!
//! [`World`] is synchronous, deterministic and free of I/O: the time is an argument of every call, identity comes from a seed, failures
//! enter through one seam ([`Faults`]). The same world is called directly by simulations, as a tower service by the complete runtime,
//! and over TCP by kubectl (feature `front-ends`). What it does not model it answers with 501 and counts; it never pretends.
//! `FIDELITY.md` lists where it knowingly differs from kube-apiserver.

mod access;
mod actor;
pub mod actors;
mod convert;
mod crd;
mod decode;
mod discovery;
mod faults;
mod fields;
#[cfg(feature = "front-ends")]
pub mod front_ends;
mod history;
mod openapi;
mod protobuf;
mod random;
mod registry;
mod request;
pub mod scenario;
mod schema;
mod selector;
mod semantics;
mod ssa;
mod status;
mod store;
mod strategy;
mod subresource;
mod table;
mod validation;
mod verbs;
mod world;

pub use actor::{Actor, ActorRequest, Snapshot};
pub use faults::{Benign, EventVerdict, Faults, Verdict};
pub use fields::{at, child_mut, finalizers, is_going, meta, metadata_mut, revision, text, time};
pub use history::Write;
pub use random::Random;
pub use registry::{
    Group, GroupResource, Registry, ResourceType, Subresource, Version, api_version, sort_versions, split_api_version,
};
pub use request::{Answer, Body, Method, Request, Response, User, parse_query, percent_decode};
pub use selector::{FieldSelector, LabelSelector, SelectorError};
pub use status::{ApiError, Cause, Details};
pub use store::{Change, Compacted, ObjectName, Store, StoreEvent};
pub use world::{Options, WatchPoll, World};
