//! Suppressions: what the claim reads, and what people and recipients change.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::sql::{self, micros, values};
use super::writer::Tx;
use super::{StoreError, TenantStore};
use crate::domain::delivery::{Channel, Delivery};
use crate::domain::ids::SuppressionId;
use crate::domain::suppression::Source;

impl TenantStore {
    /// Why an address must not be written to, if so; the oldest reason.
    pub async fn suppression(
        &self,
        channel: Channel,
        address: &str,
    ) -> Result<Option<String>, StoreError> {
        let query = "SELECT reason FROM suppressions WHERE tenant_id = $1 AND channel = $2 \
                     AND address = $3 ORDER BY created_at, source LIMIT 1";
        let found = values![self.id.uuid(), channel.as_str(), address];
        sql::one(self.db(), query, found)
            .await?
            .map(|r| r.get("reason"))
            .transpose()
    }

    /// Why a delivery must not be sent, if so: because of the address that is meant, or of the
    /// owner's own number in a rehearsal.
    pub async fn suppression_of(&self, d: &Delivery) -> Result<Option<String>, StoreError> {
        let meant = self.suppression(d.channel, &d.address).await?;
        if meant.is_some() || !d.is_rehearsal {
            return Ok(meant);
        }
        self.suppression(d.channel, &d.rehearsal_to).await
    }
}

/// Keeps an address from being written to again; `false` when this source did so before.
pub(super) async fn suppress(
    tx: &Tx,
    tenant: Uuid,
    channel: Channel,
    address: &str,
    why: (Source, &str),
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let insert = "INSERT INTO suppressions (id, tenant_id, channel, address, source, reason, \
                  created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, '', $7) \
                  ON CONFLICT DO NOTHING";
    let bound = values![
        SuppressionId::new(now).uuid(),
        tenant,
        channel.as_str(),
        address,
        why.0.as_str(),
        why.1,
        micros(now)
    ];
    Ok(sql::exec(tx, insert, bound).await? == 1)
}
