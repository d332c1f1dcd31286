//! A disk that is full for a moment, under the real binary: whatever is acknowledged stays.
//!
//! Only on `SQLite`: a server's disk is its own. The file system is a small one of the test's own, and
//! where none can be mounted the test fails: nothing else shows this.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::crash::{invoice, register, rule, sandbox, texts};
use crate::harness::company::NUMBER;
use crate::harness::process::{Service, Tenant};
use crate::small_disk::SmallDisk;

const SIZE_MB: u64 = 24;

/// Commits that are not undone are in the file at once; what follows is for messages to leave.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// How soon the service may find out that it can, or cannot, write.
const NOTICES_WITHIN: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_around_a_full_disk_is_there_after_a_crash() {
    let sandbox = sandbox().await;
    let service = Service::new(sandbox.base_url()).await;
    if !service.database.is_file() {
        println!("only on SQLite: TEST_DATABASE is postgres");
        return;
    }
    let disk = SmallDisk::mount(service.database.folder.path(), SIZE_MB).unwrap();
    let mut service = service.through(disk.enter());
    service.start();
    let acme = service.tenant("acme");
    let account = register(&sandbox);
    acme.connect(&account.0, &account.1, NUMBER).await;
    let text = "{{ invoice_number }} over {{ total|money }}";
    rule(&acme, text, json!({ "kind": "contact" })).await;

    let mut accepted = accepted(&acme, 0..50).await;
    assert_eq!(accepted.len(), 50);
    disk.fill().unwrap();
    // What the log has room for may still be taken, and then it counts.
    let mut refused = None;
    for seed in 50..100 {
        let (status, event) = post(&acme, seed).await;
        accepted.extend(event);
        if status != StatusCode::OK {
            refused = Some(status);
            break;
        }
    }
    let while_full = readyz_becomes(&service, StatusCode::SERVICE_UNAVAILABLE).await;
    disk.free().unwrap();
    let after = readyz_becomes(&service, StatusCode::OK).await;
    accepted.extend(self::accepted(&acme, 100..200).await);
    let suppression = json!({ "address": "+12025550199", "channel": "sms", "reason": "By phone" });
    let suppressed = acme.try_api(Method::POST, "/suppressions", Some(suppression));
    let suppressed = suppressed.await.status();
    until_nothing_is_queued(&acme).await;
    service.kill();
    service.start();
    until_nothing_is_queued(&acme).await;

    let there = all(&acme, "/events", "id").await;
    let lost = accepted.difference(&there).count();
    let suppressions = all(&acme, "/suppressions", "address").await;
    let sent = texts(&sandbox, &account.0);
    let twice = sent.values().filter(|count| **count > 1).count();
    let told = format!(
        "{} webhooks accepted, {lost} of them gone after the crash; {} people written to, {twice} of \
         them twice; the suppression was answered with {suppressed} and {} there; /readyz said \
         {while_full} while the disk was full and {after} afterwards\n{}",
        accepted.len(),
        sent.len(),
        if suppressions.is_empty() {
            "is not"
        } else {
            "is"
        },
        service.log(),
    );
    assert_eq!(refused, Some(StatusCode::SERVICE_UNAVAILABLE), "{told}");
    assert_eq!((lost, twice), (0, 0), "{told}");
    assert!(accepted.len() >= 150, "{told}");
    assert_eq!(suppressed, StatusCode::CREATED, "{told}");
    assert_eq!(suppressions.len(), 1, "{told}");
    assert_eq!(while_full, StatusCode::SERVICE_UNAVAILABLE, "{told}");
    assert_eq!(after, StatusCode::OK, "{told}");
}

/// Posts them; the events that were acknowledged.
async fn accepted(acme: &Tenant, seeds: std::ops::Range<u64>) -> BTreeSet<String> {
    stream::iter(seeds)
        .map(|seed| post(acme, seed))
        .buffer_unordered(8)
        .filter_map(async |(_, event)| event)
        .collect()
        .await
}

async fn post(acme: &Tenant, seed: u64) -> (StatusCode, Option<String>) {
    let answer = acme.try_post("", invoice(seed)).await.unwrap();
    let status = answer.status();
    let told: Value = answer.json().await.unwrap();
    (status, told["event"].as_str().map(str::to_owned))
}

/// What `/readyz` says when it says so, or else in the end.
async fn readyz_becomes(service: &Service, wanted: StatusCode) -> StatusCode {
    let url = format!("http://127.0.0.1:{}/readyz", service.port);
    let end = Instant::now() + NOTICES_WITHIN;
    loop {
        let status = service.http.get(&url).send().await.unwrap().status();
        if status == wanted || Instant::now() > end {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits a little, whether or not it helps: what stays behind is what the test is about.
async fn until_nothing_is_queued(acme: &Tenant) {
    let end = Instant::now() + LEAVE_WITHIN;
    while Instant::now() < end {
        let is_open = |d: &Value| matches!(d["state"].as_str(), Some("queued" | "sending"));
        let events = all(acme, "/events?state=received", "id").await;
        if events.is_empty() && !acme.deliveries().await.iter().any(is_open) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// One field of every row of a list.
async fn all(acme: &Tenant, path: &str, field: &str) -> BTreeSet<String> {
    let mark = if path.contains('?') { '&' } else { '?' };
    let first = format!("{path}{mark}limit=100");
    let (mut rows, mut next) = (BTreeSet::new(), first.clone());
    loop {
        let page = acme.api(Method::GET, &next, None).await;
        let data = page["data"].as_array().unwrap();
        rows.extend(
            data.iter()
                .map(|row| row[field].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(cursor) => next = format!("{first}&cursor={cursor}"),
            None => return rows,
        }
    }
}
