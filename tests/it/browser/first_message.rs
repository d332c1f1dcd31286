//! From nothing to the first delivered message, by following only the checklist.

use ml_connector::sandbox::samples::{Generator, Standing, Wish, to_body};
use ml_connector::sandbox::twilio::{MessageFilter, NewAccount};
use ml_connector::zoho::secret::WebhookSecret;
use ml_connector::zoho::webhook::{self, SIGNATURE_HEADER};
use reqwest::StatusCode;

use crate::harness::TestApp;
use crate::harness::company::{NUMBER, PASSWORD};
use crate::harness::person::Person;

const EMAIL: &str = "ann@acme.example";
const OWN: &str = "+16175550199";

/// The button of the step that is next.
const NEXT: &str = ".checklist .now a.button";

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_led_from_signing_up_to_the_first_delivered_message() {
    let app = TestApp::spawn().await;
    let account = NewAccount {
        numbers: vec![NUMBER.to_owned()],
        ..NewAccount::default()
    };
    let twilio = app.sandbox.twilio().register(account).unwrap();
    // Not the first on this instance, which would be led to its set-up.
    app.company("Globex").await;
    let ann = Person::arrive(&app).await;

    ann.open("/sign-up").await;
    ann.write("company", "Acme").await;
    ann.write("email", EMAIL).await;
    ann.write("password", PASSWORD).await;
    ann.press("Send me the link").await;
    ann.is_at("Check your e-mail").await;
    ann.open_mail_to(EMAIL).await;
    ann.write("password", PASSWORD).await;
    ann.browser
        .click("main button", &ann.read("main button").await)
        .await;
    ann.is_at("Overview").await;

    next_is(&ann, "Connect Twilio").await;
    ann.write("account_sid", &twilio.account_sid).await;
    ann.write("auth_token", &twilio.auth_token).await;
    ann.write("sender", NUMBER).await;
    ann.press("Save account").await;
    ann.reads("Twilio accepts the account, and it is saved")
        .await;

    next_is(&ann, "Confirm your own number").await;
    ann.write("phone", OWN).await;
    ann.press("Send a code").await;
    ann.reads("Type the code").await;
    app.run_due_jobs().await;
    let code = texts_to(&app, OWN)[0][..6].to_owned();
    ann.write("code", &code).await;
    ann.press("Confirm").await;
    ann.reads("Confirmed").await;

    next_is(&ann, "Make the webhook in Zoho Books").await;
    ann.press("Make the secret").await;
    ann.reads("it is shown this once").await;
    let address = ann.read("#address").await;
    let secret = WebhookSecret::parse(&ann.read("#new-secret").await).unwrap();

    // Zoho Books comes: first without a signature, then as it should. The list shows it by itself.
    ann.open_by_checklist("Make the webhook in Zoho Books")
        .await;
    let () = ann.browser.script("window.isTheSamePage = true;").await;
    let body = sent(&app, 1);
    let unsigned = app.http.post(&address).body(body.clone()).send().await;
    assert_eq!(unsigned.unwrap().status(), StatusCode::UNAUTHORIZED);
    ann.reads("The request has no signature").await;
    let signature = webhook::sign(&secret, "", Some("application/json"), &body);
    let signed = app
        .http
        .post(&address)
        .header("content-type", "application/json");
    let signed = signed
        .header(SIGNATURE_HEADER, signature)
        .body(body)
        .send()
        .await;
    assert_eq!(signed.unwrap().status(), StatusCode::OK);
    app.run_due_jobs().await;
    ann.reads("no rule matched.").await;
    let is_same = ann
        .browser
        .script::<bool>("return window.isTheSamePage === true;")
        .await;
    assert!(is_same, "nobody loaded the page again");

    next_is(&ann, "Send a test event").await;
    ann.press("Send a test event").await;
    ann.reads("The test event is sent").await;
    app.run_due_jobs().await;

    next_is(&ann, "Write the first rule").await;
    ann.follow("Invoice sent").await;
    ann.reads("The form is filled from a ready rule").await;
    ann.press("Save rule").await;
    ann.reads("The rule is saved").await;

    next_is(&ann, "See the first message delivered").await;
    ann.press("Send a test event").await;
    ann.reads("The test event is sent").await;
    app.run_due_jobs().await;
    ann.reads("one message, delivered.").await;
    let texts = texts_to(&app, OWN);
    assert_eq!(texts.len(), 2, "a code and the test: {texts:?}");
    assert!(texts[1].contains("Hello Test, invoice TEST-"), "{texts:?}");
    ann.open_overview().await;
    let left = ann.browser.texts(".checklist > li:not(.done) h3").await;
    assert_eq!(left, ["Go live"]);
    ann.leave().await;
}

/// The step that is next has that name; its button is followed.
pub(super) async fn next_is(ann: &Person<'_>, step: &str) {
    ann.open_overview().await;
    assert_eq!(ann.read(".checklist .now h3").await, step);
    let words = ann.read(NEXT).await;
    ann.browser.click(NEXT, &words).await;
    ann.browser
        .until("the page of the step", async || {
            (ann.browser.texts("h1").await != ["Overview"]).then_some(())
        })
        .await;
}

impl Person<'_> {
    pub(super) async fn open_overview(&self) {
        self.browser.click(".rail a", "Overview").await;
        self.is_at("Overview").await;
    }

    /// Opens the page of a step, done or not, as its link did.
    async fn open_by_checklist(&self, _step: &str) {
        let path = self.browser.url().await;
        let tenant = path.split("/connections").next().unwrap().to_owned();
        self.browser
            .visit(&format!("{tenant}/connections/set-up"))
            .await;
        self.is_at("Set up Zoho Books").await;
    }
}

fn sent(app: &TestApp, seed: u64) -> Vec<u8> {
    let wish = Wish {
        standing: Some(Standing::Sent),
        trader: Some(4),
        ..Wish::default()
    };
    to_body(&Generator::seeded(seed).invoice(&wish, app.now()), false)
}

pub(super) fn texts_to(app: &TestApp, number: &str) -> Vec<String> {
    let all = app.sandbox.twilio().messages(&MessageFilter::default());
    let own = all.into_iter().filter(|m| m.to == number);
    own.map(|m| m.body).collect()
}
