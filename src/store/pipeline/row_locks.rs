//! Locks on the rows of deliveries, taken before they are updated.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::domain::ids::{DeliveryId, TenantId};
use crate::store::StoreError;
use crate::store::engine::database_clock::NOW;
use crate::store::engine::db::BatchDb;
use crate::store::engine::db::bulk::{Bulk, record};
use crate::store::engine::sql;

/// Locks rows before they are updated: a conditional update reads what was committed when it began, not
/// when it got the row; and two batches that took the same rows in another order would stand still.
/// Answers the server's time, unless there was nothing to lock.
pub(in crate::store) async fn lock_deliveries(
    tx: BatchDb<'_>,
    deliveries: impl Iterator<Item = (TenantId, DeliveryId)>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    if !sql::is_postgres(tx) {
        return Ok(None);
    }
    let ids: BTreeSet<(DeliveryId, TenantId)> = deliveries.map(|(t, d)| (d, t)).collect();
    let records = ids
        .iter()
        .map(|(d, tenant)| record![event_id: d.event.uuid(), id: d.own, tenant_id: tenant.uuid()]);
    let select = format!(
        "SELECT d.id, {NOW} AS now FROM v JOIN deliveries d ON d.event_id = v.event_id \
         AND d.id = v.id AND d.tenant_id = v.tenant_id \
         ORDER BY d.event_id, d.id FOR UPDATE OF d"
    );
    let rows = Bulk::Joined(&select).all(tx, records.collect()).await?;
    rows.first().map(|row| row.time("now")).transpose()
}
