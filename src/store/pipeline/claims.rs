//! The claim that lets exactly one worker send a delivery: its state, its lease, the lock on equal messages and
//! the attempt are one commit.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::deliveries::delivery_id;
use super::row_locks::lock_deliveries;
use super::send_lock::{Equal, holder_elsewhere, holders, release_send_locks, take_send_locks};
use crate::domain::address_hash::AddressHash;
use crate::domain::clock;
use crate::domain::delivery::{Attempt, Channel, NewDelivery};
use crate::domain::hours::Hours;
use crate::domain::ids::{DeliveryId, MemberId, TenantId};
use crate::store::engine::database_clock::NOW;
use crate::store::engine::db::BatchDb;
use crate::store::engine::db::bulk::{Bulk, Record, record};
use crate::store::engine::packed::Packed;
use crate::store::engine::sql::{self, micros};
use crate::store::engine::writer::{BatchCommand, TenantLock};
use crate::store::pipeline::index_predicates::PLAIN_STATE;
use crate::store::{StoreError, TenantStore};

/// A worker's wish to send.
#[derive(Debug, Clone)]
pub struct Claim {
    pub attempt: Attempt,
    /// Where the message will really go: in a rehearsal, the owner's number.
    pub to: String,
    /// Whom it is meant for; the same, but in a rehearsal.
    pub meant: String,
    pub channel: Channel,
    pub fingerprint: Vec<u8>,
    /// Which suppressions concern it besides those of everything.
    pub scope: String,
    /// The member of a group whom it goes to, or nil.
    pub member: MemberId,
    /// Whether the provider had accepted the connection's credentials when it was read.
    pub is_accepted: bool,
    pub lease_owner: String,
    /// The version of the document that it was found true of; 0 where none is known, though payments may
    /// have named it.
    pub document_version: i64,
    /// The hours and the zone by which it was found that it may go now.
    pub hours: Option<Hours>,
    pub zone: Tz,
    pub now: DateTime<Utc>,
    /// `now` is meant to be the database's time, so one that differs is refused: a machine that slept
    /// does not know yet how late it is.
    pub is_by_database: bool,
}

/// A claim may have waited so long for its turn, or its clock be so far behind.
const CLAIM_BEHIND: TimeDelta = TimeDelta::seconds(5);

/// What a process may know wrongly of the database's time.
const CLAIM_AHEAD: TimeDelta = TimeDelta::seconds(1);

/// How a claim ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimResult {
    /// The attempt is on disk; the call may begin.
    Claimed,
    /// An equal message to the same number is on its way; of another tenant's no more is said.
    EqualInFlight(Option<DeliveryId>),
    /// The delivery, the tenant or the connection changed meanwhile: read again.
    Refused,
}

/// Among whose messages equal ones go one at a time: those of the provider's account, once the provider
/// has accepted the tenant's credentials. Before that only the tenant's own: anybody may type any account
/// and invent the rest, and must neither hold others up nor learn what they send.
pub fn lock_scope(tenant: TenantId, account: &str, is_accepted: bool) -> String {
    if is_accepted {
        account.to_owned()
    } else {
        tenant.to_string()
    }
}

impl TenantStore {
    /// Takes a queued delivery for one call: the state, the lease, the equal-text lock and the
    /// attempt are one commit. The statement reads suppression, stop switch, suspension, rehearsal,
    /// hours and pause.
    pub async fn claim(&self, claim: Claim) -> Result<ClaimResult, StoreError> {
        let claiming = Claiming::new(self, claim)?;
        self.store.commands.claims.submit(Arc::new(claiming)).await
    }
}

/// A claim and whose it is.
pub(in crate::store) struct Claiming {
    pub(super) tenant: TenantId,
    pub(super) claim: Claim,
    /// The hashes of where it goes, and of whom it is meant for.
    pub(super) to: AddressHash,
    meant: AddressHash,
    /// The request of its attempt.
    request: Packed,
}

impl Claiming {
    pub(in crate::store) fn new(of: &TenantStore, claim: Claim) -> Result<Self, StoreError> {
        let hasher = of.hasher()?;
        let to = hasher.hash(claim.channel, &claim.to);
        let meant = if claim.meant == claim.to {
            to
        } else {
            hasher.hash(claim.channel, &claim.meant)
        };
        Ok(Self {
            tenant: of.id,
            to,
            meant,
            request: Packed::of(&claim.attempt.request),
            claim,
        })
    }

