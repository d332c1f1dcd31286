//! A second factor: set up with the secret on the page, asked for at the next sign-in.

use ml_connector::crypto::totp;
use secrecy::SecretString;

use crate::harness::TestApp;
use crate::harness::company::PASSWORD;
use crate::harness::person::Person;

#[tokio::test(flavor = "multi_thread")]
async fn with_a_second_factor_signing_in_takes_a_code_of_the_phone_or_a_recovery_code() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Person::arrive(&app).await;
    ann.sign_in(&acme.email, PASSWORD).await;
    ann.is_at("Overview").await;
    ann.open("/account/second-factor").await;
    ann.press("Set up the second factor").await;
    ann.reads("Or type this secret into it").await;
    let drawn = ann.browser.texts(".factor-qr svg").await;
    assert_eq!(drawn.len(), 1, "a code to be photographed");
    let secret = SecretString::from(ann.read("#secret").await.replace(' ', ""));
    let code = || totp::code(&secret, app.now()).expect("a secret");
    ann.write("code", "000000").await;
    ann.write("password", PASSWORD).await;
    ann.press("Turn it on").await;
    ann.browser
        .until("a refusal", async || {
            (!ann.browser.texts("[aria-invalid=true]").await.is_empty()).then_some(())
        })
        .await;
    ann.write("code", &code()).await;
    ann.write("password", PASSWORD).await;
    ann.press("Turn it on").await;
    ann.is_at("Your recovery codes").await;
    let recovery = ann.browser.texts(".codes code").await;
    assert_eq!(recovery.len(), 10);

    app.advance(chrono::TimeDelta::seconds(30));
    ann.browser.forget().await;
    ann.sign_in(&acme.email, PASSWORD).await;
    ann.is_at("Your code").await;
    ann.write("code", &code()).await;
    ann.press("Sign in").await;
    ann.is_at("Overview").await;

    ann.browser.forget().await;
    ann.sign_in(&acme.email, PASSWORD).await;
    ann.is_at("Your code").await;
    ann.write("code", &recovery[0]).await;
    ann.press("Sign in").await;
    ann.is_at("Overview").await;
    ann.open("/account/second-factor").await;
    ann.reads("9 recovery codes left").await;
    ann.leave().await;
}
