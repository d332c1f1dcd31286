//! Events, deliveries and replays through the API.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::{Answer, House, Tenant};
use crate::domain::delivery::{Attempt, DeliveryState, StepKind};
use crate::domain::ids::{AttemptId, ConnectionId, DeliveryId};
use crate::domain::report::Status;
use crate::store::{Change, Claim, ClaimResult, Guard, NewReceipt, ReceiptResult};
use crate::twilio;

async fn replay(house: &House, path: &str, tenant: &Tenant, key: Option<&str>) -> Answer {
    let key: Vec<_> = key.map(|k| ("idempotency-key", k)).into_iter().collect();
    let path = format!("{path}/replays");
    let asked = house
        .call(Method::POST, &path, Some(&tenant.editor), &key, "")
        .await;
    let Some(fingerprint) = asked.body.pointer("/facts/fingerprint") else {
        return asked;
    };
    let confirm = json!({ "confirm": fingerprint }).to_string();
    let mut headers = key;
    headers.push(("content-type", "application/json"));
    house
        .call(
            Method::POST,
            &path,
            Some(&tenant.editor),
            &headers,
            &confirm,
        )
        .await
}

async fn cancel(house: &House, delivery: &str, tenant: &Tenant) {
    let path = format!("/deliveries/{delivery}/resolution");
    let word = json!({"resolution": "cancel"});
    let answer = house.send(Method::POST, &path, &tenant.editor, word).await;
    assert_eq!(answer.body["state"], "canceled", "{}", answer.body);
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap()
}

#[actix_web::test]
async fn an_event_tells_its_whole_story() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    let rule = house.rule(&tenant).await;
    let id = house.event(&tenant, 3).await;
    let answer = house.get(&format!("/events/{id}"), &tenant.viewer).await;
    let event = answer.body;
    assert_eq!(event["id"], id.to_string());
    assert_eq!(event["event_type"], "invoice.overdue");
    assert_eq!(event["state"], "matched", "{event}");
    assert_eq!(event["amount"], "1350.50");
    assert_eq!(event["currency"], "USD");
    assert_eq!(event["label"], "14d");
    assert_eq!(event["received_at"], "2026-11-18T11:06:40Z");
    let decision = &event["decisions"][0];
    assert_eq!(decision["rule_id"], rule["id"]);
    assert_eq!(decision["matched"], true);
    assert_eq!(decision["kind"], "rule");
    assert_eq!(decision["rule_version"], 1);
    assert_eq!(decision["values"][0]["field"], "total");
    let delivery = &event["deliveries"][0];
    assert_eq!(delivery["to"], "+16175550123");
    assert_eq!(delivery["body"], "Bowman & Co owes 1350.50");
    assert_eq!(delivery["state"], "queued");
    assert_eq!(delivery["replay_of"], Value::Null);
    assert_eq!(delivery["attempts"], json!([]));
    let path = format!("/deliveries/{}", text(delivery, "/id"));
    assert_eq!(house.get(&path, &tenant.viewer).await.body, *delivery);
}

#[actix_web::test]
async fn what_nobody_asked_for_is_explained_without_a_rule() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    let id = house.event(&tenant, 3).await;
    let event = house
        .get(&format!("/events/{id}"), &tenant.viewer)
        .await
        .body;
    assert_eq!(event["decisions"][0]["rule_id"], Value::Null);
    assert_eq!(event["decisions"][0]["kind"], "no_rule");
    assert_eq!(event["deliveries"], json!([]));
}

