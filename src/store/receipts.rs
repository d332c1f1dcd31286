//! Receipts: what the provider said later, folded by rank in one conditional update.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::outcomes::{KnownMessage, NewStep, insert_step, know_message, leave_in_flight};
use super::sql::{self, micros, micros_opt, values};
use super::suppressions::suppress;
use super::writer::{Lane, Tx};
use super::{StoreError, TenantStore};
use crate::domain::delivery::{Channel, DeliveryState, ProviderStatus, StepKind};
use crate::domain::ids::{DeliveryId, ReceiptId};
use crate::domain::suppression::Source;

/// Opted out (Twilio's error dictionary, 21610): the address must not be written to again.
const OPTED_OUT: i64 = 21610;

/// A status that the provider reported.
#[derive(Debug, Clone)]
pub struct NewReceipt {
    /// Our id, when the report bears it; otherwise the sid tells.
    pub delivery: Option<DeliveryId>,
    /// The attempt in the report's address, when it bears one.
    pub attempt_no: Option<i64>,
    pub account: String,
    pub sid: String,
    /// The provider's own word.
    pub word: String,
    /// What the word means; `None` changes nothing.
    pub status: Option<ProviderStatus>,
    pub error_code: i64,
    /// The state in words, for the delivery's row.
    pub reason: String,
    /// `callback` or `poll`.
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
    /// Told before.
    Repeated(DeliveryId),
    /// No delivery is known for it yet.
    Unmatched,
}

impl TenantStore {
    /// Keeps a receipt and folds it into the delivery's state.
    pub async fn receive(&self, receipt: NewReceipt) -> Result<ReceiptResult, StoreError> {
        let tenant = self.id.uuid();
        let is_alone = receipt.error_code == OPTED_OUT;
        self.writer()
            .write_alone_if(is_alone, Lane::Receipt, move |tx| {
                let receipt = receipt.clone();
                Box::pin(async move { run(tx, tenant, &receipt).await })
            })
            .await
    }
}

