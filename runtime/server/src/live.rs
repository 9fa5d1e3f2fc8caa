//! A page as keyed pieces, and what changes between two moments of it.
//!
//! A page is made of containers (an element with an id) that hold pieces (child elements with ids, in an order). A tab is sent the
//! whole page once and then, per container, which pieces went, came, changed or moved. Applying the patches to the older page gives
//! the newer one: that is tested, not hoped.

use std::collections::BTreeMap;

use serde::Serialize;

/// One child element of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The element's id, unique in the page.
    pub id: String,
    /// The element, whole.
    pub html: String,
}

/// A page's live part: containers by id, each with its pieces in order.
pub type Page = BTreeMap<String, Vec<Piece>>;

/// One change of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "op")]
pub enum Patch {
    /// Remove the element.
    Delete {
        /// Its id.
        id: String,
    },
    /// Replace the element.
    Replace {
        /// Its id.
        id: String,
        /// The new one.
        html: String,
    },
    /// Put the element into the container, before another one or at the end; where it stands already, move it.
    Insert {
        /// The container's id.
        container: String,
        /// The element's id.
        id: String,
        /// The id of the element that follows it.
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<String>,
        /// The element.
        html: String,
    },
}

/// What leads from `old` to `new`.
pub fn difference(old: &Page, new: &Page) -> Vec<Patch> {
    let mut patches = Vec::new();
    let none = Vec::new();
    for (container, pieces) in new {
        let before = old.get(container).unwrap_or(&none);
        container_difference(container, before, pieces, &mut patches);
    }
    patches
}

fn container_difference(container: &str, old: &[Piece], new: &[Piece], patches: &mut Vec<Patch>) {
    let mut order: Vec<&str> = Vec::new();
    for piece in old {
        match new.iter().any(|other| other.id == piece.id) {
            true => order.push(&piece.id),
            false => patches.push(Patch::Delete { id: piece.id.clone() }),
        }
    }
    // From the end, so that what follows a piece is in its place already.
    let mut follows: Option<&str> = None;
    for piece in new.iter().rev() {
        let at = order.iter().position(|id| *id == piece.id);
        let next = at.and_then(|at| order.get(at + 1)).copied();
        match at {
            Some(_) if next == follows => {
                let known = old.iter().find(|other| other.id == piece.id);
                if known.is_none_or(|known| known.html != piece.html) {
                    patches.push(Patch::Replace {
                        id: piece.id.clone(),
                        html: piece.html.clone(),
                    });
                }
            }
            _ => {
                if let Some(at) = at {
                    order.remove(at);
                }
                let place = follows
                    .and_then(|id| order.iter().position(|other| *other == id))
                    .unwrap_or(order.len());
                order.insert(place, &piece.id);
                let (id, html) = (piece.id.clone(), piece.html.clone());
                patches.push(Patch::Insert {
                    container: container.into(),
                    id,
                    before: follows.map(str::to_owned),
                    html,
                });
            }
        }
        follows = Some(&piece.id);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a browser does, written the naive way.
    fn apply(page: &mut Page, patch: &Patch) {
        match patch {
            Patch::Delete { id } => page
                .values_mut()
                .for_each(|pieces| pieces.retain(|piece| piece.id != *id)),
            Patch::Replace { id, html } => {
                let piece = page
                    .values_mut()
                    .flatten()
                    .find(|piece| piece.id == *id)
                    .expect("is there");
                piece.html.clone_from(html);
            }
            Patch::Insert {
                container,
                id,
                before,
                html,
            } => {
                let pieces = page.entry(container.clone()).or_default();
                pieces.retain(|piece| piece.id != *id);
                let place = before.as_ref().map_or(pieces.len(), |id| {
                    pieces.iter().position(|p| p.id == *id).expect("is there")
                });
                pieces.insert(
                    place,
                    Piece {
                        id: id.clone(),
                        html: html.clone(),
                    },
                );
            }
        }
    }

    fn pieces() -> impl Strategy<Value = Vec<Piece>> {
        proptest::collection::vec((0..8_u8, 0..3_u8), 0..8).prop_map(|entries| {
            let mut pieces: Vec<Piece> = Vec::new();
            for (id, html) in entries {
                if !pieces.iter().any(|piece| piece.id == id.to_string()) {
                    pieces.push(Piece {
                        id: id.to_string(),
                        html: html.to_string(),
                    });
                }
            }
            pieces
        })
    }

    proptest! {
        #[test]
        fn patches_lead_from_any_page_to_any_other(old in pieces(), new in pieces()) {
            let old = Page::from([("list".to_owned(), old)]);
            let new = Page::from([("list".to_owned(), new)]);
            let patches = difference(&old, &new);
            let mut page = old.clone();
            patches.iter().for_each(|patch| apply(&mut page, patch));
            prop_assert_eq!(&page, &new);
            prop_assert_eq!(patches.is_empty(), old == new);
        }
    }
}
