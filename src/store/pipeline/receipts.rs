//! Receipts: what the provider said later, folded by rank in one conditional update.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::outcomes::{Change, KnownMessage, NewStep, insert_step, know_message, leave_in_flight};
use super::{sender_rests, undelivered};
use crate::domain::address_hash::AddressHasher;
use crate::domain::delivery::{Channel, DeliveryState, StepKind};
use crate::domain::ids::{DeliveryId, ReceiptId, TenantId};
use crate::domain::report::Status;
use crate::domain::sender_rest::LimitHit;
use crate::domain::suppression::Source;
use crate::store::engine::db::bulk::{Bulk, Record, record};
use crate::store::engine::db::{BatchDb, TenantDb};
use crate::store::engine::index_predicates::PLAIN_STATE;
use crate::store::engine::sql::{self, micros, micros_opt, values};
use crate::store::engine::writer::{BatchCommand, TenantLock, WITHIN, within};
use crate::store::tenant::suppressions::{Addressee, suppress};
use crate::store::{StoreError, TenantStore};

/// A report that came to an address of ours.
pub const CALLBACK: &str = "callback";

/// How many receipts of a delivery are kept that nobody proved: each is a hint, and anybody may give it who
/// knows the address.
pub const HINTS_KEPT: i64 = 8;

/// How many others. Providers tell about six, of which a few may come with an error.
pub const RECEIPTS_KEPT: i64 = 50;

/// How many receipts of a tenant are kept that fit none of its messages: the newest.
pub const UNMATCHED_KEPT: i64 = 200;

/// A status that the provider reported.
#[derive(Debug, Clone)]
pub struct NewReceipt {
    /// Our id, when the report bears it; otherwise the sid tells.
    pub delivery: Option<DeliveryId>,
    /// The attempt in the report's address, when it bears one.
    pub attempt_no: Option<i64>,
    /// As the provider calls itself.
    pub provider: String,
    pub account: String,
    pub sid: String,
    /// The provider's own word.
    pub word: String,
    /// What the word means; `None` changes nothing.
    pub status: Option<Status>,
    pub error_code: i64,
    /// The recipient does not want to be written to again.
    pub is_opt_out: bool,
    /// The limit that stopped the message.
    pub hit: Option<LimitHit>,
    /// The state in words, for the delivery's row.
    pub reason: String,
    /// [`CALLBACK`] or `poll`.
    pub source: &'static str,
    pub is_verified: bool,
    pub detail: String,
    /// When to look next, while the state is not final.
    pub due_at: Option<DateTime<Utc>>,
    pub now: DateTime<Utc>,
}

/// What a receipt did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptResult {
    /// The delivery's state moved on.
    Moved(DeliveryId),
    /// Kept, but the state already ranks as high.
    Kept(DeliveryId),
    /// Kept, but nobody proved it: the provider is to be asked.
    Hinted(DeliveryId),
    /// Told before.
    Repeated(DeliveryId),
    /// No delivery is known for it yet.
    Unmatched,
    /// Too many were kept for this delivery before.
    Dropped(DeliveryId),
}

impl TenantStore {
    /// Keeps a receipt and folds it into the delivery's state.
    pub async fn receive(&self, receipt: NewReceipt) -> Result<ReceiptResult, StoreError> {
        let receiving = Receiving {
            tenant: self.id,
            hasher: self.hasher()?.clone(),
            receipt,
        };
        let received = self.store.commands.receipts.submit(Arc::new(receiving));
        within(WITHIN, received).await
    }
}

/// A receipt and whose it is.
pub(in crate::store) struct Receiving {
    tenant: TenantId,
    hasher: AddressHasher,
    receipt: NewReceipt,
}

impl BatchCommand for Receiving {
    type Answer = ReceiptResult;

    fn tenant_lock(&self) -> TenantLock {
        if self.receipt.is_opt_out
            || self.receipt.hit.is_some()
            || undelivered::is_unexplained(&self.receipt)
        {
            TenantLock::Exclusive(self.tenant)
        } else {
            TenantLock::None
        }
    }