#[actix_web::test]
async fn what_another_tenant_has_is_not_found() {
    let house = House::build().await;
    let (acme, other) = (house.tenant("acme").await, house.tenant("other").await);
    house.rule(&acme).await;
    let id = house.event(&acme, 3).await;
    let event = format!("/events/{id}");
    let story = house.get(&event, &acme.viewer).await.body;
    let delivery = format!("/deliveries/{}", text(&story, "/deliveries/0/id"));
    for path in [&event, &delivery] {
        assert_eq!(house.get(path, &other.viewer).await.status, 404);
        assert_eq!(replay(&house, path, &other, None).await.status, 404);
    }
    let word = json!({"resolution": "cancel"});
    let resolution = format!("{delivery}/resolution");
    let answer = house
        .send(Method::POST, &resolution, &other.admin, word)
        .await;
    assert_eq!(answer.status, 404);
    for list in ["/events", "/deliveries"] {
        let empty = json!({"data": [], "next": null});
        assert_eq!(house.get(list, &other.viewer).await.body, empty);
    }
    assert_eq!(house.get(&event, &acme.viewer).await.body, story);
}

#[actix_web::test]
async fn a_replay_waits_for_what_is_open_and_happens_once_per_key() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    house.rule(&tenant).await;
    let id = house.event(&tenant, 3).await;
    let event = format!("/events/{id}");
    let story = house.get(&event, &tenant.viewer).await.body;
    let first = text(&story, "/deliveries/0/id");
    let delivery = format!("/deliveries/{first}");
    for path in [&event, &delivery] {
        let open = replay(&house, path, &tenant, Some("k")).await;
        assert_eq!((open.status.as_u16(), open.problem()), (409, "still-open"));
        assert_eq!(open.body["delivery"], first);
    }
    cancel(&house, first, &tenant).await;

    let made = replay(&house, &delivery, &tenant, Some("k")).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.body["event"], id.to_string());
    let second = text(&made.body, "/deliveries/0").to_owned();
    assert_ne!(second, first);
    let again = replay(&house, &delivery, &tenant, Some("k")).await;
    assert_eq!((again.status, &again.body), (made.status, &made.body));
    let shown = house
        .get(&format!("/deliveries/{second}"), &tenant.viewer)
        .await;
    assert_eq!(shown.body["replay_of"], first);
    assert_eq!(shown.body["replay_id"], made.body["id"]);
    let blocked = replay(&house, &delivery, &tenant, Some("other")).await;
    assert_eq!(blocked.body["delivery"], second.as_str());
    cancel(&house, &second, &tenant).await;

    let decided = replay(&house, &event, &tenant, Some("k")).await;
    assert_eq!(decided.status, 201, "{}", decided.body);
    assert_ne!(decided.body["id"], made.body["id"]);
    let again = replay(&house, &event, &tenant, Some("k")).await;
    assert_eq!(again.body, decided.body);
    cancel(&house, text(&decided.body, "/deliveries/0"), &tenant).await;
    let keyless = replay(&house, &event, &tenant, None).await;
    assert_ne!(keyless.body["id"], decided.body["id"]);

    let story = house.get(&event, &tenant.viewer).await.body;
    assert_eq!(story["deliveries"].as_array().unwrap().len(), 4);
    assert_eq!(story["replays"].as_array().unwrap().len(), 3);
    let long = replay(&house, &event, &tenant, Some(&"k".repeat(256))).await;
    assert_eq!(long.wrong_fields(), ["Idempotency-Key"]);
}

