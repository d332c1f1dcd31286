//! All of the service fits into 256 MB, whatever strangers do, and little of it stays.

use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::{StreamExt as _, stream};
use reqwest::{StatusCode, header};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::memory_group::MemoryGroup;
use crate::harness::page::Page;
use crate::harness::process::{Service, Tenant};

/// What the whole process may have, its share of the page cache included.
const LIMIT: u64 = 256_000_000;

/// What may be left of its own memory, in KiB. The program itself, whose pages are those of its file,
/// has 20 MB more as it is released, and twice that as tests build it.
const AFTERWARDS_KIB: u64 = 78 * 1024;

const BODY: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn passwords_and_bodies_of_strangers_fit_into_256_mb_and_leave_little_behind() {
    let group = MemoryGroup::make(LIMIT);
    let mut service = Service::new("http://127.0.0.1:9").await;
    let address = format!("http://127.0.0.1:{}", service.port);
    service = service.with("SIGNUP", "open").with("PUBLIC_URL", &address);
    match &group {
        Some(group) => service.start_in(&group.members()),
        None => service.start(),
    }
    let tenants: Vec<_> = (0..8).map(|n| service.tenant(&format!("t{n}"))).collect();
    let idle = service.memory_kib("VmRSS");

    // All that bodies may use: eight hooks with 8 MiB each.
    let held = join_all((0..64).map(|n| held_body(&tenants[n % 8], service.port))).await;
    let guess = |form: &'static str, fields: Vec<(&'static str, String)>| {
        let service = &service;
        async move { typed(service, form, &fields).await }
    };
    let sign_ins = stream::iter(0..30).map(|n| {
        let email = format!("stranger{n}@example.com");
        let password = "wrong wrong wrong".to_owned();
        guess("/sign-in", vec![("email", email), ("password", password)])
    });
    let sign_ups = stream::iter(0..30).map(|n| {
        let fields = [
            ("email", format!("new{n}@example.com")),
            ("password", format!("mellow anvil kettle {n}")),
            ("company", format!("Company {n}")),
            ("country", "GB".to_owned()),
            ("zone", "Europe/London".to_owned()),
            ("currency", "GBP".to_owned()),
        ];
        guess("/sign-up", fields.to_vec())
    });
    let (refused, begun): (Vec<_>, Vec<_>) = tokio::join!(
        sign_ins.buffer_unordered(16).collect(),
        sign_ups.buffer_unordered(16).collect(),
    );
    assert_eq!(refused, [StatusCode::UNPROCESSABLE_ENTITY; 30]);
    assert_eq!(begun, [StatusCode::OK; 30]);
    for answer in join_all(held.into_iter().map(end_of)).await {
        // Or 408, where all of this took longer than a body may.
        assert!(
            answer.contains(" 401 ") || answer.contains(" 408 "),
            "{answer}"
        );
    }

    let peak = service.peak_kib();
    let deadline = Instant::now() + Duration::from_secs(40);
    let mut left = service.memory_kib("RssAnon");
    while left > AFTERWARDS_KIB && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(500)).await;
        left = service.memory_kib("RssAnon");
    }
    println!(
        "{}: {idle} KiB when idle, {peak} at most, {} afterwards, of which {left} its own",
        if group.is_some() {
            "in a cgroup"
        } else {
            "without a cgroup"
        },
        service.memory_kib("VmRSS"),
    );
    assert!(left <= AFTERWARDS_KIB, "{left} KiB are kept");
    match &group {
        Some(group) => assert_eq!(group.kills(), 0),
        // Without the right to make one (the kernel's own count is as strict, but stops nobody).
        None => assert!(peak * 1024 <= LIMIT, "{peak} KiB"),
    }
}

/// A body with a wrong signature that is here but for its last byte.
async fn held_body(of: &Tenant, port: u16) -> TcpStream {
    let (_, path) = of.hook_url.split_once("/hooks").unwrap();
    let mut line = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let signature = "0".repeat(64);
    let head = format!(
        "POST /hooks{path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         X-Zoho-Webhook-Signature: {signature}\r\nContent-Length: {BODY}\r\n\r\n"
    );
    line.write_all(head.as_bytes()).await.unwrap();
    line.write_all(&vec![b' '; BODY - 1]).await.unwrap();
    line
}

async fn end_of(mut line: TcpStream) -> String {
    drop(line.write_all(b" ").await);
    let mut answer = vec![0; 200];
    let read = line.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

/// A stranger who opens a page and sends its form.
async fn typed(service: &Service, path: &str, fields: &[(&str, String)]) -> StatusCode {
    let url = format!("http://127.0.0.1:{}{path}", service.port);
    let page = service.http.get(&url).send().await.unwrap();
    let cookies: Vec<_> = page
        .headers()
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|c| c.to_str().unwrap().split(';').next().map(str::to_owned))
        .collect();
    let hidden = Page::of(page).await.hidden(path);
    let fields: Vec<_> = hidden
        .into_iter()
        .chain(fields.iter().map(|(n, v)| ((*n).to_owned(), v.clone())))
        .collect();
    let post = service.http.post(&url).form(&fields);
    let post = post.header(header::COOKIE, cookies.join("; "));
    post.send().await.unwrap().status()
}
