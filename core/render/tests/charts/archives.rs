//! Archives in `charts/`, as awkward as tar lets them be.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use crate::oracle::{Case, check_all};

const SHOW: &str = "files: {{ range $name, $text := .Files }}{{ $name }}={{ $text | toString | quote }} {{ end }}\nvalues: {{ toJson .Values | quote }}\n";
const CHART: &str = "apiVersion: v2\nname: sub\nversion: 1.0.0\n";

struct Entry<'a> {
    name: &'a str,
    kind: EntryType,
    mode: u32,
    content: &'a [u8],
}

fn file<'a>(name: &'a str, content: &'a str) -> Entry<'a> {
    Entry {
        name,
        kind: EntryType::Regular,
        mode: 0o644,
        content: content.as_bytes(),
    }
}

fn of<'a>(name: &'a str, kind: EntryType, mode: u32) -> Entry<'a> {
    Entry {
        name,
        kind,
        mode,
        content: b"",
    }
}

fn tar_of(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for entry in entries {
        let mut header = Header::new_gnu();
        let name = entry.name.as_bytes();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name);
        header.set_size(entry.content.len() as u64);
        header.set_mode(entry.mode);
        header.set_entry_type(entry.kind);
        if matches!(entry.kind, EntryType::Symlink | EntryType::Link) {
            header.set_link_name("a.txt").unwrap();
        }
        header.set_cksum();
        builder.append(&header, entry.content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn within(archive: Vec<u8>) -> Case {
    Case::of(&[
        ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 0.1.0\n"),
        ("templates/show.yaml", "values: {{ toJson .Values | quote }}\n"),
    ])
    .with("charts/sub.tgz", archive)
}

/// A good chart, and more entries.
fn with(more: &[Entry<'_>]) -> Vec<u8> {
    let mut entries = vec![
        file("sub/Chart.yaml", CHART),
        file("sub/values.yaml", "a: 1\n"),
        file("sub/a.txt", "a"),
        file("sub/templates/show.yaml", SHOW),
    ];
    entries.extend(more.iter().map(|entry| Entry { ..*entry }));
    gzip(&tar_of(&entries))
}

/// Names an entry may have.
const NAMES: &[&str] = &[
    "sub/b.txt",
    "other/b.txt",
    "./b.txt",
    "./sub/b.txt",
    "/b.txt",
    "//b.txt",
    "sub//b.txt",
    "b.txt",
    "",
    "sub/",
    "sub/.",
    "sub/..",
    "sub/../b.txt",
    "sub/../../b.txt",
    "sub/x/../b.txt",
    "sub/..b.txt",
    "sub/x..y",
    "../sub/b.txt",
    "sub\\b.txt",
    "sub\\dir\\b.txt",
    "sub\\..\\..\\b.txt",
    "sub/dir\\b.txt",
    "sub/c:/b.txt",
    "sub\\c:\\b.txt",
    "sub/cc:/b.txt",
    "Chart.yaml/b.txt",
    "sub/Chart.yaml/b.txt",
    "sub/.helmignore",
    "sub/templates/.hidden.yaml",
    "sub/charts/README.md",
    "sub/charts/.keep",
    "sub/ünï.txt",
    "sub/a b.txt",
    "sub/a.txt",
];

#[test]
fn names_and_kinds_of_entries() {
    let mut cases: Vec<(String, Case)> = Vec::new();
    for name in NAMES {
        cases.push(((*name).to_owned(), within(with(&[file(name, "b")]))));
    }
    for kind in [
        EntryType::Regular,
        EntryType::Continuous,
        EntryType::Directory,
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::XGlobalHeader,
        EntryType::new(b'V'),
        EntryType::new(b'Z'),
    ] {
        for name in ["sub/b.txt", "sub/b/", "b"] {
            for mode in [0o644, 0o040_755, 0o120_777, 0o100_644] {
                cases.push((
                    format!("{kind:?} {name} {mode:o}"),
                    within(with(&[of(name, kind, mode)])),
                ));
            }
        }
    }
    check_all(cases.iter().map(|(name, case)| (name.clone(), case)));
}

#[test]
fn what_stands_twice() {
    let chart = |text: &str| with(&[file("sub/Chart.yaml", text)]);
    let inner = with(&[file("sub/charts/deep/Chart.yaml", "name: deep\nversion: 1.0.0\n")]);
    let nested = gzip(&tar_of(&[
        file("sub/Chart.yaml", CHART),
        Entry {
            content: &inner,
            ..file("sub/charts/inner-1.tgz", "")
        },
    ]));
    let cases = [
        within(chart("name: sub\ndescription: later\n")),
        within(chart("name: [a]\n")),
        within(with(&[file("sub/values.yaml", "b: 2\n")])),
        within(with(&[file("sub/templates/show.yaml", "later: true\n")])),
        within(with(&[file("sub/a.txt", "later")])),
        within(with(&[
            file("sub/values.yaml", "\u{feff}b: 2\n"),
            file("sub/a.txt", "\u{feff}x"),
        ])),
        within(gzip(&tar_of(&[file("sub/values.yaml", "a: 1")]))),
        within(gzip(&tar_of(&[]))),
        within(nested),
        within(with(&[file("sub/big", &"x".repeat(5 << 20))])),
        within(with(&[file("sub/big", &"x".repeat((5 << 20) + 1))])),
    ];
    check_all(cases.iter().enumerate().map(|(index, case)| (index.to_string(), case)));
}

#[test]
fn what_is_broken() {
    let good = tar_of(&[file("sub/Chart.yaml", CHART), file("sub/templates/show.yaml", SHOW)]);
    let packed = gzip(&good);
    let mut twice = packed.clone();
    twice.extend_from_slice(&packed);
    let mut garbage = packed.clone();
    garbage.extend_from_slice(b"garbage");
    let mut split = gzip(&good[..700]);
    split.extend_from_slice(&gzip(&good[700..]));
    let mut wrong = packed.clone();
    let last = wrong.len() - 5;
    wrong[last] ^= 0xff;
    let cases = [
        within(gzip(b"")),
        within(Vec::new()),
        within(b"a: 1\n".to_vec()),
        within(good.clone()),
        within(packed[..packed.len() / 2].to_vec()),
        within(packed[..packed.len() - 4].to_vec()),
        within(gzip(&good[..good.len() - 1024])),
        within(gzip(&good[..good.len() - 512])),
        within(twice),
        within(garbage),
        within(split),
        within(wrong),
    ];
    check_all(cases.iter().enumerate().map(|(index, case)| (index.to_string(), case)));
}
