//! A text that is made anew before its message is first tried.

use chrono::{DateTime, Utc};

use super::contents;
use super::steps::{NewStep, insert_steps};
use crate::domain::assertion::Says;
use crate::domain::content::Content;
use crate::domain::ids::{DeliveryId, StepId};
use crate::store::engine::sql::{micros, values};
use crate::store::engine::writer::work;
use crate::store::{StoreError, TenantStore};

/// The new content of a message, and why.
#[derive(Debug, Clone)]
pub struct Renewal {
    pub delivery: DeliveryId,
    pub content: Content,
    pub says: Says,
    pub step: NewStep,
}

impl TenantStore {
    /// Gives a message that was never tried its new content; `false` when it moved on meanwhile.
    pub async fn renew(&self, renewal: Renewal, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let step_id = StepId::new(now);
        self.writer()
            .record_outcome(work!([renewal], async |tx| {
                let renew = "UPDATE deliveries SET fingerprint = $4, says = $5, \
                             updated_at = $6 WHERE event_id = $2 AND id = $3 \
                             AND tenant_id = $1 AND attempt_no = 0 AND state = 'queued'";
                let bound = values![
                    renewal.delivery.event.uuid(),
                    renewal.delivery.own,
                    renewal.content.fingerprint(),
                    serde_json::to_string(&renewal.says).unwrap_or_default(),
                    micros(now)
                ];
                if tx.exec(renew, bound).await? == 0 {
                    return Ok(false);
                }
                contents::replace(tx, renewal.delivery, &renewal.content).await?;
                insert_steps(tx, &[(renewal.delivery, 0, step_id)], &renewal.step, now).await?;
                Ok(true)
            }))
            .await
    }
}