    async fn carry_out(tx: BatchDb<'_>, all: &[&Self]) -> Result<Vec<ReceiptResult>, StoreError> {
        let messages = all.iter().map(|r| (&*r.receipt.account, &*r.receipt.sid));
        sql::hold_messages(tx, messages).await?;
        let named = all
            .iter()
            .filter_map(|r| Some((r.tenant, r.receipt.delivery?)));
        super::claims::lock(tx, named).await?;
        let plain = plain(tx, all).await?;
        let mut results = fold_plain(tx, all, &plain).await?;
        for (number, receiving) in all.iter().enumerate() {
            if let Entry::Vacant(rest) = results.entry(number) {
                rest.insert(run(tx.of(receiving.tenant), receiving).await?);
            }
        }
        Ok(results.into_values().collect())
    }
}

/// Receipts like most: signed, of a known status without an error, for a message that the delivery is
/// known to have, and the only one of its delivery in the batch. By their place in it.
async fn plain(
    tx: BatchDb<'_>,
    all: &[&Receiving],
) -> Result<BTreeMap<usize, DeliveryId>, StoreError> {
    let mut of_delivery: HashMap<DeliveryId, usize> = HashMap::new();
    for id in all.iter().filter_map(|r| r.receipt.delivery) {
        *of_delivery.entry(id).or_default() += 1;
    }
    let candidates: BTreeMap<usize, (DeliveryId, &Receiving)> = all
        .iter()
        .enumerate()
        .filter_map(|(number, receiving)| {
            let r = &receiving.receipt;
            let id = r.delivery.filter(|id| of_delivery.get(id) == Some(&1))?;
            // There are as many of these as there are statuses.
            let is_plain = r.is_verified
                && r.status.is_some()
                && r.error_code == 0
                && !undelivered::is_unexplained(r);
            is_plain.then_some((number, (id, *receiving)))
        })
        .collect();
    let records = candidates.values().map(|(id, receiving)| {
        let r = &receiving.receipt;
        record![
            event_id: id.event.uuid(),
            id: id.own,
            tenant_id: receiving.tenant.uuid(),
            account: r.account.clone(),
            sid: r.sid.clone(),
        ]
    });
    let select = format!(
        "SELECT deliveries.event_id, deliveries.id FROM v JOIN deliveries \
         ON deliveries.event_id = v.event_id AND deliveries.id = v.id \
         AND deliveries.tenant_id = v.tenant_id \
         WHERE deliveries.account = v.account AND deliveries.sid = v.sid AND {PLAIN_STATE} IN \
         ('accepted', 'sent', 'delivered', 'read', 'failed', 'undelivered')"
    );
    let mut known = HashSet::new();
    for row in Bulk::Joined(&select).all(tx, records.collect()).await? {
        known.insert(super::deliveries::delivery_id(&row)?);
    }
    Ok(candidates
        .into_iter()
        .map(|(number, (id, _))| (number, id))
        .filter(|(_, id)| known.contains(id))
        .collect())
}

