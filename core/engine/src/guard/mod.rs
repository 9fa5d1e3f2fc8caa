//! What must be true before something is deleted.
//!
//! Three lines, one behind the other:
//! - **Types.** [`DeletePermit`] is the only way to a DELETE, and only a complete render and a complete live view give one. It is checked
//!   against a fresh read, and where a whole namespace or a kind would go along against what is in it.
//! - **Holds.** Rules look at the plan of an automated sync that prunes, each time it is made: what they find is not deleted until a person
//!   approves or the reason goes away. Everything else of the sync goes on.
//! - **Waits.** After a start deletes wait until the same was seen twice.
//!
//! Deliberately absent: carrying any of it out. The rules are functions of facts; `engine/guarding.rs` gathers those and keeps what they
//! found.

mod contended;
mod contents;
mod fence;
mod findings;
mod grounds;
mod hold;
mod mass_prune;
mod needed;
mod pause;
mod permit;
mod protected;
mod undeclared;
mod warm_up;
mod witness;

pub(crate) use contended::Contention;
pub use contents::{Content, Survey, is_incidental, survey};
pub(crate) use contents::{RESERVED, goes_with_application, is_looked_into, is_reserved, may_go_along};
pub use fence::{Fence, LostLease};
pub(crate) use findings::{Doomed, Facts, findings, findings_of_contents};
pub(crate) use grounds::rules_asked;
pub use grounds::{DeleteReason, Grounds};
pub(crate) use hold::{Approval, Finding, Hold, Rule, Told, is_held, of_contents, of_holds, parse, standing, told};
pub(crate) use mass_prune::PruneLimits;
pub(crate) use needed::{is_home, need};
pub use pause::Pause;
pub use permit::{DeletePermit, DeletePreconditions, DeleteRefusal};
pub(crate) use permit::{in_use, not_surveyed, refusal};
pub(crate) use protected::{may_not_be_recreated, stays_between_runs};
pub(crate) use undeclared::{Undeclared, stays_ordinary};
pub(crate) use warm_up::WarmUp;
pub(crate) use witness::{CompleteLive, CompleteRender};
