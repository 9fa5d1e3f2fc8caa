//! Templates that ask for too much: each ends in a named limit or a result, soon, and the whole process stays within the memory of a worker.
//!
//! By default with a tenth of the fuel of real renders, because unoptimized code is slow; `CAPSTAN_BOMBS_FUEL=50000000` asks for all of it.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the test measures time and memory"
)]

use std::time::Instant;

use capstan_template::{Ambient, Context, Limits, TemplateError, TemplateSet, Value};

/// What a worker may take, in KiB.
const MEMORY: u64 = 512 << 10;

fn fuel() -> u64 {
    let given = std::env::var("CAPSTAN_BOMBS_FUEL").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(5_000_000)
}

fn run(text: &str) -> Result<(String, u64), TemplateError> {
    let mut set = TemplateSet::new();
    set.parse("c/templates/t.yaml", text)?;
    let root = Value::from_document(&serde_json::json!({"Values": {"n": 1e10}}));
    let limits = Limits {
        fuel: fuel(),
        ..Limits::default()
    };
    let mut context = Context::new(limits, Ambient::frozen(0, b"key"));
    let text = set.execute("c/templates/t.yaml", &root, &mut context)?;
    Ok((text, context.fuel_used()))
}

/// Calls a function again and again on what it returned.
fn chain(start: &str, step: &str) -> String {
    format!("{{{{ $s := {start} }}}}{{{{ range until 200 }}}}{{{{ $s = {step} }}}}{{{{ end }}}}")
}

/// A loop that does not end by itself.
fn forever(body: &str) -> String {
    format!("{{{{ range 9000000000 }}}}{body}{{{{ end }}}}")
}

/// Bombs of one text each.
const SINGLE: &[&str] = &[
    "{{ printf \"%1000000000d\" 1 }}",
    "{{ printf \"%1000000d\" 1 | len }}",
    "{{ range until 100000 }}{{ $x := printf \"%1000000d\" 1 }}{{ end }}",
    "{{ printf \"%1000000v\" (until 1000000) }}",
    "{{ printf \"%.1000000f\" 1.5 | len }}",
    "{{ until 9000000000 }}",
    "{{ untilStep 0 9000000000 1 }}",
    "{{ seq 0 9000000000 }}",
    "{{ until (int .Values.n) }}",
    "{{ repeat 9000000000 \"abc\" }}",
    "{{ repeat 9000000000000000000 \"\" }}",
    "{{ indent 9000000000 \"abc\" }}",
    "{{ nindent 60000000 \"a\\nb\\nc\" }}",
    "{{ wrapWith 1 (repeat 100000 \"-\") (repeat 100000 \"a\") }}",
    "{{ splitList \"\" (repeat 60000000 \"a\") | len }}",
    "{{ splitn \"\" -1 (repeat 60000000 \"a\") | len }}",
    "{{ shuffle (repeat 30000000 \"a\") | len }}",
    "{{ randAlphaNum 1000000000 }}",
    "{{ randBytes 1000000000 }}",
    "{{ contains (repeat 5000000 \"a\") (repeat 50000000 \"a\") }}",
    "{{ replace \"a\" (repeat 1000 \"b\") (repeat 1000000 \"a\") }}",
    "{{ regexMatch \"((((a{1,50}){1,50}){1,50}){1,50})\" \"a\" }}",
    "{{ regexMatch \"(a*)*b\" (repeat 1000000 \"a\") }}",
    "{{ regexMatch \"(x+x+)+y\" (repeat 1000000 \"x\") }}",
    "{{ range $i, $_ := until 100000 }}{{ $x := regexMatch (printf \"\\\\pL{500}%d\" $i) \"a\" }}{{ end }}",
    "{{ regexMatch (printf \"(%s)\" (repeat 1000000 \"a?\")) (repeat 1000000 \"a\") }}",
    "{{ regexReplaceAll \"a\" (repeat 1000000 \"a\") (repeat 1000 \"b\") }}",
    "{{ regexFindAll \"\" (repeat 10000000 \"a\") -1 | len }}",
    "{{ $d := dict }}{{ range until 60 }}{{ $d = dict \"a\" $d \"b\" $d }}{{ end }}{{ toYaml $d }}",
    "{{ $d := list 1 }}{{ range until 60 }}{{ $d = list $d $d $d }}{{ end }}{{ toPrettyJson $d }}",
    "{{ $d := list 1 }}{{ range until 400 }}{{ $d = list $d 1 }}{{ end }}{{ range until 12 }}{{ $d = list $d $d }}{{ end }}{{ toPrettyJson $d | len }}{{ toYaml $d | len }}",
    "{{ $d := dict }}{{ range until 40 }}{{ $d = merge (dict \"a\" $d \"b\" $d) $d }}{{ end }}{{ deepCopy $d | len }}",
    "{{ fromYaml \"a: &a [x,x,x,x,x,x,x,x,x]\\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\\n\" | toJson | len }}",
    "{{ fromYaml (repeat 1000000 \"[\") }}",
    "{{ fromJson (repeat 1000000 \"[\") }}",
    "{{ fromJson (printf \"[%s1]\" (repeat 5000000 \"1,\")) | len }}",
    "{{ fromToml (printf \"a=%s1%s\" (repeat 100000 \"[\") (repeat 100000 \"]\")) }}",
    "{{ fromToml (repeat 1000000 \"a.\") }}",
    "{{ tpl (repeat 1000000 \"{{ . }}\") 1 | len }}",
    "{{ tpl (repeat 100000 \"{{ if . }}\") 1 }}",
    "{{ define \"a\" }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}",
    "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}",
    "{{ $t := \"{{ tpl .t . }}\" }}{{ tpl $t (dict \"t\" $t) }}",
    "{{ define \"a\" }}{{ if lt . 25 }}{{ template \"a\" (add 1 .) }}{{ template \"a\" (add 1 .) }}{{ end }}{{ end }}{{ template \"a\" 0 }}",
    "{{ addf 1e308 1e-308 }}{{ divf 1e308 1e-308 }}",
    "{{ mulf 1.1e300 1.1e300 1.1e300 1.1e300 1.1e300 1.1e300 }}",
    "{{ sortAlpha (splitList \"\" (repeat 5000000 \"a\")) | len }}",
    "{{ uniq (until 100000) | len }}",
    "{{ date (repeat 10000000 \"January\") 0 | len }}",
    "{{ genSelfSignedCert \"x\" nil (splitList \"\" (repeat 1000000 \"a\")) 1 | typeOf }}",
    "{{ semverCompare (repeat 100 \">1 || \") (repeat 300 \"1\") }}",
];

