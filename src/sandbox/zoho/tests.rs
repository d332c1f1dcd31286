//! Zoho's side, visited over HTTP.

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
async fn consent_leads_to_tokens_of_the_clients_data_centre() {
    let visit = Visit::begin().await;
    let who = visit.client(|_| {});
    let back = visit
        .consent(&who, &[("access_type", "offline"), ("prompt", "consent")])
        .await;
    assert_eq!(
        (
            text(&back["state"]),
            text(&back["location"]),
            text(&back["accounts-server"])
        ),
        ("s t", "eu", "https://accounts.zoho.eu")
    );
    let form = [
        ("grant_type", "authorization_code"),
        ("code", text(&back["code"])),
        ("redirect_uri", REDIRECT),
    ];
    let (status, tokens) = visit.token(&who, &form).await;
    assert_eq!(
        (status, text(&tokens["api_domain"])),
        (200, "https://www.zohoapis.eu")
    );
    assert_eq!(tokens["expires_in"], 3600);
    // A code is good once.
    assert_eq!(
        visit.token(&who, &form).await,
        (200, json!({ "error": "invalid_code" }))
    );

    let access = text(&tokens["access_token"]);
    assert_eq!(visit.books(access, "/organizations").await.0, 200);
    let scoped = format!("/bills?organization_id={ORG}");
    assert_eq!(visit.books(access, &scoped).await.1["code"], 57);

    let (_, again) = visit.refresh(&who, text(&tokens["refresh_token"])).await;
    assert!(again.get("refresh_token").is_none() && again["access_token"].is_string());
    visit.clock.advance(TimeDelta::seconds(3_600));
    assert_eq!(visit.books(access, "/organizations").await.0, 401);
}

#[tokio::test]
async fn refresh_tokens_come_only_with_offline_and_again_only_with_consent() {
    let visit = Visit::begin().await;
    let who = visit.client(|_| {});
    for (extra, expected) in [
        (vec![], false),
        (vec![("access_type", "offline")], false),
        (
            vec![("access_type", "offline"), ("prompt", "consent")],
            true,
        ),
    ] {
        let back = visit.consent(&who, &extra).await;
        let code = text(&back["code"]);
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
        ];
        let (_, tokens) = visit.token(&who, &form).await;
        assert_eq!(tokens.get("refresh_token").is_some(), expected, "{extra:?}");
    }
}

#[tokio::test]
async fn the_consent_page_asks_and_can_be_refused() {
    let visit = Visit::begin().await;
    let who = visit.client(|new| new.auto_consent = false);
    let asked = [
        ("response_type", "code"),
        ("client_id", who.client_id.as_str()),
        ("scope", "ZohoBooks.settings.READ"),
        ("redirect_uri", REDIRECT),
        ("state", "<s>"),
    ];
    let page = visit
        .http
        .get(visit.url("/oauth/v2/auth"))
        .query(&asked)
        .send()
        .await
        .unwrap();
    let page = page.text().await.unwrap();
    assert!(
        page.contains("ZohoBooks.settings.READ") && page.contains("&lt;s&gt;"),
        "{page}"
    );
    for (decision, expected) in [("reject", "error"), ("accept", "code")] {
        let mut form = asked.to_vec();
        form.push(("decision", decision));
        let request = visit.http.post(visit.url("/oauth/v2/auth")).form(&form);
        let answer = request.send().await.unwrap();
        let back = parameters(answer.headers()["location"].to_str().unwrap());
        assert!(back.contains_key(expected), "{decision}: {back:?}");
    }
    for (name, value) in [
        ("redirect_uri", "https://example.com/"),
        ("client_id", "nobody"),
        ("scope", "a b"),
        ("response_type", "token"),
    ] {
        let mut query = asked.to_vec();
        query.retain(|(given, _)| *given != name);
        query.push((name, value));
        let request = visit.http.get(visit.url("/oauth/v2/auth")).query(&query);
        assert_eq!(request.send().await.unwrap().status(), 400, "{name}");
    }
}