/// Keeps them and moves the states: the message is known, so that nothing else can be found out.
async fn fold_plain(
    tx: BatchDb<'_>,
    all: &[&Receiving],
    plain: &BTreeMap<usize, DeliveryId>,
) -> Result<BTreeMap<usize, ReceiptResult>, StoreError> {
    let chosen = || {
        plain
            .iter()
            .filter_map(|(n, id)| Some((*n, *id, *all.get(*n)?)))
    };
    let mut ids = HashMap::new();
    let records = chosen().map(|(number, id, receiving)| {
        let r = &receiving.receipt;
        let own = ReceiptId::new(r.now);
        ids.insert(own.uuid(), number);
        receipt_record(receiving.tenant.uuid(), id, own, r)
    });
    let records: Vec<Record> = records.collect();
    let mut results: BTreeMap<usize, ReceiptResult> = chosen()
        .map(|(number, id, _)| (number, ReceiptResult::Repeated(id)))
        .collect();
    for row in RECEIPTS.all(tx, records).await? {
        let number = ids.get(&row.get::<Uuid>("id")?);
        if let Some((number, id)) = number.and_then(|n| Some((*n, *plain.get(n)?))) {
            results.insert(number, ReceiptResult::Kept(id));
        }
    }
    let records = chosen().filter_map(|(_, id, receiving)| {
        let r = &receiving.receipt;
        Some(move_record(receiving.tenant.uuid(), id, r, r.status?))
    });
    let mut moved = HashSet::new();
    for row in MOVES.all(tx, records.collect()).await? {
        moved.insert(super::deliveries::delivery_id(&row)?);
    }
    for (number, id, _) in chosen().filter(|(_, id, _)| moved.contains(id)) {
        results.insert(number, ReceiptResult::Moved(id));
    }
    Ok(results)
}

async fn run(tx: TenantDb<'_>, receiving: &Receiving) -> Result<ReceiptResult, StoreError> {
    let r = &receiving.receipt;
    let target = target(tx, r).await?;
    // A signature proves something once the provider has accepted the token it was made with. What is
    // said of a message that is known to be the delivery's own needs no more.
    let is_known = target.as_ref().is_some_and(|t| t.sid == r.sid);
    let is_proven = r.is_verified
        && (is_known
            || r.source != CALLBACK
            || crate::store::tenant::connections::is_accepted(tx, &r.account).await?);
    let hint;
    let r = if is_proven == r.is_verified {
        r
    } else {
        hint = NewReceipt {
            is_verified: false,
            status: None,
            ..r.clone()
        };
        &hint
    };
    let Some(target) = target else {
        keep_unmatched(tx, r).await?;
        return Ok(ReceiptResult::Unmatched);
    };
    fold(tx, &target, r, &receiving.hasher).await
}

/// The delivery that a receipt is about.
struct Target {
    id: DeliveryId,
    state: DeliveryState,
    sid: String,
    attempt_no: i64,
    channel: Channel,
    /// Where it really went.
    to: String,
}

async fn target(tx: TenantDb<'_>, r: &NewReceipt) -> Result<Option<Target>, StoreError> {
    // An id that is not of this tenant says no more than none.
    let known = match r.delivery {
        Some(id) => target_by_id(tx, r, id).await?,
        None => None,
    };
    if known.is_some() {
        return Ok(known);
    }
    match by_sid(tx, r).await? {
        Some(id) => target_by_id(tx, r, id).await,
        None => Ok(None),
    }
}

async fn target_by_id(
    tx: TenantDb<'_>,
    r: &NewReceipt,
    id: DeliveryId,
) -> Result<Option<Target>, StoreError> {
    let query = format!(
        "SELECT state, sid, attempt_no, channel, account, \
         CASE WHEN is_rehearsal THEN rehearsal_to ELSE address END AS sent_to FROM deliveries \
         WHERE event_id = $2 AND id = $3 AND tenant_id = $1{}",
        sql::for_update(tx)
    );
    let bound = values![id.event.uuid(), id.own];
    let Some(row) = tx.one(&query, bound).await? else {
        return Ok(None);
    };
    let account: String = row.get("account")?;
    if account != r.account {
        return Ok(None);
    }
    Ok(Some(Target {
        id,
        state: row.word("deliveries", "state", id.own, DeliveryState::parse)?,
        sid: row.get("sid")?,
        attempt_no: row.get("attempt_no")?,
        channel: row.word("deliveries", "channel", id.own, Channel::parse)?,
        to: row.get("sent_to")?,
    }))
}

/// Whose message a sid is, once an answer or an earlier report said so.
async fn by_sid(tx: TenantDb<'_>, r: &NewReceipt) -> Result<Option<DeliveryId>, StoreError> {
    let query = "SELECT event_id, delivery_id AS id FROM provider_messages \
                 WHERE account = $2 AND sid = $3 AND tenant_id = $1";
    let bound = values![r.account.clone(), r.sid.clone()];
    let row = tx.one(query, bound).await?;
    row.map(|row| super::deliveries::delivery_id(&row))
        .transpose()
}

