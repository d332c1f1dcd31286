//! Whom a message goes to: nobody but those whom the document means.

use ml_connector::sandbox::samples::Standing;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::company::invoice;
use crate::harness::{Company, TestApp};

const ANN: &str = "+12025550143";

/// An invoice of one customer that names these people.
fn naming(app: &TestApp, n: u64, people: &Value, ids: &Value) -> Vec<u8> {
    let mut body: Value = serde_json::from_slice(&invoice(n, Standing::Sent, app.now())).unwrap();
    let invoice = body["invoice"].as_object_mut().unwrap();
    invoice.insert("customer_id".to_owned(), json!("77001"));
    invoice.insert("contact_persons_associated".to_owned(), people.clone());
    invoice.insert("contact_persons_details".to_owned(), json!([]));
    invoice.insert("contact_persons".to_owned(), ids.clone());
    serde_json::to_vec(&body).unwrap()
}

fn ann(mobile: &str) -> Value {
    json!({ "contact_person_id": "1", "first_name": "Ann", "mobile": mobile, "phone": "" })
}

/// Ann, whose mobile was mistyped, and whose phone was not.
fn mistyped() -> Value {
    json!([{
        "contact_person_id": "1", "first_name": "Ann", "mobile": "336-555-01234", "phone": ANN,
    }])
}

