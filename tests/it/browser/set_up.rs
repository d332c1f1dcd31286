//! A new installation: from the code in the terminal to the first test message, which rings nowhere but
//! on the newcomer's own number.

use ml_connector::sandbox::twilio::{MessageFilter, NewAccount};

use super::first_message::{next_is, texts_to};
use crate::harness::TestApp;
use crate::harness::company::{NUMBER, PASSWORD};
use crate::harness::person::Person;

const OWN: &str = "+16175550199";

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_sets_up_an_installation_and_reads_its_first_message_in_rehearsal() {
    let app = TestApp::spawn().await;
    let account = NewAccount {
        numbers: vec![NUMBER.to_owned()],
        ..NewAccount::default()
    };
    let twilio = app.sandbox.twilio().register(account).unwrap();
    let code = app.running.setup_code.clone().expect("nobody is there yet");
    let ann = Person::arrive(&app).await;

    ann.open("/").await;
    ann.is_at("Set up ml-connector").await;
    ann.write("code", &code).await;
    ann.write("company", "Acme").await;
    ann.write("email", "ann@acme.example").await;
    ann.write("password", "password123").await;
    ann.press("Make company and account").await;
    ann.reads("Many people use this one").await;
    // Nothing is fetched or typed again but the password.
    ann.write("password", PASSWORD).await;
    ann.press("Make company and account").await;
    ann.is_at("Overview").await;
    ann.reads("No contact is written to.").await;

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
    ann.reads("No phone rings here").await;
    let shown = ann.read("#sandbox-code b").await;
    ann.write("code", &shown).await;
    ann.press("Confirm").await;
    ann.reads("Confirmed").await;

    // Zoho Books can wait: what comes after it has its links already.
    ann.step("Write a rule", "Write the first rule").await;
    ann.follow("Invoice sent").await;
    ann.reads("The form is filled from a ready rule").await;
    ann.press("Save rule").await;
    ann.reads("The rule is saved").await;
    ann.step("Go to the test", "Send a test event").await;
    ann.press("Send a test event").await;
    ann.reads("The test event is sent").await;
    app.run_due_jobs().await;
    ann.reads("one message, delivered.").await;

    let texts = texts_to(&app, OWN);
    assert_eq!(texts.len(), 2, "a code and the test: {texts:?}");
    assert!(texts[0].starts_with(&shown), "{texts:?}");
    let meant = texts[1].starts_with("[would go to ");
    assert!(meant && texts[1].contains("invoice TEST-"), "{texts:?}");
    let rehearsed = "deliveries WHERE state = 'delivered' AND is_rehearsal = TRUE";
    let to_her = format!("{rehearsed} AND rehearsal_to = '{OWN}'");
    assert_eq!(app.rows("deliveries").await, 1);
    assert_eq!(app.rows(&to_her).await, 1);
    let of_account = app.sandbox.twilio().messages(&MessageFilter::default());
    assert!(of_account.iter().all(|m| m.to == OWN), "{of_account:?}");
    ann.leave().await;
}

impl Person<'_> {
    /// Follows the link of a step of the checklist that is not its turn yet.
    async fn step(&self, words: &str, title: &str) {
        self.open_overview().await;
        // The title is part of the link for who cannot see which step it stands at.
        let link = format!("{words}\n: {title}");
        self.browser.click(".checklist a.button", &link).await;
        self.browser
            .until("the page of the step", async || {
                (self.browser.texts("h1").await != ["Overview"]).then_some(())
            })
            .await;
    }
}