#[tokio::test]
async fn token_errors_come_with_status_200() {
    let visit = Visit::begin().await;
    let who = visit.client(|new| new.codes = vec!["self-client".to_owned()]);
    let back = visit.consent(&who, &[]).await;
    let code = ("code", text(&back["code"]));
    let grant = ("grant_type", "authorization_code");
    let redirect = ("redirect_uri", REDIRECT);
    for (form, error) in [
        (vec![grant, ("code", "none"), redirect], "invalid_code"),
        (
            vec![grant, code, ("redirect_uri", "http://127.0.0.1/")],
            "invalid_redirect_uri",
        ),
        (
            vec![grant, code, redirect, ("client_id", "nobody")],
            "invalid_client",
        ),
        (
            vec![grant, code, redirect, ("client_secret", "x")],
            "invalid_client_secret",
        ),
        (
            vec![("grant_type", "refresh_token"), ("refresh_token", "x")],
            "invalid_code",
        ),
    ] {
        let answer = visit.token(&who, &form).await;
        assert_eq!(answer, (200, json!({ "error": error })), "{form:?}");
    }
    visit.clock.advance(TimeDelta::seconds(121));
    assert_eq!(
        visit.token(&who, &[grant, code, redirect]).await.1["error"],
        "invalid_code"
    );
    let (_, tokens) = visit.token(&who, &[grant, ("code", "self-client")]).await;
    assert!(tokens["refresh_token"].is_string(), "{tokens}");

    let json_body = visit
        .http
        .post(visit.url("/oauth/v2/token"))
        .json(&json!({ "client_id": who.client_id, "grant_type": "refresh_token" }))
        .send()
        .await
        .unwrap();
    assert_eq!(json_body.status(), 200);
    assert_eq!(
        json_body.json::<Value>().await.unwrap(),
        json!({ "error": "invalid_client" })
    );

    let in_query = visit.http.post(visit.url("/oauth/v2/token")).query(&[
        ("client_id", who.client_id.as_str()),
        ("client_secret", &who.client_secret),
        ("grant_type", "refresh_token"),
        ("refresh_token", "refresh"),
    ]);
    let tokens: Value = in_query.send().await.unwrap().json().await.unwrap();
    assert!(tokens["access_token"].is_string(), "{tokens}");
}

#[tokio::test]
async fn the_eleventh_access_token_in_ten_minutes_is_throttled() {
    let visit = Visit::begin().await;
    let who = visit.client(|_| {});
    for _ in 0..10 {
        assert_eq!(visit.refresh(&who, "refresh").await.0, 200);
    }
    let (status, answer) = visit.refresh(&who, "refresh").await;
    assert_eq!((status, &answer["error"]), (400, &json!("Access Denied")));
    visit.clock.advance(TimeDelta::minutes(10));
    assert_eq!(visit.refresh(&who, "refresh").await.0, 200);
}

#[tokio::test]
async fn a_users_21st_refresh_token_kills_the_oldest() {
    let visit = Visit::begin().await;
    let tokens: Vec<String> = (1..=21).map(|number| format!("r{number}")).collect();
    let who = visit.client(|new| new.refresh_tokens = Some(tokens));
    assert_eq!(visit.refresh(&who, "r1").await.1["error"], "invalid_code");
    assert!(visit.refresh(&who, "r2").await.1["access_token"].is_string());
}

#[tokio::test]
async fn revoked_tokens_are_dead_with_their_access_tokens() {
    let visit = Visit::begin().await;
    let who = visit.client(|_| {});
    let (_, tokens) = visit.refresh(&who, "refresh").await;
    let access = text(&tokens["access_token"]);
    let revoke = visit
        .http
        .post(visit.url("/oauth/v2/token/revoke?token=refresh"));
    assert_eq!(revoke.send().await.unwrap().status(), 200);
    assert_eq!(
        visit.refresh(&who, "refresh").await.1["error"],
        "invalid_code"
    );
    assert_eq!(visit.books(access, "/organizations").await.0, 401);
    visit.control("/zoho/tokens/expire", &json!({})).await;
    assert_eq!(visit.books("access", "/organizations").await.1["code"], 57);
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
