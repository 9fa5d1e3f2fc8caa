//! Templates of our own, rendered by real Helm and by us: equal text, or both refuse.
//!
//! [`as_real_helm`] holds a list of templates against Helm, [`as_real_helm_at_random`] generated ones: `CAPSTAN_FUZZ_CASES` sets how many,
//! `CAPSTAN_FUZZ_SEED` which.
#![expect(clippy::disallowed_methods, reason = "the oracle is a program that reads files")]

mod generate;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

const VALUES: &str = "str: hello\nnum: 3\nbig: 1000000\nf: 1.5\nt: true\nlist: [a, b, c]\nnums: [3, 1, 2]\nmap: {b: 2, a: 1, c: {d: x}}\nempty: \"\"\nmixed: [1, two, null, {k: v}]\n";

/// What the templates of this file hold against Helm: one expression or body each.
const BODIES: &[&str] = &[
    "{{ camelcase \"foo_barBaz-qux\" }} {{ snakecase \"HTTPStatusCode2xx\" }} {{ kebabcase \"FooBar Baz9\" }} {{ swapcase \"Hello wORLD\" }}",
    "{{ untitle \"Foo Bar\" }} {{ title \"foo-bar baz_q\" }} {{ initials \"First Try now\" }} {{ plural \"one\" \"many\" 2 }}",
    "{{ abbrev 8 \"hello world foo\" }}|{{ abbrevboth 5 10 \"1234 5678 9123\" }}|{{ wrap 10 \"the quick brown fox jumpsoverthelazydog\" }}|{{ wrapWith 5 \"-\" \"HelloWorld foo\" }}",
    "{{ substr 1 3 \"hello\" }}{{ substr -1 3 \"hello\" }}{{ substr 2 -1 \"hello\" }}",
    "{{ substr 9 3 \"hello\" }}",
    "{{ round 123.5555 3 }} {{ round 123.5555 0 }} {{ ceil 1.1 }} {{ floor -1.1 }} {{ maxf 1.5 2 }} {{ minf 1.5 2 }}",
    "{{ addf 0.1 0.2 }} {{ subf 1 0.9 }} {{ mulf 1.1 1.1 }} {{ divf 10 4 }} {{ add1f 1.5 }} {{ divf 1 3 }}",
    "{{ div 7 0 }}",
    "{{ mod 7 -2 }} {{ div -7 2 }} {{ add \"3\" 4.9 true }} {{ int \"0x10\" }} {{ int \"1.0\" }} {{ int \"1.5\" }} {{ int64 1e10 }}",
    "{{ seq 5 }}|{{ seq -3 }}|{{ seq 0 2 10 }}|{{ seq 0 -2 -5 }}|{{ seq 5 1 }}|{{ untilStep 3 9 3 }}|{{ until -3 }}",
    "{{ printf \"%v %+v %#v %T\" .Values.list .Values.map .Values.str .Values.map }}",
    "{{ printf \"%5.1f|%-8s|%08d|%+d|%x|%X|%o|%b|%e|%g|%q|%c|%U\" 3.14159 \"ab\" 42 7 \"hi\" 255 8 5 1234.5678 1e21 \"q\\\"\" 65 9731 }}",
    "{{ printf \"%d %s %t\" \"a\" 1 \"x\" }} {{ printf \"%!\" }} {{ printf \"%z\" 1 }} {{ printf \"%d\" }} {{ printf \"x\" 1 nil }}",
    "{{ printf \"%[2]d %[1]d\" 1 2 }} {{ printf \"%*d\" 5 1 }} {{ printf \"%.3s|%.2d\" \"abcdef\" 5 }} {{ printf \"%6.2f%%\" 12.345 }}",
    "{{ printf \"%s %v %d\" (list 1 \"a\") (list nil) (list 1 2) }} {{ printf \"%t %v\" true false }} {{ printf \"%s\" nil }}",
    "{{ print 1e20 }} {{ print 1e21 }} {{ print 123456789.0 }} {{ print 0.000001 }} {{ print 100000.0 }} {{ print 2.5e-7 }}",
    "{{ toJson (dict \"a\" 1e20 \"b\" 1e21 \"c\" 1e-7 \"d\" \"<&>\\u2028\" \"e\" (list)) }}",
    "{{ toPrettyJson (dict \"a\" (list 1 2) \"b\" (dict) \"c\" (list)) }}",
    "{{ regexReplaceAll \"(\\\\w+)@(\\\\d+)\" \"foo@12 bar@3\" \"${2}-$1.\" }}|{{ regexReplaceAllLiteral \"a(x*)b\" \"-ab-axxb-\" \"${1}\" }}",
    "{{ regexSplit \"z+\" \"pizza zz\" -1 }}{{ regexSplit \",\" \"a,b,c\" 2 }}{{ regexFindAll \"[2,4,6,8]\" \"123456789\" 2 }}{{ regexQuoteMeta \"1.2*3\" }}",
    "{{ regexFind \"(\" \"x\" }}",
    "{{ regexMatch \"(\" \"x\" }}{{ mustRegexMatch \"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$\" \"a-b\" }}",
    "{{ semverCompare \">=1.2.3 <2 || ^3\" \"3.4.5\" }}{{ semverCompare \"~1.2\" \"1.2.9\" }}{{ semverCompare \"1.2 - 1.4\" \"1.4.5\" }}{{ (semver \"v1.2.3-rc.1+b\").Prerelease }} {{ semver \"v1.2\" }}",
    "{{ semverCompare \"abc\" \"1.0.0\" }}",
    "{{ semverCompare \">=1.0\" \"x\" }}",
    "{{ $v := semver \"1.2.3\" }}{{ $v.Major }}{{ $v.Minor }}{{ $v.Patch }} {{ $v.Original }} {{ $v | semver }}",
    "{{ dig \"a\" \"b\" \"d\" (dict \"a\" (dict \"b\" 1)) }}{{ dig \"a\" \"x\" \"d\" (dict \"a\" (dict \"b\" 1)) }}",
    "{{ dig \"a\" \"b\" \"d\" (dict \"a\" 1) }}",
    "{{ toJson (merge (dict) (dict \"l\" (list 1) \"n\" nil)) }}{{ toJson (merge (dict \"l\" (list)) (dict \"l\" (list 1))) }}{{ toJson (mergeOverwrite (dict \"a\" (dict \"b\" 1)) (dict \"a\" 5)) }}{{ toJson (mergeOverwrite (dict \"a\" 1) (dict \"a\" nil)) }}",
    "{{ toJson (merge (dict \"a\" 1) (dict \"a\" (dict \"b\" 1))) }}{{ toJson (merge (dict \"a\" (dict)) (dict \"a\" (dict \"b\" 1))) }}",
    "{{ $src := dict \"n\" (dict \"a\" 1) }}{{ $d := merge (dict) $src }}{{ $_ := set $d.n \"b\" 2 }}{{ toJson $src }}",
    "{{ pluck \"a\" (dict \"a\" 1) (dict \"b\" 2) (dict \"a\" 3) }}{{ values (dict \"a\" 1) }}{{ tuple 1 2 }}",
    "{{ chunk 2 (list 1 2 3) }}{{ initial (list 1 2 3) }}{{ slice (list 1 2 3) 1 2 }}{{ first (list) }}{{ last (list 1 2) }}",
    "{{ has nil (list 1 nil) }}{{ has \"a\" nil }}{{ without (list 1 2 1) 1 }}{{ uniq (list \"a\" \"a\" (dict) (dict)) }}{{ compact (list 0 1 \"\" false) }}",
    "{{ first \"abc\" }}",
    "{{ append nil 1 }}",
    "{{ concat (list 1) \"x\" }}",
    "{{ sortAlpha (list \"b\" 10 \"a\" 2) }}{{ sortAlpha \"x\" }}{{ join \"-\" (list 1 nil \"a\") }}{{ join \",\" \"x\" }}{{ toStrings (list 1 \"a\") }}",
    "{{ splitList \"\" \"abc\" }}{{ split \",\" \"a,b\" }}{{ splitn \",\" 2 \"a,b,c\" }}{{ splitList \",\" \"\" | len }}",
    "{{ base \"a/b.tar.gz\" }} {{ dir \"a/b/c\" }} {{ ext \"a/b.tar.gz\" }} {{ clean \"/a/../b//c/.\" }} {{ isAbs \"/x\" }} {{ base \"\" }} {{ dir \"\" }} {{ osBase \"/x/y\" }}",
    "{{ toJson (urlParse \"http://u:p@h.x:80/a%20b?c=d#f\") }} {{ urlJoin (dict \"scheme\" \"http\" \"host\" \"h:1\" \"path\" \"/a b\" \"query\" \"q=1\") }}",
    "{{ b32enc \"hello\" }} {{ b32dec \"NBSWY3DP\" }} {{ b64dec \"!!\" }} {{ sha1sum \"a\" }} {{ sha512sum \"a\" }} {{ adler32sum \"abc\" }}",
    "{{ dateInZone \"Mon Jan 2 15:04:05 MST 2006\" 1700000000 \"UTC\" }} {{ date \"2006-01-02\" (toDate \"02/01/2006\" \"31/12/2019\") }} {{ htmlDate 0 }} {{ duration 95 }} {{ durationRound \"2h10m5s\" }} {{ durationRound \"2400h\" }}",
    "{{ (toDate \"2006-01-02\" \"2020-05-06\" | dateModify \"-36h\").Format \"Mon 02 Jan 06 3PM\" }} {{ toDate \"2006-01-02\" \"2020-05-06\" | unixEpoch }} {{ toDate \"2006-01-02\" \"2020-05-06\" }}",
    "{{ kindOf (list) }}{{ typeOf (dict) }}{{ typeOf (until 2) }}{{ typeOf (keys (dict)) }}{{ typeOf 1.5 }}{{ typeOf (int64 1) }}{{ kindOf (semver \"1.0.0\") }}{{ typeOf (semver \"1.0.0\") }}{{ typeIsLike \"semver.Version\" (semver \"1.0.0\") }}{{ typeOf .Values }}{{ typeOf (split \",\" \"a\") }}",
    "{{ typeOf now }}{{ kindOf now }}{{ typeOf (now | date \"2006\") }}",
    "{{ trunc (add 1 2) \"abcdef\" }}",
    "{{ trunc (int (add 1 2)) \"abcdef\" }}{{ indent (int .Values.num) \"x\" }}",
    "{{ indent .Values.num \"x\" }}",
    "{{ index .Values.mixed 3 \"k\" }}{{ index .Values.map \"c\" \"d\" }}{{ index \"abc\" 1 }}",
    "{{ index .Values.list 3 }}",
    "{{ index .Values.map 1 }}",
    "{{ index .Values.list \"a\" }}",
    "{{ slice \"abcd\" 1 2 }}",
    "{{ len 3 }}",
    "{{ eq .Values.list .Values.list }}",
    "{{ eq .Values.map nil }}{{ ne nil .Values.nope }}{{ eq 1 1 2 }}{{ lt \"a\" \"b\" }}{{ le 1.0 1.5 }}",
    "{{ lt true false }}",
    "{{ lt nil 1 }}",
    "{{ and }}",
    "{{ not nil }}{{ and 1 nil }}{{ or nil 0 \"\" }}{{ and true .Values.empty }}",
    "{{ range $i, $c := until 3 }}{{ if eq $i 1 }}{{ continue }}{{ end }}{{ $c }}{{ else }}none{{ end }}{{ range $x := .Values.map }}{{ $x }};{{ end }}",
    "{{ range 2 }}{{ . }}{{ end }}{{ range $i := 2 }}{{ $i }}{{ end }}{{ range int64 2 }}{{ . }}{{ end }}",
    "{{ $x := 1 }}{{ with $x = 2 }}{{ . }}{{ end }}{{ $x }}{{ $a := 0 }}{{ range $a = .Values.nums }}{{ end }}{{ $a }}",
    "{{ with 0 }}a{{ else with .Values.str }}{{ . }}{{ else }}b{{ end }}{{ if false }}{{ else if nil }}{{ else }}z{{ end }}",
    "{{ .Values.str.foo }}",
    "{{ (.Values.str).foo }}",
    "{{ .Values.nope.x }}",
    "{{ ((.Values.nope).x).y | default \"d\" }}{{ (dict).x.y }}",
    "{{ (dict \"a\" nil).a.b }}",
    "{{ $d := dict }}{{ $d.x }}{{ $d.x | quote }}|{{ range .Values.mixed }}{{ . }},{{ end }}",
    "{{ .Values.map.a 1 }}",
    "{{ \"x\" | .Values.str }}",
    "{{ upper nil }}",
    "{{ upper 3 }}",
    "{{ ternary 1 2 \"true\" }}",
    "{{ set .Values.nope \"a\" 1 }}",
    "{{ hasKey .Values.nope \"a\" }}",
    "{{ hasKey nil \"a\" }}{{ get (dict \"a\" 1) \"a\" }}",
    "{{ keys .Values.list }}",
    "{{ default 1 }}{{ default \"a\" nil }}{{ empty (dict) }}{{ all 1 \"\" }}{{ any 0 1 }}{{ coalesce nil 0 }}",
    "{{ quote 1.0 nil (list \"a\") true \"x\\ty\" }} {{ squote nil 1 \"a'b\" }} {{ cat nil 1 \"b\" }} {{ toString nil }} {{ toString (list 1) }}",
    "{{ html \"<a href='x'>\" }} {{ js \"</script>\\n'\" }} {{ urlquery \"a b\" \"&\" }}",
    "{{ fromJson \"[1\" }} {{ fromYaml \"- a\" }} {{ (fromJsonArray \"[1, 2.5]\") }} {{ fromJson \"{}\" | len }} {{ fromYaml \"\" }}",
    "{{ toToml (dict \"a\" 1 \"b\" (dict \"c\" (dict \"d\" 1.5)) \"l\" (list 1 \"x\") \"t\" (list (dict \"k\" 1) (dict \"k\" 2))) }}",
    "{{ tpl \"{{ .x }}{{ define \\\"zz\\\" }}q{{ end }}{{ template \\\"zz\\\" }}\" (dict \"x\" 1) }}",
    "{{ tpl \"{{ fail \\\"no\\\" }}\" . }}",
    "{{ tpl \"{{ if }}\" . }}",
    "{{ include \"body2\" (dict \"a\" 1) }}",
    "{{ lookup \"v1\" \"Pod\" \"\" \"\" }}{{ getHostByName \"x\" | quote }}{{ hello }}",
    "{{ trimAll \"-\" \"--a--\" }}{{ trim \"\\t a\\n\" }}{{ nospace \" a b\\n\" }}{{ repeat 2 \"ab\" }}{{ contains \"\" \"x\" }}{{ replace \"\" \"-\" \"ab\" }}",
    "{{ repeat -1 \"a\" }}",
    "{{ atoi \"x\" }}{{ toDecimal \"0755\" }}{{ float64 \"1e3\" }}{{ int nil }}{{ int true }}{{ int64 \"abc\" }}{{ max 1 \"5\" 3.7 }}{{ min }}",
    "{{ biggest 1 2 }}{{ min 3 1 2 }}{{ randInt 5 6 }}{{ len (randAlphaNum 7) }}{{ len uuidv4 }}{{ len (shuffle \"abc\") }}",
    "{{- /* c */ -}} a {{- \"b\" -}} c {{/* d */}} {{ `raw\\n` }} {{ 'x' }} {{ 0b11 }} {{ 0o17 }} {{ 1_0 }} {{ .5 }} {{ 0x1p4 }}",
    "{{ .Values.str | printf \"%s-%s\" \"a\" | upper | quote }} {{ (printf \"%d\" 3) }} {{ print (1) \"a\" (len \"x\") 2 3 }}",
];

