//! What waits for a worker, and the leases of workers that died.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::deliveries::Due;
use crate::domain::delivery::{Channel, Hold};
use crate::domain::ids::{EventId, ReplayId, TenantId};
use crate::store::engine::sql::{Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::pipeline::index_predicates::RESTING;
use crate::store::{Platform, StoreError, TenantStore};

/// How far a walk over everything that is due has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueCursor {
    event: Uuid,
    replay: Uuid,
    delivery: (i64, Uuid),
    mail: (i64, Uuid),
}

impl Default for DueCursor {
    fn default() -> Self {
        Self {
            event: Uuid::nil(),
            replay: Uuid::nil(),
            delivery: (i64::MIN, Uuid::nil()),
            mail: (i64::MIN, Uuid::nil()),
        }
    }
}

impl Platform {
    /// Events, replays, deliveries and e-mails that wait for a worker: the next of each behind the cursor,
    /// which then stands behind them, or at the beginning again where there were no more.
    pub async fn due(
        &self,
        now: DateTime<Utc>,
        cursor: &mut DueCursor,
        limit: u64,
    ) -> Result<Vec<Due>, StoreError> {
        let is_last = |rows: &[Row]| (rows.len() as u64) < limit;
        let events = "SELECT tenant_id, id FROM events WHERE routed_at IS NULL AND id > $1 \
                      ORDER BY id LIMIT $2";
        let events = self.db().all(events, values![cursor.event, limit]).await?;
        let replays = "SELECT tenant_id, id FROM replays WHERE routed_at IS NULL AND id > $1 \
                      ORDER BY id LIMIT $2";
        let replays = self
            .db()
            .all(replays, values![cursor.replay, limit])
            .await?;
        let deliveries = "SELECT tenant_id, event_id, id, due_at FROM deliveries \
                          WHERE due_at IS NOT NULL AND due_at <= $1 \
                          AND (due_at > $2 OR (due_at = $2 AND id > $3)) \
                          ORDER BY due_at, id LIMIT $4";
        let (due_at, id) = cursor.delivery;
        let bound = values![micros(now), due_at, id, limit];
        let deliveries = self.db().all(deliveries, bound).await?;

        let mails = "SELECT tenant_id, id, due_at FROM mails \
                     WHERE due_at IS NOT NULL AND due_at <= $1 \
                     AND (due_at > $2 OR (due_at = $2 AND id > $3)) ORDER BY due_at, id LIMIT $4";
        let (due_at, id) = cursor.mail;
        let bound = values![micros(now), due_at, id, limit];
        let mails = self.db().all(mails, bound).await?;

        let rows = events.len() + replays.len() + deliveries.len() + mails.len();
        let mut due = Vec::with_capacity(rows);
        let mut next = DueCursor::default();
        for row in &events {
            next.event = row.get("id")?;
            let tenant = TenantId::from_uuid(row.get("tenant_id")?);
            due.push(Due::Event(tenant, EventId::from_uuid(next.event)));
        }
        for row in &replays {
            next.replay = row.get("id")?;
            let tenant = TenantId::from_uuid(row.get("tenant_id")?);
            due.push(Due::Replay(tenant, ReplayId::from_uuid(next.replay)));
        }
        for row in &deliveries {
            next.delivery = (row.get("due_at")?, row.get("id")?);
            due.push(super::deliveries::due(row)?);
        }
        for row in &mails {
            next.mail = (row.get("due_at")?, row.get("id")?);
            let tenant: Uuid = row.get("tenant_id")?;
            let tenant = (!tenant.is_nil()).then(|| TenantId::from_uuid(tenant));
            due.push(Due::Mail(tenant, next.mail.1));
        }
        if is_last(&events) {
            next.event = Uuid::nil();
        }
        if is_last(&replays) {
            next.replay = Uuid::nil();
        }
        if is_last(&deliveries) {
            next.delivery = (i64::MIN, Uuid::nil());
        }
        if is_last(&mails) {
            next.mail = (i64::MIN, Uuid::nil());
        }
        *cursor = next;
        Ok(due)
    }

