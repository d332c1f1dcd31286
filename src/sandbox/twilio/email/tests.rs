//! The e-mail API, visited over HTTP.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::super::account::KeyKind;
use super::super::{Credentials, NewAccount, NewKey};
use super::*;
use crate::sandbox::tests::Visit;

impl Visit {
    fn mailer(&self, change: impl FnOnce(&mut NewAccount)) -> Credentials {
        let mut new = NewAccount::default();
        change(&mut new);
        self.sandbox.twilio().register(new).unwrap()
    }

    async fn mail(&self, who: &Credentials, body: &Value) -> (u16, Value) {
        let request = self.http.post(self.url("/v1/Emails")).json(body);
        let request = request.basic_auth(&who.account_sid, Some(&who.auth_token));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn read(&self, who: &Credentials, below: &str) -> (u16, Value) {
        let request = self.http.get(self.url(&format!("/v1/Emails{below}")));
        let request = request.basic_auth(&who.account_sid, Some(&who.auth_token));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The statistics of an operation that are not zero.
    async fn stats(&self, who: &Credentials, operation: &str) -> (String, Value) {
        let (_, told) = self.read(who, &format!("/Operations/{operation}")).await;
        let mut stats = told["stats"].as_object().unwrap().clone();
        stats.retain(|_, count| count != 0);
        (
            told["status"].as_str().unwrap().to_owned(),
            Value::Object(stats),
        )
    }
}

fn email(to: &str) -> Value {
    json!({
        "from": { "address": "billing@example.com", "name": "Example Ltd" },
        "to": [{ "address": to }],
        "content": { "subject": "Invoice", "html": "<p>Due.</p>", "text": "Due." },
        "tags": { "delivery": "dlv_1", "attempt": "1" },
    })
}

fn operation(taken: &Value) -> String {
    taken["operationId"].as_str().unwrap().to_owned()
}

fn contexts(refused: &Value) -> Vec<String> {
    let errors = refused["errors"].as_array().unwrap();
    let context = |error: &Value| error["context"].as_str().unwrap_or_default().to_owned();
    errors.iter().map(context).collect()
}

#[tokio::test]
async fn a_taken_email_is_kept_to_be_looked_at() {
    let visit = Visit::begin().await;
    let who = visit.mailer(|_| {});
    let (status, taken) = visit.mail(&who, &email("ann@example.net")).await;
    assert_eq!(status, 202);
    let id = operation(&taken);
    assert!(id.starts_with("comms_operation_") && id.len() == 42);
    let location = taken["operationLocation"].as_str().unwrap();
    assert_eq!(
        location,
        format!("https://comms.twilio.com/v1/Emails/Operations/{id}")
    );
    assert_eq!(
        visit.stats(&who, &id).await,
        ("PROCESSING".to_owned(), json!({ "total": 1, "queued": 1 }))
    );

    let shown: Value = visit
        .http
        .get(visit.url("/_sandbox/twilio/emails?to=ann@example.net"))
        .bearer_auth(visit.sandbox.control_token())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let one = &shown["emails"][0];
    assert_eq!(
        (&shown["taken"], &one["subject"]),
        (&json!(1), &json!("Invoice"))
    );
    assert_eq!(
        (&one["html"], &one["text"]),
        (&json!("<p>Due.</p>"), &json!("Due."))
    );
    let html = visit
        .http
        .get(visit.url(&format!(
            "/_sandbox/twilio/emails/{}/html",
            one["id"].as_str().unwrap()
        )))
        .bearer_auth(visit.sandbox.control_token())
        .send()
        .await
        .unwrap();
    assert_eq!(html.text().await.unwrap(), "<p>Due.</p>");
    assert!(
        visit
            .sandbox
            .twilio()
            .requests()
            .iter()
            .any(|r| r.path == "/v1/Emails")
    );
}

#[tokio::test]
async fn what_the_pages_do_not_show_is_refused_with_all_problems_at_once() {
    let visit = Visit::begin().await;
    let who = visit.mailer(|_| {});
    for (place, value, context) in [
        ("/from/email", json!("a@example.com"), "from.email"),
        ("/from/name", Value::Null, "from.name"),
        (
            "/from/address",
            json!("billing@exämple.com"),
            "from.address",
        ),
        ("/to/0/cc", json!("b@example.net"), "to[0].cc"),
        ("/to/0/address", json!("nobody"), "to[0].address"),
        ("/to", json!([]), "to"),
        ("/content/html", Value::Null, "content.html"),
        ("/content/subject", json!(""), "content.subject"),
        ("/replyTo", json!("a@example.com"), "$.replyTo"),
        ("/personalizations", json!([]), "$.personalizations"),
        ("/tags/long", json!("x".repeat(257)), "tags.long"),
        ("/tags/number", json!(1), "tags.number"),
        ("/ipPoolName", json!("x"), "ipPoolName"),
    ] {
        let mut body = email("ann@example.net");
        let (parent, key) = place.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[key] = value;
        let (status, refused) = visit.mail(&who, &body).await;
        assert_eq!(
            (status, contexts(&refused)),
            (400, vec![context.to_owned()]),
            "{place}"
        );
    }
    let many: serde_json::Map<String, Value> =
        (0..11).map(|n| (n.to_string(), json!("x"))).collect();
    let mut body = email("nobody");
    body["tags"] = Value::Object(many);
    let (_, refused) = visit.mail(&who, &body).await;
    assert_eq!(contexts(&refused), ["to[0].address", "tags"]);
    let mut body = email("ann@example.net");
    body["content"]["html"] = json!("x".repeat(5 * 1024 * 1024));
    let (status, refused) = visit.mail(&who, &body).await;
    assert_eq!(
        (status, &refused["errors"][0]["context"]),
        (413, &Value::Null)
    );
    assert_eq!(visit.sandbox.twilio().emails_taken(), 0);
}

#[tokio::test]
async fn who_may_not_send_is_told() {
    let visit = Visit::begin().await;
    let who = visit.mailer(|_| {});
    let from = |domain: &str| {
        let mut body = email("ann@example.net");
        body["from"]["address"] = json!(format!("billing@{domain}"));
        body
    };
    let (status, refused) = visit.mail(&who, &from("unverified.example")).await;
    assert_eq!(
        (status, &refused["errors"][0]["code"]),
        (403, &json!(20403))
    );
    let order = json!({ "domain": "example.com", "verified": false });
    visit.control("/twilio/emails/domains", &order).await;
    assert_eq!(visit.mail(&who, &from("example.com")).await.0, 403);
    let order = json!({ "domain": "example.com", "verified": true });
    visit.control("/twilio/emails/domains", &order).await;
    assert_eq!(visit.mail(&who, &from("example.com")).await.0, 202);

    let trial = visit.mailer(|new| new.kind = AccountKind::Trial);
    let (status, refused) = visit.mail(&trial, &email("ann@example.net")).await;
    let says = refused["errors"][0]["message"].as_str().unwrap();
    assert!(status == 400 && says.contains("does not match any approved template"));
    let stranger = Credentials {
        auth_token: "wrong".to_owned(),
        ..who.clone()
    };
    let (status, refused) = visit.mail(&stranger, &email("ann@example.net")).await;
    assert_eq!(
        (status, &refused["errors"][0]["code"]),
        (401, &json!(20003))
    );

    let key = NewKey {
        kind: KeyKind::Restricted,
        ..NewKey::default()
    };
    let keyed = visit.mailer(|new| new.api_keys = vec![key]);
    let (sid, secret) = keyed.api_keys[0].clone();
    let restricted = Credentials {
        account_sid: sid,
        auth_token: secret,
        ..keyed
    };
    assert_eq!(
        visit.mail(&restricted, &email("ann@example.net")).await.0,
        401
    );
}

#[tokio::test]
async fn liquid_runs_over_everything() {
    let visit = Visit::begin().await;
    let who = visit.mailer(|_| {});
    let mut body = email("ann@example.net");
    body["to"][0]["variables"] = json!({ "invoice": "INV-7" });
    body["content"]["subject"] = json!("Invoice {{ invoice }}");
    body["tags"]["invoice"] = json!("{{invoice}}");
    assert_eq!(visit.mail(&who, &body).await.0, 202);
    let taken = &visit.sandbox.twilio().emails(&EmailFilter::default())[0];
    assert_eq!(
        (taken.subject.as_str(), taken.tags["invoice"].as_str()),
        ("Invoice INV-7", "INV-7")
    );
    for part in ["subject", "html", "text"] {
        for broken in ["{{ name }}", "{% if x %}", "{{ unclosed"] {
            let mut body = email("ann@example.net");
            body["content"][part] = json!(broken);
            let (status, refused) = visit.mail(&who, &body).await;
            let says = refused["errors"][0]["message"].as_str().unwrap();
            assert!(
                status == 400 && says.starts_with("Liquid error"),
                "{part} {broken}"
            );
        }
    }
}

#[tokio::test]
async fn emails_go_on_with_the_clock_and_are_forgotten_after_seven_days() {
    let visit = Visit::begin().await;
    let who = visit.mailer(|_| {});
    let mut ids = Vec::new();
    for local in [
        "ann",
        "undelivered+7",
        "failed",
        "opened",
        "late",
        "silent",
        "stuck",
    ] {
        let (_, taken) = visit
            .mail(&who, &email(&format!("{local}@example.net")))
            .await;
        ids.push(operation(&taken));
    }
    visit.clock.advance(TimeDelta::seconds(5));
    let told = |id: usize| visit.stats(&who, &ids[id]);
    let one = |status: &str| json!({ "total": 1, status: 1 });
    assert_eq!(told(0).await, ("COMPLETED".to_owned(), one("delivered")));
    // Done is not delivered.
    assert_eq!(told(1).await, ("COMPLETED".to_owned(), one("sent")));
    assert_eq!(told(2).await.1, one("failed"));
    assert_eq!(told(4).await, ("PROCESSING".to_owned(), one("queued")));
    visit.clock.advance(TimeDelta::hours(4));
    assert_eq!(told(1).await.1, one("undelivered"));
    assert_eq!(told(3).await.1, one("opened"));
    assert_eq!(told(4).await.1, one("delivered"));
    assert_eq!(told(5).await.1, one("sent"));
    assert_eq!(told(6).await.1, one("queued"));

    let rule = json!({
        "to_ends_with": "@example.org",
        "plan": { "steps": [{ "after_s": 60, "status": "FAILED" }] },
    });
    visit.control("/twilio/emails/plans", &rule).await;
    let mut several = email("ann@example.net");
    several["to"] = json!([{ "address": "bo@example.org" }, { "address": "cy@example.net" }]);
    let (_, taken) = visit.mail(&who, &several).await;
    visit.clock.advance(TimeDelta::minutes(2));
    let (_, counts) = visit.stats(&who, &operation(&taken)).await;
    assert_eq!(counts, json!({ "total": 2, "delivered": 1, "failed": 1 }));

    visit.clock.advance(TimeDelta::days(7));
    let path = format!("/Operations/{}", ids[0]);
    let (status, gone) = visit.read(&who, &path).await;
    assert_eq!((status, &gone["errors"][0]["code"]), (404, &json!(20404)));
    assert_eq!(visit.read(&who, "").await.1["emails"], json!([]));
}

#[tokio::test]
async fn lists_filter_by_tags_and_have_pages() {
    let visit = Visit::begin().await;
    let who = visit.mailer(|_| {});
    let other = visit.mailer(|_| {});
    for n in 0..5 {
        let mut body = email(&format!("a{n}@example.net"));
        body["tags"]["attempt"] = json!((n % 2).to_string());
        visit.mail(&who, &body).await;
        visit.clock.advance(TimeDelta::seconds(10));
    }
    let (_, none) = visit.read(&other, "?tags=delivery:dlv_1;").await;
    assert_eq!(none["emails"], json!([]));
    let (_, odd) = visit.read(&who, "?tags=delivery:dlv_1;attempt:1;").await;
    assert_eq!(odd["emails"].as_array().unwrap().len(), 2);
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let (_, page) = visit.read(&who, &format!("?pageSize=2{token}")).await;
        for one in page["emails"].as_array().unwrap() {
            seen.push(one["to"][0]["address"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["nextPageToken"].as_str() else {
            break;
        };
        token = format!("&pageToken={next}");
    }
    assert_eq!(seen, [4, 3, 2, 1, 0].map(|n| format!("a{n}@example.net")));
    let one = &odd["emails"][0];
    assert_eq!(one["related"][0]["name"], "Operation");
    let (_, by_operation) = visit
        .read(
            &who,
            &format!("?operationId={}", one["related"][0]["id"].as_str().unwrap()),
        )
        .await;
    assert_eq!(by_operation["emails"][0]["id"], one["id"]);
    let (status, same) = visit
        .read(&who, &format!("/{}", one["id"].as_str().unwrap()))
        .await;
    assert_eq!((status, &same["id"]), (200, &one["id"]));
    assert_eq!(visit.read(&who, "?startDate=soon").await.0, 400);

    let mut settings = visit.sandbox.twilio().settings();
    settings.emails.list_lag_s = 15;
    visit.sandbox.twilio().set(settings);
    let (_, late) = visit.read(&who, "").await;
    assert_eq!(late["emails"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn faults_are_told_in_the_shape_of_this_api() {
    let visit = Visit::begin().await;
    let who = visit.mailer(|_| {});
    for (fault, expected, wait, taken) in [
        (
            json!({ "kind": "too_many", "retry_after": 7 }),
            429,
            Some("7"),
            0,
        ),
        (json!({ "kind": "too_many" }), 429, None, 0),
        (
            json!({ "kind": "unavailable", "retry_after": 3 }),
            503,
            Some("3"),
            0,
        ),
        (json!({ "kind": "internal_error" }), 500, None, 0),
        (
            json!({ "kind": "internal_error", "accept": true }),
            500,
            None,
            1,
        ),
    ] {
        let before = visit.sandbox.twilio().emails_taken();
        let order = json!({ "fault": fault, "on": "email", "to": "ann@example.net" });
        assert_eq!(visit.control("/twilio/next", &order).await.0, 200);
        let request = visit
            .http
            .post(visit.url("/v1/Emails"))
            .json(&email("ann@example.net"));
        let request = request.basic_auth(&who.account_sid, Some(&who.auth_token));
        let answer = request.send().await.unwrap();
        let retry_after = answer.headers().get("retry-after");
        let retry_after = retry_after.map(|wait| wait.to_str().unwrap().to_owned());
        assert_eq!(
            (answer.status().as_u16(), retry_after.as_deref()),
            (expected, wait)
        );
        assert!(answer.headers().contains_key("twilio-concurrent-requests"));
        let body: Value = answer.json().await.unwrap();
        assert!(
            body["errors"][0]["code"].as_u64().unwrap() > 20_000,
            "{body}"
        );
        assert_eq!(visit.sandbox.twilio().emails_taken() - before, taken);
    }
    let order = json!({ "fault": { "kind": "drop_after" }, "on": "email" });
    visit.control("/twilio/next", &order).await;
    let request = visit
        .http
        .post(visit.url("/v1/Emails"))
        .json(&email("ann@example.net"));
    let request = request.basic_auth(&who.account_sid, Some(&who.auth_token));
    assert!(request.send().await.is_err());
    assert_eq!(visit.sandbox.twilio().emails_taken(), 2);
}
