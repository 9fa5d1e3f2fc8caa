//! The laws of a sync, as properties: whatever is declared, whatever goes wrong, in whatever order.
//!
//! One file a law. Each has an oracle of its own that reads H, the world's history of what was sent, committed and told, and what was
//! put in; no oracle asks the engine, its plan or its guards. `generate` makes applications, revisions, people and faults up; `world`
//! plays them; `statistics` holds that every state is reached; `enumerate` goes through small scopes completely; `knockouts` breaks the
//! engine on purpose, law by law, and holds that it is seen.
//!
//! To a law each cluster is a world of its own: it is held against what happened in one cluster, together with what is of none (the
//! Application, the sources, the controller), for each of them. So no oracle takes a fact of one cluster for one of another.
//!
//! Deliberately absent: more than one Application; edits of a `spec` while the world runs, but for its destination, and rollbacks; branches
//! that are rewritten or gone for a while; sources of different kinds; `RespectIgnoreDifferences`. These have scenarios in `tests/engine`.

#![expect(clippy::panic, reason = "what the small world does not expect ends the test")]

mod ambiguous;
mod deletion;
mod dependency;
mod destination;
mod ends;
mod enumerate;
mod evidence;
mod generate;
mod history;
mod hook_evidence;
mod hook_once;
mod knockouts;
mod no_op;
mod objects;
mod openings;
mod phase;
mod pinned;
mod preconditions;
mod prune_order;
mod restore;
mod search;
mod several;
mod statistics;
mod status;
mod tracking;
mod unknown;
mod wave;
mod window;
mod world;
