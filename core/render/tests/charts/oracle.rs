//! The same chart, rendered by the real Helm and by Capstan.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use capstan_model::{ApplicationSource, HelmSource};
use capstan_render::{HelmOutput, MemoryTree, RenderRequest, helm_template};
use serde_json::{Value, json};

/// A chart's files, and the user's values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Case {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) links: BTreeMap<String, String>,
    pub(crate) values: Option<Vec<u8>>,
}

impl Case {
    pub(crate) fn of<C: AsRef<[u8]>>(files: &[(&str, C)]) -> Self {
        let files = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.as_ref().to_vec()));
        Self {
            files: files.collect(),
            ..Self::default()
        }
    }

    pub(crate) fn with(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.insert(name.to_owned(), content.as_ref().to_vec());
        self
    }

    pub(crate) fn with_values(mut self, values: impl AsRef<[u8]>) -> Self {
        self.values = Some(values.as_ref().to_vec());
        self
    }

    /// What a person needs to see of it.
    pub(crate) fn show(&self) -> String {
        let mut text = String::new();
        for (name, content) in &self.files {
            let shown = match std::str::from_utf8(content) {
                Ok(content) => content.to_owned(),
                Err(_) => format!("({} bytes)", content.len()),
            };
            text.push_str(&format!("--- {name}\n{shown}\n"));
        }
        let values = self.values.as_deref().map(String::from_utf8_lossy);
        text.push_str(&format!("links: {:?}\nvalues: {values:?}\n", self.links));
        text
    }
}

/// The text of every template, or why there is none.
pub(crate) type Outcome = Result<BTreeMap<String, String>, String>;

pub(crate) struct Oracle {
    program: PathBuf,
    running: RefCell<Running>,
    folder: tempfile::TempDir,
}