async fn run(tx: &Tx, tenant: Uuid, r: &NewReceipt) -> Result<ReceiptResult, StoreError> {
    sql::hold_message(tx, &r.account, &r.sid).await?;
    let Some(target) = target(tx, tenant, r).await? else {
        keep_unmatched(tx, r).await?;
        return Ok(ReceiptResult::Unmatched);
    };
    fold(tx, tenant, &target, r).await
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

async fn target(tx: &Tx, tenant: Uuid, r: &NewReceipt) -> Result<Option<Target>, StoreError> {
    let id = match r.delivery {
        None => by_sid(tx, tenant, r).await?,
        known => known,
    };
    let Some(id) = id else { return Ok(None) };
    let query = format!(
        "SELECT state, sid, attempt_no, channel, account, \
         CASE WHEN is_rehearsal THEN rehearsal_to ELSE address END AS sent_to FROM deliveries \
         WHERE event_id = $1 AND id = $2 AND tenant_id = $3{}",
        sql::for_update(tx)
    );
    let bound = values![id.event.uuid(), id.own, tenant];
    let Some(row) = sql::one(tx, &query, bound).await? else {
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
async fn by_sid(tx: &Tx, tenant: Uuid, r: &NewReceipt) -> Result<Option<DeliveryId>, StoreError> {
    let query = "SELECT event_id, delivery_id AS id FROM provider_messages \
                 WHERE account = $1 AND sid = $2 AND tenant_id = $3";
    let bound = values![r.account.clone(), r.sid.clone(), tenant];
    let row = sql::one(tx, query, bound).await?;
    row.map(|row| super::deliveries::delivery_id(&row))
        .transpose()
}

async fn keep_unmatched(tx: &Tx, r: &NewReceipt) -> Result<(), StoreError> {
    sql::exec(
        tx,
        "INSERT INTO unmatched_receipts (id, account, sid, status, error_code, verified, detail, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        values![ReceiptId::new(r.now).uuid(), r.account.clone(), r.sid.clone(), r.word.clone(),
            r.error_code, r.is_verified, r.detail.clone(), micros(r.now)],
    )
    .await
    .map(drop)
}

async fn fold(
    tx: &Tx,
    tenant: Uuid,
    target: &Target,
    r: &NewReceipt,
) -> Result<ReceiptResult, StoreError> {
    let id = target.id;
    let kept = sql::exec(
        tx,
        "INSERT INTO receipts (event_id, id, tenant_id, delivery_id, account, sid, status, \
         error_code, source, verified, detail, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING",
        values![
            id.event.uuid(),
            ReceiptId::new(r.now).uuid(),
            tenant,
            id.own,
            r.account.clone(),
            r.sid.clone(),
            r.word.clone(),
            r.error_code,
            r.source,
            r.is_verified,
            r.detail.clone(),
            micros(r.now)
        ],
    )
    .await?;
    // An unsigned hint and its confirmation are two rows; only what is proven moves the state.
    let seen = if kept == 1 {
        ReceiptResult::Kept(id)
    } else {
        ReceiptResult::Repeated(id)
    };
    if !r.is_verified {
        return Ok(seen);
    }
    let attempt_no = r.attempt_no.unwrap_or(target.attempt_no);
    let message = KnownMessage {
        account: r.account.clone(),
        sid: r.sid.clone(),
        address: target.to.clone(),
        status: r.status.unwrap_or(ProviderStatus::Accepted),
        accepted_at: began(tx, tenant, id, attempt_no).await?,
    };
    let is_new_message = know_message(tx, tenant, id, attempt_no, &message).await?;
    if !target.sid.is_empty() && target.sid != r.sid {
        if is_new_message {
            let step = NewStep {
                kind: StepKind::Double,
                sentence: format!(
                    "Twilio reports a second message ({}) beside {}: this was sent twice",
                    r.sid, target.sid
                ),
                detail: "{}".to_owned(),
            };
            insert_step(tx, tenant, id, attempt_no, &step, r.now).await?;
        }
        return Ok(seen);
    }
    let Some(status) = r.status else {
        return Ok(seen);
    };
    let moved = move_state(tx, tenant, target, r, status).await?;
    if moved {
        leave_in_flight(tx, id).await?;
        if target.state == DeliveryState::Unknown {
            let step = NewStep {
                kind: StepKind::Found,
                sentence: format!(
                    "Found: a status report from Twilio names this message ({})",
                    r.sid
                ),
                detail: "{}".to_owned(),
            };
            insert_step(tx, tenant, id, attempt_no, &step, r.now).await?;
        }
    }
    if r.error_code == OPTED_OUT {
        let why = (Source::Provider, "The recipient has opted out (21610)");
        suppress(tx, tenant, target.channel, &target.to, why, r.now).await?;
    }
    Ok(if moved {
        ReceiptResult::Moved(id)
    } else {
        seen
    })
}

/// When the attempt began that a message is of; 1970 when it is unknown, so that it is no witness.
async fn began(
    tx: &Tx,
    tenant: Uuid,
    id: DeliveryId,
    attempt_no: i64,
) -> Result<DateTime<Utc>, StoreError> {
    let query = "SELECT started_at FROM attempts WHERE event_id = $1 AND tenant_id = $2 \
                 AND delivery_id = $3 AND attempt_no = $4";
    let bound = values![id.event.uuid(), tenant, id.own, attempt_no];
    let row = sql::one(tx, query, bound).await?;
    row.map_or(Ok(DateTime::UNIX_EPOCH), |r| r.time("started_at"))
}

/// The one conditional update: only a higher rank moves the state, and a code once known is not
/// wiped by a report without one.
async fn move_state(
    tx: &Tx,
    tenant: Uuid,
    target: &Target,
    r: &NewReceipt,
    status: ProviderStatus,
) -> Result<bool, StoreError> {
    let state = match status.state() {
        DeliveryState::Failed | DeliveryState::Undelivered if r.error_code == OPTED_OUT => {
            DeliveryState::Suppressed
        }
        state => state,
    };
    let due_at = if state.is_final() { None } else { r.due_at };
    let update = "UPDATE deliveries SET state = $4, provider_rank = $5, sid = $6, reason = $7, \
                  error_code = CASE WHEN $8 = 0 THEN error_code ELSE $8 END, hold = '', \
                  due_at = $9, looks = CASE WHEN sid = '' THEN 0 ELSE looks END, \
                  lease_owner = '', lease_until = NULL, updated_at = $10 \
                  WHERE event_id = $1 AND id = $2 AND tenant_id = $3 AND provider_rank < $5 \
                  AND (sid = '' OR sid = $6)";
    let bound = values![
        target.id.event.uuid(),
        target.id.own,
        tenant,
        state.as_str(),
        status.rank(),
        r.sid.clone(),
        r.reason.clone(),
        r.error_code,
        micros_opt(due_at),
        micros(r.now)
    ];
    Ok(sql::exec(tx, update, bound).await? == 1)
}

/// Receipts that came before the answer to the call are folded once the sid is known.
pub(super) async fn fold_unmatched(
    tx: &Tx,
    tenant: Uuid,
    delivery: DeliveryId,
    message: &KnownMessage,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let key = || values![message.account.clone(), message.sid.clone()];
    let query = "SELECT * FROM unmatched_receipts WHERE account = $1 AND sid = $2 ORDER BY id";
    let early = sql::all(tx, query, key()).await?;
    if early.is_empty() {
        return Ok(());
    }
    for row in &early {
        let word: String = row.get("status")?;
        let is_verified: bool = row.get("verified")?;
        let receipt = NewReceipt {
            delivery: Some(delivery),
            attempt_no: None,
            account: message.account.clone(),
            sid: message.sid.clone(),
            // What could not be verified is a hint: the poll that is due now asks Twilio itself.
            status: ProviderStatus::parse(&word).filter(|_| is_verified),
            reason: format!("Twilio says: {word}"),
            word,
            error_code: row.get("error_code")?,
            source: "callback",
            is_verified,
            detail: row.get("detail")?,
            due_at: Some(now),
            now: row.time("at")?,
        };
        if let Some(target) = target(tx, tenant, &receipt).await? {
            fold(tx, tenant, &target, &receipt).await?;
        }
    }
    if early.iter().any(|r| matches!(r.get("verified"), Ok(false))) {
        let ask = "UPDATE deliveries SET due_at = $4 WHERE event_id = $1 AND id = $2 \
                   AND tenant_id = $3 AND due_at > $4 AND state IN ('accepted', 'sent')";
        let bound = values![delivery.event.uuid(), delivery.own, tenant, micros(now)];
        sql::exec(tx, ask, bound).await?;
    }
    let forget = "DELETE FROM unmatched_receipts WHERE account = $1 AND sid = $2";
    sql::exec(tx, forget, key()).await.map(drop)
}
