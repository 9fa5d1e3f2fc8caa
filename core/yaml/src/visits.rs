//! How many nodes a decoder visits, aliases followed: the measure of what a text expands to.
//!
//! Two limits. Go's, of the share of visits that come from aliases in one document: what it refuses, Kubernetes' tools refuse. And our own,
//! of the nodes that the aliases of one text expand to: what is accepted is built, so that it has to fit in memory.

use libyaml_safer::Mark;

use crate::problem::error_at;
use crate::{MAX_ALIAS_NODES, Mode, YamlError, YamlErrorKind};

/// The visits of one document.
#[derive(Debug)]
pub(crate) struct Visits {
    /// Go's rule is that of `sigs.k8s.io/yaml`.
    has_ratio: bool,
    all: usize,
    /// Those that an alias stands for.
    aliased: usize,
    /// The same, of all documents of the text.
    expanded: usize,
}

impl Visits {
    pub(crate) fn new(mode: Mode) -> Self {
        Self {
            has_ratio: mode == Mode::Kube11,
            all: 0,
            aliased: 0,
            expanded: 0,
        }
    }

    /// A document begins, which is a node, too.
    pub(crate) fn begin(&mut self) {
        (self.all, self.aliased) = (1, 0);
    }

    /// Visits of the document so far.
    pub(crate) fn count(&self) -> usize {
        self.all
    }

    /// A node that is not an alias.
    pub(crate) fn node(&mut self, mark: Mark) -> Result<(), YamlError> {
        self.all += 1;
        self.check_ratio(mark)
    }

    /// A list whose items are visited and which is not.
    pub(crate) fn skip(&mut self) {
        self.all -= 1;
    }

    /// An alias, and the nodes it stands for.
    ///
    /// To look only after it is enough: while the nodes under an alias are counted one by one the share of aliases grows, and the share
    /// that is allowed does not.
    pub(crate) fn alias(&mut self, nodes: usize, mark: Mark) -> Result<(), YamlError> {
        self.all += 1 + nodes;
        self.aliased += nodes;
        self.check_ratio(mark)?;
        self.expanded += nodes;
        if self.expanded <= MAX_ALIAS_NODES {
            return Ok(());
        }
        let message = format!("alias expansion limit ({MAX_ALIAS_NODES} nodes) exceeded");
        let kind = YamlErrorKind::AliasLimit { limit: MAX_ALIAS_NODES };
        Err(error_at(mark, kind, message))
    }

    fn check_ratio(&self, mark: Mark) -> Result<(), YamlError> {
        if !self.has_ratio || !is_excessive(self.aliased, self.all) {
            return Ok(());
        }
        let message = "document contains excessive aliasing".to_owned();
        Err(error_at(mark, YamlErrorKind::AliasRatio, message))
    }
}

/// Of a small document 99 of 100 visits may come from aliases, of one of 4,000,000 visits and more 10 of 100, and linearly between.
#[allow(
    clippy::cast_precision_loss,
    reason = "the counts are far below 2^52, and Go's rule is one of floats"
)]
fn is_excessive(aliased: usize, all: usize) -> bool {
    const SMALL: f64 = 400_000.0;
    const LARGE: f64 = 4_000_000.0;
    if aliased <= 100 || all <= 1_000 {
        return false;
    }
    let all = all as f64;
    let allowed = if all <= SMALL {
        0.99
    } else if all >= LARGE {
        0.10
    } else {
        0.99 - 0.89 * ((all - SMALL) / (LARGE - SMALL))
    };
    aliased as f64 / all > allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_is_allowed_falls() {
        for (aliased, all, excessive) in [
            (100, 1_001, false),
            (1_000, 1_000, false),
            (990, 1_001, false),
            (991, 1_001, true),
            (396_000, 400_000, false),
            (396_001, 400_000, true),
            (1_198_000, 2_200_000, false),
            (1_200_000, 2_200_000, true),
            (400_000, 4_000_000, false),
            (400_001, 4_000_000, true),
            (500_000, 5_000_000, false),
        ] {
            assert_eq!(is_excessive(aliased, all), excessive, "{aliased} of {all}");
        }
    }
}
