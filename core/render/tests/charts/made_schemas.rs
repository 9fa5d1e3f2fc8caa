//! Schemas made up at random, over every keyword of every draft, with values to hold them against; and texts for every format.
//!
//! What both refuse they refuse in the same words, but for what Go leaves to chance: a case that differs is asked again before it counts.

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

use crate::json_text::Text;
use crate::oracle::{Case, Oracle, Outcome, capstan, count};
use crate::schemas::lines;
use crate::words_of_schemas::{
    COUNTS, DRAFTS, FORMATS, GOOD_COUNTS, GOOD_DRAFTS, GOOD_NUMBERS, GOOD_PATTERNS, GOOD_REFERENCES, GOOD_URLS,
    KEYWORDS, NUMBERS, PATTERNS, REFERENCES, SCALARS, STRINGS, TYPES, URLS, VOCABULARIES, Wanted,
};

/// What is thrown.
struct Dice {
    rng: TestRng,
    /// Only what makes schemas.
    is_tame: bool,
}

impl Dice {
    fn new(seed: u64, round: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&round.to_le_bytes());
        Self {
            rng: TestRng::from_seed(RngAlgorithm::ChaCha, &bytes),
            is_tame: !round.is_multiple_of(4),
        }
    }

    fn below(&mut self, end: usize) -> usize {
        self.rng.next_u32() as usize % end
    }

    /// True once in so many throws.
    fn once_in(&mut self, throws: usize) -> bool {
        self.below(throws) == 0
    }

    fn pick<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[self.below(words.len())]
    }

    /// One of the words; if it has to be fine, of the first.
    fn choose<'w>(&mut self, words: &[&'w str], good: usize) -> &'w str {
        let good = if self.is_tame { good } else { words.len() };
        self.pick(&words[..good])
    }

    fn name(&mut self) -> String {
        self.pick(&["a", "b", "c", "x-1", "~/%", "é", "items"]).to_owned()
    }

    fn string(&mut self) -> Text {
        Text::quoted(self.pick(STRINGS))
    }

    /// A value that YAML leaves as it is.
    fn value(&mut self, depth: usize) -> Text {
        match self.below(if depth == 0 { 4 } else { 8 }) {
            0 => Text::raw(self.pick(SCALARS)),
            1..=3 => self.string(),
            4..=5 => {
                let size = self.below(4);
                Text::List((0..size).map(|_| self.value(depth - 1)).collect())
            }
            _ => self.fields(depth - 1),
        }
    }

    fn fields(&mut self, depth: usize) -> Text {
        let size = self.below(4);
        let fields = (0..size).map(|_| (self.name(), self.value(depth)));
        Text::object(fields.collect())
    }

    fn schema(&mut self, depth: usize) -> Text {
        if depth == 0 || self.once_in(8) {
            let all = [
                "true",
                "false",
                "{}",
                r#"{"type":"string"}"#,
                r#"{"type":"integer"}"#,
                r#"{"minLength":2}"#,
            ];
            return Text::raw(self.pick(&all));
        }
        let size = 1 + self.below(3);
        let mut fields: Vec<(String, Text)> = (0..size).map(|_| self.keyword(depth)).collect();
        if self.once_in(3) {
            fields.push(("type".into(), self.of(Wanted::Types, depth)));
        }
        Text::object(fields)
    }

    fn keyword(&mut self, depth: usize) -> (String, Text) {
        let (keyword, wanted) = KEYWORDS[self.below(KEYWORDS.len())];
        let value = match !self.is_tame && self.once_in(40) {
            true => self.value(2),
            false => self.of(wanted, depth),
        };
        (keyword.to_owned(), value)
    }

    fn list(&mut self, least: usize, mut make: impl FnMut(&mut Self) -> Text) -> Text {
        let size = least + self.below(3);
        Text::List((0..size).map(|_| make(self)).collect())
    }

    fn of(&mut self, wanted: Wanted, depth: usize) -> Text {
        let below = depth.saturating_sub(1);
        match wanted {
            Wanted::Schema => self.schema(below),
            Wanted::Schemas => self.list(1, |dice| dice.schema(below)),
            Wanted::Either => match self.is_tame || self.once_in(2) {
                true => self.of(Wanted::Schema, depth),
                false => self.of(Wanted::Schemas, depth),
            },
            Wanted::Named => {
                let size = 1 + self.below(3);
                Text::object((0..size).map(|_| (self.name(), self.schema(below))).collect())
            }
            Wanted::Patterns => {
                let size = 1 + self.below(2);
                Text::object(
                    (0..size)
                        .map(|_| (self.choose(PATTERNS, GOOD_PATTERNS).to_owned(), self.schema(below)))
                        .collect(),
                )
            }
            Wanted::Defs => {
                let names = ["x", "y", "z"];
                Text::object(names.map(|name| (name.to_owned(), self.schema(below))).to_vec())
            }
            Wanted::Dependencies => match self.once_in(2) {
                true => self.of(Wanted::Named, depth),
                false => self.of(Wanted::Lists, depth),
            },
            Wanted::Lists => Text::object(vec![(self.name(), self.of(Wanted::Names, depth))]),
            Wanted::Names if self.is_tame => Text::List(vec![Text::quoted(&self.name())]),
            Wanted::Names => self.list(0, |dice| Text::quoted(&dice.name())),
            other => self.word(other, depth),
        }
    }

    /// What holds no schemas.
    fn word(&mut self, wanted: Wanted, depth: usize) -> Text {
        match wanted {
            Wanted::Count => Text::raw(self.choose(COUNTS, GOOD_COUNTS)),
            Wanted::Number => Text::raw(self.choose(NUMBERS, GOOD_NUMBERS)),
            Wanted::Bound => match !self.is_tame && self.once_in(3) {
                true => self.of(Wanted::Flag, depth),
                false => self.of(Wanted::Number, depth),
            },
            Wanted::Flag => Text::raw(self.pick(&["true", "false"])),
            Wanted::Values => self.list(0, |dice| dice.value(1)),
            Wanted::Value => match self.once_in(3) {
                true => Text::raw(self.pick(NUMBERS)),
                false => self.value(2),
            },
            Wanted::Pattern => Text::quoted(self.choose(PATTERNS, GOOD_PATTERNS)),
            Wanted::Format => Text::quoted(self.pick(FORMATS)),
            Wanted::Reference => Text::quoted(self.choose(REFERENCES, GOOD_REFERENCES)),
            Wanted::Url => Text::quoted(self.choose(URLS, GOOD_URLS)),
            Wanted::Draft => Text::quoted(self.choose(DRAFTS, GOOD_DRAFTS)),
            Wanted::Anchor => Text::quoted(self.choose(&["x", "y", "z", "u", "v", "w", "meta", "1", ""], 7)),
            Wanted::Types => match !self.is_tame && self.once_in(3) {
                true => self.list(1, |dice| Text::quoted(dice.pick(TYPES))),
                false => Text::quoted(self.pick(TYPES)),
            },
            // Vocabularies are left.
            _ => Text::object(vec![(self.pick(VOCABULARIES).to_owned(), self.of(Wanted::Flag, depth))]),
        }
    }

    /// A schema and the values that go with it.
    fn case(&mut self) -> (Text, Text) {
        let mut fields = Vec::new();
        if !self.once_in(6) {
            fields.push(("$schema".to_owned(), Text::quoted(self.choose(DRAFTS, GOOD_DRAFTS))));
        }
        if self.once_in(4) {
            fields.push(("$id".to_owned(), self.of(Wanted::Url, 0)));
        }
        let names = ["a", "b", "c"].map(|name| (name.to_owned(), self.schema(3)));
        fields.push(("properties".to_owned(), Text::object(names.to_vec())));
        fields.push(("$defs".to_owned(), self.of(Wanted::Defs, 3)));
        if self.once_in(3) {
            fields.push(("definitions".to_owned(), self.of(Wanted::Defs, 3)));
        }
        for _ in 0..self.below(3) {
            fields.push(self.keyword(3));
        }
        let values = ["a", "b", "c"].map(|name| (name.to_owned(), self.value(2)));
        (Text::object(fields), Text::object(values.to_vec()))
    }

    /// A schema that refers to others, which may mean another one wherever it is reached from.
    fn reference(&mut self) -> Text {
        const TARGETS: &[&str] = &[
            "#",
            "#m",
            "#n",
            "x.json",
            "y.json",
            "z.json",
            "x.json#m",
            "y.json#m",
            "z.json#m",
            "x.json#n",
            "root.json",
            "root.json#m",
            "#/$defs/x",
            "#/$defs/y",
            "x.json#/properties/a",
            "root.json#/$defs/z",
        ];
        let keyword = self.pick(&["$ref", "$dynamicRef", "$dynamicRef", "$recursiveRef"]);
        let target = match keyword {
            "$recursiveRef" => "#",
            _ => self.pick(TARGETS),
        };
        let mut fields = vec![(keyword.to_owned(), Text::quoted(target))];
        if self.once_in(3) {
            fields.push(self.sized());
        }
        if self.once_in(4) {
            fields.push(("unevaluatedProperties".to_owned(), Text::raw("false")));
        }
        Text::object(fields)
    }

    fn sized(&mut self) -> (String, Text) {
        let (keyword, value) = [
            ("maxProperties", "1"),
            ("required", "[\"a\"]"),
            ("const", "1"),
            ("type", "\"object\""),
            ("type", "[\"object\", \"integer\"]"),
        ][self.below(5)];
        (keyword.to_owned(), Text::raw(value))
    }

    /// A schema with a name of its own.
    fn resource(&mut self, url: &str) -> Text {
        let mut fields = Vec::new();
        let mut add = |keyword: &str, value: &str| fields.push((keyword.to_owned(), Text::quoted(value)));
        if !self.once_in(4) {
            add("$id", url);
        }
        if !self.once_in(6) {
            add(self.pick(&["$dynamicAnchor", "$anchor"]), "m");
        }
        if self.once_in(4) {
            add(self.pick(&["$dynamicAnchor", "$anchor"]), "n");
        }
        if self.once_in(12) {
            add("$schema", self.choose(DRAFTS, GOOD_DRAFTS));
        }
        if self.once_in(2) {
            fields.push(("$recursiveAnchor".to_owned(), self.of(Wanted::Flag, 0)));
        }
        if self.once_in(3) {
            fields.push(self.sized());
        }
        let inner = ["a", "b"].map(|name| (name.to_owned(), self.reference()));
        match self.below(4) {
            0 => fields.push(("additionalProperties".to_owned(), self.reference())),
            1 => fields.push(("allOf".to_owned(), self.list(1, Self::reference))),
            _ => fields.push(("properties".to_owned(), Text::object(inner.to_vec()))),
        }
        Text::object(fields)
    }

    /// Values that are a path, and schemas that lead from one to another.
    fn reference_case(&mut self) -> (Text, Text) {
        let drafts = [
            "draft/2020-12/schema",
            "draft/2019-09/schema",
            "draft/2020-12/schema",
            "draft-07/schema",
        ];
        let draft = format!("https://json-schema.org/{}", self.pick(&drafts));
        let Text::Object(mut fields) = self.resource("https://127.0.0.1:1/root.json") else {
            return (Text::raw("{}"), Text::raw("{}"));
        };
        let others = ["x", "y", "z"].map(|name| (name.to_owned(), self.resource(&format!("{name}.json"))));
        fields.push(("$defs".to_owned(), Text::object(others.to_vec())));
        fields.push(("$schema".to_owned(), Text::quoted(&draft)));
        let mut value = Text::raw("1");
        for _ in 0..=self.below(5) {
            let mut inner = vec![(self.pick(&["a", "b"]).to_owned(), value)];
            if self.once_in(3) {
                inner.push(("c".to_owned(), Text::raw("2")));
            }
            value = Text::object(inner);
        }
        (Text::object(fields), value)
    }

    /// A text of a format with something changed.
    fn changed(&mut self, text: &str) -> String {
        const OTHER: [char; 40] = [
            '0', '1', '5', '9', '+', '-', '.', ':', '/', '%', '[', ']', '@', '~', '#', '?', ' ', 'T', 't', 'Z', 'z',
            'P', 'W', '{', '}', '\\', '"', '\'', '_', 'a', 'F', 'é', '\u{7f}', '\n', '2', '6', '<', '\u{301}', '😀',
            ',',
        ];
        let mut letters: Vec<char> = text.chars().collect();
        for _ in 0..self.below(3) {
            let at = self.below(letters.len() + 1);
            let other = OTHER[self.below(OTHER.len())];
            match self.below(4) {
                0 => letters.insert(at, other),
                1 if at < letters.len() => drop(letters.remove(at)),
                2 if at < letters.len() => letters[at] = other,
                3 if at < letters.len() => letters.insert(at, letters[at]),
                _ => letters.push(other),
            }
        }
        letters.into_iter().collect()
    }

    /// Many texts that may be of a format.
    fn format_case(&mut self, format: usize) -> (Text, Text) {
        let name = FORMATS[format % FORMATS.len()];
        let schema = format!(
            r#"{{"$schema": "http://json-schema.org/draft-07/schema", "additionalProperties": {{"format": "{name}"}}}}"#
        );
        let texts = crate::words_of_schemas::texts_of(name);
        let values = (0..40).map(|index| {
            let text = texts[self.below(texts.len())];
            (format!("k{index:02}"), Text::quoted(&self.changed(text)))
        });
        (Text::Raw(schema), Text::object(values.collect()))
    }
}

