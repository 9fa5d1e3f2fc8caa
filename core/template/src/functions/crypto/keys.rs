//! Private keys: generating, reading, writing, signing.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use ed25519_dalek::pkcs8::KeypairBytes;
use p256::elliptic_curve::Generate;
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey};
use rsa::pkcs1::{DecodeRsaPrivateKey, EncodeRsaPrivateKey};
use rsa::signature::{SignatureEncoding, Signer};
use sha2::Sha256;

use super::super::{bytes, string, text_result};
use super::generator::Generator;
use super::{cost, der, pem, seeded};
use crate::exec::{Env, Result};
use crate::value::Value;

/// A private key.
#[derive(Clone)]
pub(super) enum Key {
    Rsa(Arc<rsa::PrivateKey>),
    P256(p256::SecretKey),
    P384(p384::SecretKey),
    P521(p521::SecretKey),
    Ed25519(ed25519_dalek::SigningKey),
    /// The encoded parts of a DSA key, which can be written but signs nothing.
    Dsa(Vec<u8>),
}

/// Keys that were made in this process, by the seed they are made from: the same application is rendered again and again.
struct Cache {
    keys: BTreeMap<(usize, [u8; 32]), Arc<rsa::PrivateKey>>,
    /// Seeds in the order they came.
    order: std::collections::VecDeque<(usize, [u8; 32])>,
}

/// How many keys are kept: a few hundred kilobytes.
const CACHED: usize = 256;

static CACHE: LazyLock<Mutex<Cache>> = LazyLock::new(|| {
    Mutex::new(Cache {
        keys: BTreeMap::new(),
        order: std::collections::VecDeque::new(),
    })
});

fn cached(id: (usize, [u8; 32])) -> Option<Arc<rsa::PrivateKey>> {
    let cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    cache.keys.get(&id).cloned()
}

fn remember(id: (usize, [u8; 32]), key: &Arc<rsa::PrivateKey>) {
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.keys.insert(id, Arc::clone(key)).is_none() {
        cache.order.push_back(id);
    }
    while cache.order.len() > CACHED {
        if let Some(oldest) = cache.order.pop_front() {
            cache.keys.remove(&oldest);
        }
    }
}

/// The RSA key of a seed.
fn rsa_of(generator: &mut Generator, bits: usize) -> std::result::Result<Arc<rsa::PrivateKey>, String> {
    let id = (bits, generator.seed());
    if let Some(key) = cached(id) {
        return Ok(key);
    }
    let key = rsa::PrivateKey::new(generator, bits).map_err(|problem| problem.to_string())?;
    let key = Arc::new(key);
    remember(id, &key);
    Ok(key)
}

/// The key of `genCA` and its kin.
pub(super) fn rsa_2048(env: &mut Env<'_>) -> Result<Key> {
    env.context.charge(cost::RSA_2048)?;
    let mut generator = seeded(env)?;
    match rsa_of(&mut generator, 2048) {
        Ok(key) => Ok(Key::Rsa(key)),
        Err(problem) => super::super::error(format!("error generating rsa key: {problem}")),
    }
}

/// `genPrivateKey`: a new key in PEM.
pub(super) fn generate(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let kind = string(args, 0).into_owned();
    let price = match kind.as_str() {
        "" | "rsa" => cost::RSA_4096,
        "dsa" => cost::DSA,
        "ecdsa" | "ed25519" => cost::CURVE,
        _ => return text_result(env, format!("Unknown type {}", String::from_utf8_lossy(bytes(args, 0)))),
    };
    env.context.charge(price)?;
    let mut generator = seeded(env)?;
    let key = match kind.as_str() {
        "dsa" => dsa_of(&mut generator),
        "ecdsa" => Ok(Key::P256(p256::SecretKey::generate_from_rng(&mut generator))),
        "ed25519" => {
            let mut secret = [0; 32];
            generator.fill(&mut secret);
            Ok(Key::Ed25519(ed25519_dalek::SigningKey::from_bytes(&secret)))
        }
        _ => rsa_of(&mut generator, 4096).map(Key::Rsa),
    };
    match key.and_then(|key| key.to_pem()) {
        Ok(text) => text_result(env, text),
        Err(problem) => text_result(env, format!("failed to generate private key: {problem}")),
    }
}

fn dsa_of(generator: &mut Generator) -> std::result::Result<Key, String> {
    let size = dsa::KeySize::DSA_2048_256;
    let components = match dsa::Components::try_generate_from_rng_with_key_size(generator, size) {
        Ok(components) => components,
        Err(impossible) => match impossible {},
    };
    let key = match dsa::SigningKey::try_generate_from_rng_with_components(generator, components) {
        Ok(key) => key,
        Err(impossible) => match impossible {},
    };
    let verifying = key.verifying_key();
    let parts = verifying.components();
    let numbers = [
        der::positive(&[]),
        der::positive(&parts.p().to_be_bytes()),
        der::positive(&parts.q().to_be_bytes()),
        der::positive(&parts.g().to_be_bytes()),
        der::positive(&verifying.y().to_be_bytes()),
        der::positive(&key.x().to_be_bytes()),
    ];
    let numbers: Vec<&[u8]> = numbers.iter().map(Vec::as_slice).collect();
    Ok(Key::Dsa(der::element(der::SEQUENCE, &numbers)))
}

fn shown(problem: impl std::fmt::Display) -> String {
    problem.to_string()
}

