//! Phone numbers: free text in, E.164 out; countries from free text.
//!
//! A number is refused when it is not *possible* (wrong length for its plan), while *not valid*
//! (a range that the plan does not know) only warns, since number plans age. `rlibphonenumber` is
//! taken for its current metadata and its strict *possible* test.

mod countries;

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberFormat, Region,
    ValidationError,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::countries::{CountryCode, UnknownCountry, country_from_text};

/// The longest text that is read; a number has at most 15 digits.
const MAX_CHARS: usize = 60;

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

/// The E.164 form of a number as a person typed it.
///
/// Digits without `+` are read nationally (with the country's own international prefix), and as
/// international only where the national reading is not valid, the international one is, and no valid
/// national number begins them: a digit too many must not make a mobile in another country of a
/// neighbour's number. Without a country they are refused: `6175550123` would otherwise reach Australia.
pub fn to_e164(text: &str, default_country: Option<CountryCode>) -> Result<Phone, PhoneProblem> {
    let digits = clean(text)?;
    let number = match default_country.and_then(CountryCode::region) {
        _ if digits.starts_with('+') => international(&digits),
        Some(region) => dialled_in(region, &digits),
        None => dialled_abroad(&digits).unwrap_or(Err(PhoneProblem::NoCountry)),
    };
    number.map(|number| number.text)
}

fn dialled_in(region: Region, digits: &str) -> Result<Possible, PhoneProblem> {
    let national = national(digits, region);
    if national.as_ref().is_ok_and(Possible::is_valid) {
        return national;
    }
    if let Some(Ok(abroad)) = dialled_abroad(digits)
        && abroad.is_valid()
    {
        return Ok(abroad);
    }
    // A number without its area code, or with a digit too few, is national, only incomplete.
    let is_incomplete = matches!(
        national,
        Err(PhoneProblem::LocalOnly | PhoneProblem::TooShort)
    );
    if is_incomplete {
        return national;
    }
    match international(&format!("+{digits}")) {
        Ok(abroad) if abroad.is_valid() && !begins_with_national(digits, region) => Ok(abroad),
        _ => national,
    }
}

/// A number of a possible length, and how its plan reads it.
struct Possible {
    text: Phone,
    number: PhoneNumber,
}

impl Possible {
    fn is_valid(&self) -> bool {
        self.number.is_valid()
    }
}

fn national(digits: &str, region: Region) -> Result<Possible, PhoneProblem> {
    possible(&PHONE_NUMBER_UTIL.parse(digits, Some(region))?)
}

/// A number with what is dialled before a foreign one in most of the world, or in North America: as good
/// as a plus sign.
fn dialled_abroad(digits: &str) -> Option<Result<Possible, PhoneProblem>> {
    let rest = ["00", "011"].iter().find_map(|p| digits.strip_prefix(p))?;
    Some(international(&format!("+{rest}")))
}

/// The shortest national number that is looked for at the beginning of longer digits.
const SHORTEST_NATIONAL: usize = 6;

/// Whether the digits are a valid national number with more digits behind.
fn begins_with_national(digits: &str, region: Region) -> bool {
    (SHORTEST_NATIONAL..digits.len()).any(|end| {
        let begins = digits.get(..end).unwrap_or_default();
        national(begins, region).is_ok_and(|number| number.is_valid())
    })
}

/// Digits with at most one `+` in front; punctuation and invisible marks of copied text dropped.
fn clean(text: &str) -> Result<String, PhoneProblem> {
    let text = text.trim();
    if text.len() > MAX_CHARS * 4 || text.chars().count() > MAX_CHARS {
        return Err(PhoneProblem::TooLong);
    }
    let text = without_decimals(text.strip_prefix("tel:").unwrap_or(text));
    let mut digits = String::new();
    for letter in text.chars() {
        match letter {
            '+' | '＋' if digits.is_empty() => digits.push('+'),
            _ if letter.is_whitespace() || is_punctuation(letter) => {}
            _ => match digit_of(letter) {
                Some(digit) => digits.push(digit),
                None if letter.is_alphabetic() || matches!(letter, '#' | '*') => {
                    return Err(PhoneProblem::Letters);
                }
                None => return Err(PhoneProblem::Character(letter)),
            },
        }
    }
    match digits.as_str() {
        "" | "+" => Err(PhoneProblem::Empty),
        _ => Ok(digits),
    }
}

/// A spreadsheet makes `6175550123.0` of a number that it takes for an amount: its only full stop.
fn without_decimals(text: &str) -> &str {
    let whole = text.strip_suffix(".0").or_else(|| text.strip_suffix(".00"));
    whole.filter(|t| !t.contains('.')).unwrap_or(text)
}

/// What people put between digits, as Google's library reads it, and the invisible marks that copied text
/// brings along.
fn is_punctuation(letter: char) -> bool {
    matches!(
        letter,
        '-' | '.' | '(' | ')' | '/' | '[' | ']' | '~' | '‐'..='―' | '−' | 'ー' | '－'..='／'
            | '（' | '）' | '［' | '］' | '～' | '⁓' | '∼'
    ) || matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(letter, '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The zeros of the scripts that have decimal digits of their own (Unicode's class Nd); nine digits follow
/// each.
const ZEROS: [u32; 38] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66,
    0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90,
    0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
    0x104a0,
];

