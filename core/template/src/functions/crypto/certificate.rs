//! Certificates as Go's `x509.CreateCertificate` lays them out.

use std::net::IpAddr;
use std::rc::Rc;

use sha2::{Digest, Sha256};
use x509_cert::der::{Decode, Encode};

use super::super::{bytes, error, int};
use super::keys::Key;
use super::{cost, der, pem};
use crate::exec::{Env, Result};
use crate::object::Object;
use crate::signature::CERTIFICATE;
use crate::value::{Time, Value};

/// What the functions return: a certificate with its key, both in PEM.
struct Pair {
    cert: Value,
    key: Value,
}

impl Object for Pair {
    fn type_name(&self) -> String {
        CERTIFICATE.to_owned()
    }

    fn kind(&self) -> &'static str {
        "struct"
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Cert" => Some(self.cert.clone()),
            "Key" => Some(self.key.clone()),
            _ => None,
        }
    }

    fn fields(&self) -> Option<Vec<(&'static str, Value)>> {
        Some(vec![("Cert", self.cert.clone()), ("Key", self.key.clone())])
    }

    fn print(&self) -> String {
        String::new()
    }

    fn document(&self) -> Value {
        Value::map([("Cert", self.cert.clone()), ("Key", self.key.clone())])
    }
}

fn pair(env: &mut Env<'_>, cert: impl Into<crate::Text>, key: impl Into<crate::Text>) -> Result<Value> {
    let cert = super::super::text_result(env, cert)?;
    let key = super::super::text_result(env, key)?;
    Ok(Value::Object(Rc::new(Pair { cert, key })))
}

/// The key given to the functions that take one.
pub(super) fn given_key(env: &mut Env<'_>, text: &[u8]) -> Result<Key> {
    env.context.charge(cost::SIGNATURE)?;
    Key::from_pem(text).or_else(|problem| error(format!("parsing private key: {problem}")))
}

/// What a certificate is about.
struct Request<'a> {
    name: &'a [u8],
    addresses: Vec<IpAddr>,
    hosts: Vec<Vec<u8>>,
    days: i64,
    authority: bool,
}

/// Who signs.
struct Signer<'a> {
    key: &'a Key,
    /// The encoded name.
    name: Vec<u8>,
    key_id: Vec<u8>,
}

/// `genCA`: name, days.
pub(super) fn authority(env: &mut Env<'_>, args: &[Value], key: &Key) -> Result<Value> {
    let request = Request {
        name: bytes(args, 0),
        addresses: Vec::new(),
        hosts: Vec::new(),
        days: int(args, 1),
        authority: true,
    };
    issue(env, &request, key, None)
}

/// `genSelfSignedCert`: name, addresses, host names, days.
pub(super) fn self_signed(env: &mut Env<'_>, args: &[Value], key: &Key) -> Result<Value> {
    let request = Request::of(args)?;
    issue(env, &request, key, None)
}

/// `genSignedCert`: as [`self_signed`], and who signs.
pub(super) fn signed(env: &mut Env<'_>, args: &[Value], key: &Key) -> Result<Value> {
    env.context.charge(cost::SIGNATURE)?;
    let field = |name: &str| match &args[4] {
        Value::Object(object) => object.field(name),
        _ => None,
    };
    let (Some(Value::Str(cert)), Some(Value::Str(key_text))) = (field("Cert"), field("Key")) else {
        return error("unable to decode certificate");
    };
    let Some((_, content)) = pem::decode(cert.bytes()) else {
        return error("unable to decode certificate");
    };
    let parent = match parse(&content) {
        Ok(parent) => parent,
        Err(message) => {
            return error(format!("error parsing certificate: decodedSignerCert.Bytes: {message}"));
        }
    };
    let signer_key = match Key::from_pem(key_text.bytes()) {
        Ok(key) => key,
        Err(message) => return error(format!("error parsing private key: {message}")),
    };
    let request = Request::of(args)?;
    issue(env, &request, key, Some((&parent, &signer_key)))
}

