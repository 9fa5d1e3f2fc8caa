//! URLs of the Kubernetes API.

use std::fmt::Write;

/// A name that cannot stand in a URL path as one segment: it would address something else.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a possible name of an object or namespace")]
pub(crate) struct ImpossibleName {
    name: String,
}

/// Root of a group and version: `/api/v1`, `/apis/apps/v1`.
pub(crate) fn group_version(group: &str, version: &str) -> String {
    match group {
        "" => format!("/api/{version}"),
        group => format!("/apis/{group}/{version}"),
    }
}

/// Appends one path segment, escaped. Names that are no segment (empty, `.`, `..`, with `/` or `%`) are refused, as the API server
/// itself does for every kind.
pub(crate) fn push_segment(path: &mut String, name: &str) -> Result<(), ImpossibleName> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '%']) {
        return Err(ImpossibleName { name: name.to_owned() });
    }
    path.push('/');
    escape(path, name);
    Ok(())
}

/// Appends `name=value`, with `?` or `&` before it.
pub(crate) fn push_query(path: &mut String, name: &str, value: &str) {
    path.push(if path.contains('?') { '&' } else { '?' });
    path.push_str(name);
    path.push('=');
    escape(path, value);
}

fn escape(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => out.push(char::from(byte)),
            other => {
                // Writing to a String cannot fail.
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leaves_its_segment() {
        for name in ["", ".", "..", "a/b", "a%2fb"] {
            assert!(push_segment(&mut String::new(), name).is_err(), "{name:?}");
        }
        let mut path = group_version("rbac.authorization.k8s.io", "v1");
        push_segment(&mut path, "system:node ü?").unwrap();
        assert_eq!(path, "/apis/rbac.authorization.k8s.io/v1/system:node%20%C3%BC%3F");
    }

    #[test]
    fn queries_are_escaped() {
        let mut path = "/api/v1/pods".to_owned();
        push_query(&mut path, "limit", "500");
        push_query(&mut path, "continue", "a+/=&");
        assert_eq!(path, "/api/v1/pods?limit=500&continue=a%2B%2F%3D%26");
    }
}
