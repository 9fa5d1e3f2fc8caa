//! YAML as Go's `sigs.k8s.io/yaml` writes it, to the byte: checksums of such text stand in pod annotations, and one different space
//! restarts a workload.
//!
//! The layout: block style, two spaces, lists not indented below their key, keys in natural order, lines folded at spaces after column
//! 80, strings quoted only where the reader would take them for something else.

use serde_json::{Number, Value};

use crate::natural::natural_sort;
use crate::number::{go_float, go_yaml_float};
use crate::scalar::needs_quotes;

/// Columns after which a line is folded at the next single space.
const WIDTH: usize = 80;

/// Longest key, in bytes, that is written without the `?` indicator.
const SIMPLE_KEY: usize = 128;

/// How lists stand below their key, and whether lines are folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Helm's `toYaml`: lists not indented, lines folded, nothing beyond the basic plane.
    Compact,
    /// Helm's `toYamlPretty`: lists indented, lines as long as they are, all printable characters as they are.
    Indented,
}

/// The text, with its final line break.
pub fn to_go_yaml(value: &Value) -> String {
    to_go_yaml_within(value, Layout::Compact, usize::MAX)
}

/// As [`to_go_yaml`], with a choice of layout. A text longer than the limit of bytes is not finished: it is a little longer than the
/// limit then, which the caller has to check.
pub fn to_go_yaml_within(value: &Value, layout: Layout, limit: usize) -> String {
    let mut emitter = Emitter {
        out: String::new(),
        limit,
        layout,
        column: 0,
        whitespace: true,
        indention: true,
    };
    emitter.node(value, None, Place::Root);
    emitter.indentation(0);
    emitter.out
}

/// Where a node stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Item,
    /// A value, or a key too long to be simple.
    Entry,
    SimpleKey,
}

struct Emitter {
    out: String,
    /// Bytes after which nothing more is written.
    limit: usize,
    layout: Layout,
    /// Characters on the current line.
    column: usize,
    /// Whether the last thing written separates tokens.
    whitespace: bool,
    /// Whether only indentation and indicators stand on the line.
    indention: bool,
}

impl Emitter {
    /// Writes a node below a parent with the given indentation (`None` at the root).
    fn node(&mut self, value: &Value, indent: Option<usize>, place: Place) {
        if self.out.len() > self.limit {
            return;
        }
        match value {
            Value::Null => self.plain("null", false, 0),
            Value::Bool(flag) => self.plain(if *flag { "true" } else { "false" }, false, 0),
            Value::Number(number) => self.plain(&number_text(number, self.layout), false, 0),
            Value::String(text) => self.string(text, indent.map_or(2, |indent| indent + 2), place),
            Value::Array(items) if items.is_empty() => {
                self.indicator("[", true, true, false);
                self.indicator("]", false, false, false);
            }
            Value::Array(items) => self.sequence(items, indent, place),
            Value::Object(map) if map.is_empty() => {
                self.indicator("{", true, true, false);
                self.indicator("}", false, false, false);
            }
            Value::Object(map) => self.mapping(map, indent),
        }
    }

    fn sequence(&mut self, items: &[Value], indent: Option<usize>, place: Place) {
        let below_key = place == Place::Entry && !self.indention && self.layout == Layout::Compact;
        let indent = match indent {
            None => 0,
            Some(indent) if below_key => indent,
            Some(indent) => indent + 2,
        };
        for item in items {
            self.indentation(indent);
            self.indicator("-", true, false, true);
            self.node(item, Some(indent), Place::Item);
        }
    }

    fn mapping(&mut self, map: &serde_json::Map<String, Value>, indent: Option<usize>) {
        let indent = indent.map_or(0, |indent| indent + 2);
        for (key, value) in natural_sort(
            map.iter().map(|(key, value)| (key.as_str(), value)).collect(),
            self.layout,
        ) {
            self.indentation(indent);
            if key.len() <= SIMPLE_KEY && !key.contains(is_break) {
                self.string(key, indent + 2, Place::SimpleKey);
                self.indicator(":", false, false, false);
            } else {
                self.indicator("?", true, false, true);
                self.string(key, indent + 2, Place::Entry);
                self.indentation(indent);
                self.indicator(":", true, false, true);
            }
            self.node(value, Some(indent), Place::Entry);
        }
    }

    fn string(&mut self, text: &str, indent: usize, place: Place) {
        let shape = Shape::of(text, self.layout);
        let simple_key = place == Place::SimpleKey;
        let style = if text.contains('\n') {
            if shape.block && !simple_key {
                Style::Literal
            } else {
                Style::Double
            }
        } else if needs_quotes(text) || (simple_key && shape.multiline) {
            Style::Double
        } else if shape.plain {
            Style::Plain
        } else if shape.single {
            Style::Single
        } else {
            Style::Double
        };
        match style {
            Style::Plain => self.plain(text, !simple_key, indent),
            Style::Single => self.single_quoted(text, !simple_key, indent),
            Style::Double => self.double_quoted(text, !simple_key, indent),
            Style::Literal => self.literal(text, indent),
        }
    }

    fn width(&self) -> usize {
        match self.layout {
            Layout::Compact => WIDTH,
            Layout::Indented => usize::MAX,
        }
    }

    fn put(&mut self, c: char) {
        if self.out.len() <= self.limit {
            self.out.push(c);
        }
        self.column += 1;
    }

    fn line_break(&mut self, c: char) {
        if self.out.len() <= self.limit {
            self.out.push(c);
        }
        self.column = 0;
    }

