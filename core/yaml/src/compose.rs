//! From scanner events to JSON values: anchors, merge keys, duplicate keys, scalar types and the limits.

use std::collections::BTreeMap;
use std::io::Read as _;

use libyaml_safer::{Event, EventData, MappingStyle, Mark, Parser, ScalarStyle, SequenceStyle};
use serde_json::{Map, Value};

use crate::merge::{is_merge_key, merge_sources};
use crate::node::{Anchor, Node};
use crate::number::{Floats, go_float_key, unwritable_key};
use crate::problem::{
    alias_key, check_flow_text, error_at, go_syntax, go_value, line, position, syntax_error, unsupported_key,
};
use crate::reader::{Readable, Tail};
use crate::repair::{Place, with_repairs};
use crate::scalar::{Scalar, resolve};
use crate::tag::scalar_value;
use crate::unwritable::Unwritable;
use crate::visits::Visits;
use crate::{Document, Mode, Warning, YamlError, YamlErrorKind};

/// How deep collections may nest, aliases expanded.
pub const MAX_DEPTH: usize = 100;

/// How many nodes the aliases of one text may expand to.
pub const MAX_ALIAS_NODES: usize = 1_000_000;

/// All documents of a text, in order; empty documents are `Null` values. The text is UTF-8, or UTF-16 with a byte order mark.
///
/// # Errors
/// [`YamlError`] for the first thing that Kubernetes would not read or that passes a limit. Nothing of the text is returned then.
pub fn parse_documents(text: &(impl AsRef<[u8]> + ?Sized), mode: Mode) -> Result<Vec<Document>, YamlError> {
    compose(text.as_ref(), mode, Floats::Whole, |composer| {
        let mut documents = Vec::new();
        while let Some(document) = composer.document()? {
            documents.push(document);
        }
        Ok(documents)
    })
}

/// The first document of a text, `Null` where there is none. What follows the first document is not read, as Go's decoder does not.
///
/// # Errors
/// See [`parse_documents`].
pub fn parse_one(text: &(impl AsRef<[u8]> + ?Sized), mode: Mode) -> Result<Value, YamlError> {
    first_document(text.as_ref(), mode, Floats::Whole)
}

/// The first document of a text as [`parse_one`] gives it, but that a float stays one where it is a whole number: what reads it into a
/// float64 or a string, as templates and `Chart.yaml` do, sees the difference.
///
/// # Errors
/// See [`parse_documents`].
pub fn parse_one_with_floats(text: &(impl AsRef<[u8]> + ?Sized), mode: Mode) -> Result<Value, YamlError> {
    first_document(text.as_ref(), mode, Floats::Stay)
}

fn first_document(text: &[u8], mode: Mode, floats: Floats) -> Result<Value, YamlError> {
    compose(text, mode, floats, |composer| {
        Ok(composer.document()?.map_or(Value::Null, |document| document.value))
    })
}

fn compose<T>(
    text: &[u8],
    mode: Mode,
    floats: Floats,
    read: impl Fn(&mut Composer<'_>) -> Result<T, YamlError>,
) -> Result<T, YamlError> {
    let readable = Readable::of(text);
    with_repairs(&readable.text, |text| {
        let mut composer = Composer::new(text, readable.end.as_ref(), mode, floats);
        read(&mut composer).map_err(|error| (error, composer.place))
    })
}

/// A collection and the levels of collections in it.
type Collection = (Value, usize);

/// A mapping while it is being read.
#[derive(Default)]
struct Entries {
    map: Map<String, Value>,
    /// Line of each explicit key.
    lines: BTreeMap<String, usize>,
    /// Why it has no form in JSON: the first of its keys that has none.
    unwritable: Option<YamlError>,
}

/// The text, and the line break that the scanner needs at its end.
type Input<'b> = std::io::Chain<&'b [u8], Tail>;

struct Composer<'b> {
    parser: Parser<Input<'b>>,
    /// Why the text cannot be read further than it is given.
    unreadable: Option<&'b YamlError>,
    /// Where the scanner gave up, if Go's does not there.
    place: Option<Place>,
    /// The last line of a text that does not end in a line break: the one that was added is taken off the scalar that holds it.
    unfinished: Option<&'b str>,
    /// Bytes of the text.
    length: u64,
    mode: Mode,
    floats: Floats,
    anchors: BTreeMap<String, Anchor>,
    /// What closes the flow collections that are open.
    flows: Vec<char>,
    visits: Visits,
    warnings: Vec<Warning>,
    unwritable: Unwritable,
    /// The text, when it holds an escape that this scanner accepts and Kubernetes' does not.
    suspicious: Option<Vec<u8>>,
}