fn digit_of(letter: char) -> Option<char> {
    let code = u32::from(letter);
    let value = ZEROS
        .iter()
        .find_map(|zero| code.checked_sub(*zero).filter(|v| *v < 10))?;
    char::from_digit(value, 10)
}

fn international(digits: &str) -> Result<Possible, PhoneProblem> {
    // Mexico's mobiles bore a 1 until 2019; no plan knows it any more.
    let old = digits.strip_prefix("+521").filter(|rest| rest.len() == 10);
    if let Some(rest) = old {
        return international(&format!("+52{rest}"));
    }
    possible(&PHONE_NUMBER_UTIL.parse(digits, None)?)
}

/// Refuses what is not possible, and what would be read as another number the next time.
fn possible(number: &PhoneNumber) -> Result<Possible, PhoneProblem> {
    match number.is_possible_with_reason() {
        Ok(NumberLengthType::IsPossible) => {}
        Ok(NumberLengthType::IsPossibleLocalOnly) => return Err(PhoneProblem::LocalOnly),
        Err(problem) => return Err(problem.into()),
    }
    let text = number.format_as(PhoneNumberFormat::E164);
    let number = PHONE_NUMBER_UTIL.parse(text.as_ref(), None)?;
    if number.format_as(PhoneNumberFormat::E164) != text {
        return Err(PhoneProblem::NotPossible);
    }
    let text = Phone::from_stored(&text).ok_or(PhoneProblem::NotPossible)?;
    Ok(Possible { text, number })
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
    fn digits_without_a_plus_are_international_only_where_nothing_national_begins_them() {
        assert_eq!(read("447700900456", "GB"), Ok("+447700900456".to_owned()));
        assert_eq!(read("2348099915238", "NG"), Ok("+2348099915238".to_owned()));
        assert_eq!(read("8613800138000", "US"), Ok("+8613800138000".to_owned()));
        for prefixed in ["00447911123456", "011 44 7911 123456"] {
            for country in ["US", "GB", "NG", ""] {
                assert_eq!(
                    read(prefixed, country),
                    Ok("+447911123456".to_owned()),
                    "{country}"
                );
            }
        }
        // A digit too many, or a number that begins as a neighbour's does: nobody abroad is meant.
        for (typo, country) in [
            ("336-555-01234", "US"),
            ("919-555-0123-45", "US"),
            ("61755501234", "US"),
            ("447700900456", "US"),
            ("2348099915238", "US"),
        ] {
            assert_eq!(
                read(typo, country),
                Err(PhoneProblem::TooManyDigits),
                "{typo}"
            );
        }
        assert_eq!(read("508-555-123", "US"), Err(PhoneProblem::TooShort));
        assert_eq!(read("030 123456.0", "DE"), Ok("+4930123456".to_owned()));
        for typed in ["3365550123.0", "6175550123.0", "6175550123.00"] {
            let digits = &typed[..10];
            assert_eq!(read(typed, "US"), Ok(format!("+1{digits}")), "{typed}");
        }
        assert_eq!(read("+16175550123.0", ""), Ok("+16175550123".to_owned()));
    }

    #[test]
    fn digits_and_marks_of_other_scripts_are_read() {
        for text in [
            "（６１７）５５５ー０１２３",
            "(६१७) ५५५-०१२३",
            "617～555／0123",
            "６１７．５５５．０１２３",
            "617\u{ad}-555\u{2060}-0123",
            "٦١٧ ٥٥٥ ٠١٢٣",
        ] {
            assert_eq!(read(text, "US"), Ok("+16175550123".to_owned()), "{text}");
        }
        assert_eq!(
            read("０３ー１２３４ー５６７８", "JP"),
            Ok("+81312345678".to_owned())
        );
    }

    #[test]
    fn two_spellings_of_one_persons_number_have_one_key() {
        let key = |text: &str| to_e164(text, None).unwrap().key().into_owned();
        assert_eq!(key("+52 1 55 1234 5678"), key("+52 55 1234 5678"));
        assert_eq!(key_of("+5215512345678"), "+525512345678");
        assert_eq!(spellings("+525512345678")[1], "+5215512345678");
        assert_eq!(key("+54 9 11 2345 6789"), key("+54 11 2345 6789"));
        assert_ne!(key("+1 617 555 0123"), key("+1 617 555 0124"));
        assert_eq!(key_of("+525512345678"), "+525512345678");
        assert_eq!(key_of("nobody"), "nobody");
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
            if let Some(number) = Phone::from_stored(&text) {
                let _ = (number.masked(), number.country(), number.grouped());
            }
        }

        /// A valid national number with more digits behind reaches nobody in another country.
        #[test]
        fn more_digits_never_lead_abroad(more in "[0-9]{1,4}", at in 0..1000_usize) {
            let countries = CountryCode::all();
            let country = countries[at % countries.len()];
            let example = country.region().map(|r| PHONE_NUMBER_UTIL.get_example_number(r));
            if let Some(Ok(example)) = example {
                let typed = example.format_as(PhoneNumberFormat::National).into_owned();
                let own = to_e164(&typed, Some(country));
                prop_assume!(own.as_ref().is_ok_and(Phone::is_valid));
                if let Ok(read) = to_e164(&format!("{typed}{more}"), Some(country)) {
                    let code = |n: &Phone| n.number().map(|n| n.country_code);
                    prop_assert_eq!(code(&read), code(&own.unwrap()), "{}{} in {}", typed, more, country);
                }
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