    pub(in crate::store) fn claim(&self) -> &Claim {
        &self.claim
    }

    pub(in crate::store) fn delivery(&self) -> DeliveryId {
        self.claim.attempt.delivery
    }

    /// Whether its lease begins now, by the clock of the database.
    fn is_timely(&self, time: Option<DateTime<Utc>>) -> bool {
        let Some(time) = time.filter(|_| self.claim.is_by_database) else {
            return true;
        };
        let is_timely = (time - CLAIM_BEHIND..=time + CLAIM_AHEAD).contains(&self.claim.now);
        if !is_timely {
            let standing = clock::standing(self.claim.now - time);
            tracing::warn!(
                "Did not send {} yet: this process goes by a time that is {standing} the database's",
                self.delivery()
            );
        }
        is_timely
    }

    /// What a claim is judged by, and what it writes.
    fn record(&self) -> Record {
        let (c, a) = (&self.claim, &self.claim.attempt);
        record![
            event_id: a.delivery.event.uuid(),
            id: a.delivery.own,
            tenant_id: self.tenant.uuid(),
            lease_owner: c.lease_owner.clone(),
            lease_until: micros(a.lease_until),
            attempt_no: a.attempt_no,
            connection_id: a.connection.uuid(),
            account: a.account.clone(),
            now: micros(c.now),
            sent_to: c.to.clone(),
            hours: c.hours.map_or_else(String::new, |h| h.to_string()),
            zone: c.zone.name(),
            is_accepted: c.is_accepted,
            other_scope: self.other_scope(),
            document_version: c.document_version,
            meant_hash: self.meant,
            sent_hash: self.to,
            scope: c.scope.clone(),
            is_in_group: !c.member.is_nil(),
            group_member: c.member.uuid(),
        ]
    }

    pub(super) fn equal(&self) -> Equal {
        let c = &self.claim;
        let scope = self.scope(c.is_accepted);
        (scope, c.channel, self.to, c.fingerprint.clone())
    }

    fn scope(&self, is_accepted: bool) -> String {
        lock_scope(self.tenant, &self.claim.attempt.account, is_accepted)
    }

    /// The scope in which the tenant may still have a lock from before its credentials were accepted, or
    /// were changed.
    pub(super) fn other_scope(&self) -> String {
        self.scope(!self.claim.is_accepted)
    }
}

/// Of two claims of one delivery the first may have it.
pub(super) type Firsts<'a> = BTreeMap<DeliveryId, &'a Claiming>;

impl BatchCommand for Claiming {
    type Answer = ClaimResult;

    fn tenant_lock(&self) -> TenantLock {
        TenantLock::Shared(self.tenant)
    }

    /// A worker that has given up waiting would not call.
    const SKIP_IF_ABANDONED: bool = true;

    async fn carry_out(tx: BatchDb<'_>, all: &[&Self]) -> Result<Vec<ClaimResult>, StoreError> {
        let mut firsts = BTreeMap::new();
        for claiming in all {
            firsts.entry(claiming.delivery()).or_insert(*claiming);
        }
        let time = lock_deliveries(tx, firsts.iter().map(|(id, c)| (c.tenant, *id))).await?;
        firsts.retain(|_, claiming| claiming.is_timely(time));
        let taken = take_send_locks(tx, &firsts).await?;
        let mut holders = holders(tx, &firsts, &taken).await?;
        // Our own row is another worker's claim, or that of an attempt which may have been sent: the
        // conditional update tells.
        let candidates: Vec<&Claiming> = firsts
            .values()
            .copied()
            .filter(|c| {
                taken.contains(&c.delivery())
                    || holders
                        .get(&c.equal())
                        .is_some_and(|h| h.delivery == c.delivery())
            })
            .collect();
        let claimed = claim_rows(tx, &candidates).await?;
        for refused in candidates
            .iter()
            .filter(|c| !claimed.contains(&c.delivery()))
        {
            if let Some(holder) = holder_elsewhere(tx, refused).await? {
                holders.insert(refused.equal(), holder);
            }
        }
        // Only what a claim took is given back: the call of another worker is still under way.
        let given_back = firsts
            .iter()
            .filter(|(id, _)| taken.contains(id) && !claimed.contains(id))
            .map(|(id, c)| (c.tenant.uuid(), *id));
        release_send_locks(tx, given_back).await?;
        write_attempts(
            tx,
            candidates
                .iter()
                .filter(|c| claimed.contains(&c.delivery())),
        )
        .await?;
        let mut granted = HashSet::new();
        Ok(all
            .iter()
            .map(|c| {
                if claimed.contains(&c.delivery()) {
                    if granted.insert(c.delivery()) {
                        ClaimResult::Claimed
                    } else {
                        ClaimResult::Refused
                    }
                } else {
                    match holders.get(&c.equal()) {
                        Some(other) if other.delivery != c.delivery() => {
                            let is_ours = other.tenant == c.tenant.uuid();
                            ClaimResult::EqualInFlight(is_ours.then_some(other.delivery))
                        }
                        _ => ClaimResult::Refused,
                    }
                }
            })
            .collect())
    }
}

