//! The lease under which this replica deletes.
//!
//! Prevents that two replicas delete at once: one that was stopped for a while, or cut off, and does not know yet that another leads. Telling
//! the engine is not enough for that, since what it asked for is on its way already. So every permit carries the lease that was held when it
//! was given, and the executor reads that lease again right before the DELETE.

use std::fmt;

use serde_json::Value;

/// Who held which lease, and in which of its terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `spec.holderIdentity`.
    pub holder: String,
    /// `metadata.uid`: another one was made after somebody deleted it.
    pub lease: String,
    /// `spec.leaseTransitions`: another one means that somebody else held it in between.
    pub term: i64,
}

/// The lease is not held any more as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing is deleted: {fence}, and now it is {found}")]
pub struct LostLease {
    fence: Box<Fence>,
    found: String,
}

impl Fence {
    /// Holds the fence against the Lease as it was just read; `None`: there is none.
    pub fn check(&self, lease: Option<&Value>) -> Result<(), LostLease> {
        let lost = |found: String| LostLease {
            fence: Box::new(self.clone()),
            found,
        };
        let Some(lease) = lease else {
            return Err(lost("gone".into()));
        };
        let holder = lease
            .pointer("/spec/holderIdentity")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let term = lease
            .pointer("/spec/leaseTransitions")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        let uid = lease
            .pointer("/metadata/uid")
            .and_then(Value::as_str)
            .unwrap_or_default();
        match (holder, term) {
            ("", _) => Err(lost("held by nobody".into())),
            _ if uid != self.lease => Err(lost("another Lease of that name".into())),
            (holder, term) if holder != self.holder || term != self.term => {
                Err(lost(format!("held by {holder} in term {term}")))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            namespace,
            name,
            holder,
            lease: _,
            term,
        } = self;
        write!(f, "Lease {namespace}/{name} was held by {holder} in term {term}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_same_holder_in_the_same_term_may_delete() {
        let fence = Fence {
            namespace: "argocd".into(),
            name: "capstan".into(),
            holder: "a".into(),
            lease: "uid-1".into(),
            term: 3,
        };
        let lease = |holder: &str, term: i64| {
            let spec = json!({"holderIdentity": holder, "leaseTransitions": term});
            json!({"metadata": {"uid": "uid-1"}, "spec": spec})
        };
        assert_eq!(fence.check(Some(&lease("a", 3))), Ok(()));
        let mut another = lease("a", 3);
        another["metadata"]["uid"] = json!("uid-2");
        for (lease, says) in [
            (Some(another), "another Lease of that name"),
            (Some(lease("b", 4)), "held by b in term 4"),
            (Some(lease("a", 5)), "held by a in term 5"),
            (Some(lease("", 3)), "held by nobody"),
            (Some(json!({})), "held by nobody"),
            (None, "gone"),
        ] {
            let lost = fence.check(lease.as_ref()).expect_err("not held").to_string();
            assert!(
                lost.ends_with(says) && lost.contains("argocd/capstan was held by a in term 3"),
                "{lost}"
            );
        }
    }
}
