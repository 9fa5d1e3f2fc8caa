//! What generated templates are made of.

/// Functions and the types of their parameters: `i` int, `s` string, `a` anything, `f` float, `b` bool, `m` dict, `t` time, `l` list,
/// `u` unsigned; a capital letter is repeated.
#[rustfmt::skip]
pub(super) const FUNCTIONS: &[(&str, &str)] = &[
    ("abbrev", "is"), ("abbrevboth", "iis"), ("add", "A"), ("add1", "a"), ("add1f", "a"), ("addf", "A"),
    ("adler32sum", "s"), ("all", "A"), ("and", "aA"), ("any", "A"), ("append", "aa"), ("atoi", "s"), ("b32dec", "s"),
    ("b32enc", "s"), ("b64dec", "s"), ("b64enc", "s"), ("base", "s"), ("biggest", "aA"), ("buildCustomCert", "ss"),
    ("call", "aA"), ("camelcase", "s"), ("cat", "A"), ("ceil", "a"), ("chunk", "ia"), ("clean", "s"),
    ("coalesce", "A"), ("compact", "a"), ("concat", "A"), ("contains", "ss"), ("date", "st"), ("dateInZone", "sts"),
    ("dateModify", "st"), ("date_in_zone", "sts"), ("date_modify", "st"), ("decryptAES", "ss"), ("deepCopy", "a"),
    ("deepEqual", "aa"), ("default", "aA"), ("dict", "A"), ("dig", "A"), ("dir", "s"), ("div", "aa"), ("divf", "aA"),
    ("duration", "a"), ("durationRound", "a"), ("empty", "a"), ("eq", "aA"), ("ext", "s"), ("fail", "s"),
    ("first", "a"), ("float64", "a"), ("floor", "a"), ("fromJson", "s"), ("fromJsonArray", "s"), ("fromToml", "s"),
    ("fromYaml", "s"), ("fromYamlArray", "s"), ("ge", "aa"), ("get", "ms"), ("getHostByName", "s"), ("gt", "aa"),
    ("has", "aa"), ("hasKey", "ms"), ("hasPrefix", "ss"), ("hasSuffix", "ss"), ("hello", ""), ("html", "A"),
    ("htmlDate", "t"), ("htmlDateInZone", "ts"), ("include", "sa"), ("indent", "is"), ("index", "aA"),
    ("initial", "a"), ("initials", "s"), ("int", "a"), ("int64", "a"), ("isAbs", "s"), ("join", "sa"), ("js", "A"),
    ("kebabcase", "s"), ("kindIs", "sa"), ("kindOf", "a"), ("last", "a"), ("le", "aa"), ("len", "a"), ("list", "A"),
    ("lookup", "ssss"), ("lower", "s"), ("lt", "aa"), ("max", "aA"), ("maxf", "aA"), ("merge", "mM"),
    ("mergeOverwrite", "mM"), ("min", "aA"), ("minf", "aA"), ("mod", "aa"), ("mul", "aA"), ("mulf", "aA"),
    ("mustAppend", "aa"), ("mustChunk", "ia"), ("mustCompact", "a"), ("mustDateModify", "st"), ("mustDeepCopy", "a"),
    ("mustFirst", "a"), ("mustFromJson", "s"), ("mustHas", "aa"), ("mustInitial", "a"), ("mustLast", "a"),
    ("mustMerge", "mM"), ("mustMergeOverwrite", "mM"), ("mustPrepend", "aa"), ("mustPush", "aa"),
    ("mustRegexFind", "rs"), ("mustRegexFindAll", "rsi"), ("mustRegexMatch", "rs"), ("mustRegexReplaceAll", "rss"),
    ("mustRegexReplaceAllLiteral", "rss"), ("mustRegexSplit", "rsi"), ("mustRest", "a"), ("mustReverse", "a"),
    ("mustSlice", "aA"), ("mustToDate", "ss"), ("mustToJson", "a"), ("mustToPrettyJson", "a"), ("mustToRawJson", "a"),
    ("mustToToml", "m"), ("mustToYaml", "a"), ("mustUniq", "a"), ("mustWithout", "aA"), ("must_date_modify", "st"),
    ("ne", "aa"), ("nindent", "is"), ("nospace", "s"), ("not", "a"), ("omit", "mS"), ("or", "aA"), ("osBase", "s"),
    ("osClean", "s"), ("osDir", "s"), ("osExt", "s"), ("osIsAbs", "s"), ("pick", "mS"), ("pluck", "sM"),
    ("plural", "ssi"), ("prepend", "aa"), ("print", "A"), ("printf", "sA"), ("println", "A"), ("push", "aa"),
    ("quote", "A"), ("regexFind", "rs"), ("regexFindAll", "rsi"), ("regexMatch", "rs"), ("regexQuoteMeta", "s"),
    ("regexReplaceAll", "rss"), ("regexReplaceAllLiteral", "rss"), ("regexSplit", "rsi"), ("repeat", "is"),
    ("replace", "sss"), ("required", "sa"), ("rest", "a"), ("reverse", "a"), ("round", "aiF"), ("semver", "v"),
    ("semverCompare", "cv"), ("seq", "I"), ("set", "msa"), ("sha1sum", "s"), ("sha256sum", "s"), ("sha512sum", "s"),
    ("slice", "aA"), ("snakecase", "s"), ("sortAlpha", "a"), ("split", "ss"), ("splitList", "ss"), ("splitn", "sis"),
    ("squote", "A"), ("sub", "aa"), ("subf", "aA"), ("substr", "iis"), ("swapcase", "s"), ("ternary", "aab"),
    ("title", "s"), ("toDate", "ss"), ("toDecimal", "a"), ("toJson", "a"), ("toPrettyJson", "a"), ("toRawJson", "a"),
    ("toString", "a"), ("toStrings", "a"), ("toToml", "m"), ("toYaml", "a"), ("toYamlPretty", "a"), ("tpl", "sa"),
    ("trim", "s"), ("trimAll", "ss"), ("trimPrefix", "ss"), ("trimSuffix", "ss"), ("trimall", "ss"), ("trunc", "is"),
    ("tuple", "A"), ("typeIs", "sa"), ("typeIsLike", "sa"), ("typeOf", "a"), ("uniq", "a"), ("unixEpoch", "t"),
    ("unset", "ms"), ("until", "i"), ("untilStep", "iii"), ("untitle", "s"), ("upper", "s"), ("urlJoin", "m"),
    ("urlParse", "s"), ("urlquery", "A"), ("without", "aA"), ("wrap", "is"), ("wrapWith", "iss"),
];

