//! No text can make the engine panic, run for ever or take all memory.

use capstan_template::{Ambient, Context, Limit, Limits, TemplateSet, Value, function_names};
use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

fn run(text: &str, limits: Limits) -> Result<String, capstan_template::TemplateError> {
    let mut set = TemplateSet::new();
    set.parse("t", text)?;
    let root =
        Value::from_document(&serde_json::json!({"Values": {"a": {"b": [1, "x", null]}, "s": "text", "n": 3.5}}));
    let mut context = Context::new(limits, Ambient::frozen(0, b"key"));
    set.execute("t", &root, &mut context)
}

#[test]
fn bombs_end_in_a_named_limit() {
    let limits = Limits {
        fuel: 1_000_000,
        output: 1 << 20,
        ..Limits::default()
    };
    for (text, limit) in [
        (
            "{{ define \"a\" }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}",
            Limit::Depth,
        ),
        (
            "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}",
            Limit::Depth,
        ),
        (
            "{{ $t := \"{{ tpl .t . }}\" }}{{ tpl $t (dict \"t\" $t) }}",
            Limit::Depth,
        ),
        ("{{ range until 1000000000 }}x{{ end }}", Limit::Fuel),
        ("{{ range 9000000000000 }}{{ end }}", Limit::Fuel),
        ("{{ seq 1 1000000000000 }}", Limit::Fuel),
        ("{{ repeat 1000000000 \"abc\" }}", Limit::Output),
        ("{{ indent 1000000000 \"abc\" }}", Limit::Output),
        (
            "{{ $s := \"abcdefgh\" }}{{ range until 60 }}{{ $s = print $s $s }}{{ end }}",
            Limit::Output,
        ),
        (
            "{{ $s := \"aaaaaaaa\" }}{{ range until 60 }}{{ $s = replace \"a\" \"aaaa\" $s }}{{ end }}",
            Limit::Output,
        ),
        (
            "{{ $d := dict }}{{ range until 60 }}{{ $d = dict \"a\" $d \"b\" $d }}{{ end }}{{ toYaml $d }}",
            Limit::Fuel,
        ),
        ("{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ $d }}", Limit::Nesting),
        (
            "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toJson $d }}",
            Limit::Nesting,
        ),
        (
            "{{ $l := list 1 }}{{ range until 60 }}{{ $l = concat $l $l }}{{ end }}",
            Limit::Fuel,
        ),
    ] {
        let error = run(text, limits).expect_err(text);
        assert_eq!(error.limit(), Some(limit), "{text}: {error}");
        assert!(error.to_string().contains("t"), "{error}");
        let shown = error.to_string();
        assert!(shown.starts_with("template: ") && shown.len() < 2000, "{text}: {shown}");
    }
}

#[test]
fn deep_values_are_dropped_without_recursion() {
    let text = "{{ $l := list }}{{ range until 200000 }}{{ $l = list $l }}{{ end }}{{ $d := dict }}{{ range until 200000 }}{{ $d = dict \"a\" $d }}{{ end }}ok";
    assert_eq!(run(text, Limits::default()).expect("an output"), "ok");
}

#[test]
fn renders_are_repeatable() {
    let text = "{{ randAlphaNum 20 }} {{ uuidv4 }} {{ now | date \"2006-01-02\" }} {{ shuffle \"abcdefgh\" }}";
    let first = run(text, Limits::default()).expect("an output");
    assert_eq!(first, run(text, Limits::default()).expect("an output"));
    assert!(first.contains("1970-01-01"));
}

#[test]
fn the_names_of_helm_are_registered() {
    assert_eq!(function_names().len(), 240, "{:?}", function_names());
}

fn piece() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "{{",
        "}}",
        "{{-",
        "-}}",
        " ",
        ".",
        "$",
        "$x",
        ":=",
        "=",
        "|",
        "(",
        ")",
        "if",
        "else",
        "end",
        "range",
        "with",
        "define",
        "\"a\"",
        "template",
        "block",
        "break",
        "continue",
        "nil",
        "true",
        ".Values.a.b",
        ".Values.n",
        ".Values.s",
        "3",
        "1.5",
        "'a'",
        "`r`",
        ",",
        "\n",
        "/*",
        "*/",
        "-1",
        "0x",
        "\"",
        "{{ end }}",
        "{{ if . }}",
        "{{ range .Values.a }}",
    ]);
    prop_oneof![
        4 => words.prop_map(str::to_owned),
        2 => prop::sample::select(function_names()).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ]
}

fn argument() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        ".",
        ".Values.a",
        ".Values.a.b",
        ".Values.s",
        ".Values.n",
        "nil",
        "\"\"",
        "\"x-1.2.3\"",
        "3",
        "-1",
        "0",
        "1.5",
        "true",
        "(list 1 2)",
        "(dict \"a\" 1)",
        "now",
        "(int64 7)",
        "(b64dec \"//4=\")",
        "\"%d %s\"",
        "\"(a|b)*\"",
        "9223372036854775807",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(pieces in prop::collection::vec(piece(), 0..30), glue in prop::sample::select(vec!["", " "])) {
        let limits = Limits { fuel: 50_000, output: 1 << 16, ..Limits::default() };
        let _ = run(&pieces.join(glue), limits);
    }

    #[test]
    fn no_call_panics(name in prop::sample::select(function_names()), args in prop::collection::vec(argument(), 0..5)) {
        let limits = Limits { fuel: 50_000, output: 1 << 16, ..Limits::default() };
        let _ = run(&format!("{{{{ {name} {} }}}}", args.join(" ")), limits);
    }
}
