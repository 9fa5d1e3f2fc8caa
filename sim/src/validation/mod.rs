//! What the server makes of an object that parses: defaults.

mod defaults;

pub(crate) use defaults::complete;
