//! The secret token of a webhook.
//!
//! Zoho's field takes 12 to 50 letters and digits and nothing else, so neither base64 nor hyphens.

use rand::distr::{Alphanumeric, SampleString};
use secrecy::{ExposeSecret, SecretString};

/// The secret token of a webhook: 12 to 50 alphanumerics (Zoho's rule for the field).
#[derive(Debug, Clone)]
pub struct WebhookSecret(SecretString);

/// A text that Zoho Books does not take as a secret token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret token has 12 to 50 characters, only letters A to Z and digits")]
pub struct BadSecret;

impl WebhookSecret {
    /// Reads a secret as typed; blanks around it are not part of it.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let text = text.trim();
        let good =
            (12..=50).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        good.then(|| Self(SecretString::from(text)))
            .ok_or(BadSecret)
    }

    /// A new secret of 40 alphanumerics: 238 bits of chance.
    pub fn generate() -> Self {
        Self(SecretString::from(
            Alphanumeric.sample_string(&mut rand::rng(), 40),
        ))
    }

    /// The text, to be sealed, or shown once for copying into Zoho Books.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_follows_zohos_rule_and_never_shows_itself() {
        for bad in [
            "",
            "elevenchars",
            "has space in it",
            "ümlautümlaut",
            &"a".repeat(51),
        ] {
            assert_eq!(WebhookSecret::parse(bad).unwrap_err(), BadSecret);
        }
        assert_eq!(
            WebhookSecret::parse(" twelvechars1\n").unwrap().expose(),
            "twelvechars1"
        );
        let made = WebhookSecret::generate();
        assert_eq!(made.expose().len(), 40);
        assert!(WebhookSecret::parse(made.expose()).is_ok());
        assert!(!format!("{made:?}").contains(made.expose()));
        assert_ne!(made.expose(), WebhookSecret::generate().expose());
    }
}
