//! A forgotten password: an e-mail, a new one, and the old one is of no use.

use crate::harness::TestApp;
use crate::harness::company::PASSWORD;
use crate::harness::person::Person;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_forgot_the_password_chooses_a_new_one_by_the_mail() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Person::arrive(&app).await;
    ann.open("/sign-in").await;
    ann.open("/reset").await;
    ann.write("email", &acme.email).await;
    ann.press("Send me the link").await;
    ann.is_at("Check your e-mail").await;
    ann.open_mail_to(&acme.email).await;
    ann.is_at("Choose a new password").await;
    ann.write("password", "short").await;
    ann.press("Change the password").await;
    ann.reads("Choose a new password").await;
    let wrong = ann.browser.texts("[aria-invalid=true]").await;
    assert_eq!(wrong.len(), 1, "a short one is refused at its field");
    let new = "another rather long sentence";
    ann.write("password", new).await;
    ann.press("Change the password").await;
    ann.browser
        .until("another page", async || {
            let headings = ann.browser.texts("h1").await;
            (headings != ["Choose a new password"]).then_some(())
        })
        .await;

    ann.browser.forget().await;
    ann.sign_in(&acme.email, PASSWORD).await;
    ann.reads("The e-mail or the password is wrong").await;
    ann.write("password", new).await;
    ann.press("Sign in").await;
    ann.is_at("Overview").await;
    ann.leave().await;
}
