//! What happens to a delivery: a guarded change of state, and the step that says so.
//!
//! The outcome of a call is appended always; only the change of state needs its guard to hold. Every
//! other step is appended only with the change that it is about.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::provider_messages::{KNOW, KnownMessage, hold_messages, is_ours, message_record};
use super::receipts::early::{AcceptedMessage, fold_early};
use super::row_locks::lock_deliveries;
use super::send_lock::release_send_locks;
use super::steps::{NewStep, STEPS, insert_step, step_record};
use crate::domain::actor::Actor;
use crate::domain::address_hash::AddressHasher;
use crate::domain::delivery::{Channel, Delivery, DeliveryState, Hold, StepKind};
use crate::domain::ids::{ConnectionId, DeliveryId, StepId, TenantId};
use crate::domain::suppression::Source;
use crate::store::audit::{AuditLine, audit};
use crate::store::engine::db::bulk::{Bulk, Record, record};
use crate::store::engine::db::{BatchDb, TenantDb};
use crate::store::engine::packed::Packed;
use crate::store::engine::sql::{micros, micros_opt, placeholders, values};
use crate::store::engine::writer::{BatchCommand, PAUSE, TenantLock};
use crate::store::pipeline::index_predicates::PLAIN_STATE;
use crate::store::tenant::suppressions::{Addressee, suppress};
use crate::store::{StoreError, TenantStore};

/// How long a change is tried: without the outcome of a call the message has to be looked up.
const OUTCOME_WITHIN: Duration = Duration::from_mins(1);

/// What must still hold for the state to change.
#[derive(Debug, Clone)]
pub struct Guard {
    pub states: &'static [DeliveryState],
    pub attempt_no: i64,
    /// The lease that must still be ours, when it matters.
    pub lease_owner: Option<String>,
}

/// Every state, to borrow a single one from.
static STATES: &[DeliveryState] = DeliveryState::ALL;

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
    pub releases_send_lock: bool,
    pub message: Option<KnownMessage>,
    /// The provider has accepted these credentials of the connection, for the first time that we know.
    pub accepts: Option<(ConnectionId, Uuid)>,
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
            releases_send_lock: false,
            message: None,
            accepts: None,
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
    /// Applies a change; whether the state changed. Tried for a while when the database takes no writes.
    pub async fn change(&self, change: Change) -> Result<bool, StoreError> {
        let detail = change.step.as_ref().map(|s| Packed::of(&s.detail));
        let changing = Arc::new(Changing {
            tenant: self.id,
            hasher: self.hasher()?.clone(),
            detail: detail.unwrap_or_default(),
            change,
        });
        let until = Instant::now() + OUTCOME_WITHIN;
        loop {
            match self.store.commands.changes.submit(changing.clone()).await {
                Err(StoreError::Refused(_)) if Instant::now() < until => {
                    tokio::time::sleep(PAUSE).await;
                }
                changed => return changed,
            }
        }
    }

    /// A message of the account that is known to have been accepted since `since`: a listing that
    /// shows it is recent enough to prove that another one is missing. Only of this tenant, since
    /// anybody may enter any account.
    pub async fn freshness_marker(
        &self,
        (account, channel): (&str, Channel),
        since: DateTime<Utc>,
        but: DeliveryId,
    ) -> Result<Option<(String, String)>, StoreError> {
        let query = "SELECT sid, address FROM provider_messages WHERE account = $2 \
                     AND channel = $5 AND accepted_at > $3 AND delivery_id <> $4 \
                     AND tenant_id = $1 ORDER BY accepted_at DESC LIMIT 1";
        let bound = values![account, micros(since), but.own, channel.as_str()];
        let row = self.db().one(query, bound).await?;
        row.map(|r| Ok((r.get("sid")?, r.get("address")?)))
            .transpose()
    }

    /// Messages that unsigned status reports named for a delivery; a few at most.
    pub async fn unsigned_sids(&self, delivery: DeliveryId) -> Result<Vec<String>, StoreError> {
        let query = "SELECT DISTINCT sid FROM receipts WHERE event_id = $2 AND tenant_id = $1 \
                     AND delivery_id = $3 AND verified = FALSE LIMIT 3";
        let bound = values![delivery.event.uuid(), delivery.own];
        self.db()
            .all(query, bound)
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
        let all = self
            .db()
            .unscoped("the account that was listed may be another tenant's as well");
        let rows = all.all(&query, bound).await?;
        rows.iter().map(|r| r.get("sid")).collect()
    }
}

