//! `X-Twilio-Signature`: the proof that a request comes from Twilio (its pages on webhook
//! security; the order of details is that of Twilio's Python and Node libraries).
//!
//! The surprise: the signed address is the one Twilio was given, not the one that arrived, and
//! Twilio is of two minds about the port. So the address is built from the configured public base
//! and the raw path and query, and is tried with and without the port.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Longest signature header that is looked at; a real one has 28 characters.
const LONGEST_HEADER: usize = 64;

/// The body that the signature covers.
#[derive(Debug, Clone, Copy)]
pub enum Signed<'a> {
    /// A form-encoded POST: its raw body.
    Form(&'a [u8]),
    /// A JSON body: covered through `bodySHA256` in the query.
    Json(&'a [u8]),
}

/// Why a request was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No `X-Twilio-Signature`.
    #[error("the signature is missing")]
    Missing,
    /// It was made with another token, for another address or another body.
    #[error("the signature does not match")]
    Mismatch,
    /// A JSON body whose hash is missing from the address or differs.
    #[error("the body does not match its hash")]
    BodyHash,
    /// No Auth Token is known to check with.
    #[error("no Auth Token is known for this connection")]
    NoToken,
}

/// The address as given to Twilio: the public base, without its closing slash, and the path and
/// query as received, nothing decoded or put in order.
pub fn full_url(public_base: &str, path_and_query: &str) -> String {
    format!("{}{path_and_query}", public_base.trim_end_matches('/'))
}

/// Checks a signature against each token (an old and a new one while a token is rotated).
pub fn verify(
    url: &str,
    body: Signed<'_>,
    header: Option<&str>,
    tokens: &[SecretString],
) -> Result<(), SignatureError> {
    let header = header.map(str::trim).filter(|text| !text.is_empty());
    let header = header.ok_or(SignatureError::Missing)?;
    if tokens.is_empty() {
        return Err(SignatureError::NoToken);
    }
    if header.len() > LONGEST_HEADER {
        return Err(SignatureError::Mismatch);
    }
    let fields = match body {
        Signed::Form(body) => canonical(body),
        Signed::Json(_) => String::new(),
    };
    let mut matches = subtle::Choice::from(0);
    for url in spellings(url) {
        for token in tokens {
            let wanted = mac(&url, &fields, token);
            matches |= wanted.as_bytes().ct_eq(header.as_bytes());
        }
    }
    if !bool::from(matches) {
        return Err(SignatureError::Mismatch);
    }
    match body {
        Signed::Form(_) => Ok(()),
        Signed::Json(body) => hash_matches(url, body),
    }
}

/// Signs as Twilio does, for the sandbox. A JSON body's hash must be in `url` already
/// (`bodySHA256=` and [`body_sha256`]).
pub fn sign(url: &str, body: Signed<'_>, token: &SecretString) -> String {
    let fields = match body {
        Signed::Form(body) => canonical(body),
        Signed::Json(_) => String::new(),
    };
    mac(without_fragment(url), &fields, token)
}