/// Claims deliveries that this transaction is about to write: which of them may be called for, and are to be
/// written as claimed. The others are left to a claim of their own, which finds out why.
pub(in crate::store) async fn claim_new(
    tx: BatchDb<'_>,
    all: &[(&Claiming, &NewDelivery)],
) -> Result<BTreeSet<DeliveryId>, StoreError> {
    let firsts: Firsts<'_> = all.iter().map(|(c, _)| (c.delivery(), *c)).collect();
    let taken = take_send_locks(tx, &firsts).await?;
    let candidates: Vec<_> = all
        .iter()
        .filter(|(c, _)| taken.contains(&c.delivery()))
        .collect();
    let claimed = that_may_go(tx, &candidates).await?;
    let given_back = candidates
        .iter()
        .filter(|(c, _)| !claimed.contains(&c.delivery()))
        .map(|(c, _)| (c.tenant.uuid(), c.delivery()));
    release_send_locks(tx, given_back).await?;
    let attempts = firsts.iter().filter(|(id, _)| claimed.contains(id));
    write_attempts(tx, attempts.map(|(_, c)| c)).await?;
    Ok(claimed)
}

/// The conditional update: which deliveries may be called for.
async fn claim_rows(
    tx: BatchDb<'_>,
    claims: &[&Claiming],
) -> Result<BTreeSet<DeliveryId>, StoreError> {
    let records = claims.iter().map(|claiming| claiming.record());
    let claim = format!(
        "UPDATE deliveries SET state = 'sending', reason = '', hold = '', \
         lease_owner = v.lease_owner, lease_until = v.lease_until, due_at = v.lease_until, \
         attempt_no = v.attempt_no, connection_id = v.connection_id, account = v.account, \
         looks = 0, updated_at = v.now FROM v \
         WHERE deliveries.event_id = v.event_id AND deliveries.id = v.id \
         AND deliveries.tenant_id = v.tenant_id AND {PLAIN_STATE} = 'queued' \
         AND deliveries.attempt_no = v.attempt_no - 1 AND deliveries.expires_at > v.now \
         AND (CASE WHEN is_rehearsal THEN rehearsal_to ELSE address END) = v.sent_to \
         AND (is_rehearsal = FALSE OR rehearsal_to <> '') AND {} \
         RETURNING deliveries.event_id, deliveries.id",
        may_go("deliveries")
    );
    let rows = Bulk::Joined(&claim).all(tx, records.collect()).await?;
    rows.iter().map(delivery_id).collect()
}

