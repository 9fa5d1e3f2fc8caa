//! What must be true before something is deleted.

mod permit;
mod witness;

pub use permit::{DeletePermit, DeletePreconditions, DeleteRefusal};
pub(crate) use witness::{CompleteLive, CompleteRender};