impl<'b> Composer<'b> {
    fn new(text: &'b str, unreadable: Option<&'b YamlError>, mode: Mode, floats: Floats) -> Self {
        let mut parser = Parser::new();
        parser.set_encoding(libyaml_safer::Encoding::Utf8);
        let unfinished = (unreadable.is_none() && !text.ends_with(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']))
            .then(|| text.rsplit(['\n', '\r']).next().unwrap_or_default());
        let tail = match (unreadable, unfinished) {
            (Some(_), _) => Tail::Unreadable,
            (None, Some(_)) => Tail::Bytes(b"\n"),
            (None, None) => Tail::Bytes(b""),
        };
        parser.set_input(text.as_bytes().chain(tail));
        let suspicious = text.contains("\\/").then(|| text.as_bytes().to_vec());
        Self {
            parser,
            unreadable,
            place: None,
            unfinished,
            length: text.len() as u64,
            mode,
            floats,
            anchors: BTreeMap::new(),
            flows: Vec::new(),
            visits: Visits::new(mode),
            warnings: Vec::new(),
            unwritable: Unwritable::default(),
            suspicious,
        }
    }

    fn document(&mut self) -> Result<Option<Document>, YamlError> {
        loop {
            let event = self.next()?;
            match event.data {
                EventData::StreamEnd => return Ok(None),
                EventData::DocumentStart { .. } => {
                    let start = line(event.start_mark);
                    let root = self.next()?;
                    let root_line = line(root.start_mark);
                    self.visits.begin();
                    let read = self.node(root, 0);
                    let unwritable = std::mem::take(&mut self.unwritable);
                    let value = match read.and_then(|node| unwritable.check(node.value)) {
                        Ok(value) => value,
                        Err(error) => return Err(self.first_syntax_error(error)),
                    };
                    // The end of the document: what cannot follow the value is an error of this document.
                    self.next()?;
                    self.anchors.clear();
                    let line = if value.is_null() { start } else { root_line };
                    return Ok(Some(Document {
                        value,
                        line,
                        warnings: std::mem::take(&mut self.warnings),
                    }));
                }
                _ => {}
            }
        }
    }

    /// Go reads the whole document before it looks at what is in it, so that an error of syntax further down comes first.
    fn first_syntax_error(&mut self, error: YamlError) -> YamlError {
        let contains_itself = error.kind == YamlErrorKind::Alias && error.message.ends_with("contains itself");
        let of_meaning = contains_itself
            || matches!(
                error.kind,
                YamlErrorKind::Key
                    | YamlErrorKind::Merge
                    | YamlErrorKind::Value
                    | YamlErrorKind::DuplicateKey { .. }
                    | YamlErrorKind::AliasRatio
            );
        if !of_meaning {
            return error;
        }
        loop {
            match self.next() {
                Err(earlier) => return earlier,
                Ok(event) if matches!(event.data, EventData::DocumentEnd { .. } | EventData::StreamEnd) => {
                    return error;
                }
                Ok(_) => {}
            }
        }
    }

    fn next(&mut self) -> Result<Event, YamlError> {
        self.parser.parse().map_err(|error| match self.unreadable {
            Some(end) if error.kind() == libyaml_safer::ErrorKind::Io => end.clone(),
            _ => {
                self.place = Place::of(&error);
                syntax_error(&error, self.unfinished.map(|last| (last, self.length)))
            }
        })
    }

    fn node(&mut self, event: Event, depth: usize) -> Result<Node, YamlError> {
        let mark = event.start_mark;
        match event.data {
            EventData::Alias { anchor } => self.alias(&anchor, mark, depth),
            EventData::Scalar {
                anchor,
                tag,
                value,
                plain_implicit,
                style,
                ..
            } => {
                match style {
                    ScalarStyle::DoubleQuoted => self.check_escapes(mark, event.end_mark)?,
                    ScalarStyle::Plain if !self.flows.is_empty() => check_flow_text(&value, mark, self.flows.last())?,
                    _ => {}
                }
                let value = self.as_written(value, style, event.end_mark);
                let value = scalar_value(tag.as_deref(), value, plain_implicit, mark, (self.mode, self.floats))?;
                let value = value.unwrap_or_else(|error| self.unwritable.put(error));
                self.visits.node(mark)?;
                let node = Node::scalar(value);
                self.close_anchor(anchor, &node);
                Ok(node)
            }
            EventData::SequenceStart { anchor, style, .. } => {
                let flow = (style == SequenceStyle::Flow).then_some(']');
                self.collection(anchor, mark, depth, flow, Self::sequence)
            }
            EventData::MappingStart { anchor, style, .. } => {
                let flow = (style == MappingStyle::Flow).then_some('}');
                self.collection(anchor, mark, depth, flow, Self::mapping)
            }
            _ => Err(error_at(
                mark,
                YamlErrorKind::Syntax,
                "a value was expected here".to_owned(),
            )),
        }
    }

    /// A block scalar that ends with the text has no line break at its end if the text has none.
    fn as_written(&self, mut value: String, style: ScalarStyle, end: Mark) -> String {
        let Some(last_line) = self.unfinished else { return value };
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if is_block && end.index > self.length && value.ends_with('\n') {
            let last = value[..value.len() - 1].rsplit('\n').next().unwrap_or_default();
            if !last_line.trim().is_empty() || last_line.ends_with(last) {
                value.pop();
            }
        }
        value
    }

    /// `\/` is no escape of YAML 1.1.
    fn check_escapes(&self, start: Mark, end: Mark) -> Result<(), YamlError> {
        let Some(text) = &self.suspicious else { return Ok(()) };
        let (from, to) = (position(start.index) - 1, position(end.index) - 1);
        let mut rest = text.get(from..to).unwrap_or_default().iter();
        while let Some(c) = rest.next() {
            if *c == b'\\' && rest.next() == Some(&b'/') {
                let message = "found unknown escape character: \\/ (write / alone)".to_owned();
                return Err(YamlError {
                    go_message: "found unknown escape character".to_owned(),
                    ..error_at(start, YamlErrorKind::Syntax, message)
                });
            }
        }
        Ok(())
    }

    fn collection(
        &mut self,
        anchor: Option<String>,
        mark: Mark,
        depth: usize,
        flow: Option<char>,
        read: fn(&mut Self, usize) -> Result<Collection, YamlError>,
    ) -> Result<Node, YamlError> {
        check_depth(depth + 1, mark)?;
        if let Some(anchor) = &anchor {
            self.anchors.insert(anchor.clone(), Anchor::Open);
        }
        let before = self.visits.count();
        self.visits.node(mark)?;
        let around = self.flows.len();
        self.flows.extend(flow);
        let (value, height) = read(self, depth + 1)?;
        self.flows.truncate(around);
        let node = Node {
            value,
            nodes: self.visits.count() - before,
            height,
        };
        self.close_anchor(anchor, &node);
        Ok(node)
    }

    fn close_anchor(&mut self, anchor: Option<String>, node: &Node) {
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, Anchor::Done(node.clone()));
        }
    }

