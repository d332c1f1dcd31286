//! Decimals: exact numbers that are read from texts, and written for people.
//!
//! Nothing here goes through a float: 0.1 + 0.2 is 0.3, and a 19-digit id compares exactly. A number
//! beyond 28 whole digits is none and stays the text that it was; decimals beyond the 28th are rounded off.

use rust_decimal::{Decimal, RoundingStrategy};

/// The longest text that is read as a number; longer ones are text.
const MAX_CHARS: usize = 64;

/// Reads plain decimal text as a person types it: `-1350.00`. No exponent, no thousands
/// separators, so that `1e5` in a reference number stays a text.
pub fn parse(text: &str) -> Option<Decimal> {
    let text = text.trim();
    is_plain(text).then(|| text.parse().ok())?
}

/// Reads the text of a JSON number, which may have an exponent.
pub fn parse_json(text: &str) -> Option<Decimal> {
    let text = text.trim();
    let Some((mantissa, _)) = text.split_once(['e', 'E']) else {
        return parse(text);
    };
    let is_number = is_plain(mantissa) && text.len() <= MAX_CHARS;
    is_number.then(|| Decimal::from_scientific_lossy(text).ok())?
}

/// Stricter than the library, which reads `+5`, `.5`, `5.` and `1_000` too.
fn is_plain(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.len() <= MAX_CHARS
        && match digits.split_once('.') {
            Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
            None => is_digits(digits),
        }
}

/// Reads an amount as a person types it, also with separators between thousands, and answers its
/// plain text; `None` where it could mean two things (`1.000`) or nothing.
pub fn plain_text_of(typed: &str) -> Option<String> {
    let text: String = typed
        .trim()
        .chars()
        .map(|c| {
            if matches!(c, '\u{a0}' | '\u{202f}' | '\'' | '\u{2019}') {
                ' '
            } else {
                c
            }
        })
        .collect();
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.as_str()),
    };
    let last = |sign: char| text.rfind(sign);
    let (decimal, group) = match (last('.'), last(','), last(' ')) {
        (Some(dot), Some(comma), None) if dot > comma => ('.', ','),
        (Some(_), None, None) if text.matches('.').count() > 1 => (',', '.'),
        (None, Some(_), None) if is_grouped(text, ',') => ('.', ','),
        (_, Some(_), None) => (',', '.'),
        (_, Some(_), Some(_)) => (',', ' '),
        _ => ('.', ' '),
    };
    let (whole, fraction) = match text.split_once(decimal) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    // "1.000" is one in London and a thousand in Berlin; "1,000" is taken for a thousand, as asked.
    let is_unclear = decimal == '.'
        && group == ' '
        && !text.contains(' ')
        && fraction.is_some_and(|f| f.len() == 3)
        && whole.len() <= 3
        && !whole.starts_with('0');
    if is_unclear || (whole.contains(group) && !is_grouped(whole, group)) {
        return None;
    }
    let whole = whole.replace(group, "");
    let plain = match fraction {
        Some(fraction) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{whole}"),
    };
    parse(&plain).map(|_| plain)
}

/// Whether digits stand in groups of three, or as in India (`1,00,000`).
fn is_grouped(text: &str, sign: char) -> bool {
    let parts: Vec<&str> = text.split(sign).collect();
    let [first, middle @ .., last] = parts.as_slice() else {
        return false;
    };
    let even = |size: usize| middle.iter().all(|part| part.len() == size);
    parts
        .iter()
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        && last.len() == 3
        && first.len() <= 3
        && (even(3) || (even(2) && first.len() <= 2))
}

/// The text with exactly `places` decimals, rounded half away from zero, and `separator`
/// between thousands (none for `None`).
pub fn fixed(number: Decimal, places: u32, separator: Option<char>) -> String {
    let rounded = number.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
    let digits = rounded.abs().to_string();
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let is_negative = rounded.is_sign_negative() && !rounded.is_zero();
    let mut text = String::from(if is_negative { "-" } else { "" });
    for (index, digit) in whole.chars().enumerate() {
        if index > 0
            && (whole.len() - index).is_multiple_of(3)
            && let Some(separator) = separator
        {
            text.push(separator);
        }
        text.push(digit);
    }
    if places > 0 {
        text.push('.');
        text.push_str(fraction);
        // Not left to `{:.*}`, which panics where digits and places are more than 32.
        text.extend(std::iter::repeat_n('0', places as usize - fraction.len()));
    }
    text
}

