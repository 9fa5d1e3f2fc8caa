//! Charts, held against the real Helm: what each template renders to must be equal, and what Helm refuses must be refused.
//!
//! The binary is `helm` in `CAPSTAN_ORACLES` (by default `~/.cache/capstan/oracles`, where `tests/oracles/build.sh` puts it); without it
//! the test says so and passes.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a test runs the real program on real files, and says what it compared"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use capstan_model::{ApplicationSource, HelmSource};
use capstan_render::{MemoryTree, RenderRequest, helm_template};

fn helm() -> Option<PathBuf> {
    let folder = std::env::var_os("CAPSTAN_ORACLES").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/capstan/oracles"));
    let path = folder.or_else(home)?.join("helm");
    path.exists().then_some(path)
}

/// The files below a folder, by path from it.
fn files_of(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        match path.is_dir() {
            true => files_of(root, &path, found),
            false => {
                let name = path.strip_prefix(root).expect("below").to_string_lossy().into_owned();
                found.insert(name, std::fs::read(&path).expect("readable"));
            }
        }
    }
}

/// What Helm prints, by template, one entry a document.
fn by_template(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for part in format!("\n{text}").split("\n---\n# Source: ").skip(1) {
        let (name, body) = part.split_once('\n').unwrap_or((part, ""));
        found.entry(name.to_owned()).or_default().insert(body.trim().to_owned());
    }
    found
}