/// Which new deliveries nothing stands against.
async fn that_may_go(
    tx: BatchDb<'_>,
    claims: &[&(&Claiming, &NewDelivery)],
) -> Result<BTreeSet<DeliveryId>, StoreError> {
    let records = claims.iter().map(|(claiming, new)| {
        let (c, a) = (&claiming.claim, &claiming.claim.attempt);
        let asserts = new.asserts.as_ref();
        record![
            event_id: a.delivery.event.uuid(),
            id: a.delivery.own,
            tenant_id: claiming.tenant.uuid(),
            channel: new.channel.as_str(),
            is_rehearsal: new.is_rehearsal,
            fingerprint: c.fingerprint.clone(),
            source_connection_id: asserts.map_or(Uuid::nil(), |a| a.source.uuid()),
            document_kind: asserts.map_or("", |a| a.kind.as_str()),
            document_id: asserts.map_or("", |a| a.document.as_str()),
            connection_id: a.connection.uuid(),
            now: micros(c.now),
            hours: c.hours.map_or_else(String::new, |h| h.to_string()),
            zone: c.zone.name(),
            is_accepted: c.is_accepted,
            other_scope: claiming.other_scope(),
            document_version: c.document_version,
            meant_hash: claiming.meant,
            sent_hash: claiming.to,
            scope: c.scope.clone(),
            is_in_group: !c.member.is_nil(),
            group_member: c.member.uuid(),
        ]
    });
    let time = if sql::is_postgres(tx) {
        NOW
    } else {
        "CAST(NULL AS bigint)"
    };
    let select = format!(
        "SELECT v.event_id, v.id, {time} AS now FROM v WHERE {}",
        may_go("v")
    );
    let rows = Bulk::Joined(&select).all(tx, records.collect()).await?;
    let time = rows.first().map(|row| row.time_opt("now")).transpose()?;
    let may_go: Result<BTreeSet<DeliveryId>, _> = rows.iter().map(delivery_id).collect();
    let mut may_go = may_go?;
    for (claiming, _) in claims.iter().filter(|(c, _)| !c.is_timely(time.flatten())) {
        may_go.remove(&claiming.delivery());
    }
    Ok(may_go)
}

/// The judgement of the gate once more, where it goes by what others may change meanwhile; `d` is the
/// message.
fn may_go(d: &str) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM suppressions s WHERE s.tenant_id = v.tenant_id \
             AND s.channel = {d}.channel AND s.address_hash = v.meant_hash \
             AND s.scope IN ('', v.scope)) \
         AND NOT EXISTS (SELECT 1 FROM suppressions s WHERE s.tenant_id = v.tenant_id \
             AND s.channel = {d}.channel AND s.address_hash = v.sent_hash AND s.scope = '') \
         AND (v.is_in_group = FALSE OR EXISTS (SELECT 1 FROM group_members g \
             WHERE g.id = v.group_member AND g.tenant_id = v.tenant_id AND g.is_on = TRUE)) \
         AND COALESCE((SELECT o.version FROM documents o \
             WHERE o.connection_id = {d}.source_connection_id AND o.kind = {d}.document_kind \
             AND o.document_id = {d}.document_id \
             AND o.tenant_id = v.tenant_id AND o.state <> ''), 0) = v.document_version \
         AND EXISTS (SELECT 1 FROM tenants t WHERE t.id = v.tenant_id \
             AND t.stopped_at IS NULL AND t.status = 'active' AND t.hours = v.hours \
             AND t.zone = v.zone AND ({d}.is_rehearsal = TRUE OR t.is_rehearsal = FALSE)) \
         AND EXISTS (SELECT 1 FROM connections k WHERE k.id = v.connection_id \
             AND k.tenant_id = v.tenant_id AND k.state = 'ready' \
             AND (k.accepted_at IS NOT NULL) = v.is_accepted \
             AND COALESCE(CASE {d}.channel WHEN 'email' THEN k.email_paused_until \
                 ELSE k.sms_paused_until END, v.now) <= v.now) \
         AND NOT EXISTS (SELECT 1 FROM in_flight f WHERE f.scope = v.other_scope \
             AND f.channel = {d}.channel AND f.address_hash = v.sent_hash \
             AND f.fingerprint = {d}.fingerprint \
             AND f.tenant_id = v.tenant_id AND f.delivery_id <> v.id)"
    )
}

async fn write_attempts<'a>(
    tx: BatchDb<'_>,
    claims: impl Iterator<Item = &'a &'a Claiming>,
) -> Result<(), StoreError> {
    let records = claims.map(|claiming| {
        let a = &claiming.claim.attempt;
        record![
            event_id: a.delivery.event.uuid(),
            id: a.id.uuid(),
            tenant_id: claiming.tenant.uuid(),
            delivery_id: a.delivery.own,
            attempt_no: a.attempt_no,
            connection_id: a.connection.uuid(),
            account: a.account.clone(),
            request: claiming.request.value(),
            started_at: micros(a.started_at),
            lease_until: micros(a.lease_until),
        ]
    });
    let insert = Bulk::insert("attempts", "");
    insert.exec(tx, records.collect()).await.map(drop)
}
