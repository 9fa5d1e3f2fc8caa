//! Loading, dependencies, values and schemas, held against the real Helm on charts that nobody wrote: tables of awkward files, and charts
//! made up by a seeded generator. What Helm refuses must be refused; what it renders must be rendered to the same text.
//!
//! The program is `helm-render` in `CAPSTAN_ORACLES` (by default `~/.cache/capstan/oracles`, where `tests/oracles/build.sh` puts it);
//! without it the tests say so and pass. `CAPSTAN_CASES` sets how many charts each test looks at (60), `CAPSTAN_SEED` where
//! the generator begins.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test runs the real program on real files, says what it compared, and panics where it fails"
)]

mod archives;
mod bytes;
mod characters;
mod copies;
mod generate;
mod json_text;
mod loading;
mod made_schemas;
mod metadata;
mod odd_schemas;
mod oracle;
mod schema_limits;
mod schemas;
mod values;
mod words_of_schemas;
