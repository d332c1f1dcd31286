//! Twilio's side, visited over HTTP.

mod callbacks;
mod faults;

use serde_json::{Value, json};

use super::*;
use crate::sandbox::DEMO_NUMBER;
use crate::sandbox::tests::Visit;

const TO: &str = "+12025550187";

impl Visit {
    fn account(&self, change: impl FnOnce(&mut NewAccount)) -> Credentials {
        let mut new = NewAccount {
            numbers: vec![DEMO_NUMBER.to_owned(), format!("whatsapp:{DEMO_NUMBER}")],
            ..NewAccount::default()
        };
        change(&mut new);
        self.sandbox.twilio().register(new).unwrap()
    }

    fn posting(&self, who: &Credentials, form: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let path = format!("/2010-04-01/Accounts/{}/Messages.json", who.account_sid);
        let request = self.http.post(self.url(&path)).form(form);
        request.basic_auth(&who.account_sid, Some(&who.auth_token))
    }

    async fn send(&self, who: &Credentials, form: &[(&str, &str)]) -> (u16, Value) {
        let answer = self.posting(who, form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn text(&self, who: &Credentials, to: &str, body: &str) -> (u16, Value) {
        self.send(who, &[("To", to), ("From", DEMO_NUMBER), ("Body", body)])
            .await
    }

    async fn get(&self, user: (&str, &str), path: &str) -> (u16, Value) {
        let request = self
            .http
            .get(self.url(path))
            .basic_auth(user.0, Some(user.1));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn order(&self, fault: Value) {
        let (status, answer) = self
            .control("/twilio/next", &json!({ "fault": fault }))
            .await;
        assert_eq!(status, 200, "{answer}");
    }
}

fn user(who: &Credentials) -> (&str, &str) {
    (&who.account_sid, &who.auth_token)
}

fn rule(plan: CallbackPlan) -> CallbackRule {
    CallbackRule {
        to: None,
        to_ends_with: None,
        plan,
    }
}

#[tokio::test]
async fn a_taken_message_is_shown_as_twilio_shows_it() {
    let visit = Visit::begin().await;
    let who = visit.account(|_| {});
    visit
        .sandbox
        .twilio()
        .plan(rule(CallbackPlan::of(&[])))
        .unwrap();
    let (status, shown) = visit.text(&who, TO, "Hello").await;
    assert_eq!(status, 201);
    assert!(account::is_sid("SM", shown["sid"].as_str().unwrap()));
    assert_eq!(shown["status"], "queued");
    assert_eq!(shown["num_segments"], "1");
    assert_eq!(shown["date_created"], "Sun, 22 Nov 2026 12:00:00 +0000");
    assert_eq!(shown["date_sent"], Value::Null);
    assert_eq!(shown["direction"], "outbound-api");
    let (status, again) = visit.get(user(&who), shown["uri"].as_str().unwrap()).await;
    assert_eq!((status, again), (200, shown));
}

#[tokio::test]
async fn credentials_reach_as_far_as_at_twilio() {
    let visit = Visit::begin().await;
    let restricted = NewKey {
        kind: KeyKind::Restricted,
        may: vec![Permission::MessagesCreate],
        ..NewKey::default()
    };
    let main = NewKey {
        kind: KeyKind::Main,
        ..NewKey::default()
    };
    let who = visit.account(|new| new.api_keys = vec![NewKey::default(), restricted, main]);
    let other = visit.account(|_| {});
    let test = visit.account(|new| new.test_credentials = true);
    let base = format!("/2010-04-01/Accounts/{}", who.account_sid);
    let key = |index: usize| {
        (
            who.api_keys[index].0.as_str(),
            who.api_keys[index].1.as_str(),
        )
    };
    let unknown = format!("AC{}", "0".repeat(32));
    for (user, path, expected, code) in [
        (user(&who), format!("{base}.json"), 200, None),
        (user(&who), format!("{base}/Balance.json"), 200, None),
        (
            (who.account_sid.as_str(), "wrong"),
            format!("{base}.json"),
            401,
            Some(20003),
        ),
        (
            (unknown.as_str(), "any"),
            format!("/2010-04-01/Accounts/{unknown}.json"),
            401,
            Some(20003),
        ),
        (
            user(&other),
            format!("{base}/Messages.json"),
            401,
            Some(20003),
        ),
        (
            user(&who),
            format!("/2010-04-01/Accounts/{unknown}.json"),
            404,
            Some(20404),
        ),
        (key(0), format!("{base}.json"), 401, Some(20003)),
        (
            key(0),
            format!("{base}/Messages.json?PageSize=1"),
            200,
            None,
        ),
        (key(0), "/v1/Services?PageSize=50".to_owned(), 200, None),
        (key(1), format!("{base}/Messages.json"), 401, Some(20003)),
        (key(2), format!("{base}.json"), 200, None),
        (
            user(&test),
            format!("/2010-04-01/Accounts/{}.json", test.account_sid),
            403,
            Some(20008),
        ),
        (
            user(&who),
            format!("{base}/Messages/SM0.json"),
            404,
            Some(20404),
        ),
        (user(&who), format!("{base}/Calls.json"), 404, Some(20404)),
    ] {
        let (status, answer) = visit.get(user, &path).await;
        assert_eq!(status, expected, "{path}: {answer}");
        if let Some(code) = code {
            assert_eq!(
                (&answer["code"], &answer["status"]),
                (&json!(code), &json!(expected))
            );
            let link = format!("https://www.twilio.com/docs/errors/{code}");
            assert_eq!(answer["more_info"], link);
        }
    }
    let nobody = visit
        .http
        .get(visit.url(&format!("{base}.json")))
        .send()
        .await
        .unwrap();
    assert_eq!(nobody.status(), 401);
    let (_, account) = visit.get(user(&who), &format!("{base}.json")).await;
    assert_eq!(
        (&account["status"], &account["type"]),
        (&json!("active"), &json!("Full"))
    );
    assert_eq!(account["auth_token"], who.auth_token);
}

#[tokio::test]
async fn forms_are_refused_with_twilios_codes() {
    let visit = Visit::begin().await;
    let service = NewService {
        senders: vec![DEMO_NUMBER.to_owned()],
        ..NewService::default()
    };
    let who = visit.account(|new| new.services = vec![service, NewService::default()]);
    let [full, empty] = [&who.services[0], &who.services[1]].map(String::as_str);
    let long = "x".repeat(1_601);
    let missing = format!("MG{}", "0".repeat(32));
    let base = [("To", TO), ("From", DEMO_NUMBER), ("Body", "Hi")];
    // Each case changes the base form: a name with a value, or without one when it is blank.
    let cases: Vec<(Vec<(&str, &str)>, u32)> = vec![
        (vec![("To", "")], 21604),
        (vec![("To", ""), ("to", TO)], 21604),
        (vec![("From", "")], 21603),
        (vec![("Body", "")], 21602),
        (vec![("Body", &long)], 21617),
        (vec![("To", "2025550187")], 21211),
        (vec![("To", "+0123456789")], 21211),
        (vec![("To", DEMO_NUMBER)], 21211),
        (vec![("To", "+15005550001")], 21211),
        (vec![("To", "+15005550002")], 21612),
        (vec![("To", "+15005550003")], 21408),
        (vec![("To", "+15005550004")], 21610),
        (vec![("To", "+15005550009")], 21614),
        (vec![("From", "+15005550001")], 21212),
        (vec![("From", "+15005550007")], 21606),
        (vec![("From", "+15005550008")], 21611),
        (vec![("From", "+12025550100")], 21606),
        (vec![("From", "not a sender at all")], 21212),
        (
            vec![
                ("From", "whatsapp:+12025550100"),
                ("To", "whatsapp:+12025550187"),
            ],
            63007,
        ),
        (vec![("From", "whatsapp:+15005550006")], 21910),
        (vec![("ValidityPeriod", "0")], 21624),
        (vec![("ValidityPeriod", "36001")], 21624),
        (vec![("StatusCallback", "http://10.0.0.1/hook")], 21609),
        (vec![("StatusCallback", "hook")], 21609),
        (vec![("MessagingServiceSid", "MG1")], 21705),
        (vec![("MessagingServiceSid", &missing)], 21701),
        (vec![("MessagingServiceSid", empty)], 21704),
        (
            vec![("MessagingServiceSid", full), ("From", "+12025550100")],
            21606,
        ),
        (vec![("ContentSid", "HX1")], 21655),
        (vec![("ContentVariables", "{}")], 21654),
    ];
    for (changes, code) in cases {
        let mut form: Vec<(&str, &str)> = base.to_vec();
        form.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        form.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        let (status, answer) = visit.send(&who, &form).await;
        assert_eq!(
            (status, &answer["code"]),
            (400, &json!(code)),
            "{form:?}: {answer}"
        );
    }
    assert_eq!(visit.sandbox.twilio().taken(), 0);

    let json_body = visit
        .posting(&who, &[])
        .header("Content-Type", "application/json")
        .body(json!({ "To": TO, "From": DEMO_NUMBER, "Body": "Hi" }).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(json_body.status(), 400);
    assert_eq!(json_body.json::<Value>().await.unwrap()["code"], 21604);
}

#[tokio::test]
async fn callbacks_can_be_refused_altogether() {
    let visit = Visit::begin().await;
    let who = visit.account(|_| {});
    let form = [
        ("To", TO),
        ("From", DEMO_NUMBER),
        ("Body", "Hi"),
        ("StatusCallback", "http://127.0.0.1:9/hook"),
    ];
    visit
        .control("/twilio/settings", &json!({ "refuse_callbacks": true }))
        .await;
    assert_eq!(visit.send(&who, &form).await.1["code"], 21609);
    visit.control("/twilio/settings", &json!({})).await;
    assert_eq!(visit.send(&who, &form).await.0, 201);
}

#[tokio::test]
async fn trial_test_and_suspended_accounts_are_held_short() {
    let visit = Visit::begin().await;
    let trial = visit.account(|new| {
        new.kind = AccountKind::Trial;
        new.verified = vec![TO.to_owned()];
    });
    let (status, shown) = visit.text(&trial, TO, "Hello").await;
    assert_eq!(status, 201);
    assert_eq!(shown["body"], "Sent from your Twilio trial account - Hello");
    assert_eq!(
        visit.text(&trial, "+12025550111", "Hello").await.1["code"],
        21608
    );

    let suspended = visit.account(|new| new.status = AccountStatus::Suspended);
    assert_eq!(visit.text(&suspended, TO, "Hello").await.0, 403);

    let test = visit.account(|new| {
        new.test_credentials = true;
        new.numbers = vec!["+12025550100".to_owned()];
    });
    assert_eq!(visit.text(&test, TO, "Hello").await.0, 201);
    let live = [("To", TO), ("From", "+12025550100"), ("Body", "Hi")];
    assert_eq!(visit.send(&test, &live).await.1["code"], 21606);
}

#[tokio::test]
async fn people_can_opt_out_and_in_again() {
    let visit = Visit::begin().await;
    let who = visit.account(|_| {});
    let wish = json!({ "account_sid": who.account_sid, "to": TO });
    visit.control("/twilio/optouts", &wish).await;
    assert_eq!(visit.text(&who, TO, "Hi").await.1["code"], 21610);
    let wish = json!({ "account_sid": who.account_sid, "to": TO, "opted_out": false });
    visit.control("/twilio/optouts", &wish).await;
    assert_eq!(visit.text(&who, TO, "Hi").await.0, 201);
}

#[tokio::test]
async fn a_service_picks_its_sender_after_accepting() {
    let visit = Visit::begin().await;
    let service = NewService {
        senders: vec![DEMO_NUMBER.to_owned()],
        ..NewService::default()
    };
    let who = visit.account(|new| {
        new.services = vec![service];
        new.contents
            .insert("HX1".to_owned(), "Dear {{1}}, {{2}} is due".to_owned());
    });
    let form = [
        ("To", TO),
        ("MessagingServiceSid", who.services[0].as_str()),
        ("ContentSid", "HX1"),
        ("ContentVariables", r#"{"1":"Sarah","2":"INV-7"}"#),
    ];
    let (status, shown) = visit.send(&who, &form).await;
    assert_eq!(status, 201);
    assert_eq!(
        (&shown["status"], &shown["from"]),
        (&json!("accepted"), &Value::Null)
    );
    assert_eq!(shown["num_segments"], "0");
    visit.sandbox.twilio().idle().await;
    let (_, shown) = visit.get(user(&who), shown["uri"].as_str().unwrap()).await;
    assert_eq!(
        (&shown["status"], &shown["from"]),
        (&json!("delivered"), &json!(DEMO_NUMBER))
    );
    assert_eq!(shown["body"], "Dear Sarah, INV-7 is due");
    let (_, services) = visit.get(user(&who), "/v1/Services").await;
    assert_eq!(services["services"][0]["sid"], who.services[0]);
}

#[tokio::test]
async fn lists_are_newest_first_filtered_and_paged_by_relative_addresses() {
    let visit = Visit::begin().await;
    let who = visit.account(|_| {});
    visit
        .sandbox
        .twilio()
        .plan(rule(CallbackPlan::of(&[])))
        .unwrap();
    for (to, body) in [(TO, "1"), ("+12025550111", "2"), (TO, "3"), (TO, "4")] {
        assert_eq!(visit.text(&who, to, body).await.0, 201);
    }
    let base = format!("/2010-04-01/Accounts/{}/Messages.json", who.account_sid);
    let bodies = |page: &Value| -> Vec<String> {
        let rows = page["messages"].as_array().unwrap().iter();
        rows.map(|row| row["body"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = format!("{base}?To=%2B12025550187&PageSize=2");
    let (_, page) = visit.get(user(&who), &first).await;
    assert_eq!(bodies(&page), ["4", "3"]);
    let next = page["next_page_uri"].as_str().unwrap();
    assert!(next.starts_with(&base), "{next}");
    let (_, page) = visit.get(user(&who), next).await;
    assert_eq!(
        (bodies(&page), &page["next_page_uri"]),
        (vec!["1".to_owned()], &Value::Null)
    );
    // A message that has not left has no date to filter by.
    let today = format!("{base}?DateSent=2026-11-22");
    assert!(bodies(&visit.get(user(&who), &today).await.1).is_empty());
    let sid = page["messages"][0]["sid"].as_str().unwrap();
    visit
        .sandbox
        .twilio()
        .tell(sid, "sent", None)
        .await
        .unwrap();
    assert_eq!(bodies(&visit.get(user(&who), &today).await.1), ["1"]);
    let later = format!("{base}?DateSent%3E=2026-11-23");
    assert!(bodies(&visit.get(user(&who), &later).await.1).is_empty());
    let bad = format!("{base}?DateSent=yesterday");
    assert_eq!(visit.get(user(&who), &bad).await.0, 400);
}

#[tokio::test]
async fn doubles_and_raw_requests_can_be_seen() {
    let visit = Visit::begin().await;
    let who = visit.account(|_| {});
    for body in ["one", "two", "two"] {
        visit.text(&who, TO, body).await;
    }
    let seen = visit
        .ask("/twilio/messages?limit=1&to=%2B12025550187")
        .await;
    assert_eq!((&seen["taken"], &seen["shown"]), (&json!(3), &json!(1)));
    assert_eq!(
        seen["counts"][0],
        json!({ "to": TO, "body": "two", "count": 2 })
    );
    let log = visit.ask("/twilio/requests").await;
    let first = &log["requests"][0];
    assert_eq!(first["authorization"], format!("Basic {}", who.account_sid));
    assert_eq!(
        first["body"],
        "To=%2B12025550187&From=%2B15005550006&Body=one"
    );
    assert!(!log.to_string().contains(&who.auth_token));
}

#[tokio::test]
async fn the_oldest_messages_are_forgotten() {
    let visit = Visit::with(|config| config.message_cap = 2).await;
    let who = visit.account(|_| {});
    for body in ["1", "2", "3"] {
        visit.text(&who, TO, body).await;
    }
    let kept = visit.sandbox.twilio().messages(&MessageFilter::default());
    let bodies: Vec<&str> = kept.iter().map(|message| message.body.as_str()).collect();
    assert_eq!(
        (bodies, visit.sandbox.twilio().taken()),
        (vec!["2", "3"], 3)
    );
}
