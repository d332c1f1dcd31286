//! Amounts as people read them: "1,350.00 EUR".

use std::borrow::Borrow;

use iso_currency::Currency;
use maud::{Markup, html};

use crate::domain::money::Amount;

/// An amount with its currency; without one the bare number.
pub fn amount(of: impl Borrow<Amount>, currency: Option<&str>) -> Markup {
    let of = *of.borrow();
    html! {
        bdi class="nowrap" {
            (words(of, currency))
            @if let Some(code) = currency { " " (code) }
        }
    }
}

/// The number with thousands set apart, and as many decimals as the currency has; more only
/// where the amount would else be told wrongly.
pub fn words(of: Amount, currency: Option<&str>) -> String {
    let usual = currency
        .and_then(Currency::from_code)
        .and_then(Currency::exponent)
        .unwrap_or(2);
    let rest = of.0.unsigned_abs() % 10_000;
    let digits = format!("{rest:04}");
    let shown = usize::from(usual)
        .min(4)
        .max(digits.trim_end_matches('0').len());
    let whole = (of.0.unsigned_abs() / 10_000).to_string();
    let mut text = String::new();
    if of.0 < 0 {
        text.push('\u{2212}');
    }
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if shown > 0 {
        text.push('.');
        text.push_str(&digits[..shown]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_follow_the_currency() {
        assert_eq!(words(Amount(13_500_000), Some("EUR")), "1,350.00");
        assert_eq!(words(Amount(13_500_000), Some("JPY")), "1,350");
        assert_eq!(words(Amount(13_505_000), Some("JPY")), "1,350.5");
        assert_eq!(words(Amount(13_500_000), Some("KWD")), "1,350.000");
        assert_eq!(words(Amount(1), None), "0.0001");
    }

    #[test]
    fn extreme_amounts_do_not_overflow() {
        assert_eq!(
            words(Amount(i64::MIN), None),
            "\u{2212}922,337,203,685,477.5808"
        );
        assert_eq!(words(Amount(-10_000), Some("EUR")), "\u{2212}1.00");
    }
}
