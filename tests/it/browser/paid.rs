//! Somebody wants to send a reminder again, of an invoice that is paid meanwhile.

use chrono::TimeDelta;
use ml_connector::domain::document::DocumentKind;
use ml_connector::domain::money::Amount;
use ml_connector::sandbox::samples::{Generator, Standing, Wish, to_body};

use crate::harness::TestApp;
use crate::harness::company::PASSWORD;
use crate::harness::person::Person;

fn invoice(standing: Standing, app: &TestApp) -> Vec<u8> {
    let wish = Wish {
        id: Some("9820000000077".to_owned()),
        number: Some("INV-3".to_owned()),
        total: Some(Amount(1_000_000)),
        trader: Some(4),
        modified: Some(app.now() - TimeDelta::minutes(1)),
        standing: Some(standing),
        ..Wish::default()
    };
    let document = Generator::seeded(7).document(DocumentKind::Invoice, &wish, app.now());
    to_body(&document, false)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reminder_of_a_paid_invoice_is_not_sent_again_by_one_press() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.overdue", "{{ invoice_number }} is overdue")
        .await;
    let overdue = acme
        .told("/invoice.overdue", &invoice(Standing::Overdue, &app))
        .await;
    app.run_due_jobs().await;
    app.advance(TimeDelta::hours(30));
    acme.told("/invoice.paid", &invoice(Standing::Paid, &app))
        .await;
    app.run_due_jobs().await;
    let sent = async || {
        app.run_due_jobs().await;
        acme.messages().len()
    };
    assert_eq!(sent().await, 1);

    let ann = Person::arrive(&app).await;
    ann.sign_in(&acme.email, PASSWORD).await;
    ann.is_at("Overview").await;
    for (n, again) in ["Send again", "Decide again"].into_iter().enumerate() {
        ann.open(&format!("/t/{}/events/{overdue}", acme.slug))
            .await;
        ann.follow(again).await;
        ann.is_at(again).await;
        ann.reads("INV-3 is paid").await;
        ann.reads("The invoice today").await;
        let ticked = ann.browser.texts("input[type=checkbox]:checked").await;
        assert!(
            ticked.is_empty(),
            "whoever has paid is not chosen for anybody"
        );

        ann.press(again).await;
        ann.reads("Tick").await;
        assert_eq!(sent().await, 1 + n);

        // Whoever insists may: knowing what they do.
        ann.follow("Leave it").await;
        ann.follow(again).await;
        ann.is_at(again).await;
        ann.browser.click_first(".choice label").await;
        ann.press(again).await;
        ann.reads("What happened").await;
        assert_eq!(sent().await, 2 + n);
    }
    ann.leave().await;
}
