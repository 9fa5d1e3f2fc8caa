//! The laws of a sync, as properties: whatever is declared, whatever goes wrong, in whatever order.
//!
//! One file a law. Each has an oracle of its own that reads H, the world's history of what was sent, committed and told, and what was
//! put in; no oracle asks the engine, its plan or its guards. `generate` makes applications, revisions, people and faults up; `world`
//! plays them; `statistics` holds that every state is reached; `enumerate` goes through small scopes completely; `knockouts` breaks the
//! engine on purpose, law by law, and holds that it is seen.
//!
//! What a spec said, which commit was followed and what was approved the laws read from what the controller had been told by then (`told`),
//! never from what a case begins with: people edit the spec while the world runs.
//!
//! To a law each cluster is a world of its own: it is held against what happened in one cluster, together with what is of none (the
//! Application, the sources, the controller), for each of them. So no oracle takes a fact of one cluster for one of another.
//!
//! Deliberately absent: more than one Application, which has scenarios in `tests/engine`; sources of different kinds; histories that are
//! rewritten, lost or pinned, and rollbacks, of an Application with several sources; and fields that are not ours of an object that nobody
//! tracks: such an object is not kept whole, so that `RespectIgnoreDifferences` does not hold for its first write.

#![expect(clippy::panic, reason = "what the small world does not expect ends the test")]

mod ambiguous;
mod consent;
mod deletion;
mod dependency;
mod destination;
mod ends;
mod enumerate;
mod evidence;
mod fields;
mod generate;
mod history;
mod hook_evidence;
mod hook_once;
mod identity;
mod in_use;
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
mod told;
mod tracking;
mod unknown;
mod wave;
mod window;
mod world;
