//! What many comparisons add up to.

use std::fmt;

use crate::{Case, Outcome};

/// Sums over cases, and every difference.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Cases compared.
    pub cases: usize,
    /// Cases that both render.
    pub rendered: usize,
    /// Cases that both refuse.
    pub refused: usize,
    /// Files that Helm renders the same twice.
    pub stable: usize,
    /// Files that it renders differently each time.
    pub varying: usize,
    /// Those of the stable ones that are equal to the byte.
    pub byte_equal: usize,
    /// Those of the stable ones that parse to the same documents.
    pub parse_equal: usize,
    /// Everything that differs, as text.
    pub differences: Vec<String>,
    /// What both refuse: the case, Helm's reason and ours.
    pub refusals: Vec<String>,
}

impl Report {
    /// Adds a case.
    pub fn add(&mut self, case: &Case, outcome: Outcome) {
        self.cases += 1;
        let name = &case.name_in_report;
        match outcome {
            Outcome::BothFail { theirs, ours } => {
                self.refused += 1;
                self.refusals.push(format!("{name}:\n  helm: {theirs}\n  ours: {ours}"));
            }
            Outcome::OnlyHelmFails(why) => self.differences.push(format!("{name}: only helm fails: {why}")),
            Outcome::OnlyWeFail(why) => self.differences.push(format!("{name}: only we fail: {why}")),
            Outcome::Rendered {
                stable,
                varying,
                differences,
                order,
            } => {
                self.rendered += 1;
                self.stable += stable;
                self.varying += varying;
                let parsed = differences.iter().filter(|difference| difference.parses_equal).count();
                self.byte_equal += stable.saturating_sub(differences.len());
                self.parse_equal += stable.saturating_sub(differences.len() - parsed);
                self.differences
                    .extend(order.map(|diff| format!("{name}: the manifests' order:\n{diff}")));
                for difference in differences {
                    let how = if difference.parses_equal { "bytes" } else { "documents" };
                    let (file, diff) = (difference.file, difference.diff);
                    self.differences.push(format!("{name}: {file}: {how} differ:\n{diff}"));
                }
            }
        }
    }

    /// Adds another report.
    pub fn merge(&mut self, other: Self) {
        self.cases += other.cases;
        self.rendered += other.rendered;
        self.refused += other.refused;
        self.stable += other.stable;
        self.varying += other.varying;
        self.byte_equal += other.byte_equal;
        self.parse_equal += other.parse_equal;
        self.differences.extend(other.differences);
        self.refusals.extend(other.refusals);
    }

    /// Cases about whose success both agree.
    #[must_use]
    pub fn agreed(&self) -> usize {
        self.rendered + self.refused
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |part: usize, whole: usize| match whole {
            0 => 100.0,
            #[allow(clippy::cast_precision_loss, reason = "for people to read")]
            _ => part as f64 * 100.0 / whole as f64,
        };
        writeln!(
            f,
            "cases {}: both render {}, both refuse {}; errors agree {}/{} ({:.2} %)",
            self.cases,
            self.rendered,
            self.refused,
            self.agreed(),
            self.cases,
            percent(self.agreed(), self.cases)
        )?;
        write!(
            f,
            "files {} (and {} that helm varies): byte-equal {} ({:.2} %), parse-equal {} ({:.2} %)",
            self.stable,
            self.varying,
            self.byte_equal,
            percent(self.byte_equal, self.stable),
            self.parse_equal,
            percent(self.parse_equal, self.stable)
        )
    }
}
