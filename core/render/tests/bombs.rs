//! Sources that want all memory or all time: each ends in a limit that names itself and the file, in bounded memory and time, and the
//! next source renders.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "the test says what it measured"
)]

use std::io::Write as _;
use std::sync::Mutex;

use capstan_model::{ApplicationSource, HelmSource};
use capstan_render::{MemoryTree, RenderError, RenderOutput, RenderRequest, render};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Peak memory is the whole program's: one bomb at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What a render may take, in MiB.
const MEMORY_LIMIT: usize = 512;

fn render_path(tree: &MemoryTree, path: &str, helm: Option<HelmSource>) -> Result<RenderOutput, RenderError> {
    let source = ApplicationSource {
        path: path.into(),
        helm,
        ..ApplicationSource::default()
    };
    render(&RenderRequest::new("bomb", &source), tree)
}

/// A chart with one template.
fn chart(template: &str) -> MemoryTree {
    MemoryTree::from_files([
        ("bomb/Chart.yaml", "apiVersion: v2\nname: bomb\nversion: 1.0.0\n"),
        ("bomb/templates/a.yaml", template),
    ])
}

/// Renders a bomb: the message has to hold the words, memory to stay below its limit, and a healthy chart to render afterwards.
fn defused(name: &str, tree: &MemoryTree, words: &[&str]) {
    let guard = ONE_AT_A_TIME.lock();
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let start = std::time::Instant::now();
    let message = match render_path(tree, "bomb", None) {
        Err(error) => error.to_string(),
        Ok(output) => panic!("{name} rendered to {} objects", output.manifests.len()),
    };
    let used = (MEMORY.peak_usage() - before) >> 20;
    println!(
        "{name}: {:?}, {used} MiB: {}",
        start.elapsed(),
        message.chars().take(160).collect::<String>()
    );
    for word in words {
        assert!(message.contains(word), "{name}: {word:?} is not in {message}");
    }
    assert!(message.len() < 4000, "{name}: a message of {} bytes", message.len());
    assert!(used < MEMORY_LIMIT, "{name} took {used} MiB");
    let healthy = chart("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    assert_eq!(
        render_path(&healthy, "bomb", None)
            .expect("others render")
            .manifests
            .len(),
        1
    );
    drop(guard);
}

/// A name, a template, and the words of the error.
const TEMPLATES: &[(&str, &str, &[&str])] = &[
    (
        "an include of itself",
        "{{ define \"a\" }}{{ include \"a\" . }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}",
        &["bomb/templates/a.yaml:1"],
    ),
    (
        "tpl of itself",
        "{{ $t := \"{{ tpl .t . }}\" }}{{ tpl $t (dict \"t\" $t) }}",
        &["limit", "bomb/templates/a.yaml"],
    ),
    (
        "a range without end",
        "{{ range until 2000000000 }}x{{ end }}",
        &["limit", "a.yaml:1"],
    ),
    (
        "a range over a number",
        "{{ range 900000000000 }}{{ end }}",
        &["limit", "a.yaml:1"],
    ),
    (
        "nested ranges",
        "{{ range until 100000 }}{{ range until 100000 }}x{{ end }}{{ end }}",
        &["limit", "a.yaml:1"],
    ),
    (
        "repeat",
        "{{ repeat 1000000000 \"abc\" }}",
        &["limit output", "a.yaml:1"],
    ),
    ("printf width", "{{ printf \"%1000000000d\" 1 }}", &["a.yaml"]),
    (
        "doubling",
        "{{ $s := \"abcdefgh\" }}{{ range until 60 }}{{ $s = print $s $s }}{{ end }}",
        &["limit output"],
    ),
    (
        "a long regex",
        "{{ regexMatch \"((((((a{100}){100}){100}){100}){100}){100})\" \"a\" }}",
        &["a.yaml:1"],
    ),
    (
        "a map in itself",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toYaml $d }}",
        &["limit nesting", "a.yaml:1"],
    ),
    ("division by nothing", "\n{{ div 1 0 }}", &["a.yaml:2"]),
    ("nothing's field", "{{ .Values.a.b }}", &["a.yaml:1", "nil pointer"]),
    ("fail", "{{ fail \"on purpose <b>\" }}", &["a.yaml:1", "on purpose <b>"]),
    (
        "untilStep",
        "{{ untilStep 0 1000000000 1 | len }}",
        &["limit", "a.yaml:1"],
    ),
    (
        "toYaml of what doubles",
        "{{ $d := dict }}{{ range until 60 }}{{ $d = dict \"a\" $d \"b\" $d }}{{ end }}{{ toYaml $d }}",
        &["limit"],
    ),
    (
        "fromYaml of aliases",
        "{{ $y := \"a: &a [x,x,x,x,x,x,x,x,x,x]\" }}{{ range $i := until 9 }}{{ $y = print $y \"\\n\" (printf \"k%d: &k%d [*%s,*%s,*%s,*%s,*%s,*%s,*%s,*%s,*%s,*%s]\" $i $i (ternary \"a\" (printf \"k%d\" (sub $i 1)) (eq $i 0)) (ternary \"a\" (printf \"k%d\" (sub $i 1)) (eq $i 0)) (ternary \"a\" (printf \"k%d\" (sub $i 1)) (eq $i 0)) (ternary \"a\" (printf \"k%d\" (sub $i 1)) (eq $i 0)) (ternary \"a\" (printf \"k%d\" (sub $i 1)) (eq $i 0)) (ternary \"a\" (printf \"k%d\" (sub $i 1)) (eq $i 0)) (ternary \"a\" (printf \"k%d\" (sub $i 1)) (eq $i 0)) (ternary \"a\" (printf \"k%d\" (sub $i 1)) (eq $i 0)) (ternary \"a\" (printf \"k%d\" (sub $i 1)) (eq $i 0)) (ternary \"a\" (printf \"k%d\" (sub $i 1)) (eq $i 0))) }}{{ end }}{{ fail (fromYaml $y).Error }}",
        &["excessive aliasing"],
    ),
];