/// A change and whose it is.
pub(in crate::store) struct Changing {
    tenant: TenantId,
    change: Change,
    hasher: AddressHasher,
    /// The detail of its step.
    detail: Packed,
}

impl BatchCommand for Changing {
    type Answer = bool;

    /// An address that opts out is not written to by a claim that began before; and no claim goes by
    /// credentials as unproven beside one that goes by them as accepted.
    fn tenant_lock(&self) -> TenantLock {
        if self.change.suppress.is_some() || self.change.accepts.is_some() {
            TenantLock::Exclusive(self.tenant)
        } else {
            TenantLock::None
        }
    }

    /// An outcome is expensive to find out again, and writing it twice changes nothing.
    const IS_RETRIED: bool = true;

    async fn carry_out(tx: BatchDb<'_>, all: &[&Self]) -> Result<Vec<bool>, StoreError> {
        let mut results = vec![false; all.len()];
        for round in rounds(all) {
            let members: Vec<&Self> = round.iter().filter_map(|n| all.get(*n).copied()).collect();
            let applied = apply(tx, &members).await?;
            for (number, is_changed) in round.into_iter().zip(applied) {
                if let Some(result) = results.get_mut(number) {
                    *result = is_changed;
                }
            }
        }
        Ok(results)
    }
}

/// Changes in their order, so that within a round no two are about one delivery or one message.
fn rounds(all: &[&Changing]) -> Vec<Vec<usize>> {
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    let (mut of_delivery, mut of_message) = (HashMap::new(), HashMap::new());
    for (number, c) in all.iter().map(|c| &c.change).enumerate() {
        let of_delivery: &mut usize = of_delivery.entry(c.delivery).or_default();
        let message = c.message.as_ref().map(|m| (&m.account, &m.sid));
        let of_message: Option<&mut usize> = message.map(|m| of_message.entry(m).or_default());
        let round = of_message.as_deref().map_or(0, |n| *n).max(*of_delivery);
        *of_delivery = round + 1;
        if let Some(of_message) = of_message {
            *of_message = round + 1;
        }
        match rounds.get_mut(round) {
            Some(members) => members.push(number),
            None => rounds.push(vec![number]),
        }
    }
    rounds
}

async fn apply(tx: BatchDb<'_>, all: &[&Changing]) -> Result<Vec<bool>, StoreError> {
    let messages = all.iter().filter_map(|c| c.change.message.as_ref());
    hold_messages(tx, messages.map(|m| (&*m.account, &*m.sid))).await?;
    lock_deliveries(tx, all.iter().map(|c| (c.tenant, c.change.delivery))).await?;
    let refused = know_messages(tx, all).await?;
    let changed = update(
        tx,
        all.iter().filter(|c| !refused.contains(&c.change.delivery)),
    )
    .await?;
    write_steps(tx, all, |c| !refused.contains(&c.delivery), &changed).await?;
    let left = all
        .iter()
        .filter(|c| c.change.releases_send_lock && changed.contains(&c.change.delivery))
        .map(|c| (c.tenant.uuid(), c.change.delivery));
    release_send_locks(tx, left).await?;
    for c in all.iter().filter(|c| !refused.contains(&c.change.delivery)) {
        write_the_rest(tx, c, changed.contains(&c.change.delivery)).await?;
    }
    let known = all.iter().filter(|c| !refused.contains(&c.change.delivery));
    let accepted = known.filter_map(|c| {
        Some(AcceptedMessage {
            tenant: c.tenant,
            delivery: c.change.delivery,
            hasher: &c.hasher,
            message: c.change.message.as_ref()?,
            now: c.change.now,
        })
    });
    fold_early(tx, accepted).await?;
    Ok(all
        .iter()
        .map(|c| changed.contains(&c.change.delivery))
        .collect())
}

