//! What Go 1.26 says, by its own answers.

use super::*;

/// What the real Go says of each was asked.
#[test]
fn repetitions_of_repetitions_multiply() {
    for (pattern, refused) in [
        (r"(a{100}){100}", Some("{100}")),
        (r"(a{100}){10}", None),
        (r"((a{10}){10}){10}", None),
        (r"((a{10}){10}){11}?", Some("{11}?")),
        (r"(a{100}|b){100}", Some("{100}")),
        (r"(a{100}){1}", None),
        (r"(a{600}b{600}){2}", Some("{2}")),
        (r"(?:x(?i:a{40}y)){26}", Some("{26}")),
        (r"(a{500,}){2,}", None),
        (r"(a{501}){2,}", Some("{2,}")),
        (r"(a{0,1000})*", None),
        (r"(a{0}){1000}", None),
        (r"([(]{1000})", None),
        (r"(a{100})[[:alpha:]]{100}", None),
        (r"(\({1000}){2}", Some("{2}")),
        (r"a{1001}", Some("{1001}")),
        (r"a{5,2}", Some("{5,2}")),
        (r"a{99999999999}", Some("{99999999999}")),
    ] {
        let error = check(pattern).err();
        assert_eq!(
            error,
            refused.map(|part| format!("invalid repeat count: `{part}`")),
            "{pattern}"
        );
    }
}

