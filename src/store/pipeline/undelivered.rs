//! E-mails that did not arrive, where the provider tells no reason: a full mailbox looks like one that is
//! gone. So an address is given up only after the second one on another day, with none that arrived between
//! them.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::new_receipt::NewReceipt;
use crate::domain::ids::DeliveryId;
use crate::domain::report::Status;
use crate::domain::suppression::Source;
use crate::store::StoreError;
use crate::store::engine::db::TenantDb;
use crate::store::engine::sql::{Row, values};
use crate::store::pipeline::index_predicates::RESTING;
use crate::store::tenant::suppressions::{Addressee, suppress};

/// Among how many of the newest messages that did not arrive others to the address are looked for.
const LOOKED_THROUGH: u64 = 2000;

/// How many others are compared.
const COMPARED: u64 = 10;

/// Whether a report says that a message did not arrive, and not why.
pub(in crate::store) fn is_unexplained(receipt: &NewReceipt) -> bool {
    receipt.status == Some(Status::Undelivered) && receipt.error_code == 0
}

/// A message that did not arrive.
struct Undelivered {
    id: Uuid,
    at: DateTime<Utc>,
}

/// Gives an address up to which an e-mail was not delivered, if it is not the first one.
pub(in crate::store) async fn give_up(
    tx: TenantDb<'_>,
    (delivery, sent_at): (DeliveryId, DateTime<Utc>),
    whom: Addressee<'_>,
    receipt: &NewReceipt,
) -> Result<(), StoreError> {
    let zone = zone_of(tx).await?;
    let day = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
    let this = Undelivered {
        id: delivery.own,
        at: sent_at,
    };
    for other in others(tx, &this, whom).await? {
        if day(other.at) == day(this.at) || has_arrived_between(tx, &this, &other, whom).await? {
            continue;
        }
        let mut days = [day(other.at), day(this.at)];
        days.sort_unstable();
        let [first, second] = days.map(|day| day.format("%-d %b").to_string());
        let reason = format!(
            "Not delivered on {first} and {second}; {} tells no reason",
            receipt.provider
        );
        let why = (Source::Bounce, reason.as_str());
        return suppress(tx, whom, why, receipt.now).await.map(drop);
    }
    Ok(())
}

/// Others to the same address that did not arrive, the newest first.
async fn others(
    tx: TenantDb<'_>,
    than: &Undelivered,
    whom: Addressee<'_>,
) -> Result<Vec<Undelivered>, StoreError> {
    let query = format!(
        "SELECT d.id, COALESCE((SELECT p.accepted_at FROM provider_messages p \
         WHERE p.tenant_id = $1 AND p.account = d.account AND p.sid = d.sid), d.updated_at) AS at \
         FROM (SELECT id, channel, account, sid, error_code, updated_at, \
         CASE WHEN is_rehearsal THEN rehearsal_to ELSE address END AS sent_to FROM deliveries \
         WHERE tenant_id = $1 AND state = 'undelivered' AND {RESTING} \
         ORDER BY id DESC LIMIT $2) d \
         WHERE d.channel = $3 AND d.sent_to = $4 AND d.error_code = 0 AND d.id <> $5 \
         ORDER BY d.id DESC LIMIT $6"
    );
    let bound = values![
        LOOKED_THROUGH,
        whom.channel.as_str(),
        whom.address,
        than.id,
        COMPARED
    ];
    let read = |row: &Row| {
        Ok(Undelivered {
            id: row.get("id")?,
            at: row.time("at")?,
        })
    };
    tx.all(&query, bound).await?.iter().map(read).collect()
}

/// Whether a message to the address arrived that was made between two that did not.
async fn has_arrived_between(
    tx: TenantDb<'_>,
    one: &Undelivered,
    other: &Undelivered,
    whom: Addressee<'_>,
) -> Result<bool, StoreError> {
    let (from, to) = (one.id.min(other.id), one.id.max(other.id));
    for state in ["delivered", "read"] {
        let query = format!(
            "SELECT 1 AS one FROM (SELECT channel, \
             CASE WHEN is_rehearsal THEN rehearsal_to ELSE address END AS sent_to FROM deliveries \
             WHERE tenant_id = $1 AND state = $2 AND {RESTING} AND id > $3 AND id < $4) d \
             WHERE d.channel = $5 AND d.sent_to = $6 LIMIT 1"
        );
        let bound = values![state, from, to, whom.channel.as_str(), whom.address];
        if tx.one(&query, bound).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn zone_of(tx: TenantDb<'_>) -> Result<Tz, StoreError> {
    let query = "SELECT zone FROM tenants WHERE id = $1";
    let row = tx.one(query, vec![]).await?;
    row.map_or(Ok(Tz::UTC), |row| {
        row.word("tenants", "zone", tx.tenant(), |zone| zone.parse().ok())
    })
}