/// Sends a delivery as a worker would: accepted by Twilio, then refused by the recipient (21610).
async fn send_and_be_refused(house: &House, tenant: &Tenant, id: DeliveryId) {
    let account = format!("AC{}", "a1".repeat(16));
    let typed = json!({"account_sid": account, "auth_token": "5e".repeat(16), "from": "ACME",
        "save_anyway": true});
    let path = "/connections/twilio";
    let twilio = house.send(Method::PUT, path, &tenant.admin, typed).await;
    let connection: ConnectionId = text(&twilio.body, "/id").parse().unwrap();
    let (store, now) = (house.app.store().tenant(tenant.id), house.app.now());
    let delivery = store.delivery(id).await.unwrap().unwrap();
    let asserts = delivery.asserts.clone().unwrap();
    let document = store.document(asserts.source, asserts.kind, &asserts.document);
    let claim = Claim {
        document_version: document.await.unwrap().unwrap().version,
        attempt: Attempt {
            id: AttemptId::new(now),
            delivery: id,
            attempt_no: 1,
            connection,
            account: account.clone(),
            request: json!({"To": delivery.address}).to_string(),
            started_at: now,
            lease_until: now + chrono::TimeDelta::seconds(60),
        },
        to: delivery.to().to_owned(),
        meant: delivery.address.clone(),
        channel: delivery.channel,
        fingerprint: delivery.fingerprint,
        scope: String::new(),
        member: crate::domain::ids::MemberId::nil(),
        is_accepted: false,
        lease_owner: "test".to_owned(),
        hours: None,
        zone: store.tenant().await.unwrap().unwrap().zone,
        now,
        is_by_database: false,
    };
    assert_eq!(store.claim(claim).await.unwrap(), ClaimResult::Claimed);
    let guard = Guard {
        states: &[DeliveryState::Sending],
        attempt_no: 1,
        lease_owner: None,
    };
    let detail = json!({"response": {"status": 201}}).to_string();
    let twilio = store.connection(twilio::PROVIDER).await.unwrap().unwrap();
    let change = Change {
        accepts: Some((connection, twilio.login)),
        ..Change::to(DeliveryState::Accepted, id, guard, now).because(
            StepKind::Accepted,
            "Twilio has it",
            detail,
        )
    };
    assert!(store.change(change).await.unwrap());
    let receipt = NewReceipt {
        provider: "Twilio".to_owned(),
        is_opt_out: true,
        hit: None,
        delivery: Some(id),
        attempt_no: Some(1),
        account,
        sid: "SM1".to_owned(),
        word: "failed".to_owned(),
        status: Some(Status::Failed),
        error_code: 21610,
        reason: "The recipient has opted out".to_owned(),
        source: "callback",
        is_verified: true,
        detail: "{}".to_owned(),
        due_at: None,
        now,
    };
    let received = store.receive(receipt).await.unwrap();
    assert_eq!(received, ReceiptResult::Moved(id));
}

#[actix_web::test]
async fn a_delivery_tells_its_attempts_and_receipts_and_a_suppressed_address_is_left_alone() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    house.rule(&tenant).await;
    let event = format!("/events/{}", house.event(&tenant, 3).await);
    let story = house.get(&event, &tenant.viewer).await.body;
    let id = text(&story, "/deliveries/0/id").to_owned();
    send_and_be_refused(&house, &tenant, id.parse().unwrap()).await;

    let path = format!("/deliveries/{id}");
    let told = house.get(&path, &tenant.viewer).await.body;
    assert_eq!(told["state"], "suppressed");
    assert_eq!(told["sid"], "SM1");
    assert_eq!(told["error_code"], 21610);
    assert_eq!(told["reason"], "The recipient has opted out");
    let attempt = &told["attempts"][0];
    assert_eq!(attempt["number"], 1);
    assert_eq!(attempt["request"], json!({"To": "+16175550123"}));
    assert_eq!(attempt["outcome"], told["steps"]);
    let step = &told["steps"][0];
    assert_eq!(
        (&step["attempt"], &step["kind"]),
        (&json!(1), &json!("accepted"))
    );
    assert_eq!(step["detail"]["response"]["status"], 201);
    let receipt = &told["receipts"][0];
    assert_eq!(receipt["status"], "failed");
    assert_eq!(receipt["error_code"], 21610);
    assert_eq!(receipt["verified"], true);
    assert_eq!(
        house.get(&event, &tenant.viewer).await.body["deliveries"][0],
        told
    );

    let refused = replay(&house, &path, &tenant, None).await;
    assert_eq!(
        (refused.status.as_u16(), refused.problem()),
        (409, "suppressed")
    );
    let secret = "5e".repeat(16);
    assert!(!told.to_string().contains(&secret));
}

