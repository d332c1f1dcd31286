//! Random tokens: sessions, API tokens, hook addresses, the set-up code, and CSRF.
//!
//! Tokens are stored as plain SHA-256, without salt or stretching: 256 random bits cannot be
//! guessed, and an unsalted digest can be looked up by index.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What the tokens of the JSON API begin with, so that scanners can tell a leaked one.
pub const API_TOKEN_PREFIX: &str = "mlc_";

/// 26 characters out of 36 are 134 bits; the design asks for 128.
const HOOK_TOKEN_CHARACTERS: usize = 26;
/// Zoho takes 12 to 50 alphanumeric characters (Books API, `secret` of a webhook).
const SIGNING_SECRET_CHARACTERS: usize = 40;
const LOWER_ALPHANUMERIC: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
/// 16 characters out of 32 are 80 bits.
const SETUP_CODE_CHARACTERS: usize = 16;
/// Crockford's base 32: no I, L, O or U, which people mistype.
const TYPABLE: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The SHA-256 of a token: what is stored and looked up.
#[derive(Clone, Copy)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The digest of a token that someone shows.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Wraps a stored digest.
    pub const fn from_stored(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be stored.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest in hexadecimal, where a column holds text.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

impl PartialEq for TokenDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenDigest {}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(…)")
    }
}

/// A token that was just made: shown once, stored as its digest.
#[derive(Debug)]
pub struct NewToken {
    /// The token itself.
    pub text: SecretString,
    /// What is stored of it.
    pub digest: TokenDigest,
}

impl NewToken {
    fn from_text(text: String) -> Self {
        Self {
            digest: TokenDigest::of(&text),
            text: SecretString::from(text),
        }
    }
}

/// 32 random bytes as 43 URL-safe characters: sessions, invitations, resets.
pub fn random() -> NewToken {
    NewToken::from_text(random_text())
}

/// A bearer token of the JSON API: `mlc_` and 43 characters.
pub fn api() -> NewToken {
    NewToken::from_text(format!("{API_TOKEN_PREFIX}{}", random_text()))
}

/// The token in a hook's URL: lower-case alphanumerics with 134 bits of chance. It is an address,
/// not a credential, and is stored as it is.
pub fn hook() -> String {
    pick(LOWER_ALPHANUMERIC, HOOK_TOKEN_CHARACTERS)
}

/// A secret that Zoho signs webhooks with: 40 alphanumerics, within Zoho's 12 to 50.
pub fn signing_secret() -> SecretString {
    SecretString::from(pick(LOWER_ALPHANUMERIC, SIGNING_SECRET_CHARACTERS))
}

/// Whether two secrets are equal, in a time that does not tell where they differ.
pub fn equal(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// The code that `serve` prints for the set-up page of an empty instance: `7KQ2-M0XB-…`, 80 bits.
#[derive(Debug, Clone)]
pub struct SetupCode(SecretString);

impl SetupCode {
    /// The code that 32 secret bytes stand for.
    pub fn derived(secret: &[u8; 32]) -> Self {
        // 32 characters: five bits of a byte choose each of them evenly.
        let characters = secret.iter().take(SETUP_CODE_CHARACTERS);
        let code: String = characters
            .map(|byte| char::from(TYPABLE[usize::from(byte % 32)]))
            .collect();
        Self(SecretString::from(code))
    }

    /// The code in groups of four, to be printed.
    pub fn to_text(&self) -> String {
        grouped(self.0.expose_secret())
    }

    /// Whether `typed` is this code: case, blanks and dashes do not matter, `O` is zero, `I` and
    /// `L` are one.
    pub fn matches(&self, typed: &str) -> bool {
        equal(&read_typed(typed), self.0.expose_secret())
    }
}

/// A code for the day on which a second factor is lost: 80 bits in groups of four, shown once.
pub fn recovery_code() -> SecretString {
    SecretString::from(grouped(&pick(TYPABLE, SETUP_CODE_CHARACTERS)))
}

/// What is stored of a recovery code, however it is typed.
pub fn recovery_digest(typed: &str) -> TokenDigest {
    TokenDigest::of(&read_typed(typed))
}

/// A digest that only this instance can make, for what could be guessed from a plain one: whose
/// tries are counted.
pub fn keyed_digest(key: &[u8; 32], parts: &[&str]) -> String {
    let mut mac = mac_under(key);
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    hex::encode(mac.finalize().into_bytes())
}

/// A code without what people do to it: case, blanks, dashes, and letters taken for digits.
fn read_typed(typed: &str) -> String {
    typed
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .take(SETUP_CODE_CHARACTERS + 1)
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}

fn grouped(code: &str) -> String {
    let mut text = String::new();
    for (index, character) in code.chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            text.push('-');
        }
        text.push(character);
    }
    text
}

