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

type Digest = [u8; 32];

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
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
        match self {
            Self::Missing => "missing",
            Self::ZohoPayments => "zoho_payments",
            Self::NotHex => "not_hex",
            Self::Mismatch => "mismatch",
        }
    }
}

/// What was compared, for *rejected requests*: never the secret, never the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    pub body_bytes: usize,
    /// Bounded and printable.
    pub content_type: Option<String>,
    pub had_query: bool,
    /// First eight hex digits of the digest received, when it was one.
    pub received: Option<String>,
    /// First eight hex digits of each digest we computed, in the order of the tries.
    pub computed: Vec<String>,
}

/// A request that is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Rejection {
    pub problem: SignatureProblem,
    pub compared: Compared,
}

/// Checks a request against up to two secrets, the present one first; constant time in the digest.
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
    let received = match received_digest(request.signature) {
        Ok(digest) => digest,
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
            let digest = hmac(secret, &signed);
            if bool::from(digest.ct_eq(&received)) {
                return Ok(signed);
            }
            compared.computed.push(head(&digest));
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
fn hmac(secret: &WebhookSecret, signed: &SignedString<'_>) -> Digest {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("any key");
    mac.update(&signed.pairs);
    mac.update(signed.body);
    mac.finalize().into_bytes().into()
}

fn received_digest(header: Option<&[u8]>) -> Result<Digest, SignatureProblem> {
    let text = header.unwrap_or_default().trim_ascii();
    if text.is_empty() {
        return Err(SignatureProblem::Missing);
    }
    if text.starts_with(b"t=") && text.windows(3).any(|w| w == b",v=") {
        return Err(SignatureProblem::ZohoPayments);
    }
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest).map_err(|_| SignatureProblem::NotHex)?;
    Ok(digest)
}

fn head(digest: &Digest) -> String {
    hex::encode(&digest[..4])
}

fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(SHOWN_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn secret() -> WebhookSecret {
        WebhookSecret::parse("testSecretToken123").unwrap()
    }

    fn check(signature: &str, query: &str, kind: &str, body: &[u8]) -> Result<(), Rejection> {
        let request = SignedRequest {
            signature: Some(signature.as_bytes()),
            query,
            content_type: Some(kind),
            body,
        };
        verify(&request, &[secret()]).map(drop)
    }

    fn problem<T: fmt::Debug>(result: Result<T, Rejection>) -> SignatureProblem {
        result.unwrap_err().problem
    }

    /// Few letters, so that different requests often have one signed string.
    fn request() -> impl Strategy<Value = (String, String, Vec<u8>)> {
        (
            "(a?[ab+%20=&]{0,4}){0,3}",
            prop_oneof![Just(FORM.to_owned()), Just("application/json".to_owned())],
            "[ab+%20=& {]{0,6}",
        )
            .prop_map(|(query, kind, body)| (query, kind, body.into_bytes()))
    }

    #[test]
    fn every_vector_of_the_documented_rule_holds() {
        let file: Value =
            serde_json::from_str(include_str!("../../tests/samples/signature-vectors.json"))
                .unwrap();
        let vectors = file["vectors"].as_array().unwrap();
        assert_eq!(vectors.len(), 4);
        for vector in vectors {
            let text = |key: &str| vector[key].as_str().unwrap();
            let secret = WebhookSecret::parse(text("secret")).unwrap();
            let (query, kind, body) = (text("query"), text("content_type"), text("raw_body"));
            let signed = signed(query, Some(kind), body.as_bytes(), Values::Decoded);
            assert_eq!(
                [&signed.pairs, signed.body].concat(),
                text("string_to_sign").as_bytes(),
                "{}",
                text("name")
            );
            let hex = sign(&secret, query, Some(kind), body.as_bytes());
            assert_eq!(hex, text("hmac_sha256_hex"), "{}", text("name"));
            assert!(check(&hex, query, kind, body.as_bytes()).is_ok());
            assert!(check(&hex.to_uppercase(), query, kind, body.as_bytes()).is_ok());
        }
    }

    #[test]
    fn a_missing_a_payments_and_a_garbled_signature_are_told_apart() {
        let bare = SignedRequest {
            signature: None,
            query: "",
            content_type: None,
            body: b"{}",
        };
        assert_eq!(
            problem(verify(&bare, &[secret()])),
            SignatureProblem::Missing
        );
        assert_eq!(
            problem(check(" ", "", "", b"{}")),
            SignatureProblem::Missing
        );
        let payments = format!("t=1732270000,v={}", "a".repeat(64));
        assert_eq!(
            problem(check(&payments, "", "", b"{}")),
            SignatureProblem::ZohoPayments
        );
        for garbled in ["zz", "abcd", &"g".repeat(64), &"a".repeat(66), "=="] {
            assert_eq!(
                problem(check(garbled, "", "", b"{}")),
                SignatureProblem::NotHex
            );
        }
        assert_eq!(
            problem(check(&"a".repeat(64), "", "", b"{}")),
            SignatureProblem::Mismatch
        );
        let bytes = SignedRequest {
            signature: Some(b"\xff\xfe"),
            ..bare
        };
        assert_eq!(
            problem(verify(&bytes, &[secret()])),
            SignatureProblem::NotHex
        );
    }

    #[test]
    fn the_second_secret_is_valid_and_a_third_is_not() {
        let [old, new, third] = [(); 3].map(|()| WebhookSecret::generate());
        let signature = sign(&old, "", None, b"{}");
        let request = SignedRequest {
            signature: Some(signature.as_bytes()),
            query: "",
            content_type: None,
            body: b"{}",
        };
        assert!(verify(&request, &[new.clone(), old.clone()]).is_ok());
        assert!(verify(&request, std::slice::from_ref(&new)).is_err());
        assert!(verify(&request, &[]).is_err());
        assert!(verify(&request, &[new, third, old]).is_err());
    }

    #[test]
    fn query_values_signed_as_received_are_believed_too() {
        let (query, body) = ("note=a%20b+c", b"{}".as_slice());
        let mac = |pairs: &[u8]| {
            let pairs = pairs.to_vec();
            hex::encode(hmac(&secret(), &SignedString { pairs, body }))
        };
        let raw = mac(b"notea%20b+c");
        assert!(check(&raw, query, "application/json", body).is_ok());
        let decoded = mac(b"notea b c");
        assert!(check(&decoded, query, "application/json", body).is_ok());
    }

    #[test]
    fn equal_keys_are_sorted_by_value_and_a_trailing_ampersand_is_nothing() {
        let signed = signed("b=2&a=9&b=1&", None, b"", Values::Decoded);
        assert_eq!(signed.pairs, b"a9b1b2");
    }

    #[test]
    fn json_under_the_name_of_a_form_is_signed_byte_by_byte() {
        let body = b" {\"invoice\":{\"invoice_id\":\"1\",\"note\":\"a%62&c=d\"}}";
        let bare = SignedString {
            pairs: Vec::new(),
            body,
        };
        let signature = hex::encode(hmac(&secret(), &bare));
        assert!(check(&signature, "", FORM, body).is_ok());
        let re_encoded = b" {\"invoice\":{\"invoice_id\":\"1\",\"note\":\"ab&c=d\"}}";
        assert!(check(&signature, "", FORM, re_encoded).is_err());
    }

    #[test]
    fn a_rejection_tells_sizes_and_heads_but_neither_secret_nor_body() {
        let body = b"{\"invoice\":{\"customer_name\":\"Hidden Ltd\"}}";
        let kind = format!("text/plain\r\n{}", "x".repeat(500));
        let rejection = check(&"0a".repeat(32), "a=1", &kind, body).unwrap_err();
        let compared = &rejection.compared;
        assert_eq!(compared.body_bytes, body.len());
        assert!(compared.had_query);
        assert_eq!(compared.received.as_deref(), Some("0a0a0a0a"));
        assert_eq!(compared.computed.len(), 2);
        assert!(compared.computed.iter().all(|h| h.len() == 8));
        let shown = compared.content_type.clone().unwrap();
        assert!(shown.chars().count() <= SHOWN_CHARS && !shown.contains(char::is_control));
        let all = format!("{rejection:?} {rejection}");
        assert!(!all.contains("Hidden") && !all.contains("testSecret"));
    }

    proptest! {
        #[test]
        fn any_flipped_byte_of_the_body_is_refused(
            body in prop::collection::vec(any::<u8>(), 1..300),
            at in any::<prop::sample::Index>(),
            flip in 1_u8..,
        ) {
            let signature = sign(&secret(), "a=1", Some("application/json"), &body);
            prop_assert!(check(&signature, "a=1", "application/json", &body).is_ok());
            let mut other = body.clone();
            other[at.index(body.len())] ^= flip;
            let result = check(&signature, "a=1", "application/json", &other);
            prop_assert_eq!(problem(result), SignatureProblem::Mismatch);
        }

        // Letters for letters: `=`, `&` and escapes can be written in more than one way by Zoho's
        // own rule, which joins without separators.
        #[test]
        fn any_flipped_letter_of_the_query_or_a_form_is_refused(
            pairs in prop::collection::vec(("[a-z]{1,8}", "[A-Z0-9]{1,8}"), 1..6),
            at in any::<prop::sample::Index>(),
            letter in "[a-zA-Z0-9]",
        ) {
            let text: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
            let text = text.join("&");
            let spots: Vec<usize> =
                text.char_indices().filter(|(_, c)| c.is_alphanumeric()).map(|(i, _)| i).collect();
            let spot = spots[at.index(spots.len())];
            let mut other = text.clone();
            other.replace_range(spot..=spot, &letter);
            prop_assume!(other != text);
            let by_query = sign(&secret(), &text, None, b"{}");
            let refused = check(&by_query, &other, "", b"{}");
            prop_assert!(refused.is_err());
            let by_form = sign(&secret(), "", Some(FORM), text.as_bytes());
            prop_assert!(check(&by_form, "", FORM, text.as_bytes()).is_ok());
            prop_assert!(check(&by_form, "", FORM, other.as_bytes()).is_err());
        }

        #[test]
        fn any_flipped_bit_of_the_signature_is_refused(body in ".*", bit in 0_usize..256) {
            let signature = sign(&secret(), "", None, body.as_bytes());
            let mut digest = hex::decode(signature).unwrap();
            digest[bit / 8] ^= 1 << (bit % 8);
            let result = check(&hex::encode(digest), "", "", body.as_bytes());
            prop_assert_eq!(problem(result), SignatureProblem::Mismatch);
        }

        #[test]
        fn the_order_of_the_pairs_does_not_matter(
            pairs in prop::collection::vec("[a-c]{1,2}=[a-z%+]{0,5}", 0..6).prop_shuffle(),
            seed in any::<u64>(),
        ) {
            let mut other = pairs.clone();
            if !other.is_empty() {
                let by = usize::try_from(seed % 7).unwrap() % other.len();
                other.rotate_left(by);
                other.reverse();
            }
            let signature = sign(&secret(), &pairs.join("&"), None, b"{}");
            let believed = check(&signature, &other.join("&"), "", b"{}");
            prop_assert!(believed.is_ok());
        }

        // Whoever captured a request may cut its signed string into query, form and body as they like;
        // whatever is still believed has the fingerprint of the first.
        #[test]
        fn what_one_signature_is_good_for_has_one_fingerprint(
            first in request(),
            others in prop::collection::vec(request(), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let (query, kind, body) = &first;
            let signature = sign(&secret(), query, Some(kind), body);
            let believed = |query: &str, kind: &str, body: &[u8]| {
                let request = SignedRequest {
                    signature: Some(signature.as_bytes()),
                    query,
                    content_type: Some(kind),
                    body,
                };
                verify(&request, &[secret()]).ok().map(|signed| signed.fingerprint())
            };
            let fingerprint = believed(query, kind, body);
            prop_assert!(fingerprint.is_some());
            let string = signed(query, Some(kind), body, Values::Decoded);
            let whole = [&string.pairs, string.body].concat();
            let (left, right) = whole.split_at(cut.index(whole.len() + 1));
            let digits = hex::encode(left).into_bytes();
            let escaped = digits.chunks(2).flat_map(|pair| [b'%', pair[0], pair[1]]);
            let escaped: String = escaped.map(char::from).collect();
            for kind in ["application/json", FORM] {
                for query in [escaped.clone(), format!("{escaped}="), format!("&{escaped}&")] {
                    if let Some(moved) = believed(&query, kind, right) {
                        prop_assert_eq!(Some(moved), fingerprint);
                    }
                }
            }
            prop_assert_eq!(believed(&escaped, "application/json", right), fingerprint);
            for (query, kind, body) in others {
                if let Some(other) = believed(&query, &kind, &body) {
                    prop_assert_eq!(Some(other), fingerprint);
                }
            }
        }

        #[test]
        fn no_request_makes_it_panic(
            signature in prop::collection::vec(any::<u8>(), 0..80),
            query in ".*",
            kind in ".*",
            body in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            for kind in [kind.as_str(), FORM] {
                let request = SignedRequest {
                    signature: Some(&signature),
                    query: &query,
                    content_type: Some(kind),
                    body: &body,
                };
                prop_assert!(verify(&request, &[secret()]).is_err());
            }
        }
    }
}
