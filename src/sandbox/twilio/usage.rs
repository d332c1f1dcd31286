//! `Usage/Records/ThisMonth.json` (Twilio's page "REST API: Usage Records"): what the account's messages cost.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Datelike as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Twilio;
use super::account::{Account, Permission};
use super::answer::answer;
use super::error::Refusal;
use super::fault::On;
use super::query::{find, page_size, query};
use crate::sandbox::log::lock;

/// What a message is said to cost, in ten-thousandths.
const PRICE: u64 = 83;

/// What an account has left and has cost, where it is not reckoned from its messages.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountFigures {
    /// The account.
    pub account_sid: String,
    /// The amount shown by `Balance.json`, as text.
    #[serde(default)]
    pub balance: Option<String>,
    /// The price of this month, as text.
    #[serde(default)]
    pub month_price: Option<String>,
}

pub(super) async fn this_month(
    request: HttpRequest,
    path: web::Path<String>,
    twilio: web::Data<Twilio>,
) -> HttpResponse {
    twilio.note(&request, b"");
    let query = query(&request);
    let fault = twilio.fault(On::Other, None);
    let entry = twilio.enter(&request, Some(path.as_str()), Permission::UsageRead);
    let reader = twilio.get_ref().clone();
    answer(&twilio, &request, fault, entry, 200, move |account| {
        reader.month(account, &query)
    })
    .await
}

impl Twilio {
    fn month(&self, account: &Account, query: &[(String, String)]) -> Result<Value, Refusal> {
        let now = self.0.clock.now();
        let state = lock(&self.0.state);
        let messages = state.ledger.iter().filter(|m| m.account_sid == account.sid);
        let is_new = |at: &chrono::DateTime<chrono::Utc>| {
            (at.year(), at.month()) == (now.year(), now.month())
        };
        let count = messages.filter(|m| is_new(&m.date_created)).count();
        let cost = u64::try_from(count).unwrap_or_default() * PRICE;
        let plain = format!("{}.{:04}", cost / 10_000, cost % 10_000);
        let ordered = state.figures.get(&account.sid);
        let total = ordered.and_then(|f| f.month_price.clone());
        let all = [
            (
                "sms-outbound",
                "Outbound SMS",
                count.to_string(),
                "messages",
                plain.clone(),
            ),
            (
                "totalprice",
                "Total Price",
                String::new(),
                "",
                total.unwrap_or(plain),
            ),
        ];
        let category = find(query, "Category");
        if let Some(other) = category.filter(|c| all.iter().all(|(name, ..)| name != c)) {
            return Err(Refusal::bad(20001, format!("Invalid category: {other}")));
        }
        let path = format!(
            "/2010-04-01/Accounts/{}/Usage/Records/ThisMonth.json",
            account.sid
        );
        let of = |(name, description, count, unit, price): &(&str, &str, String, &str, String)| {
            json!({
                "account_sid": account.sid,
                "api_version": "2010-04-01",
                "as_of": now.format("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
                "category": name,
                "count": count,
                "count_unit": unit,
                "description": description,
                "end_date": now.format("%Y-%m-%d").to_string(),
                "price": price,
                "price_unit": "usd",
                "start_date": now.format("%Y-%m-01").to_string(),
                "subresource_uris": {},
                "uri": format!("{path}?Category={name}"),
                "usage": if unit.is_empty() { price } else { count },
                "usage_unit": if unit.is_empty() { "usd" } else { *unit },
            })
        };
        let is_meant = |name: &str| category.is_none_or(|wanted| wanted == name);
        let shown = all.iter().filter(|(name, ..)| is_meant(name));
        let size = page_size(query);
        let records: Vec<Value> = shown.take(size).map(of).collect();
        Ok(json!({
            "usage_records": records,
            "page": 0,
            "page_size": size,
            "uri": path,
            "first_page_uri": path,
            "next_page_uri": null,
            "previous_page_uri": null,
        }))
    }
}
