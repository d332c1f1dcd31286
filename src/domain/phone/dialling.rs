//! A number as a person typed it, read as it would be dialled.

use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, Region,
};

use super::{CountryCode, Phone, PhoneProblem};

/// The longest text that is read; a number has at most 15 digits.
const MAX_CHARS: usize = 60;

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
