//! A writer that cannot write: whoever waits hears so in time, and all goes on afterwards.

use std::time::{Duration, Instant};

use ml_connector::sandbox::samples::Standing;
use reqwest::{Method, StatusCode, header};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};
use serde_json::json;

use crate::harness::TestApp;
use crate::harness::company::invoice;

/// Another program that has the lock of a `SQLite` file to itself.
async fn hold(app: &TestApp) -> DatabaseConnection {
    let other = Database::connect(app.database.url()).await.unwrap();
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    other
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_somebody_holds_is_told_within_ten_seconds() {
    let app = TestApp::spawn().await;
    if !app.database.is_file() {
        return;
    }
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Invoice {{ invoice_number }}")
        .await;
    let other = hold(&app).await;

    let began = Instant::now();
    let document = invoice(1, Standing::Sent, app.now());
    let suppression = json!({ "channel": "sms", "address": "+447700900199", "reason": "asked" });
    let (webhook, api, ready) = tokio::join!(
        acme.post("", &document),
        acme.api(Method::POST, "/suppressions", Some(suppression)),
        app.http.get(app.url("/readyz")).send(),
    );
    let took = began.elapsed();
    for answer in [webhook, api] {
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key(header::RETRY_AFTER));
    }
    let ready = ready.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let says = ready.text().await.unwrap();
    assert!(says.contains("another program holds a lock"), "{says}");
    assert!(took < Duration::from_secs(10), "{took:?}");

    other.execute_unprepared("ROLLBACK").await.unwrap();
    // A webhook that could not be stored counts for five seconds, though small rows come back already.
    let released = Instant::now();
    while app
        .http
        .get(app.url("/readyz"))
        .send()
        .await
        .unwrap()
        .status()
        != StatusCode::OK
    {
        assert!(released.elapsed() < Duration::from_secs(8), "not ready yet");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let event = acme.told("", &document).await;
    app.run_due_jobs().await;
    let story = acme.event(&event).await;
    assert_eq!(story["deliveries"][0]["state"], "delivered", "{story:#}");
}
