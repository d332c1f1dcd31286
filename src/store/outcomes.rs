//! What happens to a delivery: a guarded change of state, and the step that tells of it.
//!
//! The outcome of a call is appended always; only the change of state needs its guard to hold. Every
//! other step is appended only with the change that it tells of.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::audit::{AuditLine, audit};
use super::sql::{self, micros, micros_opt, placeholders, tuples, values};
use super::suppressions::suppress;
use super::writer::{Lane, Tx};
use super::{StoreError, TenantStore};
use crate::domain::actor::Actor;
use crate::domain::delivery::{Channel, Delivery, DeliveryState, Hold, ProviderStatus, StepKind};
use crate::domain::ids::{DeliveryId, StepId};
use crate::domain::suppression::Source;

/// A step to be appended.
#[derive(Debug, Clone)]
pub struct NewStep {
    pub kind: StepKind,
    pub sentence: String,
    /// JSON.
    pub detail: String,
}

/// What must still hold for the state to change.
#[derive(Debug, Clone)]
pub struct Guard {
    pub states: &'static [DeliveryState],
    pub attempt_no: i64,
    /// The lease that must still be ours, when it matters.
    pub lease_owner: Option<String>,
}

/// Every state, to borrow a single one from.
static STATES: [DeliveryState; 13] = DeliveryState::ALL;

impl Guard {
    /// The delivery is still in the very state in which it was read: for changes that keep the
    /// state, which must not take back what a report moved meanwhile.
    pub fn unmoved(d: &Delivery) -> Self {
        let place = STATES.iter().position(|s| *s == d.state);
        Self {
            states: place.and_then(|p| STATES.get(p..=p)).unwrap_or_default(),
            attempt_no: d.attempt_no,
            lease_owner: None,
        }
    }
}

/// A message that the provider is known to have.
#[derive(Debug, Clone)]
pub struct KnownMessage {
    pub account: String,
    pub sid: String,
    pub address: String,
    pub status: ProviderStatus,
    /// No later than it was accepted: when the attempt began, not when we heard of it. A message
    /// proves that a list is recent only if it was surely made after the one that is missing.
    pub accepted_at: DateTime<Utc>,
}

/// One change of a delivery.
#[derive(Debug, Clone)]
pub struct Change {
    pub delivery: DeliveryId,
    pub guard: Guard,
    pub state: DeliveryState,
    pub reason: String,
    pub hold: Option<Hold>,
    pub due_at: Option<DateTime<Utc>>,
    /// A new end of its time; `None` leaves the stored one.
    pub expires_at: Option<DateTime<Utc>>,
    pub tries: Option<i64>,
    pub absents: Option<i64>,
    pub looks: Option<i64>,
    /// The provider's error code; 0 leaves the stored one.
    pub error_code: i64,
    pub step: Option<NewStep>,
    /// The step's id: the same when the change is applied once more, since nobody knows whether its
    /// commit was lost or only the answer to it.
    pub step_id: StepId,
    /// The step is kept even when the guard no longer holds: it is the outcome of a call.
    pub is_outcome: bool,
    /// The equal-text lock is given back.
    pub leaves_flight: bool,
    pub message: Option<KnownMessage>,
    /// The address must not be written to again: channel, address, reason.
    pub suppress: Option<(Channel, String, String)>,
    /// Whose word it is, for the security log, with the state in which they found the message.
    pub said: Option<(Actor, DeliveryState)>,
    pub now: DateTime<Utc>,
}

impl Change {
    /// A change of state with everything else left as it is.
    pub fn to(
        state: DeliveryState,
        delivery: DeliveryId,
        guard: Guard,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            delivery,
            guard,
            state,
            reason: String::new(),
            hold: None,
            due_at: None,
            expires_at: None,
            tries: None,
            absents: None,
            looks: None,
            error_code: 0,
            step: None,
            step_id: StepId::new(now),
            is_outcome: false,
            leaves_flight: false,
            message: None,
            suppress: None,
            said: None,
            now,
        }
    }

    /// The same, telling why in the row and in an appended step.
    #[must_use]
    pub fn because(mut self, kind: StepKind, sentence: impl Into<String>, detail: String) -> Self {
        let sentence = sentence.into();
        self.reason.clone_from(&sentence);
        self.step = Some(NewStep {
            kind,
            sentence,
            detail,
        });
        self
    }
}

impl TenantStore {
    /// Applies a change; whether the state changed.
    pub async fn change(&self, change: Change) -> Result<bool, StoreError> {
        let tenant = self.id.uuid();
        // An address that opts out is not written to by a claim that began before.
        let is_alone = change.suppress.is_some();
        self.writer()
            .write_alone_if(is_alone, Lane::Outcome, move |tx| {
                let change = change.clone();
                Box::pin(async move { apply(tx, tenant, &change).await })
            })
            .await
    }

