//! Faults by order, visited over HTTP.

use std::time::Duration;

use serde_json::json;

use super::{TO, user};
use crate::sandbox::DEMO_NUMBER;
use crate::sandbox::tests::Visit;

/// Waits for what happens on the server's own time.
async fn eventually(happened: impl Fn() -> bool) {
    tokio::time::timeout(Duration::from_secs(20), async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("it happens in the end");
}

#[tokio::test]
async fn too_many_at_once_are_refused_and_not_taken() {
    let visit = Visit::begin().await;
    let who = visit.account(|new| new.concurrency_limit = Some(1));
    visit
        .order(json!({ "kind": "slow", "delay_ms": 1_500 }))
        .await;
    let first = visit.posting(&who, &[("To", TO), ("From", DEMO_NUMBER), ("Body", "1")]);
    let first = tokio::spawn(first.send());
    eventually(|| !visit.sandbox.twilio().requests().is_empty()).await;
    let (status, answer) = visit.text(&who, TO, "2").await;
    assert_eq!((status, &answer["code"]), (429, &json!(20429)));
    let first = first.await.unwrap().unwrap();
    assert_eq!(first.status(), 201);
    assert_eq!(first.headers()["twilio-concurrent-requests"], "1");
    assert_eq!(visit.sandbox.twilio().taken(), 1);
}

#[tokio::test]
async fn each_faulty_answer_comes_as_ordered_and_takes_what_it_says() {
    let visit = Visit::begin().await;
    let who = visit.account(|_| {});
    for (fault, status, body, taken) in [
        (
            json!({ "kind": "too_many", "retry_after": 7 }),
            429,
            "20429",
            0,
        ),
        (json!({ "kind": "internal_error" }), 500, "20500", 0),
        (
            json!({ "kind": "internal_error", "html": true, "accept": true }),
            500,
            "<html>",
            1,
        ),
        (
            json!({ "kind": "unavailable", "retry_after": 7 }),
            503,
            "20503",
            0,
        ),
        (
            json!({ "kind": "error_code", "code": 30450 }),
            400,
            "30450",
            0,
        ),
        (
            json!({ "kind": "error_code", "code": 20003, "status": 401 }),
            401,
            "20003",
            0,
        ),
        (json!({ "kind": "garbage" }), 201, "SM0123", 1),
        (json!({ "kind": "empty" }), 201, "", 1),
        (json!({ "kind": "html" }), 200, "<html>", 0),
        (json!({ "kind": "slow", "delay_ms": 1 }), 201, "queued", 1),
        (
            json!({ "kind": "slow", "delay_ms": 1, "accept": true }),
            201,
            "queued",
            1,
        ),
    ] {
        let before = visit.sandbox.twilio().taken();
        visit.order(fault.clone()).await;
        let form = [("To", TO), ("From", DEMO_NUMBER), ("Body", "Hi")];
        let answer = visit.posting(&who, &form).send().await.unwrap();
        assert_eq!(answer.status(), status, "{fault}");
        let waits = answer
            .headers()
            .get("retry-after")
            .map(|value| value.to_str().unwrap());
        assert_eq!(waits, fault.get("retry_after").map(|_| "7"), "{fault}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(body), "{fault}: {text}");
        assert!(!body.is_empty() || text.is_empty(), "{fault}: {text}");
        assert_eq!(visit.sandbox.twilio().taken() - before, taken, "{fault}");
    }
    assert_eq!(visit.text(&who, TO, "Hi").await.0, 201);
}

#[tokio::test]
async fn cut_connections_give_no_byte_before_and_after_taking() {
    let visit = Visit::begin().await;
    let who = visit.account(|_| {});
    for (fault, taken) in [
        (json!({ "kind": "drop_before" }), 0),
        (json!({ "kind": "drop_after" }), 1),
        (json!({ "kind": "timeout_before", "delay_ms": 50 }), 0),
        (json!({ "kind": "timeout_after", "delay_ms": 50 }), 1),
    ] {
        let before = visit.sandbox.twilio().taken();
        visit.order(fault.clone()).await;
        let form = [("To", TO), ("From", DEMO_NUMBER), ("Body", "Hi")];
        let error = visit.posting(&who, &form).send().await.unwrap_err();
        assert!(
            !error.is_connect() && !error.is_timeout() && error.is_request(),
            "{error:?}"
        );
        assert_eq!(visit.sandbox.twilio().taken() - before, taken, "{fault}");
    }
    assert_eq!(visit.text(&who, TO, "Hi").await.0, 201);
}

#[tokio::test]
async fn hanging_answers_outlast_the_client() {
    let visit = Visit::begin().await;
    let who = visit.account(|_| {});
    let form = [("To", TO), ("From", DEMO_NUMBER), ("Body", "Hi")];
    for (fault, taken) in [
        (json!({ "kind": "timeout_before" }), 0),
        (json!({ "kind": "timeout_after" }), 1),
    ] {
        let before = visit.sandbox.twilio().taken();
        visit.order(fault.clone()).await;
        let request = visit
            .posting(&who, &form)
            .timeout(Duration::from_millis(500));
        assert!(request.send().await.unwrap_err().is_timeout());
        assert_eq!(visit.sandbox.twilio().taken() - before, taken, "{fault}");
    }
    // Twilio does not notice that the client has gone: the message is taken afterwards.
    visit
        .order(json!({ "kind": "slow", "delay_ms": 1_500 }))
        .await;
    let before = visit.sandbox.twilio().taken();
    let request = visit
        .posting(&who, &form)
        .timeout(Duration::from_millis(300));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(visit.sandbox.twilio().taken(), before);
    eventually(|| visit.sandbox.twilio().taken() == before + 1).await;
}

#[tokio::test]
async fn faults_can_meet_one_recipient_or_the_list() {
    let visit = Visit::begin().await;
    let who = visit.account(|_| {});
    let order = json!({ "fault": { "kind": "unavailable" }, "to": TO, "count": 2 });
    visit.control("/twilio/next", &order).await;
    assert_eq!(visit.text(&who, "+12025550111", "Hi").await.0, 201);
    assert_eq!(visit.text(&who, TO, "Hi").await.0, 503);
    assert_eq!(visit.text(&who, TO, "Hi").await.0, 503);
    assert_eq!(visit.text(&who, TO, "Hi").await.0, 201);
    let order = json!({ "fault": { "kind": "too_many" }, "on": "list" });
    visit.control("/twilio/next", &order).await;
    let path = format!("/2010-04-01/Accounts/{}/Messages.json", who.account_sid);
    assert_eq!(visit.get(user(&who), &path).await.0, 429);
    assert_eq!(visit.get(user(&who), &path).await.0, 200);
}
