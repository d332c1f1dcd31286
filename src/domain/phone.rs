//! Phone numbers: free text in, E.164 out; countries from free text.
//!
//! A number is refused when it is not *possible* (wrong length for its plan), while *not valid*
//! (a range that the plan does not know) only warns, since number plans age. `rlibphonenumber` is
//! taken for its current metadata and its strict *possible* test.

mod countries;

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberFormat,
    ValidationError,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::countries::{CountryCode, UnknownCountry, country_from_text};

/// The longest text that is read; a number has at most 15 digits.
const MAX_CHARS: usize = 60;

/// A phone number in E.164 form: `+` and up to 15 digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct E164(String);

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

impl E164 {
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

    fn number(&self) -> Option<PhoneNumber> {
        PHONE_NUMBER_UTIL.parse(&self.0, None).ok()
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Masked, so that a number never reaches a log by way of `{:?}`.
impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl FromStr for E164 {
    type Err = PhoneProblem;

    fn from_str(text: &str) -> Result<Self, PhoneProblem> {
        to_e164(text, None)
    }
}

impl Serialize for E164 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for E164 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_stored(&text)
            .ok_or_else(|| serde::de::Error::custom("expected + and 7 to 15 digits"))
    }
}

/// The E.164 form of a number as a person typed it.
///
/// Digits without `+` are read nationally (with the country's own international prefix, `00` or
/// `011`), and as international only where the national reading is not possible. Without a country
/// they are refused: `6175550123` would otherwise reach Australia.
pub fn to_e164(text: &str, default_country: Option<CountryCode>) -> Result<E164, PhoneProblem> {
    let digits = clean(text)?;
    if digits.starts_with('+') {
        return international(&digits);
    }
    let Some(region) = default_country.and_then(CountryCode::region) else {
        // The usual international prefix is as good as a plus sign.
        return match digits.strip_prefix("00") {
            Some(rest) => international(&format!("+{rest}")),
            None => Err(PhoneProblem::NoCountry),
        };
    };
    let national = PHONE_NUMBER_UTIL
        .parse(&digits, Some(region))
        .map_err(PhoneProblem::from)
        .and_then(|number| possible(&number));
    match national {
        // A number without its area code is national, only incomplete.
        Ok(_) | Err(PhoneProblem::LocalOnly) => national,
        Err(problem) => international(&format!("+{digits}")).map_err(|_| problem),
    }
}

/// Digits with at most one `+` in front; punctuation and invisible marks of copied text dropped.
fn clean(text: &str) -> Result<String, PhoneProblem> {
    let text = text.trim();
    if text.len() > MAX_CHARS * 4 || text.chars().count() > MAX_CHARS {
        return Err(PhoneProblem::TooLong);
    }
    let text = text.strip_prefix("tel:").unwrap_or(text);
    let mut digits = String::new();
    for letter in text.chars() {
        match letter {
            '0'..='9' => digits.push(letter),
            '+' | '＋' if digits.is_empty() => digits.push('+'),
            '０'..='９' => digits.extend(digit_of(letter, '０')),
            '٠'..='٩' => digits.extend(digit_of(letter, '٠')),
            '۰'..='۹' => digits.extend(digit_of(letter, '۰')),
            _ if letter.is_whitespace() || is_punctuation(letter) => {}
            _ if letter.is_alphabetic() || matches!(letter, '#' | '*') => {
                return Err(PhoneProblem::Letters);
            }
            _ => return Err(PhoneProblem::Character(letter)),
        }
    }
    match digits.as_str() {
        "" | "+" => Err(PhoneProblem::Empty),
        _ => Ok(digits),
    }
}