#[rustfmt::skip]
pub(super) const STRINGS: &[&str] = &[
    "", "a", "abc", "foo_barBaz-qux", "HTTPStatusCode2xx", "hello world foo bar", " lead", "trail ", "\\t", "a\\nb", "a\\n", "\\n", "  ",
    "x-1.2.3", "1.2.3", "v1.2", "1", "0", "-5", "007", "0x1F", "1.5", "1e3", "true", "null", "~", "yes", "NO", "on", "y", "1_000", "1:30",
    "2020-05-06", "2006-01-02", "2006-01-02T15:04:05Z07:00", "15:04:05 MST", "Mon Jan _2 2006 3PM", "America/New_York", "Europe/Berlin", "UTC",
    "1h30m", "-90s", "2400h", "ünïcödé ÄÖÜ ß", "\\u2603 snow", "\\U0001F600", "\\xff\\xfe", "a\\x80b", "\\u0000", "\\u2028", "\\ufeff", "<a href='x'>&\\\"",
    "a: b", "- a\\n- b", "{\\\"a\\\": 1}", "[1, 2.5, null]", "a: 1\\nb: [x, 'y']\\n", "k: |\\n  t\\n  u\\n", "# c", "key: value # c", "*a", "&a b", "!x", "%d %s", "@x", "`x`",
    "http://u:p@h.x:80/a%20b?c=d#f", "//h/p", "mailto:a@b", "/a/../b//c/.", "a/b.tar.gz", "..", "a,b,,c", ",", "aaa", "Name", "str", "map", "a b  c   d",
    "{{ .Values.str }}", "{{ fail `x` }}", "The quick brown fox jumps over the lazy dog and then it sleeps for a very long time until the morning comes again",
    "https://example.com/a/very/long/path/that/does/not/have/any/spaces/in/it/at/all/and/goes/on/and/on/for/ever", "aGVsbG8=", "aGVsbG8", "NBSWY3DP", "!!",
    "string", "int", "float64", "map[string]interface {}", "[]interface {}", "slice", "%!", "9223372036854775808", "1.0", "Infinity", "NaN", ".inf", "0b11", "0o17", "\\r\\n", "a\\r\\nb", "\\u00a0x", "\\u0085", "a\\tb",
    "foo: {{ . }}", "x = 1\\n[t]\\ny = \\\"s\\\"", "---\\na: 1\\n---\\nb: 2", "a #b", "a:b", "a: ", ":", "-", "- ", "?", "? a", "'a'", "\\\"a\\\"", "a'b", "a\\\\b", "=", "<<", ".", "+1", "-.5", "1.", "1e400", "0.1e-5", "0888", "12e03",
    "ǆ ǅ Ǆ ᾳ İi ΣΑΣ ß", "ⓐ Ⅷ ª", "a\\u0301", "語 漢字かな", "aǅ-ΣB_é", "é", "\\xc3", "\\ud7ff\\uffff", "a\\u007f",
    "{\\\"a\\\":", "[1,]", "{a: b: c}", "a: [", "\\t- x", "a: *x", "{\\\"a\\\":1}x", "tru", "nul", "\\\"\\\\u12\\\"", "01", "1e", "- a\\nb", "%YAML 1.1", "a: !!int x",
    "? [a]\\n: b", "<<: 1", "a: &x [*x]", "'", "a: 'b", "[a", "}", "a: b\\n c: d", "--- >", "|", "a: !!binary x=", "a: !!float b", "a: @b", "`", "%", "\\tx", "{", "]",
    "a:\\n- b\\n c", "a: 1\\na: 2", "{1: 2, ~: 3}", "a: .nan", "- - - a\\n  - b", "a: \\\"\\\\/\\\"", "\\\"a\\n b\\\"", "[[1], {\\\"b\\\": {}}]", "1 2", "{\\\"a\\\" 1}", "-", "-1.5e3", "{\\\"a\\\":1,}",
];