fn helm() -> Option<PathBuf> {
    let folder = match std::env::var_os("CAPSTAN_ORACLES") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".cache/capstan/oracles"),
    };
    let program = folder.join("helm");
    program.is_file().then_some(program)
}

const CHART: &str = "apiVersion: v2\nname: c\nversion: 1.2.3\n";
const FILE: &str = "out: {{ include \"body\" . | b64enc }}\n";

fn with_body(body: &str) -> String {
    format!("{{{{ define \"body\" }}}}{body}{{{{ end }}}}")
}

/// Helm's line for the body, or its complaint.
fn by_helm(program: &Path, folder: &Path, body: &str) -> Result<String, String> {
    std::fs::write(folder.join("templates/_body.tpl"), with_body(body)).expect("a writable folder");
    let output = Command::new(program)
        .args(["template", "rel"])
        .arg(folder)
        .args(["--namespace", "ns"])
        .output()
        .expect("helm starts");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .lines()
        .find_map(|line| line.strip_prefix("out:"))
        .unwrap_or_default()
        .trim()
        .to_owned())
}

fn by_us(body: &str) -> Result<String, String> {
    let root = support::root(
        &serde_json::json!({"Chart.yaml": CHART, "values.yaml": VALUES, "files": {}, "release": "rel", "namespace": "ns"}),
    );
    let text = support::render(&format!("{}{FILE}", with_body(body)), &root).map_err(|error| error.helm_message())?;
    Ok(text.trim_start_matches("out:").trim().to_owned())
}

