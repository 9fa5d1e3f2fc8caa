//! Keys, certificates, password hashes and ciphers.
//!
//! All of them draw from the render's generator, so under the stable policy a chart that makes its own certificates makes the same ones
//! every time. A key is a function of 32 drawn bytes; what they expand to is fixed by a test, because another expansion would replace the
//! keys of every application.
//!
//! What they cost in time is charged as steps: a loop of key generation ends like any other loop.

mod certificate;
mod der;
mod generator;
mod keys;
mod passwords;
mod pem;

use super::{Function, bytes, fixed, string, text_result};
use crate::exec::{Env, Result};
use crate::signature::Type::{Certificate, Int, List, Str, Uint32};
use generator::Generator;

/// Steps that stand for the generation of a key, by its kind.
mod cost {
    pub(super) const RSA_2048: u64 = 500_000;
    pub(super) const RSA_4096: u64 = 5_000_000;
    pub(super) const DSA: u64 = 20_000_000;
    pub(super) const CURVE: u64 = 5_000;
    /// A signature, or reading a key with its checks.
    pub(super) const SIGNATURE: u64 = 20_000;
    pub(super) const BCRYPT: u64 = 200_000;
    /// Also 32 MiB of memory for a moment.
    pub(super) const SCRYPT: u64 = 500_000;
}

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("bcrypt", &[Str], |env, args| {
        let hash = passwords::bcrypt(env, bytes(args, 0))?;
        text_result(env, hash)
    }),
    fixed("htpasswd", &[Str, Str], |env, args| {
        let user = string(args, 0);
        if user.contains(':') {
            return text_result(env, format!("invalid username: {user}"));
        }
        let hash = passwords::bcrypt(env, bytes(args, 1))?;
        text_result(env, [bytes(args, 0), b":", hash.as_bytes()].concat())
    }),
    fixed("derivePassword", &[Uint32, Str, Str, Str, Str], passwords::derive),
    fixed("encryptAES", &[Str, Str], passwords::encrypt),
    fixed("decryptAES", &[Str, Str], passwords::decrypt),
    fixed("genPrivateKey", &[Str], keys::generate),
    fixed("buildCustomCert", &[Str, Str], certificate::custom),
    fixed("genCA", &[Str, Int], |env, args| {
        let key = keys::rsa_2048(env)?;
        certificate::authority(env, args, &key)
    }),
    fixed("genCAWithKey", &[Str, Int, Str], |env, args| {
        let key = certificate::given_key(env, bytes(args, 2))?;
        certificate::authority(env, args, &key)
    }),
    fixed("genSelfSignedCert", &[Str, List, List, Int], |env, args| {
        let key = keys::rsa_2048(env)?;
        certificate::self_signed(env, args, &key)
    }),
    fixed("genSelfSignedCertWithKey", &[Str, List, List, Int, Str], |env, args| {
        let key = certificate::given_key(env, bytes(args, 4))?;
        certificate::self_signed(env, args, &key)
    }),
    fixed("genSignedCert", &[Str, List, List, Int, Certificate], |env, args| {
        let key = keys::rsa_2048(env)?;
        certificate::signed(env, args, &key)
    }),
    fixed(
        "genSignedCertWithKey",
        &[Str, List, List, Int, Certificate, Str],
        |env, args| {
            let key = certificate::given_key(env, bytes(args, 5))?;
            certificate::signed(env, args, &key)
        },
    ),
];

/// A generator for one key, seeded by the render's.
fn seeded(env: &mut Env<'_>) -> Result<Generator> {
    let mut seed = [0; 32];
    env.context.random(&mut seed)?;
    Ok(Generator::new(seed))
}
