//! PEM as Go reads and writes it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// The first block of a text: its type and content.
pub(super) fn decode(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let text = String::from_utf8_lossy(text);
    let mut rest = text.as_ref();
    while let Some(at) = rest.find(BEGIN) {
        let starts_line = at == 0 || rest[..at].ends_with('\n');
        rest = &rest[at + BEGIN.len()..];
        if !starts_line {
            continue;
        }
        let (line, body) = rest.split_once('\n').unwrap_or((rest, ""));
        let Some(kind) = line.trim_end().strip_suffix(DASHES) else {
            continue;
        };
        let Some(end) = body.find(&format!("-----END {kind}{DASHES}")) else {
            continue;
        };
        let body = &body[..end];
        // Headers end with an empty line.
        let content = match body.split_once("\n\n") {
            Some((headers, content)) if headers.contains(':') => content,
            _ => body,
        };
        let compact: String = content.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        if let Ok(bytes) = STANDARD.decode(compact) {
            return Some((kind.to_owned(), bytes));
        }
    }
    None
}

/// One block, in lines of 64 characters.
pub(super) fn encode(kind: &str, content: &[u8]) -> String {
    let encoded = STANDARD.encode(content);
    let mut out = format!("{BEGIN}{kind}{DASHES}\n");
    for line in encoded.as_bytes().chunks(64) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out.push_str(&format!("-----END {kind}{DASHES}\n"));
    out
}
