//! OAuth, visited over HTTP.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{ORG, REDIRECT, parameters, text};
use crate::sandbox::tests::Visit;

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
