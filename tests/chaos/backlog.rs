//! Fairness: one tenant's long backlog, and how long another's single messages wait beside it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::json;

use crate::args::Args;
use crate::load::{Load, Posted};
use crate::plan;
use crate::scenarios::Staging;
use crate::stage::{Folder, Stage};
use crate::table;
use crate::tenants::{self, Tenant};
use crate::verdict::Message;

/// How many addresses each of the crowd's events leads to, beside its contact.
const DESKS: usize = 20;

/// Single messages, one after the other.
const SINGLES: usize = 20;

/// No single message may take longer.
const AT_MOST: Duration = Duration::from_secs(1);

/// Webhooks a second, where only their number at once is the limit.
const FLAT_OUT: f64 = 10_000.0;

const BETWEEN: Duration = Duration::from_millis(500);

/// How long the backlog may take to be written.
const WRITTEN_WITHIN: Duration = Duration::from_mins(10);

/// Runs it; whether every single message was fast enough.
pub(crate) async fn run(args: &Args, deliveries: usize) -> anyhow::Result<bool> {
    let folder = Folder::new()?;
    let outcome = play(args, deliveries, &folder).await;
    if args.keep || !matches!(outcome, Ok(true)) {
        let path = folder.keep();
        crate::say(&format!("logs and data are kept in {}", path.display()));
    }
    outcome
}

async fn play(args: &Args, deliveries: usize, folder: &Folder) -> anyhow::Result<bool> {
    let mut stage = Stage::start(args, Staging::Usual, &folder.path()).await?;
    let (admin, base) = (stage.binary(), stage.base());
    let both = tenants::make(2, &plan::rules(), stage.place(&admin, &base)).await?;
    let [crowd, single] = &both[..] else {
        bail!("two tenants were asked for");
    };
    let load = Load::new(both.clone().into(), stage.http.clone(), args.at_once);

    let events = deliveries.div_ceil(DESKS + 1);
    crowd.api.call(Method::PUT, "/stop", None).await?;
    add_desks(crowd).await?;
    crate::say(&format!(
        "   writing a backlog of {} messages",
        events * (DESKS + 1)
    ));
    let planned = (0..events).map(|number| plan::sent(number, 0, number % args.recipients));
    load.run(planned.collect(), FLAT_OUT).await;
    until_decided(crowd).await?;
    let began = Instant::now();
    // Answers once all are released, which may take longer than a patient client waits.
    let resume = {
        let api = crowd.api.clone();
        tokio::spawn(async move { api.call(Method::DELETE, "/stop", None).await })
    };
    while stage.sandbox.taken().await? == 0 {
        tokio::time::sleep(BETWEEN).await;
    }
    for number in 0..SINGLES {
        let one = plan::sent(events + number, 1, number % args.recipients);
        load.run(vec![one], FLAT_OUT).await;
        tokio::time::sleep(BETWEEN).await;
    }
    drop(resume.await?);
    let seen = load.end().await;
    let took = began.elapsed();
    let messages = stage.sandbox.messages().await?;
    stage.end().await;
    let waits = waits(single, &seen.posted, &messages)?;
    let left = (events * (DESKS + 1)).saturating_sub(messages.len() - SINGLES);
    crate::print(&table::waits(&waits, left, took));
    let slowest = waits.iter().max().copied().unwrap_or(Duration::MAX);
    Ok(left > 0 && slowest <= AT_MOST && stage.troubles.is_empty())
}

/// Rules that tell each of the crowd's invoices to many desks.
async fn add_desks(crowd: &Tenant) -> anyhow::Result<()> {
    for desk in 0..DESKS {
        let address = format!("+120255501{desk:02}");
        let rule = json!({
            "name": format!("desk {desk}"), "event_type": "invoice.sent", "channel": "sms",
            "recipient": { "kind": "fixed", "address": address },
            "template": { "body": "Invoice {{ invoice_number }} went out" },
        });
        crowd.api.call(Method::POST, "/rules", Some(&rule)).await?;
    }
    Ok(())
}

async fn until_decided(crowd: &Tenant) -> anyhow::Result<()> {
    let end = Instant::now() + WRITTEN_WITHIN;
    for path in [
        "/events?state=received&limit=1",
        "/deliveries?state=queued&limit=1",
    ] {
        loop {
            let page = crowd.api.get(path).await?;
            if page["data"].as_array().is_some_and(Vec::is_empty) {
                break;
            }
            if Instant::now() > end {
                bail!("the backlog is not written yet");
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }
    Ok(())
}

/// How long each single message took from the 200 to Twilio's stand-in.
fn waits(
    single: &Tenant,
    posted: &[Posted],
    messages: &[Message],
) -> anyhow::Result<Vec<Duration>> {
    let taken = |to: &str, text: &str| -> Option<DateTime<Utc>> {
        let is_it = |m: &&Message| m.account == single.account && m.to == to && m.text == text;
        messages.iter().find(is_it).map(|m| m.at)
    };
    posted
        .iter()
        .filter(|p| p.planned.tenant == 1)
        .map(|p| {
            let accepted = p.accepted.as_ref().context("a webhook was not taken")?;
            let mut wishes = p.planned.wishes().into_iter();
            let (to, text) = wishes.next().context("a webhook without a wish")?;
            let at = taken(&to, &text).context("a single message was not sent")?;
            Ok((at - accepted.at).to_std().unwrap_or_default())
        })
        .collect()
}
