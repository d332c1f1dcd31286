//! Zoho's side, visited over HTTP.

mod oauth;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::*;
use crate::sandbox::tests::Visit;

const ORG: &str = "10234695";
const REDIRECT: &str = "http://127.0.0.1:8080/oauth/zoho";

impl Visit {
    fn client(&self, change: impl FnOnce(&mut NewZohoAccount)) -> ZohoCredentials {
        let mut organization = Map::new();
        organization.insert("organization_id".to_owned(), ORG.into());
        let mut new = NewZohoAccount {
            organizations: vec![organization],
            refresh_tokens: Some(vec!["refresh".to_owned()]),
            access_tokens: vec!["access".to_owned()],
            auto_consent: true,
            region: Some("eu".to_owned()),
            ..NewZohoAccount::default()
        };
        change(&mut new);
        self.sandbox.zoho().register(new).unwrap()
    }

    async fn token(&self, who: &ZohoCredentials, form: &[(&str, &str)]) -> (u16, Value) {
        let mut all = vec![
            ("client_id", who.client_id.as_str()),
            ("client_secret", who.client_secret.as_str()),
        ];
        all.retain(|(name, _)| !form.iter().any(|(given, _)| given == name));
        all.extend(form);
        let request = self.http.post(self.url("/oauth/v2/token")).form(&all);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn refresh(&self, who: &ZohoCredentials, token: &str) -> (u16, Value) {
        self.token(
            who,
            &[("grant_type", "refresh_token"), ("refresh_token", token)],
        )
        .await
    }

    async fn books(&self, token: &str, path: &str) -> (u16, Value) {
        let answer = self
            .http
            .get(self.url(&format!("/books/v3{path}")))
            .header("Authorization", format!("Zoho-oauthtoken {token}"))
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn put(&self, kind: &str, records: Value) {
        let body = json!({ "organization_id": ORG, "kind": kind, "records": records });
        let (status, answer) = self.control("/zoho/records", &body).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// The parameters of the address that consent leads back to.
    async fn consent(&self, who: &ZohoCredentials, extra: &[(&str, &str)]) -> Map<String, Value> {
        let mut asked = vec![
            ("response_type", "code"),
            ("client_id", who.client_id.as_str()),
            ("scope", "ZohoBooks.settings.READ,ZohoBooks.invoices.READ"),
            ("redirect_uri", REDIRECT),
            ("state", "s t"),
        ];
        asked.extend(extra);
        let request = self.http.get(self.url("/oauth/v2/auth")).query(&asked);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 302);
        parameters(answer.headers()["location"].to_str().unwrap())
    }
}

fn parameters(location: &str) -> Map<String, Value> {
    let (target, query) = location.split_once('?').unwrap();
    assert_eq!(target, REDIRECT);
    let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
    pairs
        .map(|(name, value)| (name, Value::String(value)))
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn records_are_listed_in_pages_and_shown_alone() {
    let visit = Visit::begin().await;
    visit.client(|_| {});
    let rows: Vec<Value> = (1..=3)
        .map(|id| {
            json!({
                "invoice_id": format!("{id}"),
                "status": "sent",
                "line_items": [{}],
                "total": 1.50,
                "created_time": format!("2026-11-1{id}T02:17:40-0800"),
            })
        })
        .collect();
    visit.put("invoices", Value::Array(rows)).await;
    let list = format!("/invoices?organization_id={ORG}&per_page=2");
    let (status, page) = visit.books("access", &list).await;
    assert_eq!((status, &page["code"]), (200, &json!(0)));
    let ids: Vec<&Value> = page["invoices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["invoice_id"])
        .collect();
    assert_eq!(ids, ["3", "2"]);
    assert_eq!(page["page_context"]["has_more_page"], true);
    let (_, page) = visit.books("access", &format!("{list}&page=2")).await;
    assert_eq!(page["page_context"]["has_more_page"], false);
    assert_eq!(page["invoices"][0]["invoice_id"], "1");
    assert!(page["invoices"][0].get("line_items").is_none());

    let (_, one) = visit
        .books("access", &format!("/invoices/1?organization_id={ORG}"))
        .await;
    assert!(one["invoice"]["line_items"].is_array());
    let (status, gone) = visit
        .books("access", &format!("/invoices/9?organization_id={ORG}"))
        .await;
    assert_eq!(
        (status, gone),
        (
            404,
            json!({ "code": 1002, "message": "Invoice does not exist." })
        )
    );
    let bad = format!("{list}&last_modified_time=yesterday");
    assert_eq!(
        visit.books("access", &bad).await,
        (400, bad_value_body("last_modified_time"))
    );
    assert_eq!(visit.books("access", "/unicorns/1").await.1["code"], 5);
    assert!(visit.sandbox.zoho().remove(ORG, Kind::Invoices, "1"));
    assert_eq!(
        visit
            .books("access", &format!("/invoices/1?organization_id={ORG}"))
            .await
            .0,
        404
    );
}

fn bad_value_body(parameter: &str) -> Value {
    json!({ "code": 2, "message": format!("Invalid value passed for {parameter}") })
}

#[tokio::test]
async fn every_kind_has_its_own_keys() {
    let visit = Visit::begin().await;
    visit.client(|_| {});
    for (kind, id, list_key, envelope) in [
        ("invoices", "invoice_id", "invoices", "invoice"),
        ("bills", "bill_id", "bills", "bill"),
        ("contacts", "contact_id", "contacts", "contact"),
        (
            "customerpayments",
            "payment_id",
            "customer_payments",
            "payment",
        ),
        (
            "vendorpayments",
            "payment_id",
            "vendorpayments",
            "vendorpayment",
        ),
        (
            "purchaseorders",
            "purchaseorder_id",
            "purchaseorders",
            "purchaseorder",
        ),
        ("expenses", "expense_id", "expenses", "expense"),
    ] {
        // In its envelope and with a number as id, as the documentation shows them.
        visit
            .put(kind, json!([{ envelope: { id: 982_000_000_567_114_u64 } }]))
            .await;
        let (_, list) = visit
            .books("access", &format!("/{kind}?organization_id={ORG}"))
            .await;
        assert_eq!(list[list_key][0][id], "982000000567114", "{kind}: {list}");
        let path = format!("/{kind}/982000000567114?organization_id={ORG}");
        let (_, one) = visit.books("access", &path).await;
        assert_eq!(one[envelope][id], "982000000567114", "{kind}: {one}");
    }
    let refused = format!("/expenses?organization_id={ORG}&sort_column=last_modified_time");
    assert_eq!(visit.books("access", &refused).await.1["code"], 2);
}

#[tokio::test]
async fn contact_persons_and_payment_links_are_served() {
    let visit = Visit::begin().await;
    visit.client(|_| {});
    let persons = json!([{ "contact_person_id": "7", "mobile": "+12025550187" }]);
    visit
        .put(
            "contacts",
            json!([{ "contact_id": "5", "contact_persons": persons }]),
        )
        .await;
    let path = format!("/contacts/5/contactpersons?organization_id={ORG}");
    let (_, answer) = visit.books("access", &path).await;
    assert_eq!(answer["contact_persons"], persons);
    assert_eq!(answer["page_context"]["has_more_page"], false);

    visit.put("invoices", json!([{ "invoice_id": "1" }])).await;
    let link = format!(
        "/share/paymentlink?organization_id={ORG}&transaction_id=1&transaction_type=invoice&link_type=public"
    );
    let (status, answer) = visit.books("access", &link).await;
    assert_eq!((status, answer), (400, bad_value_body("expiry_time")));
    let (_, answer) = visit
        .books("access", &format!("{link}&expiry_time=2026-12-31"))
        .await;
    assert!(
        text(&answer["data"]["share_link"]).starts_with("https://"),
        "{answer}"
    );
}

#[tokio::test]
async fn organisations_need_the_right_header_and_others_need_their_id() {
    let visit = Visit::begin().await;
    visit.client(|_| {});
    let (_, answer) = visit.books("access", "/organizations").await;
    assert_eq!(answer["organizations"][0]["organization_id"], ORG);
    assert!(answer.get("page_context").is_none());
    let bearer = visit
        .http
        .get(visit.url("/books/v3/organizations"))
        .bearer_auth("access");
    assert_eq!(bearer.send().await.unwrap().status(), 401);
    for query in ["", "?organization_id=1"] {
        let (status, answer) = visit.books("access", &format!("/invoices{query}")).await;
        assert_eq!((status, &answer["code"]), (400, &json!(6041)), "{query}");
    }
}

#[tokio::test]
async fn limits_count_by_the_minute_and_the_day() {
    let visit = Visit::begin().await;
    visit.client(|new| {
        new.limits = Limits {
            per_minute: Some(2),
            per_day: Some(3),
        }
    });
    let path = format!("/invoices?organization_id={ORG}");
    for expected in [0, 0, 44] {
        assert_eq!(visit.books("access", &path).await.1["code"], expected);
    }
    visit.clock.advance(TimeDelta::minutes(1));
    let (status, answer) = visit.books("access", &path).await;
    assert_eq!((status, &answer["code"]), (429, &json!(45)));
}

#[tokio::test]
async fn each_fault_comes_as_ordered() {
    let visit = Visit::begin().await;
    let who = visit.client(|_| {});
    for (order, status, body) in [
        (json!({ "kind": "minute_limit" }), 429, "\"code\":44"),
        (json!({ "kind": "daily_limit" }), 429, "\"code\":45"),
        (json!({ "kind": "concurrency_limit" }), 429, "\"code\":1070"),
        (json!({ "kind": "unauthorized" }), 401, "\"code\":57"),
        (
            json!({ "kind": "error", "code": 1002, "message": "m" }),
            200,
            "\"code\":1002",
        ),
        (json!({ "kind": "internal_error" }), 500, "\"code\":1000"),
        (json!({ "kind": "html" }), 502, "<html>"),
        (json!({ "kind": "empty" }), 200, ""),
        (json!({ "kind": "garbage" }), 200, "succ"),
        (
            json!({ "kind": "slow", "delay_ms": 1 }),
            200,
            "organizations",
        ),
    ] {
        assert_eq!(visit.control("/zoho/next", &order).await.0, 200);
        let answer = visit
            .http
            .get(visit.url("/books/v3/organizations"))
            .header("Authorization", "Zoho-oauthtoken access")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{order}");
        let text = answer.text().await.unwrap();
        assert!(
            text.contains(body) && (!body.is_empty() || text.is_empty()),
            "{order}: {text}"
        );
    }
    for order in [
        json!({ "kind": "drop" }),
        json!({ "kind": "timeout", "delay_ms": 20 }),
    ] {
        visit.control("/zoho/next", &order).await;
        let request = visit.http.get(visit.url("/books/v3/organizations"));
        assert!(request.send().await.unwrap_err().is_request(), "{order}");
    }
    visit
        .control("/zoho/next", &json!({ "kind": "throttled", "on": "token" }))
        .await;
    assert_eq!(visit.refresh(&who, "refresh").await.0, 400);
    let order = json!({ "kind": "token_error", "on": "token", "error": "invalid_client" });
    visit.control("/zoho/next", &order).await;
    assert_eq!(
        visit.refresh(&who, "refresh").await.1["error"],
        "invalid_client"
    );
    assert!(visit.refresh(&who, "refresh").await.1["access_token"].is_string());
    let order = json!({ "kind": "minute_limit", "path_contains": "/bills" });
    visit.control("/zoho/next", &order).await;
    assert_eq!(visit.books("access", "/organizations").await.0, 200);
    assert_eq!(
        visit
            .books("access", &format!("/bills?organization_id={ORG}"))
            .await
            .0,
        429
    );
}
