//! Phone numbers: free text in, E.164 out; countries from free text.
//!
//! A number is refused when it is not *possible* (wrong length for its plan), while *not valid*
//! (a range that the plan does not know) only warns, since number plans age. `rlibphonenumber` is
//! taken for its current metadata and its strict *possible* test.

mod countries;
mod dialling;

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::{
    PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberFormat, ValidationError,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::countries::{CountryCode, UnknownCountry, country_from_text};
pub use self::dialling::to_e164;

/// A phone number in E.164 form: `+` and up to 15 digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone(String);

/// Why a text is no phone number, in words that say what to type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneProblem {
    /// Blank.
    #[error("no phone number")]
    Empty,
    /// Longer than any number with its punctuation.
    #[error("too long to be a phone number")]
    TooLong,
    /// Letters, as in an extension or a vanity number.
    #[error("has letters or an extension; type digits only")]
    Letters,
    /// A character that no number has; often two numbers in one field.
    #[error("has “{0}” in it; type one number, digits only")]
    Character(char),
    /// National digits without a country to read them in.
    #[error("has no country code; type it as +1 617 555 0123, or set a default country")]
    NoCountry,
    /// `+` and a calling code that no country has.
    #[error("begins with a country code that does not exist")]
    UnknownCallingCode,
    /// Complete only inside its own area.
    #[error("has no area code")]
    LocalOnly,
    /// Fewer digits than any number of its country.
    #[error("has too few digits for its country")]
    TooShort,
    /// More digits than any number of its country.
    #[error("has too many digits for its country")]
    TooManyDigits,
    /// A length that no number of its country has.
    #[error("is not a possible number of its country")]
    NotPossible,
}

impl Phone {
    /// Reads `+` and 7 to 15 digits as stored; says nothing about the numbering plan.
    pub fn from_stored(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let is_shaped = (7..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        is_shaped.then(|| Self(text.to_owned()))
    }

    /// `+16175550123`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the numbering plan knows its range; `false` only warns.
    pub fn is_valid(&self) -> bool {
        self.number().is_some_and(|number| number.is_valid())
    }

    /// The country it belongs to; none for satellite phones and unknown ranges of shared codes.
    pub fn country(&self) -> Option<CountryCode> {
        let number = self.number()?;
        let region = number
            .get_region_code()
            .or_else(|| PHONE_NUMBER_UTIL.get_region_for_country_code(number.country_code))?;
        CountryCode::from_region(region)
    }

    /// Enough to recognise it by, not enough to call it: `+1 617 … 0123`.
    pub fn masked(&self) -> String {
        let digits = &self.0[1..];
        let code = self.number().map_or_else(
            || digits[..1].to_owned(),
            |number| number.country_code.to_string(),
        );
        let national = digits.strip_prefix(code.as_str()).unwrap_or_default();
        // At least three digits stay hidden.
        let (head, tail) = match national.len() {
            10.. => (3, 4),
            8..=9 => (2, 3),
            5..=7 => (0, 2),
            _ => (0, 0),
        };
        let (head, tail) = (&national[..head], &national[national.len() - tail..]);
        let parts = [&format!("+{code}"), head, "…", tail];
        parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Grouped for reading: `+1 617-555-0123`.
    pub fn grouped(&self) -> String {
        self.number().map_or_else(
            || self.0.clone(),
            |number| {
                number
                    .format_as(PhoneNumberFormat::International)
                    .into_owned()
            },
        )
    }

    /// What tells whether two numbers are one person's. Mexico's mobiles had a `1` after `+52` until 2019,
    /// and Argentina's have a `9` after `+54` when they are called from abroad; carriers send either form
    /// (Twilio: messages to `+52…` are answered from `+521…`).
    pub fn key(&self) -> std::borrow::Cow<'_, str> {
        key_of(&self.0)
    }

    fn number(&self) -> Option<PhoneNumber> {
        PHONE_NUMBER_UTIL.parse(&self.0, None).ok()
    }
}

/// The same for a number that is stored as text; anything else is its own key.
pub fn key_of(address: &str) -> std::borrow::Cow<'_, str> {
    let mobile = |code: &'static str, mark: &str| {
        let rest = address.strip_prefix(code)?.strip_prefix(mark)?;
        (rest.len() == 10).then(|| format!("{code}{rest}"))
    };
    let key = mobile("+52", "1").or_else(|| mobile("+54", "9"));
    key.map_or_else(|| address.into(), Into::into)
}

/// The spellings under which one person's number may have been stored.
pub fn spellings(address: &str) -> [String; 2] {
    let key = key_of(address).into_owned();
    let other = [("+52", "1"), ("+54", "9")]
        .iter()
        .find_map(|(code, mark)| {
            let rest = key.strip_prefix(code).filter(|rest| rest.len() == 10)?;
            Some(format!("{code}{mark}{rest}"))
        });
    let other = other.unwrap_or_else(|| key.clone());
    [key, other]
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Masked, so that a number never reaches a log by way of `{:?}`.
impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl FromStr for Phone {
    type Err = PhoneProblem;

    fn from_str(text: &str) -> Result<Self, PhoneProblem> {
        to_e164(text, None)
    }
}

impl Serialize for Phone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Phone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_stored(&text)
            .ok_or_else(|| serde::de::Error::custom("expected + and 7 to 15 digits"))
    }
}

impl From<ParseError> for PhoneProblem {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::InvalidCountryCode => Self::UnknownCallingCode,
            ParseError::NotANumber(_) => Self::NotPossible,
            ParseError::TooShortAfterIdd | ParseError::TooShortNsn => Self::TooShort,
            ParseError::TooLongNsn => Self::TooManyDigits,
        }
    }
}

impl From<ValidationError> for PhoneProblem {
    fn from(error: ValidationError) -> Self {
        match error {
            ValidationError::TooShort => Self::TooShort,
            ValidationError::TooLong => Self::TooManyDigits,
            ValidationError::InvalidCountryCode => Self::UnknownCallingCode,
            ValidationError::InvalidLength => Self::NotPossible,
        }
    }
}

#[cfg(test)]
mod tests;
