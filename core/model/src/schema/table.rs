//! Reads the checked-in table.

use super::{Field, Relation, Scalar, Shape, Table, Type};

/// Parses the table.
///
/// # Panics
/// When the checked-in file is not one this generator wrote.
pub(super) fn parse(text: &'static str) -> Table {
    let mut table = Table::default();
    let mut current: Option<Type> = None;
    for line in text.lines() {
        let mut words = line.trim_start().split(' ');
        match line.as_bytes().first() {
            Some(b' ') => {
                let field = field(line);
                current.as_mut().expect("a field follows its type").fields.push(field);
            }
            Some(b'K') => {
                let mut next = || words.next().expect("a kind line has four words");
                let (_, version, kind, name) = (next(), next(), next(), next());
                table.kinds.insert((version, kind), name);
            }
            Some(b'T') => {
                table.types.extend(current.take().map(|t| (t.name, t)));
                current = Some(Type {
                    name: words.nth(1).expect("a type line has a name"),
                    atomic: words.next() == Some("a"),
                    fields: Vec::new(),
                });
            }
            _ => {}
        }
    }
    table.types.extend(current.map(|t| (t.name, t)));
    table
}

fn field(line: &'static str) -> Field {
    let mut words = line.trim_start().split(' ');
    let name = words.next().expect("a field has a name");
    let shape_text = words.next().expect("a field has a shape");
    let bare = shape_text.trim_start_matches('*');
    let mut field = Field {
        name,
        shape: shape(bare),
        pointer: bare.len() < shape_text.len(),
        printed: false,
        required: false,
        relation: Relation::Granular,
        merge_key: None,
        merges: false,
        retains_keys: false,
        replaces: false,
        default: None,
    };
    if matches!(field.shape, Shape::List(_)) {
        field.relation = Relation::Atomic;
    }
    for flag in words {
        set(&mut field, flag);
    }
    field
}

fn set(field: &mut Field, flag: &'static str) {
    match flag.split_once(':') {
        None => match flag {
            "!" => field.printed = true,
            "r" => field.required = true,
            "s" => field.relation = Relation::Set,
            "a" => field.relation = Relation::Atomic,
            other => unreachable!("a flag the generator does not write: {other}"),
        },
        Some(("m", keys)) => field.relation = Relation::Keyed(keys.split(',').collect()),
        Some(("k", key)) => field.merge_key = Some(key),
        Some(("p", strategies)) => {
            field.merges = strategies.split(',').any(|s| s == "merge");
            field.retains_keys = strategies.split(',').any(|s| s == "retainKeys");
            field.replaces = strategies.split(',').any(|s| s == "replace");
        }
        Some(("d", json)) => field.default = Some(serde_json::from_str(json).expect("a default is JSON")),
        Some((other, _)) => unreachable!("a flag the generator does not write: {other}"),
    }
}

fn shape(text: &'static str) -> Shape {
    if let Some(item) = text.strip_prefix('*') {
        return shape(item);
    }
    if let Some(item) = text.strip_prefix("[]") {
        return Shape::List(Box::new(shape(item)));
    }
    if let Some(item) = text.strip_prefix("{}") {
        return Shape::Map(Box::new(shape(item)));
    }
    let (kind, name) = text.split_once('/').unwrap_or((text, text));
    Shape::Scalar(match kind {
        "string" => Scalar::String(name),
        "bool" => Scalar::Bool,
        "int32" => Scalar::Int32(name),
        "int64" => Scalar::Int64(name),
        "float64" => Scalar::Float64,
        "bytes" => Scalar::Bytes,
        "time" => Scalar::Time,
        "microtime" => Scalar::MicroTime,
        "duration" => Scalar::Duration,
        "quantity" => Scalar::Quantity,
        "intstr" => Scalar::IntOrString,
        "any" => return Shape::Any,
        name => return Shape::Struct(name),
    })
}
