//! What both sides share: the control endpoint, the clock, starting and stopping.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;
use crate::domain::clock::FixedClock;

pub(super) const NOW: &str = "2026-11-22T12:00:00Z";

/// A running sandbox with a clock that stands still, and a client.
pub(super) struct Visit {
    pub(super) sandbox: SandboxHandle,
    pub(super) http: reqwest::Client,
    pub(super) clock: Arc<FixedClock>,
}

impl Visit {
    pub(super) async fn begin() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut SandboxConfig)) -> Self {
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let clock = Arc::new(FixedClock::at(NOW.parse::<DateTime<Utc>>().unwrap()));
        let mut config = SandboxConfig::new(clock.clone(), http.clone());
        config.workers = 1;
        config.callbacks.delay_ms = 0;
        change(&mut config);
        let sandbox = Sandbox::start(config).await.unwrap();
        Self {
            sandbox,
            http,
            clock,
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.base_url())
    }

    /// Posts to the control endpoint; the status and the body.
    pub(super) async fn control(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self
            .http
            .post(self.url(&format!("/_sandbox{path}")))
            .bearer_auth(self.sandbox.control_token())
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub(super) async fn ask(&self, path: &str) -> Value {
        let answer = self
            .http
            .get(self.url(&format!("/_sandbox{path}")))
            .bearer_auth(self.sandbox.control_token())
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }
}

#[tokio::test]
async fn it_listens_on_loopback_only() {
    let mut config = {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().build().unwrap();
        SandboxConfig::new(Arc::new(FixedClock::at(DateTime::UNIX_EPOCH)), http)
    };
    config.bind = "0.0.0.0:0".parse().unwrap();
    assert!(matches!(
        Sandbox::start(config).await,
        Err(SandboxError::NotLoopback(_))
    ));
}

#[tokio::test]
async fn the_control_endpoint_needs_its_token() {
    let visit = Visit::begin().await;
    for token in ["", "wrong"] {
        let answer = visit
            .http
            .delete(visit.url("/_sandbox"))
            .bearer_auth(token)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 401);
    }
}

#[tokio::test]
async fn orders_that_cannot_be_read_are_refused_with_the_reason() {
    let visit = Visit::begin().await;
    for (path, body, reason) in [
        (
            "/twilio/next",
            json!({ "fault": { "kind": "earthquake" } }),
            "earthquake",
        ),
        (
            "/twilio/next",
            json!({ "fault": { "kind": "error_code" } }),
            "needs a `code`",
        ),
        (
            "/twilio/next",
            json!({ "fault": { "kind": "slow", "dealy": 3 } }),
            "dealy",
        ),
        ("/twilio/next", json!([1]), "invalid"),
        (
            "/twilio/faults",
            json!({ "seed": 1, "shares": [{ "probability": 2, "fault": { "kind": "slow" } }] }),
            "from 0 to 1",
        ),
        (
            "/twilio/callbacks",
            json!({ "plan": { "statuses": ["lost"] } }),
            "lost",
        ),
        ("/twilio/accounts", json!({ "sid": "AC1" }), "32 hex"),
        (
            "/twilio/inbound",
            json!({ "account_sid": "x" }),
            "missing field",
        ),
        ("/zoho/next", json!({ "kind": "error" }), "needs a `code`"),
        ("/zoho/accounts", json!({ "region": "moon" }), "moon"),
        (
            "/zoho/records",
            json!({ "organization_id": "1", "kind": "invoices", "records": [] }),
            "no organisation",
        ),
        (
            "/zoho/tokens/revoke",
            json!({ "refresh_token": "x" }),
            "no such",
        ),
    ] {
        let (status, answer) = visit.control(path, &body).await;
        let said = answer["error"].as_str().unwrap();
        assert_eq!(status, 400, "{path}");
        assert!(said.contains(reason), "{path}: {said}");
    }
    let not_json = visit
        .http
        .post(visit.url("/_sandbox/twilio/next"))
        .bearer_auth(visit.sandbox.control_token())
        .body("kind=slow")
        .send()
        .await
        .unwrap();
    assert_eq!(not_json.status(), 400);
}

#[tokio::test]
async fn answers_are_dated_by_the_sandboxs_clock_and_its_skew() {
    let visit = Visit::begin().await;
    visit
        .control("/twilio/settings", &json!({ "date_skew_s": 90 }))
        .await;
    let answer = visit
        .http
        .get(visit.url("/v1/Services"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["date"], "Sun, 22 Nov 2026 12:01:30 GMT");
}

#[tokio::test]
async fn a_reset_forgets_accounts_and_clients() {
    let visit = Visit::begin().await;
    let demo = visit.sandbox.seed_demo().unwrap();
    let path = format!(
        "/2010-04-01/Accounts/{}/Balance.json",
        demo.twilio.account_sid
    );
    let balance = || async {
        let request = visit.http.get(visit.url(&path));
        let token = Some(&demo.twilio.auth_token);
        request
            .basic_auth(&demo.twilio.account_sid, token)
            .send()
            .await
            .unwrap()
            .status()
    };
    assert_eq!(balance().await, 200);
    let answer = visit
        .http
        .delete(visit.url("/_sandbox"))
        .bearer_auth(visit.sandbox.control_token())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 204);
    assert_eq!(balance().await, 401);
}

#[tokio::test]
async fn a_stopped_sandbox_gives_its_port_back() {
    let visit = Visit::begin().await;
    let address = visit.sandbox.address();
    visit.sandbox.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    tokio::net::TcpListener::bind(address).await.unwrap();
}
