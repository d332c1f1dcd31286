//! The steps of a delivery, appended with the change that they are about.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::delivery::StepKind;
use crate::domain::ids::{DeliveryId, StepId};
use crate::store::StoreError;
use crate::store::engine::db::TenantDb;
use crate::store::engine::db::bulk::{Bulk, Record, record};
use crate::store::engine::packed::Packed;
use crate::store::engine::sql::micros;

/// A step to be appended.
#[derive(Debug, Clone)]
pub struct NewStep {
    pub kind: StepKind,
    pub sentence: String,
    /// JSON.
    pub detail: String,
}

pub(in crate::store) async fn insert_step(
    tx: TenantDb<'_>,
    delivery: DeliveryId,
    attempt_no: i64,
    step: &NewStep,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let row = (delivery, attempt_no, StepId::new(now));
    insert_steps(tx, &[row], step, now).await
}

/// The same step for many deliveries, each with the number of its attempt and an id; a step that is
/// there already stays as it is.
pub(in crate::store) async fn insert_steps(
    tx: TenantDb<'_>,
    deliveries: &[(DeliveryId, i64, StepId)],
    step: &NewStep,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let detail = Packed::of(&step.detail);
    let records = deliveries
        .iter()
        .map(|key| step_record(tx.tenant(), *key, (step, &detail), now));
    STEPS.exec(tx.batch(), records.collect()).await.map(drop)
}

pub(super) const STEPS: Bulk<'static> = Bulk::insert("delivery_steps", " ON CONFLICT DO NOTHING");

pub(super) fn step_record(
    tenant: Uuid,
    (delivery, attempt_no, id): (DeliveryId, i64, StepId),
    (step, detail): (&NewStep, &Packed),
    now: DateTime<Utc>,
) -> Record {
    record![
        event_id: delivery.event.uuid(),
        id: id.uuid(),
        tenant_id: tenant,
        delivery_id: delivery.own,
        attempt_no: attempt_no,
        kind: step.kind.as_str(),
        sentence: step.sentence.clone(),
        detail: detail.value(),
        at: micros(now),
    ]
}