fn chart(schema: &Text, values: &Text) -> Case {
    Case::of(&[
        ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 0.1.0\n".to_owned()),
        ("values.yaml", values.to_string()),
        ("values.schema.json", schema.to_string()),
        ("templates/a.yaml", "a: 1\n".to_owned()),
    ])
}

/// What is said, without what is quoted, since which of several things is wrong first is left to chance.
fn outline(text: &str) -> String {
    text.split('"').step_by(2).collect::<Vec<_>>().join("\"")
}

fn is_same(theirs: &Outcome, ours: &Outcome) -> bool {
    match (theirs, ours) {
        (Ok(_), Ok(_)) => true,
        // Why nothing is fetched is ours to say, and what a crash is.
        (Err(theirs), Err(_)) if theirs.contains("failing loading") || theirs.contains("unable to validate") => true,
        (Err(theirs), Err(ours)) => {
            let (theirs, ours) = (lines(theirs), lines(ours));
            let (one, other) = (theirs.join("\n"), ours.join("\n"));
            theirs == ours || !one.contains("- at ") && outline(&one) == outline(&other)
        }
        _ => false,
    }
}

/// Do both say the same, once Go has had some tries?
fn agree(oracle: &Oracle, schema: &Text, values: &Text) -> bool {
    let case = chart(schema, values);
    let ours = capstan(&case);
    (0..12).any(|_| is_same(&oracle.helm(&case), &ours))
}