fn documents(text: &str) -> BTreeSet<String> {
    let parts = format!("\n{text}");
    parts
        .split("\n---")
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

/// Renders the chart in `folder` with both. `Ok` is the number of equal templates.
fn compare(helm: &Path, folder: &Path, values: Option<&str>) -> Result<usize, String> {
    let mut command = Command::new(helm);
    command
        .args(["template", "rel"])
        .arg(folder)
        .args(["--namespace", "team"]);
    if let Some(values) = values {
        std::fs::write(folder.join("extra-values.yaml"), values).expect("written");
        command.arg("-f").arg(folder.join("extra-values.yaml"));
    }
    let theirs = command.output().expect("helm starts");
    let mut files = BTreeMap::new();
    files_of(folder, folder, &mut files);
    let tree = MemoryTree::from_files(files.iter().map(|(name, bytes)| (format!("charts/{name}"), bytes)));
    let source = ApplicationSource {
        path: "charts".into(),
        helm: Some(HelmSource {
            value_files: values.map(|_| "extra-values.yaml".to_owned()).into_iter().collect(),
            ..HelmSource::default()
        }),
        ..ApplicationSource::default()
    };
    let request = RenderRequest {
        namespace: "team",
        ..RenderRequest::new("rel", &source)
    };
    let ours = helm_template(&request, &tree).map(|output| output.files);
    let theirs_text = String::from_utf8_lossy(&theirs.stdout);
    match (theirs.status.success(), ours) {
        (false, Err(_)) => Ok(1),
        (false, Ok(_)) => Err(format!("helm refuses: {}", String::from_utf8_lossy(&theirs.stderr))),
        (true, Err(error)) => Err(format!("we refuse: {error}")),
        (true, Ok(ours)) => {
            let theirs = by_template(&theirs_text);
            for (name, wanted) in &theirs {
                let found = ours.get(name).map(|text| documents(text)).unwrap_or_default();
                if found != *wanted {
                    return Err(format!("{name}:\n--- helm\n{wanted:#?}\n--- capstan\n{found:#?}"));
                }
            }
            Ok(theirs.len())
        }
    }
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("has a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
}

const UMBRELLA: &[(&str, &str)] = &[
    (
        "Chart.yaml",
        "apiVersion: v2\nname: umbrella\nversion: 1.2.3\nappVersion: 4\nkubeVersion: '>=1.20-0'\nannotations: {a: b}\n\
         dependencies:\n- {name: db, version: 1.x.x, condition: db.enabled}\n- {name: db, version: '*', alias: cache, tags: [fast]}\n",
    ),
    (
        "values.yaml",
        "global: {domain: example.org, nested: {a: 1}}\ndb: {enabled: true, size: 3, extra: {x: 1}}\ncache: {size: 9}\nbig: 1000000\n\
         mode: 0644\non: yes\nlist: [b, a]\nempty: {}\ngone: null\nname: '{{ .Release.Name }}-x'\n",
    ),
    ("charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.4.0\n"),
    (
        "charts/db/values.yaml",
        "size: 1\nextra: {y: 2}\nglobal: {domain: own, only: here}\n",
    ),
    (
        "charts/db/templates/db.yaml",
        "chart: {{ .Chart.Name }}\nsize: {{ .Values.size }}\nglobal: {{ toJson .Values.global }}\nextra: {{ toJson .Values.extra }}\n\
         root: {{ .Chart.IsRoot }}\nlabels: {{- include \"shared\" . | nindent 2 }}\n",
    ),
    (
        "templates/_shared.tpl",
        "{{- define \"shared\" -}}\nfrom: umbrella\nname: {{ .Chart.Name }}\n{{- end }}\n",
    ),
    (
        "templates/all.yaml",
        "values: {{- toYaml .Values | nindent 2 }}\nbig: {{ .Values.big }}\nint: {{ int .Values.big }}\nmode: {{ .Values.mode }}\n\
         tpl: {{ tpl .Values.name . }}\nfiles: {{ (.Files.Glob \"conf/*\").AsConfig | quote }}\nget: {{ .Files.Get \"conf/a.txt\" | quote }}\n\
         has: {{ .Capabilities.APIVersions.Has \"apps/v1\" }}\nkube: {{ .Capabilities.KubeVersion.Minor }}\n\
         sub: {{ .Subcharts.cache.Values.size }}\napp: {{ .Chart.AppVersion }}\nbase: {{ .Template.BasePath }}\n\
         sum: {{ include (print $.Template.BasePath \"/other.yaml\") . | sha256sum }}\n{{- $_ := set .Values \"seen\" true }}\n",
    ),
    (
        "templates/other.yaml",
        "items:\n{{- range $i, $v := .Values.list }}\n- {{ $i }}: {{ $v | upper | quote }}\n{{- end }}\n",
    ),
    ("templates/a.yaml", "seen: {{ .Values.seen | default false }}\n"),
    ("templates/NOTES.txt", "hello\n"),
    ("conf/a.txt", "A1\nA2\n"),
    ("conf/b.txt", "B"),
];

#[test]
fn charts_render_as_helm_renders_them() {
    let Some(helm) = helm() else {
        println!("skipped: the real helm is not there (tests/oracles/build.sh builds it)");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let starter = folder.path().join("starter");
    let made = Command::new(&helm)
        .arg("create")
        .arg(&starter)
        .output()
        .expect("helm starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let umbrella = folder.path().join("umbrella");
    write(&umbrella, UMBRELLA);
    let cases: &[(&Path, Option<&str>)] = &[
        (&starter, None),
        (
            &starter,
            Some(
                "ingress: {enabled: true, className: nginx}\nautoscaling: {enabled: true, targetMemoryUtilizationPercentage: 70}\n",
            ),
        ),
        (
            &starter,
            Some("serviceAccount: {create: false}\nreplicaCount: 3\nimage: {tag: 1.10}\nfullnameOverride: other\n"),
        ),
        (
            &starter,
            Some("podAnnotations: {a: 'yes', b: '1'}\nresources: {limits: {cpu: 100m}}\nnodeSelector: {disk: ssd}\n"),
        ),
        (&starter, Some("service: null\n")),
        (&umbrella, None),
        (&umbrella, Some("db: {enabled: false}\ntags: {fast: true}\n")),
        (
            &umbrella,
            Some("tags: {fast: false}\nglobal: {domain: changed, nested: null}\n"),
        ),
        (
            &umbrella,
            Some("db: {extra: null, size: null}\ncache: {extra: {x: [1, 2.5, true]}}\nlist: null\n"),
        ),
        (&umbrella, Some("name: '{{ fail \"on purpose\" }}'\n")),
    ];
    let mut failures = Vec::new();
    let mut equal = 0;
    for (chart, values) in cases {
        match compare(&helm, chart, *values) {
            Ok(count) => equal += count,
            Err(why) => failures.push(format!("{} with {values:?}: {why}", chart.display())),
        }
    }
    println!("helm charts: {equal} templates equal, {} cases differ", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
