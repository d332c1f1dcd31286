//! Money: exact amounts in ten-thousandths, decimals of any length, and currencies.
//!
//! Nothing here goes through a float: 0.1 + 0.2 is 0.3, and a 19-digit id compares exactly.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest decimal text that is read as a number; longer ones are text.
const MAX_DECIMAL_CHARS: usize = 64;

/// The largest power of ten that an exponent may name.
const MAX_EXPONENT: i64 = 64;

/// An amount of money in ten-thousandths of its currency's unit; the currency stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(pub i64);

/// A text that is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountProblem {
    /// Not a decimal.
    #[error("not a number; type one such as 1000 or 1000.50")]
    NotANumber,
    /// More than four decimal places.
    #[error("more than four decimal places")]
    TooFine,
    /// Beyond about 922 trillion.
    #[error("too large an amount")]
    TooLarge,
}

impl Amount {
    /// Reads the text of a number exactly, plain (`1350.00`) or with an exponent (`1.35e3`).
    ///
    /// Zoho sends amounts as JSON numbers, some of them integers, and lists type some as texts.
    pub fn parse(text: &str) -> Result<Self, AmountProblem> {
        let decimal = Decimal::parse_wire(text).ok_or(AmountProblem::NotANumber)?;
        let shift = decimal.exponent + 4;
        let shift = if decimal.digits.is_empty() { 0 } else { shift };
        let shift = u32::try_from(shift).map_err(|_| AmountProblem::TooFine)?;
        let mut value: i128 = 0;
        for digit in decimal.digits.bytes() {
            value = value
                .checked_mul(10)
                .and_then(|v| v.checked_add(i128::from(digit - b'0')))
                .ok_or(AmountProblem::TooLarge)?;
        }
        let value = 10_i128
            .checked_pow(shift)
            .and_then(|factor| value.checked_mul(factor))
            .ok_or(AmountProblem::TooLarge)?;
        let value = if decimal.negative { -value } else { value };
        i64::try_from(value)
            .map(Self)
            .map_err(|_| AmountProblem::TooLarge)
    }

    /// Plain decimal text with at least two places and no more than it needs: `1350.00`, `0.125`.
    pub fn to_decimal_text(self) -> String {
        let units = self.0.unsigned_abs();
        let mut fraction = format!("{:04}", units % 10_000);
        while fraction.len() > 2 && fraction.ends_with('0') {
            fraction.pop();
        }
        let sign = if self.0 < 0 { "-" } else { "" };
        format!("{sign}{}.{fraction}", units / 10_000)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_decimal_text())
    }
}

impl FromStr for Amount {
    type Err = AmountProblem;

    fn from_str(text: &str) -> Result<Self, AmountProblem> {
        Self::parse(text)
    }
}

/// A decimal of any scale, compared exactly. Leading and trailing zeros do not count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Decimal {
    negative: bool,
    /// Significant digits without leading or trailing zeros; empty for zero.
    digits: String,
    /// The power of ten of the last digit.
    exponent: i64,
}