/// The lower-case hex SHA-256 of a raw body.
pub fn body_sha256(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

fn mac(url: &str, fields: &str, token: &SecretString) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha1>::new_from_slice(token.expose_secret().as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(url.as_bytes());
    mac.update(fields.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Names in byte order; the values of one name sorted and without doubles; nothing between. The
/// names are sorted by themselves: joined with their values, a name that begins another would
/// sort differently.
fn canonical(body: &[u8]) -> String {
    let mut fields: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        fields.entry(name).or_default().insert(value);
    }
    let mut text = String::with_capacity(body.len());
    for (name, values) in fields {
        for value in values {
            text.push_str(&name);
            text.push_str(&value);
        }
    }
    text
}

/// The query's `bodySHA256` must be that of the body. Only the query is looked at: the address is
/// already known to be signed.
fn hash_matches(url: &str, body: &[u8]) -> Result<(), SignatureError> {
    let query = without_fragment(url)
        .split_once('?')
        .map_or("", |(_, query)| query);
    let told = form_urlencoded::parse(query.as_bytes())
        .find_map(|(name, value)| (name == "bodySHA256").then_some(value))
        .ok_or(SignatureError::BodyHash)?;
    if bool::from(told.as_bytes().ct_eq(body_sha256(body).as_bytes())) {
        Ok(())
    } else {
        Err(SignatureError::BodyHash)
    }
}

fn without_fragment(url: &str) -> &str {
    url.split_once('#').map_or(url, |(url, _)| url)
}

/// The address as it stands, and with its port taken away or the scheme's put in. Raw text: a URL
/// parser would put it in order and so change what was signed.
fn spellings(url: &str) -> Vec<String> {
    let url = without_fragment(url);
    let mut all = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else {
        return all;
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    // Neither the colon of `user:password@` nor one within `[::1]` begins a port.
    let host_at = authority.rfind('@').map_or(0, |at| at + 1);
    let after_ip = authority[host_at..]
        .rfind(']')
        .map_or(host_at, |at| host_at + at);
    if let Some(colon) = authority[after_ip..].rfind(':') {
        all.push(format!(
            "{scheme}://{}{tail}",
            &authority[..after_ip + colon]
        ));
    } else {
        let port = if scheme.eq_ignore_ascii_case("https") {
            443
        } else {
            80
        };
        all.push(format!("{scheme}://{authority}:{port}{tail}"));
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(text: &str) -> SecretString {
        SecretString::from(text)
    }

    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const FORM: &[u8] = b"CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309\
        &To=%2B18005551212&Caller=%2B14158675309";

    #[test]
    fn the_published_examples_of_twilios_libraries_hold() {
        let signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        assert_eq!(sign(URL, Signed::Form(FORM), &token("12345")), signature);
        verify(URL, Signed::Form(FORM), Some(signature), &[token("12345")]).unwrap();

        let body = br#"{"property": "value", "boolean": true}"#;
        let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
        assert_eq!(body_sha256(body), hash);
        let url = format!("{URL}&bodySHA256={hash}");
        let signature = "a9nBmqA0ju/hNViExpshrM61xv4=";
        verify(&url, Signed::Json(body), Some(signature), &[token("12345")]).unwrap();
    }

    #[test]
    fn a_json_body_without_its_hash_or_with_another_is_refused() {
        let tokens = [token("12345")];
        let header = sign(URL, Signed::Json(b"{}"), &tokens[0]);
        assert_eq!(
            verify(URL, Signed::Json(b"{}"), Some(&header), &tokens),
            Err(SignatureError::BodyHash)
        );
        let url = format!("{URL}&bodySHA256={}", body_sha256(b"{}"));
        let header = sign(&url, Signed::Json(b"{}"), &tokens[0]);
        verify(&url, Signed::Json(b"{}"), Some(&header), &tokens).unwrap();
        assert_eq!(
            verify(&url, Signed::Json(b"{ }"), Some(&header), &tokens),
            Err(SignatureError::BodyHash)
        );
    }

    #[test]
    fn names_are_sorted_by_themselves_in_byte_order_and_doubles_fall_away() {
        assert_eq!(canonical(b"b=2&a=2&a=1&a=2&B=3&a0=&ab=x"), "B3a1a2a0abxb2");
        // Joined strings would put `a` + `z` after `ab` + `c`.
        assert_eq!(canonical(b"ab=c&a=z"), "azabc");
        assert_eq!(canonical(b""), "");
        assert_eq!(canonical(b"Body=a+b%26c&E="), "Bodya b&cE");
    }

    #[test]
    fn the_port_may_be_there_or_not() {
        for (given, other) in [
            ("https://a.example/x?y=1", "https://a.example:443/x?y=1"),
            ("http://a.example", "http://a.example:80"),
            ("https://a.example:8443/x", "https://a.example/x"),
            ("https://u:p@a.example/x", "https://u:p@a.example:443/x"),
            ("http://[::1]/x", "http://[::1]:80/x"),
            ("http://[::1]:8080/x", "http://[::1]/x"),
            (
                "https://a.example?u=http://b:9/",
                "https://a.example:443?u=http://b:9/",
            ),
        ] {
            assert_eq!(spellings(given), [given, other]);
        }
        assert_eq!(spellings("nonsense"), ["nonsense"]);
    }

    #[test]
    fn the_fragment_is_not_signed() {
        let tokens = [token("12345")];
        let with = format!("{URL}#rc=3&rp=5xx");
        let header = sign(&with, Signed::Form(FORM), &tokens[0]);
        verify(URL, Signed::Form(FORM), Some(&header), &tokens).unwrap();
    }

    #[test]
    fn each_rejection_has_its_reason() {
        let tokens = [token("12345")];
        let form = Signed::Form(FORM);
        assert_eq!(
            verify(URL, form, None, &tokens),
            Err(SignatureError::Missing)
        );
        assert_eq!(
            verify(URL, form, Some(" "), &tokens),
            Err(SignatureError::Missing)
        );
        assert_eq!(
            verify(URL, form, Some("x"), &[]),
            Err(SignatureError::NoToken)
        );
        assert_eq!(
            verify(URL, form, Some("x"), &tokens),
            Err(SignatureError::Mismatch)
        );
        let long = "x".repeat(10_000);
        assert_eq!(
            verify(URL, form, Some(&long), &tokens),
            Err(SignatureError::Mismatch)
        );
    }

    #[test]
    fn the_address_is_put_together_as_it_stands() {
        assert_eq!(
            full_url("https://a.example/app/", "/hooks//x%2F?n='1'&n="),
            "https://a.example/app/hooks//x%2F?n='1'&n="
        );
    }

    fn encoded(fields: &[(String, String)]) -> Vec<u8> {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish()
            .into_bytes()
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies_in_any_order_with_either_token(
            fields in proptest::collection::vec(("[A-Za-z]{1,6}", ".{0,12}"), 0..8),
            seed in any::<prop::sample::Index>(),
            path in "/[a-z'%/]{0,12}",
        ) {
            let url = full_url("https://a.example", &path);
            let header = sign(&url, Signed::Form(&encoded(&fields)), &token("old"));
            let mut turned = fields.clone();
            if !turned.is_empty() {
                let by = seed.index(turned.len());
                turned.rotate_left(by);
            }
            let tokens = [token("new"), token("old")];
            let ported = url.replacen(".example", ".example:443", 1);
            prop_assert!(verify(&url, Signed::Form(&encoded(&turned)), Some(&header), &tokens).is_ok());
            prop_assert!(verify(&ported, Signed::Form(&encoded(&fields)), Some(&header), &tokens).is_ok());
            prop_assert_eq!(
                verify(&url, Signed::Form(&encoded(&fields)), Some(&header), &tokens[..1]),
                Err(SignatureError::Mismatch)
            );
        }

        #[test]
        fn a_changed_or_added_field_is_noticed(
            name in "[A-Za-z]{1,6}", value in "[a-z]{0,8}", added in "[a-z]{1,4}",
        ) {
            let tokens = [token("12345")];
            let before = vec![(name.clone(), value.clone())];
            let header = sign(URL, Signed::Form(&encoded(&before)), &tokens[0]);
            let changed = vec![(name, format!("{value}{added}"))];
            prop_assert!(verify(URL, Signed::Form(&encoded(&changed)), Some(&header), &tokens).is_err());
            let mut more = before;
            more.push(("zzzzzzz".to_owned(), added));
            prop_assert!(verify(URL, Signed::Form(&encoded(&more)), Some(&header), &tokens).is_err());
        }

        #[test]
        fn no_input_makes_it_panic(url in ".{0,60}", body in proptest::collection::vec(any::<u8>(), 0..60), header in ".{0,40}") {
            let tokens = [token("12345")];
            let form = verify(&url, Signed::Form(&body), Some(&header), &tokens);
            let json = verify(&url, Signed::Json(&body), Some(&header), &tokens);
            prop_assert!(form.is_err() && json.is_err());
        }
    }
}
