//! E-mails as people write and see them: the rule editor with its preview, the history, suppressions.

use chrono::TimeDelta;
use ml_connector::sandbox::samples::Standing;
use reqwest::{Method, StatusCode, header};

use crate::harness::TestApp;
use crate::harness::company::{PASSWORD, invoice};
use crate::harness::visitor::Visitor;

const TYPED: [(&str, &str); 9] = [
    ("name", "Invoices"),
    ("event_type", "invoice.sent"),
    ("channel", "email"),
    ("recipient", "first"),
    ("send_within", "24"),
    ("email_subject", "Invoice {{ invoice_number }}"),
    ("email_preview", "Due {{ due_date|date }}"),
    (
        "email_body",
        "Dear customer,\r\n\r\n[[details]]\r\n\r\n[[items]]\r\n\r\n[[pay button]]",
    ),
    ("enabled", "1"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_is_typed_sends_the_email_that_the_history_shows() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.email_sender("billing@acme.example", "Acme Billing")
        .await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let rules = format!("/t/{}/rules", acme.slug);
    let form = ann.get(&format!("{rules}/new")).await;
    let list = ann.submit(&form, &rules, &TYPED).await;
    assert_eq!((list.status, &list.path), (StatusCode::OK, &rules));
    assert_eq!(
        list.texts(".rule-sentence"),
        ["When an invoice is sent, send an e-mail to the contact from the default sender."]
    );
    assert_eq!(
        list.texts(".rule-text"),
        ["E-mail: Invoice {{ invoice_number }}"]
    );

    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let emails = acme.emails();
    assert_eq!(emails.len(), 1);
    let page = ann.get(&format!("/t/{}/events/{event}", acme.slug)).await;
    let facts = page.texts(".delivery .facts").concat();
    for words in [
        &*emails[0].subject,
        "Acme Billing <billing@acme.example>",
        "Answers go to",
    ] {
        assert!(facts.contains(words), "{words}: {facts}");
    }
    assert!(
        !page.text().contains("Costs "),
        "only an SMS costs messages"
    );
    let text = page.texts(".email .raw").concat();
    assert!(text.contains("Dear customer,"), "{text}");
    // What went over the wire names the parts that are kept with the message, and does not repeat them.
    assert!(!page.texts(".story .raw").concat().contains("Dear customer"));

    let frame = page.attribute(".email iframe", "src").unwrap();
    assert_eq!(
        page.attribute(".email iframe", "sandbox").as_deref(),
        Some("")
    );
    let answer = ann.ask(Method::GET, &frame, &[]).await;
    let policy = answer.headers()[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.contains("img-src 'none'") && policy.ends_with("sandbox"),
        "{policy}"
    );
    let html = answer.text().await.unwrap();
    assert!(html.contains("Dear customer,") && !html.contains("prefers-color-scheme"));
    let dark = frame.replace("look=light", "look=dark&pictures=1");
    let answer = ann.ask(Method::GET, &dark, &[]).await;
    let policy = answer.headers()[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(policy.contains("img-src 'self' http"), "{policy}");
    assert!(answer.text().await.unwrap().contains("@media all"));

    // Decided again, it is shown before it goes.
    app.advance(TimeDelta::minutes(5));
    let ask = ann
        .get(&format!("/t/{}/events/{event}/replays/new", acme.slug))
        .await;
    let frame = ask.attribute(".email iframe", "src").unwrap();
    let answer = ann.ask(Method::GET, &frame, &[]).await;
    assert_eq!(answer.status(), StatusCode::OK, "{frame}");
    assert!(answer.text().await.unwrap().contains("Dear customer,"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sms_has_no_document_of_its_own() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Invoice {{ invoice_number }}")
        .await;
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let delivery = acme.event(&event).await["deliveries"][0]["id"].clone();
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let path = format!(
        "/t/{}/deliveries/{}/email",
        acme.slug,
        delivery.as_str().unwrap()
    );
    assert_eq!(ann.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_is_previewed_and_not_saved() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.email_sender("billing@acme.example", "Acme Billing")
        .await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let rules = format!("/t/{}/rules", acme.slug);
    let form = ann.get(&format!("{rules}/new")).await;
    let preview = format!("{rules}/preview");
    let page = ann
        .submit(&form.with_form_to(&preview), &preview, &TYPED)
        .await;
    assert_eq!(page.status, StatusCode::OK);
    let facts = page.texts("#email-facts").concat();
    for words in [
        "Invoice INV-00003",
        "billing@acme.example",
        "KB",
        "Copy paper A4",
    ] {
        assert!(facts.contains(words), "{words}: {facts}");
    }
    assert_eq!(
        page.attribute("[name='email_subject']", "value").as_deref(),
        Some(TYPED[5].1)
    );
    let mut typed = TYPED.to_vec();
    typed.push(("preview-look", "dark"));
    let email = format!("{preview}/email");
    let document = ann.submit(&page.with_form_to(&email), &email, &typed).await;
    let html = document.text();
    assert!(
        html.contains("Dear customer,") && html.contains("Delivery to your door"),
        "{html}"
    );
    typed[7].1 = "[[detials]]";
    let page = ann
        .submit(&page.with_form_to(&preview), &preview, &typed)
        .await;
    let facts = page.texts("#email-facts .notice").concat();
    assert!(facts.contains("[[details]]"), "{facts}");
    assert_eq!(app.rows("rules").await, 0);

    // Nobody has as many rendered as they like.
    app.database
        .run("UPDATE throttles SET tries = 1000000")
        .await;
    let frame = ann
        .ask(
            Method::GET,
            &format!("{rules}/new/email?ready=bill-created"),
            &[],
        )
        .await;
    let told = frame.text().await.unwrap();
    assert!(told.contains("That were many previews"), "{told}");
    let page = ann
        .submit(&page.with_form_to(&preview), &preview, &typed)
        .await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_a_ready_rule_wants_is_added_on_the_way() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let home = format!("/t/{}", acme.slug);
    let rule = ann
        .get(&format!("{home}/rules/new?ready=invoice-sent-email"))
        .await;
    let add = rule.attribute(".notice a.button", "href").unwrap();
    let senders = ann.get(&add).await;
    let transport = senders.attribute("[name=transport] option[selected]", "value");
    assert_eq!(transport.as_deref(), Some("twilio_email"));
    let ready = senders.attribute("[name=ready]", "value").unwrap();
    let typed = [
        ("transport", "twilio_email"),
        ("address", "billing@acme.example"),
        ("name", "Acme Billing"),
        ("ready", &ready),
    ];
    let back = ann
        .submit(&senders, &format!("{home}/senders"), &typed)
        .await;
    let name = back.attribute("[name='name']", "value");
    assert_eq!(name.as_deref(), Some("Invoice sent, by e-mail"));
    assert!(back.texts(".notice.needs").is_empty(), "{}", back.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_reaches_nobody_says_so_in_the_list() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let group = acme
        .group("Finance", &[("Ann", "ann@acme.example", false)])
        .await;
    acme.create_rule(serde_json::json!({
        "name": "Bills", "event_type": "bill.created", "channel": "email",
        "recipient": { "kind": "group", "group": group },
        "template": { "email": { "subject": "A bill", "body": "It is here." } },
    }))
    .await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let rules = format!("/t/{}/rules", acme.slug);
    let ways = async || ann.get(&rules).await.attributes(".rule .notice a", "href");
    let home = format!("/t/{}", acme.slug);
    let mend = [format!("{home}/senders"), format!("{home}/groups/{group}")];
    assert_eq!(ways().await, mend);
    acme.email_sender("billing@acme.example", "Acme Billing")
        .await;
    assert_eq!(ways().await, mend[1..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_ready_rule_opens_and_the_group_that_one_wants_is_made_on_the_way() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let home = format!("/t/{}", acme.slug);
    let editor = ann.get(&format!("{home}/rules/new")).await;
    let ready = editor.attributes(".ready a", "href");
    assert!(ready.len() >= 14, "{ready:?}");
    for link in &ready {
        assert_eq!(ann.get(link).await.status, StatusCode::OK, "{link}");
        let email = link.replace("/new?", "/new/email?");
        assert_eq!(ann.get(&email).await.status, StatusCode::OK, "{email}");
    }
    let bills = ann
        .get(&format!("{home}/rules/new?ready=bill-created"))
        .await;
    assert!(bills.text().contains("which you do not have yet"));
    let add = bills.attribute(".notice a.button", "href").unwrap();
    let groups = ann.get(&add).await;
    let action = format!("{home}/groups");
    let back = ann.submit(&groups, &action, &[("name", "Finance")]).await;
    assert_eq!(
        back.attribute("[name='name']", "value").as_deref(),
        Some("Bill created, to Finance")
    );
    let chosen = back.texts("[name='recipient'] option[selected]");
    assert_eq!(chosen, ["The group Finance (0 people)"]);
    assert!(back.text().contains("Finance has nobody who is on"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_address_is_suppressed_by_hand_and_found_in_any_case() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let list = format!("/t/{}/suppressions", acme.slug);
    let typed = [
        ("address", "Ben.George@Example.com"),
        ("reason", "Asked us"),
    ];
    let page = ann.submit(&ann.get(&list).await, &list, &typed).await;
    assert!(
        page.text().contains("Ben.George@Example.com"),
        "{}",
        page.text()
    );
    let again = [
        ("address", "ben.george@EXAMPLE.com"),
        ("reason", "Asked again"),
    ];
    let page = ann.submit(&page, &list, &again).await;
    assert_eq!(page.texts("tbody tr").len(), 1, "the same address");
    for typed in ["BEN.george@example.COM", "george@ex"] {
        let found = ann.get(&format!("{list}?q={typed}")).await;
        assert_eq!(found.texts("tbody tr").len(), 1, "{typed}");
    }
    let wrong = [("address", "ben@"), ("reason", "Asked")];
    let page = ann.submit(&page, &list, &wrong).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.error("address").unwrap().contains("no e-mail address"));
}
