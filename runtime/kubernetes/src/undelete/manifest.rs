//! A manifest as data of a Secret.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Map, Value};

/// Key of a manifest as it is.
const PLAIN: &str = "manifest.json";
/// Key of a compressed one.
const COMPRESSED: &str = "manifest.json.gz";
/// From so many bytes on it is compressed: what is smaller can be read with kubectl alone.
const LARGE: usize = 64 * 1024;
/// What the API takes of data in one Secret.
pub(super) const LIMIT: usize = 1024 * 1024;
/// A manifest is never longer than this: no request is.
const LONGEST: u64 = 64 * 1024 * 1024;

/// What has no place in what is created again: the server's notes.
pub(super) fn stripped(live: &Value) -> Value {
    let mut manifest = live.clone();
    if let Some(object) = manifest.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = manifest.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    manifest
}

/// `data` of the Secret; how many bytes it would be when that is too much.
pub(super) fn pack(manifest: &Value) -> Result<Map<String, Value>, usize> {
    let text = manifest.to_string().into_bytes();
    let (key, bytes) = match text.len() < LARGE {
        true => (PLAIN, text),
        false => (COMPRESSED, compressed(&text)),
    };
    if bytes.len() > LIMIT {
        return Err(bytes.len());
    }
    Ok(Map::from_iter([(key.to_owned(), STANDARD.encode(bytes).into())]))
}

fn compressed(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    let _ = encoder.write_all(text);
    encoder.finish().unwrap_or_default()
}

/// The manifest of a Secret; why it cannot be had. Never says what is in it.
pub(super) fn unpack(secret: &Value) -> Result<Value, String> {
    let data = secret.get("data");
    let bytes = |key: &str| {
        let text = data.and_then(|data| data.get(key)).and_then(Value::as_str);
        text.map(|text| STANDARD.decode(text).map_err(|_| format!("data[{key}] is no base64")))
    };
    let text = match (bytes(PLAIN), bytes(COMPRESSED)) {
        (Some(plain), _) => plain?,
        (None, Some(compressed)) => {
            let mut text = Vec::new();
            let compressed = compressed?;
            let mut decoder = GzDecoder::new(compressed.as_slice()).take(LONGEST);
            let read = decoder.read_to_end(&mut text);
            read.map_err(|_| format!("data[{COMPRESSED}] cannot be decompressed"))?;
            text
        }
        (None, None) => return Err(format!("it has neither data[{PLAIN}] nor data[{COMPRESSED}]")),
    };
    let manifest: Value = serde_json::from_slice(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("its manifest is no JSON at line {line}, column {column}")
    })?;
    match manifest.is_object() {
        true => Ok(manifest),
        false => Err("its manifest is no object".to_owned()),
    }
}
