//! The few DER encodings a certificate is made of.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const UTF8: u8 = 0x0c;
pub(super) const PRINTABLE: u8 = 0x13;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// A tag, the length, and the content.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length) if length < 0x80 => out.push(length),
        _ => {
            let length = content.len().to_be_bytes();
            let skipped = length.iter().take_while(|b| **b == 0).count();
            out.push(0x80 | u8::try_from(length.len() - skipped).unwrap_or(0));
            out.extend_from_slice(&length[skipped..]);
        }
    }
    out.extend_from_slice(&content);
    out
}

/// A positive number from its big-endian bytes.
pub(super) fn positive(bytes: &[u8]) -> Vec<u8> {
    let skipped = bytes.iter().take_while(|b| **b == 0).count();
    let bytes = &bytes[skipped..];
    let sign: &[u8] = if bytes.first().is_none_or(|first| *first >= 0x80) {
        &[0]
    } else {
        &[]
    };
    element(INTEGER, &[sign, bytes])
}

/// Bits that fill whole bytes.
pub(super) fn bits(bytes: &[u8]) -> Vec<u8> {
    element(0x03, &[&[0], bytes])
}
