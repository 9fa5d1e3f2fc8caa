//! The schemas of schemas: what each draft allows a schema to be.
//!
//! The files are json-schema.org's. Those of drafts 4, 6 and 7 are the ones that Helm's library holds, in which an `enum` is neither empty nor
//! has equal items.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::compile::Compiler;
use super::document::{Draft, Library, Resource};
use super::json::Json;
use super::rules::{Id, Program};
use super::validate::{Problem, Run};

/// Paths at json-schema.org, and what is there.
const FILES: &[(&str, &str)] = &[
    ("draft-04/schema", include_str!("meta/draft-04.json")),
    ("draft-06/schema", include_str!("meta/draft-06.json")),
    ("draft-07/schema", include_str!("meta/draft-07.json")),
    ("draft/2019-09/schema", include_str!("meta/2019-09/schema.json")),
    (
        "draft/2019-09/meta/applicator",
        include_str!("meta/2019-09/applicator.json"),
    ),
    ("draft/2019-09/meta/content", include_str!("meta/2019-09/content.json")),
    ("draft/2019-09/meta/core", include_str!("meta/2019-09/core.json")),
    ("draft/2019-09/meta/format", include_str!("meta/2019-09/format.json")),
    (
        "draft/2019-09/meta/meta-data",
        include_str!("meta/2019-09/meta-data.json"),
    ),
    (
        "draft/2019-09/meta/validation",
        include_str!("meta/2019-09/validation.json"),
    ),
    ("draft/2020-12/schema", include_str!("meta/2020-12/schema.json")),
    (
        "draft/2020-12/meta/applicator",
        include_str!("meta/2020-12/applicator.json"),
    ),
    ("draft/2020-12/meta/content", include_str!("meta/2020-12/content.json")),
    ("draft/2020-12/meta/core", include_str!("meta/2020-12/core.json")),
    (
        "draft/2020-12/meta/format-annotation",
        include_str!("meta/2020-12/format-annotation.json"),
    ),
    (
        "draft/2020-12/meta/format-assertion",
        include_str!("meta/2020-12/format-assertion.json"),
    ),
    (
        "draft/2020-12/meta/meta-data",
        include_str!("meta/2020-12/meta-data.json"),
    ),
    (
        "draft/2020-12/meta/unevaluated",
        include_str!("meta/2020-12/unevaluated.json"),
    ),
    (
        "draft/2020-12/meta/validation",
        include_str!("meta/2020-12/validation.json"),
    ),
];

/// The document at a URL of json-schema.org.
pub(super) fn document(url: &str) -> Option<&'static Json> {
    static READ: OnceLock<BTreeMap<&'static str, Json>> = OnceLock::new();
    let path = url.strip_prefix("http://json-schema.org/");
    let path = path.or_else(|| url.strip_prefix("https://json-schema.org/"))?;
    let path = if path == "schema" { "draft/2020-12/schema" } else { path };
    let documents = READ.get_or_init(|| {
        let read = FILES
            .iter()
            .filter_map(|(path, text)| Some((*path, Json::read(text.as_bytes()).ok()?)));
        read.collect()
    });
    documents.get(path)
}

/// All meta schemas, and the root of each draft's.
#[derive(Debug)]
pub(super) struct Metas {
    pub(super) program: Program,
    roots: BTreeMap<Draft, Id>,
}

impl Metas {
    /// The schema of a draft's schemas.
    pub(super) fn root(&self, draft: Draft) -> Id {
        self.roots.get(&draft).copied().unwrap_or_default()
    }

    fn compile() -> Result<Self, String> {
        let library = Library { own: Json::Bool(true) };
        let mut compiler = Compiler::of_meta(&library);
        let mut roots = BTreeMap::new();
        for draft in [Draft::Four, Draft::Six, Draft::Seven, Draft::Y2019, Draft::Y2020] {
            roots.insert(draft, compiler.add(draft.url())?);
        }
        Ok(Self {
            program: compiler.finish(),
            roots,
        })
    }
}

/// Is it a schema? Each resource in it is held against the meta schema of its own draft.
pub(super) fn hold(schema: &Json, draft: Draft, resources: &BTreeMap<String, Resource>) -> Result<(), String> {
    static METAS: OnceLock<Result<Metas, String>> = OnceLock::new();
    let metas = METAS.get_or_init(Metas::compile).as_ref().map_err(Clone::clone)?;
    let mut run = Run::of_schema(metas, draft, resources);
    run.start(metas.root(draft), schema).map_err(|problem| match problem {
        Problem::Invalid(failure) => {
            let location = &metas.program.rules[metas.root(draft)].location;
            failure.report(location)
        }
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_meta_schema_is_a_schema_of_its_draft() {
        for (path, text) in FILES {
            let schema = Json::read(text.as_bytes()).unwrap();
            let url = schema.as_object().and_then(|fields| fields.get("$schema")?.as_text());
            let draft = Draft::named(url.unwrap()).unwrap();
            assert!(document(&format!("https://json-schema.org/{path}")).is_some());
            hold(&schema, draft, &BTreeMap::new()).unwrap_or_else(|problem| panic!("{path}: {problem}"));
        }
    }
}
