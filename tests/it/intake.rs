//! Room for bodies: whoever fills theirs keeps nobody else out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::{StreamExt as _, stream};
use ml_connector::sandbox::samples::Standing;
use reqwest::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::TestApp;
use crate::harness::company::{Company, invoice};

const BODY: usize = 1024 * 1024;

/// The head of a request with a wrong signature, and with `length` of its body to come.
fn head(path: &str, length: &str) -> String {
    let signature = "0".repeat(64);
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         X-Zoho-Webhook-Signature: {signature}\r\n{length}\r\n\r\n"
    )
}

fn path(company: &Company<'_>) -> String {
    let path = company.hook_url.strip_prefix(&company.app.url(""));
    path.unwrap().to_owned()
}

async fn connect(app: &TestApp) -> TcpStream {
    TcpStream::connect(app.running.address).await.unwrap()
}

/// Sends a body but for its last byte. None when the service would not have it.
async fn held(app: &TestApp, path: &str, length: usize) -> Option<TcpStream> {
    let mut line = connect(app).await;
    let head = head(path, &format!("Content-Length: {length}"));
    line.write_all(head.as_bytes()).await.ok()?;
    line.write_all(&vec![b' '; length - 1]).await.ok()?;
    Some(line)
}

/// What is answered, up to a KiB; empty when the connection just ends.
async fn answer(line: &mut TcpStream) -> String {
    let mut answer = vec![0; 1024];
    let read = line.read(&mut answer).await.unwrap_or_default();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

/// What a request that announces a body and sends nothing of it is told; none: it is waited for.
async fn told_at_once(app: &TestApp, path: &str, length: usize) -> Option<String> {
    let mut line = connect(app).await;
    let head = head(path, &format!("Content-Length: {length}"));
    line.write_all(head.as_bytes()).await.unwrap();
    let told = timeout(Duration::from_millis(300), answer(&mut line)).await;
    told.ok()
}

/// The same, once what was sent before has arrived.
async fn told_soon(app: &TestApp, path: &str, length: usize) -> String {
    for _ in 0..20 {
        if let Some(told) = told_at_once(app, path, length).await {
            return told;
        }
    }
    panic!("the body is waited for");
}

/// One connection after the other, each with a body that is held until just before its time is over.
async fn attack(app: &TestApp, path: &str, until: Instant) -> BTreeMap<String, u32> {
    let mut answers = BTreeMap::new();
    while Instant::now() < until {
        let told = match held(app, path, BODY).await {
            None => "closed".to_owned(),
            Some(mut line) => {
                let refused = timeout(Duration::from_secs(7), answer(&mut line)).await;
                if let Ok(refused) = refused {
                    refused
                } else {
                    drop(line.write_all(b" ").await);
                    answer(&mut line).await
                }
            }
        };
        let status = told.get(9..12).unwrap_or("closed").to_owned();
        *answers.entry(status).or_default() += 1;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_forged_bodies_at_one_hook_leave_another_tenant_its_webhooks() {
    const POSTS: u32 = 365;
    let app = TestApp::spawn_in_real_time().await;
    let acme = app.company("Acme").await;
    let zillum = app.company("Zillum").await;
    let to = path(&acme);
    let until = Instant::now() + Duration::from_secs(9);
    let attacks = join_all((0..64).map(|_| attack(&app, &to, until)));
    let posts = stream::iter(0..POSTS).map(|n| {
        let zillum = &zillum;
        let body = invoice(u64::from(n), Standing::Sent, app.now());
        async move {
            // The attack is under way when the first one comes.
            tokio::time::sleep(Duration::from_millis(500) + Duration::from_millis(22) * n).await;
            let begun = Instant::now();
            let status = zillum.post("", &body).await.status();
            (status, begun.elapsed())
        }
    });
    let posts = posts.buffer_unordered(POSTS as usize).collect::<Vec<_>>();
    let (attacked, posts) = tokio::join!(attacks, posts);
    let mut answers = BTreeMap::new();
    for (status, number) in attacked.into_iter().flatten() {
        *answers.entry(status).or_insert(0) += number;
    }
    let taken = posts.iter().filter(|(s, _)| *s == StatusCode::OK).count();
    let mut times: Vec<_> = posts.iter().map(|(_, time)| *time).collect();
    times.sort_unstable();
    let p99 = times[times.len() * 99 / 100];
    println!("{taken} of {POSTS} taken, p99 {p99:?}; the forger was told {answers:?}");
    assert!(taken * 100 >= POSTS as usize * 99, "{taken} of {POSTS}");
    assert!(p99 < Duration::from_secs(1), "{p99:?}");
    assert!(answers.get("503").is_some_and(|n| *n > 0), "{answers:?}");
    // However many there were: the burst is told, and the rest is counted.
    let rejected = app.app().store().tenant(acme.id).rejected(1000).await;
    assert!(rejected.unwrap().len() <= 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_room_is_refused_unread_until_there_is_room_again() {
    let app = TestApp::spawn_in_real_time().await;
    let acme = app.company("Acme").await;
    let zillum = app.company("Zillum").await;
    let to = path(&acme);
    let full = join_all((0..8).map(|_| held(&app, &to, BODY))).await;
    let told = told_soon(&app, &to, BODY).await;
    assert!(told.starts_with("HTTP/1.1 503"), "{told}");
    assert!(told.contains("retry-after: 5"), "{told}");
    assert!(told.contains("connection: close"), "{told}");
    // The other hook of the same service has its own.
    let body = invoice(1, Standing::Sent, app.now());
    assert_eq!(zillum.post("", &body).await.status(), StatusCode::OK);
    for mut line in full.into_iter().flatten() {
        line.write_all(b" ").await.unwrap();
        let told = answer(&mut line).await;
        assert!(told.starts_with("HTTP/1.1 401"), "{told}");
    }
    assert_eq!(acme.post("", &body).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_and_forms_of_one_client_have_a_room_of_their_own() {
    let app = TestApp::spawn_in_real_time().await;
    let acme = app.company("Acme").await;
    let to = "/hooks/twilio/nobodys/status";
    let size = 64 * 1024;
    let full = join_all((0..16).map(|_| held(&app, to, size))).await;
    let told = told_soon(&app, to, size).await;
    assert!(told.starts_with("HTTP/1.1 503"), "{told}");
    assert!(told.contains("application/problem+json"), "{told}");
    assert!(told.contains("retry-after: 5"), "{told}");
    for page in ["/sign-in", "/api/v1/rules", "/nowhere"] {
        let told = told_at_once(&app, page, size).await.unwrap();
        assert!(told.starts_with("HTTP/1.1 503"), "{page}: {told}");
    }
    let body = invoice(1, Standing::Sent, app.now());
    assert_eq!(acme.post("", &body).await.status(), StatusCode::OK);
    drop(full);
    let mut again = connect(&app).await;
    let form = "MessageSid=x";
    let head = head(to, &format!("Content-Length: {}", form.len()));
    let request = format!("{head}{form}");
    for _ in 0..20 {
        again.write_all(request.as_bytes()).await.unwrap();
        let told = answer(&mut again).await;
        if told.starts_with("HTTP/1.1 404") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        again = connect(&app).await;
    }
    panic!("the room is not given back");
}

/// Nobody reads a body of any length for nobody: actix would, of one that comes in chunks.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_chunks_that_nobody_wants_ends_with_its_connection() {
    let app = TestApp::spawn_in_real_time().await;
    for to in ["/hooks/zoho/nobodys", "/healthz", "/nowhere"] {
        let mut line = connect(&app).await;
        let head = head(to, "Transfer-Encoding: chunked");
        line.write_all(head.as_bytes()).await.unwrap();
        let (mut from, mut into) = line.split();
        let sends = async {
            let chunk = format!("1000\r\n{}\r\n", "x".repeat(4096));
            while into.write_all(chunk.as_bytes()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let mut told = Vec::new();
        let ends = async {
            tokio::select! {
                read = from.read_to_end(&mut told) => drop(read),
                () = sends => {}
            }
        };
        let ended = timeout(Duration::from_secs(5), ends).await;
        assert!(ended.is_ok(), "{to}: it is read on and on");
        let told = String::from_utf8_lossy(&told);
        assert!(told.contains("connection: close"), "{to}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_countless_parameters_is_refused_before_it_is_taken_apart() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let kind = "application/x-www-form-urlencoded";
    let many = "a&".repeat(BODY / 2);
    let refused = acme.post_signed("", "", kind, many.as_bytes()).await;
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let queried = acme.post_signed("", &"a&".repeat(1001), kind, b"").await;
    assert_eq!(queried.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let some = "a=1&".repeat(1000);
    let taken = acme.post_signed("", "", kind, some.as_bytes()).await;
    assert_eq!(taken.status(), StatusCode::OK);
}