/// How many decimals it has: one in 1350.10, none in 1350.
pub fn places(number: Decimal) -> u32 {
    number.normalize().scale()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        parse_json(text).unwrap()
    }

    #[test]
    fn decimals_compare_whatever_their_scale() {
        assert_eq!(decimal("1350"), decimal("1350.000"));
        assert_eq!(decimal("0"), decimal("-0.00"));
        assert!(decimal("9007199254740993") > decimal("9007199254740992"));
        assert!(decimal("0.05") < decimal("0.5"));
        assert!(decimal("-10") < decimal("-9.99"));
        assert!(decimal("1e3") > decimal("999.999"));
    }

    #[test]
    fn a_number_beyond_twenty_eight_digits_stays_text() {
        let longest = "9".repeat(28);
        assert_eq!(fixed(decimal(&longest), 0, None), longest);
        assert_eq!(parse_json(&"9".repeat(30)), None);
        assert_eq!(parse_json("1e28").map(places), Some(0));
        assert_eq!(parse_json("1e29"), None);
        assert_eq!(parse_json("1e-29"), None);
        assert_eq!(parse_json("8e28"), None);
        assert_eq!(parse_json(&"0".repeat(65)), None);
    }

    #[test]
    fn the_tail_of_a_float_is_rounded_off() {
        let tail = "0.1000000000000000055511151231257827021181583404541015625";
        assert_eq!(fixed(decimal(tail), 2, None), "0.10");
        assert_eq!(
            decimal("1.1000000000000000000000000000000000"),
            decimal("1.1")
        );
    }

    #[test]
    fn only_plain_digits_are_a_number() {
        for text in [
            "", " ", "1,350.00", "$5", "+5", ".5", "5.", "1_000", "--1", "٣", "NaN", "0x1",
        ] {
            assert_eq!(parse_json(text), None, "{text:?}");
        }
        for text in ["1e", "e5", "1e1_0", "1e5.0", "1e 5", "1e--5", "1e999"] {
            assert_eq!(parse_json(text), None, "{text:?}");
        }
        assert_eq!(parse("1e3"), None);
        assert_eq!(parse_json("1E+3"), parse("1000"));
        assert_eq!(parse_json("0.000000000000000000000000001e27"), parse("1"));
    }

    #[test]
    fn no_zero_has_a_sign_and_no_number_is_too_long_to_write() {
        assert_eq!(fixed(decimal("-0.001"), 2, Some(',')), "0.00");
        assert_eq!(fixed(decimal("-0"), 0, None), "0");
        assert_eq!(fixed(decimal("99.995"), 2, None), "100.00");
        assert_eq!(fixed(decimal("-1234567.5"), 0, Some(',')), "-1,234,568");
        let long = fixed(decimal(&"9".repeat(28)), 20, None);
        assert_eq!(long, format!("{}.{}", "9".repeat(28), "0".repeat(20)));
    }

    proptest! {
        #[test]
        fn a_plain_number_is_written_as_it_was_read(units: i64, places in 0_u32..=6) {
            let number = Decimal::new(units, places);
            let text = fixed(number, places, None);
            prop_assert_eq!(parse(&text), Some(number));
            prop_assert_eq!(fixed(number, places, Some(',')).replace(',', ""), text);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,80}", number in "-?[0-9]{1,40}(\\.[0-9]{1,40})?(e-?[0-9]{1,3})?") {
            for text in [text, number] {
                let _ = plain_text_of(&text);
                if let Some(decimal) = parse_json(&text) {
                    for places in [0, 3, 6, 28] {
                        let _ = fixed(decimal, places, Some(','));
                    }
                }
            }
        }
    }
}
