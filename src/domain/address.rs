//! Where a message goes: a phone number or an e-mail address, as it is given to a provider, and the key that
//! tells whether two of them are one.

use std::borrow::Cow;
use std::fmt;

use email_address::{EmailAddress, Options};

use super::channel::Channel;
use super::phone;
pub use super::phone::Phone;

/// The longest e-mail address that mail servers take, in bytes (RFC 5321, 4.5.3.1.3, less its brackets).
const LONGEST_EMAIL: usize = 254;

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    Phone(Phone),
    Email(Email),
}

impl Address {
    /// The channel over which it can be reached.
    pub const fn channel(&self) -> Channel {
        match self {
            Self::Phone(_) => Channel::Sms,
            Self::Email(_) => Channel::Email,
        }
    }

    /// As it is given to a provider, and stored.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Phone(number) => number.as_str(),
            Self::Email(email) => email.as_str(),
        }
    }

    /// What tells whether two addresses are one.
    pub fn key(&self) -> Cow<'_, str> {
        match self {
            Self::Phone(number) => number.key(),
            Self::Email(email) => Cow::Owned(email.key()),
        }
    }

    /// Enough to recognise it by, not enough to write to it.
    pub fn masked(&self) -> String {
        match self {
            Self::Phone(number) => number.masked(),
            Self::Email(email) => email.masked(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where messages to somebody of the team go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnAddresses {
    pub phone: Option<Phone>,
    pub email: Option<Email>,
}

impl OwnAddresses {
    /// That of a channel, where it is known and confirmed.
    pub fn of(&self, channel: Channel) -> Option<Address> {
        match channel {
            Channel::Sms => self.phone.clone().map(Address::Phone),
            Channel::Email => self.email.clone().map(Address::Email),
        }
    }
}

/// The key of an address that is stored as text.
pub fn key_of(channel: Channel, address: &str) -> Cow<'_, str> {
    match channel {
        Channel::Sms => phone::key_of(address),
        Channel::Email => Cow::Owned(key_of_email(address)),
    }
}

/// An e-mail address as somebody typed it: its case and its spelling are theirs.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

/// Why a text is no e-mail address, in words that say what to type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailProblem {
    /// Blank.
    #[error("no e-mail address")]
    Empty,
    #[error("is too long to be an e-mail address")]
    TooLong,
    #[error("is no e-mail address; type one such as ann@example.com")]
    Shape,
    /// No DNS name can be made of what stands behind the `@`.
    #[error("has a domain that cannot exist; look at what stands behind the @")]
    Domain,
}

impl Email {
    /// Reads one address, without a name beside it.
    ///
    /// # Errors
    ///
    /// If it is none, or none that the internet's mail can reach.
    pub fn parse(text: &str) -> Result<Self, EmailProblem> {
        let text = text.trim();
        if text.is_empty() {
            return Err(EmailProblem::Empty);
        }
        if text.len() > LONGEST_EMAIL {
            return Err(EmailProblem::TooLong);
        }
        let options = Options::default()
            .with_required_tld()
            .without_domain_literal()
            .without_display_text();
        EmailAddress::parse_with_options(text, options).map_err(|_| EmailProblem::Shape)?;
        let email = Self(text.to_owned());
        let domain = idna::domain_to_ascii_strict(email.parts().1);
        domain.map_err(|_| EmailProblem::Domain)?;
        Ok(email)
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Both parts in lower case, the domain as DNS has it. Dots and what follows a plus count: not every
    /// server ignores them.
    pub fn key(&self) -> String {
        key_of_email(&self.0)
    }

    /// `a…@example.com`.
    pub fn masked(&self) -> String {
        let (local, domain) = self.parts();
        let first = local.chars().next().map(String::from).unwrap_or_default();
        format!("{first}…@{domain}")
    }

    fn parts(&self) -> (&str, &str) {
        parts(&self.0)
    }
}

fn key_of_email(address: &str) -> String {
    let (local, domain) = parts(address);
    let domain = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_lowercase());
    format!("{}@{domain}", local.to_lowercase())
}

fn parts(address: &str) -> (&str, &str) {
    address.rsplit_once('@').unwrap_or((address, ""))
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// People's addresses stay out of logs.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Email({})", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> String {
        Email::parse(text).unwrap().key()
    }

    #[test]
    fn it_stays_as_it_was_typed_and_is_compared_without_case() {
        let typed = Email::parse(" Ann.Lee+Books@Example.COM ").unwrap();
        assert_eq!(typed.as_str(), "Ann.Lee+Books@Example.COM");
        assert_eq!(typed.key(), "ann.lee+books@example.com");
        assert_eq!(typed.masked(), "A…@Example.COM");
        assert_eq!(format!("{typed:?}"), "Email(A…@Example.COM)");
    }

    #[test]
    fn dots_and_plus_are_not_folded() {
        assert_ne!(key("annlee@example.com"), key("ann.lee@example.com"));
        assert_ne!(key("ann@example.com"), key("ann+x@example.com"));
    }

    #[test]
    fn a_domain_is_the_same_in_letters_and_in_punycode() {
        assert_eq!(key("ann@münchen.de"), "ann@xn--mnchen-3ya.de");
        assert_eq!(key("ann@MÜNCHEN.de"), key("ann@xn--mnchen-3ya.de"));
    }

    #[test]
    fn what_is_none_is_refused_with_what_to_type() {
        let problem = |text: &str| Email::parse(text).unwrap_err();
        assert_eq!(problem("  "), EmailProblem::Empty);
        assert_eq!(
            problem(&format!("{}@example.com", "a".repeat(300))),
            EmailProblem::TooLong
        );
        for text in [
            "ann",
            "ann@",
            "@example.com",
            "ann@localhost",
            "ann@[127.0.0.1]",
            "Ann <ann@example.com>",
            "ann@example.com, bo@example.com",
            "ann@example.com\r\nBcc: bo@example.com",
            "ann @example.com",
        ] {
            assert_eq!(problem(text), EmailProblem::Shape, "{text}");
        }
        assert_eq!(problem("ann@xn--a.com"), EmailProblem::Domain);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_a_key_is_its_own_key(text in "\\PC{0,30}") {
            for text in [text.clone(), format!("{text}@example.com"), format!("a@{text}.de")] {
                let Ok(email) = Email::parse(&text) else { continue };
                let key = email.key();
                prop_assert!(!key.chars().any(char::is_control));
                prop_assert_eq!(Email::parse(&key).map(|k| k.key()), Ok(key));
            }
        }
    }
}
