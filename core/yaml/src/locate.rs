//! Where in a text a field stands: for errors about what was read from it.

use libyaml_safer::{Event, EventData, Parser};

/// One step of a path into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The value of a key.
    Key(String),
    /// The element of a list, from 0.
    Index(usize),
}

/// The line, counted from 1, at which the thing at `path` of the first document begins: that of its key in a mapping. Of a path that
/// leads nowhere, the line of the last thing on the way. `None` when the text cannot be scanned that far.
pub fn line_of(text: &str, path: &[Step]) -> Option<usize> {
    let mut parser = Parser::new();
    parser.set_encoding(libyaml_safer::Encoding::Utf8);
    parser.set_input(text.as_bytes());
    let mut events = std::iter::from_fn(|| parser.parse().ok()).skip_while(|event| {
        matches!(
            event.data,
            EventData::StreamStart { .. } | EventData::DocumentStart { .. }
        )
    });
    let root = events.next()?;
    let mut found = line(&root);
    descend(&mut events, &root, path, &mut found);
    Some(found)
}

fn line(event: &Event) -> usize {
    usize::try_from(event.start_mark.line)
        .unwrap_or(usize::MAX)
        .saturating_add(1)
}

/// Follows `path` into the node that `start` begins, noting the line of each step. Stops where it leads nowhere.
fn descend(events: &mut impl Iterator<Item = Event>, start: &Event, path: &[Step], found: &mut usize) -> Option<()> {
    let (step, rest) = path.split_first()?;
    match (&start.data, step) {
        (EventData::MappingStart { .. }, Step::Key(wanted)) => loop {
            let key = events.next()?;
            match &key.data {
                EventData::Scalar { value, .. } if value == wanted => {
                    *found = line(&key);
                    let value = events.next()?;
                    return descend(events, &value, rest, found);
                }
                EventData::MappingEnd => return None,
                _ => skip(events, &key)?,
            }
            let value = events.next()?;
            skip(events, &value)?;
        },
        (EventData::SequenceStart { .. }, Step::Index(wanted)) => {
            for _ in 0..*wanted {
                let item = events.next()?;
                if matches!(item.data, EventData::SequenceEnd) {
                    return None;
                }
                skip(events, &item)?;
            }
            let item = events.next()?;
            *found = line(&item);
            descend(events, &item, rest, found)
        }
        _ => None,
    }
}

/// Passes the rest of the node that `start` begins.
fn skip(events: &mut impl Iterator<Item = Event>, start: &Event) -> Option<()> {
    let mut depth = change(start);
    while depth > 0 {
        depth += change(&events.next()?);
    }
    Some(())
}

fn change(event: &Event) -> i32 {
    match event.data {
        EventData::MappingStart { .. } | EventData::SequenceStart { .. } => 1,
        EventData::MappingEnd | EventData::SequenceEnd => -1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_keys_and_items() {
        let text = "a: 1\nlist:\n- x: {deep: [1]}\n  y: 2\n- z: 3\n  w:\n    v: 4\n";
        let key = |name: &str| Step::Key(name.into());
        assert_eq!(line_of(text, &[key("list"), Step::Index(0), key("y")]), Some(4));
        assert_eq!(
            line_of(text, &[key("list"), Step::Index(1), key("w"), key("v")]),
            Some(7)
        );
        assert_eq!(line_of(text, &[key("list"), Step::Index(1), key("absent")]), Some(5));
        assert_eq!(line_of(text, &[]), Some(1));
    }
}
