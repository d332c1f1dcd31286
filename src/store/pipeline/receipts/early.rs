//! Receipts that come before the answer to the call: kept apart until somebody says whose message it is.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::UNMATCHED_KEPT;
use super::fold::{fold, target};
use crate::domain::address_hash::AddressHasher;
use crate::domain::ids::{DeliveryId, ReceiptId, TenantId};
use crate::domain::report::Status;
use crate::store::StoreError;
use crate::store::engine::db::bulk::{Bulk, record};
use crate::store::engine::db::{BatchDb, TenantDb};
use crate::store::engine::sql::{micros, values};
use crate::store::pipeline::new_receipt::{CALLBACK, NewReceipt};
use crate::store::pipeline::provider_messages::KnownMessage;

/// Keeps a receipt for when its message is known, and only the newest of them.
pub(super) async fn keep_unmatched(tx: TenantDb<'_>, r: &NewReceipt) -> Result<(), StoreError> {
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

/// The answer to a call named this message.
#[derive(Clone, Copy)]
pub(in crate::store) struct AcceptedMessage<'a> {
    pub(in crate::store) tenant: TenantId,
    pub(in crate::store) delivery: DeliveryId,
    pub(in crate::store) hasher: &'a AddressHasher,
    pub(in crate::store) message: &'a KnownMessage,
    pub(in crate::store) now: DateTime<Utc>,
}

/// Receipts that came before the answers to these calls are folded, now that the sids are known.
pub(in crate::store) async fn fold_early<'a>(
    tx: BatchDb<'_>,
    accepted: impl Iterator<Item = AcceptedMessage<'a>>,
) -> Result<(), StoreError> {
    let accepted: Vec<_> = accepted.collect();
    let keys = accepted.iter().map(|of| {
        let (tenant, m) = (of.tenant, of.message);
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
    for of in accepted {
        let (tenant, m) = (of.tenant, of.message);
        if early.contains(&(tenant.uuid(), m.account.clone(), m.sid.clone())) {
            fold_unmatched(tx.of(tenant), of).await?;
        }
    }
    Ok(())
}

async fn fold_unmatched(tx: TenantDb<'_>, of: AcceptedMessage<'_>) -> Result<(), StoreError> {
    let AcceptedMessage {
        delivery,
        hasher,
        message,
        now,
        ..
    } = of;
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
