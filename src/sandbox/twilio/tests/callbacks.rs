//! Callbacks, as a receiver sees them.

use std::sync::{Arc, Mutex};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::json;

use super::{TO, rule};
use crate::sandbox::DEMO_NUMBER;
use crate::sandbox::tests::Visit;
use crate::sandbox::twilio::{CallbackPlan, CallbackRule, Credentials, MessageFilter};

/// What a receiver saw of one post.
#[derive(Debug, Clone)]
struct Seen {
    uri: String,
    signature: String,
    repeated: bool,
    form: Vec<(String, String)>,
}

/// A receiver of callbacks which answers with the given statuses, then 204.
struct Receiver {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    _server: actix_web::dev::ServerHandle,
}

impl Receiver {
    fn begin(answers: &[u16]) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let kept = Arc::clone(&seen);
        let mut answers: Vec<u16> = answers.to_vec();
        answers.reverse();
        let answers = Arc::new(Mutex::new(answers));
        let server = HttpServer::new(move || {
            let (kept, answers) = (Arc::clone(&kept), Arc::clone(&answers));
            App::new().default_service(web::to(move |request: HttpRequest, body: web::Bytes| {
                let header = |name: &str| {
                    request
                        .headers()
                        .get(name)
                        .map(|value| value.to_str().unwrap().to_owned())
                };
                kept.lock().unwrap().push(Seen {
                    uri: request.uri().to_string(),
                    signature: header("X-Twilio-Signature").unwrap(),
                    repeated: header("I-Twilio-Idempotency-Token").is_some(),
                    form: form_urlencoded::parse(&body).into_owned().collect(),
                });
                let status = answers.lock().unwrap().pop().unwrap_or(204);
                let status = actix_web::http::StatusCode::from_u16(status).unwrap();
                async move { HttpResponse::build(status).finish() }
            }))
        })
        .workers(1)
        .disable_signals()
        .bind("127.0.0.1:0")
        .unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self {
            url,
            seen,
            _server: handle,
        }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn statuses(&self) -> Vec<String> {
        let of = |seen: Seen| value(&seen.form, "MessageStatus");
        self.seen().into_iter().map(of).collect()
    }
}

fn value(form: &[(String, String)], name: &str) -> String {
    form.iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.clone())
        .unwrap_or_default()
}

async fn send_with_callback(visit: &Visit, who: &Credentials, url: &str) {
    let form = [
        ("To", TO),
        ("From", DEMO_NUMBER),
        ("Body", "Hi"),
        ("StatusCallback", url),
    ];
    assert_eq!(visit.send(who, &form).await.0, 201);
    visit.sandbox.twilio().idle().await;
}