/// Keeps a receipt for when its message is known, and only the newest of them.
async fn keep_unmatched(tx: TenantDb<'_>, r: &NewReceipt) -> Result<(), StoreError> {
    let row = record![
        id: ReceiptId::new(r.now).uuid(),
        account: r.account.clone(),
        sid: r.sid.clone(),
        status: r.status.map_or("", Status::as_str),
        error_code: r.error_code,
        verified: r.is_verified,
        detail: r.detail.clone(),
        at: micros(r.now),
        word: r.word.clone(),
        opted_out: r.is_opt_out,
        reason: r.reason.clone(),
    ];
    let into = "unmatched_receipts";
    tx.insert(into, row, " ON CONFLICT DO NOTHING").await?;
    let trim = "DELETE FROM unmatched_receipts WHERE tenant_id = $1 AND id <= \
                (SELECT id FROM unmatched_receipts WHERE tenant_id = $1 \
                 ORDER BY id DESC LIMIT 1 OFFSET $2)";
    tx.exec(trim, values![UNMATCHED_KEPT]).await.map(drop)
}

/// Whether a delivery has as many receipts of the kind as are kept.
async fn is_full(tx: TenantDb<'_>, id: DeliveryId, is_verified: bool) -> Result<bool, StoreError> {
    let most = if is_verified {
        RECEIPTS_KEPT
    } else {
        HINTS_KEPT
    };
    let count = "SELECT COUNT(*) AS n FROM receipts WHERE event_id = $2 AND tenant_id = $1 \
                 AND delivery_id = $3 AND verified = $4";
    let bound = values![id.event.uuid(), id.own, is_verified];
    let row = tx.one(count, bound).await?;
    let kept: i64 = row.map_or(Ok(0), |r| r.get("n"))?;
    Ok(kept >= most)
}

async fn fold(
    tx: TenantDb<'_>,
    target: &Target,
    r: &NewReceipt,
    hasher: &AddressHasher,
) -> Result<ReceiptResult, StoreError> {
    let id = target.id;
    // The delivery's row is locked, so nobody adds one beside us. What is known to be about its own message
    // still moves the state.
    let is_full = is_full(tx, id, r.is_verified).await?;
    if is_full && (!r.is_verified || target.sid != r.sid) {
        return Ok(ReceiptResult::Dropped(id));
    }
    let kept = if is_full {
        0
    } else {
        let record = receipt_record(tx.tenant(), id, ReceiptId::new(r.now), r);
        RECEIPTS.all(tx.batch(), vec![record]).await?.len()
    };
    // An unsigned hint and its confirmation are two rows; only what is proven moves the state.
    let seen = if kept == 1 {
        ReceiptResult::Kept(id)
    } else {
        ReceiptResult::Repeated(id)
    };
    if !r.is_verified {
        return Ok(if kept == 1 {
            ReceiptResult::Hinted(id)
        } else {
            seen
        });
    }
    let attempt_no = r.attempt_no.unwrap_or(target.attempt_no);
    let message = KnownMessage {
        provider: r.provider.clone(),
        account: r.account.clone(),
        sid: r.sid.clone(),
        channel: target.channel,
        address: target.to.clone(),
        status: r.status.unwrap_or(Status::Accepted),
        accepted_at: began(tx, id, attempt_no).await?,
    };
    let is_new_message = know_message(tx, id, attempt_no, &message).await?;
    if !target.sid.is_empty() && target.sid != r.sid {
        if is_new_message {
            let step = NewStep {
                kind: StepKind::Double,
                sentence: format!(
                    "{} reports a second message ({}) beside {}: this was sent twice",
                    r.provider, r.sid, target.sid
                ),
                detail: "{}".to_owned(),
            };
            insert_step(tx, id, attempt_no, &step, r.now).await?;
        }
        return Ok(seen);
    }
    let Some(status) = r.status else {
        return Ok(seen);
    };
    let record = move_record(tx.tenant(), id, r, status);
    let moved = !MOVES.all(tx.batch(), vec![record]).await?.is_empty();
    if moved {
        leave_in_flight(tx, id).await?;
        if target.state == DeliveryState::Unknown {
            let step = NewStep {
                kind: StepKind::Found,
                sentence: format!(
                    "Found: a status report from {} names this message ({})",
                    r.provider, r.sid
                ),
                detail: "{}".to_owned(),
            };
            insert_step(tx, id, attempt_no, &step, r.now).await?;
        }
    }
    if r.is_opt_out {
        let why = format!("The recipient has opted out ({})", r.error_code);
        let why = (Source::Provider, why.as_str());
        let whom = Addressee::new(hasher, target.channel, &target.to);
        suppress(tx, whom, why, r.now).await?;
    }
    if moved && let Some(hit) = &r.hit {
        sender_rests::note(tx, hit, r.now).await?;
    }
    if moved && target.channel == Channel::Email && undelivered::is_unexplained(r) {
        let whom = Addressee::new(hasher, target.channel, &target.to);
        undelivered::give_up(tx, (id, message.accepted_at), whom, r).await?;
    }
    Ok(if moved {
        ReceiptResult::Moved(id)
    } else {
        seen
    })
}