/// Remembers whose messages these are. A check that found one while another delivery was faster to call
/// it its own changes nothing: those are answered.
async fn know_messages(
    tx: BatchDb<'_>,
    all: &[&Changing],
) -> Result<HashSet<DeliveryId>, StoreError> {
    let known = all
        .iter()
        .filter_map(|c| Some((c, c.change.message.as_ref()?)));
    let records = known.clone().map(|(c, m)| {
        let c = (c.tenant.uuid(), &c.change);
        message_record(c.0, c.1.delivery, c.1.guard.attempt_no, m)
    });
    let made = KNOW.all(tx, records.collect()).await?;
    let made: HashSet<(String, String)> = made
        .iter()
        .map(|row| Ok((row.get("account")?, row.get("sid")?)))
        .collect::<Result<_, StoreError>>()?;
    let mut refused = HashSet::new();
    for (c, m) in known.filter(|(c, _)| !c.change.is_outcome) {
        let is_new = made.contains(&(m.account.clone(), m.sid.clone()));
        if !is_new && !is_ours(tx.of(c.tenant), c.change.delivery, m).await? {
            refused.insert(c.change.delivery);
        }
    }
    Ok(refused)
}

/// The guarded changes of state: which deliveries changed. Those with the same guard go together.
async fn update<'a>(
    tx: BatchDb<'_>,
    all: impl Iterator<Item = &'a &'a Changing>,
) -> Result<HashSet<DeliveryId>, StoreError> {
    let mut by_states: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for changing in all {
        let c = &changing.change;
        let states: Vec<_> = c.guard.states.iter().map(|s| s.as_str()).collect();
        let key = states.join("', '");
        let record = change_record(changing.tenant.uuid(), c);
        by_states.entry(key).or_default().push(record);
    }
    let mut changed = HashSet::new();
    for (states, records) in by_states {
        // The words are ours, never somebody's.
        let update = format!(
            "UPDATE deliveries SET state = v.state, reason = v.reason, hold = v.hold, \
             due_at = v.due_at, tries = COALESCE(v.tries, deliveries.tries), \
             absents = COALESCE(v.absents, deliveries.absents), \
             looks = COALESCE(v.looks, deliveries.looks), \
             sid = CASE WHEN v.sid = '' THEN deliveries.sid ELSE v.sid END, \
             provider_rank = CASE WHEN deliveries.provider_rank < v.reported_rank \
                 THEN v.reported_rank ELSE deliveries.provider_rank END, \
             error_code = CASE WHEN v.state IN ('delivered', 'read') THEN 0 \
                 WHEN v.error_code = 0 THEN deliveries.error_code ELSE v.error_code END, \
             lease_owner = '', lease_until = NULL, updated_at = v.now, \
             expires_at = COALESCE(v.expires_at, deliveries.expires_at) FROM v \
             WHERE deliveries.event_id = v.event_id AND deliveries.id = v.id \
             AND deliveries.tenant_id = v.tenant_id AND deliveries.attempt_no = v.attempt_no \
             AND (v.lease_owner = '' OR deliveries.lease_owner = v.lease_owner) \
             AND (deliveries.sid = '' OR v.sid = '' OR deliveries.sid = v.sid) \
             AND deliveries.provider_rank <= v.highest_rank AND {PLAIN_STATE} IN ('{states}') \
             RETURNING deliveries.event_id, deliveries.id"
        );
        for row in Bulk::Joined(&update).all(tx, records).await? {
            changed.insert(super::deliveries::delivery_id(&row)?);
        }
    }
    Ok(changed)
}

fn change_record(tenant: Uuid, c: &Change) -> Record {
    let rank = c.message.as_ref().map_or(-1, |m| m.status.rank());
    record![
        event_id: c.delivery.event.uuid(),
        id: c.delivery.own,
        tenant_id: tenant,
        state: c.state.as_str(),
        reason: c.reason.clone(),
        hold: c.hold.map_or("", Hold::as_str),
        due_at: micros_opt(c.due_at),
        tries: c.tries,
        absents: c.absents,
        looks: c.looks,
        sid: c.message.as_ref().map_or("", |m| m.sid.as_str()),
        reported_rank: rank,
        error_code: c.error_code,
        now: micros(c.now),
        attempt_no: c.guard.attempt_no,
        lease_owner: c.guard.lease_owner.clone().unwrap_or_default(),
        highest_rank: if c.message.is_some() { rank } else { i16::MAX },
        expires_at: micros_opt(c.expires_at),
    ]
}