    /// A message of the account that is known to have been accepted since `since`: a listing that
    /// shows it is recent enough to prove that another one is missing. Only of this tenant, since
    /// anybody may enter any account.
    pub async fn witness(
        &self,
        account: &str,
        since: DateTime<Utc>,
        but: DeliveryId,
    ) -> Result<Option<(String, String)>, StoreError> {
        let query = "SELECT sid, address FROM provider_messages WHERE account = $1 \
                     AND accepted_at > $2 AND delivery_id <> $3 AND tenant_id = $4 \
                     ORDER BY accepted_at DESC LIMIT 1";
        let bound = values![account, micros(since), but.own, self.id.uuid()];
        let row = sql::one(self.db(), query, bound).await?;
        row.map(|r| Ok((r.get("sid")?, r.get("address")?)))
            .transpose()
    }

    /// Messages that unsigned status reports named for a delivery; a few at most.
    pub async fn unsigned_sids(&self, delivery: DeliveryId) -> Result<Vec<String>, StoreError> {
        let query = "SELECT DISTINCT sid FROM receipts WHERE event_id = $1 AND tenant_id = $2 \
                     AND delivery_id = $3 AND verified = FALSE LIMIT 3";
        let bound = values![delivery.event.uuid(), self.id.uuid(), delivery.own];
        sql::all(self.db(), query, bound)
            .await?
            .iter()
            .map(|r| r.get("sid"))
            .collect()
    }

    /// Which of these messages already belong to another delivery.
    pub async fn taken_sids(
        &self,
        account: &str,
        sids: &[String],
        but: DeliveryId,
    ) -> Result<Vec<String>, StoreError> {
        if sids.is_empty() {
            return Ok(Vec::new());
        }
        let query = format!(
            "SELECT sid FROM provider_messages WHERE account = $1 AND delivery_id <> $2 \
             AND sid IN ({})",
            placeholders(sids.len(), 3)
        );
        let mut bound = values![account, but.own];
        bound.extend(sids.iter().map(|s| s.clone().into()));
        sql::all(self.db(), &query, bound)
            .await?
            .iter()
            .map(|r| r.get("sid"))
            .collect()
    }
}

async fn apply(tx: &Tx, tenant: Uuid, c: &Change) -> Result<bool, StoreError> {
    if let Some(message) = &c.message {
        sql::hold_message(tx, &message.account, &message.sid).await?;
    }
    if let Some(message) = &c.message
        && !know_message(tx, tenant, c.delivery, c.guard.attempt_no, message).await?
        && !c.is_outcome
        && !is_ours(tx, c.delivery, message).await?
    {
        // A look found it while another delivery was faster to call it its own.
        return Ok(false);
    }
    let changed = update(tx, tenant, c).await?;
    if let Some(step) = &c.step
        && (changed || c.is_outcome)
    {
        let row = (c.delivery, c.guard.attempt_no, c.step_id);
        insert_steps(tx, tenant, &[row], step, c.now).await?;
    }
    if let Some((channel, address, reason)) = &c.suppress {
        suppress(
            tx,
            tenant,
            *channel,
            address,
            (Source::Provider, reason),
            c.now,
        )
        .await?;
    }
    if let Some((actor, old)) = &c.said
        && changed
    {
        let detail = serde_json::json!({ "old": old.as_str(), "new": c.state.as_str() });
        let subject = c.delivery.to_string();
        let line = AuditLine::new(actor.clone(), "delivery.resolved", subject, &detail);
        audit(tx, tenant, line, c.now).await?;
    }
    if changed && c.leaves_flight {
        leave_in_flight(tx, c.delivery).await?;
    }
    if let Some(message) = &c.message {
        if !changed {
            tell_double(tx, tenant, c, message).await?;
        }
        super::receipts::fold_unmatched(tx, tenant, c.delivery, message, c.now).await?;
    }
    Ok(changed)
}

async fn update(tx: &Tx, tenant: Uuid, c: &Change) -> Result<bool, StoreError> {
    let states = placeholders(c.guard.states.len(), 20);
    let statement = format!(
        "UPDATE deliveries SET state = $4, reason = $5, hold = $6, due_at = $7, \
         tries = COALESCE($8, tries), absents = COALESCE($9, absents), looks = COALESCE($10, looks), \
         sid = CASE WHEN $11 = '' THEN sid ELSE $11 END, \
         provider_rank = CASE WHEN provider_rank < $12 THEN $12 ELSE provider_rank END, \
         error_code = CASE WHEN $13 = 0 THEN error_code ELSE $13 END, \
         lease_owner = '', lease_until = $14, updated_at = $15, \
         expires_at = COALESCE($19, expires_at) \
         WHERE event_id = $1 AND id = $2 AND tenant_id = $3 AND attempt_no = $16 \
         AND ($17 = '' OR lease_owner = $17) AND (sid = '' OR $11 = '' OR sid = $11) \
         AND provider_rank <= $18 AND state IN ({states})"
    );
    let rank = c.message.as_ref().map_or(-1, |m| m.status.rank());
    let mut bound = values![
        c.delivery.event.uuid(),
        c.delivery.own,
        tenant,
        c.state.as_str(),
        c.reason.clone(),
        c.hold.map_or("", Hold::as_str),
        micros_opt(c.due_at),
        c.tries,
        c.absents,
        c.looks,
        c.message.as_ref().map_or("", |m| m.sid.as_str()),
        rank,
        c.error_code,
        Option::<i64>::None,
        micros(c.now),
        c.guard.attempt_no,
        c.guard.lease_owner.clone().unwrap_or_default(),
        if c.message.is_some() { rank } else { i16::MAX },
        micros_opt(c.expires_at),
    ];
    bound.extend(c.guard.states.iter().map(|s| s.as_str().into()));
    Ok(sql::exec(tx, &statement, bound).await? == 1)
}