impl Key {
    /// The key in the format Go writes for its kind.
    pub(super) fn to_pem(&self) -> std::result::Result<String, String> {
        let (kind, content) = match self {
            Self::Rsa(key) => (
                "RSA PRIVATE KEY",
                key.to_pkcs1_der().map_err(shown)?.as_bytes().to_vec(),
            ),
            Self::P256(key) => ("EC PRIVATE KEY", key.to_sec1_der().map_err(shown)?.to_vec()),
            Self::P384(key) => ("EC PRIVATE KEY", key.to_sec1_der().map_err(shown)?.to_vec()),
            Self::P521(key) => ("EC PRIVATE KEY", key.to_sec1_der().map_err(shown)?.to_vec()),
            Self::Ed25519(key) => {
                // Without the public key, as Go writes it.
                let pair = KeypairBytes {
                    secret_key: key.to_bytes(),
                    public_key: None,
                };
                ("PRIVATE KEY", pair.to_pkcs8_der().map_err(shown)?.as_bytes().to_vec())
            }
            Self::Dsa(content) => ("DSA PRIVATE KEY", content.clone()),
        };
        Ok(pem::encode(kind, &content))
    }

    /// Reads the first block of a text.
    pub(super) fn from_pem(text: &[u8]) -> std::result::Result<Self, String> {
        let (kind, content) = pem::decode(text).ok_or("no PEM data in input")?;
        if kind == "PRIVATE KEY" {
            return Self::from_pkcs8(&content).ok_or_else(|| "decoding PEM as PKCS#8: unknown key".to_owned());
        }
        let Some(algorithm) = kind.strip_suffix(" PRIVATE KEY") else {
            return Err(format!("no private key data in PEM block of type {kind}"));
        };
        match algorithm {
            "RSA" => rsa::PrivateKey::from_pkcs1_der(&content)
                .map(|key| Self::Rsa(Arc::new(key)))
                .map_err(|problem| format!("parsing RSA private key from PEM: {problem}")),
            "EC" => Self::from_sec1(&content)
                .ok_or_else(|| "parsing EC private key from PEM: unknown elliptic curve or malformed key".to_owned()),
            "DSA" => Ok(Self::Dsa(content)),
            other => Err(format!("invalid private key type {other}")),
        }
    }

    fn from_pkcs8(content: &[u8]) -> Option<Self> {
        if let Ok(key) = rsa::PrivateKey::from_pkcs8_der(content) {
            return Some(Self::Rsa(Arc::new(key)));
        }
        if let Ok(key) = ed25519_dalek::SigningKey::from_pkcs8_der(content) {
            return Some(Self::Ed25519(key));
        }
        if let Ok(key) = p256::SecretKey::from_pkcs8_der(content) {
            return Some(Self::P256(key));
        }
        if let Ok(key) = p384::SecretKey::from_pkcs8_der(content) {
            return Some(Self::P384(key));
        }
        p521::SecretKey::from_pkcs8_der(content).ok().map(Self::P521)
    }

    fn from_sec1(content: &[u8]) -> Option<Self> {
        if let Ok(key) = p256::SecretKey::from_sec1_der(content) {
            return Some(Self::P256(key));
        }
        if let Ok(key) = p384::SecretKey::from_sec1_der(content) {
            return Some(Self::P384(key));
        }
        p521::SecretKey::from_sec1_der(content).ok().map(Self::P521)
    }

    /// The public key as it stands in a certificate.
    pub(super) fn public(&self) -> std::result::Result<Vec<u8>, String> {
        let encoded = match self {
            Self::Rsa(key) => key.to_public_key().to_public_key_der().map_err(shown)?,
            Self::P256(key) => key.public_key().to_public_key_der().map_err(shown)?,
            Self::P384(key) => key.public_key().to_public_key_der().map_err(shown)?,
            Self::P521(key) => key.public_key().to_public_key_der().map_err(shown)?,
            Self::Ed25519(key) => key.verifying_key().to_public_key_der().map_err(shown)?,
            Self::Dsa(_) => return Err("x509: unsupported public key type: *dsa.PublicKey".to_owned()),
        };
        Ok(encoded.into_vec())
    }

    /// The encoded identifier of the algorithm that [`Key::sign`] uses.
    pub(super) fn signature_algorithm(&self) -> std::result::Result<Vec<u8>, String> {
        let (oid, null): (&[u8], &[u8]) = match self {
            // sha256WithRSAEncryption, whose parameters are null.
            Self::Rsa(_) => (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b], &[0x05, 0x00]),
            // ecdsa-with-SHA256, -SHA384, -SHA512.
            Self::P256(_) => (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02], &[]),
            Self::P384(_) => (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03], &[]),
            Self::P521(_) => (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04], &[]),
            Self::Ed25519(_) => (&[0x2b, 0x65, 0x70], &[]),
            Self::Dsa(_) => return Err("x509: certificate private key does not implement crypto.Signer".to_owned()),
        };
        Ok(der::element(der::SEQUENCE, &[&der::element(0x06, &[oid]), null]))
    }

    /// A signature in the form certificates hold it.
    pub(super) fn sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, String> {
        Ok(match self {
            Self::Rsa(key) => rsa::pkcs1v15::SigningKey::<Sha256>::new((**key).clone())
                .try_sign(message)
                .map_err(shown)?
                .to_vec(),
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = p256::ecdsa::SigningKey::from(key).sign(message);
                signature.to_der().as_bytes().to_vec()
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature = p384::ecdsa::SigningKey::from(key).sign(message);
                signature.to_der().as_bytes().to_vec()
            }
            Self::P521(key) => {
                let signature: p521::ecdsa::Signature = p521::ecdsa::SigningKey::from(key).sign(message);
                signature.to_der().as_bytes().to_vec()
            }
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Self::Dsa(_) => return Err("x509: certificate private key does not implement crypto.Signer".to_owned()),
        })
    }
}