    fn sequence(&mut self, depth: usize) -> Result<Collection, YamlError> {
        let (mut items, mut height) = (Vec::new(), 0);
        loop {
            let event = self.next()?;
            if matches!(event.data, EventData::SequenceEnd) {
                return Ok((Value::Array(items), height + 1));
            }
            let item = self.node(event, depth)?;
            height = height.max(item.height);
            items.push(item.value);
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Collection, YamlError> {
        let mut entries = Entries::default();
        let mut height = 0;
        let mut merged = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event.data, EventData::MappingEnd) {
                break;
            }
            let mark = event.start_mark;
            let is_merge = is_merge_key(&event.data);
            let key = match is_merge {
                true => Ok(String::new()),
                false => self.key(event, depth)?,
            };
            let event = self.next()?;
            let value_mark = event.start_mark;
            let aliased = matches!(event.data, EventData::Alias { .. });
            if is_merge && matches!(event.data, EventData::SequenceStart { .. }) {
                // Its items are merged one by one: nobody visits the list.
                self.visits.skip();
            }
            let value = self.node(event, depth)?;
            height = height.max(value.height);
            if !is_merge {
                self.insert(&mut entries, key, mark, value.value)?;
                continue;
            }
            let value = self.unwritable.check(value.value)?;
            let sources = merge_sources(value, aliased).ok_or_else(|| {
                let message = "map merge requires map or sequence of maps as the value".to_owned();
                error_at(value_mark, YamlErrorKind::Merge, message)
            })?;
            if self.mode == Mode::Kube11 {
                // Go's decoder reads the merged mapping into the same map at this point: it overrides what stands above it.
                entries.map.extend(sources.into_iter().rev().flatten());
            } else {
                merged.extend(sources);
            }
        }
        for (key, value) in merged.into_iter().flatten() {
            entries.map.entry(key).or_insert(value);
        }
        let value = match entries.unwritable {
            Some(error) => self.unwritable.put(error),
            None => Value::Object(entries.map),
        };
        Ok((value, height + 1))
    }

