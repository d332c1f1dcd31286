//! Reconciling: checking for a message that the provider may or may not have.
//!
//! ```text
//!              ┌─ found: it is this one ─────────────────────► accepted
//!  unknown ────┼─ absent: so many checks without a trace ────► sent once more; the second time a
//!  (checks)    │                                               person decides
//!              └─ undecided, or a doubt ─────────────────────► waits; in the end for a person
//! ```
//!
//! What *found* and *absent* mean is the transport's to say.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Link, Next};
use crate::app::{App, AppError};
use crate::domain::delivery::{Attempt, Delivery, DeliveryState, Hold, StepKind};
use crate::domain::ids::DeliveryId;
use crate::domain::report::Status;
use crate::store::{Change, Guard, KnownMessage, StoreError, TenantStore};
use crate::transport::{FindFailure, Finding, Ledger, LedgerError, Lost, Marker, Search};

/// Seconds between checks that cannot decide, at most.
const LONGEST_APART: i64 = 900;

/// By how much a freshness marker has to be later than the lost attempt where several processes share a
/// database: no two of them know its time better.
const LATER: TimeDelta = TimeDelta::milliseconds(500);

impl App {
    /// One check.
    pub(super) async fn reconcile(
        &self,
        store: &TenantStore,
        d: &Delivery,
    ) -> Result<Next, AppError> {
        if d.hold == Some(Hold::Person) {
            return Ok(Next::Done);
        }
        let name = self.provider_words(d.channel).name;
        let attempt = store.attempt(d.id, d.attempt_no).await?;
        let link = self.link_by_id(store, d.connection, d.channel).await?;
        let (Some(attempt), Some(link)) = (attempt, link) else {
            let why = format!("The {name} account that it was given to is no longer connected");
            return self.ask_person(store, d, &why, Value::Null).await;
        };
        if link.connection.account != d.account {
            let why = format!("{name} was connected to another account since, so we cannot look");
            return self.ask_person(store, d, &why, Value::Null).await;
        }
        let next = match self.find(store, d, &attempt, &link).await {
            Ok(search) => {
                self.accept(store, &link.connection).await?;
                self.conclude(store, (d, &link), &attempt, search).await
            }
            Err(FindFailure::Provider {
                is_lasting: true,
                why,
            }) => self.ask_person(store, d, &why, Value::Null).await,
            Err(FindFailure::Provider { why, .. }) => {
                self.undecided(store, (d, &link), &why, &json!({})).await
            }
            Err(FindFailure::Ledger(error)) => Err(store_error(error)),
        };
        self.wake_equal(link.scope(d.tenant), d).await;
        next
    }

    async fn find(
        &self,
        store: &TenantStore,
        d: &Delivery,
        attempt: &Attempt,
        link: &Link,
    ) -> Result<Search, FindFailure> {
        let ledger = StoreLedger { store, delivery: d };
        let content = store.content(d.id).await.map_err(unread)?;
        let content = content.ok_or_else(|| FindFailure::Provider {
            is_lasting: true,
            why: "what it said is no longer kept".to_owned(),
        })?;
        let hints = store.unsigned_sids(d.id).await.map_err(unread)?;
        let margin = self
            .clock()
            .comparison()
            .map_or(TimeDelta::zero(), |_| LATER);
        let since = attempt.started_at + margin;
        let marker = store.freshness_marker((&d.account, d.channel), since, d.id);
        let marker = marker.await.map_err(unread)?;
        let marker = marker.map(|(id, to)| Marker { id, to });
        let lost = Lost {
            delivery: d.id,
            attempt_no: d.attempt_no,
            to: d.to(),
            content: &content,
            started_at: attempt.started_at,
            lease_until: attempt.lease_until,
            hints: &hints,
            marker: marker.as_ref(),
            clock: self.clock(),
        };
        link.transport.find(&lost, &ledger).await
    }

    async fn conclude(
        &self,
        store: &TenantStore,
        (d, link): (&Delivery, &Link),
        attempt: &Attempt,
        search: Search,
    ) -> Result<Next, AppError> {
        let evidence = search.evidence;
        match search.finding {
            Finding::Found(id) => {
                self.found(store, (d, link), &id, attempt.started_at, &evidence)
                    .await
            }
            Finding::Absent { doubt } => {
                self.not_there(store, (d, link), doubt.as_deref(), evidence)
                    .await
            }
            Finding::Undecided(why) => self.undecided(store, (d, link), &why, &evidence).await,
            Finding::AskPerson(why) => self.ask_person(store, d, &why, evidence).await,
        }
    }

    async fn found(
        &self,
        store: &TenantStore,
        (d, link): (&Delivery, &Link),
        id: &str,
        began: DateTime<Utc>,
        evidence: &Value,
    ) -> Result<Next, AppError> {
        let now = self.now();
        // What somebody hinted at about it is asked at once.
        let hints = store.unsigned_sids(d.id).await?;
        let wait = if hints.iter().any(|hint| hint == id) {
            TimeDelta::zero()
        } else {
            super::first_poll(link, false)
        };
        let message = KnownMessage {
            provider: link.transport.words().name.to_owned(),
            account: d.account.clone(),
            sid: id.to_owned(),
            channel: d.channel,
            address: d.to().to_owned(),
            status: Status::Accepted,
            accepted_at: began,
        };
        let name = link.transport.words().name;
        let sentence = format!("Found: {name} has it ({id}); it was not sent again");
        let change = Change {
            due_at: Some(now + wait),
            looks: Some(0),
            releases_send_lock: true,
            message: Some(message),
            ..Change::to(DeliveryState::Accepted, d.id, unknown(d), now).because(
                StepKind::Found,
                sentence,
                evidence.to_string(),
            )
        };
        store.change(change).await?;
        let wait = wait.to_std().unwrap_or_default();
        Ok(Next::In(wait.max(Duration::from_millis(1))))
    }

