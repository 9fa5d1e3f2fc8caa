//! Go's text/template with the functions Helm registers.
//!
//! **Problem.** A chart is a program for one particular interpreter: Go's template engine, its reflection, its `fmt` package, and some 220
//! functions of sprig and Helm. Checksums of its output restart workloads, and its errors are how charts say that a value is missing. So
//! this crate does what Go does, to the byte where Go's output is defined, and with Go's messages where it fails.
//!
//! **Shape.** [`TemplateSet`] parses named texts into one namespace (cheap to clone, shareable between threads). [`TemplateSet::execute`]
//! runs one of them on a [`Value`] with a [`Context`]: [`Limits`], counters, and the [`Ambient`] clock and randomness. All files of a chart are
//! executed with one context and one root value, so that a `set` in one file is seen in the next.
//!
//! **Invariants.** No input panics or overflows the stack. Every execution ends: fuel, output, depth and nesting are counted, and the
//! error names the limit and the place. Equal inputs, clock and key give equal output. Nothing is read from the machine.
//!
//! **Deliberately absent.** Files and capabilities (the caller builds them as [`Object`]s or [`Record`]s), `env` and `expandenv` as in Helm,
//! functions as values, and a local time zone other than UTC.

mod ambient;
mod ast;
mod characters;
mod chart_values;
mod context;
mod error;
mod eval;
mod exec;
mod float;
mod functions;
mod garbled;
mod go_regex;
mod go_syntax;
mod gofmt;
mod lex;
mod literal;
mod object;
mod parse;
mod set;
mod signature;
mod stack;
mod time;
mod value;

pub use ambient::{Ambient, Clock, ForbiddenRandom, KeyedRandom, Lookup, Random};
pub use characters::is_printable;
pub use context::{Context, Interrupt, Limits};
pub use error::{ExecError, Limit, TemplateError};
pub use functions::{PatternError, check_pattern, compile_pattern, function_names, matches_constraint, to_yaml};
pub use object::{Method, Object, Record};
pub use set::{TemplateSet, erase_no_value};
pub use signature::Type;
pub use stack::grow;
pub use value::{Element, Entries, List, Map, Text, Time, Value, Zone, text};