/// What is done again and again in a loop that does not end by itself.
const LOOPS: &[&str] = &[
    "{{ $x := genCA \"x\" 1 }}",
    "{{ $x := genPrivateKey \"rsa\" }}",
    "{{ $x := genPrivateKey \"ecdsa\" }}",
    "{{ $x := bcrypt \"x\" }}",
    "{{ $x := derivePassword 1 \"long\" \"a\" \"b\" \"c\" }}",
    "{{ $x := tpl \"{{ 1 }}\" 1 }}",
    "x",
    "{{ $x := list }}",
];

/// Values, and what is made of them two hundred times.
const CHAINS: &[(&str, &str)] = &[
    ("\"abcdefgh\"", "b64enc $s"),
    ("\"abcdefgh\"", "b32enc $s"),
    ("\"abcdefgh\"", "print $s $s"),
    ("\"<>\"", "html $s"),
    ("\"\\\"\"", "quote $s"),
    ("\"\\\"\"", "toJson $s"),
    ("\"a\\n\"", "indent 2 (print $s $s)"),
    ("list 1", "concat $s $s"),
    ("list", "list $s $s"),
    ("dict", "dict \"a\" $s \"b\" (deepCopy $s)"),
];

fn bombs() -> Vec<String> {
    let big = "{{ $b := repeat 60000000 \"a\" }}";
    let mut bombs: Vec<String> = SINGLE.iter().map(|text| (*text).to_owned()).collect();
    bombs.extend(LOOPS.iter().map(|body| forever(body)));
    bombs.extend(CHAINS.iter().map(|(start, step)| chain(start, step)));
    // Many large things at a time.
    bombs.push(format!(
        "{big}{{{{ $l := list }}}}{{{{ range until 1000 }}}}{{{{ $l = append $l (print $b \"x\") }}}}{{{{ end }}}}"
    ));
    bombs.push(format!(
        "{big}{{{{ $l := list $b $b $b $b $b $b $b $b $b $b }}}}{{{{ toJson $l | len }}}}{{{{ print $l | len }}}}"
    ));
    bombs.push(
        "{{ $d := dict }}{{ range $i, $_ := until 3000000 }}{{ $_ := set $d (print $i) $i }}{{ end }}".to_owned(),
    );
    bombs.push("{{ $l := list }}{{ range $i, $_ := until 3000 }}{{ $l = append $l (until 1000) }}{{ end }}".to_owned());
    // Large and deep texts.
    bombs.push("{{ . }}".repeat(1_500_000));
    bombs.push("{{if 1}}".repeat(1_000_000));
    bombs.push(format!("{{{{ {}1{} }}}}", "(".repeat(1_000_000), ")".repeat(1_000_000)));
    bombs.push(format!("{{{{ 1 {} }}}}", "| print ".repeat(300_000)));
    bombs.push(format!("{{{{ .{} }}}}", ".a".repeat(2_000_000)));
    bombs.push("a".repeat(10 << 20));
    bombs.push("{{".repeat(5 << 20));
    bombs.push("{{/*".repeat(2 << 20));
    bombs
}

/// The largest memory the process had, in KiB.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn bombs_end_soon_and_within_memory() {
    let bombs = bombs();
    let (mut slowest, mut largest) = ((0, String::new()), (0, String::new()));
    for text in &bombs {
        let shown: String = text.chars().take(100).collect();
        let (before, start) = (peak().unwrap_or(0), Instant::now());
        let result = run(text);
        let elapsed = start.elapsed().as_millis();
        if std::env::var_os("CAPSTAN_BOMBS_SHOW").is_some() {
            println!("{elapsed} ms {} KiB {shown}", peak().unwrap_or(0));
        }
        if elapsed > slowest.0 {
            slowest = (elapsed, shown.clone());
        }
        let grown = peak().unwrap_or(0);
        if grown > before && grown > largest.0 {
            largest = (grown, shown.clone());
        }
        if let Err(error) = result {
            let message = error.to_string();
            assert!(
                message.starts_with("template: "),
                "{shown}: {}",
                message.chars().take(300).collect::<String>()
            );
        }
        assert!(elapsed < 60_000, "{shown}: {elapsed} ms");
        assert!(grown < MEMORY, "{shown}: {grown} KiB");
    }
    println!(
        "bombs: {}; slowest {} ms: {}; peak {} KiB: {}",
        bombs.len(),
        slowest.0,
        slowest.1,
        largest.0,
        largest.1
    );
}
