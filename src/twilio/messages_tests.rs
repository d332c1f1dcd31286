//! The classes of outcomes, over real HTTP.
//!
//! The surprise: each reply is one connection, so a second request by the client would be seen.

use base64::Engine as _;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use url::Url;

use super::super::error::Unsent;
use super::super::test_server::{Reply, TestServer, account, key_account, listed, soon};
use super::*;
use crate::domain::clock::Deadline;

const CREATED: &str = "Thu, 24 Aug 2023 05:01:00 +0000";
const SID: &str = "SM0123456789abcdef0123456789abcdef";

fn message() -> NewMessage<'static> {
    NewMessage {
        to: "+447700900123",
        sender: Sender::From("+15005550006"),
        body: "INV-7: \u{a3}12 due & payable",
        status_callback: Some("https://example.com/hooks/twilio/t/status?n=1"),
        validity_period: Some(Duration::from_mins(10)),
    }
}

fn created_json() -> String {
    format!(
        r#"{{"sid":"{SID}","status":"queued","num_segments":"1","error_code":null,
            "date_created":"Thu, 24 Aug 2023 05:01:44 +0000","from":null,"price":null}}"#
    )
}

async fn create_against(reply: Reply) -> (Result<Accepted, SendError>, Vec<String>) {
    let server = TestServer::start(vec![reply]).await;
    let outcome = server.twilio().create(&account(), &message(), soon()).await;
    (outcome, server.requests())
}

async fn failure(reply: Reply) -> SendFailure {
    create_against(reply).await.0.unwrap_err().kind
}

fn doubt(kind: &SendFailure) -> Doubt {
    match kind {
        SendFailure::Ambiguous { why, .. } => *why,
        other => panic!("not ambiguous: {other:?}"),
    }
}

#[tokio::test]
async fn a_created_message_is_accepted_and_its_answer_kept() {
    let (outcome, requests) = create_against(Reply::json(201, &created_json())).await;
    let accepted = outcome.unwrap();
    assert_eq!(accepted.sid.as_str(), SID);
    assert_eq!(accepted.status, Status::Queued);
    assert_eq!(accepted.num_segments, Some(1));
    assert_eq!(
        accepted.date.unwrap() - accepted.date_created.unwrap(),
        chrono::TimeDelta::seconds(1)
    );
    assert!(accepted.response.http == 201 && accepted.response.body.contains(SID));

    let [request] = requests.as_slice() else {
        panic!("{requests:?}")
    };
    let (head, form) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with(&format!(
        "POST /2010-04-01/Accounts/{}/Messages.json HTTP/1.1",
        account().account_sid
    )));
    assert!(head.contains("application/x-www-form-urlencoded"));
    assert!(head.to_lowercase().contains("authorization: basic "));
    let fields: Vec<(String, String)> = form_urlencoded::parse(form.as_bytes())
        .into_owned()
        .collect();
    let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["To", "From", "Body", "StatusCallback", "ValidityPeriod"]
    );
    assert_eq!(fields[2].1, message().body);
    assert!(form.contains("To=%2B447700900123") && form.ends_with("ValidityPeriod=600"));
}

#[tokio::test]
async fn an_api_key_signs_in_as_itself_below_the_accounts_path() {
    let server = TestServer::start(vec![Reply::json(201, &created_json())]).await;
    let service = MessagingServiceSid::parse(&format!("MG{}", "0c".repeat(16))).unwrap();
    let message = NewMessage {
        sender: Sender::MessagingService(&service),
        validity_period: None,
        ..message()
    };
    server
        .twilio()
        .create(&key_account(), &message, soon())
        .await
        .unwrap();
    let request = &server.requests()[0];
    let pair = format!("{}:token12345", key_account().user_name());
    assert!(request.contains(&base64::engine::general_purpose::STANDARD.encode(pair)));
    assert!(request.contains(&format!("Accounts/{}/", account().account_sid)));
    assert!(request.contains(&format!("MessagingServiceSid={service}")));
    assert!(!request.contains("From=") && !request.contains("ValidityPeriod"));
}

