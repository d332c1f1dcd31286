//! New deliveries: the row of each, waiting or claimed already, and what it says.

use chrono::{DateTime, SubsecRound as _, Utc};
use uuid::Uuid;

use super::claims::Claim;
use super::contents;
use crate::domain::assertion::Assertion;
use crate::domain::delivery::{Delivery, DeliveryState, NewDelivery};
use crate::domain::ids::ConnectionId;
use crate::store::engine::db::bulk::{Bulk, Record, record};
use crate::store::engine::db::{BatchDb, TenantDb};
use crate::store::engine::sql::{micros, micros_opt};
use crate::store::{StoreError, TenantStore};

impl TenantStore {
    /// A message as it stands once it is queued at `now`.
    pub fn as_queued(&self, new: &NewDelivery, now: DateTime<Utc>) -> Delivery {
        let now = now.trunc_subsecs(6);
        Delivery {
            id: new.id,
            tenant: self.id,
            rule: new.rule,
            rule_version: new.rule_version,
            rule_name: new.rule_name.clone(),
            replay: new.replay,
            replay_of: new.replay_of,
            channel: new.channel,
            address: new.address.clone(),
            recipient: new.recipient.clone(),
            is_to_contact: new.is_to_contact,
            member: new.member,
            asserts: new.asserts.clone(),
            is_rehearsal: new.is_rehearsal,
            rehearsal_to: new.rehearsal_to.clone(),
            sender: new.sender.clone(),
            fingerprint: new.content.fingerprint(),
            state: new.state,
            reason: new.reason.clone(),
            hold: None,
            due_at: new.due_at.map(|at| at.trunc_subsecs(6)),
            expires_at: new.expires_at.trunc_subsecs(6),
            connection: ConnectionId::from_uuid(Uuid::nil()),
            account: String::new(),
            lease_owner: String::new(),
            lease_until: None,
            attempt_no: 0,
            tries: 0,
            absents: 0,
            looks: 0,
            sid: String::new(),
            provider_rank: -1,
            error_code: 0,
            dealt_at: None,
            created_at: now,
            updated_at: now,
        }
    }
}

/// Writes a delivery that waits for its turn.
pub(in crate::store) async fn insert_delivery(
    tx: TenantDb<'_>,
    d: &NewDelivery,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let written = Written {
        tenant: tx.tenant(),
        new: d,
        at: now,
        claim: None,
    };
    insert(tx.batch(), &[written]).await
}

/// Writes new deliveries, each with what it says.
pub(in crate::store) async fn insert(
    tx: BatchDb<'_>,
    all: &[Written<'_>],
) -> Result<(), StoreError> {
    let deliveries = all.iter().map(delivery_record).collect();
    DELIVERIES.exec(tx, deliveries).await?;
    let contents = all.iter().map(|w| contents::record_of(w.tenant, w.new));
    contents::INSERT
        .exec(tx, contents.collect())
        .await
        .map(drop)
}

/// A delivery that is to be written.
pub(in crate::store) struct Written<'a> {
    pub(in crate::store) tenant: Uuid,
    pub(in crate::store) new: &'a NewDelivery,
    pub(in crate::store) at: DateTime<Utc>,
    /// By which it is claimed already.
    pub(in crate::store) claim: Option<&'a Claim>,
}

const DELIVERIES: Bulk<'static> = Bulk::Insert {
    into: "deliveries",
    constants: &[
        ("hold", "''"),
        ("tries", "0"),
        ("absents", "0"),
        ("looks", "0"),
        ("sid", "''"),
        ("provider_rank", "-1"),
        ("error_code", "0"),
    ],
    after: " ON CONFLICT (event_id, rule_id, channel, address, replay_id) DO NOTHING",
};

fn delivery_record(of: &Written<'_>) -> Record {
    let (d, claim) = (of.new, of.claim);
    let attempt = claim.map(|c| &c.attempt);
    let state = claim.map_or(d.state, |_| DeliveryState::Sending);
    let lease_until = attempt.map(|a| a.lease_until);
    let (source, kind, document, says) = asserted(d.asserts.as_ref());
    record![
        event_id: d.id.event.uuid(),
        id: d.id.own,
        tenant_id: of.tenant,
        rule_id: d.rule.uuid(),
        rule_version: d.rule_version,
        rule_name: d.rule_name.clone(),
        replay_id: d.replay.uuid(),
        replay_of: d.replay_of.map_or(Uuid::nil(), |r| r.own),
        channel: d.channel.as_str(),
        address: d.address.clone(),
        recipient: d.recipient.clone(),
        sender: d.sender.clone(),
        fingerprint: claim.map_or_else(|| d.content.fingerprint(), |c| c.fingerprint.clone()),
        state: state.as_str(),
        reason: d.reason.clone(),
        due_at: micros_opt(lease_until.or(d.due_at)),
        expires_at: micros(d.expires_at),
        connection_id: attempt.map_or(Uuid::nil(), |a| a.connection.uuid()),
        account: attempt.map_or("", |a| a.account.as_str()),
        lease_owner: claim.map_or("", |c| c.lease_owner.as_str()),
        lease_until: micros_opt(lease_until),
        attempt_no: attempt.map_or(0, |a| a.attempt_no),
        created_at: micros(of.at),
        updated_at: micros(of.at),
        is_to_contact: d.is_to_contact,
        member_id: d.member.uuid(),
        is_rehearsal: d.is_rehearsal,
        rehearsal_to: d.rehearsal_to.clone(),
        source_connection_id: source,
        document_kind: kind,
        document_id: document,
        says: says,
    ]
}

/// An assertion as its columns say it.
fn asserted(asserts: Option<&Assertion>) -> (Uuid, &'static str, String, String) {
    asserts.map_or((Uuid::nil(), "", String::new(), String::new()), |a| {
        let says = serde_json::to_string(&a.says).unwrap_or_default();
        (a.source.uuid(), a.kind.as_str(), a.document.clone(), says)
    })
}
