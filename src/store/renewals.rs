//! A text that is made anew before its message is first tried.

use chrono::{DateTime, Utc};

use super::outcomes::{NewStep, insert_steps};
use super::route::fingerprint;
use super::sql::{micros, values};
use super::writer::Lane;
use super::{StoreError, TenantStore};
use crate::domain::assertion::Says;
use crate::domain::ids::{DeliveryId, StepId};

/// The new text of a message, and why.
#[derive(Debug, Clone)]
pub struct Renewal {
    pub delivery: DeliveryId,
    pub body: String,
    pub says: Says,
    pub step: NewStep,
}

impl TenantStore {
    /// Gives a message that was never tried its new text; `false` when it moved on meanwhile.
    pub async fn renew(&self, renewal: Renewal, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let step_id = StepId::new(now);
        self.writer()
            .write(Lane::Outcome, move |tx| {
                let r = renewal.clone();
                Box::pin(async move {
                    let renew = "UPDATE deliveries SET body = $4, fingerprint = $5, says = $6, \
                                 updated_at = $7 WHERE event_id = $2 AND id = $3 \
                                 AND tenant_id = $1 AND attempt_no = 0 AND state = 'queued'";
                    let bound = values![
                        r.delivery.event.uuid(),
                        r.delivery.own,
                        r.body.clone(),
                        fingerprint(&r.body),
                        serde_json::to_string(&r.says).unwrap_or_default(),
                        micros(now)
                    ];
                    if tx.exec(renew, bound).await? == 0 {
                        return Ok(false);
                    }
                    insert_steps(tx, &[(r.delivery, 0, step_id)], &r.step, now).await?;
                    Ok(true)
                })
            })
            .await
    }
}