/// When the attempt began that a message is of; 1970 when it is unknown, so that it is no witness.
async fn began(
    tx: TenantDb<'_>,
    id: DeliveryId,
    attempt_no: i64,
) -> Result<DateTime<Utc>, StoreError> {
    let query = "SELECT started_at FROM attempts WHERE event_id = $2 AND tenant_id = $1 \
                 AND delivery_id = $3 AND attempt_no = $4";
    let bound = values![id.event.uuid(), id.own, attempt_no];
    let row = tx.one(query, bound).await?;
    row.map_or(Ok(DateTime::UNIX_EPOCH), |r| r.time("started_at"))
}

const RECEIPTS: Bulk<'static> = Bulk::insert("receipts", " ON CONFLICT DO NOTHING RETURNING id");

fn receipt_record(tenant: Uuid, delivery: DeliveryId, own: ReceiptId, r: &NewReceipt) -> Record {
    record![
        event_id: delivery.event.uuid(),
        id: own.uuid(),
        tenant_id: tenant,
        delivery_id: delivery.own,
        account: r.account.clone(),
        sid: r.sid.clone(),
        status: r.word.clone(),
        error_code: r.error_code,
        source: r.source,
        verified: r.is_verified,
        detail: r.detail.clone(),
        at: micros(r.now),
    ]
}

/// The one conditional update: only a higher rank moves the state, and a code once known is not
/// wiped by a report without one, unless that says that the message has arrived.
const MOVES: Bulk<'static> = Bulk::Joined(
    "UPDATE deliveries SET state = v.state, provider_rank = v.provider_rank, sid = v.sid, \
     reason = v.reason, error_code = CASE WHEN v.state IN ('delivered', 'read') THEN 0 \
         WHEN v.error_code = 0 THEN deliveries.error_code ELSE v.error_code END, \
     hold = '', due_at = v.due_at, looks = CASE WHEN deliveries.sid = '' THEN 0 ELSE looks END, \
     lease_owner = '', lease_until = NULL, updated_at = v.now FROM v \
     WHERE deliveries.event_id = v.event_id AND deliveries.id = v.id \
     AND deliveries.tenant_id = v.tenant_id AND deliveries.provider_rank < v.provider_rank \
     AND (deliveries.sid = '' OR deliveries.sid = v.sid) \
     RETURNING deliveries.event_id, deliveries.id",
);