#[rustfmt::skip]
pub(super) const REGEXES: &[&str] = &[
    "a", "[a-z]+", "(\\\\w+)@(\\\\d+)", "^a|b$", "", "a*", "(", "[", "z+", "\\\\bfoo\\\\b", "(?i)HELLO", "(?P<n>o+)", "x{2,3}", "\\\\s", "[^,]+", ".", "\\\\pL+", "[[:alpha:]]+", "(a)(b)?", "\\\\Qa.b\\\\E", "a{,2}", "\\\\", "*", "a**", "(?m)^b", "\\\\z", "[\\\\d.]+", "o|l", "(?s).", "(?U)a+", "\\\\x{41}", "\\\\1", "a{1001}", "(?=a)", "\\\\C", "[z-a]", "\\\\d+", "\\\\W", "(?:)", "$", "(?i)ß", "é",
    "(?i)\\\\pL+", "a(?i)*", "(?U)a+?b", "\\\\P{Greek}", "[^\\\\x00-\\\\x7F]", "\\\\B", "(?i-s:A.)", "(?P<n>a)|(?P<n>b)", "\\\\p{uppercase letter}", "[\\\\D&&a]", "\\\\x{FFFD}", "(?i)[k-s]",
];

#[rustfmt::skip]
pub(super) const VERSIONS: &[&str] = &[
    "1.2.3", "v1.2", "1", "1.2.3-rc.1+b5", "1.0.0-alpha.beta", "x", "", "1.2.3.4", "01.2.3", "v1.21.14-eks-18ef993", "1.2.3-0", "2.0.0", "0.0.3", "0.2.9", "18446744073709551616", "1.2.3-01", "1.2.3+x", "=1.0",
];

#[rustfmt::skip]
pub(super) const CONSTRAINTS: &[&str] = &[
    ">=1.2.3 <2 || ^3", "~1.2", "1.2 - 1.4", "^0.2.3", "*", "1.x", ">1.2", "!=1.2.3", "<=1.2", "=1.2.3", "abc", "", ">= 1.2, < 3", "^0.0.3", "~1", ">=1.0-0", "<2.0.0-0", "1.2.x", "!=1.x", "~>1.2.3", ">1.x", "<1.x", "=>1", "^1 || ~0.2", "1.2.3 1.2.4", "~0.0.0", "^*", ">*", "!=*", "1.2.3-rc.1", "<1.2.3-rc.2",
];

#[rustfmt::skip]
pub(super) const NUMBERS: &[&str] = &[
    "0", "1", "-1", "2", "3", "7", "10", "80", "255", "0x1F", "1_000", "'a'", "'\\n'", "0b11", "0o17", "010", "9223372036854775807", "-9223372036854775808", "1.5", "-0.25", "1e6", "1e21", "1e-7", "100000.0",
    "0.1", "3.0", ".5", "0x1p4", "1e100", "2.5", "1e3", "-0.0", "123456789.0", "1e20", "0.000001", "18446744073709551615", "5e-324", "1.7976931348623157e308", "33.333333", "+3", "1i", "2.", "1e5", "12345678", "4", "5", "6", "64",
];

