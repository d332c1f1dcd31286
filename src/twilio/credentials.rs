//! Twilio's ids and credentials, parsed once.
//!
//! The surprise: with an API key the Account SID is still needed, for the path of every URL, and
//! the key's secret can never verify a callback: signatures are made with the Auth Token only.

use std::fmt;

use secrecy::SecretString;

use super::Region;

/// Longest secret that is believed; Twilio's have 32 characters.
const LONGEST_SECRET: usize = 128;

/// Why a pasted id or secret was refused. Bears no part of what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// An id that does not have its two letters and 32 hexadecimal digits.
    #[error("{what} begins with {prefix} and has 32 more characters, 0 to 9 and a to f")]
    Sid {
        /// What was asked for, in Twilio's words.
        what: &'static str,
        /// The letters it begins with.
        prefix: &'static str,
    },
    /// A secret with other characters than letters and digits.
    #[error("the secret has letters and digits only; copy it again from the Twilio Console")]
    Secret,
}

/// 34 characters: a prefix and 32 hexadecimal digits of either case
/// (`^(AC|SK|MG|SM|MM)[0-9a-fA-F]{32}$`, Twilio's spec).
fn is_sid(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

macro_rules! define_sid {
    ($(#[$doc:meta])* $name:ident, $what:literal, $first:literal $(, $other:literal)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Reads an id, trimming pasted white space.
            pub fn parse(text: &str) -> Result<Self, CredentialError> {
                let text = text.trim();
                if is_sid(text, $first) $(|| is_sid(text, $other))? {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(CredentialError::Sid { what: $what, prefix: $first })
                }
            }

            /// The id as Twilio writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

define_sid! {
    /// An account or subaccount, `AC…`.
    AccountSid, "an Account SID", "AC"
}
define_sid! {
    /// An API key, `SK…`.
    ApiKeySid, "an API key SID", "SK"
}
define_sid! {
    /// A Messaging Service, `MG…`.
    MessagingServiceSid, "a Messaging Service SID", "MG"
}
define_sid! {
    /// A message, `SM…`, or `MM…` with media.
    MessageSid, "a message SID", "SM", "MM"
}

/// Reads an Auth Token or key secret: letters and digits (the check of Twilio's Go library),
/// trimming pasted white space.
pub fn parse_secret(text: &str) -> Result<SecretString, CredentialError> {
    let text = text.trim();
    let good = !text.is_empty()
        && text.len() <= LONGEST_SECRET
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if good {
        Ok(SecretString::from(text))
    } else {
        Err(CredentialError::Secret)
    }
}

/// Who signs in: the account itself, or one of its API keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    /// The secret is the Auth Token, which also signs callbacks.
    AuthToken,
    /// The secret belongs to this API key.
    ApiKey(ApiKeySid),
}

/// What a call needs: the account in the path, and user and secret for Basic auth.
#[derive(Debug, Clone)]
pub struct Account {
    pub account_sid: AccountSid,
    pub user: User,
    pub secret: SecretString,
    pub region: Region,
}

impl Account {
    /// The user name of Basic auth.
    pub fn user_name(&self) -> &str {
        match &self.user {
            User::AuthToken => self.account_sid.as_str(),
            User::ApiKey(key) => key.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;

    use super::*;

    const HEX: &str = "0123456789abcdefABCDEF0123456789";

    #[test]
    fn pasted_white_space_is_trimmed() {
        let sid = AccountSid::parse(&format!("  AC{HEX}\n")).unwrap();
        assert_eq!(sid.as_str(), format!("AC{HEX}"));
        assert_eq!(parse_secret(" abc123\t").unwrap().expose_secret(), "abc123");
    }

    #[test]
    fn a_sid_of_another_kind_is_refused() {
        assert!(AccountSid::parse(&format!("SK{HEX}")).is_err());
        assert!(ApiKeySid::parse(&format!("AC{HEX}")).is_err());
        assert!(MessageSid::parse(&format!("MM{HEX}")).is_ok());
        assert!(MessageSid::parse(&format!("SM{HEX}")).is_ok());
        assert!(MessagingServiceSid::parse(&format!("mg{HEX}")).is_err());
        assert!(AccountSid::parse(&format!("AC{HEX}0")).is_err());
    }

    #[test]
    fn a_secret_with_other_characters_is_refused() {
        for bad in ["", "  ", "abc def", "abc:def", "abc\u{e9}", "a\nb"] {
            assert_eq!(parse_secret(bad).unwrap_err(), CredentialError::Secret);
        }
        assert!(parse_secret(&"a".repeat(129)).is_err());
    }

    #[test]
    fn an_account_shows_no_secret() {
        let account = Account {
            account_sid: AccountSid::parse(&format!("AC{HEX}")).unwrap(),
            user: User::AuthToken,
            secret: SecretString::from("topsecret"),
            region: Region::Us1,
        };
        assert!(!format!("{account:?}").contains("topsecret"));
    }

    proptest! {
        #[test]
        fn only_the_published_shape_is_a_sid(text in "(AC|SK|SM)?[0-9a-gA-G]{30,34}") {
            let shape = text.len() == 34
                && text.starts_with("AC")
                && text[2..].chars().all(|c| c.is_ascii_hexdigit());
            prop_assert_eq!(AccountSid::parse(&text).is_ok(), shape);
        }
    }
}
