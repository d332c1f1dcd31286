//! Owners are told of trouble at once, of silence once, and of yesterday each morning.

use chrono::TimeDelta;
use ml_connector::domain::actor::Actor;
use ml_connector::sandbox::samples::Standing;
use ml_connector::twilio;
use ml_connector::zoho::webhook::SIGNATURE_HEADER;
use reqwest::StatusCode;

use crate::harness::TestApp;
use crate::harness::company::{Company, PASSWORD, invoice};
use crate::harness::smtp::ReceivedMail;
use crate::harness::visitor::Visitor;

/// Looks as a worker does each minute; what has come since the last call.
async fn new_mails(app: &TestApp, seen: &mut usize) -> Vec<ReceivedMail> {
    app.app().tell_owners().await.unwrap();
    app.app().tell_owners().await.unwrap();
    let mails = app.mails().await.split_off(*seen);
    *seen += mails.len();
    mails
}

fn subjects(mails: &[ReceivedMail]) -> Vec<&str> {
    mails.iter().map(|l| l.subject.as_str()).collect()
}

async fn forge(acme: &Company<'_>) {
    let call = acme.app.http.post(&acme.hook_url);
    let call = call.header("content-type", "application/json");
    let call = call.header(SIGNATURE_HEADER, "0".repeat(64)).body("{}");
    assert_eq!(
        call.send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_are_told_at_once_when_twilio_refuses_the_credentials() {
    let app = TestApp::spawn().await;
    let (acme, _other) = (app.company("Acme").await, app.company("Other").await);
    acme.rule("invoice.sent", "Hello").await;
    acme.connect_untried(&"0".repeat(32)).await;
    for seed in 0..3 {
        acme.told("", &invoice(seed, Standing::Sent, app.now()))
            .await;
    }
    // Nobody looks: whoever met the refusal tells it.
    let [mail] = app.mails().await.try_into().unwrap();
    assert_eq!(mail.to, acme.email);
    assert_eq!(mail.subject, "Twilio refuses our access for “Acme”");
    assert!(mail.text.contains("20003"), "{}", mail.text);
    assert!(
        mail.link().ends_with("/t/acme/connections"),
        "{}",
        mail.link()
    );
    let mut seen = 1;
    app.advance(TimeDelta::hours(2));
    assert!(
        !app.app()
            .check(acme.id, twilio::PROVIDER)
            .await
            .unwrap()
            .is_good
    );
    assert_eq!(subjects(&new_mails(&app, &mut seen).await), [""; 0]);

    // Mended, and refused anew: that is another occasion.
    acme.connect_twilio().await;
    assert!(
        app.app()
            .check(acme.id, twilio::PROVIDER)
            .await
            .unwrap()
            .is_good
    );
    app.advance(TimeDelta::minutes(1));
    acme.connect_untried(&"0".repeat(32)).await;
    assert!(
        !app.app()
            .check(acme.id, twilio::PROVIDER)
            .await
            .unwrap()
            .is_good
    );
    let again = new_mails(&app, &mut seen).await;
    assert_eq!(subjects(&again), ["Twilio refuses our access for “Acme”"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trouble_whose_finder_died_is_told_by_the_next_look() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    app.database
        .run("UPDATE connections SET state = 'broken', broken_at = 1795428000000000 WHERE provider = 'twilio'")
        .await;
    let broken = app
        .rows("connections WHERE state = 'broken' AND tenant_id IS NOT NULL")
        .await;
    assert_eq!(broken, 1, "{}", acme.slug);
    let mut seen = 0;
    assert_eq!(new_mails(&app, &mut seen).await.len(), 1);
    app.advance(TimeDelta::days(3));
    assert_eq!(subjects(&new_mails(&app, &mut seen).await), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_forged_requests_is_told_once_until_an_hour_of_quiet() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let mut seen = 0;
    for _ in 0..4 {
        forge(&acme).await;
        app.advance(TimeDelta::minutes(2));
    }
    assert_eq!(subjects(&new_mails(&app, &mut seen).await), [""; 0]);
    forge(&acme).await;
    let burst = "Requests from Zoho Books are refused for “Acme”";
    let mails = new_mails(&app, &mut seen).await;
    assert_eq!(subjects(&mails), [burst]);
    assert!(
        mails[0].text.contains("/t/acme/rejected\n"),
        "{}",
        mails[0].text
    );
    // It goes on for hours, with pauses that are no quiet.
    for _ in 0..20 {
        app.advance(TimeDelta::minutes(20));
        forge(&acme).await;
    }
    assert_eq!(subjects(&new_mails(&app, &mut seen).await), [""; 0]);
    // Quiet, then a few, then many within one second.
    app.advance(TimeDelta::minutes(61));
    forge(&acme).await;
    assert_eq!(subjects(&new_mails(&app, &mut seen).await), [""; 0]);
    app.advance(TimeDelta::minutes(61));
    for _ in 0..5 {
        forge(&acme).await;
    }
    assert_eq!(subjects(&new_mails(&app, &mut seen).await), [burst]);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_see_one_burst() {
    let Some([one, other]) = TestApp::pair().await else {
        return;
    };
    let acme = one.company("Acme").await;
    let there = acme.at(&other);
    for number in 0..6 {
        forge(if number % 2 == 0 { &acme } else { &there }).await;
        one.advance(TimeDelta::seconds(2));
        let (first, second) = tokio::join!(one.app().tell_owners(), other.app().tell_owners());
        first.and(second).unwrap();
    }
    assert_eq!(one.mails().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_hook_is_told_after_two_working_days_and_once_per_silence() {
    let app = TestApp::spawn().await;
    let (acme, shut) = (app.company("Acme").await, app.company("Shut").await);
    let _never = app.company("Never heard of").await;
    let mut seen = 0;
    // Friday 27 November 2026, at noon in New York.
    app.advance(TimeDelta::hours(24 * 4 + 7));
    for company in [&acme, &shut] {
        company
            .told("", &invoice(1, Standing::Sent, app.now()))
            .await;
    }
    let by = Actor::operator();
    app.app()
        .suspend_tenant(shut.id, "unpaid", &by)
        .await
        .unwrap();
    app.advance(TimeDelta::hours(4 * 24 - 1));
    assert_eq!(
        subjects(&new_mails(&app, &mut seen).await),
        [""; 0],
        "Tuesday at 11"
    );
    app.advance(TimeDelta::hours(1));
    let mails = new_mails(&app, &mut seen).await;
    assert_eq!(
        subjects(&mails),
        ["Nothing from Zoho Books for two working days at “Acme”"]
    );
    assert!(
        mails[0]
            .text
            .contains("Friday, 27 November at 12:00 (America/New York)"),
        "{}",
        mails[0].text
    );
    app.advance(TimeDelta::days(9));
    assert_eq!(subjects(&new_mails(&app, &mut seen).await), [""; 0]);
    acme.told("", &invoice(2, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    app.advance(TimeDelta::days(5));
    let again = new_mails(&app, &mut seen).await;
    assert!(
        subjects(&again).contains(&"Nothing from Zoho Books for two working days at “Acme”"),
        "{again:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_morning_tells_yesterday_to_those_who_want_it() {
    let app = TestApp::spawn().await;
    let (acme, _idle) = (app.company("Acme").await, app.company("Idle").await);
    acme.rule("invoice.sent", "Hello {{ invoice_number }}")
        .await;
    let mut seen = 0;
    // Monday, 05:00 in New York.
    for seed in 0..2 {
        acme.told("", &invoice(seed, Standing::Sent, app.now()))
            .await;
    }
    app.run_due_jobs().await;
    app.advance(TimeDelta::hours(4));
    assert_eq!(
        subjects(&new_mails(&app, &mut seen).await),
        [""; 0],
        "nothing yesterday"
    );
    app.advance(TimeDelta::hours(22) + TimeDelta::minutes(59));
    assert_eq!(
        subjects(&new_mails(&app, &mut seen).await),
        [""; 0],
        "Tuesday at 07:59"
    );
    app.advance(TimeDelta::minutes(1));
    let mails = new_mails(&app, &mut seen).await;
    assert_eq!(
        subjects(&mails),
        ["Yesterday: 2 sent, 0 failed, 0 waiting for you (“Acme”)"]
    );
    assert_eq!(mails[0].to, acme.email);
    assert!(
        mails[0]
            .text
            .starts_with("Yesterday: 2 sent, 0 failed, 0 waiting for you.\n"),
        "{}",
        mails[0].text
    );
    app.advance(TimeDelta::hours(1));
    assert_eq!(subjects(&new_mails(&app, &mut seen).await), [""; 0]);
    acme.told("", &invoice(5, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;

    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let settings = owner.get("/t/acme/settings").await;
    let form = "/t/acme/settings/morning-mail";
    assert!(
        settings.text().contains("It is on for you."),
        "{}",
        settings.text()
    );
    let off = owner.submit(&settings, form, &[("wanted", "no")]).await;
    assert!(
        off.text().contains("no longer get the morning e-mail"),
        "{}",
        off.text()
    );
    assert_eq!(
        app.rows("audit_entries WHERE action = 'morning_mail.switched'")
            .await,
        1
    );
    app.advance(TimeDelta::hours(23));
    assert_eq!(
        subjects(&new_mails(&app, &mut seen).await),
        [""; 0],
        "switched off"
    );

    acme.told("", &invoice(6, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    owner.submit(&off, form, &[("wanted", "yes")]).await;
    app.advance(TimeDelta::hours(28));
    assert_eq!(
        subjects(&new_mails(&app, &mut seen).await),
        [""; 0],
        "after noon it is too late"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_somebody_is_told_each_morning() {
    let app = TestApp::spawn().await;
    let acme = Company::unconnected(&app, "Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    app.advance(TimeDelta::hours(27));
    let mails = new_mails(&app, &mut 0).await;
    assert_eq!(
        subjects(&mails),
        ["Yesterday: 0 sent, 0 failed, 1 waiting for you (“Acme”)"]
    );
    assert!(
        mails[0].html.contains(">See what waits for you</a>"),
        "{}",
        mails[0].html
    );
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let waiting = owner.get("/t/acme/history?result=needs_you").await;
    assert_eq!(waiting.status, StatusCode::OK);
}
