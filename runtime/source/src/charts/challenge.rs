//! What a registry says in `WWW-Authenticate`: where tokens are given out, and for what (RFC 9110 §11, the distribution
//! specification's token authentication).

use std::collections::BTreeMap;

/// One way to prove who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// In lower case: `bearer`, `basic`.
    pub(crate) scheme: String,
    /// Names in lower case.
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Challenge {
    /// All challenges of one header, in order. What cannot be read ends the list.
    pub(crate) fn parse(header: &str) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        let mut rest = header.trim_start_matches([' ', ',', '\t']);
        while !rest.is_empty() {
            let (word, tail) = token(rest);
            if word.is_empty() {
                break;
            }
            match (tail.trim_start().strip_prefix('='), found.last_mut()) {
                (Some(value), Some(challenge)) => {
                    let Some((value, tail)) = quoted_or_token(value.trim_start()) else {
                        break;
                    };
                    challenge.parameters.insert(word.to_ascii_lowercase(), value);
                    rest = tail;
                }
                (Some(_), None) => break,
                (None, _) => {
                    found.push(Self {
                        scheme: word.to_ascii_lowercase(),
                        parameters: BTreeMap::new(),
                    });
                    rest = tail;
                }
            }
            rest = rest.trim_start_matches([' ', ',', '\t']);
        }
        found
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

fn token(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)))
        .unwrap_or(text.len());
    text.split_at(end)
}

fn quoted_or_token(text: &str) -> Option<(String, &str)> {
    let Some(inner) = text.strip_prefix('"') else {
        let (word, tail) = token(text);
        return (!word.is_empty()).then(|| (word.to_owned(), tail));
    };
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match (escaped, c) {
            (false, '\\') => escaped = true,
            (false, '"') => return Some((value, &inner[at + 1..])),
            _ => {
                escaped = false;
                value.push(c);
            }
        }
    }
    None
}

/// The target of `rel="next"` in a `Link` header (RFC 8288).
pub(crate) fn next_link(header: &str) -> Option<&str> {
    header.split(',').find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let next = parameters
            .split(';')
            .any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"));
        next.then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_as_registries_write_them() {
        let found = Challenge::parse(
            r#"Bearer realm="https://auth.example/token",service="r.example",scope="repository:a/b:pull,push""#,
        );
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].scheme, "bearer");
        assert_eq!(found[0].parameter("realm"), Some("https://auth.example/token"));
        assert_eq!(found[0].parameter("scope"), Some("repository:a/b:pull,push"));
        let two = Challenge::parse(r#"Basic realm="a \"b\"", Bearer Realm = token, x=y"#);
        assert_eq!(two[0].parameter("realm"), Some("a \"b\""));
        assert_eq!(two[1].parameter("realm"), Some("token"));
        for odd in [
            "",
            ",,,",
            "=",
            "Bearer realm=\"open",
            "realm=x",
            "Bearer realm=",
            "\u{fffd}",
        ] {
            assert!(
                Challenge::parse(odd).iter().all(|one| one.parameters.is_empty()),
                "{odd}"
            );
        }
    }

    #[test]
    fn links() {
        let header = r#"</v2/a/tags/list?last=x>; rel="prev", </v2/a/tags/list?n=2&last=b>; rel="next""#;
        assert_eq!(next_link(header), Some("/v2/a/tags/list?n=2&last=b"));
        assert_eq!(next_link("nonsense"), None);
    }
}
