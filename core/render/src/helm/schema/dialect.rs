//! Drafts, and which groups of their keywords count.
//!
//! A schema that names a draft has that draft's usual vocabularies. One that names another document as its meta schema has those that the
//! document asks for: of json-schema.org's own documents, or of the chart's schema.

use super::json::{Fields, Json};
use super::place::split;
use super::words::quote_go;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    Four,
    Six,
    Seven,
    Y2019,
    Y2020,
}

impl Draft {
    /// What a schema is that says nothing.
    pub(super) const LATEST: Self = Self::Y2020;
    pub(super) const ALL: [Self; 5] = [Self::Four, Self::Six, Self::Seven, Self::Y2019, Self::Y2020];

    /// The draft a URL names.
    pub(super) fn named(url: &str) -> Option<Self> {
        let (url, fragment) = split(url);
        let name = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"))
            .unwrap_or(url);
        Some(
            match name.strip_prefix("json-schema.org/").filter(|_| fragment.is_empty())? {
                "schema" => Self::LATEST,
                "draft/2020-12/schema" => Self::Y2020,
                "draft/2019-09/schema" => Self::Y2019,
                "draft-07/schema" => Self::Seven,
                "draft-06/schema" => Self::Six,
                "draft-04/schema" => Self::Four,
                _ => return None,
            },
        )
    }

    pub(super) const fn url(self) -> &'static str {
        match self {
            Self::Four => "http://json-schema.org/draft-04/schema",
            Self::Six => "http://json-schema.org/draft-06/schema",
            Self::Seven => "http://json-schema.org/draft-07/schema",
            Self::Y2019 => "https://json-schema.org/draft/2019-09/schema",
            Self::Y2020 => "https://json-schema.org/draft/2020-12/schema",
        }
    }

    /// The name a schema gives itself: without its fragment.
    pub(super) fn id(self, fields: &Fields) -> Option<&str> {
        let id = self.written_id(fields)?;
        Some(split(id).0).filter(|id| !id.is_empty())
    }

    pub(super) fn written_id(self, fields: &Fields) -> Option<&str> {
        // Beside `$ref` these drafts see nothing.
        if self < Self::Y2019 && fields.contains_key("$ref") {
            return None;
        }
        let keyword = if self == Self::Four { "id" } else { "$id" };
        fields.get(keyword)?.as_text()
    }

    /// Where a keyword has schemas, if this draft knows it.
    pub(super) fn schemas_of(self, keyword: &str) -> Option<Schemas> {
        let (since, schemas) = match keyword {
            "additionalItems" | "additionalProperties" | "not" => (Self::Four, Schemas::ONE),
            "allOf" | "anyOf" | "oneOf" => (Self::Four, Schemas::LIST),
            "definitions" | "dependencies" | "patternProperties" | "properties" => (Self::Four, Schemas::NAMED),
            "items" => (
                Self::Four,
                Schemas {
                    one: true,
                    ..Schemas::LIST
                },
            ),
            "contains" | "propertyNames" => (Self::Six, Schemas::ONE),
            "else" | "if" | "then" => (Self::Seven, Schemas::ONE),
            "$defs" | "dependentSchemas" => (Self::Y2019, Schemas::NAMED),
            "contentSchema" | "unevaluatedItems" | "unevaluatedProperties" => (Self::Y2019, Schemas::ONE),
            "prefixItems" => (Self::Y2020, Schemas::LIST),
            _ => return None,
        };
        (self >= since).then_some(schemas)
    }

    /// The vocabularies that can be asked for.
    pub(super) const fn vocabularies(self) -> &'static [Vocabulary] {
        use Vocabulary as V;
        match self {
            Self::Four | Self::Six | Self::Seven => &[],
            Self::Y2019 => &[
                V::Core,
                V::Applicator,
                V::Validation,
                V::MetaData,
                V::Format,
                V::Content,
            ],
            Self::Y2020 => &[
                V::Core,
                V::Applicator,
                V::Unevaluated,
                V::Validation,
                V::MetaData,
                V::FormatAnnotation,
                V::FormatAssertion,
                V::Content,
            ],
        }
    }
}

/// Which values of a keyword are schemas: it, those in its list, those by name.
#[derive(Clone, Copy)]
pub(super) struct Schemas {
    pub(super) one: bool,
    pub(super) list: bool,
    pub(super) named: bool,
}

impl Schemas {
    const ONE: Self = Self {
        one: true,
        list: false,
        named: false,
    };
    const LIST: Self = Self {
        one: false,
        list: true,
        named: false,
    };
    const NAMED: Self = Self {
        one: false,
        list: false,
        named: true,
    };
}

/// A group of keywords.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Vocabulary {
    Core,
    Applicator,
    Unevaluated,
    Validation,
    MetaData,
    Format,
    FormatAnnotation,
    FormatAssertion,
    Content,
}

impl Vocabulary {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Applicator => "applicator",
            Self::Unevaluated => "unevaluated",
            Self::Validation => "validation",
            Self::MetaData => "meta-data",
            Self::Format => "format",
            Self::FormatAnnotation => "format-annotation",
            Self::FormatAssertion => "format-assertion",
            Self::Content => "content",
        }
    }
}

/// What a schema's keywords mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) draft: Draft,
    /// What its meta schema asks for, in order; nothing for the draft's own.
    pub(super) vocabularies: Option<Vec<Vocabulary>>,
}

impl Dialect {
    pub(super) const LATEST: Self = Self {
        draft: Draft::LATEST,
        vocabularies: None,
    };

    pub(super) fn has(&self, vocabulary: Vocabulary) -> bool {
        match &self.vocabularies {
            _ if self.draft < Draft::Y2019 || vocabulary == Vocabulary::Core => true,
            Some(all) => all.contains(&vocabulary),
            None => match vocabulary {
                Vocabulary::Applicator | Vocabulary::Validation => true,
                Vocabulary::Unevaluated => self.draft >= Draft::Y2020,
                _ => false,
            },
        }
    }

    pub(super) fn has_unevaluated(&self) -> bool {
        match self.draft {
            Draft::Y2019 => self.has(Vocabulary::Applicator),
            draft => draft > Draft::Y2019 && self.has(Vocabulary::Unevaluated),
        }
    }

    /// Later drafts take a format for a remark.
    pub(super) fn asserts_formats(&self) -> bool {
        match self.draft {
            Draft::Y2019 => self.has(Vocabulary::Format),
            draft => draft < Draft::Y2019 || self.has(Vocabulary::FormatAssertion),
        }
    }
}

/// The vocabularies that a meta schema asks for; nothing if it does not speak of them.
pub(super) fn vocabularies(draft: Draft, url: &str, meta: &Json) -> Result<Option<Vec<Vocabulary>>, String> {
    let asked = meta
        .as_object()
        .and_then(|fields| fields.get("$vocabulary")?.as_object());
    let Some(asked) = asked.filter(|_| draft >= Draft::Y2019) else {
        return Ok(None);
    };
    let mut found = vec![Vocabulary::Core];
    for (name, _) in asked.iter().filter(|(_, is_needed)| is_needed.as_bool() == Some(true)) {
        let known = name.strip_prefix(draft.url().trim_end_matches("schema"));
        let known = known.and_then(|name| name.strip_prefix("vocab/"));
        match draft.vocabularies().iter().find(|one| known == Some(one.name())) {
            Some(one) => found.push(*one),
            None => {
                return Err(format!(
                    "unsupported vocabulary {} in {}",
                    quote_go(name),
                    quote_go(url)
                ));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(Some(found))
}
