//! Bank details: a text for each currency, which invoices tell their readers to pay to.
//!
//! It is what a thief would change, so a new text waits: until a day is over, or until a second owner agrees.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::ids::{BankDetailsId, UserId};

/// How long a new text waits for itself.
pub const WAITS: TimeDelta = TimeDelta::hours(24);

/// The longest text, in characters.
pub const LONGEST: usize = 1000;

/// A text that somebody asked for. It is never changed, only followed by another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankDetails {
    pub id: BankDetailsId,
    /// ISO 4217.
    pub currency: String,
    /// Plain text; empty where there shall be none any more.
    pub text: String,
    pub asked_by: UserId,
    /// Their e-mail address then.
    pub asked_by_name: String,
    pub asked_at: DateTime<Utc>,
    /// From when it counts.
    pub in_force_at: DateTime<Utc>,
    /// The second owner who agreed, by their e-mail address; empty where the day went by.
    pub agreed_by_name: String,
}

impl BankDetails {
    /// Whether it does not count yet.
    pub fn is_pending(&self, now: DateTime<Utc>) -> bool {
        now < self.in_force_at
    }
}

/// The text of a currency that counts at an instant, if there is one.
pub fn in_force<'b>(
    all: &'b [BankDetails],
    currency: &str,
    at: DateTime<Utc>,
) -> Option<&'b BankDetails> {
    let newest = all
        .iter()
        .filter(|b| b.currency == currency && b.in_force_at <= at)
        .max_by_key(|b| (b.in_force_at, b.id));
    newest.filter(|b| !b.text.is_empty())
}

/// What a currency has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrencyDetails {
    pub currency: String,
    pub in_force: Option<BankDetails>,
    pub waiting: Option<BankDetails>,
}

/// By currency, each that tells of an account or is about to.
pub fn by_currency(all: &[BankDetails], now: DateTime<Utc>) -> Vec<CurrencyDetails> {
    let currencies: BTreeSet<&str> = all.iter().map(|b| b.currency.as_str()).collect();
    let each = currencies.into_iter().map(|currency| CurrencyDetails {
        currency: currency.to_owned(),
        in_force: in_force(all, currency, now).cloned(),
        waiting: pending(all, currency, now).cloned(),
    });
    each.filter(|c| c.in_force.is_some() || c.waiting.is_some())
        .collect()
}

/// What of a currency waits to come into force.
pub fn pending<'b>(
    all: &'b [BankDetails],
    currency: &str,
    now: DateTime<Utc>,
) -> Option<&'b BankDetails> {
    all.iter()
        .find(|b| b.currency == currency && b.is_pending(now))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn details(n: u8, text: &str, hour: i64) -> BankDetails {
        BankDetails {
            id: BankDetailsId::from_uuid(Uuid::from_u128(n.into())),
            currency: "EUR".to_owned(),
            text: text.to_owned(),
            asked_by: UserId::nil(),
            asked_by_name: String::new(),
            asked_at: DateTime::UNIX_EPOCH,
            in_force_at: at(hour),
            agreed_by_name: String::new(),
        }
    }

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hour)
    }

    #[test]
    fn the_newest_text_whose_time_has_come_counts() {
        let all = [
            details(1, "old", 1),
            details(2, "new", 24),
            details(3, "", 48),
        ];
        let text = |hour| in_force(&all, "EUR", at(hour)).map(|b| b.text.as_str());
        assert_eq!(text(0), None);
        assert_eq!(text(1), Some("old"));
        assert_eq!(text(23), Some("old"));
        assert_eq!(text(24), Some("new"));
        assert_eq!(text(48), None, "taken away");
        assert_eq!(in_force(&all, "USD", at(24)), None);
        let waits = |hour| pending(&all, "EUR", at(hour)).map(|b| b.id);
        assert_eq!(waits(2), Some(all[1].id));
        assert_eq!(waits(48), None);
    }
}
