//! What a viewer sees: everything, and no button that changes it.

use ml_connector::domain::user::Role;

use crate::harness::TestApp;
use crate::harness::company::PASSWORD;
use crate::harness::person::Person;
use crate::walk::Walk;

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_reads_everything_and_is_offered_nothing_that_changes_it() {
    let app = TestApp::spawn().await;
    let acme = Walk::of(&app, "Acme").await;
    let email = acme.teammate(Role::Viewer).await;
    let viewer = Person::arrive(&app).await;
    viewer.sign_in(&email, PASSWORD).await;
    viewer.is_at("Overview").await;
    for place in [
        "Overview",
        "History",
        "Rules",
        "Connections",
        "Suppressions",
        "Settings",
    ] {
        viewer.browser.click(".rail a", place).await;
        viewer.is_at(place).await;
        // What is their own they may change: how they see the page, and their morning e-mail.
        let forms = "main form[method=post]:not([action$='/checklist'], [action$='/morning-mail'])";
        let own = viewer.browser.texts(&format!("{forms} button")).await;
        assert!(own.is_empty(), "{place} offers {own:?}");
    }
    viewer.browser.click(".rail a", "History").await;
    viewer.browser.click_first("#history tbody a").await;
    viewer.reads("Zoho Books told us").await;
    let offered = viewer.browser.texts("main a.button, main button").await;
    let sends = |b: &String| b.contains("Send again") || b.contains("Decide again");
    assert!(!offered.iter().any(sends), "{offered:?}");

    viewer
        .open(&format!("/t/{}/rules/new", acme.company.slug))
        .await;
    viewer.is_at("Your role does not allow this").await;
    viewer.follow("To the start").await;
    viewer.is_at("Overview").await;
    viewer.leave().await;
}
