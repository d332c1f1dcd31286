//! Consents that were begun in a browser: whichever process it comes back to takes them, once.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::ids::TenantId;
use crate::store::engine::db::UnscopedDb;
use crate::store::engine::db::bulk::record;
use crate::store::engine::sql::{Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::{Platform, StoreError, TenantStore};

/// How many consents of one tenant may be under way; older ones are dropped, since each holds a
/// typed secret.
const MOST: i64 = 20;

/// A consent that was begun.
#[derive(Debug, Clone)]
pub struct StoredConsent {
    pub id: Uuid,
    pub tenant: TenantId,
    /// The digest of what Zoho hands back.
    pub state: [u8; 32],
    /// The digest of the session that began.
    pub session: [u8; 32],
    /// The data centre's `location`.
    pub region: String,
    pub client_id: String,
    /// Sealed.
    pub client_secret: Vec<u8>,
    /// The organisation wished for, or empty.
    pub organization_id: String,
    pub actor: String,
    pub expires_at: DateTime<Utc>,
}

impl TenantStore {
    /// Keeps a consent of this tenant, and sweeps out what is over.
    pub async fn begin_consent(
        &self,
        consent: StoredConsent,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let writer = self.writer();
        let work = writer.edit_unlocked(work!([consent], async |tx| {
            let all = tx.unscoped("what is over is swept out for everybody");
            sweep(all, now).await?;
            let row = record![
                id: consent.id,
                state: consent.state.to_vec(),
                session: consent.session.to_vec(),
                region: consent.region,
                client_id: consent.client_id,
                client_secret: consent.client_secret,
                organization_id: consent.organization_id,
                actor: consent.actor,
                expires_at: micros(consent.expires_at),
            ];
            tx.insert("consents", row, "").await?;
            let too_many = "DELETE FROM consents WHERE tenant_id = $1 AND id NOT IN \
                            (SELECT id FROM consents WHERE tenant_id = $1 \
                             ORDER BY id DESC LIMIT $2)";
            tx.exec(too_many, values![MOST]).await.map(drop)
        }));
        work.await
    }
}

impl Platform {
    /// The tenant for which this session began this consent, unless it is over.
    pub async fn consent_tenant(
        &self,
        state: [u8; 32],
        session: [u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Option<TenantId>, StoreError> {
        let query = "SELECT tenant_id FROM consents \
                     WHERE state = $1 AND session = $2 AND expires_at > $3";
        let bound = values![state.to_vec(), session.to_vec(), micros(now)];
        let row = self.db().one(query, bound).await?;
        row.map(|r| Ok(TenantId::from_uuid(r.get("tenant_id")?)))
            .transpose()
    }

    /// Takes a consent away for the session that began it. Of two that ask at once, one gets it.
    pub async fn take_consent(
        &self,
        state: [u8; 32],
        session: [u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Option<StoredConsent>, StoreError> {
        let work = self.writer().edit(work!(async |tx| {
            let take = "DELETE FROM consents \
                        WHERE state = $1 AND session = $2 AND expires_at > $3 RETURNING *";
            let bound = values![state.to_vec(), session.to_vec(), micros(now)];
            let row = tx.one(take, bound).await?;
            row.map(|r| consent(&r, state, session)).transpose()
        }));
        work.await
    }

    /// Sweeps out consents that are over; how many there were. Writes nothing when there are none.
    pub async fn sweep_consents(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let any = "SELECT id FROM consents WHERE expires_at <= $1 LIMIT 1";
        if self.db().one(any, values![micros(now)]).await?.is_none() {
            return Ok(0);
        }
        let work = self
            .writer()
            .edit(work!(async |tx| { sweep(tx, now).await }));
        work.await
    }
}

async fn sweep(db: UnscopedDb<'_>, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let over = "DELETE FROM consents WHERE expires_at <= $1";
    db.exec(over, values![micros(now)]).await
}

fn consent(row: &Row, state: [u8; 32], session: [u8; 32]) -> Result<StoredConsent, StoreError> {
    Ok(StoredConsent {
        id: row.get("id")?,
        tenant: TenantId::from_uuid(row.get("tenant_id")?),
        state,
        session,
        region: row.get("region")?,
        client_id: row.get("client_id")?,
        client_secret: row.get("client_secret")?,
        organization_id: row.get("organization_id")?,
        actor: row.get("actor")?,
        expires_at: row.time("expires_at")?,
    })
}