/// `buildCustomCert`: checks a certificate and a key, both in base64, and returns them.
pub(super) fn custom(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    env.context.charge(cost::SIGNATURE)?;
    env.context.charge_bytes(bytes(args, 0).len() + bytes(args, 1).len())?;
    let Ok(cert) = super::super::encode::go_base64(bytes(args, 0)) else {
        return error("unable to decode base64 certificate");
    };
    let Ok(key) = super::super::encode::go_base64(bytes(args, 1)) else {
        return error("unable to decode base64 private key");
    };
    let Some((_, content)) = pem::decode(&cert) else {
        return error("unable to decode certificate");
    };
    if let Err(message) = parse(&content) {
        return error(format!("error parsing certificate: decodedCert.Bytes: {message}"));
    }
    if let Err(message) = Key::from_pem(&key) {
        return error(format!("error parsing private key: {message}"));
    }
    pair(env, cert, key)
}

fn parse(content: &[u8]) -> std::result::Result<x509_cert::Certificate, String> {
    x509_cert::Certificate::from_der(content).map_err(|problem| format!("x509: malformed certificate: {problem}"))
}

impl<'a> Request<'a> {
    fn of(args: &'a [Value]) -> Result<Self> {
        let mut addresses = Vec::new();
        for item in args[1].slice_items().unwrap_or_default().iter() {
            let Value::Str(text) = item else {
                let shown = crate::gofmt::shown(item);
                return error(format!("error parsing ip: {shown} is not a string"));
            };
            match text.lossy().parse() {
                Ok(address) => addresses.push(address),
                Err(_) => return error(format!("error parsing ip: {}", text.lossy())),
            }
        }
        let mut hosts = Vec::new();
        for item in args[2].slice_items().unwrap_or_default().iter() {
            let Value::Str(text) = item else {
                let shown = crate::gofmt::shown(item);
                return error(format!("error processing alternate dns name: {shown} is not a string"));
            };
            hosts.push(text.bytes().to_vec());
        }
        Ok(Self {
            name: bytes(args, 0),
            addresses,
            hosts,
            days: int(args, 3),
            authority: false,
        })
    }
}

fn issue(
    env: &mut Env<'_>,
    request: &Request<'_>,
    key: &Key,
    parent: Option<(&x509_cert::Certificate, &Key)>,
) -> Result<Value> {
    env.context.charge(cost::SIGNATURE)?;
    let names = (request.hosts.len() + request.addresses.len()) as u64;
    env.context.charge_items(names)?;
    let mut serial = [0; 16];
    env.context.random(&mut serial)?;
    let now = env.context.now("a certificate")?;
    match certificate(request, key, parent, &serial, &now) {
        Ok((cert, key)) => pair(env, cert, key),
        Err(message) => error(format!("error creating certificate: {message}")),
    }
}

type Made<T> = std::result::Result<T, String>;

fn certificate(
    request: &Request<'_>,
    key: &Key,
    parent: Option<(&x509_cert::Certificate, &Key)>,
    serial: &[u8],
    now: &Time,
) -> Made<(String, String)> {
    let subject = name(request.name)?;
    let signer = match parent {
        None => Signer {
            key,
            name: subject.clone(),
            key_id: Vec::new(),
        },
        Some((parent, key)) => signer(parent, key)?,
    };
    let algorithm = signer.key.signature_algorithm()?;
    let public = key.public()?;
    let extensions = extensions(request, &subject, &signer, &public)?;
    let until = Time {
        // Go multiplies 64-bit nanoseconds, and wraps.
        nanoseconds: now.nanoseconds + i128::from(request.days.wrapping_mul(86_400_000_000_000)),
        ..*now
    };
    let body = der::element(
        der::SEQUENCE,
        &[
            &der::element(0xa0, &[&der::element(der::INTEGER, &[&[2]])]),
            &der::positive(serial),
            &algorithm,
            &signer.name,
            &der::element(der::SEQUENCE, &[&date(now)?, &date(&until)?]),
            &subject,
            &public,
            &der::element(0xa3, &[&der::element(der::SEQUENCE, &[&extensions])]),
        ],
    );
    let signature = signer.key.sign(&body)?;
    let whole = der::element(der::SEQUENCE, &[&body, &algorithm, &der::bits(&signature)]);
    Ok((pem::encode("CERTIFICATE", &whole), key.to_pem()?))
}

/// The signer's name and key identifier, from its certificate, which must hold the signer's public key.
fn signer<'a>(parent: &x509_cert::Certificate, key: &'a Key) -> Made<Signer<'a>> {
    let shown = |problem: x509_cert::der::Error| problem.to_string();
    let tbs = parent.tbs_certificate();
    // A key that cannot sign is the first complaint.
    key.signature_algorithm()?;
    let held = tbs.subject_public_key_info().to_der().map_err(shown)?;
    if held != key.public()? {
        return Err("x509: provided PrivateKey doesn't match parent's PublicKey".to_owned());
    }
    let key_id = tbs
        .get_extension::<x509_cert::ext::pkix::SubjectKeyIdentifier>()
        .map_err(shown)?
        .map(|(_, id)| id.0.as_bytes().to_vec());
    Ok(Signer {
        key,
        name: tbs.subject().to_der().map_err(shown)?,
        key_id: key_id.unwrap_or_default(),
    })
}