/// Takes away what is not needed for both to differ.
fn shrink(oracle: &Oracle, mut schema: Text, mut values: Text) -> (Text, Text) {
    for _ in 0..40 {
        let smaller = schema
            .smaller()
            .into_iter()
            .find(|smaller| !agree(oracle, smaller, &values));
        let found = smaller.is_some();
        schema = smaller.unwrap_or(schema);
        let smaller = values
            .smaller()
            .into_iter()
            .find(|smaller| matches!(smaller, Text::Object(_)) && !agree(oracle, &schema, smaller));
        if !found && smaller.is_none() {
            break;
        }
        values = smaller.unwrap_or(values);
    }
    (schema, values)
}

fn hold(what: &str, cases: usize, make: impl Fn(&mut Dice, usize) -> (Text, Text)) {
    let Some(oracle) = Oracle::start() else { return };
    let seed = std::env::var("CAPSTAN_SEED").ok();
    let seed: u64 = seed.and_then(|text| text.parse().ok()).unwrap_or(1);
    let (mut failures, mut refused, mut broken) = (Vec::new(), 0, 0);
    for round in 0..cases {
        let (schema, values) = make(&mut Dice::new(seed, round as u64), round);
        if !agree(&oracle, &schema, &values) {
            let (schema, values) = shrink(&oracle, schema.clone(), values.clone());
            let case = chart(&schema, &values);
            failures.push(format!(
                "seed {seed}, round {round}: {schema}\nfor {values}\nhelm:    {:?}\ncapstan: {:?}",
                oracle.helm(&case),
                capstan(&case)
            ));
            if failures.len() >= 25 {
                break;
            }
        }
        if let Err(error) = capstan(&chart(&schema, &values)) {
            refused += 1;
            broken += usize::from(!error.contains("\n- at "));
            broken += usize::from(error.contains("metaschema"));
        }
    }
    println!(
        "{cases} {what} ({broken} are no schemas, {} refuse their values), {} differ",
        refused - broken,
        failures.len()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn made_up_schemas_are_what_helm_takes_them_for() {
    hold("made-up schemas", count(300), |dice, _| dice.case());
}

#[test]
fn made_up_references_lead_where_helm_goes() {
    hold("made-up references", count(200), |dice, _| dice.reference_case());
}

#[test]
fn made_up_texts_are_of_the_formats_that_helm_finds() {
    hold("formats", count(60), Dice::format_case);
}