fn move_record(tenant: Uuid, delivery: DeliveryId, r: &NewReceipt, status: Status) -> Record {
    let state = match status.state() {
        DeliveryState::Failed | DeliveryState::Undelivered if r.is_opt_out => {
            DeliveryState::Suppressed
        }
        state => state,
    };
    let due_at = if state.is_final() { None } else { r.due_at };
    record![
        event_id: delivery.event.uuid(),
        id: delivery.own,
        tenant_id: tenant,
        state: state.as_str(),
        provider_rank: status.rank(),
        sid: r.sid.clone(),
        reason: r.reason.clone(),
        error_code: r.error_code,
        due_at: micros_opt(due_at),
        now: micros(r.now),
    ]
}

/// Receipts that came before the answers to these calls are folded, now that the sids are known.
pub(in crate::store) async fn fold_early<'a>(
    tx: BatchDb<'_>,
    changes: impl Iterator<Item = (TenantId, &'a AddressHasher, &'a Change)>,
) -> Result<(), StoreError> {
    let told: Vec<_> = changes
        .filter_map(|(tenant, hasher, c)| Some((tenant, hasher, c, c.message.as_ref()?)))
        .collect();
    let keys = told.iter().map(|(tenant, .., m)| {
        record![
            tenant_id: tenant.uuid(),
            account: m.account.clone(),
            sid: m.sid.clone(),
        ]
    });
    let select = Bulk::Joined(
        "SELECT DISTINCT u.tenant_id, u.account, u.sid FROM v JOIN unmatched_receipts u \
         ON u.tenant_id = v.tenant_id AND u.account = v.account AND u.sid = v.sid",
    );
    let mut early: HashSet<(Uuid, String, String)> = HashSet::new();
    for row in select.all(tx, keys.collect()).await? {
        early.insert((row.get("tenant_id")?, row.get("account")?, row.get("sid")?));
    }
    for (tenant, hasher, c, message) in told {
        if early.contains(&(tenant.uuid(), message.account.clone(), message.sid.clone())) {
            fold_unmatched(tx.of(tenant), hasher, c.delivery, message, c.now).await?;
        }
    }
    Ok(())
}

async fn fold_unmatched(
    tx: TenantDb<'_>,
    hasher: &AddressHasher,
    delivery: DeliveryId,
    message: &KnownMessage,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let key = || values![message.account.clone(), message.sid.clone()];
    let query = "SELECT * FROM unmatched_receipts WHERE tenant_id = $1 AND account = $2 \
                 AND sid = $3 ORDER BY id";
    let early = tx.all(query, key()).await?;
    if early.is_empty() {
        return Ok(());
    }
    for row in &early {
        let receipt = NewReceipt {
            delivery: Some(delivery),
            attempt_no: None,
            provider: message.provider.clone(),
            account: message.account.clone(),
            sid: message.sid.clone(),
            // What could not be verified is a hint: the poll that is due now asks the provider itself.
            status: Status::parse(&row.get::<String>("status")?),
            reason: row.get("reason")?,
            word: row.get("word")?,
            error_code: row.get("error_code")?,
            is_opt_out: row.get("opted_out")?,
            hit: None,
            source: CALLBACK,
            is_verified: row.get("verified")?,
            detail: row.get("detail")?,
            due_at: Some(now),
            now: row.time("at")?,
        };
        if let Some(target) = target(tx, &receipt).await? {
            fold(tx, &target, &receipt, hasher).await?;
        }
    }
    if early.iter().any(|r| matches!(r.get("verified"), Ok(false))) {
        let ask = "UPDATE deliveries SET due_at = $4 WHERE event_id = $2 AND id = $3 \
                   AND tenant_id = $1 AND due_at > $4 AND state IN ('accepted', 'sent')";
        let bound = values![delivery.event.uuid(), delivery.own, micros(now)];
        tx.exec(ask, bound).await?;
    }
    let forget =
        "DELETE FROM unmatched_receipts WHERE tenant_id = $1 AND account = $2 AND sid = $3";
    tx.exec(forget, key()).await.map(drop)
}
