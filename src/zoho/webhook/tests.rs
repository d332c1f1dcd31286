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
    let file: Value = serde_json::from_str(include_str!(
        "../../../tests/samples/signature-vectors.json"
    ))
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
        let mut flipped = hex::decode(signature).unwrap();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let result = check(&hex::encode(flipped), "", "", body.as_bytes());
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
