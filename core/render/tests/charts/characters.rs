//! Every character there is, through what looks at characters: Go knows another version of Unicode, and means other things by its words.

use crate::oracle::{self, Case};

/// All characters but most of those that stand for nothing, which are more than a chart may hold.
fn characters() -> impl Iterator<Item = char> {
    let ranges = [
        ' '..='\u{33480}',
        '\u{e0000}'..='\u{e0200}',
        '\u{efff0}'..='\u{f0010}',
        '\u{10fff0}'..=char::MAX,
    ];
    ranges.into_iter().flatten()
}

/// A chart whose file `all.txt` holds all characters, each between two texts, 256 on a line.
fn chart(before: &str, after: &str, expression: &str) -> Case {
    let mut all = String::new();
    for (place, c) in characters().enumerate() {
        all.push_str(before);
        all.push(c);
        all.push_str(after);
        all.push(if place % 256 == 255 { '\n' } else { ' ' });
    }
    // What is not told apart is one line.
    let text = format!(
        "{{{{- range $n, $line := .Files.Lines \"all.txt\" }}}}{{{{ $n }}}} {{{{ {expression} | sha256sum | trunc 8 }}}}\n{{{{ end }}}}"
    );
    Case::of(&[
        ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 0.1.0\n"),
        ("templates/NOTES.txt", text.as_str()),
        ("all.txt", all.as_str()),
    ])
}

/// Holds cases that all can be rendered.
fn check_rendered(cases: &[(String, Case)]) {
    for (name, case) in cases.iter().step_by(7) {
        assert!(oracle::capstan(case).is_ok(), "{name}: {:?}", oracle::capstan(case));
    }
    oracle::check_all(cases.iter().map(|(name, case)| (name.clone(), case)));
}

#[test]
fn every_character_in_another_case() {
    let mut cases = Vec::new();
    for expression in [
        "title $line",
        "untitle $line",
        "swapcase $line",
        "snakecase $line",
        "kebabcase $line",
        "camelcase $line",
    ] {
        for (before, after) in [("", ""), ("A", "B"), ("-a", "1_")] {
            cases.push((expression.to_owned(), chart(before, after, expression)));
        }
    }
    for expression in [
        "upper $line",
        "lower $line",
        "nospace $line",
        "initials $line",
        "trim $line",
        "printf \"%q\" $line",
        "printf \"%+q\" $line",
        "printf \"%#q\" $line",
        "quote $line",
        "toJson $line",
        "toYaml (dict \"a\" $line)",
        "toYamlPretty (dict \"a\" $line $line 1)",
        "js $line",
        "html $line",
        "urlquery $line",
        "fromJson (printf \"{%q: 1}\" $line) | toJson",
    ] {
        cases.push((expression.to_owned(), chart("", "", expression)));
    }
    check_rendered(&cases);
}

#[test]
fn every_character_in_classes() {
    let mut cases = Vec::new();
    for class in [
        "\\\\pL",
        "\\\\PL",
        "\\\\p{Lu}",
        "\\\\p{Ll}",
        "\\\\p{Lt}",
        "\\\\pM",
        "\\\\p{Mc}",
        "\\\\p{^Mn}",
        "\\\\pN",
        "\\\\p{Nd}",
        "\\\\pP",
        "\\\\pS",
        "\\\\pZ",
        "\\\\pC",
        "\\\\p{Cn}",
        "\\\\p{Cs}",
        "\\\\p{Any}",
        "\\\\p{Assigned}",
        "\\\\p{LC}",
        "\\\\p{Greek}",
        "\\\\P{Latin}",
        "\\\\p{Han}",
        "\\\\p{Common}",
        "\\\\p{uppercase letter}",
        "\\\\w",
        "\\\\W",
        "\\\\s",
        "[[:punct:]]",
        ".",
        "[^a-z]",
        "(?i)k",
        "(?i)[^\\\\pL]",
        "(?i)\\\\p{Lu}",
        "(?i)[s-t]",
        "\\\\b",
        "\\\\B",
    ] {
        let expression = format!("regexReplaceAll \"{class}\" $line \"#\"");
        cases.push((class.to_owned(), chart("", "", &expression)));
    }
    check_rendered(&cases);
}

#[rustfmt::skip]
const KEYS: &[&str] = &[
    "a",
    "b",
    "a1",
    "a10",
    "a2",
    "a1b",
    "a1-",
    "a1.",
    "1a",
    "1-",
    "1",
    "10",
    "2",
    "01",
    "é",
    "É",
    "\u{345}",
    "a\u{345}",
    "Ⅷ",
    "²",
    "٣",
    "٣a",
    "a٣",
    "a٤",
    "٠",
    "-",
    "_",
    ".",
    "語",
    "😀",
    "a\u{301}",
    "ǅ",
    "a0",
    "a00",
    "a01",
    "1é",
    "1\u{301}",
    "\u{a7cb}",
    "\u{10d50}",
    "ª",
    "1ª",
    "1Ⅷ",
];

#[test]
fn keys_of_every_kind_are_in_go_s_order() {
    let mut cases = Vec::new();
    for (i, first) in KEYS.iter().enumerate() {
        for second in &KEYS[i + 1..] {
            let dict = format!("(dict {first:?} 1 {second:?} 2)").replace("\\u{301}", "\u{301}");
            let dict = dict.replace("\\u{345}", "\u{345}").replace("\\u{a7cb}", "\u{a7cb}");
            let dict = dict.replace("\\u{10d50}", "\u{10d50}");
            cases.push(format!("{{{{ toYaml {dict} }}}} {{{{ toYamlPretty {dict} }}}}\n"));
        }
    }
    let chart = Case::of(&[
        ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 0.1.0\n"),
        ("templates/NOTES.txt", &cases.concat()),
    ]);
    oracle::check_all([("keys".to_owned(), &chart)]);
}
