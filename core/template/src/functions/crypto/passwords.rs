//! Password hashes and derivations, and AES as sprig uses it.

use aes::Aes256;
use aes::cipher::{Block, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{GeneralPurpose, general_purpose};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::super::{bytes, error, string, text_result};
use super::cost;
use crate::exec::{Env, Result};
use crate::value::Value;

/// Go's default.
const BCRYPT_COST: u32 = 10;

/// A password's hash in bcrypt's own format, with a drawn salt.
pub(super) fn bcrypt(env: &mut Env<'_>, password: &[u8]) -> Result<String> {
    if password.len() > 72 {
        let message = "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes";
        return Ok(message.to_owned());
    }
    env.context.charge(cost::BCRYPT)?;
    let mut salt = [0; 16];
    env.context.random(&mut salt)?;
    // The terminating zero belongs to the key, as far as the 72 bytes that count reach.
    let mut key = password.to_vec();
    key.push(0);
    key.truncate(72);
    let hash = bcrypt::bcrypt(BCRYPT_COST, salt, &key);
    let engine = GeneralPurpose::new(&base64::alphabet::BCRYPT, general_purpose::NO_PAD);
    Ok(format!(
        "$2a${BCRYPT_COST:02}${}{}",
        engine.encode(salt),
        engine.encode(&hash[..23])
    ))
}

const SEED: &[u8] = b"com.lyndir.masterpassword";

/// The shapes of passwords, by their kind: one letter a class of characters.
fn shapes(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        "long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        "medium" => &["CvcnoCvc", "CvcCvcno"],
        "short" => &["Cvcn"],
        "basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        "pin" => &["nnnn"],
        _ => return None,
    })
}

fn characters(class: u8) -> &'static [u8] {
    match class {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

/// The master password algorithm: a site's password from a counter, a kind, a password, a user and the site.
pub(super) fn derive(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let kind = string(args, 1);
    let Some(shapes) = shapes(&kind) else {
        return text_result(env, format!("cannot find password template {kind}"));
    };
    env.context.charge(cost::SCRYPT)?;
    let Value::Uint(counter) = args[0] else {
        return error("the counter is not a number");
    };
    let counter = u32::try_from(counter).unwrap_or(u32::MAX).to_be_bytes();
    let length = |text: &[u8]| u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    let (password, user, site) = (bytes(args, 2), bytes(args, 3), bytes(args, 4));
    env.context.charge_bytes(password.len() + user.len() + site.len())?;
    let salt = [SEED, &length(user), user].concat();
    let message = [SEED, &length(site), site, &counter].concat();
    let hashed = || -> std::result::Result<Vec<u8>, String> {
        let shown = |problem: &dyn std::fmt::Display| problem.to_string();
        let params = scrypt::Params::new(15, 8, 2).map_err(|problem| shown(&problem))?;
        let mut key = [0; 64];
        scrypt::scrypt(password, &salt, &params, &mut key).map_err(|problem| shown(&problem))?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|problem| shown(&problem))?;
        mac.update(&message);
        Ok(mac.finalize().into_bytes().to_vec())
    };
    let seed = match hashed() {
        Ok(seed) => seed,
        Err(message) => return text_result(env, format!("failed to derive password: {message}")),
    };
    let shape = shapes[usize::from(seed[0]) % shapes.len()];
    let letters = shape.bytes().zip(&seed[1..]).map(|(class, byte)| {
        let characters = characters(class);
        characters[usize::from(*byte) % characters.len()]
    });
    text_result(env, letters.collect::<Vec<u8>>())
}

/// The first 32 bytes of a password, zeros behind it.
fn aes_key(password: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    let length = password.len().min(32);
    key[..length].copy_from_slice(&password[..length]);
    key
}

/// AES-256 in CBC mode with a drawn first block, in base64.
pub(super) fn encrypt(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let text = bytes(args, 1);
    if text.is_empty() {
        return Ok(Value::from(""));
    }
    env.context.charge_bytes(text.len())?;
    let mut first = [0; 16];
    env.context.random(&mut first)?;
    let padding = 16 - text.len() % 16;
    let mut content = text.to_vec();
    content.resize(text.len() + padding, u8::try_from(padding).unwrap_or(16));
    let mut encryptor = cbc::Encryptor::<Aes256>::new(&aes_key(bytes(args, 0)).into(), &first.into());
    for chunk in content.chunks_exact_mut(16) {
        let mut block = Block::<Aes256>::default();
        block.copy_from_slice(chunk);
        encryptor.encrypt_block(&mut block);
        chunk.copy_from_slice(&block);
    }
    text_result(env, STANDARD.encode([first.as_slice(), &content].concat()))
}

pub(super) fn decrypt(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let text = bytes(args, 1);
    if text.is_empty() {
        return Ok(Value::from(""));
    }
    env.context.charge_bytes(text.len())?;
    let content = match super::super::encode::go_base64(text) {
        Ok(content) => content,
        Err(message) => return error(message),
    };
    let Some((first, content)) = content.split_at_checked(16) else {
        let capacity = content.len();
        return error(format!(
            "runtime error: slice bounds out of range [:16] with capacity {capacity}"
        ));
    };
    if !content.len().is_multiple_of(16) {
        return error("crypto/cipher: input not full blocks");
    }
    let mut content = content.to_vec();
    let mut start = [0; 16];
    start.copy_from_slice(first);
    let mut decryptor = cbc::Decryptor::<Aes256>::new(&aes_key(bytes(args, 0)).into(), &start.into());
    for chunk in content.chunks_exact_mut(16) {
        let mut block = Block::<Aes256>::default();
        block.copy_from_slice(chunk);
        decryptor.decrypt_block(&mut block);
        chunk.copy_from_slice(&block);
    }
    let Some(padding) = content.last().map(|last| usize::from(*last)) else {
        return error("runtime error: index out of range [-1]");
    };
    match content.len().checked_sub(padding) {
        Some(length) => {
            content.truncate(length);
            text_result(env, content)
        }
        None => error(format!(
            "runtime error: slice bounds out of range [:-{}]",
            padding - content.len()
        )),
    }
}