#[actix_web::test]
async fn a_replay_of_an_event_not_decided_yet_joins_the_decision_under_way() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    house.rule(&tenant).await;
    let id = house.undecided_event(&tenant, 3).await;
    let path = format!("/events/{id}");
    let pending = replay(&house, &path, &tenant, Some("k")).await;
    assert_eq!(pending.status, 202, "{}", pending.body);
    assert_eq!(pending.body["deliveries"], json!([]));
    let story = house.get(&path, &tenant.viewer).await.body;
    assert_eq!(
        (&story["state"], &story["decided_at"]),
        (&json!("received"), &Value::Null)
    );
    assert_eq!(story["replays"][0]["id"], pending.body["id"]);
}

#[actix_web::test]
async fn a_word_that_does_not_fit_changes_nothing() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    house.rule(&tenant).await;
    let id = house.event(&tenant, 3).await;
    let story = house
        .get(&format!("/events/{id}"), &tenant.viewer)
        .await
        .body;
    let path = format!(
        "/deliveries/{}/resolution",
        text(&story, "/deliveries/0/id")
    );
    for (body, status) in [
        (json!({"resolution": "arrived"}), 409),
        (json!({"resolution": "eaten"}), 422),
        (json!({}), 422),
        (json!({"resolution": 5}), 422),
    ] {
        let answer = house.send(Method::POST, &path, &tenant.editor, body).await;
        assert_eq!(answer.status, status);
        if status == 422 {
            assert_eq!(answer.wrong_fields(), ["resolution"]);
        }
    }
    let after = house
        .get(&format!("/events/{id}"), &tenant.viewer)
        .await
        .body;
    assert_eq!(after, story);
}

#[actix_web::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    house.rule(&tenant).await;
    let mut ids = Vec::new();
    for number in 1..=5 {
        ids.push(house.event(&tenant, number).await.to_string());
    }
    ids.reverse();
    for list in ["/events?limit=2", "/deliveries?state=queued&limit=2"] {
        let (mut seen, mut sizes) = (Vec::new(), Vec::new());
        let mut path = list.to_owned();
        loop {
            let page = house.get(&path, &tenant.viewer).await.body;
            let rows = page["data"].as_array().unwrap().clone();
            sizes.push(rows.len());
            let id = |row: &Value| row.get("event").unwrap_or(&row["id"]).clone();
            seen.extend(rows.iter().map(|r| id(r).as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else {
                break;
            };
            path = format!("{list}&cursor={next}");
        }
        assert_eq!((&seen, sizes), (&ids, vec![2, 2, 1]));
    }
}

#[actix_web::test]
async fn lists_are_filtered_and_unknown_filters_refused() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    house.rule(&tenant).await;
    let wanted = house.event(&tenant, 1).await.to_string();
    house.event(&tenant, 2).await;
    let count = async |query: &str| {
        let answer = house.get(&format!("/events?{query}"), &tenant.viewer).await;
        answer.body["data"].as_array().map_or(99, Vec::len)
    };
    assert_eq!(count("document=1").await, 1);
    assert_eq!(
        count("customer=9&event_type=invoice.overdue&state=matched").await,
        2
    );
    assert_eq!(count("state=received").await, 0);
    assert_eq!(count("event_type=bill.created").await, 0);
    let one = house.get("/events?document=1", &tenant.viewer).await;
    assert_eq!(one.body["data"][0]["id"], wanted.as_str());
    for (query, wrong) in [
        ("state=eaten", vec!["state"]),
        (
            "event_type=x&limit=0&cursor=zz",
            vec!["event_type", "cursor", "limit"],
        ),
        ("limit=101", vec!["limit"]),
        ("stat=matched", vec!["stat"]),
        ("state=matched&state=settled", vec!["state"]),
    ] {
        let path = format!("/events?{query}");
        let answer = house.get(&path, &tenant.viewer).await;
        assert_eq!(
            (answer.status.as_u16(), answer.problem()),
            (400, "invalid-query")
        );
        assert_eq!(answer.wrong_fields(), wrong);
    }
}
