//! Folders, `.helmignore`, links, and what stands in `charts/`.

use crate::oracle::{Case, check_all};

const SHOW: &str = "name: {{ .Template.Name }}\nfiles: {{ range $name, $_ := .Files }}{{ $name }} {{ end }}\n\
    a: {{ .Files.Get \"a.txt\" | quote }}\ncharts: {{ range $name, $_ := .Subcharts }}{{ $name }} {{ end }}\n";

fn chart() -> Case {
    Case::of(&[
        ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 0.1.0\n"),
        ("templates/show.yaml", SHOW),
        ("a.txt", "a"),
        ("b.md", "b"),
        (".hidden", "h"),
        ("docs/a.txt", "da"),
        ("docs/deep/b.md", "db"),
        ("crds/c.yaml", "kind: C\n"),
        ("templates/.hidden.yaml", "hidden: true\n"),
        ("templates/.dir/x.yaml", "hidden: true\n"),
        ("templates/more/.x.yaml", "shown: true\n"),
        ("templates/more/y.yaml", "more: true\n"),
        ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
        ("charts/sub/a.txt", "sa"),
        ("charts/sub/docs/a.txt", "sd"),
        ("charts/sub/templates/show.yaml", SHOW),
        ("charts/sub/templates/.hidden.yaml", "sub: hidden\n"),
    ])
}

/// Lines of `.helmignore`.
const RULES: &[&str] = &[
    "",
    "a.txt",
    "*.txt",
    "/a.txt",
    "docs",
    "docs/",
    "docs/*",
    "docs/*/b.md",
    "/docs",
    "*.md\n!b.md",
    "!b.md",
    "!*.txt\n",
    "!docs/",
    "!/a.txt",
    "charts",
    "charts/",
    "charts/sub",
    "charts/*/docs/",
    "sub/",
    "templates/*.yaml",
    "templates/",
    "*",
    "*.*",
    ".*",
    "?.txt",
    "[a-b].*",
    "[!a].md",
    "[^a].*",
    "[a",
    "[]a]",
    "[a-]",
    "[-a]",
    "**",
    "docs/**",
    "!**",
    "\\a.txt",
    "a\\",
    "# a.txt",
    " a.txt ",
    "\ta.txt\r",
    "a.txt\r\nb.md\r\n",
    "\u{feff}a.txt",
    "!",
    "/",
    "//",
    "./a.txt",
    "docs//a.txt",
    "Chart.yaml",
    "values.yaml\nChart.yaml/",
    "{a,b}.txt",
    "a.txt/",
    ".helmignore",
    "templates/.?*",
    "é*",
];

#[test]
fn ignore_files_mean_what_they_mean_to_helm() {
    let mut cases: Vec<(String, Case)> = Vec::new();
    for rule in RULES {
        cases.push((format!("{rule:?}"), chart().with(".helmignore", rule)));
        cases.push((
            format!("{rule:?} in a subchart"),
            chart().with("charts/sub/.helmignore", rule),
        ));
    }
    cases.push(("a long line".into(), chart().with(".helmignore", "x".repeat(70_000))));
    cases.push(("not text".into(), chart().with(".helmignore", b"\xff\xfe\na.txt\n")));
    check_all(cases.iter().map(|(name, case)| (name.clone(), case)));
}

#[test]
fn everything_in_charts_has_to_be_a_chart() {
    let names = [
        "charts/README.md",
        "charts/_README.md",
        "charts/.gitkeep",
        "charts/_old/Chart.yaml",
        "charts/.old/Chart.yaml",
        "charts/empty/readme.txt",
        "charts/sub-1.0.0.tgz.prov",
        "charts/sub/keys.prov",
        "charts/x.prov",
        "charts/x.tgz/Chart.yaml",
        "charts/broken.tgz",
        "charts/sub/charts/README.md",
        "charts/sub/charts/.gitkeep",
        "templates",
        "chartsx/a",
        "templatesx/a",
        "tests/a.yaml",
        "values.schema.json.bak",
        "requirements.yaml",
    ];
    let mut cases: Vec<(String, Case)> = names.map(|name| (name.to_owned(), chart().with(name, "a: 1\n"))).into();
    cases.last_mut().unwrap().1.files.remove("nothing");
    cases.retain(|(name, _)| name != "templates");
    let with_chart = |path: &str, text: &str| {
        (
            format!("{path} {text:?}"),
            chart().with(&format!("{path}/Chart.yaml"), text),
        )
    };
    cases.push(with_chart("charts/second", "name: sub\nversion: 2.0.0\n"));
    cases.push(with_chart(
        "charts/lib",
        "apiVersion: v2\nname: lib\nversion: 2.0.0\ntype: library\n",
    ));
    cases.push(with_chart(
        "charts/LIB",
        "apiVersion: v2\nname: lib\nversion: 2.0.0\ntype: LIBRARY\n",
    ));
    cases.push(with_chart("charts/v3", "apiVersion: v3\nname: three\nversion: 2.0.0\n"));
    cases.push(with_chart("charts/odd", "apiVersion: 9\nname: odd\nversion: 2.0.0\n"));
    cases.push(with_chart(
        "charts/a/charts/b/charts/c",
        "apiVersion: v2\nname: c\nversion: 2.0.0\n",
    ));
    check_all(cases.iter().map(|(name, case)| (name.clone(), case)));
}