/// A message turned up for a delivery that no longer waits for it: either a callback told of it
/// first, or it was sent again meanwhile and the recipient got it twice. The latter is shown.
async fn tell_double(
    tx: &Tx,
    tenant: Uuid,
    c: &Change,
    message: &KnownMessage,
) -> Result<(), StoreError> {
    let query = "SELECT sid, attempt_no FROM deliveries \
                 WHERE event_id = $1 AND id = $2 AND tenant_id = $3";
    let key = values![c.delivery.event.uuid(), c.delivery.own, tenant];
    let Some(row) = sql::one(tx, query, key).await? else {
        return Ok(());
    };
    let (sid, attempt_no): (String, i64) = (row.get("sid")?, row.get("attempt_no")?);
    if sid == message.sid || (sid.is_empty() && attempt_no == c.guard.attempt_no) {
        return Ok(());
    }
    let step = NewStep {
        kind: StepKind::Double,
        sentence: format!(
            "Twilio accepted attempt {} after all ({}): this message was sent twice",
            c.guard.attempt_no, message.sid
        ),
        detail: serde_json::json!({ "sid": message.sid, "other": sid }).to_string(),
    };
    insert_step(tx, tenant, c.delivery, c.guard.attempt_no, &step, c.now).await
}

async fn is_ours(tx: &Tx, delivery: DeliveryId, m: &KnownMessage) -> Result<bool, StoreError> {
    let query = "SELECT delivery_id FROM provider_messages \
                 WHERE account = $1 AND sid = $2 AND delivery_id = $3";
    let bound = values![m.account.clone(), m.sid.clone(), delivery.own];
    Ok(sql::one(tx, query, bound).await?.is_some())
}

/// Remembers whose message a sid is; the first to say so wins.
pub(super) async fn know_message(
    tx: &Tx,
    tenant: Uuid,
    delivery: DeliveryId,
    attempt_no: i64,
    m: &KnownMessage,
) -> Result<bool, StoreError> {
    let made = sql::exec(
        tx,
        "INSERT INTO provider_messages (account, sid, tenant_id, event_id, delivery_id, attempt_no, \
         address, accepted_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        values![m.account.clone(), m.sid.clone(), tenant, delivery.event.uuid(), delivery.own,
            attempt_no, m.address.clone(), micros(m.accepted_at)],
    )
    .await?;
    Ok(made == 1)
}

pub(super) async fn insert_step(
    tx: &Tx,
    tenant: Uuid,
    delivery: DeliveryId,
    attempt_no: i64,
    step: &NewStep,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let row = (delivery, attempt_no, StepId::new(now));
    insert_steps(tx, tenant, &[row], step, now).await
}

/// How many rows of `delivery_steps` one statement writes: about 15 KB.
const STEPS_AT_ONCE: usize = 64;

/// The same step for many deliveries, each with the number of its attempt and an id; a step that is
/// there already stays as it is.
pub(super) async fn insert_steps(
    tx: &Tx,
    tenant: Uuid,
    deliveries: &[(DeliveryId, i64, StepId)],
    step: &NewStep,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for some in deliveries.chunks(STEPS_AT_ONCE) {
        let statement = format!(
            "INSERT INTO delivery_steps (event_id, id, tenant_id, delivery_id, attempt_no, kind, \
             sentence, detail, at) VALUES {} ON CONFLICT DO NOTHING",
            tuples(some.len(), 9, 1)
        );
        let rows = some.iter().flat_map(|(delivery, attempt_no, id)| {
            values![
                delivery.event.uuid(),
                id.uuid(),
                tenant,
                delivery.own,
                *attempt_no,
                step.kind.as_str(),
                step.sentence.clone(),
                step.detail.clone(),
                micros(now)
            ]
        });
        sql::exec(tx, &statement, rows.collect()).await?;
    }
    Ok(())
}

/// Lets the next equal message go.
pub(super) async fn leave_in_flight(tx: &Tx, delivery: DeliveryId) -> Result<(), StoreError> {
    let leave = "DELETE FROM in_flight WHERE event_id = $1 AND delivery_id = $2";
    sql::exec(tx, leave, values![delivery.event.uuid(), delivery.own])
        .await
        .map(drop)
}
