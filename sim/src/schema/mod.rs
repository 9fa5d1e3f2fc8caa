//! Objects read as their Go types: [`decode`] for what a client sent, [`empty`] for what a type prints when nothing was set.
//!
//! Types come from [`capstan_model::schema`]. Decoding drops what the type does not know (and says so), refuses values of another
//! type with the message Go's decoder gives, and leaves out what an `omitempty` field would leave out, so that a decoded object prints
//! as the server prints it.

mod decode;
mod quantity;

pub(crate) use decode::{decode, empty};
pub(crate) use quantity::Quantity;
