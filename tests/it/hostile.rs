//! Templates that want all the memory or all the time, on the real binary under a memory limit.

use std::time::{Duration, Instant};

use ml_connector::sandbox::samples::Standing;
use ml_connector::sandbox::twilio::NewAccount;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::company::{NUMBER, invoice};
use crate::harness::process::Service;

/// Address space of the process, in KiB: a doubling to gigabytes ends it.
const LIMIT_KIB: u64 = 3 * 1024 * 1024;

/// What it may really use at its peak, in KiB.
const PEAK_KIB: u64 = 250 * 1024;

fn hostile() -> Vec<String> {
    let doubling = "{% set a = a ~ a %}".repeat(60);
    let loops = [
        "{% for x in line_items %}".repeat(12),
        "{% endfor %}".repeat(12),
    ]
    .concat();
    vec![
        "{% for x in range(1000000000) %}x{% endfor %}".to_owned(),
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_owned(),
        "{% include 'x' %}".to_owned(),
        format!("{{% set a = 'xxxxxxxxxxxxxxxx' %}}{doubling}{{{{ a }}}}"),
        "{{ 'x' * 1000000000 }}".to_owned(),
        "{{ 'x'|indent(1000000000) }}".to_owned(),
        "{{ '%1000000000s'|format(1) }}".to_owned(),
        "{{ 'x'|center(1000000000) }}".to_owned(),
        "{{ notes|replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaa')|replace('a', 'aaaaaaaaaaaaaaaaaaaaa') }}".to_owned(),
        format!("{loops}{{{{ notes }}}}"),
        format!("{{{{ {}notes{} }}}}", "(".repeat(4000), ")".repeat(4000)),
        "{% if true %}".repeat(1000),
        "{{ ".repeat(5000),
        "x".repeat(20_000),
        "{{ total ** 99999 ** 99999 }}".to_owned(),
        format!("{{{{ {}total }}}}", "not ".repeat(4000)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_templates_are_refused_or_end_within_bounds() {
    let app = TestApp::spawn_in_real_time().await;
    let account = NewAccount {
        numbers: vec![NUMBER.to_owned()],
        ..NewAccount::default()
    };
    let account = app.sandbox.twilio().register(account).unwrap();
    let mut service = Service::new(app.sandbox.base_url()).await;
    service.start_within(LIMIT_KIB);
    let acme = service.tenant("acme");
    acme.connect(&account.account_sid, &account.auth_token, NUMBER)
        .await;
    let started = Instant::now();
    let mut taken = 0;
    for (number, body) in hostile().into_iter().enumerate() {
        let rule = json!({
            "name": format!("Hostile {number}"), "event_type": "invoice.sent", "channel": "sms",
            "recipient": { "kind": "fixed", "address": "+12025550123" },
            "template": { "body": body },
        });
        let answer = acme
            .try_api(reqwest::Method::POST, "/rules", Some(rule))
            .await;
        let status = answer.status();
        let problem: Value = answer.json().await.unwrap();
        match status {
            StatusCode::CREATED => taken += 1,
            StatusCode::UNPROCESSABLE_ENTITY => {
                assert_eq!(problem["errors"][0]["field"], "template.body", "{problem}");
            }
            other => panic!("template {number}: {other} {problem}"),
        }
    }
    for seed in 0..20 {
        acme.post("", invoice(seed, Standing::Sent, app.now()))
            .await
            .unwrap();
    }
    acme.settled(Duration::from_secs(30)).await;
    let peak = service.peak_kib();
    println!(
        "{taken} of {} hostile templates were taken; peak {peak} KiB, {:?}",
        hostile().len(),
        started.elapsed()
    );
    assert!(peak < PEAK_KIB, "{peak} KiB at the peak");
    assert!(started.elapsed() < Duration::from_secs(30));
}
