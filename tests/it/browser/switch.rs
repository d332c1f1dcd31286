//! One person in two companies: the switcher leads to the other, and nothing of the first is there.

use ml_connector::domain::actor::Actor;
use ml_connector::domain::user::Role;
use ml_connector::sandbox::samples::Standing;

use crate::harness::TestApp;
use crate::harness::company::{PASSWORD, invoice};
use crate::harness::person::Person;

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_two_companies_switches_between_them() {
    let app = TestApp::spawn().await;
    let (acme, globex) = (app.company("Acme").await, app.company("Globex").await);
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let actor = Actor::named("tests");
    let invited = app
        .app()
        .invite(globex.id, &acme.email, Role::Viewer, &actor);
    invited.await.unwrap();
    let ann = Person::arrive(&app).await;
    ann.sign_in(&acme.email, PASSWORD).await;
    ann.is_at("Overview").await;
    ann.open_mail_to(&acme.email).await;
    ann.press("Join the team").await;
    ann.reads("Welcome to the team.").await;
    assert!(ann.browser.url().await.contains("/t/globex/"));

    ann.browser.click_first(".rail summary.tenant").await;
    ann.browser.click_first(".rail a[href^='/t/acme']").await;
    ann.browser
        .until("Acme", async || {
            ann.browser.url().await.contains("/t/acme/").then_some(())
        })
        .await;
    ann.browser.click(".rail a", "History").await;
    ann.is_at("History").await;
    assert_eq!(ann.browser.texts("#history tbody tr").await.len(), 1);
    ann.open(&format!("/t/globex/events/{event}")).await;
    ann.is_at("There is nothing at this address").await;
    ann.open("/t/globex/history").await;
    ann.is_at("History").await;
    assert!(ann.browser.texts("#history tbody tr").await.is_empty());
    ann.leave().await;
}