#[rustfmt::skip]
pub(super) const OTHERS: &[&str] = &[
    "nil", "true", "false", ".Values", ".Values.str", ".Values.num", ".Values.big", ".Values.f", ".Values.t", ".Values.list", ".Values.nums", ".Values.map", ".Values.map.c", ".Values.empty",
    ".Values.mixed", ".Values.nope", ".Values.nope.x", "(.Values.nope).x", ".Values.str.x", ".Chart.Name", ".Release", ".Release.Revision", ".Subcharts", "$.Values.list", "$x", "$y",
    "(int64 7)", "(int64 -7)", "(float64 2)", "(b64dec \"//4=\")", "(list)", "(list 1 2)", "(list 1 \"a\" nil 2.5 true)", "(list (list 1) (dict \"a\" 1))", "(list \"b\" \"a\" \"c\")", "(list \"a\" \"a\")",
    "(dict)", "(dict \"a\" 1)", "(dict \"b\" 2 \"a\" (list 1) \"c\" nil)", "(dict \"a\" (dict \"b\" (dict \"c\" 1)))", "(dict 1 2)", "(dict \"a1\" 1 \"a10\" 2 \"a2\" 3)", "(dict \"k\" \"\")", "(dict \"scheme\" \"http\" \"host\" \"h:1\" \"path\" \"/a b\" \"query\" \"q=1\")",
    "(splitList \",\" \"a,b\")", "(split \",\" \"a,b\")", "(until 3)", "(until 0)", "(semver \"1.2.3-rc.1+b5\")", "(semver \"2.0.0\")", "(toDate \"2006-01-02\" \"2020-05-06\")",
    "(toDate \"2006-01-02T15:04:05Z07:00\" \"2021-12-31T23:59:58.123456789+02:00\")", "(toDate \"x\" \"y\")", "((toDate \"2006-01-02\" \"2020-05-06\").Sub (toDate \"2006-01-02\" \"2020-05-05\"))",
    "(toDate \"2006-01-02\" \"2020-05-06\").Month", "(toDate \"2006-01-02\" \"2020-05-06\").Weekday", "(index \"abc\" 1)", "(semver \"1.2.3\").Major", "(urlParse \"http://u:p@h.x:80/a%20b?c=d#f\")", "(chunk 2 (list 1 2 3))",
    "(regexFindAll \"x\" \"abc\" -1)", "(regexFindAll \"[a-c]\" \"abc\" -1)", "(rest (list))", "(rest (list 1 2))", "(initial (list \"a\" \"b\"))", "(fromYaml \"a: 1\\nb: [x, {c: d}]\\n\")", "(fromYaml \"null\")", "(fromYamlArray \"[1, a]\")", "(fromYamlArray \"null\")",
    "(fromJson \"{\\\"a\\\": [1, 2.5, null, true, \\\"s\\\"]}\")", "(mustFromJson \"3\")", "(printf \"%s\" \"p\")", "(.Values.str | upper)", "(lookup \"v1\" \"Pod\" \"\" \"\")", "(typeOf 1)", "(add 1 2)", "(addf 0.1 0.2)", "(concat)", "(concat (list 1) (list 2))",
    "(first (list))", "(not 1)", "(eq 1 1)", "(len \"abc\")", "(dict).x", "(dict \"a\" nil).a", "(kindOf nil)", "(slice (list 1 2 3) 1)", "(slice (list) 0)", "(pluck \"a\" (dict \"a\" 1))", "(toStrings (list 1 2))", "(sortAlpha (list \"b\" \"a\"))", "(keys (dict \"a\" 1))", "(coalesce nil)", "(default nil nil)", "(get (dict) \"x\")",
    ".Files", "(.Files.Get \"x\")", "(.Files.GetBytes \"x\")", ".Capabilities.KubeVersion.Major", "(genCA \"x\" 1).Foo", "(fromYaml \"[\").Error", "(deepCopy .Values.map)", "(.Values.list | rest)", "(reverse .Values.list)", "(compact .Values.mixed)", "(uniq .Values.mixed)", "(without .Values.list \"a\")", "(omit .Values.map \"a\")", "(pick .Values.map \"a\" \"c\")", "(merge (dict) .Values.map)", "(splitn \",\" 2 \"a,b,c\")", "(seq 3)", "(untilStep 0 10 3)", "(tuple 1 2)", "(append .Values.list \"d\")", "(prepend .Values.nums 0)", "(int .Values.num)", "(toString 1.0)", "(ternary 1 2 true)", "(has \"a\" .Values.list)", "(index .Values.mixed 3)", "(index .Values.list 0)",
];

