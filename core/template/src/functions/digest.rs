//! Checksums.

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::{Function, bytes, fixed, text_result};
use crate::signature::Type::Str;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("sha256sum", &[Str], |env, args| {
        env.context.charge_bytes(bytes(args, 0).len())?;
        text_result(env, hex(&Sha256::digest(bytes(args, 0))))
    }),
    fixed("sha512sum", &[Str], |env, args| {
        env.context.charge_bytes(bytes(args, 0).len())?;
        text_result(env, hex(&Sha512::digest(bytes(args, 0))))
    }),
    fixed("sha1sum", &[Str], |env, args| {
        env.context.charge_bytes(bytes(args, 0).len())?;
        text_result(env, hex(&Sha1::digest(bytes(args, 0))))
    }),
    fixed("adler32sum", &[Str], |env, args| {
        env.context.charge_bytes(bytes(args, 0).len())?;
        text_result(env, adler32(bytes(args, 0)).to_string())
    }),
];

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Adler-32, RFC 1950.
fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_examples() {
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }
}
