//! Letters of the service itself, until they are handed over.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::sql::{self, micros, values};
use super::writer::{Lane, Turn, Tx};
use super::{Platform, StoreError};
use crate::domain::ids::TenantId;

/// A letter as it is kept.
#[derive(Debug, Clone)]
pub struct StoredMail {
    pub id: Uuid,
    pub tenant: Option<TenantId>,
    pub recipient: String,
    pub kind: String,
    /// Unique: a second letter of the same wish is not kept.
    pub once: String,
    /// Subject and text.
    pub sealed: Vec<u8>,
}

impl Platform {
    /// Keeps a letter, due now; `false` when the same one was kept before.
    pub async fn keep_mail(
        &self,
        mail: StoredMail,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let work = self.store.writer.write(Lane::Edit, Turn::Free, move |tx| {
            let m = mail.clone();
            Box::pin(async move { insert_mail(tx, m, now).await })
        });
        work.await
    }
}

/// Keeps a letter within the transaction of what it tells of; `false` when the same one was kept
/// before.
pub(super) async fn insert_mail(
    tx: &Tx,
    m: StoredMail,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let insert = "INSERT INTO mails (id, tenant_id, recipient, kind, once, sealed, state, \
                              reason, tries, due_at, created_at, updated_at) \
                              VALUES ($1, $2, $3, $4, $5, $6, 'waiting', '', 0, $7, $7, $7) \
                              ON CONFLICT (once) DO NOTHING";
    let tenant = m.tenant.map_or_else(Uuid::nil, TenantId::uuid);
    let row = values![
        m.id,
        tenant,
        m.recipient,
        m.kind,
        m.once,
        m.sealed,
        micros(now)
    ];
    Ok(sql::exec(tx, insert, row).await? == 1)
}
