//! Reminders of one customer that a reader stopped, and took back, by the link in one of them.

use chrono::{DateTime, Utc};

use super::steps::{NewStep, insert_step};
use crate::domain::actor::Actor;
use crate::domain::delivery::{Delivery, StepKind};
use crate::domain::suppression::Source;
use crate::store::audit::{AuditLine, audit};
use crate::store::engine::sql::values;
use crate::store::engine::writer::work;
use crate::store::tenant::suppressions::{Addressee, suppress};
use crate::store::{StoreError, TenantStore};

impl TenantStore {
    /// Whether the reader of a reminder has stopped those like it.
    pub async fn has_stopped_reminders(&self, d: &Delivery) -> Result<bool, StoreError> {
        let query = "SELECT 1 AS one FROM suppressions WHERE tenant_id = $1 AND channel = $2 \
                     AND address_hash = $3 AND source = 'reader' AND scope = $4";
        let hash = self.hasher()?.hash(d.channel, &d.address);
        let bound = values![d.channel.as_str(), hash, d.scope()];
        Ok(self.db().one(query, bound).await?.is_some())
    }

    /// Keeps the reader of a reminder from being sent another one of the same customer; `false` when they
    /// stopped them before.
    pub async fn stop_reminders(
        &self,
        of: Delivery,
        reason: String,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let hash = self.hasher()?.hash(of.channel, &of.address);
        self.writer()
            .edit(work!([of, reason], async |tx| {
                let scope = of.scope();
                let whom = Addressee {
                    channel: of.channel,
                    address: &of.address,
                    hash,
                    scope: &scope,
                };
                if !suppress(tx, whom, (Source::Reader, &reason), now).await? {
                    return Ok(false);
                }
                let step = NewStep {
                    kind: StepKind::ReaderStopped,
                    sentence: "The reader stopped reminders by the link in this e-mail".to_owned(),
                    detail: "{}".to_owned(),
                };
                insert_step(tx, of.id, of.attempt_no, &step, now).await?;
                audit(tx, line(&of, "suppression.added", "stop"), now).await?;
                Ok(true)
            }))
            .await
    }

    /// The reader of a reminder wants others again; `false` when they did not stop them.
    pub async fn resume_reminders(
        &self,
        of: Delivery,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let hash = self.hasher()?.hash(of.channel, &of.address);
        self.writer()
            .edit(work!([of], async |tx| {
                let lift = "DELETE FROM suppressions WHERE tenant_id = $1 AND channel = $2 \
                            AND address_hash = $3 AND source = 'reader' AND scope = $4";
                let bound = values![of.channel.as_str(), hash, of.scope()];
                if tx.exec(lift, bound).await? == 0 {
                    return Ok(false);
                }
                let step = NewStep {
                    kind: StepKind::ReaderResumed,
                    sentence: "The reader wants reminders again".to_owned(),
                    detail: "{}".to_owned(),
                };
                insert_step(tx, of.id, of.attempt_no, &step, now).await?;
                audit(tx, line(&of, "suppression.lifted", "take_back"), now).await?;
                Ok(true)
            }))
            .await
    }
}

fn line(of: &Delivery, action: &'static str, pressed: &str) -> AuditLine {
    let detail = serde_json::json!({
        "channel": of.channel.as_str(), "pressed": pressed, "scope": of.scope(),
    });
    let recipient = Actor::named("the recipient");
    AuditLine::new(recipient, action, of.address.clone(), &detail)
}
