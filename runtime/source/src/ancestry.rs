//! Does one commit follow another?
//!
//! Commits are walked from the newer one, newest first, until the other one is met or everything that is left is clearly older. A mirror has
//! the whole history of every branch, so that a commit which is not met, or not even there, is no ancestor: that is proven. In a shallow
//! repository, and after [`MAX_COMMITS`], it is not.

use std::collections::{BTreeSet, BinaryHeap};

use gix::ObjectId;

use crate::SourceError;
use crate::objects::Objects;

/// So many commits are looked at.
const MAX_COMMITS: usize = 200_000;
/// Clocks of committers differ: an ancestor may be dated later than its descendant by so many seconds.
const SKEW: i64 = 86_400;

/// Does a commit follow another one?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ancestry {
    /// The other one is among its ancestors, or is the same.
    Follows,
    /// It is not.
    Diverged,
    /// That cannot be told; why.
    Unknown(String),
}

/// Is `from` among the ancestors of `to`?
pub(crate) fn trace(objects: &Objects, from: ObjectId, to: ObjectId) -> Result<Ancestry, SourceError> {
    if from == to {
        return Ok(Ancestry::Follows);
    }
    if objects.is_shallow()? {
        return Ok(Ancestry::Unknown("the repository is a shallow clone".to_owned()));
    }
    if !objects.contains(from) {
        return Ok(Ancestry::Diverged);
    }
    let oldest = objects.commit(from)?.seconds.saturating_sub(SKEW);
    let mut queue = BinaryHeap::from([(objects.commit(to)?.seconds, to)]);
    let mut seen = BTreeSet::from([to]);
    while let Some((_, id)) = queue.pop() {
        for parent in objects.commit(id)?.parents {
            if parent == from {
                return Ok(Ancestry::Follows);
            }
            if !seen.insert(parent) {
                continue;
            }
            if seen.len() > MAX_COMMITS {
                let why = format!("{from} is not among the {MAX_COMMITS} newest commits");
                return Ok(Ancestry::Unknown(why));
            }
            let seconds = objects.commit(parent)?.seconds;
            if seconds >= oldest {
                queue.push((seconds, parent));
            }
        }
    }
    Ok(Ancestry::Diverged)
}
