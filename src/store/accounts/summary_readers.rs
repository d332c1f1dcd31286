//! Members who get our mails: owners, and who reads the daily summary.

use chrono::{DateTime, Utc};

use super::users::{User, user};
use crate::domain::actor::Actor;
use crate::domain::ids::UserId;
use crate::store::audit::{AuditLine, audit};
use crate::store::engine::sql::values;
use crate::store::engine::writer::work;
use crate::store::{StoreError, TenantStore};

/// Who gets the daily summary: by their own word, and without one, owners.
const WANTS_MORNING: &str = "COALESCE(m.morning_mail, m.role = 'owner')";

impl TenantStore {
    /// The tenant's owners.
    pub async fn owners(&self) -> Result<Vec<User>, StoreError> {
        self.members_such("m.role = 'owner'").await
    }

    /// Members who get the daily summary.
    pub async fn morning_readers(&self) -> Result<Vec<User>, StoreError> {
        self.members_such(WANTS_MORNING).await
    }

    async fn members_such(&self, such: &str) -> Result<Vec<User>, StoreError> {
        let query = format!(
            "SELECT u.* FROM members m JOIN users u ON u.id = m.user_id \
             WHERE m.tenant_id = $1 AND {such} ORDER BY u.id LIMIT 200"
        );
        let rows = self.db().all(&query, vec![]).await?;
        rows.iter().map(user).collect()
    }

    /// Whether a member gets the daily summary; `None` for who is no member.
    pub async fn wants_morning(&self, of: UserId) -> Result<Option<bool>, StoreError> {
        let query = format!(
            "SELECT {WANTS_MORNING} AS wants FROM members m \
             WHERE m.tenant_id = $1 AND m.user_id = $2"
        );
        let row = self.db().one(&query, values![of.uuid()]).await?;
        row.map(|r| r.get("wants")).transpose()
    }

    /// Switches a member's daily summary; `false` for who is no member.
    pub async fn switch_morning(
        &self,
        of: UserId,
        wants: bool,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.writer()
            .record(work!([actor], async |tx| {
                let switch = "UPDATE members SET morning_mail = $3 \
                              WHERE tenant_id = $1 AND user_id = $2";
                if tx.exec(switch, values![of.uuid(), wants]).await? == 0 {
                    return Ok(false);
                }
                let line = AuditLine {
                    subject: actor.name.clone(),
                    actor,
                    action: "morning_mail.switched",
                    detail: serde_json::json!({ "old": !wants, "new": wants }).to_string(),
                };
                audit(tx, line, now).await?;
                Ok(true)
            }))
            .await
    }
}