/// A distinguished name of a common name only; an empty one has no parts.
fn name(common: &[u8]) -> Made<Vec<u8>> {
    if common.is_empty() {
        return Ok(der::element(der::SEQUENCE, &[]));
    }
    let Ok(text) = std::str::from_utf8(common) else {
        return Err("asn1: string not valid UTF-8".to_owned());
    };
    let simple = |c: char| c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c);
    let kind = if text.chars().all(simple) {
        der::PRINTABLE
    } else {
        der::UTF8
    };
    let value = der::element(kind, &[common]);
    let attribute = der::element(der::SEQUENCE, &[&[0x06, 0x03, 0x55, 0x04, 0x03], &value]);
    Ok(der::element(der::SEQUENCE, &[&der::element(der::SET, &[&attribute])]))
}

/// Two digits of a year up to 2049, four digits then.
fn date(time: &Time) -> Made<Vec<u8>> {
    let text = crate::time::format(time, "20060102150405");
    let year: i64 = text
        .get(..text.len() - 10)
        .and_then(|year| year.parse().ok())
        .unwrap_or(-1);
    match year {
        1950..2050 => Ok(der::element(0x17, &[&text.as_bytes()[2..], b"Z"])),
        0..10_000 => Ok(der::element(0x18, &[text.as_bytes(), b"Z"])),
        _ => Err("asn1: structure error: cannot represent time as GeneralizedTime".to_owned()),
    }
}

/// An extension of `id-ce` by its number.
fn extension(number: u8, critical: bool, value: &[u8]) -> Vec<u8> {
    let flag: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    der::element(
        der::SEQUENCE,
        &[
            &[0x06, 0x03, 0x55, 0x1d, number],
            flag,
            &der::element(der::OCTETS, &[value]),
        ],
    )
}

/// Host names, then addresses.
fn alternative_names(request: &Request<'_>) -> Made<Vec<u8>> {
    let mut names = Vec::new();
    for host in &request.hosts {
        if !host.is_ascii() {
            let shown = crate::gofmt::quote(host);
            return Err(format!("x509: {shown} cannot be encoded as an IA5String"));
        }
        names.extend(der::element(0x82, &[host]));
    }
    for address in &request.addresses {
        let octets = match address.to_canonical() {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        names.extend(der::element(0x87, &[&octets]));
    }
    Ok(names)
}

fn extensions(request: &Request<'_>, subject: &[u8], signer: &Signer<'_>, public: &[u8]) -> Made<Vec<u8>> {
    // Digital signature and key encipherment, for an authority the signing of certificates too.
    let usage: &[u8] = if request.authority {
        &[0x03, 0x02, 0x02, 0xa4]
    } else {
        &[0x03, 0x02, 0x05, 0xa0]
    };
    let purposes = der::element(
        der::SEQUENCE,
        &[
            // serverAuth and clientAuth.
            &[0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
            &[0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02],
        ],
    );
    let is_authority: &[u8] = if request.authority { &[0x01, 0x01, 0xff] } else { &[] };
    let mut out = extension(15, true, usage);
    out.extend(extension(37, false, &purposes));
    out.extend(extension(19, true, &der::element(der::SEQUENCE, &[is_authority])));
    if request.authority {
        let key = x509_cert::spki::SubjectPublicKeyInfoRef::from_der(public).map_err(|problem| problem.to_string())?;
        let id = Sha256::digest(key.subject_public_key.raw_bytes());
        out.extend(extension(14, false, &der::element(der::OCTETS, &[&id[..20]])));
    }
    if signer.name != subject && !signer.key_id.is_empty() {
        let id = der::element(der::SEQUENCE, &[&der::element(0x80, &[&signer.key_id])]);
        out.extend(extension(35, false, &id));
    }
    let names = alternative_names(request)?;
    if !names.is_empty() {
        out.extend(extension(
            17,
            request.name.is_empty(),
            &der::element(der::SEQUENCE, &[&names]),
        ));
    }
    Ok(out)
}
