//! The methods of `common.Values`, Helm's type of `.Values`: they hide keys of the same name.

use crate::exec::Result;
use crate::signature::Type;
use crate::value::{Map, Value};
use crate::{error::ExecError, gofmt::quote};

/// The Go type.
pub(crate) const TYPE: &str = "common.Values";

/// The parameters of a method, if the map is of that type.
pub(crate) fn method(map: &Map, name: &str) -> Option<Vec<Type>> {
    if map.type_name() != Some(TYPE) {
        return None;
    }
    match name {
        "AsMap" | "YAML" => Some(Vec::new()),
        "Table" | "PathValue" => Some(vec![Type::Str]),
        "Encode" => Some(vec![Type::Writer]),
        _ => None,
    }
}

/// Calls a method that [`method`] knows.
pub(crate) fn call(map: &Map, name: &str, arguments: &[Value]) -> Result<Value> {
    let path = match arguments.first() {
        Some(Value::Str(text)) => text.lossy().into_owned(),
        _ => String::new(),
    };
    match name {
        "AsMap" if map.is_empty() => Ok(Value::Map(Map::new())),
        "AsMap" => Ok(Value::Map(map.under(None))),
        "YAML" => Ok(Value::from(crate::functions::to_yaml(&Value::Map(map.clone())))),
        // Only nil fits its parameter.
        "Encode" => Err(ExecError::plain(
            "runtime error: invalid memory address or nil pointer dereference",
        )),
        "Table" => table(map, path.split('.'))
            .map(Value::Map)
            .map_err(|key| no(&key, "table")),
        _ => path_value(map, &path),
    }
}

fn no(key: &str, what: &str) -> ExecError {
    ExecError::plain(format!("{} is not a {what}", quote(key.as_bytes())))
}

/// The table at a path; `Err` names the part that is none.
fn table<'a>(map: &Map, path: impl Iterator<Item = &'a str>) -> std::result::Result<Map, String> {
    let mut found = map.clone();
    for part in path {
        found = match found.get(part) {
            Some(Value::Map(below)) => below.under(Some(TYPE)),
            _ => return Err(part.to_owned()),
        };
    }
    Ok(found)
}

/// The value at a path, which is no table.
fn path_value(map: &Map, path: &str) -> Result<Value> {
    if path.is_empty() {
        return Err(ExecError::plain("YAML path cannot be empty"));
    }
    let (folder, key) = path
        .rsplit_once('.')
        .map_or((None, path), |(folder, key)| (Some(folder), key));
    let holder = match folder {
        Some(folder) => table(map, folder.split('.')).map_err(|_| no(key, "value"))?,
        None => map.clone(),
    };
    match holder.get(key) {
        Some(value) if !matches!(value, Value::Map(_)) => Ok(value),
        _ => Err(no(key, "value")),
    }
}