/// What became of an event: where it went, its state, and all reasons.
async fn became(acme: &Company<'_>, path: &str, body: &[u8]) -> (String, String, String) {
    let event = acme.told(path, body).await;
    acme.app.run_due_jobs().await;
    let story = acme.event(&event).await;
    let delivery = &story["deliveries"][0];
    let text = |key: &str| delivery[key].as_str().unwrap_or_default().to_owned();
    let reasons = format!("{} {}", story["decisions"], text("reason"));
    (text("to"), text("state"), reasons)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_people_of_this_invoice_are_written_to() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let first = became(
        &acme,
        "",
        &naming(&app, 1, &json!([ann(ANN)]), &json!(["1"])),
    )
    .await;
    assert_eq!((first.0.as_str(), first.1.as_str()), (ANN, "delivered"));

    let bea = json!([{ "contact_person_id": "2", "first_name": "Bea", "mobile": "" }]);
    let cases = [
        (bea, json!(["2"]), "Bea has no number"),
        (
            json!([]),
            json!(["9"]),
            "by an id that nothing has told us of",
        ),
        (json!([]), json!([]), "names nobody"),
        // Deleted in Zoho, or mistyped there: what we remember is no better.
        (json!([ann("")]), json!(["1"]), "Ann has no number"),
        (
            json!([ann("12")]),
            json!(["1"]),
            "Ann has “12”, which has too few digits",
        ),
        (
            json!([ann("202-555-01434")]),
            json!(["1"]),
            "has too many digits",
        ),
    ];
    for (n, (people, ids, why)) in (2..).zip(cases) {
        let (to, state, reasons) = became(&acme, "", &naming(&app, n, &people, &ids)).await;
        assert_eq!(
            (to.as_str(), state.as_str()),
            ("", "failed"),
            "{why}: {reasons}"
        );
        assert!(reasons.contains(why), "{why}: {reasons}");
    }
    assert_eq!(acme.messages().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_alone_is_looked_up_and_whoever_cannot_be_reached_is_passed_over_in_words() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let both = json!([
        { "contact_person_id": "2", "first_name": "Bea", "mobile": "+1 202 555 0187" }, ann(ANN)
    ]);
    became(&acme, "", &naming(&app, 1, &both, &json!([]))).await;
    let (to, _, reasons) = became(&acme, "", &naming(&app, 2, &json!([]), &json!(["1"]))).await;
    assert_eq!(to, ANN);
    assert!(
        reasons.contains("Ann’s number was last seen on 23 Nov 2026"),
        "{reasons}"
    );

    let one_without = json!([
        { "contact_person_id": "2", "first_name": "Bea", "mobile": "" }, ann(ANN)
    ]);
    let (to, _, reasons) = became(&acme, "", &naming(&app, 3, &one_without, &json!([]))).await;
    assert_eq!(to, ANN);
    assert!(
        reasons.contains("passed over: Bea has no number"),
        "{reasons}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_mobile_is_mistyped_is_written_to_by_phone_and_that_is_said() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let body = naming(&app, 1, &mistyped(), &json!([]));
    let (to, _, reasons) = became(&acme, "", &body).await;
    assert_eq!(to, ANN);
    let said = "Ann has “336-555-01234”, which has too many digits";
    assert!(reasons.contains(said), "{reasons}");
    assert!(reasons.contains("so the phone is used"), "{reasons}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_allow_sms_is_passed_over() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let preferring = |sms: Value| {
        let mut person = ann(ANN);
        person["communication_preference"] =
            json!({ "is_email_enabled": true, "is_sms_enabled": sms });
        json!([person])
    };
    let (to, state, reasons) = became(
        &acme,
        "",
        &naming(&app, 1, &preferring(json!(false)), &json!([])),
    )
    .await;
    assert_eq!((to.as_str(), state.as_str()), ("", "failed"));
    assert!(reasons.contains("Ann does not allow SMS"), "{reasons}");
    assert!(!reasons.contains("No mobile number"), "{reasons}");
    // Neither does it help that another list says nothing of it, or that a bill names nobody.
    for (n, sms) in [(2, json!(true)), (3, json!(null))] {
        let (to, ..) = became(&acme, "", &naming(&app, n, &preferring(sms), &json!([]))).await;
        assert_eq!(to, ANN);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_a_company_in_the_united_states_lead_to_nobody_abroad() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let typos = ["336-555-01234", "919-555-0123-45", "61755501234"];
    for (n, typo) in (1..).zip(typos) {
        let people = json!([{ "contact_person_id": n, "first_name": "Ann", "mobile": typo }]);
        let (to, state, reasons) = became(&acme, "", &naming(&app, n, &people, &json!([]))).await;
        assert_eq!((to.as_str(), state.as_str()), ("", "failed"), "{reasons}");
        assert!(reasons.contains("too many digits"), "{reasons}");
        let rule = json!({
            "name": "Fixed", "event_type": "invoice.sent", "channel": "sms",
            "recipient": { "kind": "fixed", "address": typo }, "template": { "body": "Hi" },
        });
        let refused = acme.api(Method::POST, "/rules", Some(rule)).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let typed = json!({ "channel": "sms", "address": typo, "reason": "asked" });
        let refused = acme.api(Method::POST, "/suppressions", Some(typed)).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
    for (n, (typed, to)) in (10..).zip([
        ("3365550123.0", "+13365550123"),
        ("６１７）５５５ー０１２３", "+16175550123"),
        ("011 44 7700 900456", "+447700900456"),
    ]) {
        let people = json!([{ "contact_person_id": n, "first_name": "Ann", "mobile": typed }]);
        let (went, ..) = became(&acme, "", &naming(&app, n, &people, &json!([]))).await;
        assert_eq!(went, to);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_has_one_number_however_it_is_spelt() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    for (n, suppressed, written) in [
        (1, "+52 1 55 1234 5678", "+52 55 1234 5678"),
        (2, "+54 11 2345 6789", "+54 9 11 2345 6789"),
        (3, "+54 9 11 2345 0000", "+54 11 2345 0000"),
    ] {
        let typed = json!({ "channel": "sms", "address": suppressed, "reason": "asked" });
        let made = acme.api(Method::POST, "/suppressions", Some(typed)).await;
        assert_eq!(made.status(), StatusCode::CREATED);
        let people = json!([{ "contact_person_id": n, "first_name": "Ann", "mobile": written }]);
        let (_, state, _) = became(&acme, "", &naming(&app, n, &people, &json!([]))).await;
        assert_eq!(state, "suppressed", "{suppressed} {written}");
    }
    assert!(acme.messages().is_empty());
}
