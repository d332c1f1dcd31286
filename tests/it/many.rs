//! Several processes on one PostgreSQL: what one is told, all go by; what all are told, happens once.
//!
//! Each is a whole service with a memory of its own; the clock and the sandbox are shared.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use futures::{StreamExt as _, stream};
use ml_connector::domain::actor::Actor;
use ml_connector::domain::ids::{DeliveryId, EventId};
use ml_connector::sandbox::samples::Standing;
use ml_connector::sandbox::twilio::OptOut;
use ml_connector::zoho::secret::WebhookSecret;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::harness::company::{Company, PASSWORD, invoice};
use crate::harness::visitor::Visitor;
use crate::harness::{TestApp, page::Page};

/// Its id, since numbers of samples repeat.
const TEXT: &str = "Invoice {{ invoice_id }}";

fn sent(seed: u64, now: DateTime<Utc>) -> Vec<u8> {
    invoice(seed, Standing::Sent, now)
}

fn event_id(text: &str) -> EventId {
    text.parse().unwrap()
}

impl Company<'_> {
    /// Decides an event here; its deliveries, which wait for their turn.
    async fn routed(&self, event: &str) -> Vec<DeliveryId> {
        self.queued(event_id(event)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_first_starts_at_once_agree_on_keys_and_on_the_set_up_code() {
    for _ in 0..5 {
        let Some([a, b]) = TestApp::pair().await else {
            return;
        };
        assert_eq!(a.rows("data_keys").await, 1);
        let code = a.running.setup_code.clone().expect("nobody is there yet");
        assert_eq!(b.running.setup_code.as_ref(), Some(&code));

        // Two people with the code, at the same moment.
        let (ann, bob) = (Visitor::stranger(&a), Visitor::stranger(&b));
        let (page, other) = tokio::join!(ann.get("/setup"), bob.get("/setup"));
        let (first, second) = tokio::join!(
            set_up(&ann, &page, &code, "ann@example.com"),
            set_up(&bob, &other, &code, "bob@example.com"),
        );
        assert_eq!(a.rows("users").await, 1);
        assert_eq!(a.rows("tenants").await, 1);
        let mut ends = [first.path.as_str(), second.path.as_str()];
        ends.sort_unstable();
        assert_eq!(ends, ["/sign-in", "/t/acme/"]);
        for app in [&a, &b] {
            let late = Visitor::stranger(app);
            assert_eq!(late.get("/setup").await.path, "/sign-in");
            let late = set_up(&late, &page, &code, "eve@example.com").await;
            assert!(!late.path.starts_with("/t/"), "{}", late.text());
        }
        assert_eq!(a.rows("users").await, 1);

        // Nobody can be written to by it before its owner says so.
        let safe = "tenants WHERE is_rehearsal = TRUE AND hours = '08:00-20:00'";
        assert_eq!(a.rows(safe).await, 1);

        // What is sealed in one opens in the other.
        let zillum = a.company("Zillum").await;
        zillum.at(&b).told("", &sent(1, b.now())).await;
    }
}

async fn set_up(visitor: &Visitor<'_>, page: &Page, code: &str, email: &str) -> Page {
    let typed = [
        ("code", code),
        ("company", "Acme"),
        ("country", "GB"),
        ("zone", "Europe/London"),
        ("currency", "GBP"),
        ("email", email),
        ("password", PASSWORD),
    ];
    visitor.submit(page, "/setup", &typed).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_rotated_in_one_is_known_in_the_other_within_five_seconds() {
    let Some([a, b]) = TestApp::pair().await else {
        return;
    };
    let mut there = a.company("Acme").await.at(&b);
    there.told("", &sent(1, a.now())).await;
    let new = a
        .app()
        .rotate_hook_secret(there.id, &Actor::named("ann"))
        .await
        .unwrap();
    let new = WebhookSecret::parse(new.expose_secret()).unwrap();
    let old = std::mem::replace(&mut there.hook_secret, new.clone());
    a.advance(TimeDelta::seconds(5));
    there.told("", &sent(2, a.now())).await;
    there.hook_secret = old.clone();
    there.told("", &sent(3, a.now())).await;

    a.advance(TimeDelta::hours(24));
    let late = there.post("", &sent(4, a.now())).await;
    assert_eq!(late.status(), StatusCode::UNAUTHORIZED);
    there.hook_secret = new;
    there.told("", &sent(4, a.now())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_paused_in_one_matches_nothing_in_the_other() {
    let Some([a, b]) = TestApp::pair().await else {
        return;
    };
    let here = a.company("Acme").await;
    let there = here.at(&b);
    let rule = here.rule("invoice.sent", TEXT).await;
    let before = there.told("", &sent(1, a.now())).await;
    b.run_due_jobs().await;
    assert_eq!(there.event(&before).await["decisions"][0]["matched"], true);

    let path = format!("/rules/{}", rule["id"].as_str().unwrap());
    for (seed, is_on) in [(2, false), (3, true), (4, false)] {
        let switch = json!({ "enabled": is_on });
        let switched = here.api(Method::PATCH, &path, Some(switch)).await;
        assert_eq!(switched.status(), StatusCode::OK);
        let event = there.told("", &sent(seed, a.now())).await;
        b.run_due_jobs().await;
        let story = there.event(&event).await;
        assert_eq!(story["decisions"][0]["matched"], is_on, "{story:#}");
        assert_eq!(
            story["deliveries"].as_array().unwrap().len(),
            usize::from(is_on)
        );
    }
    assert_eq!(here.messages().len(), 2);
    here.no_doubles();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_suppressed_through_one_is_not_written_to_by_the_other() {
    let Some([a, b]) = TestApp::pair().await else {
        return;
    };
    let here = a.company("Acme").await;
    let there = here.at(&b);
    here.rule("invoice.sent", TEXT).await;
    let (first, second) = (
        here.told("", &sent(1, a.now())).await,
        there.told("", &sent(2, a.now())).await,
    );
    let (first, second) = (here.routed(&first).await, there.routed(&second).await);
    let store = a.app().store().tenant(here.id);
    let to = store.delivery(first[0]).await.unwrap().unwrap().address;
    a.sandbox.twilio().opt_out(OptOut {
        account_sid: here.account_sid.clone(),
        to,
        opted_out: true,
    });
    a.app().advance(here.id, first[0]).await.unwrap();
    let asked = a.sandbox.twilio().requests().len();
    assert!(asked > 0, "Twilio told us so");

    b.app().advance(here.id, second[0]).await.unwrap();
    assert_eq!(a.sandbox.twilio().requests().len(), asked);
    for (company, id) in [(&here, first[0]), (&there, second[0])] {
        let delivery = company.get(&format!("/deliveries/{id}")).await;
        assert_eq!(delivery["state"], "suppressed", "{delivery:#}");
    }
    assert_eq!(a.rows("attempts").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_suspended_in_one_is_shut_out_of_the_other() {
    let Some([a, b]) = TestApp::pair().await else {
        return;
    };
    let here = a.company("Acme").await;
    let there = here.at(&b);
    here.rule("invoice.sent", TEXT).await;
    let event = there.told("", &sent(1, a.now())).await;
    let deliveries = there.routed(&event).await;
    let suspended = a
        .app()
        .suspend_tenant(here.id, "Not paid", &Actor::operator())
        .await;
    assert!(suspended.unwrap());
    // For sending at once, for receiving within five seconds.
    b.app().advance(here.id, deliveries[0]).await.unwrap();
    b.run_due_jobs().await;
    assert_eq!(a.rows("attempts").await, 0);
    a.advance(TimeDelta::seconds(5));
    let refused = there.post("", &sent(2, a.now())).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);

    let reinstated = b.app().reinstate_tenant(here.id, &Actor::operator()).await;
    assert!(reinstated.unwrap());
    a.advance(TimeDelta::seconds(5));
    for (seed, company) in [(3, &here), (4, &there)] {
        company.told("", &sent(seed, a.now())).await;
        company.app.run_due_jobs().await;
    }
    assert_eq!(here.messages().len(), 3);
    here.no_doubles();
}

/// Between what a claim reads and its commit, so that a change gets a chance to come between.
const SLOW_CLAIMS: &str = "
CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_sleep(0.04); RETURN NEW; END';
CREATE TRIGGER be_slow BEFORE INSERT ON attempts FOR EACH ROW EXECUTE FUNCTION be_slow();
";

#[tokio::test(flavor = "multi_thread")]
async fn once_one_says_stopped_or_suspended_no_other_claims() {
    let Some([a, b]) = TestApp::pair().await else {
        return;
    };
    a.database.run(SLOW_CLAIMS).await;
    let here = a.company("Acme").await;
    here.rule("invoice.sent", TEXT).await;
    let (mut all, mut were_held) = (0, 0);
    for round in 0..4_u64 {
        let is_stop = round % 2 == 0;
        let mut waiting = Vec::new();
        for n in 0..30 {
            let event = here.told("", &sent(100 * round + n, a.now())).await;
            waiting.extend(here.routed(&event).await);
        }
        all += waiting.len();
        let before = a.rows("attempts").await;
        // Both send, the other process most.
        let sending = stream::iter(waiting.iter().enumerate()).for_each_concurrent(6, |(n, id)| {
            let app = if n % 4 == 0 { &a } else { &b };
            async move {
                app.app().advance(here.id, *id).await.unwrap();
            }
        });
        let shutting = async {
            while a.rows("attempts").await < before + 3 {
                tokio::task::yield_now().await;
            }
            shut(&here, is_stop).await;
            a.rows("attempts").await
        };
        let ((), once_shut) = tokio::join!(sending, shutting);
        assert_eq!(a.rows("attempts").await, once_shut, "one was claimed later");
        let sent: i64 = here.messages().len().try_into().unwrap();
        assert_eq!(sent, once_shut, "each attempt is one message");
        were_held += a.rows("deliveries WHERE state = 'held'").await;
        open(&here.at(&b), is_stop).await;
        // Past the five seconds for which a hook is believed.
        for app in [&b, &a, &b] {
            app.advance(TimeDelta::seconds(3));
            app.run_due_jobs().await;
        }
    }
    assert!(were_held > 0, "it came in the middle");
    assert_eq!(here.messages().len(), all);
    here.no_doubles();
}

async fn shut(company: &Company<'_>, is_stop: bool) {
    let app = company.app.app();
    if is_stop {
        app.stop_sending(company.id, &Actor::named("ann"))
            .await
            .unwrap();
    } else {
        let operator = Actor::operator();
        let suspended = app.suspend_tenant(company.id, "Not paid", &operator);
        assert!(suspended.await.unwrap());
    }
}

async fn open(company: &Company<'_>, is_stop: bool) {
    let app = company.app.app();
    if is_stop {
        app.resume_sending(company.id, &Actor::named("ann"))
            .await
            .unwrap();
    } else {
        let operator = Actor::operator();
        let reinstated = app.reinstate_tenant(company.id, &operator);
        assert!(reinstated.await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_webhook_that_reaches_several_is_one_event() {
    let Some([a, b]) = TestApp::pair().await else {
        return;
    };
    let here = a.company("Acme").await;
    let there = here.at(&b);
    here.rule("invoice.sent", TEXT).await;
    for seed in 0..40 {
        let body = sent(seed, a.now());
        let posts = [&here, &there, &here, &there].map(|company| company.post("", &body));
        let mut kept = Vec::new();
        for answer in join_all(posts).await {
            assert_eq!(answer.status(), StatusCode::OK);
            let json: Value = answer.json().await.unwrap();
            kept.push((json["event"].clone(), json["duplicate"] == json!(false)));
        }
        assert!(kept.iter().all(|(id, _)| *id == kept[0].0), "{kept:?}");
        assert_eq!(kept.iter().filter(|(_, is_new)| *is_new).count(), 1);
    }
    assert_eq!(a.rows("events").await, 40);
    tokio::join!(a.run_due_jobs(), b.run_due_jobs());
    a.run_due_jobs().await;
    assert_eq!(here.messages().len(), 40);
    here.no_doubles();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_begin_at_once_one_does() {
    let Some([a, b]) = TestApp::pair().await else {
        return;
    };
    let here = a.company("Acme").await;
    let there = here.at(&b);
    here.rule("invoice.sent", TEXT).await;
    for seed in 0..25 {
        let event = here.told("", &sent(seed, a.now())).await;
        let (one, other) = tokio::join!(here.routed(&event), there.routed(&event));
        assert!(one == other && one.len() == 1, "{one:?} {other:?}");
        let id = one[0];
        let (one, other) = tokio::join!(a.app().advance(here.id, id), b.app().advance(here.id, id));
        one.unwrap();
        other.unwrap();
        let story = here.event(&event).await;
        assert_eq!(story["decisions"].as_array().unwrap().len(), 1);
        let attempts = story["deliveries"][0]["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 1, "{story:#}");
    }
    assert_eq!(here.messages().len(), 25);
    here.no_doubles();
    // Reports of one process's messages may reach the other: here they come to whoever sent.
    a.run_due_jobs().await;
    assert_eq!(
        a.rows("deliveries WHERE state = 'delivered'").await,
        25,
        "both were reported to"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_asked_for_at_two_at_once_sends_once() {
    let Some([a, b]) = TestApp::pair().await else {
        return;
    };
    let here = a.company("Acme").await;
    let there = here.at(&b);
    here.rule("invoice.sent", TEXT).await;
    let event = here.told("", &sent(1, a.now())).await;
    a.run_due_jobs().await;
    let story = here.event(&event).await;
    let delivery = format!(
        "/deliveries/{}",
        story["deliveries"][0]["id"].as_str().unwrap()
    );
    let event = format!("/events/{event}");
    let mut expected = 1;
    for round in 0..12 {
        for path in [&delivery, &event] {
            a.advance(TimeDelta::minutes(1));
            let keys = [format!("one {round}"), format!("other {round}")];
            // Two wishes: the second finds the first on its way, or joins it.
            let (one, other) =
                tokio::join!(here.replay(path, &keys[0]), there.replay(path, &keys[1]),);
            let ends = [&one, &other];
            assert!(ends.iter().any(|(s, _)| s.is_success()), "{ends:?}");
            let made: Vec<_> = ends.iter().filter(|(s, _)| s.is_success()).collect();
            assert!(
                made.iter().all(|(_, r)| r["id"] == made[0].1["id"]),
                "{ends:?}"
            );
            for (status, _) in ends.iter().filter(|(s, _)| !s.is_success()) {
                assert_eq!(*status, StatusCode::CONFLICT);
            }
            expected += 1;
            // One wish that was clicked twice.
            tokio::join!(a.run_due_jobs(), b.run_due_jobs());
            a.run_due_jobs().await;
            assert_eq!(here.messages().len(), expected, "{path} {ends:?}");
            let key = format!("twice {round}");
            let (one, other) = tokio::join!(here.replay(path, &key), there.replay(path, &key));
            assert!(
                one.0.is_success() && other.0.is_success(),
                "{one:?} {other:?}"
            );
            assert_eq!(one.1["id"], other.1["id"]);
            expected += 1;
            tokio::join!(a.run_due_jobs(), b.run_due_jobs());
            b.run_due_jobs().await;
            assert_eq!(here.messages().len(), expected, "{path} {one:?} {other:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_goes_from_one_to_the_other_and_is_out_of_both_at_once() {
    let Some([a, b]) = TestApp::pair().await else {
        return;
    };
    let here = a.company("Acme").await;
    let there = here.at(&b);
    let ann = Visitor::signed_in(&a, &here.email, PASSWORD).await;
    let moved = ann.at(&b);
    let home = format!("/t/{}/", here.slug);
    let switch = format!("{home}stop-switch");
    // A form that one drew goes to the other.
    let page = ann.get(&home).await;
    let stopped = moved.submit(&page, &switch, &[]).await;
    assert!(stopped.text().contains("All sending is stopped"));
    assert!(
        ann.get(&home)
            .await
            .text()
            .contains("All sending is stopped")
    );

    let page = moved.get(&home).await;
    moved.submit(&page, "/sign-out", &[]).await;
    assert_eq!(ann.get(&home).await.path, "/sign-in");

    for company in [&here, &there] {
        company.get("/events").await;
    }
    a.database.run("UPDATE api_tokens SET revoked_at = 1").await;
    for company in [&here, &there] {
        let refused = company.api(Method::GET, "/events", None).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_is_not_ready_while_its_database_is_away() {
    let Some([a, b]) = TestApp::pair().await else {
        return;
    };
    a.app().store().make_partitions(a.now()).await.unwrap();
    for app in [&a, &b] {
        let answer = app.http.get(app.url("/readyz")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.text().await.unwrap(), "ready\n");
    }
    a.database.lock_out().await;
    for app in [&a, &b] {
        let answer = app.http.get(app.url("/readyz")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        let alive = app.http.get(app.url("/healthz")).send().await.unwrap();
        assert_eq!(alive.status(), StatusCode::OK);
    }
}
