//! A JSON document at rest.

use std::sync::Arc;

use serde_json::Value;

use crate::Digest;

/// A JSON document, compressed. What is kept of manifests and live objects between uses: a parsed tree costs ten times the memory.
/// Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Blob {
    bytes: Arc<[u8]>,
    digest: Digest,
}

/// Bytes at rest that no longer decode: memory corruption or a bug, never user input.
#[derive(Debug, thiserror::Error)]
#[error("stored object {digest} cannot be read back: {reason}")]
pub struct BlobError {
    /// Of the document that was stored.
    pub digest: Digest,
    /// What the decoder said.
    pub reason: String,
}

impl Blob {
    /// Compresses `value`.
    pub fn new(value: &Value) -> Self {
        let text = value.to_string();
        Self {
            digest: Digest::of_json(value),
            bytes: lz4_flex::compress_prepend_size(text.as_bytes()).into(),
        }
    }

    /// Parses the document again.
    pub fn value(&self) -> Result<Value, BlobError> {
        let error = |reason: String| BlobError {
            digest: self.digest,
            reason,
        };
        let text = lz4_flex::decompress_size_prepended(&self.bytes).map_err(|e| error(e.to_string()))?;
        serde_json::from_slice(&text).map_err(|e| error(e.to_string()))
    }

    /// Of the document.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Bytes held.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Never true of a blob made by [`Blob::new`].
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blob({}, {} bytes)", self.digest, self.bytes.len())
    }
}
