//! The operator's pages: there for the operator only, exact, and careful with others' secrets.

use chrono::TimeDelta;
use ml_connector::app::mail::{Mail, MailContent};
use ml_connector::sandbox::samples::Standing;
use ml_connector::twilio;
use reqwest::StatusCode;
use secrecy::SecretString;

use crate::harness::TestApp;
use crate::harness::company::{Company, PASSWORD, invoice};
use crate::harness::process::Service;
use crate::harness::visitor::Visitor;

const OPERATOR: &str = "op@example.com";

async fn operator(app: &TestApp) -> Visitor<'_> {
    let password = SecretString::from(PASSWORD);
    app.app().create_operator(OPERATOR, password).await.unwrap();
    Visitor::signed_in(app, OPERATOR, PASSWORD).await
}

#[tokio::test(flavor = "multi_thread")]
async fn for_everybody_else_the_pages_are_not_there() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let stranger = Visitor::stranger(&app);
    let tenant = format!("/operator/tenants/{}", acme.id);
    for path in ["/operator", "/operator/queue", "/operator/workers", &tenant] {
        assert_eq!(
            owner.get(path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
        assert!(
            stranger.get(path).await.path.starts_with("/sign-in"),
            "{path}"
        );
    }
    for path in ["/suspension", "/reinstatement"] {
        let done = owner
            .post(&format!("{tenant}{path}"), &[("reason", "mine")])
            .await;
        assert_eq!(done.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(app.rows("tenants WHERE status = 'suspended'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_are_found_and_their_figures_are_those_of_a_day() {
    let app = TestApp::spawn().await;
    let (acme, _other) = (app.company("Acme 100%").await, app.company("Other").await);
    acme.rule("invoice.sent", "Hello").await;
    acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    app.advance(TimeDelta::hours(25));
    for seed in 2..4 {
        acme.told("", &invoice(seed, Standing::Sent, app.now()))
            .await;
    }
    app.run_due_jobs().await;
    let operator = operator(&app).await;
    let all = operator.get("/operator").await;
    assert_eq!(all.texts("tbody td.card-lead b"), ["Other", "Acme 100%"]);
    for (search, found) in [
        ("acme", vec!["Acme 100%"]),
        ("0%25", vec!["Acme 100%"]),
        ("OTHER.example", vec!["Other"]),
        ("%25o", vec![]),
        ("_", vec![]),
    ] {
        let page = operator.get(&format!("/operator?search={search}")).await;
        assert_eq!(page.texts("tbody td.card-lead b"), found, "{search}");
    }
    let page = operator.get("/operator?search=acme").await;
    assert_eq!(
        page.texts("tbody td.num"),
        ["1", "Events: 2", "Messages: 2"],
        "yesterday's do not count"
    );
    assert_eq!(
        operator.get("/operator?at=nonsense").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_suspended_with_a_reason_and_reinstated() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let operator = operator(&app).await;
    let path = format!("/operator/tenants/{}", acme.id);
    let (suspension, reinstatement) = (
        format!("{path}/suspension"),
        format!("{path}/reinstatement"),
    );
    let page = operator.get(&path).await;
    let forged = operator.post(&suspension, &[("reason", "forged")]).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    let refused = operator
        .submit(&page, &suspension, &[("reason", " ")])
        .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused
            .error("reason")
            .unwrap()
            .contains("ay why in one line")
    );

    let done = operator
        .submit(&refused, &suspension, &[("reason", "March is not paid")])
        .await;
    assert!(done.text().contains("March is not paid"), "{}", done.text());
    assert!(
        done.text().contains("The company is suspended."),
        "{}",
        done.text()
    );
    let taken = acme.post("", &invoice(1, Standing::Sent, app.now())).await;
    assert_eq!(taken.status(), StatusCode::SERVICE_UNAVAILABLE);

    let back = operator.submit(&done, &reinstatement, &[]).await;
    assert!(back.text().contains("Active"), "{}", back.text());
    app.advance(TimeDelta::seconds(6));
    acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    for action in ["tenant.suspended", "tenant.reinstated"] {
        let logged = format!("audit_entries WHERE action = '{action}' AND actor = '{OPERATOR}'");
        assert_eq!(app.rows(&logged).await, 1, "{action}");
    }
    let gone = format!("/operator/tenants/ten_{}", "0".repeat(32));
    assert_eq!(operator.get(&gone).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_page_tells_what_waits() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    for seed in 0..3 {
        acme.told("", &invoice(seed, Standing::Sent, app.now()))
            .await;
    }
    let mail = MailContent {
        subject: "Hello".to_owned(),
        text: "Hello".to_owned(),
    };
    let mail = Mail {
        tenant: None,
        to: "ann@example.com".to_owned(),
        kind: "reset",
        once: "one".to_owned(),
        content: mail,
    };
    app.app().mail(mail).await.unwrap();
    app.advance(TimeDelta::minutes(3));
    let operator = operator(&app).await;
    let page = operator.get("/operator/queue").await;
    let text = page.text();
    assert!(
        text.contains("Events to decideDue: 3 3 minutes ago"),
        "{text}"
    );
    assert!(text.contains("E-mails to sendDue: 1"), "{text}");
    assert!(text.contains("First triesReady: 4"), "{text}");
    assert!(text.contains("AcmeReady: 3"), "{text}");
    assert!(text.contains("The service's own workReady: 1"), "{text}");
    app.run_due_jobs().await;
    let page = operator.get("/operator/queue").await;
    assert!(
        page.text().contains("Events to decideDue: 0 nothing waits"),
        "{}",
        page.text()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_workers_page_tells_who_works_and_what_is_shut() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    app.app().beat("serve").await.unwrap();
    let operator = operator(&app).await;
    let page = operator.get("/operator/workers").await;
    let kind = if app.database.is_file() {
        "SQLite 3."
    } else {
        "PostgreSQL 1"
    };
    assert!(
        page.text().contains(&format!("Database{kind}")),
        "{}",
        page.text()
    );
    assert!(page.text().contains("answers you"), "{}", page.text());
    assert!(
        page.text()
            .contains("Nothing is paused or shut on 1 connection"),
        "{}",
        page.text()
    );
    assert!(!page.text().contains("Gone"), "{}", page.text());

    refuse_credentials(&acme).await;
    app.advance(TimeDelta::minutes(2));
    let page = operator.get("/operator/workers").await;
    assert!(page.text().contains("Gone"), "{}", page.text());
    assert!(
        page.text().contains("Credentials refused"),
        "{}",
        page.text()
    );
    app.advance(TimeDelta::hours(25));
    app.app().beat("serve").await.unwrap();
    assert_eq!(app.rows("processes").await, 1);
}

async fn refuse_credentials(acme: &Company<'_>) {
    acme.connect_untried(&"0".repeat(32)).await;
    let checked = acme
        .app
        .app()
        .check(acme.id, twilio::PROVIDER)
        .await
        .unwrap();
    assert!(!checked.is_good);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_shows_itself_when_it_starts() {
    let app = TestApp::spawn_in_real_time().await;
    let mut service = Service::new(app.sandbox.base_url()).await;
    service.start();
    for _ in 0..100 {
        if service
            .database
            .count("processes WHERE does = 'serve'")
            .await
            == 1
        {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("no process shows itself: {}", service.log());
}