async fn write_steps(
    tx: BatchDb<'_>,
    all: &[&Changing],
    is_kept: impl Fn(&Change) -> bool,
    changed: &HashSet<DeliveryId>,
) -> Result<(), StoreError> {
    let kept = all.iter().filter(|c| is_kept(&c.change));
    let records = kept.filter_map(|changing| {
        let c = &changing.change;
        let step = c.step.as_ref()?;
        let key = (c.delivery, c.guard.attempt_no, c.step_id);
        (changed.contains(&c.delivery) || c.is_outcome)
            .then(|| step_record(changing.tenant.uuid(), key, (step, &changing.detail), c.now))
    });
    STEPS.exec(tx, records.collect()).await.map(drop)
}

/// What few changes have beside their state: an address that is suppressed, somebody's word, a message
/// that was sent twice.
async fn write_the_rest(
    tx: BatchDb<'_>,
    changing: &Changing,
    changed: bool,
) -> Result<(), StoreError> {
    let (tx, c) = (tx.of(changing.tenant), &changing.change);
    if let Some((connection, login)) = c.accepts {
        crate::store::tenant::connections::accept(tx, connection, login, c.now).await?;
        ask_about_hints(tx, c).await?;
    }
    if let Some((channel, address, reason)) = &c.suppress {
        let why = (Source::Provider, &**reason);
        let whom = Addressee::new(&changing.hasher, *channel, address);
        suppress(tx, whom, why, c.now).await?;
    }
    if let Some((actor, old)) = &c.said
        && changed
    {
        let detail = serde_json::json!({ "old": old.as_str(), "new": c.state.as_str() });
        let subject = c.delivery.to_string();
        let line = AuditLine::new(actor.clone(), "delivery.resolved", subject, &detail);
        audit(tx, line, c.now).await?;
    }
    match &c.message {
        Some(message) if !changed => note_double(tx, c, message).await,
        _ => Ok(()),
    }
}

/// What was reported before the credentials were accepted is a hint: the provider is asked now.
async fn ask_about_hints(tx: TenantDb<'_>, c: &Change) -> Result<(), StoreError> {
    let ask = "UPDATE deliveries SET due_at = $4 WHERE event_id = $2 AND id = $3 \
               AND tenant_id = $1 AND due_at > $4 AND state IN ('accepted', 'sent') \
               AND EXISTS (SELECT 1 FROM receipts r WHERE r.event_id = $2 AND r.delivery_id = $3 \
                   AND r.tenant_id = $1 AND r.verified = FALSE)";
    let (event, own) = (c.delivery.event.uuid(), c.delivery.own);
    let bound = values![event, own, micros(c.now)];
    tx.exec(ask, bound).await.map(drop)
}

/// A message turned up for a delivery that no longer waits for it: either a callback named it
/// first, or it was sent again meanwhile and the recipient got it twice. The latter is shown.
async fn note_double(
    tx: TenantDb<'_>,
    c: &Change,
    message: &KnownMessage,
) -> Result<(), StoreError> {
    let query = "SELECT sid, attempt_no FROM deliveries \
                 WHERE event_id = $2 AND id = $3 AND tenant_id = $1";
    let key = values![c.delivery.event.uuid(), c.delivery.own];
    let Some(row) = tx.one(query, key).await? else {
        return Ok(());
    };
    let (sid, attempt_no): (String, i64) = (row.get("sid")?, row.get("attempt_no")?);
    if sid == message.sid || (sid.is_empty() && attempt_no == c.guard.attempt_no) {
        return Ok(());
    }
    let step = NewStep {
        kind: StepKind::Double,
        sentence: format!(
            "{} accepted attempt {} after all ({}): this message was sent twice",
            message.provider, c.guard.attempt_no, message.sid
        ),
        detail: serde_json::json!({ "sid": message.sid, "other": sid }).to_string(),
    };
    insert_step(tx, c.delivery, c.guard.attempt_no, &step, c.now).await
}