/// What Go 1.26 says of each.
const SAID: &[(&str, Option<&str>)] = &[
    (r"(?P<n>a)(?P<n>b)", None),
    (r"(?<n", Some(r"invalid named capture: `(?<n`")),
    (r"(?P<n", Some(r"invalid named capture: `(?P<n`")),
    (r"(?P<", Some(r"invalid or unsupported Perl syntax: `(?P`")),
    (r"(?P", Some(r"invalid or unsupported Perl syntax: `(?P`")),
    (r"(?P=n)", Some(r"invalid or unsupported Perl syntax: `(?P`")),
    (r"(?<", Some(r"invalid or unsupported Perl syntax: `(?<`")),
    (r"(?<>a)", Some(r"invalid named capture: `(?<>`")),
    (r"(?<é>a)", Some(r"invalid named capture: `(?<é>`")),
    (r"(?i", Some(r"invalid or unsupported Perl syntax: `(?i`")),
    (r"(?i-", Some(r"invalid or unsupported Perl syntax: `(?i-`")),
    (r"(?-)a", Some(r"invalid or unsupported Perl syntax: `(?-)`")),
    (r"(?--i)", Some(r"invalid or unsupported Perl syntax: `(?--`")),
    (r"(?i-s", Some(r"invalid or unsupported Perl syntax: `(?i-s`")),
    (r"(?", Some(r"invalid or unsupported Perl syntax: `(?`")),
    (r"(?:", Some(r"missing closing ): `(?:`")),
    (r"a(?i)*", None),
    (r"\x{110000}", Some(r"invalid escape sequence: `\x{110000`")),
    (r"\x{", Some(r"invalid escape sequence: `\x{`")),
    (r"\xg", Some(r"invalid escape sequence: `\xg`")),
    (r"\x1", Some(r"invalid escape sequence: `\x1`")),
    (r"\x", Some(r"invalid escape sequence: `\x`")),
    (r"\p", Some(r"invalid character class range: `\p`")),
    (r"\pé", Some(r"invalid character class range: `\pé`")),
    (r"\p{", Some(r"invalid character class range: `\p{`")),
    (r"\p{Foo}x", Some(r"invalid character class range: `\p{Foo}`")),
    (r"[\p{Foo}]", Some(r"invalid character class range: `\p{Foo}`")),
    (r"[b-a]x", Some(r"invalid character class range: `b-a`")),
    (r"[\x{62}-a]", Some(r"invalid character class range: `\x{62}-a`")),
    (r"[a-\d]", Some(r"invalid escape sequence: `\d`")),
    (r"[[:foo:]x", Some(r"invalid character class range: `[:foo:]`")),
    (r"[[:alpha", Some(r"missing closing ]: `[[:alpha`")),
    (r"[]", Some(r"missing closing ]: `[]`")),
    (r"[^]", Some(r"missing closing ]: `[^]`")),
    (r"[a", Some(r"missing closing ]: `[a`")),
    (r"[\", Some(r"trailing backslash at end of expression: ``")),
    (r"\", Some(r"trailing backslash at end of expression: ``")),
    (r"a\", Some(r"trailing backslash at end of expression: ``")),
    (r"\8", Some(r"invalid escape sequence: `\8`")),
    (r"\é", Some(r"invalid escape sequence: `\é`")),
    (r"a**", Some(r"invalid nested repetition operator: `**`")),
    (r"a*?*", Some(r"invalid nested repetition operator: `*?*`")),
    (r"a*??", Some(r"invalid nested repetition operator: `*??`")),
    (r"a{2}{3}", Some(r"invalid nested repetition operator: `{2}{3}`")),
    (r"a{2}*", Some(r"invalid nested repetition operator: `{2}*`")),
    (r"|*", Some(r"missing argument to repetition operator: `*`")),
    (r"(*)", Some(r"missing argument to repetition operator: `*`")),
    (r"*?", Some(r"missing argument to repetition operator: `*?`")),
    (r"+a", Some(r"missing argument to repetition operator: `+`")),
    (r"{2}", Some(r"missing argument to repetition operator: `{2}`")),
    (r"(?i){2}", Some(r"missing argument to repetition operator: `{2}`")),
    (r"a{,2}", None),
    (r"a{2,1}?", Some(r"invalid repeat count: `{2,1}`")),
    (r")", Some(r"unexpected ): `)`")),
    (r"a)b", Some(r"unexpected ): `a)b`")),
    (r"(a", Some(r"missing closing ): `(a`")),
    (r"((a)", Some(r"missing closing ): `((a)`")),
    (r"\C", Some(r"invalid escape sequence: `\C`")),
    (r"\Q*", None),
    (r"\Q\E*", Some(r"missing argument to repetition operator: `*`")),
    (r"\Qa\E*", None),
    (r"x{1001}", Some(r"invalid repeat count: `{1001}`")),
    (r"x{2,1001}", Some(r"invalid repeat count: `{2,1001}`")),
    (r"x{2", None),
    (r"\pN{2}", None),
    (r"[a-\pL]", Some(r"invalid escape sequence: `\p`")),
    (r"(?P<name", Some(r"invalid named capture: `(?P<name`")),
    (r"(?Pname)", Some(r"invalid or unsupported Perl syntax: `(?P`")),
    (r"(?#c)", Some(r"invalid or unsupported Perl syntax: `(?#`")),
    (r"(?<=a)", Some(r"invalid named capture: `(?<=a)`")),
    (r"(?<!a)", Some(r"invalid named capture: `(?<!a)`")),
    (r"\p{^L}", None),
    (r"\p{lu}", None),
    (r"\p{Letter}", None),
    (r"\p{Any}", None),
    (r"\p{gc=L}", Some(r"invalid character class range: `\p{gc=L}`")),
    (r"\p{sc=Greek}", Some(r"invalid character class range: `\p{sc=Greek}`")),
    (r"\p{Is_L}", Some(r"invalid character class range: `\p{Is_L}`")),
    (r"\p{L&}", Some(r"invalid character class range: `\p{L&}`")),
    (r"[\b]", Some(r"invalid escape sequence: `\b`")),
    (r"[\z]", Some(r"invalid escape sequence: `\z`")),
    (r"[\Q]", Some(r"invalid escape sequence: `\Q`")),
    (r"\p{ASCII}", None),
    (
        r"\p{Alphabetic}",
        Some(r"invalid character class range: `\p{Alphabetic}`"),
    ),
];

#[test]
fn what_go_says() {
    for (pattern, said) in SAID {
        assert_eq!(check(pattern).err().as_deref(), *said, "{pattern}");
    }
}
