//! One Twilio account, two companies: one to which it belongs, and one that typed its Account SID and
//! invented the rest.

use ml_connector::sandbox::samples::Standing;
use ml_connector::sandbox::twilio::{Fault, FaultKind, FaultOrder};
use ml_connector::twilio;
use ml_connector::twilio::signature::{self, Signed};
use reqwest::StatusCode;
use secrecy::SecretString;
use serde_json::Value;

use crate::harness::company::invoice;
use crate::harness::{Company, TestApp};

const INVENTED: &str = "0123456789abcdef0123456789abcdef";

impl Company<'_> {
    /// Posts to the company's address for Twilio, signed with the token that it entered.
    pub(crate) async fn forges(&self, path: &str, fields: &[(&str, &str)]) -> StatusCode {
        let url = self.inbound_url().await.replace("/inbound", path);
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let token = SecretString::from(self.auth_token.clone());
        let signature = signature::sign(&url, Signed::Form(body.as_bytes()), &token);
        let call = self.app.http.post(&url).body(body);
        let call = call.header("Content-Type", "application/x-www-form-urlencoded");
        let answer = call.header("X-Twilio-Signature", signature).send().await;
        answer.unwrap().status()
    }

    /// An invoice that was sent; its only message once all is quiet.
    async fn tells_of(&self, body: &[u8]) -> Value {
        let event = self.told("", body).await;
        self.app.run_due_jobs().await;
        self.event(&event).await["deliveries"][0].clone()
    }

    async fn message(&self, delivery: &Value) -> Value {
        let id = delivery["id"].as_str().unwrap();
        self.get(&format!("/deliveries/{id}")).await
    }
}

/// A company that knows another one's Account SID, and no more.
async fn eve<'a>(app: &'a TestApp, of: &Company<'_>) -> Company<'a> {
    let eve = Company {
        account_sid: of.account_sid.clone(),
        auth_token: INVENTED.to_owned(),
        ..Company::unconnected(app, "Eve").await
    };
    // Who invents credentials has to wait until Twilio cannot be asked.
    eve.connect_untried(INVENTED).await;
    eve
}

fn drops(app: &TestApp) {
    let lost = Fault::new(FaultKind::DropBefore);
    app.sandbox.twilio().next(FaultOrder::once(lost)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_invents_credentials_neither_waits_for_nor_learns_of_anothers_message() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let warm = invoice(1, Standing::Sent, app.now());
    assert_eq!(acme.tells_of(&warm).await["state"], "delivered");
    let eve = eve(&app, &acme).await;
    eve.rule("invoice.sent", "Hello").await;

    // Theirs is in the air: the answer to the call was lost.
    drops(&app);
    let same = invoice(2, Standing::Sent, app.now());
    let ours = acme.tells_of(&same).await;
    assert_eq!(ours["state"], "unknown", "{ours:#}");
    let theirs = eve.tells_of(&same).await;
    assert_eq!(
        theirs["state"], "held",
        "refused by Twilio at once: {theirs:#}"
    );
    let all = eve.message(&theirs).await.to_string();
    let (_, own) = ours["id"].as_str().unwrap().rsplit_once('_').unwrap();
    for told in ["equal message", own, &acme.id.to_string()] {
        assert!(!all.contains(told), "{told} in {all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_invents_credentials_holds_nobody_up() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let eve = eve(&app, &acme).await;
    eve.rule("invoice.sent", "Hello").await;
    drops(&app);
    let same = invoice(2, Standing::Sent, app.now());
    let theirs = eve.tells_of(&same).await;
    assert_eq!(theirs["state"], "unknown", "{theirs:#}");
    let ours = acme.tells_of(&same).await;
    assert_eq!(ours["state"], "delivered", "{ours:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_companies_whose_credentials_were_accepted_take_turns_and_see_their_own_ids() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let twin = Company {
        account_sid: acme.account_sid.clone(),
        auth_token: acme.auth_token.clone(),
        ..Company::unconnected(&app, "Twin").await
    };
    twin.connect_twilio().await;
    for company in [&acme, &twin] {
        company.rule("invoice.sent", "Hello").await;
        let checked = app.app().check(company.id, twilio::PROVIDER).await.unwrap();
        assert!(checked.is_good, "{}", checked.says);
    }
    drops(&app);
    let same = invoice(2, Standing::Sent, app.now());
    let ours = acme.tells_of(&same).await;
    assert_eq!(ours["state"], "unknown", "{ours:#}");
    let event = twin.told("", &same).await;
    // It waits and asks again, so it is not waited for.
    app.app().requeue().await.unwrap();
    app.running.runner.run_due().await.unwrap();
    app.running.runner.run_due().await.unwrap();
    let theirs = twin.event(&event).await["deliveries"][0].clone();
    assert_eq!(theirs["state"], "queued", "{theirs:#}");
    let why = "Waits for an equal message on this Twilio account";
    assert_eq!(theirs["reason"], why, "{theirs:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invented_token_signs_reports_that_move_nothing_and_are_nobodys_messages() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let eve = eve(&app, &acme).await;
    eve.rule("invoice.sent", "Hello").await;
    let body = invoice(1, Standing::Sent, app.now());
    let theirs = eve.tells_of(&body).await;
    assert_eq!(theirs["state"], "held", "{theirs:#}");
    let path = format!("/status?d={}&a=1", theirs["id"].as_str().unwrap());
    for n in 0..20 {
        let sid = format!("SM{n:032}");
        let fields = [("MessageSid", sid.as_str()), ("MessageStatus", "delivered")];
        assert_eq!(eve.forges(&path, &fields).await, StatusCode::NO_CONTENT);
    }
    let now = eve.message(&theirs).await;
    assert_eq!(now["state"], "held", "{now:#}");
    assert_eq!(app.rows("provider_messages").await, 0);
    assert!(app.rows("receipts").await <= 8);
    // And what it says a recipient wrote lifts nothing, not even at home.
    let number = now["to"].as_str().unwrap();
    for (n, word) in ["STOP", "START"].into_iter().enumerate() {
        let sid = format!("SM{n:032}");
        let fields = [
            ("MessageSid", sid.as_str()),
            ("From", number),
            ("Body", word),
        ];
        assert_eq!(eve.forges("/inbound", &fields).await, StatusCode::OK);
    }
    assert_eq!(app.rows("suppressions").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_invented_credentials_pause_nobody_else() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello {{ invoice_number }}")
        .await;
    let eve = eve(&app, &acme).await;
    eve.rule("invoice.sent", "Hello {{ invoice_number }}").await;
    let mut throttled = Fault::new(FaultKind::TooMany);
    throttled.retry_after = Some(600);
    app.sandbox
        .twilio()
        .next(FaultOrder::once(throttled))
        .unwrap();
    let event = eve.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.app().requeue().await.unwrap();
    app.running.runner.run_due().await.unwrap();
    let theirs = eve.event(&event).await["deliveries"][0].clone();
    assert_eq!(theirs["state"], "queued", "{theirs:#}");
    let ours = acme.tells_of(&invoice(2, Standing::Sent, app.now())).await;
    assert_eq!(ours["state"], "delivered", "{ours:#}");
}
