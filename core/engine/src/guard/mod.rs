//! What must be true before something is deleted.

mod permit;

pub use permit::{DeletePermit, DeletePreconditions, DeleteRefusal};