/// One process of the real Helm.
struct Running {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Running {
    fn start(program: &Path) -> Self {
        let mut command = Command::new(program);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        Self {
            requests: process.stdin.take().unwrap(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            process,
        }
    }

    /// The answer, empty when there is none.
    fn ask(&mut self, asked: &str) -> String {
        let mut line = String::new();
        let answered = self
            .requests
            .write_all(asked.as_bytes())
            .and_then(|()| self.answers.read_line(&mut line));
        answered.map(|_| line).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Oracle {
    pub(crate) fn start() -> Option<Self> {
        let folder = std::env::var_os("CAPSTAN_ORACLES").map(PathBuf::from);
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/capstan/oracles"));
        let program = folder.or_else(home)?.join("helm-render");
        if !program.exists() {
            println!("skipped: the real helm is not there (tests/oracles/build.sh builds it)");
            return None;
        }
        Some(Self {
            running: RefCell::new(Running::start(&program)),
            program,
            folder: tempfile::tempdir().unwrap(),
        })
    }

    /// What Helm makes of a case.
    pub(crate) fn helm(&self, case: &Case) -> Outcome {
        let (chart, files) = self.write(case);
        let asked = json!({ "chart": chart, "values": files, "name": "rel", "namespace": "team" });
        let mut running = self.running.borrow_mut();
        let line = running.ask(&format!("{asked}\n"));
        if line.is_empty() {
            // Some charts end it, such as values that contain themselves.
            *running = Running::start(&self.program);
            return Err("helm crashes".to_owned());
        }
        let answer: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("helm answers {line:?}: {error}"));
        match answer["error"].as_str().unwrap_or_default() {
            "" => {
                let files = answer["files"].as_object().cloned().unwrap_or_default();
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                Ok(files.iter().map(|(name, value)| (name.clone(), text(value))).collect())
            }
            error => Err(error.to_owned()),
        }
    }

    /// What `helm template` prints of a case.
    fn printed(&self, case: &Case) -> Result<Vec<u8>, String> {
        let (chart, files) = self.write(case);
        let mut command = Command::new(self.program.with_file_name("helm"));
        command.args(["template", "rel", "--namespace", "team", "--include-crds"]);
        let output = command
            .arg(chart)
            .args(files.iter().map(|file| format!("--values={}", file.display())))
            .output()
            .unwrap();
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// Puts a case where Helm reads it: the chart, and the files of the user's values.
    fn write(&self, case: &Case) -> (PathBuf, Vec<PathBuf>) {
        let chart = self.folder.path().join("chart");
        drop(std::fs::remove_dir_all(&chart));
        std::fs::create_dir_all(&chart).unwrap();
        for (name, content) in &case.files {
            let path = chart.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        for (name, target) in &case.links {
            let path = chart.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(target, path).unwrap();
        }
        let values = self.folder.path().join("values.yaml");
        let mut files = Vec::new();
        if let Some(text) = &case.values {
            std::fs::write(&values, text).unwrap();
            files.push(values);
        }
        (chart, files)
    }
}

/// What Capstan makes of a case.
pub(crate) fn capstan(case: &Case) -> Outcome {
    output(case).map(|output| output.files)
}

fn output(case: &Case) -> Result<HelmOutput, String> {
    let mut tree = MemoryTree::from_files(case.files.iter().map(|(name, text)| (format!("app/{name}"), text)));
    for (name, target) in &case.links {
        tree.link(format!("app/{name}"), target);
    }
    if let Some(text) = &case.values {
        tree.write("extra.yaml", text);
    }
    let source = ApplicationSource {
        path: "app".into(),
        helm: Some(HelmSource {
            value_files: case.values.iter().map(|_| "../extra.yaml".to_owned()).collect(),
            ..HelmSource::default()
        }),
        ..ApplicationSource::default()
    };
    let request = RenderRequest {
        namespace: "team",
        ..RenderRequest::new("rel", &source)
    };
    helm_template(&request, &tree).map_err(|error| error.to_string())
}

/// Both, held against each other; `Err` says how they differ. Texts of errors are not compared.
pub(crate) fn agree(oracle: &Oracle, case: &Case) -> Result<Outcome, String> {
    let (theirs, ours) = (oracle.helm(case), capstan(case));
    match (&theirs, &ours) {
        (Err(_), Err(_)) => Ok(ours),
        (Ok(helm), Ok(capstan)) if helm == capstan => Ok(ours),
        _ => Err(format!("helm:    {theirs:#?}\ncapstan: {ours:#?}\n{}", case.show())),
    }
}

/// As [`agree`], and what the commands print is the same to the byte.
fn agree_printed(oracle: &Oracle, case: &Case) -> Result<Outcome, String> {
    let (theirs, ours) = (oracle.printed(case), output(case));
    match (&theirs, ours) {
        (Err(_), Err(_)) => {}
        (Ok(helm), Ok(capstan)) if *helm == capstan.to_yaml(true) => {}
        (theirs, ours) => {
            let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
            let theirs = theirs.as_deref().map(shown);
            let ours = ours.map(|ours| shown(&ours.to_yaml(true)));
            return Err(format!("helm:    {theirs:#?}\ncapstan: {ours:#?}\n{}", case.show()));
        }
    }
    agree(oracle, case)
}

/// How many charts to look at: what `CAPSTAN_CASES` says.
pub(crate) fn count(otherwise: usize) -> usize {
    let wanted = std::env::var("CAPSTAN_CASES").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Cases of a table that are looked at by default: a sample that is the same every time.
const SAMPLE: usize = 60;

/// Holds the cases of a table, and prints all that differ.
pub(crate) fn check_all<'c>(cases: impl IntoIterator<Item = (String, &'c Case)>) {
    check_by(agree, cases);
}

/// As [`check_all`], and what the commands print is the same, too.
pub(crate) fn check_printed<'c>(cases: impl IntoIterator<Item = (String, &'c Case)>) {
    check_by(agree_printed, cases);
}

fn check_by<'c>(
    agree: fn(&Oracle, &Case) -> Result<Outcome, String>,
    cases: impl IntoIterator<Item = (String, &'c Case)>,
) {
    let Some(oracle) = Oracle::start() else { return };
    let cases: Vec<_> = cases.into_iter().collect();
    let step = cases.len().div_ceil(count(SAMPLE).max(1));
    let (mut failures, mut equal, mut refused) = (Vec::new(), 0, 0);
    for (name, case) in cases.into_iter().step_by(step) {
        match agree(&oracle, case) {
            Ok(outcome) => {
                equal += 1;
                refused += usize::from(outcome.is_err());
            }
            Err(why) => failures.push(format!("{name}\n{why}")),
        }
    }
    println!(
        "{equal} charts agree with helm ({refused} refused by both), {} differ",
        failures.len()
    );
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}

/// A chart archive.
pub(crate) fn packed(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        builder.append(&header, content.as_slice()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}
