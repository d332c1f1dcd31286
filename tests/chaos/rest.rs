//! Waiting until everything has come to rest, and reading what the service says of itself then.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;

use crate::load::Posted;
use crate::promises::Key;
use crate::tenants::Tenant;
use crate::verdict::Delivery;

const BETWEEN: Duration = Duration::from_secs(2);

/// Questions at once, so that asking is no load of its own.
const AT_ONCE: usize = 8;

/// How many troubles of one kind are told one by one.
const TOLD: usize = 10;

/// Waits until each tenant was seen at rest, one after the other, while a little load goes on.
pub(crate) async fn each(tenants: &[Tenant], end: Instant) -> anyhow::Result<bool> {
    for tenant in tenants {
        while is_open(tenant).await? {
            if Instant::now() > end {
                return Ok(false);
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }
    Ok(true)
}

/// Waits until all tenants are at rest together: every event decided, nothing on its way.
pub(crate) async fn all(tenants: &[Tenant], end: Instant) -> anyhow::Result<bool> {
    loop {
        let mut open = false;
        for tenant in tenants {
            open = open || is_open(tenant).await?;
        }
        if !open || Instant::now() > end {
            return Ok(!open);
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

/// Whether anything moves on without a person: an event to decide, a message to send or to find.
async fn is_open(tenant: &Tenant) -> anyhow::Result<bool> {
    for path in [
        "/events?state=received",
        "/deliveries?state=queued",
        "/deliveries?state=sending",
    ] {
        if !first_row(tenant, path).await?.is_empty() {
            return Ok(true);
        }
    }
    let unknown = tenant.api.all("/deliveries?state=unknown").await?;
    Ok(unknown.iter().any(|delivery| delivery["hold"] != "person"))
}

async fn first_row(tenant: &Tenant, path: &str) -> anyhow::Result<Vec<Value>> {
    let mut page = tenant.api.get(&format!("{path}&limit=1")).await?;
    Ok(match page["data"].take() {
        Value::Array(rows) => rows,
        _ => Vec::new(),
    })
}

/// What the service says in the end.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) deliveries: Vec<Delivery>,
    /// How often each kind of step was taken: what the faults really hit.
    pub(crate) steps: BTreeMap<String, usize>,
    /// How many attempts were begun for each kind of message.
    pub(crate) attempts: HashMap<Key, usize>,
    pub(crate) troubles: Vec<String>,
}

/// Reads every event and delivery, and checks that each event is decided with a reason.
pub(crate) async fn read(tenants: &[Tenant], posted: &[Posted]) -> anyhow::Result<Told> {
    let mut told = Told::default();
    for (number, tenant) in tenants.iter().enumerate() {
        let rows = tenant.api.all("/deliveries").await?;
        let mut listed: HashSet<String> = rows.iter().map(|row| text(row, "id")).collect();
        let events: HashSet<String> = tenant
            .api
            .all("/events")
            .await?
            .iter()
            .map(|event| text(event, "id"))
            .collect();
        let accepted = posted.iter().filter(|p| p.planned.tenant == number);
        let accepted = accepted.filter_map(|p| p.accepted.as_ref());
        let missing = accepted.filter(|a| !events.contains(&a.event));
        told.troubles.extend(missing.map(|a| {
            format!(
                "{}: {} was accepted and is not in the list",
                tenant.name, a.event
            )
        }));
        let stories: Vec<Value> = stream::iter(&events)
            .map(|event| story(tenant, event))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        for story in &stories {
            told.troubles.extend(undecided(tenant, story));
            for row in array(&story["deliveries"]) {
                let key = (tenant.account.clone(), text(row, "to"), words(row));
                *told.attempts.entry(key).or_default() += array(&row["attempts"]).len();
                for step in array(&row["steps"]) {
                    *told.steps.entry(text(step, "kind")).or_default() += 1;
                }
                if !listed.remove(&text(row, "id")) {
                    let id = text(row, "id");
                    told.troubles
                        .push(format!("/api/v1/deliveries/{id} is not in the list"));
                }
                told.deliveries.push(delivery(number, tenant, row));
            }
        }
        told.troubles.extend(
            listed.into_iter().map(|id| {
                format!("/api/v1/deliveries/{id} is in the list, and of no event that is")
            }),
        );
    }
    let silent = told.deliveries.iter().filter(|d| {
        let is_at_rest = matches!(&*d.state, "held" | "failed" | "suppressed" | "expired");
        is_at_rest && d.reason.is_none()
    });
    let silent: Vec<String> = silent
        .map(|d| {
            format!(
                "/api/v1/deliveries/{} is {} without a reason",
                d.id, d.state
            )
        })
        .collect();
    told.troubles.extend(silent);
    if told.troubles.len() > TOLD {
        let more = told.troubles.len() - TOLD;
        told.troubles.truncate(TOLD);
        told.troubles.push(format!("and {more} more like these"));
    }
    Ok(told)
}

async fn story(tenant: &Tenant, event: &str) -> anyhow::Result<Value> {
    tenant.api.get(&format!("/events/{event}")).await
}

/// What is wrong with an event: not decided, or without a decision that says why.
fn undecided(tenant: &Tenant, story: &Value) -> Option<String> {
    let decisions = array(&story["decisions"]).len();
    let (event, state) = (text(story, "id"), text(story, "state"));
    let is_well = decisions > 0 && state != "received";
    (!is_well).then(|| {
        let name = &tenant.name;
        format!("{name}: /api/v1/events/{event} is {state} with {decisions} decisions")
    })
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn delivery(number: usize, tenant: &Tenant, row: &Value) -> Delivery {
    let maybe = |field: &str| row[field].as_str().map(str::to_owned);
    Delivery {
        id: text(row, "id"),
        tenant: number,
        event: text(row, "event"),
        account: tenant.account.clone(),
        to: text(row, "to"),
        text: words(row),
        state: text(row, "state"),
        hold: maybe("hold"),
        reason: maybe("reason"),
        sid: maybe("sid"),
    }
}

/// What a message says, of an e-mail its subject.
fn words(row: &Value) -> String {
    let field = if row["subject"].is_null() {
        "body"
    } else {
        "subject"
    };
    text(row, field)
}

fn text(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap_or_default().to_owned()
}