/// The CSRF token of a session: an HMAC under the session's own token, so that it needs no storage
/// and no key of the instance, ends with the session, and does not reveal it.
pub fn csrf(session: &SecretString) -> String {
    URL_SAFE_NO_PAD.encode(csrf_mac(session).finalize().into_bytes())
}

/// Whether `given` is the CSRF token of this session. Constant time.
pub fn csrf_matches(session: &SecretString, given: &str) -> bool {
    URL_SAFE_NO_PAD
        .decode(given)
        .is_ok_and(|bytes| csrf_mac(session).verify_slice(&bytes).is_ok())
}

fn csrf_mac(session: &SecretString) -> Hmac<Sha256> {
    let mut mac = mac_under(session.expose_secret().as_bytes());
    mac.update(b"ml-connector csrf");
    mac
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn mac_under(key: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("a key of any length")
}

fn random_text() -> String {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn pick(alphabet: &[u8], length: usize) -> String {
    let mut rng = rand::rng();
    (0..length)
        .map(|_| char::from(alphabet[rng.random_range(..alphabet.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_again_by_its_digest() {
        let token = api();
        let text = token.text.expose_secret();
        assert!(text.starts_with("mlc_") && text.len() == 47, "{text}");
        assert_eq!(TokenDigest::of(text), token.digest);
        assert_ne!(TokenDigest::of(&text[4..]), token.digest);
        assert_eq!(random().text.expose_secret().len(), 43);
        assert!(!format!("{token:?}").contains(&text[4..]));
    }

    #[test]
    fn the_digest_is_plain_sha_256() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(TokenDigest::of("abc").to_hex(), hex);
    }

    #[test]
    fn hook_tokens_and_secrets_suit_urls_and_zoho() {
        let plain = |text: &str| text.bytes().all(|b| LOWER_ALPHANUMERIC.contains(&b));
        assert!(plain(&hook()) && hook().len() == 26);
        let secret = signing_secret();
        assert!(plain(secret.expose_secret()) && secret.expose_secret().len() == 40);
        assert_ne!(hook(), hook());
        // log2(36) is 5.17 bits a character.
        assert!(hook().len() * 517 / 100 >= 128);
    }

    #[test]
    fn a_set_up_code_forgives_how_it_is_typed() {
        let code = SetupCode::derived(&rand::random());
        let text = code.to_text();
        assert_eq!(
            text.split('-').map(str::len).collect::<Vec<_>>(),
            [4, 4, 4, 4]
        );
        assert!(code.matches(&text));
        assert!(code.matches(&text.to_lowercase().replace('-', " ")));
        assert!(code.matches(&text.replace('0', "o").replace('1', "l")));
        assert!(!code.matches(&text[..text.len() - 1]));
        assert!(!code.matches(&format!("{text}0")));
        assert!(!code.matches(""));
        assert!(!SetupCode::derived(&rand::random()).matches(&text));
    }

    #[test]
    fn a_recovery_code_is_known_however_it_is_typed() {
        let code = recovery_code();
        let text = code.expose_secret();
        assert_eq!(text.len(), 19);
        let sloppy = text.to_lowercase().replace('-', " ");
        assert_eq!(recovery_digest(text), recovery_digest(&sloppy));
        assert_ne!(recovery_digest(text), recovery_digest(&text[1..]));
    }

    #[test]
    fn a_keyed_digest_keeps_its_parts_apart() {
        let key = [7; 32];
        let digest = keyed_digest(&key, &["ab", "c"]);
        assert_eq!(digest.len(), 64);
        assert_eq!(digest, keyed_digest(&key, &["ab", "c"]));
        assert_ne!(digest, keyed_digest(&key, &["a", "bc"]));
        assert_ne!(digest, keyed_digest(&[8; 32], &["ab", "c"]));
    }

    #[test]
    fn a_csrf_token_belongs_to_one_session() {
        let (mine, other) = (random().text, random().text);
        let token = csrf(&mine);
        assert!(csrf_matches(&mine, &token));
        assert!(!csrf_matches(&other, &token));
        for wrong in [
            "",
            "x",
            mine.expose_secret(),
            &token[..40],
            &format!("{token}A"),
        ] {
            assert!(!csrf_matches(&mine, wrong));
        }
    }
}
