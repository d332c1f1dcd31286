//! Receipts: what the provider said later, folded by rank in one conditional update.

pub(in crate::store) mod early;
mod fold;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use uuid::Uuid;

use super::new_receipt::{CALLBACK, NewReceipt};
use super::provider_messages::hold_messages;
use super::row_locks::lock_deliveries;
use super::undelivered;
use crate::domain::address_hash::AddressHasher;
use crate::domain::ids::{DeliveryId, ReceiptId, TenantId};
use crate::store::engine::db::bulk::{Bulk, Record, record};
use crate::store::engine::db::{BatchDb, TenantDb};
use crate::store::engine::sql::values;
use crate::store::engine::writer::{BatchCommand, TenantLock, WITHIN, within};
use crate::store::pipeline::index_predicates::PLAIN_STATE;
use crate::store::{StoreError, TenantStore};
use early::keep_unmatched;
use fold::{MOVES, RECEIPTS, fold, move_record, receipt_record, target};

/// How many receipts of a delivery are kept that nobody proved: each is a hint, and anybody may give it who
/// knows the address.
pub const HINTS_KEPT: i64 = 8;

/// How many others. Providers tell about six, of which a few may come with an error.
pub const RECEIPTS_KEPT: i64 = 50;

/// How many receipts of a tenant are kept that fit none of its messages: the newest.
pub const UNMATCHED_KEPT: i64 = 200;

/// What a receipt did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptResult {
    /// The delivery's state moved on.
    Moved(DeliveryId),
    /// Kept, but the state already ranks as high.
    Kept(DeliveryId),
    /// Kept, but nobody proved it: the provider is to be asked.
    Hinted(DeliveryId),
    /// Reported before.
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
        hold_messages(tx, messages).await?;
        let named = all
            .iter()
            .filter_map(|r| Some((r.tenant, r.receipt.delivery?)));
        lock_deliveries(tx, named).await?;
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