    /// Goes to a column, on a new line unless this one holds nothing but indentation that does not reach past it.
    fn indentation(&mut self, indent: usize) {
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.line_break('\n');
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    fn indicator(&mut self, text: &str, separate: bool, is_whitespace: bool, is_indention: bool) {
        if separate && !self.whitespace {
            self.put(' ');
        }
        for c in text.chars() {
            self.put(c);
        }
        self.whitespace = is_whitespace;
        self.indention = self.indention && is_indention;
    }

    fn plain(&mut self, text: &str, fold: bool, indent: usize) {
        if !self.whitespace {
            self.put(' ');
        }
        self.foldable(text, fold, indent, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn single_quoted(&mut self, text: &str, fold: bool, indent: usize) {
        self.indicator("'", true, false, false);
        self.foldable(text, fold, indent, true);
        self.indicator("'", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    /// The text of a plain or single-quoted scalar, folded at single spaces.
    fn foldable(&mut self, text: &str, fold: bool, indent: usize, quoted: bool) {
        let (mut spaces, mut breaks) = (false, false);
        let mut rest = text.chars().peekable();
        let mut first = true;
        while let Some(c) = rest.next() {
            if c == ' ' {
                // A quoted scalar is not folded at its first or last character.
                let inside = !quoted || (!first && rest.peek().is_some());
                if fold && !spaces && self.column > self.width() && inside && rest.peek() != Some(&' ') {
                    self.indentation(indent);
                } else {
                    self.put(c);
                }
                spaces = true;
            } else if is_break(c) {
                if !breaks && c == '\n' {
                    self.line_break('\n');
                }
                self.line_break(c);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.indentation(indent);
                }
                if quoted && c == '\'' {
                    self.put('\'');
                }
                self.put(c);
                self.indention = false;
                (spaces, breaks) = (false, false);
            }
            first = false;
        }
    }

    fn double_quoted(&mut self, text: &str, fold: bool, indent: usize) {
        self.indicator("\"", true, false, false);
        // go-yaml looks for a byte order mark at the beginning only, and then escapes every character.
        let escape_all = text.starts_with('\u{feff}');
        let mut spaces = false;
        let mut rest = text.chars().peekable();
        let mut first = true;
        while let Some(c) = rest.next() {
            if escape_all || !is_printable(c) || is_break(c) || c == '"' || c == '\\' {
                for escaped in escape(c).chars() {
                    self.put(escaped);
                }
                spaces = false;
            } else if c == ' ' {
                if fold && !spaces && self.column > self.width() && !first && rest.peek().is_some() {
                    self.indentation(indent);
                    if rest.peek() == Some(&' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(c);
                }
                spaces = true;
            } else {
                self.put(c);
                spaces = false;
            }
            first = false;
        }
        self.indicator("\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.indicator("|", true, false, false);
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.indicator("2", false, false, false);
        }
        let mut from_end = text.chars().rev();
        match (from_end.next().is_some_and(is_break), from_end.next().map(is_break)) {
            (false, _) => self.indicator("-", false, false, false),
            (true, None | Some(true)) => self.indicator("+", false, false, false),
            (true, Some(false)) => {}
        }
        self.line_break('\n');
        self.indention = true;
        self.whitespace = true;
        let mut breaks = true;
        for c in text.chars() {
            if is_break(c) {
                self.line_break(c);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.indentation(indent);
                }
                self.put(c);
                self.indention = false;
                breaks = false;
            }
        }
    }
}

enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// Which styles can carry a string.
struct Shape {
    multiline: bool,
    plain: bool,
    single: bool,
    block: bool,
}

impl Shape {
    fn of(text: &str, layout: Layout) -> Self {
        // The later library of the indented layout writes tabs into blocks.
        let tabs = layout == Layout::Indented && text.contains('\t');
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let (mut breaks, mut special, mut edge) = (false, false, false);
        let (mut break_space, mut space_break, mut trailing_space) = (false, false, false);
        let mut previous: Option<char> = None;
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            let followed_by_blank = rest.peek().is_none_or(|next| matches!(next, ' ' | '\t'));
            let preceded_by_blank = previous.is_none_or(|p| matches!(p, ' ' | '\t' | '\0') || is_break(p));
            indicators |= match c {
                '#' => preceded_by_blank,
                ':' => followed_by_blank,
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => {
                    previous.is_none()
                }
                '?' | '-' => previous.is_none() && followed_by_blank,
                _ => false,
            };
            special |= !(is_printable(c) || tabs && c == '\t');
            let at_edge = previous.is_none() || rest.peek().is_none();
            if c == ' ' {
                edge |= at_edge;
                trailing_space |= rest.peek().is_none();
                break_space |= previous.is_some_and(is_break);
            } else if is_break(c) {
                breaks = true;
                edge |= at_edge;
                space_break |= previous == Some(' ');
            }
            previous = Some(c);
        }
        Self {
            multiline: breaks,
            plain: !(indicators || breaks || special || tabs || edge || break_space || space_break),
            single: !(special || tabs || break_space || space_break),
            block: !(special || trailing_space || space_break),
        }
    }
}

fn number_text(number: &Number, layout: Layout) -> String {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        // Not on the way through JSON: a float stays one.
        (_, _, Some(float)) if layout == Layout::Indented && number.is_f64() => go_float(float),
        (Some(integer), _, _) => integer.to_string(),
        (_, Some(integer), _) => integer.to_string(),
        (_, _, Some(float)) => go_yaml_float(float),
        _ => number.to_string(),
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What go-yaml writes as it is: not tabs, and nothing beyond the basic plane.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}

fn escape(c: char) -> String {
    let short = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            let code = u32::from(c);
            return match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}
