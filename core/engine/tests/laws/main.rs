//! The laws of a sync, as properties: whatever is declared, whatever goes wrong, in whatever order.
//!
//! One file a law. Each has an oracle of its own that reads H, the world's history of what was sent, committed and told, and what was
//! put in; no oracle asks the engine, its plan or its guards. `generate` makes applications, revisions, people and faults up; `world`
//! plays them; `statistics` holds that every state is reached; `enumerate` goes through small scopes completely; `knockouts` breaks the
//! engine on purpose, law by law, and holds that it is seen.
//!
//! Deliberately absent: more than one Application, source or cluster; a `spec` that is edited while the world runs, and rollbacks; branches
//! that are rewritten or gone for a while; `RespectIgnoreDifferences`. These have scenarios in `tests/engine`.

#![expect(clippy::panic, reason = "what the small world does not expect ends the test")]

mod ambiguous;
mod deletion;
mod dependency;
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
mod statistics;
mod status;
mod tracking;
mod unknown;
mod wave;
mod window;
mod world;