/// What people put between digits, and the invisible marks that copied text brings along.
fn is_punctuation(letter: char) -> bool {
    matches!(
        letter,
        '-' | '.' | '(' | ')' | '/' | '[' | ']' | '‐'..='―' | '−'
    ) || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(letter, '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn digit_of(letter: char, zero: char) -> Option<char> {
    char::from_digit(u32::from(letter) - u32::from(zero), 10)
}

fn international(digits: &str) -> Result<E164, PhoneProblem> {
    possible(&PHONE_NUMBER_UTIL.parse(digits, None)?)
}

/// Refuses what is not possible, and what would be read as another number the next time.
fn possible(number: &PhoneNumber) -> Result<E164, PhoneProblem> {
    match number.is_possible_with_reason() {
        Ok(NumberLengthType::IsPossible) => {}
        Ok(NumberLengthType::IsPossibleLocalOnly) => return Err(PhoneProblem::LocalOnly),
        Err(problem) => return Err(problem.into()),
    }
    let text = number.format_as(PhoneNumberFormat::E164);
    let again = PHONE_NUMBER_UTIL.parse(text.as_ref(), None)?;
    if again.format_as(PhoneNumberFormat::E164) != text {
        return Err(PhoneProblem::NotPossible);
    }
    E164::from_stored(&text).ok_or(PhoneProblem::NotPossible)
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, country: &str) -> Result<String, PhoneProblem> {
        to_e164(text, country_from_text(country)).map(|number| number.to_string())
    }

    #[test]
    fn national_numbers_are_read_in_the_default_country() {
        assert_eq!(read("(617) 555-0123", "US"), Ok("+16175550123".to_owned()));
        assert_eq!(read("07700 900456", "GB"), Ok("+447700900456".to_owned()));
        assert_eq!(
            read("０７７００ ９００４５６", "GB"),
            Ok("+447700900456".to_owned())
        );
        assert_eq!(read("98765 43210", "India"), Ok("+919876543210".to_owned()));
        assert_eq!(read("06 12 34 56 78", "FR"), Ok("+33612345678".to_owned()));
        assert_eq!(read("02 1234 5678", "IT"), Ok("+390212345678".to_owned()));
    }

    #[test]
    fn digits_without_a_plus_are_international_only_where_no_national_number_is_possible() {
        assert_eq!(read("447700900456", "US"), Ok("+447700900456".to_owned()));
        assert_eq!(read("447700900456", "GB"), Ok("+447700900456".to_owned()));
        assert_eq!(read("2348099915238", "US"), Ok("+2348099915238".to_owned()));
        assert_eq!(read("2348099915238", "NG"), Ok("+2348099915238".to_owned()));
        assert_eq!(read("00447700900456", "GB"), Ok("+447700900456".to_owned()));
        assert_eq!(
            read("011 44 7700 900456", "US"),
            Ok("+447700900456".to_owned())
        );
    }

    #[test]
    fn a_plus_sign_wins_over_the_default_country() {
        assert_eq!(
            read("+44 7700 900456", "US"),
            Ok("+447700900456".to_owned())
        );
        assert_eq!(
            read("+44 (0)20 7946 0018", "US"),
            Ok("+442079460018".to_owned())
        );
        assert_eq!(
            read("\u{202a}+1 (617) 555‑0123\u{202c}", ""),
            Ok("+16175550123".to_owned())
        );
        assert_eq!(read("tel:+16175550123", ""), Ok("+16175550123".to_owned()));
    }

    #[test]
    fn the_captured_nigerian_number_with_its_national_zero_is_read() {
        assert_eq!(
            read("+234-0900998877", "US"),
            Ok("+2340900998877".to_owned())
        );
        assert_eq!(
            read("+234-08099915238", "US"),
            Ok("+2348099915238".to_owned())
        );
    }

    #[test]
    fn what_is_no_number_is_refused_with_the_reason() {
        assert_eq!(read("", "US"), Err(PhoneProblem::Empty));
        assert_eq!(read(" + ", "US"), Err(PhoneProblem::Empty));
        assert_eq!(read("617 555 0123 ext 4", "US"), Err(PhoneProblem::Letters));
        assert_eq!(read("1-800-FLOWERS", "US"), Err(PhoneProblem::Letters));
        assert_eq!(
            read("617 555 0123;617 555 0124", "US"),
            Err(PhoneProblem::Character(';'))
        );
        assert_eq!(read("1+2", "US"), Err(PhoneProblem::Character('+')));
        assert_eq!(read("555-0123", "US"), Err(PhoneProblem::LocalOnly));
        // Not Germany: incomplete numbers are not guessed at.
        assert_eq!(read("491-2345", "US"), Err(PhoneProblem::LocalOnly));
        assert_eq!(read("12", "US"), Err(PhoneProblem::TooShort));
        assert_eq!(
            read("+1 617 555 01234", "US"),
            Err(PhoneProblem::TooManyDigits)
        );
        assert_eq!(
            read("+999 1234567", "US"),
            Err(PhoneProblem::UnknownCallingCode)
        );
        assert_eq!(read("6175550123", ""), Err(PhoneProblem::NoCountry));
        assert_eq!(read(&"1".repeat(1000), "US"), Err(PhoneProblem::TooLong));
    }

    #[test]
    fn a_possible_number_of_an_unknown_range_only_warns() {
        let fictional = to_e164("+1 617 111 0123", None).unwrap();
        assert!(!fictional.is_valid());
        assert!(to_e164("+1 617 253 1000", None).unwrap().is_valid());
    }

    #[test]
    fn a_masked_number_hides_its_middle() {
        let masked = |text: &str| to_e164(text, None).unwrap().masked();
        assert_eq!(masked("+16175550123"), "+1 617 … 0123");
        assert_eq!(masked("+447700900456"), "+44 770 … 0456");
        assert_eq!(masked("+4531234567"), "+45 31 … 567");
        assert_eq!(
            format!("{:?}", to_e164("+16175550123", None).unwrap()),
            "+1 617 … 0123"
        );
    }

    #[test]
    fn a_number_knows_its_country() {
        let country = |text: &str| {
            to_e164(text, None)
                .unwrap()
                .country()
                .map(|c| c.to_string())
        };
        assert_eq!(country("+447700900456").as_deref(), Some("GB"));
        assert_eq!(country("+16045550123").as_deref(), Some("CA"));
        assert_eq!(country("+2348099915238").as_deref(), Some("NG"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,70}") {
            let _ = to_e164(&text, CountryCode::parse("US").ok());
            let _ = to_e164(&text, None);
            let _ = country_from_text(&text);
            if let Some(number) = E164::from_stored(&text) {
                let _ = (number.masked(), number.country(), number.grouped());
            }
        }

        #[test]
        fn what_is_accepted_reads_as_itself_again(
            text in "[+]?[0-9]{5,16}",
            country in proptest::sample::select(CountryCode::all()),
        ) {
            if let Ok(number) = to_e164(&text, Some(country)) {
                prop_assert_eq!(to_e164(number.as_str(), None), Ok(number.clone()));
                prop_assert_eq!(to_e164(number.as_str(), Some(country)), Ok(number.clone()));
                prop_assert!(!number.masked().contains(&number.as_str()[2..]));
            }
        }
    }
}