#[tokio::test]
async fn a_bad_number_is_refused_with_its_code() {
    let body = r#"{"code":21211,"message":"Invalid 'To'","status":400,
        "more_info":"https://www.twilio.com/docs/errors/21211"}"#;
    let error = create_against(Reply::json(400, body)).await.0.unwrap_err();
    assert_eq!(error.code(), Some(21211));
    // Errors end in logs, and Twilio's words may name the number.
    assert_eq!(
        error.to_string(),
        "Twilio refused the message (HTTP 400, code 21211)"
    );
    assert_eq!(error.response.as_ref().unwrap().http, 400);
    assert!(error.date().is_some());
    let SendFailure::Refused(refusal) = error.kind else {
        panic!("{error:?}")
    };
    assert_eq!(refusal.class, Class::Recipient);
    assert!(refusal.more_info.is_some());
}

#[tokio::test]
async fn unknown_codes_and_bodies_without_a_code_are_refusals_too() {
    for body in [
        r#"{"code":572005,"message":"new"}"#,
        "<html>Bad Request</html>",
        "",
    ] {
        let kind = failure(Reply::json(400, body)).await;
        assert!(matches!(kind, SendFailure::Refused(_)), "{kind:?}");
    }
}

#[tokio::test]
async fn refused_credentials_and_addresses_stop_the_connection() {
    for (status, body) in [
        (401, r#"{"code":20003,"message":"Authenticate"}"#),
        (401, "<html>"),
        (403, r#"{"code":20008,"message":"Test credentials"}"#),
        (404, r#"{"code":20404,"message":"not found"}"#),
        (400, r#"{"code":20003,"message":"Authenticate"}"#),
    ] {
        let kind = failure(Reply::json(status, body)).await;
        assert!(
            matches!(kind, SendFailure::Credentials(_)),
            "{status} {body}: {kind:?}"
        );
    }
}

#[tokio::test]
async fn a_403_or_404_without_a_known_code_says_nothing_about_the_credentials() {
    for (status, body) in [(403, r#"{"code":99999}"#), (403, "<html>"), (404, "")] {
        let kind = failure(Reply::json(status, body)).await;
        assert!(
            matches!(kind, SendFailure::Refused(_)),
            "{status} {body}: {kind:?}"
        );
    }
}

#[tokio::test]
async fn a_limit_for_the_day_is_no_throttle() {
    for (status, code) in [(429, 63038), (400, 63038), (429, 30023), (429, 30027)] {
        let body = format!(r#"{{"code":{code},"message":"limit"}}"#);
        let kind = failure(Reply::json(status, &body)).await;
        assert_eq!(kind, SendFailure::DailyLimit { code });
    }
}

#[tokio::test]
async fn a_forbidden_recipient_does_not_stop_the_connection() {
    let kind = failure(Reply::json(
        403,
        r#"{"code":21610,"message":"unsubscribed"}"#,
    ))
    .await;
    assert!(matches!(kind, SendFailure::Refused(r) if r.class == Class::OptedOut));
}

#[tokio::test]
async fn a_429_may_be_sent_again_after_the_pause_it_names() {
    let reply = Reply::with(
        429,
        "retry-after: 7\r\n",
        r#"{"code":20429,"message":"slow"}"#,
    );
    let wait = Some(Duration::from_secs(7));
    assert_eq!(
        failure(reply).await,
        SendFailure::Throttled {
            code: Some(20429),
            retry_after: wait
        }
    );
    let bare = failure(Reply::with(429, "", "<html>")).await;
    assert_eq!(
        bare,
        SendFailure::Throttled {
            code: None,
            retry_after: None
        }
    );
}

#[tokio::test]
async fn a_full_queue_is_tried_later() {
    let kind = failure(Reply::json(400, r#"{"code":21611,"message":"full"}"#)).await;
    assert_eq!(
        kind,
        SendFailure::TryLater {
            code: Some(21611),
            retry_after: None
        }
    );
}

#[tokio::test]
async fn every_server_error_is_ambiguous() {
    for (status, body) in [
        (500, "<html>Internal Server Error</html>"),
        (500, r#"{"code":20500,"message":"oops"}"#),
        (502, ""),
        (503, r#"{"code":20503,"message":"unavailable"}"#),
        (504, ""),
    ] {
        let kind = failure(Reply::json(status, body)).await;
        assert_eq!(doubt(&kind), Doubt::ServerError(status));
        assert!(kind.may_exist());
    }
}

#[tokio::test]
async fn a_success_without_a_sid_is_ambiguous() {
    for body in [
        "<html>ok</html>",
        "{}",
        r#"{"sid":"SMshort"}"#,
        "",
        "[]",
        r#"{"sid":null}"#,
    ] {
        let kind = failure(Reply::json(201, body)).await;
        assert_eq!(doubt(&kind), Doubt::Garbage, "{body}");
    }
}

#[tokio::test]
async fn a_success_that_breaks_off_or_never_ends_is_ambiguous() {
    let cut = "HTTP/1.1 201 Created\r\ncontent-length: 500\r\n\r\n{\"sid\":";
    let kind = failure(Reply::Write(cut.to_owned())).await;
    assert_eq!(doubt(&kind), Doubt::BrokenBody);
    let endless = "x".repeat(LONGEST_ANSWER + 1);
    assert_eq!(
        doubt(&failure(Reply::json(201, &endless)).await),
        Doubt::Garbage
    );
    let server = TestServer::start(vec![Reply::Stall(cut.to_owned())]).await;
    let short = CallTime::of(Duration::from_millis(300));
    let error = server
        .twilio()
        .create(&account(), &message(), short)
        .await
        .unwrap_err();
    assert_eq!(doubt(&error.kind), Doubt::TimedOut);
    assert_eq!(error.response.unwrap().http, 201);
}

#[tokio::test]
async fn a_refusal_that_breaks_off_sent_nothing() {
    let cut = "HTTP/1.1 400 Bad Request\r\ncontent-length: 500\r\n\r\n{\"code\":";
    let kind = failure(Reply::Write(cut.to_owned())).await;
    assert_eq!(
        kind,
        SendFailure::TryLater {
            code: None,
            retry_after: None
        }
    );
}

#[tokio::test]
async fn a_dropped_connection_is_ambiguous_and_never_repeated() {
    let (outcome, requests) = create_against(Reply::DropAfter).await;
    assert_eq!(doubt(&outcome.unwrap_err().kind), Doubt::Reset);
    assert_eq!(requests.len(), 1);
    // It stood, so bytes may have been read, although this server read none.
    assert_eq!(doubt(&failure(Reply::DropBefore).await), Doubt::Reset);
}

#[tokio::test]
async fn a_lost_answer_is_not_asked_for_again_on_a_second_connection() {
    let server = TestServer::start(vec![Reply::DropAfter, Reply::json(201, &created_json())]).await;
    let error = server
        .twilio()
        .create(&account(), &message(), soon())
        .await
        .unwrap_err();
    assert_eq!(doubt(&error.kind), Doubt::Reset);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_send_on_a_used_connection_is_not_repeated_either() {
    let body = created_json();
    let kept_alive = format!(
        "HTTP/1.1 201 X\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let server = TestServer::start(vec![
        Reply::WriteThenDrop(kept_alive),
        Reply::json(201, &body),
    ])
    .await;
    let twilio = server.twilio();
    twilio.create(&account(), &message(), soon()).await.unwrap();
    let error = twilio
        .create(&account(), &message(), soon())
        .await
        .unwrap_err();
    assert_eq!(doubt(&error.kind), Doubt::Reset);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_silent_server_is_ambiguous_after_the_time_out() {
    let server = TestServer::start(vec![Reply::Silence]).await;
    let short = CallTime::of(Duration::from_millis(300));
    let error = server
        .twilio()
        .create(&account(), &message(), short)
        .await
        .unwrap_err();
    assert_eq!(doubt(&error.kind), Doubt::TimedOut);
    assert!(error.response.is_none());
}

#[tokio::test]
async fn a_refused_connection_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let twilio = Twilio::new(crate::http::client().unwrap(), Some(&base));
    let error = twilio
        .create(&account(), &message(), soon())
        .await
        .unwrap_err();
    let SendFailure::NotSent(Unsent::Unreachable(why)) = error.kind else {
        panic!("{error:?}")
    };
    assert!(why.contains("refused"), "{why}");
}

#[tokio::test]
async fn failed_tls_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let server = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let (mut stream, _) = listener.accept().await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        stream.shutdown().await.unwrap();
    });
    let base = Url::parse(&base).unwrap();
    let twilio = Twilio::new(crate::http::client().unwrap(), Some(&base));
    let error = twilio
        .create(&account(), &message(), soon())
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind, SendFailure::NotSent(Unsent::Unreachable(_))),
        "{error:?}"
    );
    server.await.unwrap();
}

#[tokio::test]
async fn a_call_whose_moment_has_passed_is_not_begun() {
    let server = TestServer::start(vec![Reply::json(201, &created_json())]).await;
    let late = CallTime {
        start_by: Some(Deadline::after(Duration::ZERO)),
        ..soon()
    };
    let error = server
        .twilio()
        .create(&account(), &message(), late)
        .await
        .unwrap_err();
    assert_eq!(error.kind, SendFailure::NotSent(Unsent::TooLate));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_not_believed() {
    let reply = Reply::with(307, "location: http://127.0.0.1:1/\r\n", "");
    assert_eq!(doubt(&failure(reply).await), Doubt::UnexpectedStatus(307));
}

#[tokio::test]
async fn one_message_is_read_by_its_sid() {
    let sid = MessageSid::parse(&format!("SM{:032x}", 9)).unwrap();
    let server = TestServer::start(vec![
        Reply::json(200, &listed(9, CREATED)),
        Reply::json(200, &listed(8, CREATED)),
        Reply::json(404, r#"{"code":20404,"message":"gone"}"#),
        Reply::json(403, "<html>"),
        Reply::json(503, ""),
    ])
    .await;
    let twilio = server.twilio();
    let message = twilio.get(&account(), &sid, soon()).await.unwrap();
    assert_eq!(message.body.as_deref(), Some("b9"));
    let mut failures = Vec::new();
    for _ in 0..4 {
        failures.push(twilio.get(&account(), &sid, soon()).await.unwrap_err().kind);
    }
    assert_eq!(failures[0], CallFailure::Unavailable(Doubt::Garbage));
    assert!(matches!(failures[1], CallFailure::NotFound(_)));
    assert!(matches!(failures[2], CallFailure::Credentials(_)));
    assert_eq!(
        failures[3],
        CallFailure::Unavailable(Doubt::ServerError(503))
    );
    assert!(server.requests()[0].contains(&format!("/Messages/{sid}.json ")));
}

#[tokio::test]
async fn an_answer_that_echoes_how_we_signed_in_is_kept_without_it() {
    let account = account();
    let (user, secret) = (account.user_name(), account.secret.expose_secret());
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{secret}"));
    let token = "k3v9callbacktoken2x7";
    let callback = format!("https://example.com/hooks/twilio/{token}/status?n=1");
    let message = NewMessage {
        status_callback: Some(&callback),
        ..message()
    };
    let echo = format!(
        r#"{{"code":21609,"message":"Authorization: Basic {basic}, that is {secret}, for {callback}",
            "status":400}}"#
    );
    let headers = format!("twilio-request-id: RQ{secret}\r\n");
    for reply in [
        Reply::with(400, &headers, &echo),
        Reply::with(
            502,
            &headers,
            &format!("<p>{}</p>", basic.replace('=', "&#61;")),
        ),
        Reply::with(
            201,
            &headers,
            &created_json().replace("null", &format!("\"{secret}\"")),
        ),
    ] {
        let server = TestServer::start(vec![reply]).await;
        let outcome = server.twilio().create(&account, &message, soon()).await;
        let told = format!("{outcome:?}");
        for secret in [secret, basic.trim_end_matches('='), token] {
            assert!(!told.contains(secret), "{told}");
        }
        assert!(told.contains("(hidden)"), "{told}");
    }
}
