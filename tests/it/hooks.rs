//! Intake: what is believed, what is refused and why, and what is kept although nobody understands it.

use std::time::Duration;

use chrono::TimeDelta;
use ml_connector::domain::actor::Actor;
use ml_connector::sandbox::samples::{self, Standing};
use ml_connector::zoho::webhook::{self, SIGNATURE_HEADER};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::TestApp;
use crate::harness::company::{Company, invoice};

const SAMPLES: [(&str, &str, &str); 7] = [
    (
        "webhook-purchaseorder.json",
        "purchase_order.issued",
        "+447700900456",
    ),
    ("webhook-bill.json", "bill.created", "+447700900456"),
    (
        "webhook-vendorpayment.json",
        "vendor_payment.sent",
        "+447700900456",
    ),
    // No country stands in it, so the mobile without a plus is no number in the company's own.
    ("webhook-expense.json", "expense.recorded", "+447700900123"),
    ("webhook-invoice.json", "invoice.sent", "+12025550187"),
    (
        // Its mobile has no plus, and an American number begins as it does.
        "webhook-invoice-variant-iso-dates.json",
        "invoice.sent",
        "",
    ),
    ("webhook-customerpayment.json", "payment.received", ""),
];

fn sample(name: &str) -> Value {
    let path = format!("{}/tests/samples/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_passes_from_webhook_to_decisions() {
    for (name, event_type, to) in SAMPLES {
        let app = TestApp::spawn().await;
        let acme = app.company("Acme").await;
        acme.rule(event_type, "Something happened").await;
        // Who bills and is paid is known from the order: those payloads name no person.
        let order = samples::shift_to_now(&sample("webhook-purchaseorder.json"), app.now());
        acme.told("", &samples::to_body(&order, true)).await;
        app.run_due_jobs().await;

        let document = samples::shift_to_now(&sample(name), app.now());
        let event = acme.told("", &samples::to_body(&document, true)).await;
        app.run_due_jobs().await;
        let story = acme.event(&event).await;
        assert_eq!(story["event_type"], event_type, "{name}: {story:#}");
        assert_eq!(story["decisions"][0]["matched"], true, "{name}: {story:#}");
        let delivery = &story["deliveries"][0];
        assert_eq!(
            delivery["to"].as_str().unwrap_or_default(),
            to,
            "{name}: {delivery:#}"
        );
        if to.is_empty() {
            let reason = delivery["reason"].as_str().unwrap();
            assert!(reason.contains("Bowman & Co"), "{reason}");
        } else {
            assert_eq!(delivery["state"], "delivered", "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_anywhere_is_refused_and_leaves_a_line() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let body = invoice(1, Standing::Sent, app.now());
    let kind = "application/json";
    let query = "a=1&name=basic";
    let good = webhook::sign(&acme.hook_secret, query, Some(kind), &body);
    let mut bad_body = body.clone();
    bad_body[100] ^= 1;
    let mut bad_header = good.clone().into_bytes();
    bad_header[7] = if bad_header[7] == b'0' { b'1' } else { b'0' };
    let bad_header = String::from_utf8(bad_header).unwrap();
    let payments = format!("t=1700000000,v={good}");
    let refused = [
        (query, Some(good.as_str()), bad_body),
        ("a=2&name=basic", Some(good.as_str()), body.clone()),
        ("", Some(good.as_str()), body.clone()),
        (query, Some(bad_header.as_str()), body.clone()),
        (query, Some(payments.as_str()), body.clone()),
        (query, Some("nonsense"), body.clone()),
        (query, None, body.clone()),
    ];
    let number = refused.len();
    for (query, signature, body) in refused {
        let mut call = app
            .http
            .post(format!("{}?{query}", acme.hook_url))
            .header("content-type", kind);
        if let Some(signature) = signature {
            call = call.header(SIGNATURE_HEADER, signature);
        }
        let answer = call.body(body).send().await.unwrap();
        assert_eq!(
            answer.status(),
            StatusCode::UNAUTHORIZED,
            "{query} {signature:?}"
        );
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        app.advance(TimeDelta::seconds(2));
    }
    assert_eq!(acme.get("/events").await["data"], json!([]));
    let rejected = app
        .app()
        .store()
        .tenant(acme.id)
        .rejected(50)
        .await
        .unwrap();
    assert_eq!(rejected.len(), number);
    assert!(rejected.iter().any(|r| r.reason.contains("Zoho Payments")));
    let compared: Value = serde_json::from_str(&rejected.last().unwrap().compared).unwrap();
    assert_eq!(compared["body_bytes"], body.len());
    assert_eq!(compared["query_present"], true);
    assert_eq!(compared["received"].as_str().unwrap().len(), 8);
    assert!(
        !rejected
            .iter()
            .any(|r| r.compared.contains(acme.hook_secret.expose()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_requests_cannot_fill_the_disk() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    for _ in 0..300 {
        let answer = app
            .http
            .post(&acme.hook_url)
            .body("{}")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    let store = app.app().store().tenant(acme.id);
    // One, and one more when they are so many at once that somebody has to know.
    assert_eq!(store.rejected(1000).await.unwrap().len(), 2);
    for _ in 0..250 {
        app.advance(TimeDelta::seconds(2));
        app.http
            .post(&acme.hook_url)
            .body("{}")
            .send()
            .await
            .unwrap();
    }
    let kept = store.rejected(1000).await.unwrap();
    assert!(kept.len() <= 201, "{} lines", kept.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_answered_with_the_first_event() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let body = invoice(1, Standing::Sent, app.now());
    let first: Value = acme.post("", &body).await.json().await.unwrap();
    assert_eq!(first["duplicate"], false);
    app.advance(TimeDelta::days(40));
    let again: Value = acme.post("", &body).await.json().await.unwrap();
    assert_eq!(again, json!({ "event": first["event"], "duplicate": true }));
    let answer = async |path: &str| -> Value { acme.post(path, &body).await.json().await.unwrap() };
    let typed = answer("/invoice.sent").await;
    assert_eq!(
        typed["duplicate"], false,
        "another path says something else"
    );
    let labelled = answer("/invoice.sent/14d").await;
    assert_eq!(
        labelled,
        json!({ "event": typed["event"], "duplicate": true }),
        "a path is not signed: whoever captured the request chooses its label"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_captured_request_is_a_repeat_however_it_is_cut_into_query_and_body() {
    const FORM: &str = "application/x-www-form-urlencoded";
    const JSON: &str = "application/json";
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    // Query, content type and body as Zoho sends them, and the same signed string in other clothes.
    let captured = [
        (
            ("", JSON, " \n {\"a b\":1}"),
            vec![
                ("%20", JSON, "\n {\"a b\":1}"),
                ("+%0A", JSON, " {\"a b\":1}"),
                ("+=%0A&", JSON, " {\"a b\":1}"),
                ("%20%0A%20%7B%22a%20b%22%3A1%7D", JSON, ""),
                ("%20%0A%20%7B%22a%20b%22%3A1%7D", FORM, ""),
                ("", FORM, "%20%0A%20%7B%22a+b%22%3A1%7D"),
            ],
        ),
        (
            ("at=1%2B1", FORM, "note=a+b"),
            vec![
                ("note=a+b", FORM, "at=1%2B1"),
                ("note=a%20b&at=1%2B1", FORM, ""),
                ("at1%2B1", FORM, "no=tea+b"),
                ("at1%2B1note", JSON, "a b"),
            ],
        ),
    ];
    for ((query, kind, body), others) in captured {
        let first: Value = acme
            .post_signed("", query, kind, body.as_bytes())
            .await
            .json()
            .await
            .unwrap();
        assert_eq!(first["duplicate"], false, "{first}");
        let signature = webhook::sign(&acme.hook_secret, query, Some(kind), body.as_bytes());
        for (query, kind, body) in others {
            let again = app
                .http
                .post(format!("{}?{query}", acme.hook_url))
                .header("content-type", kind)
                .header(SIGNATURE_HEADER, &signature)
                .body(body);
            let again = again.send().await.unwrap();
            assert_eq!(again.status(), StatusCode::OK, "{query} {kind} {body}");
            let again: Value = again.json().await.unwrap();
            let repeat = json!({ "event": first["event"], "duplicate": true });
            assert_eq!(again, repeat, "{query} {kind} {body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_reminder_on_another_day_is_news() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let body = invoice(1, Standing::Overdue, app.now());
    let path = "/invoice.overdue";
    let duplicate = async |path: &str| {
        let answer: Value = acme.post(path, &body).await.json().await.unwrap();
        answer["duplicate"].as_bool().unwrap()
    };
    assert!(!duplicate(path).await);
    app.advance(TimeDelta::hours(11));
    assert!(duplicate(path).await, "within 12 hours, whatever the day");
    app.advance(TimeDelta::hours(9));
    assert!(!duplicate(path).await, "the next day in New York");
    assert!(
        duplicate("/invoice.overdue/14d").await,
        "a label is no part of the fingerprint"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_secrets_are_valid_during_a_rotation() {
    let app = TestApp::spawn().await;
    let mut acme = app.company("Acme").await;
    let (first, second) = (
        invoice(1, Standing::Sent, app.now()),
        invoice(2, Standing::Sent, app.now()),
    );
    let new = app
        .app()
        .rotate_hook_secret(acme.id, &Actor::named("tests"))
        .await
        .unwrap();
    assert_eq!(
        acme.post("", &first).await.status(),
        StatusCode::OK,
        "the old one"
    );
    let old = acme.hook_secret.clone();
    acme.hook_secret = webhook_secret(&new);
    assert_eq!(
        acme.post("", &second).await.status(),
        StatusCode::OK,
        "the new one"
    );
    app.advance(TimeDelta::hours(25));
    app.app()
        .rotate_hook_secret(acme.id, &Actor::named("tests"))
        .await
        .unwrap();
    acme.hook_secret = old;
    assert_eq!(
        acme.post("", &second).await.status(),
        StatusCode::UNAUTHORIZED,
        "the day is over"
    );
}

fn webhook_secret(text: &secrecy::SecretString) -> ml_connector::zoho::secret::WebhookSecret {
    use secrecy::ExposeSecret as _;
    ml_connector::zoho::secret::WebhookSecret::parse(text.expose_secret()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_formats_of_zoho_all_become_events() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let plain = invoice(1, Standing::Sent, app.now());
    let encoded: String =
        form_urlencoded::byte_serialize(&invoice(2, Standing::Sent, app.now())).collect();
    let form = format!("JSONString={encoded}&note=hello+world");
    let kind = "application/x-www-form-urlencoded";
    let told = [
        acme.post_signed("", "", "application/json; charset=utf-8", &plain)
            .await,
        acme.post_signed("", "name=b%20c", kind, form.as_bytes())
            .await,
        acme.post_signed("", "", kind, &invoice(3, Standing::Sent, app.now()))
            .await,
        acme.post_signed("", "", "text/plain", &invoice(4, Standing::Sent, app.now()))
            .await,
    ];
    for answer in told {
        assert_eq!(answer.status(), StatusCode::OK);
    }
    app.run_due_jobs().await;
    let events = acme.get("/events").await;
    let types: Vec<_> = events["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["event_type"])
        .collect();
    assert_eq!(types, ["invoice.sent"; 4], "{events:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_but_not_understood_is_kept_and_shown() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let whole = invoice(1, Standing::Sent, app.now());
    let deep = [vec![b'['; 10_000], vec![b']'; 10_000]].concat();
    let deep_object = [
        b"{\"a\":".repeat(10_000),
        b"1".to_vec(),
        b"}".repeat(10_000),
    ]
    .concat();
    let odd: [(&str, Vec<u8>); 8] = [
        ("truncated", whole[..whole.len() / 2].to_vec()),
        (
            "invalid UTF-8",
            [
                b"{\"invoice\":{\"invoice_id\":\"1\",\"x\":\"".as_slice(),
                &[0xff, 0xfe],
                b"\"}}",
            ]
            .concat(),
        ),
        ("deep", deep),
        ("deep objects", deep_object),
        ("empty", Vec::new()),
        ("not JSON", b"hello".to_vec()),
        ("no id", br#"{"invoice":{"status":"sent"}}"#.to_vec()),
        ("a contact", br#"{"contact":{"contact_id":"1"}}"#.to_vec()),
    ];
    for (name, body) in odd {
        let event = acme.told("", &body).await;
        app.run_due_jobs().await;
        let story = acme.event(&event).await;
        assert_eq!(story["state"], "unrecognised", "{name}: {story:#}");
        let reason = story["decisions"][0]["reason"].as_str().unwrap();
        assert!((10..400).contains(&reason.len()), "{name}: {reason}");
        let (status, _) = acme.replay(&format!("/events/{event}"), "").await;
        assert_eq!(status, StatusCode::CREATED, "{name} can be routed again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_gets_a_clear_answer() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let body = invoice(1, Standing::Sent, app.now());
    let large = vec![b' '; 2 * 1024 * 1024];
    let status = async |call: reqwest::RequestBuilder| {
        let answer = call.send().await.unwrap();
        let status = answer.status().as_u16();
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].as_str().unwrap().len() > 10, "{problem}");
        status
    };
    let post = || app.http.post(&acme.hook_url);
    assert_eq!(status(post().body(large)).await, 413);
    assert_eq!(
        status(post().header("content-encoding", "gzip").body(body.clone())).await,
        415
    );
    let multipart = post().header("content-type", "multipart/form-data; boundary=x");
    assert_eq!(status(multipart.body(body.clone())).await, 415);
    assert_eq!(status(app.http.get(&acme.hook_url)).await, 405);
    assert_eq!(status(app.http.delete(&acme.hook_url)).await, 405);
    assert_eq!(
        status(app.http.post(app.url("/hooks/zoho/abc")).body(body.clone())).await,
        404
    );
    let unknown_type = app.http.post(format!("{}/invoice.eaten", acme.hook_url));
    assert_eq!(status(unknown_type.body(body.clone())).await, 404);
    let put = webhook::sign(&acme.hook_secret, "", None, &body);
    let put = app
        .http
        .put(&acme.hook_url)
        .header(SIGNATURE_HEADER, put)
        .body(body)
        .send()
        .await;
    assert_eq!(put.unwrap().status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_trickles_is_not_waited_for() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let path = acme.hook_url.strip_prefix(&app.url("")).unwrap().to_owned();
    let mut line = tokio::net::TcpStream::connect(app.running.address)
        .await
        .unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{{");
    line.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 300];
    let read = tokio::time::timeout(Duration::from_secs(13), line.read(&mut answer)).await;
    let text = String::from_utf8_lossy(&answer[..read.unwrap().unwrap()]).into_owned();
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_announced_and_do_not_come_keep_nobody_out() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let path = acme.hook_url.strip_prefix(&app.url("")).unwrap().to_owned();
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n{{");
    let mut lines = Vec::new();
    for _ in 0..70 {
        let mut line = tokio::net::TcpStream::connect(app.running.address)
            .await
            .unwrap();
        line.write_all(head.as_bytes()).await.unwrap();
        lines.push(line);
    }
    // All 70 are being read by now, or this one would come before them.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let body = invoice(1, Standing::Sent, app.now());
    assert_eq!(acme.post("", &body).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_are_none_say_so() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let with_mobile = |seed: u64, mobile: &str| {
        let mut json: Value =
            serde_json::from_slice(&invoice(seed, Standing::Sent, app.now())).unwrap();
        for list in ["contact_persons_details", "contact_persons_associated"] {
            for person in json["invoice"][list].as_array_mut().unwrap() {
                person["mobile"] = json!(mobile);
                person["phone"] = json!("");
                person["contact_person_id"] = json!(format!("77{seed}"));
            }
        }
        json["invoice"]["customer_id"] = json!(format!("88{seed}"));
        serde_json::to_vec(&json).unwrap()
    };
    let outcome = async |acme: &Company<'_>, body: Vec<u8>| {
        let event = acme.told("", &body).await;
        app.run_due_jobs().await;
        acme.event(&event).await["deliveries"][0].clone()
    };
    let none = outcome(&acme, with_mobile(21, "")).await;
    assert_eq!(none["state"], "failed");
    assert!(
        none["reason"]
            .as_str()
            .unwrap()
            .starts_with("No mobile number known for"),
        "{none}"
    );
    let short = outcome(&acme, with_mobile(22, "12")).await;
    assert_eq!(short["state"], "failed");
    assert!(
        short["reason"].as_str().unwrap().contains("“12”"),
        "{short}"
    );
    let words = outcome(&acme, with_mobile(23, "call me maybe")).await;
    assert_eq!(words["state"], "failed");
}