impl Decimal {
    /// Reads plain decimal text as a person types it: `-1350.00`. No exponent, no thousands
    /// separators, so that `1e5` in a reference number stays a text.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        Self::from_parts(negative, digits, 0)
    }

    /// Reads the text of a JSON number, which may have an exponent.
    pub fn parse_wire(text: &str) -> Option<Self> {
        let text = text.trim();
        let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
            return Self::parse(text);
        };
        let exponent: i64 = exponent.parse().ok()?;
        if exponent.abs() > MAX_EXPONENT {
            return None;
        }
        let (negative, digits) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        Self::from_parts(negative, digits, exponent)
    }

    fn from_parts(negative: bool, text: &str, exponent: i64) -> Option<Self> {
        if text.len() > MAX_DECIMAL_CHARS {
            return None;
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_plain = !whole.is_empty()
            && (text.len() == whole.len() || !fraction.is_empty())
            && whole
                .bytes()
                .chain(fraction.bytes())
                .all(|b| b.is_ascii_digit());
        if !is_plain {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let mut exponent = exponent - i64::try_from(fraction.len()).ok()?;
        let significant = all.trim_start_matches('0');
        let trimmed = significant.trim_end_matches('0');
        exponent += i64::try_from(significant.len() - trimmed.len()).ok()?;
        if trimmed.is_empty() {
            return Some(Self {
                negative: false,
                digits: String::new(),
                exponent: 0,
            });
        }
        Some(Self {
            negative,
            digits: trimmed.to_owned(),
            exponent,
        })
    }

    /// The text with exactly `places` decimals, rounded half away from zero, and `separator`
    /// between thousands (none for `None`).
    pub fn to_fixed(&self, places: u32, separator: Option<char>) -> String {
        let places = places.min(20);
        let (mut digits, mut exponent) = (self.digits.clone(), self.exponent);
        let drop = -(exponent + i64::from(places));
        if drop > 0 {
            digits = round_off(&digits, usize::try_from(drop).unwrap_or(usize::MAX));
            exponent = -i64::from(places);
        }
        // Now the last digit stands at or left of the last place asked for.
        let zeros = usize::try_from(exponent + i64::from(places)).unwrap_or(0);
        let places = places as usize;
        digits.extend(std::iter::repeat_n('0', zeros));
        let padded = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = padded.split_at(padded.len() - places);
        let is_zero = padded.bytes().all(|b| b == b'0');
        let mut text = String::from(if self.negative && !is_zero { "-" } else { "" });
        for (index, digit) in whole.chars().enumerate() {
            if index > 0
                && (whole.len() - index).is_multiple_of(3)
                && let Some(separator) = separator
            {
                text.push(separator);
            }
            text.push(digit);
        }
        if !fraction.is_empty() {
            text.push('.');
            text.push_str(fraction);
        }
        text
    }

    /// How many decimals it has: one in 1350.10, none in 1350.
    pub fn places(&self) -> u32 {
        u32::try_from(-self.exponent).unwrap_or(0)
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
        Self::parse(&plain).map(|_| plain)
    }

    /// The power of ten of the first digit, plus one: 1350 has 4, 0.05 has -1.
    fn magnitude(&self) -> i64 {
        i64::try_from(self.digits.len())
            .unwrap_or(i64::MAX)
            .saturating_add(self.exponent)
    }

    fn compare_size(&self, other: &Self) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            // Without trailing zeros, digits of one magnitude compare like text.
            (false, false) => self
                .magnitude()
                .cmp(&other.magnitude())
                .then_with(|| self.digits.as_str().cmp(&other.digits)),
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.compare_size(other),
            (true, true) => other.compare_size(self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<Amount> for Decimal {
    fn from(amount: Amount) -> Self {
        let zero = Self {
            negative: false,
            digits: String::new(),
            exponent: 0,
        };
        Self::parse(&amount.to_decimal_text()).unwrap_or(zero)
    }
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

/// Drops the last `drop` digits, rounding half away from zero.
fn round_off(digits: &str, drop: usize) -> String {
    if drop > digits.len() {
        return String::new();
    }
    let (kept, dropped) = digits.split_at(digits.len() - drop);
    let mut kept = kept.as_bytes().to_vec();
    if dropped
        .as_bytes()
        .first()
        .is_some_and(|digit| *digit >= b'5')
    {
        let mut index = kept.len();
        loop {
            if index == 0 {
                kept.insert(0, b'1');
                break;
            }
            index -= 1;
            if kept[index] == b'9' {
                kept[index] = b'0';
            } else {
                kept[index] += 1;
                break;
            }
        }
    }
    kept.into_iter().map(char::from).collect()
}

/// A currency of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

/// A text that is no currency code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a currency code; type three letters such as USD, EUR or INR")]
pub struct UnknownCurrency;

impl Currency {
    /// Reads a three-letter code in any case.
    pub fn parse(code: &str) -> Result<Self, UnknownCurrency> {
        let code = code.trim();
        if code.len() != 3 {
            return Err(UnknownCurrency);
        }
        iso_currency::Currency::from_code(&code.to_ascii_uppercase())
            .map(Self)
            .ok_or(UnknownCurrency)
    }

    /// The code, upper case.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Decimal places in use: 2 for USD, 0 for JPY, 3 for KWD.
    pub fn places(self) -> u32 {
        self.0.exponent().map_or(2, u32::from)
    }

    /// The symbol, where it names this currency alone and costs nothing in an SMS: other dollars
    /// share `$`, and `₹` would turn the whole message to UCS-2.
    pub fn plain_symbol(self) -> Option<&'static str> {
        match self.code() {
            "USD" => Some("$"),
            "EUR" => Some("€"),
            "GBP" => Some("£"),
            "JPY" => Some("¥"),
            _ => None,
        }
    }

    /// The usual symbol, whatever it costs; the code where there is none.
    pub fn symbol(self) -> String {
        let symbol = self.0.symbol().symbol;
        if symbol.is_empty() {
            self.code().to_owned()
        } else {
            symbol
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(code: &str) -> Result<Self, UnknownCurrency> {
        Self::parse(code)
    }
}

/// How an amount names its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MoneyStyle {
    /// `$1,350.00` where [`Currency::plain_symbol`] has one, else `1,350.00 INR`.
    #[default]
    Short,
    /// `1,350.00 USD`.
    Code,
    /// `₹1,350.00`, the usual symbol in any case.
    Symbol,
    /// `1,350.00`.
    Bare,
}

/// An amount as people read it, rounded to the places of its currency (two when it is unknown).
pub fn format(amount: &Decimal, currency: Option<Currency>, style: MoneyStyle) -> String {
    let number = amount.to_fixed(currency.map_or(2, Currency::places), Some(','));
    let Some(currency) = currency else {
        return number;
    };
    let symbol = match style {
        MoneyStyle::Short => currency.plain_symbol().map(str::to_owned),
        MoneyStyle::Symbol => Some(currency.symbol()),
        MoneyStyle::Code => None,
        MoneyStyle::Bare => return number,
    };
    let Some(symbol) = symbol else {
        return format!("{number} {}", currency.code());
    };
    // A word stands apart from the digits, a sign does not: `kr 50.00`, `$50.00`.
    let gap = if symbol.ends_with(char::is_alphabetic) {
        " "
    } else {
        ""
    };
    match number.strip_prefix('-') {
        Some(size) => format!("-{symbol}{gap}{size}"),
        None => format!("{symbol}{gap}{number}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse_wire(text).unwrap()
    }

    fn shown(text: &str, code: &str, style: MoneyStyle) -> String {
        format(&decimal(text), Some(Currency::parse(code).unwrap()), style)
    }

    #[test]
    fn an_amount_is_read_exactly_from_the_text_of_a_number() {
        assert_eq!(Amount::parse("1350.00"), Ok(Amount(13_500_000)));
        assert_eq!(Amount::parse("10000"), Ok(Amount(100_000_000)));
        assert_eq!(Amount::parse("1.35e3"), Ok(Amount(13_500_000)));
        assert_eq!(Amount::parse("-0.0001"), Ok(Amount(-1)));
        assert_eq!(Amount::parse("0.000000"), Ok(Amount(0)));
        assert_eq!(Amount::parse("1.10000000"), Ok(Amount(11_000)));
        assert_eq!(
            Amount::parse("0.1").unwrap().0 + Amount::parse("0.2").unwrap().0,
            3000
        );
        assert_eq!(Amount::parse("922337203685477.5807"), Ok(Amount(i64::MAX)));
    }

    #[test]
    fn what_is_no_amount_is_refused_with_the_reason() {
        for text in [
            "", " ", "1,350.00", "$5", "+5", ".5", "5.", "1e", "e5", "NaN", "1e999",
        ] {
            assert_eq!(
                Amount::parse(text),
                Err(AmountProblem::NotANumber),
                "{text:?}"
            );
        }
        assert_eq!(Amount::parse("0.00001"), Err(AmountProblem::TooFine));
        assert_eq!(
            Amount::parse("922337203685477.5808"),
            Err(AmountProblem::TooLarge)
        );
        assert_eq!(Amount::parse("1e60"), Err(AmountProblem::TooLarge));
    }

    #[test]
    fn an_amount_shows_two_places_or_as_many_as_it_has() {
        assert_eq!(Amount(13_500_000).to_string(), "1350.00");
        assert_eq!(Amount(1).to_string(), "0.0001");
        assert_eq!(Amount(-15_000).to_string(), "-1.50");
        assert_eq!(Amount(1250).to_string(), "0.125");
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
    fn money_is_shown_in_the_places_of_its_currency() {
        assert_eq!(shown("1350", "usd", MoneyStyle::Short), "$1,350.00");
        assert_eq!(shown("1350", "USD", MoneyStyle::Code), "1,350.00 USD");
        assert_eq!(shown("1234567.5", "JPY", MoneyStyle::Short), "¥1,234,568");
        assert_eq!(shown("0.5", "KWD", MoneyStyle::Short), "0.500 KWD");
        assert_eq!(shown("-1350.555", "GBP", MoneyStyle::Short), "-£1,350.56");
        assert_eq!(shown("1350", "INR", MoneyStyle::Short), "1,350.00 INR");
        assert_eq!(shown("1350", "INR", MoneyStyle::Symbol), "₹1,350.00");
        assert_eq!(shown("50", "SEK", MoneyStyle::Symbol), "kr 50.00");
        assert_eq!(shown("-0.001", "EUR", MoneyStyle::Short), "€0.00");
        assert_eq!(shown("99.995", "USD", MoneyStyle::Bare), "100.00");
        assert_eq!(shown("0.006", "USD", MoneyStyle::Bare), "0.01");
        assert_eq!(format(&decimal("7"), None, MoneyStyle::Short), "7.00");
    }

    #[test]
    fn only_codes_of_iso_4217_are_currencies() {
        assert_eq!(Currency::parse(" eur ").map(Currency::code), Ok("EUR"));
        assert_eq!(Currency::parse("EURO"), Err(UnknownCurrency));
        assert_eq!(Currency::parse("€€"), Err(UnknownCurrency));
        assert_eq!(Currency::parse("QQQ"), Err(UnknownCurrency));
    }

    proptest! {
        #[test]
        fn an_amount_survives_its_text(units: i64) {
            prop_assert_eq!(Amount::parse(&Amount(units).to_decimal_text()), Ok(Amount(units)));
        }

        #[test]
        fn amounts_and_decimals_order_alike(a: i64, b: i64) {
            prop_assert_eq!(Decimal::from(Amount(a)).cmp(&Decimal::from(Amount(b))), a.cmp(&b));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,80}") {
            let _ = Amount::parse(&text);
            let _ = Currency::parse(&text);
            if let Some(decimal) = Decimal::parse_wire(&text) {
                let _ = decimal.to_fixed(3, Some(','));
            }
        }
    }
}
