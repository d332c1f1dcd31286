//! What an account at a provider has left and has cost, as its provider says, and when that is little.

use std::fmt;

use chrono::{DateTime, Datelike as _, Utc};

use super::money::Amount;

/// Below so much, in whatever currency, little is left: 10.
const LITTLE: Amount = Amount(10 * 10_000);

/// Little is left as well where it does not last so many days like those of this month.
const DAYS: i64 = 3;

/// An amount with its currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    amount: Amount,
    currency: String,
}

impl Sum {
    /// Reads a decimal and three letters; what is finer than a ten-thousandth is rounded.
    pub fn parse(amount: &str, currency: &str) -> Option<Self> {
        Self::of(Amount::parse(amount)?, currency)
    }

    /// An amount of a currency, which is known by three letters.
    pub fn of(amount: Amount, currency: &str) -> Option<Self> {
        let is_code = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_alphabetic());
        let currency = currency.to_ascii_uppercase();
        is_code.then_some(Self { amount, currency })
    }

    /// The amount alone.
    pub const fn amount(&self) -> Amount {
        self.amount
    }

    /// Three capital letters.
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// Whether it is little whatever a day costs.
    pub fn is_little(&self) -> bool {
        self.amount < LITTLE
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

/// What a provider says of an account. What it does not say, or not to these credentials, is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountFigures {
    /// What is left.
    pub balance: Option<Sum>,
    /// What this month has cost so far, by the provider's calendar (UTC).
    pub month_cost: Option<Sum>,
    /// How many messages it sent this month.
    pub month_messages: Option<i64>,
    /// How many calls the provider counted at once when it was asked.
    pub calls_at_once: Option<i64>,
}

impl AccountFigures {
    /// Whether so little is left that somebody should be told, since sending ends with it.
    pub fn is_low(&self, now: DateTime<Utc>) -> bool {
        let Some(balance) = &self.balance else {
            return false;
        };
        let day = self.month_cost.as_ref();
        let day = day.filter(|cost| cost.currency == balance.currency);
        let day = day.map_or(0, |cost| cost.amount.0 / i64::from(now.day()));
        balance.is_little() || balance.amount.0 < day.saturating_mul(DAYS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(amount: &str) -> Sum {
        Sum::parse(amount, "usd").unwrap()
    }

    #[test]
    fn amounts_are_read_however_fine_and_nothing_else() {
        assert_eq!(sum("2192.84855").to_string(), "2192.8486 USD");
        assert_eq!(sum("-0.035").to_string(), "-0.035 USD");
        for (amount, currency) in [
            ("much", "USD"),
            ("1", "<b>"),
            ("1.0\u{20ac}", "USD"),
            ("", ""),
        ] {
            assert_eq!(Sum::parse(amount, currency), None, "{amount} {currency}");
        }
    }

    #[test]
    fn little_is_less_than_ten_or_than_three_days() {
        let tenth: DateTime<Utc> = "2026-11-10T09:00:00Z".parse().unwrap();
        let is_low = |balance: &str, cost: Option<&str>| {
            let of = AccountFigures {
                balance: Some(sum(balance)),
                month_cost: cost.map(sum),
                ..AccountFigures::default()
            };
            of.is_low(tenth)
        };
        assert!(is_low("9.9999", None) && is_low("-3", None));
        assert!(!is_low("10", None) && !is_low("10", Some("20")));
        assert!(is_low("299", Some("1000")) && !is_low("300", Some("1000")));
        assert!(!AccountFigures::default().is_low(tenth), "nobody knows");
        let euros = AccountFigures {
            balance: Some(sum("50")),
            month_cost: Sum::parse("1000", "EUR"),
            ..AccountFigures::default()
        };
        assert!(!euros.is_low(tenth), "other money tells nothing");
    }
}
