//! The schemas of schemas: what each draft allows a schema to be.
//!
//! The files are json-schema.org's. Those of drafts 4, 6 and 7 are the ones that Helm's library holds, in which an `enum` is neither empty nor
//! has equal items.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, OnceLock};

use super::budget::{Budget, Refused};
use super::compile::Compiler;
use super::dialect::{Dialect, Draft, Vocabulary};
use super::document::{Library, Resource};
use super::json::Json;
use super::place::Place;
use super::rules::{BranchRules, DynamicRules, Id, Program, Rules};
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
        let read = |text: &str| Json::read(text.as_bytes(), &mut Budget::ENDLESS.clone()).ok();
        let read = FILES.iter().filter_map(|(path, text)| Some((*path, read(text)?)));
        read.collect()
    });
    documents.get(path)
}

/// All meta schemas.
#[derive(Debug)]
struct Metas {
    program: Program,
    drafts: BTreeMap<Draft, Id>,
    vocabularies: BTreeMap<(Draft, Vocabulary), Id>,
}

impl Metas {
    fn compile() -> Result<Self, String> {
        let library = Library { own: Json::Bool(true) };
        let mut budget = Budget::ENDLESS;
        let mut compiler = Compiler::of_meta(&library, &mut budget);
        let (mut drafts, mut vocabularies) = (BTreeMap::new(), BTreeMap::new());
        let text = |refused: Refused| refused.to_string();
        for draft in Draft::ALL {
            drafts.insert(draft, compiler.add(draft.url()).map_err(text)?);
            for vocabulary in draft.vocabularies() {
                let folder = draft.url().trim_end_matches("schema");
                let url = format!("{folder}meta/{}", vocabulary.name());
                vocabularies.insert((draft, *vocabulary), compiler.add(&url).map_err(text)?);
            }
        }
        Ok(Self {
            program: compiler.finish(),
            drafts,
            vocabularies,
        })
    }

    fn all() -> Result<&'static Self, String> {
        static METAS: OnceLock<Result<Metas, String>> = OnceLock::new();
        METAS.get_or_init(Self::compile).as_ref().map_err(Clone::clone)
    }
}

/// The meta schemas for the resources of one document.
#[derive(Debug)]
pub(super) struct Roots {
    drafts: &'static BTreeMap<Draft, Id>,
    /// One for each list of vocabularies that something in the document asks for, behind those that are there for all documents.
    made: Vec<Rules>,
    ids: BTreeMap<(Draft, Vec<Vocabulary>), Id>,
}

impl Roots {
    fn new(metas: &'static Metas, dialects: impl Iterator<Item = Dialect>) -> Self {
        let (mut made, mut ids) = (Vec::new(), BTreeMap::new());
        for dialect in dialects {
            let Some(vocabularies) = dialect.vocabularies else {
                continue;
            };
            let key = (dialect.draft, vocabularies);
            let id = metas.program.rules.len() + made.len();
            if let Entry::Vacant(free) = ids.entry(key) {
                made.push(all_of(metas, &free.key().1, dialect.draft, id));
                free.insert(id);
            }
        }
        Self {
            drafts: &metas.drafts,
            made,
            ids,
        }
    }

    /// The schema that a resource of a dialect has to satisfy.
    pub(super) fn of(&self, dialect: &Dialect) -> Id {
        let of_draft = || self.drafts.get(&dialect.draft).copied().unwrap_or_default();
        match &dialect.vocabularies {
            Some(all) => self
                .ids
                .get(&(dialect.draft, all.clone()))
                .copied()
                .unwrap_or_else(of_draft),
            None => of_draft(),
        }
    }

    pub(super) fn rules(&self, id: Id, behind: usize) -> Option<&Rules> {
        self.made.get(id.checked_sub(behind)?)
    }
}

/// What all of these vocabularies allow.
fn all_of(metas: &Metas, vocabularies: &[Vocabulary], draft: Draft, id: Id) -> Rules {
    let mut rules = Rules::new(Place::new("urn:mem:metaschema", ""), draft);
    rules.resource = id;
    let ids = vocabularies
        .iter()
        .filter_map(|one| metas.vocabularies.get(&(draft, *one)));
    rules.branches = Some(Box::new(BranchRules {
        all_of: ids.copied().collect(),
        ..BranchRules::default()
    }));
    if draft >= Draft::Y2020 {
        rules.dynamic = Some(Box::new(DynamicRules {
            anchors: BTreeMap::from([("meta".to_owned(), id)]),
            anchor: "meta".to_owned(),
            ..DynamicRules::default()
        }));
    }
    rules
}

/// Is it a schema? Each resource in it is held against the meta schema of its own dialect.
pub(super) fn hold(
    schema: &Json,
    dialect: &Dialect,
    resources: &BTreeMap<Arc<str>, Resource>,
    budget: &mut Budget,
) -> Result<(), Refused> {
    let metas = Metas::all()?;
    let dialects = resources.values().map(|resource| resource.dialect.clone());
    let roots = Roots::new(metas, dialects.chain([dialect.clone()]));
    let root = roots.of(dialect);
    let held = Run::of_schema(&metas.program, &roots, root, resources, budget).start(root, schema);
    held.map_err(|problem| match problem {
        Problem::Invalid(failure) => {
            let named = match roots.rules(root, metas.program.rules.len()) {
                // As the library names what it makes up.
                Some(rules) => rules.place.url.to_string(),
                None => metas.program.rules[root].place.to_string(),
            };
            Refused::Because(failure.report(&named))
        }
        Problem::Limit(exceeded) => exceeded.into(),
        Problem::NoNumber => Refused::Because(problem.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_meta_schema_is_a_schema_of_its_draft() {
        for (path, text) in FILES {
            let mut budget = Budget::FULL;
            let schema = Json::read(text.as_bytes(), &mut budget).unwrap();
            let url = schema.as_object().and_then(|fields| fields.get("$schema")?.as_text());
            let draft = Draft::named(url.unwrap()).unwrap();
            assert!(document(&format!("https://json-schema.org/{path}")).is_some());
            let dialect = Dialect {
                draft,
                vocabularies: None,
            };
            let held = hold(&schema, &dialect, &BTreeMap::new(), &mut budget);
            held.unwrap_or_else(|problem| panic!("{path}: {problem}"));
        }
    }
}