    /// Tenants with deliveries that are held for a cause which is gone, since a process ended while it
    /// released them.
    pub async fn forgotten_holds(&self) -> Result<Vec<(TenantId, Hold)>, StoreError> {
        let held = "EXISTS (SELECT 1 FROM deliveries d WHERE d.tenant_id = t.id \
                    AND d.state = 'held' AND d.state NOT IN ('queued', 'sending') \
                    AND d.hold = $1)";
        let ready = "EXISTS (SELECT 1 FROM deliveries d JOIN connections k \
                     ON k.tenant_id = d.tenant_id AND k.state = 'ready' \
                     AND ' ' || k.channels || ' ' LIKE '% ' || d.channel || ' %' \
                     WHERE d.tenant_id = t.id AND d.state = 'held' \
                     AND d.state NOT IN ('queued', 'sending') AND d.hold = $1)";
        // A rule without a sender holds so as well: only what was held before the connection was saved.
        let held_before = "EXISTS (SELECT 1 FROM deliveries d JOIN connections k \
                           ON k.tenant_id = d.tenant_id \
                           AND ' ' || k.channels || ' ' LIKE '% ' || d.channel || ' %' \
                           AND k.state = 'ready' AND k.updated_at >= d.updated_at \
                           WHERE d.tenant_id = t.id AND d.state = 'held' \
                           AND d.state NOT IN ('queued', 'sending') AND d.hold = $1)";
        let reachable = "EXISTS (SELECT 1 FROM members m JOIN users u ON u.id = m.user_id \
                         WHERE m.tenant_id = t.id AND m.role = 'owner' \
                         AND u.phone_confirmed_at IS NOT NULL)";
        let mut forgotten = Vec::new();
        for (hold, is_over) in [
            (Hold::Stopped, "t.stopped_at IS NULL"),
            (Hold::Suspended, "t.status = 'active'"),
            (Hold::Broken, ready),
            (Hold::NoConnection, held_before),
            (Hold::Rehearsal, "t.is_rehearsal = FALSE"),
            (Hold::OwnNumber, reachable),
            (Hold::OptOut, "TRUE"),
        ] {
            let query = format!("SELECT t.id FROM tenants t WHERE {is_over} AND {held} LIMIT 1000");
            for row in self.db().all(&query, values![hold.as_str()]).await? {
                let tenant = TenantId::from_uuid(row.get("id")?);
                if hold != Hold::OptOut || self.store.tenant(tenant).has_answered_hold().await? {
                    forgotten.push((tenant, hold));
                }
            }
        }
        Ok(forgotten)
    }

    /// On a database that only this process serves, earlier owners are dead: their leases end now.
    pub async fn expire_foreign_leases(
        &self,
        owner: String,
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        self.writer().edit(work!([owner], async |tx| {
                    let end = "UPDATE deliveries SET lease_until = $1, due_at = $1 \
                               WHERE due_at IS NOT NULL AND state = 'sending' AND lease_owner <> $2";
                    tx.exec(end, values![micros(now), owner]).await
                }))
            .await
    }
}

impl TenantStore {
    /// Whether a delivery waits for somebody to say what an unclear reply means, and somebody has.
    async fn has_answered_hold(&self) -> Result<bool, StoreError> {
        let query = "SELECT address_hash FROM suppressions WHERE tenant_id = $1 \
                     AND decide_by IS NOT NULL";
        let rows = self.db().all(query, vec![]).await?;
        let asked = rows.iter().map(|row| row.get("address_hash"));
        let asked: HashSet<Vec<u8>> = asked.collect::<Result<_, _>>()?;
        let query = format!(
            "SELECT DISTINCT channel, address, rehearsal_to FROM deliveries WHERE tenant_id = $1 \
             AND state = 'held' AND {RESTING} AND hold = $2 LIMIT 1000"
        );
        let bound = values![Hold::OptOut.as_str()];
        for row in self.db().all(&query, bound).await? {
            let channel = row.word("deliveries", "channel", self.id.uuid(), Channel::parse)?;
            let is_asked = |address: String| {
                let hash = self.hasher()?.hash(channel, &address);
                Ok::<_, StoreError>(asked.contains(&hash.as_bytes()[..]))
            };
            if !is_asked(row.get("address")?)? && !is_asked(row.get("rehearsal_to")?)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
