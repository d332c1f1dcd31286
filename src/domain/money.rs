//! Money: exact amounts in ten-thousandths, and how people read them.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::currency::Currency;
use super::decimal::{self, fixed};

/// The decimals of an amount.
const PLACES: u32 = 4;

/// An amount of money in ten-thousandths of its currency's unit; the currency stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(pub i64);

impl Amount {
    /// Reads the text of a number, plain (`1350.00`) or with an exponent (`1.35e3`); what is finer
    /// than a ten-thousandth is rounded half to even. None beyond about 922 trillion.
    ///
    /// Zoho sends amounts as JSON numbers, some of them integers, and lists type some as texts.
    pub fn parse(text: &str) -> Option<Self> {
        let rounded = decimal::parse_json(text)?.round_dp(PLACES);
        let factor = 10_i128.pow(PLACES - rounded.scale());
        i64::try_from(rounded.mantissa() * factor).ok().map(Self)
    }

    /// Plain decimal text with at least two places and no more than it needs: `1350.00`, `0.125`.
    pub fn to_decimal_text(self) -> String {
        let number = Decimal::from(self);
        fixed(number, decimal::places(number).max(2), None)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_decimal_text())
    }
}

impl From<Amount> for Decimal {
    fn from(amount: Amount) -> Self {
        Self::new(amount.0, PLACES)
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
pub fn format(amount: Decimal, currency: Option<Currency>, style: MoneyStyle) -> String {
    let number = fixed(amount, currency.map_or(2, Currency::places), Some(','));
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
        decimal::parse_json(text).unwrap()
    }

    fn shown(text: &str, code: &str, style: MoneyStyle) -> String {
        format(decimal(text), Some(Currency::parse(code).unwrap()), style)
    }

    #[test]
    fn an_amount_is_read_exactly_from_the_text_of_a_number() {
        assert_eq!(Amount::parse("1350.00"), Some(Amount(13_500_000)));
        assert_eq!(Amount::parse("10000"), Some(Amount(100_000_000)));
        assert_eq!(Amount::parse("1.35e3"), Some(Amount(13_500_000)));
        assert_eq!(Amount::parse("-0.0001"), Some(Amount(-1)));
        assert_eq!(Amount::parse("0.000000"), Some(Amount(0)));
        assert_eq!(Amount::parse("1.10000000"), Some(Amount(11_000)));
        assert_eq!(
            Amount::parse("0.1").unwrap().0 + Amount::parse("0.2").unwrap().0,
            3000
        );
        assert_eq!(
            Amount::parse("922337203685477.5807"),
            Some(Amount(i64::MAX))
        );
    }

    #[test]
    fn what_is_no_amount_or_too_large_is_none() {
        for text in [
            "", " ", "1,350.00", "$5", "+5", ".5", "5.", "1e", "e5", "NaN", "1e999",
        ] {
            assert_eq!(Amount::parse(text), None, "{text:?}");
        }
        for text in [
            "922337203685477.5808",
            "1e15",
            "1e60",
            "9999999999999999999999999999",
        ] {
            assert_eq!(Amount::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_amount_shows_two_places_or_as_many_as_it_has() {
        assert_eq!(Amount(13_500_000).to_string(), "1350.00");
        assert_eq!(Amount(1).to_string(), "0.0001");
        assert_eq!(Amount(-15_000).to_string(), "-1.50");
        assert_eq!(Amount(1250).to_string(), "0.125");
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
        assert_eq!(format(decimal("7"), None, MoneyStyle::Short), "7.00");
    }

    proptest! {
        #[test]
        fn an_amount_survives_its_text(units: i64) {
            prop_assert_eq!(Amount::parse(&Amount(units).to_decimal_text()), Some(Amount(units)));
        }

        #[test]
        fn amounts_and_decimals_order_alike(a: i64, b: i64) {
            prop_assert_eq!(Decimal::from(Amount(a)).cmp(&Decimal::from(Amount(b))), a.cmp(&b));
        }
    }
}
