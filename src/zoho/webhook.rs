//! The signature of Zoho Books' webhooks.
//!
//! Zoho's rule (its Billing help, "How do I secure my webhooks?"): all pairs of the query and of a
//! form body together, decoded, sorted by key, key and value joined without separators; then a JSON
//! body exactly as received; HMAC-SHA256 under the secret, as hex. Surprising: the joined string
//! has no separators and the path is not in it, so a good signature says who wrote the body, never
//! to which address.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::content::ContentKind;
use super::pairs;
use super::secret::WebhookSecret;

/// The header that carries the signature; header names know no case.
pub const SIGNATURE_HEADER: &str = "X-Zoho-Webhook-Signature";

/// How many secrets are valid at once, while one replaces the other.
const VALID_SECRETS: usize = 2;

/// The content type of a rejected request is shown up to this many characters.
const SHOWN_CHARS: usize = 100;

/// An HMAC-SHA256.
type Signature = [u8; 32];

/// The exact string that a request's signature is the HMAC of.
///
/// Only the whole of it is known to be what Zoho signed: where a key ends and its value, the query or
/// the body begins is not, so the same string can come in many requests.
#[derive(PartialEq, Eq)]
pub struct SignedString<'a> {
    /// The pairs, joined.
    pairs: Vec<u8>,
    /// What follows them.
    body: &'a [u8],
}

impl SignedString<'_> {
    /// By which equal strings are known, wherever their pairs end.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(&self.pairs);
        hash.update(self.body);
        hash.finalize().into()
    }
}

impl fmt::Debug for SignedString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedString").finish_non_exhaustive()
    }
}

/// The parts of a request that the signature is about.
#[derive(Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The bytes of the `X-Zoho-Webhook-Signature` header.
    pub signature: Option<&'a [u8]>,
    /// The query string as received, without the `?`; empty when there is none.
    pub query: &'a str,
    pub content_type: Option<&'a str>,
    /// The body as received.
    pub body: &'a [u8],
}

impl fmt::Debug for SignedRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRequest")
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why a request is not believed, in words for *rejected requests*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum SignatureProblem {
    #[error(
        "The request has no signature. In Zoho Books, edit the webhook, tick “I want to secure this webhook” and paste the secret token."
    )]
    Missing,
    #[error(
        "This is a Zoho Payments signature (t=…,v=…). Only webhooks of Zoho Books can be sent to this address."
    )]
    ZohoPayments,
    #[error("The signature is not 64 hexadecimal digits, as those of Zoho Books are.")]
    NotHex,
    #[error(
        "The signature does not match. Check that the secret token in Zoho Books is the one shown here."
    )]
    Mismatch,
}

impl SignatureProblem {
    /// The stable text, as stored and used as a metric label.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

/// What was compared, for *rejected requests*: never the secret, never the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    pub body_bytes: usize,
    /// Bounded and printable.
    pub content_type: Option<String>,
    pub had_query: bool,
    /// First eight hex digits of the signature received, when it was one.
    pub received: Option<String>,
    /// First eight hex digits of each signature we computed, in the order of the tries.
    pub computed: Vec<String>,
}

/// A request that is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Rejection {
    pub problem: SignatureProblem,
    pub compared: Compared,
}

/// Checks a request against up to two secrets, the present one first; in constant time.
///
/// Zoho does not say whether query values are signed decoded. They are tried decoded; where there
/// is a query and that fails, once more as received. There is no other variant.
pub fn verify<'a>(
    request: &SignedRequest<'a>,
    secrets: &[WebhookSecret],
) -> Result<SignedString<'a>, Rejection> {
    let mut compared = Compared {
        body_bytes: request.body.len(),
        content_type: request.content_type.map(printable),
        had_query: !request.query.is_empty(),
        received: None,
        computed: Vec::new(),
    };
    let received = match received_signature(request.signature) {
        Ok(signature) => signature,
        Err(problem) => return Err(Rejection { problem, compared }),
    };
    let readings: &[Values] = if compared.had_query {
        &[Values::Decoded, Values::AsReceived]
    } else {
        &[Values::Decoded]
    };
    for values in readings {
        let signed = signed(request.query, request.content_type, request.body, *values);
        for secret in secrets.iter().take(VALID_SECRETS) {
            let expected = hmac(secret, &signed);
            if bool::from(expected.ct_eq(&received)) {
                return Ok(signed);
            }
            compared.computed.push(head(&expected));
        }
    }
    compared.received = Some(head(&received));
    Err(Rejection {
        problem: SignatureProblem::Mismatch,
        compared,
    })
}

/// The signature Zoho Books would send, as lower-case hex; for the sandbox and tests.
pub fn sign(
    secret: &WebhookSecret,
    query: &str,
    content_type: Option<&str>,
    body: &[u8],
) -> String {
    let signed = signed(query, content_type, body, Values::Decoded);
    hex::encode(hmac(secret, &signed))
}

/// How the values of the query enter the signed string.
#[derive(Clone, Copy)]
enum Values {
    Decoded,
    AsReceived,
}

fn signed<'a>(
    query: &str,
    content_type: Option<&str>,
    body: &'a [u8],
    values: Values,
) -> SignedString<'a> {
    let mut signed: Vec<(Vec<u8>, Vec<u8>)> = pairs::split(query.as_bytes())
        .map(|(key, value)| match values {
            Values::Decoded => (pairs::decode(key), pairs::decode(value)),
            Values::AsReceived => (pairs::decode(key), value.to_vec()),
        })
        .collect();
    let rest = if ContentKind::of_body(content_type, body) == ContentKind::Form {
        signed.extend(pairs::split(body).map(|(k, v)| (pairs::decode(k), pairs::decode(v))));
        &[][..]
    } else {
        body
    };
    signed.sort_unstable();
    SignedString {
        pairs: signed
            .into_iter()
            .flat_map(|(key, value)| [key, value])
            .flatten()
            .collect(),
        body: rest,
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn hmac(secret: &WebhookSecret, signed: &SignedString<'_>) -> Signature {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("any key");
    mac.update(&signed.pairs);
    mac.update(signed.body);
    mac.finalize().into_bytes().into()
}

fn received_signature(header: Option<&[u8]>) -> Result<Signature, SignatureProblem> {
    let text = header.unwrap_or_default().trim_ascii();
    if text.is_empty() {
        return Err(SignatureProblem::Missing);
    }
    if text.starts_with(b"t=") && text.windows(3).any(|w| w == b",v=") {
        return Err(SignatureProblem::ZohoPayments);
    }
    let mut signature = [0; 32];
    hex::decode_to_slice(text, &mut signature).map_err(|_| SignatureProblem::NotHex)?;
    Ok(signature)
}

fn head(signature: &Signature) -> String {
    hex::encode(&signature[..4])
}

fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(SHOWN_CHARS)
        .collect()
}

#[cfg(test)]
mod tests;
