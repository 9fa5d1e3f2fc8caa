//! Links whose address somebody else wrote.
//!
//! **Problem.** `javascript:` in the address of a link runs with the rights of whoever clicks it, and browsers read addresses more kindly than
//! programs do: they pass over tabs and line breaks, take `\` for `/`, and any case for a scheme. So an address is not cleaned; it is plain, or
//! it is no link.
//!
//! **Invariants.** A [`SafeUrl`] begins with `http://` or `https://`, names a host and no user, and is printable ASCII without anything that
//! ends an attribute. There is no way to one but [`SafeUrl::parse`], and no page links to a foreign address but by one.

/// Longest address that is linked to, in bytes.
const LONGEST: usize = 2048;

/// An address that may be linked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SafeUrl<'a>(&'a str);

impl<'a> SafeUrl<'a> {
    /// `None` for whatever is not plainly such an address.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>\\`{}|^".contains(&byte);
        if text.len() > LONGEST || !text.bytes().all(is_plain) {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return None;
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        let is_host = authority.bytes().any(|byte| byte.is_ascii_alphanumeric()) && authority.bytes().all(is_of_host);
        is_host.then_some(Self(text))
    }

    /// As it is written.
    pub(crate) fn as_str(&self) -> &str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::parts::foreign_link;

    /// What browsers would run, or be led astray by.
    const CORPUS: &[&str] = &[
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "jAvAsCrIpT://example.com/%0aalert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "java\nscript:alert(1)",
        "java\r\nscript:alert(1)",
        "\u{1}javascript:alert(1)",
        "javascript&colon;alert(1)",
        "&#106;avascript:alert(1)",
        "&#x6A;avascript:alert(1)",
        "javascript\u{3a}alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "DATA:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
        "vbscript:msgbox(1)",
        "file:///etc/passwd",
        "blob:https://example.com/1",
        "view-source:https://example.com",
        "about:blank",
        "ftp://example.com/",
        "ssh://git@example.com/a",
        "git@example.com:a/b.git",
        "//example.com",
        "/\\example.com",
        "\\\\example.com",
        "https:/example.com",
        "https:example.com",
        "https:///example.com",
        "https://",
        "https://?x",
        "https://#x",
        "http:\\\\example.com",
        "https://exa mple.com",
        "https://example.com/\t",
        "https://example.com\n.evil.example",
        "ht\ntps://example.com",
        "https://user@example.com",
        "https://user:password@example.com/",
        "https://example.com\\@evil.example",
        "https://example.com%40evil.example",
        "https://example.com&#64;evil.example",
        "https://example.com/\" onclick=\"alert(1)",
        "https://example.com/' onclick='alert(1)",
        "https://example.com/><script>alert(1)</script>",
        "https://example.com/`",
        "https://ex\u{430}mple.com",
        "https://example.com/\u{202e}gpj.exe",
        "https://example.com/\u{0}",
        "https://..:",
        "x:https://example.com",
        "example.com",
        "",
        " ",
    ];

    #[test]
    fn nothing_but_plain_addresses_becomes_a_link() {
        for text in CORPUS {
            assert_eq!(SafeUrl::parse(text), None, "{text:?}");
            let page = foreign_link(text).into_string();
            assert!(!page.contains('<') && !page.contains('"'), "{text:?} is text: {page}");
        }
        let long = format!("https://example.com/{}", "a".repeat(LONGEST));
        assert_eq!(SafeUrl::parse(&long), None);
    }

    #[test]
    fn plain_addresses_do() {
        for text in [
            "https://example.com",
            "HTTPS://Example.com/a/b.git",
            "http://127.0.0.1:8080/a?b=c&d=e#f",
            "https://[::1]:8443/",
            "https://example.com/a@b",
            "https://git.example.com/scm/~ada/x.git",
        ] {
            assert!(SafeUrl::parse(text).is_some_and(|url| url.as_str() == text), "{text}");
            let page = foreign_link(text).into_string();
            let escaped = text.replace('&', "&amp;");
            assert!(page.contains(&format!("href=\"{escaped}\"")), "{page}");
        }
    }
}
