//! Killing the real binary: every accepted event ends in exactly one message.
//!
//! These tests wait in real time: a killed process leaves leases and looks that only time ends.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use ml_connector::domain::clock::{Clock as _, SystemClock};
use ml_connector::sandbox::samples::{self, Generator, Standing, Wish};
use ml_connector::sandbox::twilio::{
    Fault, FaultKind, FaultPlan, FaultShare, MessageFilter, NewAccount, On,
};
use ml_connector::sandbox::{Sandbox, SandboxConfig, SandboxHandle};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::company::NUMBER;
use crate::harness::process::{Service, Tenant};

const EVENTS: u64 = 500;

#[tokio::test(flavor = "multi_thread")]
async fn killed_twice_in_the_middle_of_500_webhooks_each_ends_in_one_message() {
    let sandbox = sandbox().await;
    let mut service = Service::new(sandbox.base_url()).await;
    service.start();
    let acme = service.tenant("acme");
    let account = register(&sandbox);
    acme.connect(&account.0, &account.1, NUMBER).await;
    let text = "{{ invoice_number }} over {{ total|money }}";
    rule(&acme, text, json!({ "kind": "contact" })).await;

    let mut left: Vec<u64> = (0..EVENTS).collect();
    let mut accepted: HashMap<u64, String> = HashMap::new();
    for life in 0..3 {
        let stop_after = if life < 2 {
            accepted.len() + 170
        } else {
            usize::MAX
        };
        let mut posts = stream::iter(left.clone())
            .map(|seed| {
                let acme = acme.clone();
                async move { (seed, acme.post("", invoice(seed)).await) }
            })
            .buffer_unordered(24);
        while let Some((seed, event)) = posts.next().await {
            accepted.extend(event.map(|e| (seed, e)));
            if accepted.len() >= stop_after {
                break;
            }
        }
        drop(posts);
        left.retain(|seed| !accepted.contains_key(seed));
        if life < 2 {
            service.kill();
            service.start();
        }
    }
    assert_eq!(accepted.len() as u64, EVENTS);

    let deliveries = acme.settled(Duration::from_secs(150)).await;
    let waiting = waiting_for_a_person(&deliveries);
    let counts = texts(&sandbox, &account.0);
    let doubled = counts.values().filter(|n| **n > 1).count();
    let lost = deliveries.len() - counts.len() - waiting;
    println!(
        "accepted {EVENTS}, sent {}, lost {lost}, doubled {doubled}, waiting {waiting}",
        counts.len()
    );
    assert_eq!((deliveries.len() as u64, lost, doubled), (EVENTS, 0, 0));
    assert_eq!(
        waiting, 0,
        "later messages are witnesses: everything can be settled"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_answers_are_lost_and_texts_are_equal_nothing_is_lost_or_doubled() {
    let sandbox = sandbox().await;
    let mut service = Service::new(sandbox.base_url()).await;
    service.start();
    // Two tenants share one account, and all three write the same text to the same number.
    let (shared, own) = (register(&sandbox), register(&sandbox));
    let mut tenants = Vec::new();
    for (name, account) in [("ann", &shared), ("bob", &shared), ("cyd", &own)] {
        let tenant = service.tenant(name);
        tenant.connect(&account.0, &account.1, NUMBER).await;
        let fixed = json!({ "kind": "fixed", "address": "+12025550177" });
        rule(&tenant, "An invoice was sent", fixed).await;
        rule(
            &tenant,
            "{{ invoice_number }} was sent",
            json!({ "kind": "contact" }),
        )
        .await;
        tenants.push(tenant);
    }
    let drops = |kind, probability| FaultShare {
        probability,
        fault: Fault::new(kind),
        on: On::default(),
    };
    let plan = FaultPlan {
        seed: 11,
        shares: vec![
            drops(FaultKind::DropAfter, 0.05),
            drops(FaultKind::DropBefore, 0.03),
        ],
    };
    sandbox.twilio().fault_plan(plan).unwrap();
    let mut wanted = 0;
    for round in 0..2_u64 {
        for seed in 0..6 {
            for tenant in &tenants {
                assert!(
                    tenant
                        .post("", invoice(1000 * (round + 1) + seed))
                        .await
                        .is_some()
                );
                wanted += 2;
            }
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        service.kill();
        service.start();
    }
    // One more that arrives: without a newer message nothing proves that the last one was lost.
    sandbox
        .twilio()
        .fault_plan(FaultPlan {
            seed: 11,
            shares: Vec::new(),
        })
        .unwrap();
    for tenant in &tenants {
        assert!(tenant.post("", invoice(9000)).await.is_some());
        wanted += 2;
    }
    let (mut deliveries, mut waiting) = (0, 0);
    for tenant in &tenants {
        tenant.decided(wanted / tenants.len()).await;
        let settled = tenant.settled(Duration::from_secs(280)).await;
        deliveries += settled.len();
        waiting += waiting_for_a_person(&settled);
    }
    let taken: usize = [&shared.0, &own.0]
        .iter()
        .map(|a| texts(&sandbox, a).values().sum::<usize>())
        .sum();
    println!("wanted {wanted}, at Twilio {taken}, waiting {waiting}");
    assert_eq!(deliveries, wanted);
    // What waits for a person may or may not be there; everything else is there exactly once.
    assert!(
        taken <= wanted && taken + waiting >= wanted,
        "taken {taken}, waiting {waiting}"
    );
    for account in [&shared.0, &own.0] {
        let counts = texts(&sandbox, account);
        let senders = if *account == shared.0 { 2 } else { 1 };
        for (text, count) in counts {
            let wished = if text.starts_with("+12025550177") {
                13 * senders
            } else {
                senders
            };
            assert!(
                count <= wished,
                "{text} was sent {count} times, wished for {wished}"
            );
        }
    }
}

pub(crate) async fn sandbox() -> SandboxHandle {
    let http = ml_connector::http::client().unwrap();
    let mut config = SandboxConfig::new(Arc::new(SystemClock), http);
    config.twilio.latency_ms = 20;
    Sandbox::start(config).await.unwrap()
}

pub(crate) fn register(sandbox: &SandboxHandle) -> (String, String) {
    let account = NewAccount {
        numbers: vec![NUMBER.to_owned()],
        ..NewAccount::default()
    };
    let made = sandbox.twilio().register(account).unwrap();
    (made.account_sid, made.auth_token)
}

pub(crate) async fn rule(tenant: &Tenant, text: &str, recipient: Value) {
    let rule = json!({
        "name": text, "event_type": "invoice.sent", "channel": "sms",
        "recipient": recipient, "template": { "body": text },
    });
    tenant.api(Method::POST, "/rules", Some(rule)).await;
}

/// An invoice of its own for each seed; the number is part of the text.
pub(crate) fn invoice(seed: u64) -> Vec<u8> {
    let wish = Wish {
        standing: Some(Standing::Sent),
        id: Some(format!("{}", 900_000_000_000 + seed)),
        number: Some(format!("INV-{seed:05}")),
        trader: Some(usize::try_from(seed % 40).unwrap()),
        ..Wish::default()
    };
    samples::to_body(
        &Generator::seeded(seed).invoice(&wish, SystemClock.now()),
        seed.is_multiple_of(2),
    )
}

/// How often each text went to each number of an account.
pub(crate) fn texts(sandbox: &SandboxHandle, account: &str) -> HashMap<String, usize> {
    let filter = MessageFilter {
        account_sid: Some(account.to_owned()),
        ..MessageFilter::default()
    };
    let mut counts = HashMap::new();
    for message in sandbox.twilio().messages(&filter) {
        *counts
            .entry(format!("{} {}", message.to, message.body))
            .or_default() += 1;
    }
    counts
}

fn waiting_for_a_person(deliveries: &[Value]) -> usize {
    deliveries.iter().filter(|d| d["hold"] == "person").count()
}
