//! What is left on an account and what it has cost: where nothing is left, Twilio sends nothing.

use std::time::Duration;

use super::account::{secrets, signed_in};
use super::call::exchange;
use super::wire::{BalanceJson, UsageJson, UsageRecordJson};
use super::{Account, CallTime, Twilio};
use crate::domain::account_figures::{AccountFigures, Sum};

/// Nobody waits longer for what is only good to know.
const MOMENT: Duration = Duration::from_secs(3);

/// Longest answer about a balance, in bytes.
const LONGEST_ANSWER: usize = 16 * 1024;

/// What to tell the tenant of what is left, without an end.
pub(super) fn balance_words(balance: &Sum) -> String {
    if balance.is_little() {
        format!(
            "only {balance} are left on the account: Twilio sends nothing once that is used up, so add \
             to it in its Console"
        )
    } else {
        format!("the balance is {balance}")
    }
}

impl Twilio {
    /// What is left; none where Twilio does not say so at once, or to this credential.
    pub(super) async fn balance(&self, account: &Account) -> Option<Sum> {
        self.balance_and_calls(account).await?.0
    }

    /// All that Twilio says of an account to these credentials, the first of which that may ask. An account's
    /// subaccounts are counted in, since they are paid from the same balance.
    pub(super) async fn figures(&self, logins: &[Account]) -> AccountFigures {
        let mut found = AccountFigures::default();
        for account in logins {
            let (left, cost, sent) = tokio::join!(
                self.balance_and_calls(account),
                self.usage(account, "totalprice"),
                self.usage(account, "sms-outbound"),
            );
            if let Some((balance, calls)) = left {
                found.balance = found.balance.or(balance);
                found.calls_at_once = found.calls_at_once.or(calls.map(i64::from));
            }
            let cost = cost.and_then(|of| Sum::parse(&of.price?, &of.price_unit?));
            found.month_cost = found.month_cost.or(cost);
            let sent = sent.and_then(|of| of.count);
            found.month_messages = found.month_messages.or(sent.filter(|n| *n >= 0));
            if found.balance.is_some() && found.month_cost.is_some() {
                break;
            }
        }
        found
    }

    /// What is left, and how many calls Twilio counted when it was asked; none without an answer.
    async fn balance_and_calls(&self, account: &Account) -> Option<(Option<Sum>, Option<u32>)> {
        let url = self.account_url(account, "/Balance.json");
        let request = signed_in(self.http.get(url), account);
        let time = CallTime::of(MOMENT);
        let answer = exchange(request, &secrets(account), time, LONGEST_ANSWER).await;
        let answer = answer.ok()?;
        let calls = answer.kept().concurrent_requests;
        let (body, _) = answer.success().ok()?;
        let told: BalanceJson = serde_json::from_slice(&body).ok()?;
        let balance = Sum::parse(&told.balance?, &told.currency?);
        Some((balance, calls))
    }

    /// This month's record of a category (Twilio's page "REST API: Usage Records").
    async fn usage(&self, account: &Account, category: &str) -> Option<UsageRecordJson> {
        let path = format!("/Usage/Records/ThisMonth.json?Category={category}&PageSize=1");
        let url = self.account_url(account, &path);
        let asked = self.list_of::<UsageJson>(account, &url, CallTime::of(MOMENT));
        let records = asked.await.ok()?.usage_records.into_iter();
        let mut records = records.filter(|r| r.category.as_deref() == Some(category));
        records.next()
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_server::{Reply, TestServer, account, key_account};
    use super::*;

    const REFUSED: &str = r#"{"code":20003,"message":"Authenticate","status":401}"#;

    #[tokio::test]
    async fn what_is_left_is_told_and_little_is_warned_of() {
        let server = TestServer::start(vec![
            Reply::json(200, r#"{"balance":"42.50","currency":"USD"}"#),
            Reply::json(200, r#"{"balance":"-0.03512","currency":"USD"}"#),
            Reply::json(200, r#"{"balance":"much","currency":"USD"}"#),
            Reply::json(401, REFUSED),
            Reply::json(200, r#"{"balance":"1","currency":"<b>"}"#),
        ])
        .await;
        let twilio = server.twilio();
        let words = async || {
            let balance = twilio.balance(&account()).await;
            balance.map(|b| balance_words(&b))
        };
        assert_eq!(words().await.as_deref(), Some("the balance is 42.50 USD"));
        let little = words().await.unwrap();
        assert!(little.starts_with("only -0.0351 USD are left"), "{little}");
        for _ in 0..3 {
            assert_eq!(words().await, None);
        }
        assert!(server.requests()[0].contains("/Balance.json "));
    }

    #[tokio::test]
    async fn a_key_that_may_not_ask_leaves_it_to_the_auth_token_or_to_nobody() {
        let server = TestServer::start(vec![Reply::json(401, REFUSED); 3]).await;
        let told = server.twilio().figures(&[key_account()]).await;
        assert_eq!(told, AccountFigures::default());
        let asked = server.requests();
        let usage = "/Usage/Records/ThisMonth.json?Category=totalprice&PageSize=1 ";
        assert!(asked.iter().any(|r| r.contains(usage)), "{asked:?}");
        assert_eq!(asked.len(), 3);
    }
}