#[test]
fn templates() {
    for (name, template, words) in TEMPLATES {
        defused(name, &chart(template), words);
    }
    let deep = format!("{}1{}", "(".repeat(200_000), ")".repeat(200_000));
    defused("parentheses", &chart(&format!("{{{{ {deep} }}}}")), &["a.yaml"]);
    let blocks = format!("{}{}", "{{ if true }}".repeat(100_000), "{{ end }}".repeat(100_000));
    defused("blocks", &chart(&blocks), &["a.yaml"]);
}

#[test]
fn values_and_manifests() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        laughs.push_str(&format!("a{level}: &a{level} [{}]\n", [before.as_str(); 10].join(", ")));
    }
    let deep = format!("a: {}{}\n", "[".repeat(10_000), "]".repeat(10_000));
    let long = format!("a: {}\n", "x".repeat(6 << 20));
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let fat = format!("{object}data:\n  a: {}\n", "x".repeat(2 << 20));
    let many = format!("{object}---\n").repeat(10_001);
    for (name, text, words) in [
        ("laughs", &laughs, &["excessive aliasing", "line 4"][..]),
        ("depth", &deep, &["nesting", "100"]),
    ] {
        for file in ["bomb/values.yaml", "bomb/templates/a.yaml", "bomb/Chart.yaml"] {
            let mut tree = chart("a: 1\n");
            tree.write(file, text);
            defused(&format!("{name} in {file}"), &tree, &[words, &[file]].concat());
        }
        let tree = MemoryTree::from_files([("bomb/a.yaml", text)]);
        defused(
            &format!("{name} in a manifest"),
            &tree,
            &[words, &["bomb/a.yaml:"]].concat(),
        );
    }
    for (name, text, words) in [
        (
            "a long file",
            long,
            &["bytes of one file", "5242880", "bomb/a.yaml"][..],
        ),
        ("a fat object", fat, &["bytes of one object", "1572864", "bomb/a.yaml"]),
        ("many objects", many, &["objects of one source", "10000", "bomb/a.yaml"]),
    ] {
        defused(name, &MemoryTree::from_files([("bomb/a.yaml", text)]), words);
    }
}

/// A gzip stream of zeros, a thousand times smaller than what it unpacks to.
fn zeros(megabytes: usize) -> Vec<u8> {
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best()));
    let mut add = |name: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive
            .append_data(&mut header, name, content)
            .expect("it is written to memory");
    };
    add("sub/Chart.yaml", b"apiVersion: v2\nname: sub\nversion: 1.0.0\n");
    let content = vec![0; 4 << 20];
    for number in 0..megabytes / 4 {
        add(&format!("sub/zeros-{number}"), &content);
    }
    let mut inner = archive.into_inner().expect("it is written to memory");
    inner.flush().expect("it is written to memory");
    inner.finish().expect("it is written to memory")
}

#[test]
fn archives_and_charts() {
    let mut tree = chart("a: 1\n");
    tree.write("bomb/charts/sub-1.0.0.tgz", zeros(400));
    defused("a gzip bomb", &tree, &["bomb/charts/sub-1.0.0.tgz", "limit"]);
    for (name, text, words) in [
        (
            "no version",
            "apiVersion: v2\nname: bomb\n",
            &["version is required", "bomb/Chart.yaml"][..],
        ),
        (
            "a bad version",
            "apiVersion: v2\nname: bomb\nversion: one\n",
            &["version", "one", "bomb/Chart.yaml"],
        ),
        (
            "a name that leads out",
            "apiVersion: v2\nname: ..\nversion: 1.0.0\n",
            &["name", "bomb/Chart.yaml"],
        ),
        (
            "no dependency",
            "apiVersion: v2\nname: bomb\nversion: 1.0.0\ndependencies: [null]\n",
            &["dependencies", "bomb/Chart.yaml"],
        ),
    ] {
        let mut tree = chart("a: 1\n");
        tree.write("bomb/Chart.yaml", text);
        defused(name, &tree, words);
    }
    let mut cycle = chart("a: 1\n");
    cycle.link("bomb/charts/again", "../../bomb");
    defused("a chart in itself", &cycle, &["bomb"]);
    let mut out = chart("a: 1\n");
    out.link("bomb/templates/out.yaml", "../../../../etc/passwd");
    defused("a link that leads out", &out, &["bomb/templates/out.yaml"]);
    let mut schema = chart("a: 1\n");
    schema.write("bomb/values.yaml", "a: {a: {a: {}}}\n");
    schema.write(
        "bomb/values.schema.json",
        "{\"$ref\": \"#/definitions/a\", \"definitions\": {\"a\": {\"$ref\": \"#/definitions/a\"}}}",
    );
    defused("a schema in itself", &schema, &["bomb"]);
}
