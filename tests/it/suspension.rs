//! The operator shuts a tenant out, and lets it in again.

use chrono::TimeDelta;
use ml_connector::domain::actor::Actor;
use ml_connector::sandbox::samples::Standing;
use reqwest::StatusCode;
use serde_json::Value;

use crate::harness::TestApp;
use crate::harness::company::{PASSWORD, invoice};
use crate::harness::process::Service;
use crate::harness::visitor::Visitor;

const OPERATOR: &str = "the operator";

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_tenant_takes_nothing_and_sends_nothing_until_it_is_reinstated() {
    let app = TestApp::spawn().await;
    let (acme, other) = (app.company("Acme").await, app.company("Other").await);
    for company in [&acme, &other] {
        company.rule("invoice.sent", "Hello").await;
    }
    let operator = Actor::operator();
    // Three in hand when the operator shuts the door.
    let mut events = Vec::new();
    for seed in 0..3 {
        let body = invoice(seed, Standing::Sent, app.now());
        events.push(acme.told("", &body).await);
    }
    let suspend = app
        .app()
        .suspend_tenant(acme.id, " March is not paid. ", &operator);
    assert!(suspend.await.unwrap());
    let again = app
        .app()
        .suspend_tenant(acme.id, "Another reason", &operator);
    assert!(!again.await.unwrap());

    let refused = acme.post("", &invoice(9, Standing::Sent, app.now())).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "3600");
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["type"], "urn:ml-connector:problem:suspended");
    let taken = other.post("", &invoice(9, Standing::Sent, app.now())).await;
    assert_eq!(taken.status(), StatusCode::OK);

    app.run_due_jobs().await;
    assert_eq!((acme.messages().len(), other.messages().len()), (0, 1));
    for event in &events {
        let story = acme.event(event).await;
        let delivery = &story["deliveries"][0];
        assert_eq!(delivery["state"], "held", "{story:#}");
        let reason = delivery["reason"].as_str().unwrap();
        assert!(reason.contains("suspended (March is not paid)"), "{reason}");
    }
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let rejected = owner.get(&format!("/t/{}/rejected", acme.slug)).await;
    assert!(rejected.text().contains("suspended"), "{}", rejected.text());

    let reinstated = app
        .app()
        .reinstate_tenant(acme.id, &Actor::operator())
        .await;
    assert!(reinstated.unwrap());
    assert!(
        !app.app()
            .reinstate_tenant(acme.id, &Actor::operator())
            .await
            .unwrap()
    );
    app.run_due_jobs().await;
    assert_eq!(acme.messages().len(), 3);
    let taken = acme.post("", &invoice(9, Standing::Sent, app.now())).await;
    assert_eq!(taken.status(), StatusCode::OK);

    let both = format!(
        "audit_entries WHERE actor = '{OPERATOR}' \
         AND action IN ('tenant.suspended', 'tenant.reinstated')"
    );
    assert_eq!(app.rows(&both).await, 2, "each once");
    let with_reason = "audit_entries WHERE action = 'tenant.suspended' \
                       AND detail LIKE '%March is not paid%'";
    assert_eq!(app.rows(with_reason).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_too_long_for_the_reinstatement_is_not_sent() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    let operator = Actor::operator();
    let suspended = app.app().suspend_tenant(acme.id, "Abuse", &operator);
    assert!(suspended.await.unwrap());
    app.run_due_jobs().await;
    app.advance(TimeDelta::hours(25));
    assert!(
        app.app()
            .reinstate_tenant(acme.id, &Actor::operator())
            .await
            .unwrap()
    );
    app.run_due_jobs().await;
    let story = acme.event(&event).await;
    assert_eq!(story["deliveries"][0]["state"], "expired", "{story:#}");
    assert_eq!(acme.messages().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_suspend_and_reinstate_beside_a_running_service() {
    let sandbox = TestApp::spawn_in_real_time().await;
    let mut service = Service::new(sandbox.sandbox.base_url()).await;
    service.start();
    let acme = service.tenant("acme");
    let id = acme.id.as_str();

    let suspend = ["suspend-tenant", "--tenant", id, "--reason", "Not paid"];
    let said = service.admin(&suspend, "");
    assert_eq!(said["status"], "suspended");
    assert_eq!(said["changed"], true);
    assert_eq!(service.admin(&suspend, "")["changed"], false);
    assert_eq!(acme.post("", b"{}".to_vec()).await, None);

    let said = service.admin(&["reinstate-tenant", "--tenant", id], "");
    assert_eq!(said["status"], "active");
    assert_eq!(said["changed"], true);
    let nobody = format!("ten_{}", "0".repeat(32));
    for wrong in [
        ["--tenant", id, "--reason", " "],
        ["--tenant", id, "--reason", "two\nlines"],
        ["--tenant", &nobody, "--reason", "Not paid"],
    ] {
        let args: Vec<_> = ["admin", "suspend-tenant"]
            .into_iter()
            .chain(wrong)
            .collect();
        let refused = service.run(&args, "");
        assert!(!refused.status.success(), "{wrong:?}");
    }
}
