//! A second company, made on the pages, and the work in both.

use ml_connector::sandbox::samples::Standing;

use crate::harness::TestApp;
use crate::harness::company::{PASSWORD, invoice};
use crate::harness::person::Person;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_makes_a_second_company_works_in_both_and_neither_sees_the_other() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Invoice {{ invoice_number }}")
        .await;
    acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let ann = Person::arrive(&app).await;
    ann.sign_in(&acme.email, PASSWORD).await;
    ann.is_at("Overview").await;

    ann.open("/tenants").await;
    ann.follow("New company").await;
    ann.is_at("New company").await;
    ann.write("company", "Harbour Light").await;
    ann.choose("[name=country]", "GB").await;
    ann.choose("[name=zone]", "Europe/London").await;
    ann.choose("[name=currency]", "GBP").await;
    ann.press("Make the company").await;
    ann.is_at("Overview").await;
    assert!(ann.browser.url().await.contains("/t/harbour-light/"));
    ann.reads("Rehearsal.").await;
    assert!(
        listed(&ann, "History", "#history tbody tr")
            .await
            .is_empty()
    );

    // A rule here is none there.
    ann.browser.click(".rail a", "Rules").await;
    ann.is_at("Rules").await;
    assert!(ann.browser.texts(".rule").await.is_empty());
    ann.open("/t/harbour-light/rules/new?ready=invoice-sent")
        .await;
    ann.write("name", "Only at Harbour Light").await;
    ann.press("Save rule").await;
    ann.reads("The rule is saved").await;

    ann.browser.click_first(".rail summary.tenant").await;
    ann.browser.click_first(".rail a[href^='/t/acme']").await;
    ann.browser
        .until("Acme", async || {
            ann.browser.url().await.contains("/t/acme/").then_some(())
        })
        .await;
    assert_eq!(listed(&ann, "History", "#history tbody tr").await.len(), 1);
    let rules = listed(&ann, "Rules", ".rule").await;
    assert_eq!(rules.len(), 1, "{rules:?}");
    assert!(!rules[0].contains("Harbour Light"), "{rules:?}");

    acme.told("", &invoice(2, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    assert_eq!(acme.messages().len(), 2);
    ann.open("/t/harbour-light/history").await;
    ann.is_at("History").await;
    assert!(ann.browser.texts("#history tbody tr").await.is_empty());
    ann.leave().await;
}

/// What a page of the rail lists.
async fn listed(ann: &Person<'_>, place: &str, rows: &str) -> Vec<String> {
    ann.browser.click(".rail a", place).await;
    ann.is_at(place).await;
    ann.browser.texts(rows).await
}
