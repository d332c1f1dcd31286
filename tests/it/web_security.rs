//! What protects people from other people's pages: every address of the service, walked for its form
//! token, its headers, what it loads, and where it leads.

use ml_connector::web::areas::routes::Entry;
use reqwest::{Method, Response, StatusCode, header};
use scraper::{Html, Selector};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::TestApp;
use crate::harness::company::PASSWORD;
use crate::harness::process::Service;
use crate::harness::visitor::Visitor;
use crate::walk::{self, Walk};

/// The tables that a form may write to, besides those of who is here.
const WRITTEN: [&str; 12] = [
    "audit_entries",
    "connections",
    "deliveries WHERE state = 'delivered'",
    "deliveries",
    "events",
    "members",
    "replays",
    "rules",
    "secrets",
    "suppressions",
    "tenants WHERE stopped_at IS NULL AND is_rehearsal = FALSE",
    "users",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_form_is_taken_without_its_token() {
    let app = TestApp::spawn().await;
    let acme = Walk::of(&app, "Acme").await;
    let ann = Visitor::signed_in(&app, &acme.company.email, PASSWORD).await;
    let other = Visitor::signed_in(&app, &acme.company.email, PASSWORD).await;
    let foreign = other.token(&format!("/t/{}/", acme.company.slug)).await;
    let before = rows(&app).await;
    let inside = acme.addresses().map(|(method, path, _)| (method, path));
    // The operator's are not there for Ann, whatever she posts.
    let outside = walk::outside()
        .filter(|(_, _, needs)| *needs != Entry::Operator)
        .map(|(method, path, _)| (method, path));
    let posts: Vec<_> = inside
        .chain(outside)
        .filter(|(method, _)| *method == Method::POST)
        .collect();
    assert!(posts.len() > 20);
    for (method, path) in posts {
        for token in ["", "0123456789abcdef", foreign.as_str()] {
            let fields: &[(&str, &str)] = if token.is_empty() {
                &[]
            } else {
                &[("csrf", token)]
            };
            let answer = ann.ask(method.clone(), &path, fields).await;
            let status = answer.status();
            assert_eq!(status, StatusCode::FORBIDDEN, "{path} with {token:?}");
            has_headers(&answer, &path);
        }
    }
    assert_eq!(rows(&app).await, before, "something was changed");
    // Nobody but an operator learns that there is anything at theirs.
    let operator = operator(&app).await;
    for (method, path, needs) in walk::outside() {
        if needs == Entry::Operator {
            let token = [("csrf", "0123456789abcdef")];
            let hidden = ann.ask(method.clone(), &path, &token).await.status();
            assert_eq!(hidden, StatusCode::NOT_FOUND, "{method} {path}");
            let refused = operator.ask(method.clone(), &path, &token).await.status();
            let is_taken = method == Method::GET;
            assert_eq!(
                refused == StatusCode::FORBIDDEN,
                !is_taken,
                "{path}: {refused}"
            );
        }
    }
    assert_eq!(app.rows("tenants WHERE suspended_for <> ''").await, 0);
    let page = ann.get(&format!("/t/{}/", acme.company.slug)).await;
    assert_eq!(page.status, StatusCode::OK, "and Ann is still signed in");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_keeps_to_itself() {
    let app = TestApp::spawn().await;
    let acme = Walk::of(&app, "Acme").await;
    let ann = Visitor::signed_in(&app, &acme.company.email, PASSWORD).await;
    let stranger = Visitor::stranger(&app);
    let inside = acme
        .addresses()
        .filter(|(method, ..)| *method == Method::GET);
    let inside = inside.map(|(_, path, _)| (&ann, path));
    let outside = walk::outside().filter(|(method, ..)| *method == Method::GET);
    let operator = operator(&app).await;
    let outside = outside.map(|(_, path, needs)| {
        let who = match needs {
            Entry::Anyone => &stranger,
            Entry::SignedIn => &ann,
            Entry::Operator => &operator,
        };
        (who, path)
    });
    let mut pages = 0;
    for (who, path) in inside.chain(outside) {
        let answer = who.ask(Method::GET, &path, &[]).await;
        let status = answer.status();
        assert!(!status.is_server_error(), "{path}: {status}");
        has_headers(&answer, &path);
        if let Some(to) = answer.headers().get(header::LOCATION) {
            is_inside(to.to_str().unwrap(), &path);
        }
        let html = answer.text().await.unwrap();
        assert!(html.len() < 100 * 1024, "{path} has {} bytes", html.len());
        if !path.ends_with("/email") {
            loads_nothing_from_elsewhere(&html, &path);
        }
        pages += 1;
    }
    assert!(pages > 15, "only {pages} pages");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_page_bears_the_headers_too() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let hook = acme.hook_url.strip_prefix(&app.url("")).unwrap().to_owned();
    let stranger = Visitor::stranger(&app);
    for (method, path) in [
        (Method::GET, "/healthz"),
        (Method::GET, "/readyz"),
        (Method::GET, "/no-such-page"),
        (Method::GET, "/t/acme/../../etc/passwd"),
        (Method::GET, "/api/openapi.json"),
        (Method::GET, "/api/v1/rules"),
        (Method::POST, "/hooks/zoho/no-such-hook"),
        (Method::GET, hook.as_str()),
        (Method::POST, hook.as_str()),
    ] {
        let answer = stranger.ask(method, path, &[]).await;
        has_headers(&answer, path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_never_leads_to_another_place() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    for next in [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/t/acme/%0d%0aSet-Cookie:x=1",
    ] {
        let ann = Visitor::stranger(&app);
        let asked = form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>();
        let route = ann.get(&format!("/sign-in?next={asked}")).await;
        let mut fields = route.hidden("/sign-in");
        fields.retain(|(name, _)| name != "next");
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .chain([
                ("email", acme.email.as_str()),
                ("password", PASSWORD),
                ("next", next),
            ])
            .collect();
        let answer = ann.ask(Method::POST, "/sign-in", &fields).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{next}");
        is_inside(answer.headers()[header::LOCATION].to_str().unwrap(), next);
    }
}

fn has_headers(answer: &Response, path: &str) {
    let headers = answer.headers();
    let text = |name: &str| {
        let value = headers.get(name).map(|v| v.to_str().unwrap());
        value.unwrap_or_else(|| panic!("{path} has no {name}"))
    };
    let policy = text("content-security-policy");
    assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
    // An e-mail in a frame of ours has its own styles, and may nothing else.
    let is_framed = policy.ends_with("; sandbox");
    let parts = if is_framed {
        assert!(path.ends_with("/email"), "{path}: {policy}");
        assert!(!policy.contains("script-src"), "{path}: {policy}");
        [
            "form-action 'none'",
            "frame-ancestors 'self'",
            "base-uri 'none'",
        ]
    } else {
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        [
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ]
    };
    for part in parts {
        assert!(policy.contains(part), "{path}: {policy}");
    }
    let framing = if is_framed { "SAMEORIGIN" } else { "DENY" };
    assert_eq!(text("x-frame-options"), framing, "{path}");
    assert_eq!(text("x-content-type-options"), "nosniff", "{path}");
    assert_eq!(text("referrer-policy"), "same-origin", "{path}");
    assert_eq!(text("cross-origin-opener-policy"), "same-origin", "{path}");
    assert!(text("permissions-policy").contains("camera=()"), "{path}");
    assert!(text("cache-control").contains("no-store"), "{path}");
}

fn is_inside(to: &str, from: &str) {
    let outside = to.starts_with("//") || to.contains('\\') || to.contains(char::is_control);
    assert!(to.starts_with('/') && !outside, "{from} leads to {to}");
}

/// Nothing that a browser fetches or posts to by itself is another host's.
fn loads_nothing_from_elsewhere(html: &str, path: &str) {
    let page = Html::parse_document(html);
    for (selector, attribute) in [
        ("script, img, iframe, source, audio, video, embed", "src"),
        ("link", "href"),
        ("form", "action"),
        ("button, input", "formaction"),
        ("object", "data"),
    ] {
        for element in page.select(&Selector::parse(selector).unwrap()) {
            if let Some(to) = element.attr(attribute) {
                is_inside(to, path);
            }
        }
    }
    for selector in ["style", "[style]", "meta[http-equiv]", "base"] {
        let found = page.select(&Selector::parse(selector).unwrap()).next();
        assert!(found.is_none(), "{path} has {selector}");
    }
}

async fn operator(app: &TestApp) -> Visitor<'_> {
    let (email, password) = ("operator@example.com", SecretString::from(PASSWORD));
    app.app().create_operator(email, password).await.unwrap();
    Visitor::signed_in(app, email, PASSWORD).await
}

async fn rows(app: &TestApp) -> Vec<i64> {
    let mut all = Vec::new();
    for table in WRITTEN {
        all.push(app.rows(table).await);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_of_localhost_no_cookie_is_taken_that_another_host_could_have_set() {
    let app = TestApp::spawn_with(&[("PUBLIC_URL", "https://sms.example.com")]).await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    assert_eq!(ann.cookie("mlc_session"), None);
    let session = ann.cookie("__Host-mlc_session").unwrap();
    for (name, status) in [
        ("__Host-mlc_session", StatusCode::OK),
        ("mlc_session", StatusCode::SEE_OTHER),
    ] {
        let call = app.http.get(app.url("/account"));
        let call = call.header(header::COOKIE, format!("{name}={session}"));
        assert_eq!(call.send().await.unwrap().status(), status, "{name}");
    }
}

#[tokio::test]
async fn requests_that_are_none_write_no_errors_into_the_log() {
    let mut service = Service::new("http://127.0.0.1:9").await;
    service.start();
    let long = "x".repeat(200_000);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let requests: Vec<Vec<u8>> = vec![
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"HELO\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"GET /%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"GET /t/%ff/ HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n".to_vec(),
        format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\nHost: x\r\nA: {long}\r\n\r\n").into_bytes(),
        b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".to_vec(),
        b"POST /sign-in HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec(),
        format!("POST /sign-in HTTP/1.1\r\nHost: x\r\n{form}Content-Length: 4\r\n\r\n%ff=").into_bytes(),
        format!("POST /sign-in HTTP/1.1\r\nHost: x\r\n{form}Content-Length: 99\r\n\r\na=").into_bytes(),
        b"POST /api/v1/rules HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n{".to_vec(),
        b"POST /hooks/zoho/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{".to_vec(),
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n\x00\x00".to_vec(),
    ];
    for request in requests {
        let address = ("127.0.0.1", service.port);
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        // The server may hang up before it has read all.
        let _ = stream.write_all(&request).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status: u16 = answer.get(9..12).map_or(400, |s| s.parse().unwrap());
        assert!(status < 500, "{answer}");
    }
    let told = service.log();
    assert!(told.contains("INFO"), "{told}");
    assert!(!told.contains("ERROR"), "{told}");
}