#[test]
fn links_are_followed_inside_the_tree() {
    let linked = |links: &[(&str, &str)], rules: &str| {
        let mut case = chart().with(".helmignore", rules);
        case.links = links
            .iter()
            .map(|(name, target)| ((*name).to_owned(), (*target).to_owned()))
            .collect();
        case
    };
    let cases = [
        linked(&[("link.txt", "a.txt")], ""),
        linked(&[("link", "docs")], ""),
        linked(&[("docs/up", "../crds")], ""),
        linked(&[("templates/link.yaml", "../crds/c.yaml")], ""),
        linked(&[("templates/link", "more")], ""),
        linked(&[("charts/again", "sub")], ""),
        linked(&[("gone", "nowhere")], ""),
        linked(&[("gone", "nowhere")], "gone"),
        linked(&[("link", "docs")], "link/"),
        linked(&[("link", "docs")], "link"),
        linked(&[("link.txt", "a.txt")], "link.txt/"),
        linked(&[("link.txt", "a.txt")], "*.txt"),
        linked(&[("one", "two"), ("two", "one")], ""),
        linked(&[("one", "docs"), ("two", "one/deep")], ""),
    ];
    check_all(cases.iter().enumerate().map(|(index, case)| (index.to_string(), case)));
}

#[test]
fn marks_are_removed_and_large_files_refused() {
    let cases = [
        chart().with("a.txt", "\u{feff}marked"),
        chart().with("templates/marked.yaml", "\u{feff}marked: true\n"),
        chart().with("values.yaml", "\u{feff}marked: true\n"),
        chart().with("big.bin", vec![b'x'; 5 << 20]),
        chart().with("big.bin", vec![b'x'; (5 << 20) + 1]),
        chart()
            .with("big.bin", vec![b'x'; (5 << 20) + 1])
            .with(".helmignore", "*.bin"),
        chart().with("a.txt", b"\xff\xfe binary"),
        chart().with("templates/binary.yaml", b"a: \xff\n"),
    ];
    check_all(cases.iter().enumerate().map(|(index, case)| (index.to_string(), case)));
}

#[test]
fn names_with_a_backslash_are_names() {
    let cases = [
        chart().with("docs\\a.txt", "backslash"),
        chart().with(
            "templates/a\\b.yaml",
            "name: {{ .Template.Name }} {{ .Template.BasePath }}\n",
        ),
        chart().with("templates\\b.yaml", "name: {{ .Template.Name }}\n"),
        chart().with("a\\..\\..\\b.md", "up"),
        chart().with("charts/sub/x\\y.txt", "x"),
        chart().with("charts/x\\y", "no chart"),
        chart()
            .with("docs\\a.txt", "backslash")
            .with(".helmignore", "docs\\a.txt"),
        chart()
            .with("docs\\a.txt", "backslash")
            .with(".helmignore", "docs\\\\a.txt"),
    ];
    check_all(cases.iter().enumerate().map(|(index, case)| (index.to_string(), case)));
}

/// A template that is not UTF-8 matters where its bytes come out, and nowhere else.
#[test]
fn templates_that_are_not_text() {
    let fffd = "x: \u{fffd}\ny: {{ \"\u{fffd}\" }}\n";
    let cases = [
        chart()
            .with("templates/_p.tpl", b"{{ define \"p\" }}caf\xe9{{ end }}")
            .with("templates/a.yaml", fffd),
        chart()
            .with("templates/_p.tpl", b"{{/* caf\xe9 */}}{{ define \"p\" }}c{{ end }}")
            .with("templates/a.yaml", fffd),
        chart()
            .with("templates/_p.tpl", b"{{ define \"p\" }}caf\xe9{{ end }}")
            .with("templates/a.yaml", "x: {{ include \"p\" . }}\n"),
        chart()
            .with("templates/_p.tpl", b"{{ define \"p\" }}caf\xe9{{ end }}")
            .with("templates/a.yaml", "x: {{ include \"p\" . | b64enc }}\n"),
        chart()
            .with("templates/NOTES.txt", b"caf\xe9 {{ len \"\xe9\" }}")
            .with("templates/a.yaml", fffd),
    ];
    check_all(cases.iter().enumerate().map(|(index, case)| (index.to_string(), case)));
}
