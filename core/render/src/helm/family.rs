//! Charts as Helm holds them while it looks at dependencies: several charts can have one and the same chart below them.
//!
//! **Problem.** For every entry of `dependencies` Helm copies the chart it means and, one by one, the charts right below that one. What is
//! further below is not copied, and the copies have one `Chart.yaml` in common with what they were copied from. So a chart that is named
//! twice by `alias` has grandchildren which are in two places and which believe to be where they came from; and what is decided about
//! dependencies in the first place is decided for the second one, too. Names in a release and values depend on it.
//!
//! **Invariants.** No chart is below itself. The tree that comes out has at most [`MAX_CHARTS`] charts.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::chart::Chart;
use super::coalesce::Branch;
use super::metadata::{Dependency, Metadata};
use crate::RenderError;

/// Charts in a chart, each counted in every place it is in.
const MAX_CHARTS: u64 = 10_000;

/// A chart of a [`Family`], by its number.
pub(super) type Id = usize;

/// A chart and all its subcharts.
#[derive(Debug, Default)]
pub(super) struct Family {
    members: Vec<Member>,
    metadata: Vec<Metadata>,
}

#[derive(Clone, Debug)]
struct Member {
    /// Without its subcharts and its metadata, which stand here.
    chart: Chart,
    metadata: usize,
    /// The chart that it believes to be in.
    parent: Option<Id>,
    children: Vec<Id>,
}

impl Family {
    /// The chart that everything else is below.
    pub(super) const ROOT: Id = 0;

    pub(super) fn of(chart: Chart) -> Self {
        let mut family = Self::default();
        family.adopt(chart, None);
        family
    }

    fn adopt(&mut self, mut chart: Chart, parent: Option<Id>) -> Id {
        let subcharts = std::mem::take(&mut chart.subcharts);
        self.metadata.push(std::mem::take(&mut chart.metadata));
        let id = self.members.len();
        self.members.push(Member {
            chart,
            metadata: self.metadata.len() - 1,
            parent,
            children: Vec::new(),
        });
        let children: Vec<Id> = subcharts
            .into_iter()
            .map(|subchart| self.adopt(subchart, Some(id)))
            .collect();
        self.members[id].children = children;
        id
    }

    pub(super) fn metadata(&self, id: Id) -> &Metadata {
        &self.metadata[self.members[id].metadata]
    }

    pub(super) fn name(&self, id: Id) -> &str {
        &self.metadata(id).name
    }

    pub(super) fn children(&self, id: Id) -> &[Id] {
        &self.members[id].children
    }

    pub(super) fn file(&self, id: Id, name: &str) -> String {
        self.members[id].chart.file(name)
    }

    pub(super) fn set_values(&mut self, id: Id, values: Map<String, Value>) {
        self.members[id].chart.values = values;
    }

    pub(super) fn take_dependencies(&mut self, id: Id) -> Option<Vec<Dependency>> {
        self.metadata[self.members[id].metadata].dependencies.take()
    }

    pub(super) fn set_dependencies(&mut self, id: Id, dependencies: Option<Vec<Dependency>>) {
        self.metadata[self.members[id].metadata].dependencies = dependencies;
    }

    /// Puts charts into a chart, where they believe to be from then on.
    pub(super) fn set_children(&mut self, id: Id, children: Vec<Id>) -> Result<(), RenderError> {
        for child in &children {
            self.members[*child].parent = Some(id);
        }
        self.members[id].children = children;
        let charts = self.charts_in(Self::ROOT, &mut BTreeMap::new());
        if charts <= MAX_CHARTS {
            return Ok(());
        }
        Err(RenderError::Limit {
            place: self.file(id, "Chart.yaml"),
            what: "charts in the chart, each counted as often as it is named",
            limit: MAX_CHARTS,
            found: charts,
        })
    }

    /// A chart and those below it, counted in every place.
    fn charts_in(&self, id: Id, known: &mut BTreeMap<Id, u64>) -> u64 {
        if let Some(charts) = known.get(&id) {
            return *charts;
        }
        let below = self.children(id).iter();
        let charts = below.fold(1_u64, |sum, child| sum.saturating_add(self.charts_in(*child, known)));
        known.insert(id, charts);
        charts
    }

    /// The copy that an entry of `dependencies` gets: of the chart, of what it says about itself, and of the charts right below it.
    pub(super) fn copy_of(&mut self, id: Id, alias: &str) -> Id {
        let mut metadata = self.metadata(id).clone();
        if !alias.is_empty() {
            alias.clone_into(&mut metadata.name);
        }
        self.metadata.push(metadata);
        let copy = self.members.len();
        let mut member = self.members[id].clone();
        member.metadata = self.metadata.len() - 1;
        let children = std::mem::take(&mut member.children);
        self.members.push(member);
        for child in children {
            let mut member = self.members[child].clone();
            member.parent = Some(copy);
            self.members.push(member);
            let child = self.members.len() - 1;
            self.members[copy].children.push(child);
        }
        copy
    }

    /// Where a chart believes to be: `top/charts/sub`.
    fn full_name(&self, id: Id) -> String {
        match self.members[id].parent {
            Some(parent) => format!("{}/charts/{}", self.full_name(parent), self.name(id)),
            None => self.name(id).to_owned(),
        }
    }

    /// The chart with everything below it. What is in several places is copied into each.
    pub(super) fn into_chart(mut self) -> Chart {
        let names: Vec<String> = (0..self.members.len()).map(|id| self.full_name(id)).collect();
        let mut places = Places {
            charts: vec![0; self.members.len()],
            metadata: vec![0; self.metadata.len()],
        };
        self.count(Self::ROOT, &mut places);
        self.take(Self::ROOT, &names, &mut places)
    }

    fn count(&self, id: Id, places: &mut Places) {
        places.charts[id] += 1;
        places.metadata[self.members[id].metadata] += 1;
        self.children(id).iter().for_each(|child| self.count(*child, places));
    }

    fn take(&mut self, id: Id, names: &[String], places: &mut Places) -> Chart {
        let metadata = self.members[id].metadata;
        let mut chart = last_or_copy(&mut places.charts[id], &mut self.members[id].chart);
        chart.metadata = last_or_copy(&mut places.metadata[metadata], &mut self.metadata[metadata]);
        chart.full_name.clone_from(&names[id]);
        let children = self.members[id].children.clone();
        let subcharts = children.into_iter().map(|child| self.take(child, names, places));
        chart.subcharts = subcharts.collect();
        chart
    }

    pub(super) fn view(&self, id: Id) -> View<'_> {
        View { family: self, id }
    }
}

/// How many places of the tree are still to be filled with a chart or its metadata.
struct Places {
    charts: Vec<usize>,
    metadata: Vec<usize>,
}

fn last_or_copy<T: Clone + Default>(places: &mut usize, from: &mut T) -> T {
    *places -= 1;
    if *places == 0 {
        std::mem::take(from)
    } else {
        from.clone()
    }
}

/// A chart of a family, to lay its values over each other.
#[derive(Clone, Copy)]
pub(super) struct View<'f> {
    family: &'f Family,
    id: Id,
}

impl Branch for View<'_> {
    fn name(&self) -> &str {
        self.family.name(self.id)
    }

    fn values(&self) -> &Map<String, Value> {
        &self.family.members[self.id].chart.values
    }

    fn file(&self, name: &str) -> String {
        self.family.file(self.id, name)
    }

    fn subcharts(&self) -> impl Iterator<Item = Self> {
        let family = self.family;
        family.children(self.id).iter().map(move |id| View { family, id: *id })
    }
}