/// Expressions that are dicts.
#[rustfmt::skip]
pub(super) const DICTS: &[&str] = &[
    "(dict)", "(dict \"a\" 1)", "(dict \"b\" 2 \"a\" (list 1) \"c\" nil)", ".Values.map",
    "(dict \"a\" (dict \"b\" (dict \"c\" 1)))", "(fromYaml \"a: 1\\nb: [x, {c: d}]\\nf: 1.5\\n\")",
    "(deepCopy .Values.map)",
    "(dict \"a\" \"x\" \"l\" (list (dict \"k\" 1) (dict \"k\" 2)) \"m\" (dict \"q\" \"r\"))",
    "(dict \"a\" .Values.list \"b\" .Values.map)", "(lookup \"v1\" \"Pod\" \"\" \"\")", "(fromYaml \"null\")",
];

/// Expressions that are times.
#[rustfmt::skip]
pub(super) const TIMES: &[&str] = &[
    "(toDate \"2006-01-02\" \"2020-05-06\")",
    "(toDate \"2006-01-02T15:04:05Z07:00\" \"2021-12-31T23:59:58.123456789+02:00\")",
    "(toDate \"2006-01-02 MST\" \"2020-07-06 CEST\")", "(toDate \"x\" \"y\")", "0", "1700000000", "(int64 86400)",
];

/// Tokens, right and wrong.
#[rustfmt::skip]
pub(super) const TOKENS: &[&str] = &[
    "{{", "}}", "{{-", "-}}", " ", " ", " ", ".", "$", "$x", ":=", "=", "|", "(", ")", "if", "else", "end", "range",
    "with", "define", "\"a\"", "template", "block", "break", "continue", "nil", "true", ".Values.a.b", ".a", "3",
    "1.5", "'a'", "'ab'", "`r`", ",", "\n", "/*", "*/", "-1", "0x", "\"", "{{ end }}", "{{ if . }}",
    "{{ range .Values.list }}", "{{ $x := 1 }}", "{{ define \"q\" }}", "len", "print", "printf", "upper", "nope", "-",
    "{{/* c */}}", "{{- /* c */ -}}", "text", "'", "\\", "`", "1i", "1_0", "0b2", "09", "é", "☃", "\u{1}", "%", "\t",
    "\r\n", "$x.y", ".é", "a.b", "(.)", "[", "{", "*/}}", "\"b\\n\"", "'\\x41'", "'\\''", "\"\\q\"", "1e", "1.e5",
    "..", "$.",
];

/// Documents of YAML and JSON, right and wrong.
#[rustfmt::skip]
pub(super) const DOCUMENTS: &[&str] = &[
    "a: 1\nb:\n  - x\n  - y: [1, 2]\n    z: {q: r}\n", "- a\n- b: c\n- - d\n  - e\n", "{\"a\": [1, 2.5, null, true, \"s\\u00e9\\n\"], \"b\": {}}", "[1, \"a\", {\"b\": false}]",
    "a: |\n  text\n  more\nb: >-\n  folded\n  text\n", "a: &x {b: 1}\nc: *x\nd:\n  <<: *x\n", "%YAML 1.1\n---\na: 1\n...\n---\nb: 2\n", "a: 'x''y'\nb: \"q\\t\\x41\"\n# c\n",
    "!!map {a: !!str 1, b: !!int \"2\", c: !x y}", "a: {b: [c, d], \"e\": f,}\n", "\"text\"", "plain text\n  goes on\n", "12", "", "null", "a: b: c\n", "key: [unclosed\nother: 1\n", "a:\n\t- b\n", "a: 1\n b: 2\n",
    "[a:, b]", "{a:, b: c}", "\"it\\'s\": \"a\\'b\"", "{\"a\": 1e400, \"b\": [2e999]}", "[01]", "{\"a\" 1}", "tru", "\"\\ud83d\\ude00\\ud800\"", "{a: 1, 1: 2, true: 3, ~: 4, 1.5: 5}", "a: 2001-12-14\nb: 0o17\nc: 0x1F\nd: 1_000\ne: .inf\n",
];

/// What gets into documents where it does not belong.
#[rustfmt::skip]
pub(super) const PIECES: &[&str] = &[
    "\"", "'", "[", "]", "{", "}", ":", ": ", ",", "-", "- ", "\n", "\n  ", "\t", " ", "#", " #", "&a ", "*a", "!!int ", "|", ">", "%", "@", "`", "\\", "\\u12", "0", "1", "e", ".", "~", "<<: ", "---\n", "...\n", "é", "\u{1}", "\r\n", "\u{85}",
];