#[tokio::test]
async fn states_are_posted_in_order_signed_and_without_the_fragment() {
    let visit = Visit::begin().await;
    let who = visit.account(|_| {});
    let receiver = Receiver::begin(&[]);
    let url = format!("{}/hook%2Fa?n=1&a=2", receiver.url);
    send_with_callback(&visit, &who, &format!("{url}#rc=3&rp=5xx")).await;
    assert_eq!(receiver.statuses(), ["sending", "sent", "delivered"]);
    let last = receiver.seen().pop().unwrap();
    assert_eq!(last.uri, "/hook%2Fa?n=1&a=2");
    for (name, expected) in [
        ("AccountSid", who.account_sid.as_str()),
        ("From", DEMO_NUMBER),
        ("To", TO),
        ("SmsStatus", "delivered"),
        ("RawDlrDoneDate", "2611221200"),
        ("ErrorCode", ""),
    ] {
        assert_eq!(value(&last.form, name), expected, "{name}");
    }
    // The rule of the facts, written once more.
    let mut sorted = last.form.clone();
    sorted.sort();
    let text = sorted.iter().fold(url, |text, (name, value)| {
        text + name.as_str() + value.as_str()
    });
    let expected = {
        use base64::Engine as _;
        use hmac::{KeyInit as _, Mac as _};
        let mut mac = hmac::Hmac::<sha1::Sha1>::new_from_slice(who.auth_token.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        base64::prelude::BASE64_STANDARD.encode(mac.finalize().into_bytes())
    };
    assert_eq!(last.signature, expected);
}

#[tokio::test]
async fn plans_shape_order_doubles_and_failures() {
    let visit = Visit::begin().await;
    let who = visit.account(|_| {});
    let receiver = Receiver::begin(&[]);
    let order = json!({ "plan": {
        "statuses": ["delivered", "sent"], "delay_ms": 0, "duplicates": 1,
    } });
    assert_eq!(visit.control("/twilio/callbacks", &order).await.0, 200);
    send_with_callback(&visit, &who, &receiver.url).await;
    assert_eq!(
        receiver.statuses(),
        ["delivered", "delivered", "sent", "sent"]
    );
    let message = visit
        .sandbox
        .twilio()
        .messages(&MessageFilter::default())
        .pop()
        .unwrap();
    assert_eq!(message.status, "delivered");

    let order = json!({ "to": TO, "plan": {
        "statuses": ["undelivered"], "delay_ms": 0, "error_code": 30003,
    } });
    visit.control("/twilio/callbacks", &order).await;
    send_with_callback(&visit, &who, &receiver.url).await;
    assert_eq!(
        value(&receiver.seen().pop().unwrap().form, "ErrorCode"),
        "30003"
    );
    let message = visit
        .sandbox
        .twilio()
        .messages(&MessageFilter::default())
        .pop()
        .unwrap();
    assert_eq!(
        (message.status.as_str(), message.error_code),
        ("undelivered", Some(30003))
    );

    let silent = CallbackPlan {
        post: false,
        ..CallbackPlan::of(&["sent"])
    };
    let rule = CallbackRule {
        to: Some(TO.to_owned()),
        to_ends_with: None,
        plan: silent,
    };
    visit.sandbox.twilio().plan(rule).unwrap();
    let before = receiver.seen().len();
    send_with_callback(&visit, &who, &receiver.url).await;
    assert_eq!(receiver.seen().len(), before);
    let message = visit
        .sandbox
        .twilio()
        .messages(&MessageFilter::default())
        .pop()
        .unwrap();
    assert_eq!(message.status, "sent");
}

#[tokio::test]
async fn posts_are_repeated_only_as_the_fragment_asks() {
    let visit = Visit::begin().await;
    let who = visit.account(|_| {});
    visit
        .sandbox
        .twilio()
        .plan(rule(CallbackPlan::of(&["sent"])))
        .unwrap();
    let receiver = Receiver::begin(&[500, 503]);
    send_with_callback(&visit, &who, &format!("{}/#rc=2&rp=5xx", receiver.url)).await;
    let repeated: Vec<bool> = receiver.seen().iter().map(|seen| seen.repeated).collect();
    assert_eq!(repeated, [false, true, true]);
    let receiver = Receiver::begin(&[500]);
    send_with_callback(&visit, &who, &receiver.url).await;
    assert_eq!(receiver.seen().len(), 1);
    let lost = visit.sandbox.twilio().callbacks().pop().unwrap();
    assert_eq!((lost.status, lost.tries), (Some(500), 1));
}

#[tokio::test]
async fn public_addresses_are_accepted_and_never_called() {
    let visit = Visit::begin().await;
    let who = visit.account(|_| {});
    send_with_callback(&visit, &who, "https://hooks.example.com/twilio").await;
    let posted = visit.sandbox.twilio().callbacks();
    assert_eq!(posted.len(), 3);
    assert!(
        posted
            .iter()
            .all(|post| post.tries == 0 && post.status.is_none())
    );
}

#[tokio::test]
async fn an_inbound_stop_is_posted_and_obeyed() {
    let visit = Visit::begin().await;
    let receiver = Receiver::begin(&[]);
    let who = visit.account(|new| new.inbound_url = Some(format!("{}/in", receiver.url)));
    let text = json!({
        "account_sid": who.account_sid, "from": TO, "to": DEMO_NUMBER, "body": " stop ",
    });
    let (status, posted) = visit.control("/twilio/inbound", &text).await;
    assert_eq!((status, &posted["status"]), (200, &json!(204)));
    let seen = receiver.seen().pop().unwrap();
    assert_eq!(
        (value(&seen.form, "Body").as_str(), seen.uri.as_str()),
        (" stop ", "/in")
    );
    assert_eq!(visit.text(&who, TO, "Hi").await.1["code"], 21610);
}

#[tokio::test]
async fn one_state_can_be_told_by_hand() {
    let visit = Visit::begin().await;
    let who = visit.account(|_| {});
    visit
        .sandbox
        .twilio()
        .plan(rule(CallbackPlan::of(&[])))
        .unwrap();
    let receiver = Receiver::begin(&[]);
    send_with_callback(&visit, &who, &receiver.url).await;
    let sid = visit.sandbox.twilio().messages(&MessageFilter::default())[0]
        .sid
        .clone();
    let path = format!("/twilio/messages/{sid}/status");
    let order = json!({ "status": "failed", "error_code": 30008 });
    let (status, answer) = visit.control(&path, &order).await;
    assert_eq!((status, &answer["callback"]["status"]), (200, &json!(204)));
    assert_eq!(receiver.statuses(), ["failed"]);
}
