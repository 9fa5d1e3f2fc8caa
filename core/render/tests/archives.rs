//! Packed charts: what is in them, what is refused, and what a bomb costs.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use capstan_model::ApplicationSource;
use capstan_render::{
    ChartLimits, DependencyRepository, FileTree, MemoryTree, OverlayTree, RenderError, RenderRequest, helm_template,
    missing_dependencies, unpack_chart,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A tar of entries with any name at all.
fn tar_of(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, kind, content) in entries {
        let mut header = Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(*kind);
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn packed(files: &[(&str, &str)]) -> Vec<u8> {
    let entries: Vec<_> = files
        .iter()
        .map(|(name, text)| (*name, EntryType::Regular, text.as_bytes()))
        .collect();
    gzip(&tar_of(&entries))
}

fn unpack(bytes: &[u8]) -> Result<BTreeMap<String, Arc<[u8]>>, RenderError> {
    unpack_chart("charts/x-1.0.0.tgz", bytes, ChartLimits::default())
}

fn message(bytes: &[u8]) -> String {
    unpack(bytes).unwrap_err().to_string()
}

#[test]
fn the_folder_is_stripped_and_marks_are_removed() {
    let files = unpack(&packed(&[
        ("x/Chart.yaml", "\u{feff}name: x\n"),
        ("x/templates/.keep", ""),
        ("x/templates/a.yaml", "a"),
        ("other/values.yaml", "first: 1"),
        ("x/values.yaml", "second: 1"),
    ]))
    .unwrap();
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["Chart.yaml", "templates/.keep", "templates/a.yaml", "values.yaml"]
    );
    assert_eq!(files["Chart.yaml"].as_ref(), b"name: x\n");
    assert_eq!(files["values.yaml"].as_ref(), b"second: 1");
}

#[test]
fn links_and_devices_are_empty_files() {
    let kinds = [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
    ];
    for kind in kinds {
        let files = unpack(&gzip(&tar_of(&[("x/a", kind, b"")]))).unwrap();
        assert_eq!(files["a"].as_ref(), b"", "{kind:?}");
    }
}

#[test]
fn names_that_leave_the_chart_are_refused_by_name() {
    for (name, reason) in [
        ("x/../../etc/passwd", "chart illegally references parent directory"),
        ("x//etc/passwd", "chart illegally contains absolute paths"),
        (
            "Chart.yaml",
            "chart illegally contains content outside the base directory",
        ),
        ("x\\C:\\evil", "chart contains illegally named files"),
    ] {
        let text = message(&packed(&[(name, "a")]));
        assert_eq!(text, format!("charts/x-1.0.0.tgz: {name}: {reason}"));
    }
}

#[test]
fn what_is_no_archive_says_so() {
    assert!(message(b"a: 1\n").ends_with("not a chart archive (gzipped tar): it is text"));
    assert!(message(b"PK\x03\x04\xff").contains("not a chart archive"));
    assert!(message(&packed(&[])).ends_with("no files in chart archive"));
    let good = packed(&[("x/a", &"text ".repeat(2000))]);
    assert!(message(&good[..good.len() / 2]).contains("the archive is broken"));
    assert!(message(&gzip(&[b'x'; 1024])).contains("the archive is broken"));
}

#[test]
fn each_limit_names_the_entry_and_what_was_read() {
    let limits = ChartLimits {
        total: 3000,
        file: 2000,
        entries: 3,
        charts: 1,
        ratio: 200,
    };
    let check = |bytes: &[u8], expected: &str| {
        let text = unpack_chart("a.tgz", bytes, limits).unwrap_err().to_string();
        assert!(text.starts_with(expected), "{text}");
    };
    let file = |size: usize| "y".repeat(size);
    check(
        &packed(&[("x/big", &file(2001))]),
        "a.tgz: x/big: bytes of one chart file: the limit is 2000, and 2001",
    );
    check(
        &packed(&[("x/one", &file(1500)), ("x/two", &file(1500))]),
        "a.tgz: x/two: bytes of the unpacked chart: the limit is 3000, and 3000",
    );
    check(
        &packed(&[("x/1", ""), ("x/2", ""), ("x/3", ""), ("x/4", "")]),
        "a.tgz: x/4: files and folders of the chart: the limit is 3, and 4",
    );
}

/// A name of 64 MiB, a file of 4 EiB, a hundred thousand folders, a thousand members: each ends at a limit, early.
#[test]
fn bombs_end_at_a_limit() {
    let long_name = gzip(&tar_of(&[(
        "././@LongLink",
        EntryType::GNULongName,
        &vec![b'n'; 64 << 20],
    )]));
    let mut huge = Header::new_gnu();
    huge.as_gnu_mut().unwrap().name[..3].copy_from_slice(b"x/a");
    huge.set_size(1 << 62);
    huge.set_entry_type(EntryType::Regular);
    huge.set_cksum();
    let folder = tar_of(&[("x/f/", EntryType::Directory, b"")]);
    let folders = gzip(&folder[..512].repeat(100_000));
    let file = tar_of(&[("x/a", EntryType::Regular, &vec![b'a'; 4 << 20])]);
    let members = gzip(&file[..512 + (4 << 20)]).repeat(1000);
    for (what, bytes) in [
        ("name", long_name),
        ("size", gzip(huge.as_bytes())),
        ("folders", folders),
        ("members", members),
    ] {
        let error = unpack(&bytes).unwrap_err();
        assert!(matches!(error, RenderError::Limit { .. }), "{what}: {error}");
    }
}

fn render(tree: &dyn FileTree, path: &str) -> Result<String, RenderError> {
    let source = ApplicationSource {
        path: path.into(),
        ..ApplicationSource::default()
    };
    let request = RenderRequest {
        namespace: "team",
        ..RenderRequest::new("rel", &source)
    };
    Ok(String::from_utf8_lossy(&helm_template(&request, tree)?.to_yaml(false)).into_owned())
}

const SUBCHART: &[(&str, &str)] = &[
    ("lib/Chart.yaml", "apiVersion: v2\nname: lib\nversion: 1.2.3\n"),
    ("lib/values.yaml", "size: 1\n"),
    ("lib/templates/a.yaml", "size: {{ .Values.size }}\n"),
];

#[test]
fn archives_are_charts_wherever_they_stand() {
    let umbrella = "apiVersion: v2\nname: top\nversion: 0.1.0\n";
    let mut tree = MemoryTree::from_files([("app/Chart.yaml", umbrella), ("app/values.yaml", "lib: {size: 3}\n")]);
    tree.write("app/charts/lib-1.2.3.tgz", packed(SUBCHART));
    let text = render(&tree, "app").unwrap();
    assert_eq!(text, "---\n# Source: top/charts/lib/templates/a.yaml\nsize: 3\n");

    let inner = packed(SUBCHART);
    let outer = gzip(&tar_of(&[
        ("top/Chart.yaml", EntryType::Regular, umbrella.as_bytes()),
        ("top/charts/lib-1.2.3.tgz", EntryType::Regular, &inner),
    ]));
    let tree = MemoryTree::from_files([("top-0.1.0.tgz", outer)]);
    let text = render(&tree, "top-0.1.0.tgz").unwrap();
    assert_eq!(text, "---\n# Source: top/charts/lib/templates/a.yaml\nsize: 1\n");
}

#[test]
fn nested_archives_share_one_budget() {
    // 30 archives of 4 MiB, a few kilobytes each.
    let bomb = packed(&[
        ("b/Chart.yaml", "name: b\nversion: 1.0.0\n"),
        ("b/big", &"z".repeat(4 << 20)),
    ]);
    let mut tree = MemoryTree::from_files([("app/Chart.yaml", "apiVersion: v2\nname: top\nversion: 0.1.0\n")]);
    for index in 0..30 {
        tree.write(format!("app/charts/b-{index}.tgz"), &bomb);
    }
    let error = render(&tree, "app").unwrap_err();
    assert!(
        matches!(error, RenderError::Limit { limit: 104_857_600, .. }),
        "{error}"
    );
}

const NEEDS: &str = "apiVersion: v2\nname: top\nversion: 0.1.0\ndependencies:\n\
    - {name: lib, version: 1.x.x, repository: 'https://charts.example.org/stable', alias: first}\n\
    - {name: lib2, version: ^2, repository: 'oci://registry.example.org/charts', condition: lib2.enabled}\n\
    - {name: near, version: 1.0.0, repository: 'file://../near'}\n";

#[test]
fn what_is_missing_is_named_fetched_and_shown() {
    let mut tree = MemoryTree::from_files([
        ("apps/top/Chart.yaml", NEEDS),
        ("apps/near/Chart.yaml", "apiVersion: v2\nname: near\nversion: 1.0.0\n"),
        ("apps/near/templates/n.yaml", "near: yes\n"),
    ]);
    let missing = missing_dependencies(&tree, "apps/top").unwrap();
    let found: Vec<_> = missing
        .iter()
        .map(|one| {
            (
                one.name.as_str(),
                one.version.as_str(),
                one.locked,
                one.repository.clone(),
            )
        })
        .collect();
    let http = DependencyRepository::Http("https://charts.example.org/stable".into());
    let oci = DependencyRepository::Oci("oci://registry.example.org/charts".into());
    assert_eq!(found, [("lib", "1.x.x", false, http), ("lib2", "^2", false, oci)]);
    assert_eq!(missing[0].archive_path("1.2.3"), "apps/top/charts/lib-1.2.3.tgz");

    let text = render(&tree, "apps/top").unwrap_err().to_string();
    assert!(
        text.starts_with("apps/top/Chart.yaml: found in Chart.yaml, but missing in charts/ directory: lib, lib2"),
        "{text}"
    );

    let second = [
        ("l/Chart.yaml", "apiVersion: v2\nname: lib2\nversion: 2.0.0\n"),
        ("l/templates/b.yaml", "b: 1\n"),
    ];
    let added = BTreeMap::from([
        (missing[0].archive_path("1.2.3"), Arc::from(packed(SUBCHART))),
        (missing[1].archive_path("2.0.0"), Arc::from(packed(&second))),
    ]);
    tree.write("apps/top/values.yaml", "lib2: {enabled: false}\n");
    let overlay = OverlayTree::new(Arc::new(tree), added).unwrap();
    assert_eq!(missing_dependencies(&overlay, "apps/top").unwrap(), []);
    let text = render(&overlay, "apps/top").unwrap();
    assert_eq!(
        text,
        "---\n# Source: top/charts/first/templates/a.yaml\nsize: 1\n\n---\n# Source: top/charts/near/templates/n.yaml\nnear: yes\n"
    );
}

#[test]
fn local_dependencies_stay_in_the_repository_and_fit_their_version() {
    let chart = |repository: &str, version: &str| {
        format!(
            "apiVersion: v2\nname: top\nversion: 0.1.0\ndependencies: [{{name: near, version: '{version}', repository: '{repository}'}}]\n"
        )
    };
    for (repository, version, expected) in [
        ("file://../../../near", "1.0.0", "is outside of the repository"),
        ("file:///etc", "1.0.0", "is outside of the repository"),
        ("file://../nowhere", "1.0.0", "directory apps/nowhere not found"),
        (
            "file://../near",
            "2.0.0",
            "can't get a valid version: apps/near is 1.0.0, wanted is \"2.0.0\"",
        ),
        ("", "1.0.0", "missing in charts/ directory: near"),
    ] {
        let tree = MemoryTree::from_files([
            ("apps/top/Chart.yaml", chart(repository, version)),
            (
                "apps/near/Chart.yaml",
                "apiVersion: v2\nname: near\nversion: 1.0.0\n".into(),
            ),
        ]);
        let text = render(&tree, "apps/top").unwrap_err().to_string();
        assert!(text.contains(expected), "{repository} {version}: {text}");
    }
}

/// A chart with a lock that Helm wrote, and what is to be fetched by it.
fn locked(chart: &str, requirements: Option<&str>, repository: &str, digest: &str) -> MemoryTree {
    let (list, lock) = match requirements {
        Some(_) => ("requirements.yaml", "requirements.lock"),
        None => ("Chart.yaml", "Chart.lock"),
    };
    let mut tree = MemoryTree::from_files([("Chart.yaml", chart)]);
    if let Some(text) = requirements {
        tree.write(list, text);
    }
    let text = format!(
        "dependencies:\n- name: near\n  repository: {repository}\n  version: 1.0.1\ndigest: sha256:{digest}\ngenerated: \"2026-11-28T16:59:55.537384211Z\"\n"
    );
    tree.write(lock, text);
    tree
}

/// The digests are those that `helm dependency update` 4.2.3 wrote for these charts.
#[test]
fn locks_that_helm_wrote_are_valid_and_others_are_not() {
    let url = "http://127.0.0.1:18765";
    let head = "apiVersion: v2\nname: top\nversion: 0.1.0\n";
    let named = format!(
        "{head}dependencies:\n- {{name: near, version: \"^1\", repository: \"@mine\", condition: near.enabled}}\n"
    );
    let digest = "a0fcf87b3ea8f59d807a1740fc4a27ede6e3cffdfd94a27bf1e5e7b4e2ff764e";
    let missing = missing_dependencies(&locked(&named, None, url, digest), "").unwrap();
    assert_eq!((missing[0].version.as_str(), missing[0].locked), ("1.0.1", true));
    assert_eq!(missing[0].repository, DependencyRepository::Http(url.into()));

    let old = "apiVersion: v1\nname: top\nversion: 0.1.0\n";
    let list = "dependencies:\n- {name: near, version: \"^1\", repository: \"alias:mine\", enabled: true}\n";
    let digest_of_old = "1b1e810ee583e355198251107e95fe1702c4200113c7703b12a24947dd290051";
    let missing = missing_dependencies(&locked(old, Some(list), url, digest_of_old), "").unwrap();
    assert_eq!(missing[0].repository, DependencyRepository::Http(url.into()));

    // Every kind of field, and what Go's encoder escapes.
    let local = format!(
        "{head}dependencies:\n- {{name: near, version: \">=1.0.0 <2\", repository: \"file://./near\", condition: \"near.a<b,x\", tags: [a&b, c], \
         import-values: [data, {{child: x, parent: y, n: 1.5, m: 100000000000000000000000}}], alias: zz}}\n"
    );
    let digest_of_local = "0ecf666a5eebc3dd1ed475a9ce16fd6cdac69e38d0e5a3ba2ac34b14ec92a492";
    let mut tree = locked(&local, None, "file://./near", digest_of_local);
    tree.write("near/Chart.yaml", "name: near\nversion: 1.0.1\n");
    assert_eq!(missing_dependencies(&tree, "").unwrap(), []);
    render(&tree, "").unwrap();

    tree.write("Chart.yaml", local.replace("<2", "<3"));
    for error in [
        missing_dependencies(&tree, "").unwrap_err(),
        render(&tree, "").unwrap_err(),
        missing_dependencies(&locked(&named, None, "http://other", digest), "").unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(text.starts_with("Chart.lock: the lock file is out of sync"), "{text}");
    }
    // What is vendored is rendered whatever the lock says, as `helm template` does.
    tree.write("charts/near/Chart.yaml", "name: near\nversion: 2.0.1\n");
    render(&tree, "").unwrap();
}
