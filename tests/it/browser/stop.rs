//! Somebody writes STOP: the next message is not sent, and the page says why.

use ml_connector::sandbox::samples::Standing;

use crate::harness::TestApp;
use crate::harness::company::{PASSWORD, invoice};
use crate::harness::person::Person;

#[tokio::test(flavor = "multi_thread")]
async fn after_stop_the_next_message_is_not_sent_until_somebody_lifts_it() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Invoice {{ invoice_number }}")
        .await;
    acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let contact = acme.messages()[0].to.clone();
    acme.hears(&contact, "STOP").await;
    let next = acme.told("", &invoice(2, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    assert_eq!(acme.messages().len(), 1, "nothing was sent after STOP");

    let ann = Person::arrive(&app).await;
    ann.sign_in(&acme.email, PASSWORD).await;
    ann.is_at("Overview").await;
    ann.open(&format!("/t/{}/events/{next}", acme.slug)).await;
    ann.reads("The recipient wrote STOP").await;
    ann.browser.click(".rail a", "Suppressions").await;
    ann.is_at("Suppressions").await;
    let rows = ann.browser.texts("main tbody tr").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0].contains("STOP"), "{rows:?}");
    ann.leave().await;
}
