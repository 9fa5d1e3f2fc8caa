//! Randomness, drawn from the generator the caller passes in.

use super::{Function, error, fixed, int, string, text_result};
use crate::exec::{Env, Result};
use crate::signature::Type::{Int, Str};
use crate::value::{Text, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("randAlphaNum", &[Int], |env, args| {
        letters(
            env,
            int(args, 0),
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        )
    }),
    fixed("randAlpha", &[Int], |env, args| {
        letters(
            env,
            int(args, 0),
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        )
    }),
    fixed("randNumeric", &[Int], |env, args| {
        letters(env, int(args, 0), b"0123456789")
    }),
    fixed("randAscii", &[Int], |env, args| {
        let printable: Vec<u8> = (32..127).collect();
        letters(env, int(args, 0), &printable)
    }),
    fixed("randBytes", &[Int], |env, args| {
        use base64::Engine;
        let count = usize::try_from(int(args, 0)).unwrap_or(0);
        env.context.charge_bytes(count)?;
        let mut bytes = vec![0; count];
        env.context.random(&mut bytes)?;
        text_result(env, base64::engine::general_purpose::STANDARD.encode(bytes))
    }),
    fixed("randInt", &[Int, Int], |env, args| {
        let (low, high) = (int(args, 0), int(args, 1));
        match u64::try_from(high.saturating_sub(low)) {
            Ok(span) if span > 0 => {
                let offset = below(env, span)?;
                Ok(Value::Int(low.saturating_add_unsigned(offset)))
            }
            _ => error("invalid argument to Intn"),
        }
    }),
    fixed("uuidv4", &[], |env, _| {
        let mut bytes = [0; 16];
        env.context.random(&mut bytes)?;
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = super::digest::hex(&bytes);
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        text_result(env, parts.join("-"))
    }),
    fixed("shuffle", &[Str], |env, args| {
        let mut characters: Vec<char> = string(args, 0).chars().collect();
        for i in (1..characters.len()).rev() {
            let other = below(env, i as u64 + 1)?;
            characters.swap(i, usize::try_from(other).unwrap_or(0));
        }
        text_result(env, characters.into_iter().collect::<String>())
    }),
];

/// A number below another, every one equally likely.
fn below(env: &mut Env<'_>, span: u64) -> Result<u64> {
    let limit = u64::MAX - u64::MAX % span;
    loop {
        let mut bytes = [0; 8];
        env.context.random(&mut bytes)?;
        let number = u64::from_be_bytes(bytes);
        if number < limit {
            return Ok(number % span);
        }
    }
}

/// So many characters of an alphabet; none for a negative count.
fn letters(env: &mut Env<'_>, count: i64, alphabet: &[u8]) -> Result<Value> {
    let count = usize::try_from(count).unwrap_or(0);
    env.context.charge_bytes(count)?;
    let fair = 256 - 256 % alphabet.len();
    let mut out = Vec::with_capacity(count);
    let mut pool = [0; 64];
    while out.len() < count {
        env.context.random(&mut pool)?;
        let chosen = pool
            .iter()
            .map(|b| usize::from(*b))
            .filter(|b| *b < fair)
            .map(|b| alphabet[b % alphabet.len()]);
        out.extend(chosen.take(count - out.len()));
    }
    Ok(Value::Str(Text::from(out)))
}
