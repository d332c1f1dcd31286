//! What is left on an account: where nothing is, Twilio sends nothing.

use std::time::Duration;

use super::wire::BalanceJson;
use super::{Account, CallTime, Twilio};
use crate::domain::money::Amount;

/// Whoever tries an account does not wait longer for what is only good to know.
const MOMENT: Duration = Duration::from_secs(3);

/// Below this, in whatever currency, there is little left: 10.
const LITTLE: Amount = Amount(10 * 10_000);

/// The balance of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Balance {
    amount: Amount,
    currency: String,
}

impl Balance {
    /// What to tell the tenant, without an end.
    pub(super) fn words(&self) -> String {
        let (amount, currency) = (self.amount, &self.currency);
        if self.amount < LITTLE {
            format!(
                "only {amount} {currency} are left on the account: Twilio sends nothing once that is \
                 used up, so add to it in its Console"
            )
        } else {
            format!("the balance is {amount} {currency}")
        }
    }
}

impl Twilio {
    /// What is left; none where Twilio does not say so at once, or to this credential.
    pub(super) async fn balance(&self, account: &Account) -> Option<Balance> {
        let url = self.account_url(account, "/Balance.json");
        let asked = self.list_of::<BalanceJson>(account, &url, CallTime::of(MOMENT));
        let told = tokio::time::timeout(MOMENT, asked).await.ok()?.ok()?;
        let currency = told.currency?;
        let is_code = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase());
        Some(Balance {
            amount: told.balance?.parse().ok()?,
            currency: is_code.then_some(currency)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_server::{Reply, TestServer, account};

    #[tokio::test]
    async fn what_is_left_is_told_and_little_is_warned_of() {
        let server = TestServer::start(vec![
            Reply::json(200, r#"{"balance":"42.50","currency":"USD"}"#),
            Reply::json(200, r#"{"balance":"-0.035","currency":"USD"}"#),
            Reply::json(200, r#"{"balance":"much","currency":"USD"}"#),
            Reply::json(
                401,
                r#"{"code":20003,"message":"Authenticate","status":401}"#,
            ),
            Reply::json(200, r#"{"balance":"1","currency":"<b>"}"#),
        ])
        .await;
        let twilio = server.twilio();
        let words = async || twilio.balance(&account()).await.map(|b| b.words());
        assert_eq!(words().await.as_deref(), Some("the balance is 42.50 USD"));
        let little = words().await.unwrap();
        assert!(little.starts_with("only -0.035 USD are left"), "{little}");
        for _ in 0..3 {
            assert_eq!(words().await, None);
        }
        assert!(server.requests()[0].contains("/Balance.json "));
    }
}
