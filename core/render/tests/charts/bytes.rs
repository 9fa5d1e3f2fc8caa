//! Charts whose files and results are not UTF-8. Go's strings are bytes, and what comes of them depends on who reads them.

use crate::oracle::{self, Case};

fn chart() -> Case {
    Case::of(&[
        ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 0.1.0\n"),
        ("values.yaml", "a: é\n"),
        ("templates/a.yaml", "kind: A\nv: {{ .Values.a | quote }}\n"),
        ("templates/NOTES.txt", "{{ toYaml .Values }}"),
        ("latin.txt", "x"),
        ("wide.txt", "x"),
    ])
    .with("latin.txt", b"caf\xe9 \xc3\n\xa0x\x85\xe9")
    .with("wide.txt", utf16("kind: Wide\n", u16::to_le_bytes))
    .with("blob.bin", (0..=255).collect::<Vec<u8>>())
}

/// A text in UTF-16 with its mark.
fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(bytes).collect()
}

/// A text in Latin 1.
fn latin(text: &str) -> Vec<u8> {
    let byte = |c: char| u8::try_from(u32::from(c)).expect("a character of Latin 1");
    text.chars().map(byte).collect()
}

/// The same text in many encodings, some of which are broken.
fn encodings(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut half = utf16(text, u16::to_be_bytes);
    half.pop();
    let lone = [utf16(text, u16::to_le_bytes), vec![0x00, 0xd8, b'x', 0]].concat();
    vec![
        ("UTF-8", text.into()),
        ("UTF-8 with a mark", format!("\u{feff}{text}").into()),
        ("Latin 1", latin(text)),
        ("UTF-16, low byte first", utf16(text, u16::to_le_bytes)),
        ("UTF-16, high byte first", utf16(text, u16::to_be_bytes)),
        ("UTF-16 without a mark", utf16(text, u16::to_le_bytes).split_off(2)),
        ("UTF-16 and half a character", half),
        ("UTF-16 with half a pair", lone),
        ("a mark alone", vec![0xff, 0xfe]),
        ("UTF-8, cut", [text.as_bytes(), b"# \xe2\x82"].concat()),
        ("surrogates in UTF-8", [text.as_bytes(), b"# \xed\xa0\x80\n"].concat()),
        ("overlong", [text.as_bytes(), b"# \xc0\xaf\n"].concat()),
        ("a control character", [text.as_bytes(), b"# \x01\n"].concat()),
        ("NUL", [text.as_bytes(), b"# \0\n"].concat()),
        ("DEL", [text.as_bytes(), b"# \x7f\n"].concat()),
        ("U+FFFE", format!("{text}# \u{fffe}\n").into()),
        ("beyond the basic plane", format!("{text}# 😀\u{10ffff}\n").into()),
    ]
}

#[test]
fn files_in_many_encodings() {
    let mut cases = Vec::new();
    for (name, text) in [
        ("values.yaml", "a: é\n# ü\n"),
        ("values.yaml", "a: b # é\n---\nb: 1\n"),
        (
            "Chart.yaml",
            "apiVersion: v2\nname: top\nversion: 0.1.0\ndescription: é\n",
        ),
        ("templates/a.yaml", "kind: A\nv: é\n"),
        ("templates/a.yaml", "kind: A\n---\nkind: B\n{{/* é */}}v: 1\n---\n# é\n"),
        ("templates/a.yaml", "{{ print `é` \"ü\" | quote }}"),
        ("templates/NOTES.txt", "é {{ print `é` \"é\" 'é' }} {{- /* é */ -}} ü\n"),
        ("templates/_h.tpl", "{{ define \"x\" }}é{{ end }}é"),
        (".helmignore", "# é\n*.é\nlatin.*\n"),
        ("crds/c.yaml", "kind: CustomResourceDefinition\nv: é\n"),
        ("README.md", "é"),
        ("values.schema.json", "{\"title\": \"é\", \"type\": \"object\"}\n"),
    ] {
        for (encoding, bytes) in encodings(text) {
            cases.push((format!("{name} in {encoding}"), chart().with(name, bytes)));
        }
    }
    for (encoding, bytes) in encodings("a: é\nb: [ü]\n") {
        cases.push((format!("more values in {encoding}"), chart().with_values(bytes)));
    }
    oracle::check_printed(cases.iter().map(|(name, case)| (name.clone(), case)));
}

