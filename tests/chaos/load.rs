//! Posting: signed webhooks at a steady pace, each again until it is acknowledged, as Zoho does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use ml_connector::domain::clock::{Clock as _, SystemClock};
use ml_connector::zoho::webhook;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::plan::{self, Planned};
use crate::promises::Waits;
use crate::tenants::Tenant;
use crate::verdict::{BROKEN_OFF, NOBODY};

/// How long one post waits for its answer: longer than any may take, so that it is seen how long.
const GIVES_UP_AFTER: Duration = Duration::from_secs(45);
/// How long a webhook is posted again and again.
const PATIENCE: Duration = Duration::from_mins(2);
/// The pause before the second post; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// Between two webhooks that follow the main load.
const AFTERWARDS: Duration = Duration::from_millis(500);

/// What became of one webhook.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) planned: Planned,
    /// The event, when the 200 arrived, and how long the post with the 200 took; `None` when there
    /// was no 200 to the end.
    pub(crate) accepted: Option<Accepted>,
    /// How long its posts waited for their answers, of whatever kind.
    pub(crate) waits: Waits,
}

#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) event: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) took: Duration,
}

/// All that was seen from outside.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) posted: Vec<Posted>,
    /// Posts without a 200, by what came instead.
    pub(crate) refusals: BTreeMap<String, usize>,
    /// Posts after the 200 that were answered as they should.
    pub(crate) repeats: usize,
    /// What must not happen, whatever breaks.
    pub(crate) troubles: Vec<String>,
}

/// The sender of webhooks; clones share what they see.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    tenants: Arc<[Tenant]>,
    http: reqwest::Client,
    at_once: Arc<Semaphore>,
    tasks: TaskTracker,
    seen: Arc<Mutex<Seen>>,
}

impl Load {
    pub(crate) fn new(tenants: Arc<[Tenant]>, http: reqwest::Client, at_once: usize) -> Self {
        Self {
            tenants,
            http,
            at_once: Arc::new(Semaphore::new(at_once)),
            tasks: TaskTracker::new(),
            seen: Arc::default(),
        }
    }

    /// Posts all of `planned`, `rate` a second. Slower when too many wait for their answers.
    pub(crate) async fn run(&self, planned: Vec<Planned>, rate: f64) {
        let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for one in planned {
            ticks.tick().await;
            self.spawn(one).await;
        }
    }

    /// Posts a little, on and on.
    pub(crate) async fn go_on(&self, from: usize, recipients: usize, stop: &CancellationToken) {
        let mut ticks = tokio::time::interval(AFTERWARDS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut number = from;
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            self.spawn(plan::afterwards(number, self.tenants.len(), recipients))
                .await;
            number += 1;
        }
    }

    /// Waits for the last answers and tells what was seen.
    pub(crate) async fn end(&self) -> Seen {
        self.tasks.close();
        self.tasks.wait().await;
        std::mem::take(&mut *self.lock())
    }

    async fn spawn(&self, planned: Planned) {
        // Never closed, so there is always a permit to come.
        let Ok(permit) = self.at_once.clone().acquire_owned().await else {
            return;
        };
        let this = self.clone();
        self.tasks.spawn(async move {
            let body = planned.body(SystemClock.now());
            let mut waits = Waits::default();
            let accepted = this.until_accepted(&planned, &body, &mut waits).await;
            drop(permit);
            let again = planned.again_after_ms.zip(accepted.clone());
            let posted = Posted {
                planned: planned.clone(),
                accepted,
                waits,
            };
            this.lock().posted.push(posted);
            if let Some((after, accepted)) = again {
                tokio::time::sleep(Duration::from_millis(after)).await;
                this.repeat(&planned, body, &accepted.event).await;
            }
        });
    }

    async fn until_accepted(
        &self,
        planned: &Planned,
        body: &[u8],
        waits: &mut Waits,
    ) -> Option<Accepted> {
        let end = Instant::now() + PATIENCE;
        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            let answer = self.post(planned, body.to_vec()).await;
            waits.add(began.elapsed());
            match answer {
                Ok((event, _)) => {
                    return Some(Accepted {
                        event,
                        at: SystemClock.now(),
                        took: began.elapsed(),
                    });
                }
                Err(refusal) => *self.lock().refusals.entry(refusal).or_default() += 1,
            }
            if Instant::now() > end {
                return None;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The same webhook once more: it must be known.
    async fn repeat(&self, planned: &Planned, body: Vec<u8>, event: &str) {
        match self.post(planned, body).await {
            Ok((same, true)) if same == event => self.lock().repeats += 1,
            Ok((other, duplicate)) => {
                let trouble = format!("{event} posted again: {other}, duplicate: {duplicate}");
                self.lock().troubles.push(trouble);
            }
            Err(refusal) => *self.lock().refusals.entry(refusal).or_default() += 1,
        }
    }

    /// One post: the event and whether it was known, or in words why there is no 200.
    async fn post(&self, planned: &Planned, body: Vec<u8>) -> Result<(String, bool), String> {
        let tenant = &self.tenants[planned.tenant];
        let kind = "application/json";
        let signature = webhook::sign(&tenant.hook_secret, "", Some(kind), &body);
        let answer = self
            .http
            .post(format!("{}{}", tenant.hook_url, planned.path()))
            .timeout(GIVES_UP_AFTER)
            // On a kept connection the end of a process would look like a refusal.
            .header("connection", "close")
            .header("content-type", kind)
            .header(webhook::SIGNATURE_HEADER, signature)
            .body(body)
            .send()
            .await
            .map_err(|error| in_words(&error))?;
        let status = answer.status();
        if status == StatusCode::BAD_GATEWAY {
            return Err(NOBODY.to_owned());
        }
        if status != StatusCode::OK {
            return Err(format!("answered {}", status.as_u16()));
        }
        let told: Value = answer.json().await.map_err(|error| in_words(&error))?;
        let event = told["event"].as_str().unwrap_or_default().to_owned();
        Ok((event, told["duplicate"] == true))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        "no answer in time".to_owned()
    } else if error.is_connect() {
        "no connection".to_owned()
    } else {
        BROKEN_OFF.to_owned()
    }
}
