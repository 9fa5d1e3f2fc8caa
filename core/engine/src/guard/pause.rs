//! The kill switch: deletes can be paused, for everything, a cluster, a project or an application, and a pause holds at once.
//!
//! Prevents that people who see an outage begin have to find out first what of a controller to stop. A pause that could not be read yet is
//! a pause: not known is not no.

use std::collections::BTreeMap;

use capstan_model::annotations::PAUSE_DELETES;
use capstan_model::{AppProject, Application, ClusterId};
use serde_json::Value;

/// What is paused by the control namespace's ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    /// Everything: why.
    pub all: Option<String>,
    /// Clusters, as applications name them, and why.
    pub clusters: BTreeMap<String, String>,
    /// Projects, and why.
    pub projects: BTreeMap<String, String>,
}

/// Key of the ConfigMap that pauses everything; its value is why.
const ALL: &str = "all";
/// Key that lists clusters: one a line, `server-or-name`, or `server-or-name = why`.
const CLUSTERS: &str = "clusters";
/// Key that lists projects in the same way.
const PROJECTS: &str = "projects";

impl Pause {
    /// Name of the ConfigMap in the controller's namespace.
    pub const CONFIG_MAP: &'static str = "capstan-pause-deletes";

    /// It is not known whether anything is paused.
    pub fn unknown(why: &str) -> Self {
        Self {
            all: Some(format!("ConfigMap {} could not be read: {why}", Self::CONFIG_MAP)),
            ..Self::default()
        }
    }

    /// From the `data` of the ConfigMap. A key that nobody knows pauses everything: whoever wrote it wanted something to stop.
    pub fn parse<'a>(data: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut pause = Self::default();
        for (key, value) in data {
            match key {
                ALL => pause.all = reason(value).or(pause.all),
                CLUSTERS => pause.clusters = list(value),
                PROJECTS => pause.projects = list(value),
                other => {
                    let why = format!("ConfigMap {} has the unknown key {other:?}", Self::CONFIG_MAP);
                    pause.all.get_or_insert(why);
                }
            }
        }
        pause
    }

    /// From the ConfigMap.
    pub fn of(config_map: &Value) -> Self {
        let data = config_map.get("data").and_then(Value::as_object);
        let entries = data.into_iter().flatten();
        Self::parse(entries.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))))
    }

    /// Why deletes of an application are paused; `None` when they are not. `project` is its own, where that exists.
    pub fn of_application(&self, application: &Application, project: Option<&AppProject>) -> Option<String> {
        let spec = &application.spec;
        let of_project = project.and_then(|project| project.metadata.annotations.get(PAUSE_DELETES));
        let of_application = application.metadata.annotations.get(PAUSE_DELETES);
        let annotations = [("AppProject", of_project), ("Application", of_application)];
        self.reason(&spec.destination.cluster(), spec.project(), annotations)
    }

    /// Why deletes of this application are paused; `None` when they are not. Annotations are those of the project and of the application.
    fn reason<'a>(
        &self,
        cluster: &ClusterId,
        project: &str,
        annotations: impl IntoIterator<Item = (&'static str, Option<&'a String>)>,
    ) -> Option<String> {
        if let Some(why) = &self.all {
            return Some(format!("deletes are paused everywhere: {why}"));
        }
        if let Some(why) = self.clusters.get(&cluster.to_string()) {
            return Some(format!("deletes on cluster {cluster} are paused: {why}"));
        }
        if let Some(why) = self.projects.get(project) {
            return Some(format!("deletes of project {project} are paused: {why}"));
        }
        annotations.into_iter().find_map(|(of, text)| {
            let why = reason(text?)?;
            Some(format!(
                "deletes are paused by annotation {PAUSE_DELETES} of the {of}: {why}"
            ))
        })
    }
}

fn reason(text: &str) -> Option<String> {
    match text.trim() {
        "" | "false" => None,
        why => Some(why.to_owned()),
    }
}

fn list(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let entry = |line: &str| match line.split_once(" = ") {
        Some((name, why)) => (name.trim().to_owned(), why.trim().to_owned()),
        None => (line.to_owned(), "no reason given".to_owned()),
    };
    lines.map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paused(data: &[(&str, &str)], of_project: Option<&str>, of_app: Option<&str>) -> Option<String> {
        let (of_project, of_app) = (of_project.map(str::to_owned), of_app.map(str::to_owned));
        let annotations = [("AppProject", of_project.as_ref()), ("Application", of_app.as_ref())];
        Pause::parse(data.iter().copied()).reason(&ClusterId::in_cluster(), "team-a", annotations)
    }

    #[test]
    fn every_level_pauses_by_itself_and_says_why() {
        let cluster = format!("https://other\n{} = being moved", ClusterId::IN_CLUSTER);
        for (found, why) in [
            (paused(&[("all", "incident 7")], None, None), "everywhere: incident 7"),
            (paused(&[("clusters", &cluster)], None, None), "are paused: being moved"),
            (
                paused(&[("projects", "team-b\nteam-a")], None, None),
                "of project team-a",
            ),
            (paused(&[], Some("freeze"), None), "of the AppProject: freeze"),
            (paused(&[], None, Some("true")), "of the Application: true"),
            (paused(&[("al", "incident 7")], None, None), "unknown key \"al\""),
        ] {
            assert!(found.as_ref().is_some_and(|found| found.contains(why)), "{found:?}");
        }
    }

    #[test]
    fn what_is_not_written_pauses_nothing() {
        assert_eq!(paused(&[], None, None), None);
        assert_eq!(
            paused(&[("all", ""), ("projects", "team-b")], Some("false"), Some(" ")),
            None
        );
        assert!(Pause::unknown("403").all.is_some());
    }
}
