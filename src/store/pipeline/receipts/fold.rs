//! A receipt beside the delivery that it is about: kept, and folded into its state.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{ReceiptResult, is_full};
use crate::domain::address_hash::AddressHasher;
use crate::domain::delivery::{Channel, DeliveryState, StepKind};
use crate::domain::ids::{DeliveryId, ReceiptId};
use crate::domain::report::Status;
use crate::domain::suppression::Source;
use crate::store::StoreError;
use crate::store::engine::db::TenantDb;
use crate::store::engine::db::bulk::{Bulk, Record, record};
use crate::store::engine::sql::{self, micros, micros_opt, values};
use crate::store::pipeline::new_receipt::NewReceipt;
use crate::store::pipeline::provider_messages::{KnownMessage, know_message};
use crate::store::pipeline::send_lock::release_send_lock;
use crate::store::pipeline::steps::{NewStep, insert_step};
use crate::store::pipeline::{deliveries, sender_rests, undelivered};
use crate::store::tenant::suppressions::{Addressee, suppress};

/// The delivery that a receipt is about.
pub(super) struct Target {
    id: DeliveryId,
    state: DeliveryState,
    pub(super) sid: String,
    attempt_no: i64,
    channel: Channel,
    /// Where it really went.
    to: String,
}

pub(super) async fn target(tx: TenantDb<'_>, r: &NewReceipt) -> Result<Option<Target>, StoreError> {
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
    row.map(|row| deliveries::delivery_id(&row)).transpose()
}

pub(super) async fn fold(
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
        release_send_lock(tx, id).await?;
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

/// When the attempt began that a message is of; 1970 when it is unknown, so that it proves nothing.
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

pub(super) const RECEIPTS: Bulk<'static> =
    Bulk::insert("receipts", " ON CONFLICT DO NOTHING RETURNING id");

pub(super) fn receipt_record(
    tenant: Uuid,
    delivery: DeliveryId,
    own: ReceiptId,
    r: &NewReceipt,
) -> Record {
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
pub(super) const MOVES: Bulk<'static> = Bulk::Joined(
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

pub(super) fn move_record(
    tenant: Uuid,
    delivery: DeliveryId,
    r: &NewReceipt,
    status: Status,
) -> Record {
    let state = match DeliveryState::from(status) {
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