/// What gives bytes that are no characters, or is given such.
const EXPRESSIONS: &[&str] = &[
    ".Files.Get \"latin.txt\"",
    ".Files.Get \"wide.txt\"",
    ".Files.Get \"blob.bin\"",
    "b64dec \"//4=\"",
    "b64dec \"/v8AawBpAG4AZAA6ACAAQQ==\"",
    "trunc 1 \"é\"",
    "trunc -1 \"é\"",
    "substr 0 2 \"aé\"",
    "slice \"aé\" 0 2",
    "index \"é\" 0 | printf \"%c\"",
    "printf \"%s%c\" (b64dec \"/w==\") 55296",
    "b64dec \"/w==\" | quote",
    "b64dec \"/w==\" | squote",
    "b64dec \"/w==\" | toYaml",
    "b64dec \"/w==\" | toJson",
    "dict (b64dec \"/w==\") (b64dec \"/g==\") | toYaml",
    "dict (b64dec \"/w==\") 1 (b64dec \"/g==\") 2 \"\\ufffd\" 3 | toJson",
    "dict (b64dec \"/w==\") 1 (b64dec \"/g==\") 2 | toToml",
    "$d := dict (b64dec \"/w==\") 1 }}{{ $d }} {{ get $d \"\\ufffd\" }} {{ get $d (b64dec \"/w==\") }} {{ $d | keys }} {{ index $d (b64dec \"/w==\")",
    "range $k, $v := set (dict \"a\" 1) (trunc 1 \"é\") 2 }}{{ $k }}={{ $v }} {{ end",
    "pick (dict (b64dec \"/w==\") 1 (b64dec \"/g==\") 2) (b64dec \"/g==\")",
    "omit (dict (b64dec \"/w==\") 1 (b64dec \"/g==\") 2) (b64dec \"/g==\")",
    "hasKey (dict (b64dec \"/w==\") 1) (b64dec \"/g==\")",
    "merge (dict (b64dec \"/w==\") 1) (dict (b64dec \"/g==\") 2)",
    "dig (b64dec \"/w==\") \"no\" (dict (b64dec \"/w==\") 1)",
    "printf \"%q %x %v %+q\" (b64dec \"/4Dh\") (b64dec \"/4Dh\") (b64dec \"/4Dh\") (b64dec \"/4Dh\")",
    "upper (b64dec \"Yf9i\")",
    "title (b64dec \"Yf9i\")",
    "trim (b64dec \"oGGg\")",
    "trimAll (b64dec \"/w==\") (b64dec \"/2H+\")",
    "splitList \"\" (b64dec \"Yf/D\") | toJson",
    "replace \"\" \"-\" (b64dec \"Yf/Dqf4=\")",
    "contains (b64dec \"/w==\") (b64dec \"Yf9i\")",
    "regexFind \".b\" (b64dec \"Yf9i\")",
    "regexFindAll \".\" (b64dec \"Yf9iw6k=\") -1 | join \"|\"",
    "regexReplaceAll \"[^a]\" (b64dec \"Yf9iw6n+\") \"<$0>\"",
    "regexReplaceAll \"\" (b64dec \"Yf9iw6n+\") \"-\"",
    "regexSplit \"\\\\x{FFFD}\" (b64dec \"Yf9iw6n+eg==\") -1 | join \"|\"",
    "regexMatch (b64dec \"/w==\") (b64dec \"/w==\")",
    "mustRegexMatch (b64dec \"/w==\") (b64dec \"/w==\")",
    "regexReplaceAll \"\\\\B\" \"aéa\" \"-\"",
    "regexQuoteMeta (b64dec \"Lv8q\")",
    "sha256sum (b64dec \"/w==\")",
    "b64enc (printf \"%c\" 233)",
    "html (b64dec \"PP8+\")",
    "js (b64dec \"PP8+\")",
    "urlquery (b64dec \"/yA=\")",
    "len (b64dec \"/4Dh\")",
    "eq (b64dec \"/w==\") \"\\xff\"",
    "lt (b64dec \"/w==\") \"\\ufffd\"",
    "sortAlpha (list (b64dec \"/w==\") \"z\" \"\\ufffd\") | join \"|\"",
    "reverse (list (b64dec \"/w==\") 1) | first",
    "cat (b64dec \"/w==\") 1",
    "wrap 2 (b64dec \"/yD/IP8=\")",
    "abbrev 5 (b64dec \"/4Dh4uPk5eY=\")",
    "nospace (b64dec \"/yCF\")",
    "initials (b64dec \"/yDh\")",
    "snakecase (b64dec \"QWL/Q2Q=\")",
    "kebabcase (b64dec \"/0FiQ/8=\")",
    "camelcase (b64dec \"YV//YmM=\")",
    "swapcase (b64dec \"Yf9i\")",
    "untitle (b64dec \"/0E=\")",
    "fromYaml (b64dec \"YTog/w==\")",
    "fromYaml (.Files.Get \"wide.txt\")",
    "fromYamlArray (b64dec \"LSD/\")",
    "fromJson (b64dec \"eyJhIjoi/yJ9\")",
    "fromJson (b64dec \"eyL/IjoxLCL+IjoyfQ==\")",
    "tpl (b64dec \"YXt7IGAv/2AgfX3/\") .",
    "tpl (.Files.Get \"latin.txt\") .",
    ".Files.AsConfig",
    "(.Files.Glob \"*.txt\").AsConfig",
    "(.Files.Glob \"*.bin\").AsSecrets",
    "range .Files.Lines \"latin.txt\" }}[{{ . }}]{{ end",
    "range $i, $c := (b64dec \"Yf9i\" | splitList \"\") }}{{ $i }}{{ $c }}{{ end",
    "range $n, $b := .Files.Glob \"l*\" }}{{ $n }}:{{ $b }}{{ printf \"%s\" $b }}{{ toString $b }}{{ end",
    ".Files.Get (b64dec \"/w==\")",
    "semver (b64dec \"/w==\")",
    "fail (b64dec \"/w==\")",
    "required (b64dec \"/w==\") nil",
    "include (b64dec \"/w==\") .",
    "lower (b64dec \"/w==\") | typeOf",
    "toDate (b64dec \"/w==\") \"x\"",
    "date (b64dec \"/yAyMDA2\") 0",
    "atoi (b64dec \"/w==\")",
    "base (b64dec \"YS//\")",
    "urlParse (b64dec \"aHR0cDovL2EvLz//\")",
    "substr 1 3 (b64dec \"/4Dh\") | toJson",
    "hello | replace \"H\" (b64dec \"/w==\")",
    "derivePassword 1 \"long\" (b64dec \"/w==\") \"u\" \"s\"",
    "squote (b64dec \"/w==\") 1 | println",
    "list (b64dec \"/w==\") | toString",
    "toRawJson (b64dec \"/zw=\")",
    "toPrettyJson (dict \"a\" (b64dec \"/zw=\"))",
    "toYamlPretty (list \"a\\u0080\" \"\\ufeff\" \"\\u2028\")",
    "toToml (dict \"a\" (b64dec \"/zw=\"))",
    "(dict \"Values\" .Values \"é\" 1).é",
    "compact (list (b64dec \"/w==\") \"\") | toJson",
    "uniq (list (b64dec \"/w==\") (b64dec \"/w==\") \"\\ufffd\") | len",
    "without (list (b64dec \"/w==\") \"a\") (b64dec \"/w==\") | toJson",
    "has (b64dec \"/w==\") (list \"\\ufffd\")",
    "ternary (b64dec \"/w==\") 1 true",
    "adler32sum (b64dec \"/w==\")",
    "b32enc (b64dec \"/w==\")",
    "printf \"%5s|%-5s|%.1s|%5c\" (b64dec \"/w==\") (b64dec \"/w==\") (b64dec \"/2E=\") 255",
    "printf (b64dec \"/yVk/w==\") 1",
    "printf \"%v\" (list (b64dec \"/w==\"))",
    "printf \"%#v\" (dict (b64dec \"/w==\") (b64dec \"/w==\"))",
];

#[test]
fn results_that_are_not_utf_8() {
    let mut cases = Vec::new();
    for expression in EXPRESSIONS {
        let text = format!("a: {{{{ {expression} }}}}\n");
        for name in ["templates/b.NOTES.txt", "templates/b.yaml"] {
            cases.push(((*expression).to_owned(), chart().with(name, &text)));
        }
    }
    oracle::check_all(cases.iter().map(|(name, case)| (name.clone(), case)));
}