#[test]
fn as_real_helm() {
    let Some(program) = helm() else {
        println!("oracle: skipped, no helm (CAPSTAN_ORACLES)");
        return;
    };
    let folder = std::env::temp_dir().join(format!("capstan-template-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("templates")).expect("a writable folder");
    for (name, text) in [
        ("Chart.yaml", CHART),
        ("values.yaml", VALUES),
        ("templates/t.yaml", FILE),
    ] {
        std::fs::write(folder.join(name), text).expect("a writable folder");
    }
    let decode = |text: String| {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD
            .decode(&text)
            .map_or(text, |bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let mut differences = Vec::new();
    for body in BODIES {
        let (theirs, ours) = (by_helm(&program, &folder, body).map(decode), by_us(body).map(decode));
        let same = match (&theirs, &ours) {
            (Ok(a), Ok(b)) => a == b,
            (Err(_), Err(_)) => true,
            _ => false,
        };
        if !same {
            differences.push(format!("{body}\n  helm {theirs:?}\n  ours {ours:?}"));
        }
    }
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
    println!("oracle: {}/{}", BODIES.len() - differences.len(), BODIES.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// A chart in a folder of its own, removed at the end.
struct Chart(PathBuf);

impl Chart {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("capstan-template-{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("templates")).expect("a writable folder");
        std::fs::create_dir_all(folder.join("cases")).expect("a writable folder");
        std::fs::write(folder.join("Chart.yaml"), CHART).expect("a writable folder");
        std::fs::write(folder.join("values.yaml"), VALUES).expect("a writable folder");
        Self(folder)
    }

    /// What Helm makes of the cases, each on its own copy of the values; `None` when one of them fails.
    fn render(&self, program: &Path, cases: &[String]) -> Option<Vec<Vec<u8>>> {
        let mut template = String::new();
        for (i, case) in cases.iter().enumerate() {
            std::fs::write(self.0.join(format!("cases/{i}")), case).expect("a writable folder");
            template.push_str(&format!(
                "case{i}: {{{{ tpl (.Files.Get \"cases/{i}\") ({ROOT}) | b64enc | quote }}}}\n"
            ));
        }
        std::fs::write(self.0.join("templates/t.yaml"), template).expect("a writable folder");
        let output = Command::new(program)
            .args(["template", "rel"])
            .arg(&self.0)
            .args(["--namespace", "ns"])
            .output()
            .expect("helm starts");
        output.status.success().then(|| {
            let text = String::from_utf8_lossy(&output.stdout);
            let decode = |line: &str| {
                let encoded = line.split_once(": ").map_or("", |(_, value)| value.trim_matches('"'));
                base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded).expect("base64")
            };
            text.lines()
                .filter(|line| line.starts_with("case"))
                .map(decode)
                .collect()
        })
    }

    /// The first case that Helm refuses.
    fn refused<'c>(&self, program: &Path, cases: &'c [String]) -> Option<&'c String> {
        let (mut low, mut high) = (0, cases.len());
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if self.render(program, &cases[low..middle]).is_none() {
                high = middle;
            } else {
                low = middle;
            }
        }
        cases.get(low)
    }
}

impl Drop for Chart {
    fn drop(&mut self) {
        // Left behind, it would only take room.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The root for one case: what it changes is not seen by the next.
const ROOT: &str = "dict \"Values\" (deepCopy .Values) \"Chart\" .Chart \"Release\" .Release \"Files\" (.Files.Glob \"none/*\") \"Capabilities\" .Capabilities \"Subcharts\" .Subcharts";

/// What we make of a case; `None` for what a limit ends, or Go prints an address in.
fn generated_by_us(case: &str) -> Option<Result<Vec<u8>, String>> {
    let root = support::root(
        &serde_json::json!({"Chart.yaml": CHART, "values.yaml": VALUES, "files": {}, "release": "rel", "namespace": "ns"}),
    );
    let mut set = capstan_template::TemplateSet::new();
    let quoted = serde_json::to_string(case).expect("a string");
    let quoted = quoted.replace("\\u0001", "\\x01");
    let text = format!("{{{{ tpl {quoted} ({ROOT}) | b64enc }}}}");
    set.parse("c/templates/t.yaml", &text)
        .expect("a template around the case");
    let limits = capstan_template::Limits {
        fuel: 300_000,
        ..capstan_template::Limits::default()
    };
    let ambient = capstan_template::Ambient::frozen(0, b"");
    let mut context = capstan_template::Context::new(limits, ambient);
    match set.execute("c/templates/t.yaml", &root, &mut context) {
        Ok(encoded) => {
            let text = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded).expect("base64");
            // As Go's and as numbers of other bases.
            let address = [
                "c000010000",
                "C000010000",
                "824633786368",
                "14000000200000",
                "11000000000000000000000100000000",
            ];
            let shown = String::from_utf8_lossy(&text);
            (!address.iter().any(|address| shown.contains(address))).then_some(Ok(text))
        }
        Err(error) if error.limit().is_some() => None,
        Err(error) => Some(Err(error.helm_message())),
    }
}

/// What we do not do as Go does: strings that are not UTF-8 in `toYamlPretty`, times printed as structs, times in `toYamlPretty`, and the
/// complaints of the TOML reader.
fn is_known_difference(case: &str) -> bool {
    case.contains("fromToml")
        // Addresses that a function has changed.
        || is_of_an_address(case)
        // A map that is merged with itself in it: Helm crashes.
        || (case.contains("mergeOverwrite") || case.contains("MergeOverwrite")) && case.contains("\"b\" .Values.map")
        || (case.contains("toYamlPretty") && ["\\x", "//4="].iter().any(|part| case.contains(part)))
        || (case.contains("toDate")
            && (case.contains("printf") || case.contains("toYamlPretty") || case.contains("durationRound")))
}

/// Whether a format has a verb for pointers.
fn is_of_an_address(case: &str) -> bool {
    let verbs = case.split('%').skip(1);
    let mut verbs = verbs.map(|rest| rest.trim_start_matches(|c: char| "+-# 0123456789.*[]".contains(c)));
    verbs.any(|verb| verb.starts_with('p'))
}

fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

#[test]
fn as_real_helm_at_random() {
    use proptest::strategy::{Strategy, ValueTree};
    let Some(program) = helm() else {
        println!("oracle: skipped, no helm (CAPSTAN_ORACLES)");
        return;
    };
    let (count, seed) = (
        number_from("CAPSTAN_FUZZ_CASES", 600),
        number_from("CAPSTAN_FUZZ_SEED", 1),
    );
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seeds = move || {
        let tree = proptest::prelude::any::<u64>().new_tree(&mut runner).expect("a number");
        tree.current() ^ seed
    };
    let (mut rendered, mut expected, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..count {
        let mut state = seeds();
        // SplitMix64.
        let random = move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let case = generate::Generator { random }.template();
        if is_known_difference(&case) {
            continue;
        }
        match generated_by_us(&case) {
            Some(Ok(text)) => {
                rendered.push(case);
                expected.push(text);
            }
            Some(Err(_)) => failed.push(case),
            None => {}
        }
    }
    let chart = Chart::new("random");
    let mut differences = Vec::new();
    for (cases, texts) in rendered.chunks(200).zip(expected.chunks(200)) {
        match chart.render(&program, cases) {
            None => differences.push(format!("helm refuses\n  {:?}", chart.refused(&program, cases))),
            Some(theirs) => {
                for ((case, ours), theirs) in cases.iter().zip(texts).zip(&theirs) {
                    if ours != theirs {
                        let (ours, theirs) = (String::from_utf8_lossy(ours), String::from_utf8_lossy(theirs));
                        differences.push(format!("{case}\n  helm {theirs:?}\n  ours {ours:?}"));
                    }
                }
            }
        }
    }
    // A process for each of these: only some.
    let some = failed.iter().step_by((failed.len() / (15 + failed.len() / 50)).max(1));
    let mut refusals = 0;
    for case in some {
        refusals += 1;
        if chart.render(&program, std::slice::from_ref(case)).is_some() {
            differences.push(format!("we refuse, helm does not\n  {case}"));
        }
    }
    println!("oracle: {} rendered and {refusals} refused at random", rendered.len());
    assert!(
        rendered.len() > failed.len(),
        "most generated templates can be rendered"
    );
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// What we make is accepted by Helm, which checks that certificates and keys can be read and belong together.
#[test]
fn keys_and_certificates_are_read_by_helm() {
    let Some(program) = helm() else {
        println!("oracle: skipped, no helm (CAPSTAN_ORACLES)");
        return;
    };
    let made = generated_by_us_unlimited(
        "{{ $ca := genCA \"ca\" 365 }}{{ $s := genSignedCert \"svc\" (list \"10.0.0.1\" \"::1\") (list \"a.b\") 10 $ca }}{{ $ec := genPrivateKey \"ecdsa\" }}{{ $ed := genPrivateKey \"ed25519\" }}{{ $e := genCAWithKey \"e\" 1 $ec }}{{ $f := genSignedCertWithKey \"*.x\" nil nil 1 $e $ed }}{{ dict \"ca\" $ca \"signed\" $s \"ec\" $e \"ed\" $f \"aes\" (encryptAES \"key\" \"plain\") | toJson }}",
    );
    let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    let mut cases = Vec::new();
    for name in ["ca", "signed", "ec", "ed"] {
        let quoted = |field: &str| made[name][field].to_string();
        let (cert, key) = (quoted("Cert"), quoted("Key"));
        cases.push(format!(
            "{{{{ (buildCustomCert (b64enc {cert}) (b64enc {key})).Cert }}}}"
        ));
    }
    let (cert, key) = (made["ca"]["Cert"].to_string(), made["ca"]["Key"].to_string());
    // Helm refuses an authority whose key is not the certificate's.
    cases.push(format!(
        "{{{{ $ca := buildCustomCert (b64enc {cert}) (b64enc {key}) }}}}{{{{ $s := genSignedCert \"x\" nil nil 1 $ca }}}}{{{{ kindOf $s.Cert }}}}"
    ));
    cases.push(format!("{{{{ decryptAES \"key\" {} }}}}", made["aes"]));
    let derive = "{{ derivePassword 1 \"long\" \"password\" \"user\" \"example.com\" }}{{ derivePassword 7 \"pin\" \"p\" \"u\" \"s\" }}";
    cases.push(derive.to_owned());
    let chart = Chart::new("keys");
    let theirs = chart.render(&program, &cases).expect("helm reads what we made");
    for (i, name) in ["ca", "signed", "ec", "ed"].iter().enumerate() {
        assert_eq!(
            String::from_utf8_lossy(&theirs[i]),
            made[name]["Cert"].as_str().expect("text"),
            "{name}"
        );
    }
    assert_eq!(theirs[4], b"string");
    assert_eq!(theirs[5], b"plain");
    assert_eq!(String::from_utf8_lossy(&theirs[6]), generated_by_us_unlimited(derive));
}

fn generated_by_us_unlimited(text: &str) -> String {
    let mut set = capstan_template::TemplateSet::new();
    set.parse("t", text).expect("a template");
    let ambient = capstan_template::Ambient::frozen(1_700_000_000, b"test");
    let mut context = capstan_template::Context::new(capstan_template::Limits::default(), ambient);
    let root = capstan_template::Value::map::<&str>([]);
    set.execute("t", &root, &mut context).expect("an output")
}
