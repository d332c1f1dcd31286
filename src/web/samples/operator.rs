//! Samples of the operator's pages.

use chrono::TimeDelta;
use uuid::Uuid;

use super::{HOSTILE, Sample, account_chrome, form, hostile_account_chrome, push};
use crate::domain::ids::TenantId;
use crate::domain::page::{Cursor, Page};
use crate::web::areas::operator::page::{
    BacklogLine, BrakeLine, ProcessLine, QueuePage, Standing, Standings, TenantPage, TenantRow,
    TenantsPage, WorkersPage,
};
use crate::web::chrome::{AccountChrome, Place};
use crate::web::form::FormState;
use crate::web::ui::tone::Tone;

fn chrome() -> AccountChrome {
    AccountChrome {
        is_operator: true,
        ..account_chrome(Place::Operator)
    }
}

fn tenant(name: &str, standing: Standing) -> TenantRow {
    TenantRow {
        id: TenantId::from_uuid(Uuid::from_u128(7)),
        name: name.into(),
        slug: "northwind".into(),
        owner: "ann@northwind.example".into(),
        members: 4,
        events: 1_204,
        messages: 873,
        standing,
        created_at: chrome().now - TimeDelta::days(40),
    }
}

pub(super) fn add(to: &mut Vec<Sample>) {
    tenants(to);
    queue(to);
    workers(to);
}

fn tenants(to: &mut Vec<Sample>) {
    let list = |chrome, search: &str, rows: Vec<TenantRow>| TenantsPage {
        chrome,
        search: search.into(),
        tenants: Page {
            older: (rows.len() > 2).then(|| Cursor::Before(Uuid::from_u128(1))),
            ..Page::whole(rows)
        },
    };
    push(to, "operator-empty", &list(chrome(), "", Vec::new()));
    push(
        to,
        "operator-nothing-found",
        &list(chrome(), "acme", Vec::new()),
    );
    let many = vec![
        tenant("Northwind Paper", Standing::Active),
        tenant("Harbour Light Trading", Standing::Rehearsal),
        tenant("Sato Shokai", Standing::Suspended("unpaid".into())),
        tenant("Gone & Sons", Standing::Deleting),
    ];
    push(to, "operator-many", &list(chrome(), "", many));
    let hostile = TenantRow {
        owner: HOSTILE.into(),
        ..tenant(HOSTILE, Standing::Suspended(HOSTILE.into()))
    };
    let hostile_chrome = hostile_account_chrome(Place::Operator);
    let rows = vec![hostile.clone()];
    push(
        to,
        "operator-hostile",
        &list(hostile_chrome.clone(), HOSTILE, rows),
    );
    let one = |chrome, tenant, form| TenantPage {
        chrome,
        tenant,
        form,
    };
    let active = tenant("Northwind Paper", Standing::Active);
    push(
        to,
        "operator-tenant",
        &one(chrome(), active.clone(), FormState::new()),
    );
    let mut refused = form(&[("reason", "")]);
    refused.refuse("reason", "Say why in one line.");
    push(
        to,
        "operator-tenant-refused",
        &one(chrome(), active, refused),
    );
    let gone = tenant("Gone & Sons", Standing::Deleting);
    push(
        to,
        "operator-tenant-deleting",
        &one(chrome(), gone, FormState::new()),
    );
    push(
        to,
        "operator-tenant-hostile",
        &one(hostile_chrome, hostile, FormState::new()),
    );
}

fn queue(to: &mut Vec<Sample>) {
    let now = chrome().now;
    let line = |words, due, seconds: Option<i64>| BacklogLine {
        words,
        due,
        oldest: seconds.map(|s| now - TimeDelta::seconds(s)),
    };
    let page = |chrome, lanes, busiest, backlogs| QueuePage {
        chrome,
        back_end: "Redis".into(),
        lanes,
        busiest,
        backlogs,
    };
    let none = Some((Standings::default(), Standings::default()));
    let calm = vec![
        line("Events to decide", 0, None),
        line("E-mails to send", 0, None),
    ];
    push(
        to,
        "operator-queue-empty",
        &page(chrome(), none, Vec::new(), calm),
    );
    let busy = |ready| Standings {
        ready,
        delayed: 12,
        leased: 16,
    };
    let waiting = vec![
        line("Events to decide", 1_240, Some(41)),
        line("Messages to send or look after", 100_000, Some(7_300)),
    ];
    let busiest = vec![
        ("Northwind Paper".to_owned(), busy(1_200)),
        ("Sato Shokai".to_owned(), busy(4)),
    ];
    let lanes = Some((busy(1_204), busy(3)));
    push(
        to,
        "operator-queue-many",
        &page(chrome(), lanes, busiest, waiting.clone()),
    );
    let hostile = hostile_account_chrome(Place::Operator);
    push(
        to,
        "operator-queue-hostile",
        &page(
            hostile,
            lanes,
            vec![(HOSTILE.to_owned(), busy(1))],
            waiting.clone(),
        ),
    );
    push(
        to,
        "operator-queue-away",
        &page(chrome(), None, Vec::new(), waiting),
    );
}

fn workers(to: &mut Vec<Sample>) {
    let now = chrome().now;
    let process = |name: &str, does: &str, is_gone| ProcessLine {
        name: name.into(),
        does: does.into(),
        version: "0.1.0".into(),
        started_at: now - TimeDelta::hours(30),
        seen_at: now - TimeDelta::seconds(if is_gone { 700 } else { 9 }),
        is_gone,
        is_own: does == "serve --no-worker",
        clock_off: (does == "work").then(|| "Its clock is 3600 s ahead of the database's".into()),
        in_hand: 3,
    };
    let brake = |name: &str, tone, words: &str| BrakeLine {
        tenant: TenantId::from_uuid(Uuid::from_u128(7)),
        tenant_name: name.into(),
        tone,
        words: words.into(),
        in_flight: 2,
    };
    let page = |chrome, processes, braked, queue_works: bool| WorkersPage {
        chrome,
        processes,
        orphaned: u64::from(!queue_works),
        database: "PostgreSQL 17.5".into(),
        back_end: "Redis".into(),
        queue_trouble: (!queue_works).then(|| {
            "Redis refuses writes: OOM command not allowed when used memory > 'maxmemory' \
             (10.0.0.7:6379)"
                .into()
        }),
        braked,
        connections: 3,
    };
    push(
        to,
        "operator-workers-empty",
        &page(chrome(), Vec::new(), Vec::new(), true),
    );
    let processes = vec![
        process("8121-3fd0a71c", "serve --no-worker", false),
        process("8140-aa41c9e0", "work", false),
        process("7702-01b5d3aa", "work", true),
    ];
    let braked = vec![
        brake("Northwind Paper", Tone::Held, "Paused until 10:42"),
        brake("Sato Shokai", Tone::Failed, "Credentials refused"),
    ];
    push(
        to,
        "operator-workers-many",
        &page(chrome(), processes, braked, false),
    );
    let hostile = hostile_account_chrome(Place::Operator);
    push(
        to,
        "operator-workers-hostile",
        &page(
            hostile,
            vec![process(HOSTILE, HOSTILE, false)],
            vec![brake(HOSTILE, Tone::Failed, HOSTILE)],
            true,
        ),
    );
}