    fn insert(
        &mut self,
        entries: &mut Entries,
        key: Result<String, YamlError>,
        mark: Mark,
        value: Value,
    ) -> Result<(), YamlError> {
        let line = line(mark);
        let key = match key {
            Ok(key) => key,
            Err(error) => {
                entries.unwritable.get_or_insert_with(|| YamlError {
                    go_message: error.go_message + &go_value(&value),
                    ..error
                });
                return Ok(());
            }
        };
        if let Some(first_line) = entries.lines.insert(key.clone(), line) {
            if self.mode == Mode::Kustomize {
                let message = format!("key {key:?} is already set on line {first_line}");
                return Err(error_at(mark, YamlErrorKind::DuplicateKey { first_line }, message));
            }
            self.warnings.push(Warning::DuplicateKey {
                key: key.clone(),
                first_line,
                line,
            });
        }
        entries.map.insert(key, value);
        Ok(())
    }

    /// The JSON key a node becomes, or why a mapping with that key has no form in JSON: the complaint ends with the value.
    fn key(&mut self, event: Event, depth: usize) -> Result<Result<String, YamlError>, YamlError> {
        let mark = event.start_mark;
        if matches!(
            event.data,
            EventData::SequenceStart { .. } | EventData::MappingStart { .. }
        ) {
            let message =
                "a list or a mapping cannot be a key (a template expression may have to be quoted)".to_owned();
            let key = self.node(event, depth)?.value;
            return Err(YamlError {
                go_message: format!("invalid map key: {}", go_syntax(&key)),
                ..error_at(mark, YamlErrorKind::Key, message)
            });
        }
        let float = match &event.data {
            EventData::Scalar {
                tag: None,
                value,
                plain_implicit: true,
                ..
            } => match resolve(value, self.mode) {
                Scalar::Float(float) => Some(float),
                _ => None,
            },
            _ => None,
        };
        let is_float = float.is_some();
        if let Some(key) = float.and_then(unwritable_key) {
            // As a value it would be an error.
            self.visits.node(mark)?;
            return Ok(Ok(key.to_owned()));
        }
        let node = self.node(event, depth)?;
        Ok(match node.value {
            Value::String(key) => Ok(key),
            Value::Bool(flag) => Ok(flag.to_string()),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) if !is_float => Ok(integer.to_string()),
                (_, Some(float)) if is_float || number.is_f64() => Ok(go_float_key(float)),
                _ => {
                    let key = format!("uint64, key: {:#x}", number.as_u64().unwrap_or_default());
                    Err(unsupported_key(mark, "an integer above 9223372036854775807", &key))
                }
            },
            Value::Null => Err(unsupported_key(mark, "null", "%!s(<nil>), key: <nil>")),
            Value::Array(_) | Value::Object(_) => return Err(alias_key(mark)),
        })
    }

    fn alias(&mut self, name: &str, mark: Mark, depth: usize) -> Result<Node, YamlError> {
        let node = match self.anchors.get(name) {
            Some(Anchor::Done(node)) => node,
            Some(Anchor::Open) => {
                return Err(error_at(
                    mark,
                    YamlErrorKind::Alias,
                    format!("anchor '{name}' value contains itself"),
                ));
            }
            None => {
                return Err(error_at(
                    mark,
                    YamlErrorKind::Alias,
                    format!("unknown anchor '{name}' referenced"),
                ));
            }
        };
        check_depth(depth + node.height, mark)?;
        self.visits.alias(node.nodes, mark)?;
        Ok(node.clone())
    }
}

fn check_depth(depth: usize, mark: Mark) -> Result<(), YamlError> {
    if depth <= MAX_DEPTH {
        return Ok(());
    }
    let message = format!("nesting is deeper than the limit of {MAX_DEPTH} levels");
    Err(error_at(mark, YamlErrorKind::DepthLimit { limit: MAX_DEPTH }, message))
}
