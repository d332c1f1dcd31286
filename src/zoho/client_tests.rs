use secrecy::SecretString;
use serde_json::json;

use super::super::retry::Retry;
use super::super::test_server::{Say, TestServer, http, say};
use super::*;

fn books(server: &TestServer) -> ZohoBooks {
    let access = Access {
        token: SecretString::from("1000.ACCESS"),
        api_base: server.base.as_str().trim_end_matches('/').to_owned(),
        expires_in: Duration::from_hours(1),
    };
    ZohoBooks::new(http(), access, "10234695")
}

fn ok(body: Value) -> Say {
    let mut body = body;
    body["code"] = json!(0);
    body["message"] = json!("success");
    say(200, body.to_string())
}

async fn invoice(reply: Say) -> Result<Answered<Value>, ZohoError> {
    let server = TestServer::saying(reply);
    books(&server).invoice("982000000567114").await
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[tokio::test]
async fn an_invoice_is_asked_for_with_token_and_organisation_and_keeps_its_digits() {
    let body = r#"{"code":0,"message":"success","invoice":{"invoice_id":"982","total":135.10}}"#;
    let server = TestServer::saying(say(200, body));
    let answered = books(&server).invoice("982000000567114").await.unwrap();
    assert_eq!(answered.value["total"].to_string(), "135.10");
    assert_eq!(answered.quota, None);
    let [seen] = &server.seen()[..] else {
        panic!("one request")
    };
    assert_eq!(seen.method, "GET");
    assert_eq!(seen.path, "/books/v3/invoices/982000000567114");
    assert_eq!(seen.value("organization_id"), Some("10234695"));
    assert_eq!(
        seen.authorization.as_deref(),
        Some("Zoho-oauthtoken 1000.ACCESS")
    );
}

#[tokio::test]
async fn every_kind_of_record_is_found_under_its_own_key() {
    let cases = [
        (DocumentKind::Invoice, "invoices", "invoice"),
        (DocumentKind::CustomerPayment, "customerpayments", "payment"),
        (DocumentKind::Bill, "bills", "bill"),
        (
            DocumentKind::PurchaseOrder,
            "purchaseorders",
            "purchaseorder",
        ),
        (
            DocumentKind::VendorPayment,
            "vendorpayments",
            "vendorpayment",
        ),
        (DocumentKind::Expense, "expenses", "expense"),
    ];
    for (kind, path, key) in cases {
        let server = TestServer::saying(ok(json!({ key: { "id": "7" } })));
        assert_eq!(
            books(&server).record(kind, "7").await.unwrap().value["id"],
            "7"
        );
        assert_eq!(server.seen()[0].path, format!("/books/v3/{path}/7"));
    }
}

#[tokio::test]
async fn organisations_are_asked_for_without_an_organisation() {
    let server = TestServer::saying(ok(
        json!({ "organizations": [{ "organization_id": "10234695" }] }),
    ));
    let found = books(&server).organizations().await.unwrap().value;
    assert_eq!(found[0]["organization_id"], "10234695");
    let [seen] = &server.seen()[..] else {
        panic!("one request")
    };
    assert_eq!(seen.path, "/books/v3/organizations");
    assert!(seen.query.is_empty());
}

#[tokio::test]
async fn a_contact_and_its_people_are_read() {
    let server = TestServer::start(|seen| {
        if seen.path.ends_with("/contactpersons") {
            ok(
                json!({ "contact_persons": [{ "mobile": "+1" }], "page_context": { "has_more_page": false } }),
            )
        } else {
            ok(json!({ "contact": { "contact_name": "Bowman & Co" } }))
        }
    });
    let books = books(&server);
    assert_eq!(
        books.contact("982").await.unwrap().value["contact_name"],
        "Bowman & Co"
    );
    assert_eq!(
        books
            .contact_persons("982")
            .unwrap()
            .all()
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        server.seen()[1].path,
        "/books/v3/contacts/982/contactpersons"
    );
}

#[tokio::test]
async fn an_id_that_could_leave_its_place_is_never_sent() {
    let server = TestServer::saying(ok(json!({ "invoice": {} })));
    let books = books(&server);
    for id in [
        "",
        "..",
        ".",
        "1/2",
        "1?x=1",
        "1%2f2",
        "1#",
        "é",
        "1 2",
        &"1".repeat(65),
    ] {
        assert!(
            matches!(books.invoice(id).await, Err(ZohoError::BadParameter { .. })),
            "{id}"
        );
        assert!(books.contact_persons(id).is_err());
    }
    let elsewhere = ZohoBooks {
        organization: String::new(),
        ..books.clone()
    };
    assert!(matches!(
        elsewhere.invoice("1").await,
        Err(ZohoError::BadParameter { .. })
    ));
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn pages_are_fetched_until_there_are_no_more() {
    let server = TestServer::start(|seen| {
        let page: u32 = seen.value("page").unwrap().parse().unwrap();
        ok(json!({
            "invoices": [{ "n": page * 10 }, { "n": page * 10 + 1 }],
            "page_context": { "page": page, "per_page": 200, "has_more_page": page < 3 },
        }))
    });
    let all = books(&server)
        .invoices(&ListFilter::default())
        .unwrap()
        .all()
        .await
        .unwrap();
    let numbers: Vec<_> = all
        .iter()
        .map(|record| record["n"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [10, 11, 20, 21, 30, 31]);
    assert_eq!(server.seen().len(), 3);
    assert!(
        server
            .seen()
            .iter()
            .all(|seen| seen.value("per_page") == Some("200"))
    );
}

#[tokio::test]
async fn a_page_context_may_be_a_list_or_absent_or_odd() {
    let more = |context: Value| {
        let mut body = json!({ "bills": [{}] });
        if !context.is_null() {
            body["page_context"] = context;
        }
        records(body, &["bills"]).unwrap().1
    };
    assert!(more(json!({ "has_more_page": true })));
    assert!(more(json!([{ "has_more_page": true }])));
    assert!(!more(json!([{ "has_more_page": false }])));
    assert!(!more(json!([])));
    assert!(!more(Value::Null));
    assert!(!more(json!("odd")));
    assert!(!more(json!({})));
}

#[tokio::test]
async fn an_empty_page_ends_a_list_that_promises_more() {
    let body = json!({ "customerpayments": [], "page_context": { "has_more_page": true } });
    let server = TestServer::saying(ok(body));
    let books = books(&server);
    let list = books
        .list(DocumentKind::CustomerPayment, &ListFilter::default())
        .unwrap();
    assert!(list.all().await.unwrap().is_empty());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn after_an_error_the_same_page_can_be_asked_for_again() {
    let calls = std::sync::atomic::AtomicU32::new(0);
    let server =
        TestServer::start(
            move |_| match calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                0 => ok(json!({ "bills": [{}], "page_context": { "has_more_page": true } })),
                1 => say(429, r#"{"code":1070,"message":"busy"}"#),
                _ => ok(json!({ "bills": [{}] })),
            },
        );
    let books = books(&server);
    let mut pages = books.bills(&ListFilter::default()).unwrap();
    assert!(pages.next_page().await.unwrap().is_some());
    assert!(matches!(
        pages.next_page().await,
        Err(ZohoError::Concurrent)
    ));
    assert_eq!(pages.next_number(), Some(2));
    assert!(pages.next_page().await.unwrap().is_some());
    assert!(pages.next_page().await.unwrap().is_none());
    let asked: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| seen.value("page").unwrap().to_owned())
        .collect();
    assert_eq!(asked, ["1", "2", "2"]);
}

#[tokio::test]
async fn a_filter_is_sent_in_zohos_words() {
    let server = TestServer::saying(ok(json!({ "invoices": [] })));
    let filter = ListFilter {
        status: Some("unpaid".to_owned()),
        contact_id: Some("982".to_owned()),
        due_from: Some(day("2026-11-20")),
        due_to: Some(day("2026-12-02")),
        modified_since: Some("2026-11-17T02:20:51Z".parse().unwrap()),
        sort: Some(("due_date".to_owned(), true)),
        ..ListFilter::default()
    };
    books(&server)
        .invoices(&filter)
        .unwrap()
        .all()
        .await
        .unwrap();
    let [seen] = &server.seen()[..] else {
        panic!("one request")
    };
    assert_eq!(seen.value("status"), Some("unpaid"));
    assert_eq!(seen.value("customer_id"), Some("982"));
    assert_eq!(seen.value("due_date_start"), Some("2026-11-20"));
    assert_eq!(seen.value("due_date_end"), Some("2026-12-02"));
    assert_eq!(
        seen.value("last_modified_time"),
        Some("2026-11-17T02:20:51+0000")
    );
    assert!(
        seen.raw_query.contains("%2B0000"),
        "a bare plus would be read as a blank"
    );
    assert_eq!(seen.value("sort_column"), Some("due_date"));
    assert_eq!(seen.value("sort_order"), Some("A"));
    assert_eq!(seen.value("date_start"), None);
}

#[test]
fn a_filter_that_a_list_does_not_know_is_refused_before_the_call() {
    let changes = ListFilter {
        modified_since: Some("2026-11-17T02:20:51Z".parse().unwrap()),
        ..ListFilter::default()
    };
    for &kind in DocumentKind::ALL {
        let is_fine = changes.parameters(kind).is_ok();
        assert_eq!(is_fine, ListFilter::can_ask_for_changes(kind), "{kind}");
    }
    let due = ListFilter {
        due_to: Some(day("2026-12-02")),
        ..ListFilter::default()
    };
    assert!(due.parameters(DocumentKind::Bill).is_ok());
    assert!(due.parameters(DocumentKind::Expense).is_err());
    let vendor = ListFilter {
        contact_id: Some("7".to_owned()),
        ..ListFilter::default()
    };
    assert_eq!(
        vendor.parameters(DocumentKind::Bill).unwrap(),
        [("vendor_id", "7".to_owned())]
    );
}

#[tokio::test]
async fn a_payment_link_is_trimmed_and_must_be_a_web_address() {
    let link = |text: &str| ok(json!({ "data": { "share_link": text } }));
    let server = TestServer::saying(link(
        "https://zohosecurepay.com/books/z/secure?CInvoiceID=2-0 ",
    ));
    let answered = books(&server)
        .payment_link("982", day("2026-12-31"))
        .await
        .unwrap();
    assert_eq!(
        answered.value,
        "https://zohosecurepay.com/books/z/secure?CInvoiceID=2-0"
    );
    let [seen] = &server.seen()[..] else {
        panic!("one request")
    };
    assert_eq!(seen.path, "/books/v3/share/paymentlink");
    for (name, value) in [
        ("transaction_id", "982"),
        ("transaction_type", "invoice"),
        ("link_type", "public"),
        ("expiry_time", "2026-12-31"),
        ("organization_id", "10234695"),
    ] {
        assert_eq!(seen.value(name), Some(value));
    }
    for odd in ["", "javascript:alert(1)", "data:text/html,x", "no address"] {
        let server = TestServer::saying(link(odd));
        let outcome = books(&server).payment_link("982", day("2026-12-31")).await;
        assert!(matches!(outcome, Err(ZohoError::Garbage(_))), "{odd}");
    }
}

#[tokio::test]
async fn limits_and_refusals_arrive_as_what_they_are() {
    let error =
        |status, code: u32| invoice(say(status, format!(r#"{{"code":{code},"message":"m"}}"#)));
    let minute = error(429, 44).await.unwrap_err();
    assert_eq!(minute.retry(), Retry::After(Duration::from_mins(2)));
    let full = say(429, r#"{"code":45,"message":"m"}"#).header("X-Rate-Limit-Reset", "600");
    let daily = invoice(full).await.unwrap_err();
    assert_eq!(daily.retry(), Retry::After(Duration::from_mins(10)));
    assert!(matches!(error(429, 1070).await, Err(ZohoError::Concurrent)));
    assert!(matches!(
        error(401, 57).await,
        Err(ZohoError::Unauthorised { .. })
    ));
    assert!(matches!(
        error(400, 6041).await,
        Err(ZohoError::WrongOrganisation)
    ));
    assert!(matches!(
        error(404, 1002).await,
        Err(ZohoError::NotFound { .. })
    ));
    assert!(matches!(
        error(200, 2).await,
        Err(ZohoError::BadParameter { .. })
    ));
    assert!(matches!(
        error(500, 1000).await,
        Err(ZohoError::Server { status: 500 })
    ));
}

#[tokio::test]
async fn a_quota_comes_along_when_told() {
    let reply = ok(json!({ "invoice": {} }))
        .header("X-Rate-Limit-Limit", "7500")
        .header("X-Rate-Limit-Remaining", "6775");
    let quota = invoice(reply).await.unwrap().quota.unwrap();
    assert_eq!(
        (quota.limit, quota.remaining, quota.reset),
        (7500, 6775, None)
    );
}

#[tokio::test]
async fn garbage_redirects_and_endless_bodies_are_refused() {
    for reply in [
        say(200, "<html>"),
        say(200, r#"{"code":0}"#),
        ok(json!({ "invoice": [] })),
        say(307, "{}").header("Location", "http://127.0.0.1:9/"),
        say(
            200,
            format!(
                r#"{{"code":0,"invoice":{{}},"x":"{}"}}"#,
                "x".repeat(BODY_LIMIT)
            ),
        ),
    ] {
        assert!(matches!(invoice(reply).await, Err(ZohoError::Garbage(_))));
    }
}

#[tokio::test]
async fn nothing_is_repeated_inside_the_client() {
    let server = TestServer::saying(say(503, ""));
    assert!(matches!(
        books(&server).invoice("1").await,
        Err(ZohoError::Server { status: 503 })
    ));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn silence_is_a_timeout() {
    let late = ok(json!({ "invoice": {} })).after(Duration::from_secs(5));
    let server = TestServer::saying(late);
    let quick = books(&server).with_timeout(Duration::from_millis(100));
    let error = quick.invoice("1").await.unwrap_err();
    assert!(matches!(error, ZohoError::Timeout));
    assert_eq!(error.retry(), Retry::Backoff);
}

#[test]
fn the_token_does_not_show_in_debug_output() {
    let access = Access {
        token: SecretString::from("1000.ACCESS"),
        api_base: "https://www.zohoapis.eu".to_owned(),
        expires_in: Duration::from_hours(1),
    };
    let shown = format!("{access:?}");
    assert!(!shown.contains("1000.ACCESS"), "{shown}");
}

#[tokio::test]
async fn an_answer_that_echoes_our_token_is_told_without_it() {
    for echoed in ["1000.ACCESS", "1000%2EACCESS", "1000\\u002EACCESS"] {
        let body = format!(r#"{{"code":2,"message":"Zoho-oauthtoken {echoed} is odd"}}"#);
        let error = invoice(say(400, body)).await.unwrap_err();
        let told = format!("{error:?} {error} {}", error.sentence());
        assert!(
            !told.contains("ACCESS") && told.contains("(hidden)"),
            "{told}"
        );
    }
}