    /// There is no trace of it, or there is a `doubt` that only a person can settle.
    async fn not_there(
        &self,
        store: &TenantStore,
        (d, link): (&Delivery, &Link),
        doubt: Option<&str>,
        evidence: Value,
    ) -> Result<Next, AppError> {
        let now = self.now();
        let (name, limits) = (link.transport.words().name, link.transport.limits());
        let looks = d.looks + 1;
        if looks < limits.checks {
            let seen = doubt.map_or_else(|| format!("no trace at {name} yet"), str::to_owned);
            let sentence = format!("Look {looks} of {}: {seen}", limits.checks);
            let change = Change {
                due_at: Some(now + TimeDelta::seconds(limits.check_every)),
                looks: Some(looks),
                ..Change::to(DeliveryState::Unknown, d.id, unknown(d), now).because(
                    StepKind::Look,
                    sentence,
                    evidence.to_string(),
                )
            };
            store.change(change).await?;
            return Ok(Next::In(Duration::from_secs(
                limits.check_every.unsigned_abs(),
            )));
        }
        let twice = format!("Twice there was no trace of it at {name}");
        if let Some(why) = doubt.or((d.absents > 0).then_some(&twice)) {
            return self.ask_person(store, d, why, evidence).await;
        }
        let sentence = format!(
            "No trace at {name} after {} looks; sending it once more",
            limits.checks
        );
        let change = Change {
            due_at: Some(now),
            looks: Some(0),
            absents: Some(d.absents + 1),
            releases_send_lock: true,
            ..Change::to(DeliveryState::Queued, d.id, unknown(d), now).because(
                StepKind::Absent,
                sentence,
                evidence.to_string(),
            )
        };
        store.change(change).await?;
        // Whether its time has run out is tested where the send begins.
        Ok(Next::In(Duration::from_millis(1)))
    }

    /// This check could not tell. Later ones may, until its time runs out.
    async fn undecided(
        &self,
        store: &TenantStore,
        (d, link): (&Delivery, &Link),
        why: &str,
        evidence: &Value,
    ) -> Result<Next, AppError> {
        let now = self.now();
        if d.expires_at <= now {
            let why = format!("Its time to be sent is over, and {why}");
            return self.ask_person(store, d, &why, evidence.clone()).await;
        }
        // The longer it has been unknown, the rarer we look.
        let age = (now - d.created_at).num_seconds();
        let every = link.transport.limits().check_every;
        let wait = TimeDelta::seconds((age / 4).clamp(every, LONGEST_APART));
        let name = link.transport.words().name;
        let sentence = format!("Looked: no trace at {name}, but {why}");
        let change = Change {
            due_at: Some(now + wait),
            ..Change::to(DeliveryState::Unknown, d.id, unknown(d), now).because(
                StepKind::Look,
                sentence,
                evidence.to_string(),
            )
        };
        store.change(change).await?;
        Ok(Next::In(wait.to_std().unwrap_or_default()))
    }

    /// Nobody but a person can tell.
    async fn ask_person(
        &self,
        store: &TenantStore,
        d: &Delivery,
        why: &str,
        evidence: Value,
    ) -> Result<Next, AppError> {
        let words = self.provider_words(d.channel);
        let sentence = format!(
            "{why}. {} may or may not have it: look in {}, then choose “It arrived” or “Send again”",
            words.name, words.console
        );
        let evidence = if evidence.is_null() {
            json!({})
        } else {
            evidence
        };
        // Looking ends here, so equal messages need not wait for it any longer.
        let change = Change {
            hold: Some(Hold::Person),
            releases_send_lock: true,
            ..Change::to(DeliveryState::Unknown, d.id, unknown(d), self.now()).because(
                StepKind::NeedsPerson,
                sentence,
                evidence.to_string(),
            )
        };
        store.change(change).await?;
        Ok(Next::Done)
    }
}

/// What the database knows of the account's messages.
struct StoreLedger<'a> {
    store: &'a TenantStore,
    delivery: &'a Delivery,
}

#[async_trait]
impl Ledger for StoreLedger<'_> {
    async fn held_by_others(&self, ids: &[String]) -> Result<Vec<String>, LedgerError> {
        let (account, own): (&str, DeliveryId) = (&self.delivery.account, self.delivery.id);
        let taken = self.store.taken_sids(account, ids, own).await;
        taken.map_err(unread)
    }
}

fn unread(error: StoreError) -> LedgerError {
    LedgerError(Box::new(error))
}

fn store_error(LedgerError(error): LedgerError) -> AppError {
    match error.downcast::<StoreError>() {
        Ok(error) => AppError::Store(*error),
        Err(error) => {
            tracing::error!(%error, "What is known of an account could not be read");
            AppError::Busy
        }
    }
}

fn unknown(d: &Delivery) -> Guard {
    Guard {
        states: &[DeliveryState::Unknown],
        attempt_no: d.attempt_no,
        lease_owner: None,
    }
}
