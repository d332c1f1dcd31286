//! The product as its people see it: in a real browser, and without any script.

mod companies;
mod email_rules;
mod first_message;
mod invitation;
mod keyboard;
mod live;
mod paid;
mod password;
mod roles;
mod second_factor;
mod set_up;
mod stop;
mod switch;

use chrono::TimeDelta;
use ml_connector::sandbox::samples::Standing;
use reqwest::StatusCode;
use secrecy::SecretString;

use crate::harness::TestApp;
use crate::harness::browser::Browser;
use crate::harness::company::{PASSWORD, invoice};
use crate::harness::demo::Demo;
use crate::harness::page::{Page, pairs};
use crate::harness::visitor::Visitor;

/// The address of the newest event whose only message is delivered.
const DELIVERED: &str = "
    const row = [...document.querySelectorAll('#history tbody tr')]
        .find((row) => row.querySelector('.badges').innerText.trim() === 'Delivered');
    return row ? row.querySelector('a').getAttribute('href') : null;";

#[tokio::test(flavor = "multi_thread")]
async fn a_person_watches_events_arrive_opens_one_and_sends_it_again() {
    let demo = Demo::after(0);
    let browser = Browser::open().await;

    browser.visit(&demo.address).await;
    browser.fill("email", &demo.email).await;
    browser.fill("password", &demo.password).await;
    browser.click("button", "Sign in").await;
    browser.click(".rail a", "History").await;

    // A page that is loaded again forgets what a script wrote on its window.
    let rows = async || browser.texts("#history tbody tr").await.len();
    browser
        .until("an event", async || (rows().await > 0).then_some(()))
        .await;
    let () = browser.script("window.isTheSamePage = true;").await;
    let before = rows().await;
    browser
        .until("a new event", async || {
            (rows().await > before).then_some(())
        })
        .await;
    assert!(
        browser
            .script::<bool>("return window.isTheSamePage === true;")
            .await
    );
    assert!(browser.texts(".live").await.contains(&"Live".to_owned()));

    let event = browser
        .until("a delivered message", async || {
            browser.script::<Option<String>>(DELIVERED).await
        })
        .await;
    let company = demo.address.find("/t/").unwrap();
    let event = format!("{}{event}", &demo.address[..company]);
    browser.visit(&event).await;

    let texts = browser.texts(".phone-bubble").await;
    assert!(texts.len() == 1 && texts[0].len() > 20, "{texts:?}");
    let story = browser.texts(".story-sentence").await.join("\n");
    assert!(story.contains("Zoho Books told us"), "{story}");
    assert!(
        story.contains("Twilio handed it to the carrier."),
        "{story}"
    );
    assert!(
        story.contains("Delivered ") && story.contains(" s later."),
        "{story}"
    );

    browser.click("summary", "Request and answer").await;
    let wire = browser.texts(".story pre").await;
    assert_eq!(wire.len(), 2, "{wire:?}");
    assert!(wire[0].starts_with("POST ") && wire[0].contains("/Messages.json"));
    let one_line = texts[0].split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        wire[0].contains(&format!("Body: {one_line}")),
        "{}",
        wire[0]
    );
    assert!(wire[1].starts_with("HTTP 201") && wire[1].contains("\"sid\": \"SM"));

    browser.click("a", "Send again").await;
    let question = browser.texts("main .sheet p").await.join(" ");
    assert!(question.contains("already received this on"), "{question}");
    browser.double_click("button", "Send again").await;

    // The page of the event follows the second message by itself.
    let states = async || browser.texts(".delivery-head .badge").await;
    browser
        .until("a second message, delivered", async || {
            (states().await == ["Delivered", "Delivered"]).then_some(())
        })
        .await;
    assert!(browser.url().await.starts_with(&event));
    let told = browser.texts("[role=status]").await;
    assert_eq!(told.len(), 1, "what was done is told once: {told:?}");
    assert_eq!(browser.texts(".phone-bubble").await, [texts[0].as_str(); 2]);

    let second = browser
        .texts(".delivery:last-of-type .facts")
        .await
        .join("\n");
    assert!(
        second.contains(&format!("Sent again by {}", demo.email)),
        "{second}"
    );
    let link = ".delivery:last-of-type .facts a[href^='#message-']";
    let first = format!(
        "return document.querySelector(\"{link}\").hash.slice(1) \
         === document.querySelector('.delivery').id;"
    );
    assert!(
        browser.script::<bool>(&first).await,
        "it leads to the first"
    );

    browser.reload().await;
    assert_eq!(states().await.len(), 2, "a double click makes one");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_a_message_is_sent_again_once_per_question() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Invoice {{ invoice_number }}")
        .await;
    let id = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    app.advance(TimeDelta::hours(1));
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;

    let history = ann.get(&format!("/t/{}/history", acme.slug)).await;
    assert_eq!(history.texts("#history tbody tr").len(), 1);
    let event = history.attribute("a.row-link", "href").unwrap();
    assert!(event.ends_with(&id));
    let page = ann.get(&event).await;
    assert_eq!(page.texts(".delivery-head .badge"), ["Delivered"]);

    let ask = page.attribute(".delivery a.button", "href").unwrap();
    let question = ann.get(&ask).await;
    assert!(
        question
            .text()
            .contains("already received this on 23 Nov. Send again?")
    );
    let send = ask.strip_suffix("/new").unwrap();
    for _ in 0..2 {
        let ticked = question.ticked();
        let page = ann.submit(&question, send, &pairs(&ticked)).await;
        assert_eq!((page.status, &page.path), (StatusCode::OK, &event));
        assert_eq!(page.texts(".delivery").len(), 2);
    }
    app.run_due_jobs().await;
    assert_eq!(acme.messages().len(), 2);

    let replays = format!("{event}/replays");
    let page = ann.get(&format!("{replays}/new")).await;
    for _ in 0..2 {
        let ticked = page.ticked();
        let page = ann.submit(&page, &replays, &pairs(&ticked)).await;
        assert_eq!(page.path, event, "{}", page.text());
    }
    app.run_due_jobs().await;
    let page = ann.get(&event).await;
    assert_eq!(page.texts(".delivery-head .badge"), ["Delivered"; 3]);
    assert_eq!(acme.messages().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_all_sending_is_stopped_and_resumed() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Invoice {{ invoice_number }}")
        .await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let home = format!("/t/{}/", acme.slug);
    let switch = format!("{home}stop-switch");

    let stopped = ann.submit(&ann.get(&home).await, &switch, &[]).await;
    let banner = stopped.texts(".banner.stopped").join(" ");
    assert!(
        banner.contains(&format!("stopped by {}", acme.email)),
        "{banner}"
    );
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let page = ann.get(&format!("{home}events/{event}")).await;
    assert_eq!(page.texts(".delivery-head .badge"), ["Held"]);
    assert_eq!(acme.messages().len(), 0);

    let resumed = ann.submit(&stopped, &switch, &[]).await;
    assert!(resumed.texts(".banner.stopped").is_empty());
    app.run_due_jobs().await;
    assert_eq!(acme.messages().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rule_editor_says_what_is_wrong_at_each_field_and_keeps_what_was_typed() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let rules = format!("/t/{}/rules", acme.slug);
    let form = ann.get(&format!("{rules}/new")).await;
    let mut typed = vec![
        ("name", "Big ones"),
        ("event_type", "invoice.sent"),
        ("recipient", "fixed"),
        ("addresses", "12"),
        ("condition.0.field", "total"),
        ("condition.0.op", "gte"),
        ("condition.0.value", "much"),
        ("template", "Invoice {{ invoice_number }}"),
        ("enabled", "1"),
    ];
    let wrong = ann.submit(&form, &rules, &typed).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        wrong.texts("[role=alert] p"),
        ["2 fields need another look."]
    );
    let said = |field| wrong.error(field).unwrap_or_default();
    assert_eq!(
        said("addresses"),
        "The number has too few digits for its country."
    );
    assert!(said("condition.0.value").starts_with("Type a number such as"));
    let kept = |field| wrong.attribute(&format!("[name='{field}']"), "value");
    assert_eq!(kept("name").as_deref(), Some("Big ones"));
    assert_eq!(kept("condition.0.value").as_deref(), Some("much"));

    typed[3].1 = "+12025550199";
    typed[6].1 = "1000";
    let list = ann.submit(&wrong, &rules, &typed).await;
    assert_eq!((list.status, &list.path), (StatusCode::OK, &rules));
    assert_eq!(
        list.texts(".rule-sentence"),
        [
            "When an invoice is sent and total is at least 1,000.00 in the document’s currency, send an SMS to \
             +1 202-555-0199 from the default sender."
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn other_companies_are_not_found_and_a_looker_on_changes_nothing() {
    let app = TestApp::spawn().await;
    let (acme, globex) = (app.company("Acme").await, app.company("Globex").await);
    acme.rule("invoice.sent", "Invoice {{ invoice_number }}")
        .await;
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;

    let eve = Visitor::signed_in(&app, &globex.email, PASSWORD).await;
    for path in [
        format!("/t/{}/", acme.slug),
        format!("/t/{}/events/{event}", acme.slug),
        format!("/t/{}/events/{event}", globex.slug),
        format!("/t/{}/no-such-page", globex.slug),
        format!("/t/{}/stop-switch", globex.slug),
    ] {
        let page = eve.get(&path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        let title: Vec<String> = page.texts("h1");
        assert_eq!(title, ["There is nothing at this address"], "{path}");
    }

    let operator = "operator@example.com";
    let password = SecretString::from(PASSWORD);
    app.app().create_operator(operator, password).await.unwrap();
    let looker_on = Visitor::signed_in(&app, operator, PASSWORD).await;
    let page = looker_on
        .get(&format!("/t/{}/events/{event}", acme.slug))
        .await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text().contains("Send again") && !page.text().contains("Decide again"));
    let rules = looker_on.get(&format!("/t/{}/rules", acme.slug)).await;
    assert_eq!(rules.texts(".rule").len(), 1);
    // The token of a form that is shown, sent to where none leads.
    let token = rules.hidden("/sign-out");
    let forged: Vec<(&str, &str)> = token
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    let stop = format!("/t/{}/stop-switch", acme.slug);
    let refused: Page = looker_on.post(&stop, &forged).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.texts("h1"), ["Your role does not allow this"]);
}
