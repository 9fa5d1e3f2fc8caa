//! Merge keys: `<<` brings the entries of other mappings into this one.

use libyaml_safer::EventData;
use serde_json::{Map, Value};

/// `<<`, plain or with its tag.
pub(crate) fn is_merge_key(event: &EventData) -> bool {
    matches!(event, EventData::Scalar { tag, value, plain_implicit, .. }
        if value == "<<" && (*plain_implicit || tag.as_deref() == Some("tag:yaml.org,2002:merge")))
}

/// The mappings a merge key brings in, the most important first. An alias has to stand for a mapping: a list must be written out.
pub(crate) fn merge_sources(value: Value, aliased: bool) -> Option<Vec<Map<String, Value>>> {
    match value {
        Value::Object(map) => Some(vec![map]),
        Value::Array(items) if !aliased => items
            .into_iter()
            .map(|item| if let Value::Object(map) = item { Some(map) } else { None })
            .collect(),
        _ => None,
    }
}
