//! A rehearsal, and its end: what was rehearsed stays so, what comes later goes to contacts.

use ml_connector::domain::actor::Actor;
use ml_connector::sandbox::samples::Standing;

use crate::harness::TestApp;
use crate::harness::company::{PASSWORD, invoice};
use crate::harness::person::Person;

const OWN: &str = "+16175550199";

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_reaches_the_owner_and_going_live_the_contact() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Person::arrive(&app).await;
    let actor = Actor::named("tests");
    app.app().rehearse(acme.id, &actor).await.unwrap();
    ann.sign_in(&acme.email, PASSWORD).await;
    ann.is_at("Overview").await;

    let home = format!("/t/{}", acme.slug);
    ann.open(&format!("{home}/own-number")).await;
    ann.write("phone", OWN).await;
    ann.press("Send a code").await;
    ann.reads("Type the code").await;
    app.run_due_jobs().await;
    let code = acme.messages().last().unwrap().body[..6].to_owned();
    ann.write("code", &code).await;
    ann.press("Confirm").await;
    ann.reads("Confirmed").await;

    acme.rule("invoice.sent", "Invoice {{ invoice_number }}")
        .await;
    acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let rehearsed = acme.messages().last().unwrap().clone();
    assert_eq!(rehearsed.to, OWN);
    assert!(rehearsed.body.contains("would go to"), "{}", rehearsed.body);

    ann.open(&format!("{home}/go-live")).await;
    ann.is_at("Go live?").await;
    let would = ann.browser.texts("main tbody tr").await;
    assert_eq!(would.len(), 1, "{would:?}");
    assert!(would[0].contains("Invoice INV-"), "{would:?}");
    ann.browser.click_first("input[name=attested]").await;
    ann.press("Go live").await;
    ann.is_at("Overview").await;

    acme.told("", &invoice(2, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let live = acme.messages().last().unwrap().clone();
    assert_ne!(live.to, OWN);
    assert!(!live.body.contains("would go to"), "{}", live.body);
    let all = acme.messages().len();
    assert_eq!(all, 3, "a code, a rehearsal and a message");
    ann.leave().await;
}
