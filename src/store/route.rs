//! The route transaction: claim the event, check that nothing moved, write everything, once.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::sql::{self, micros, micros_opt, values};
use super::writer::{Lane, Tx};
use super::{StoreError, TenantStore};
use crate::domain::decision::Decision;
use crate::domain::delivery::NewDelivery;
use crate::domain::document::{Document, DocumentKind, Person};
use crate::domain::event::{EventState, EventType};
use crate::domain::ids::{ConnectionId, EventId, OrderId, RuleId};
use crate::domain::money::Amount;
use crate::domain::transition::Claim;

/// All that routing one event (or one order) writes.
#[derive(Debug, Clone)]
pub struct RouteCommit {
    pub event: EventId,
    /// The nil id when the event itself is routed.
    pub order: OrderId,
    pub connection: ConnectionId,
    pub routed_at: DateTime<Utc>,
    /// The number of the rule set that was evaluated.
    pub rule_set: i64,
    /// What the event row says from now on; `None` for a replay that settles nothing.
    pub settled: Option<SettledEvent>,
    /// The document and the version that was read (0 at first sight); `None` when no document is
    /// involved.
    pub document: Option<DocumentCommit>,
    pub decisions: Vec<Decision>,
    pub deliveries: Vec<NewDelivery>,
}

/// What is known of an event once it is routed.
#[derive(Debug, Clone)]
pub struct SettledEvent {
    pub event_type: Option<EventType>,
    pub state: EventState,
    pub kind: Option<DocumentKind>,
    pub document_id: String,
    pub number: String,
    pub party_id: String,
    pub party_name: String,
    pub amount: Option<Amount>,
    pub currency: String,
    pub rules_not_asked: i64,
}

/// A change of a document.
#[derive(Debug, Clone)]
pub struct DocumentCommit {
    pub kind: DocumentKind,
    pub id: String,
    pub version: i64,
    /// The next state; `None` leaves it as it is.
    pub state: Option<Document>,
    pub claims: Vec<Claim>,
    pub party: Option<String>,
    pub people: Vec<Person>,
}

/// How a route transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteResult {
    Committed,
    /// Somebody else routed it already.
    Gone,
    /// The document or the rule set changed meanwhile: read again, decide again.
    Stale,
}

impl TenantStore {
    /// Commits the routing of one event or order.
    pub async fn commit_route(&self, commit: RouteCommit) -> Result<RouteResult, StoreError> {
        let tenant = self.id.uuid();
        self.writer()
            .write(Lane::Route, move |tx| {
                let commit = commit.clone();
                Box::pin(async move { run(tx, tenant, &commit).await })
            })
            .await
    }
}

/// Every check comes before the first change, so that a refusal needs no roll-back.
async fn run(tx: &Tx, tenant: Uuid, c: &RouteCommit) -> Result<RouteResult, StoreError> {
    let lock = sql::for_update(tx);
    let waiting = if c.order.is_nil() {
        let query = format!(
            "SELECT id FROM events WHERE id = $1 AND tenant_id = $2 AND routed_at IS NULL{lock}"
        );
        sql::one(tx, &query, values![c.event.uuid(), tenant]).await?
    } else {
        let query = format!(
            "SELECT id FROM orders WHERE id = $1 AND tenant_id = $2 AND routed_at IS NULL{lock}"
        );
        sql::one(tx, &query, values![c.order.uuid(), tenant]).await?
    };
    if waiting.is_none() {
        return Ok(RouteResult::Gone);
    }
    // Edits of rules run alone, so this number stays until we have committed.
    let query = "SELECT id FROM tenants WHERE id = $1 AND rule_set = $2";
    if sql::one(tx, query, values![tenant, c.rule_set])
        .await?
        .is_none()
    {
        return Ok(RouteResult::Stale);
    }
    if let Some(document) = &c.document
        && !take_document(tx, tenant, c, document, lock).await?
    {
        return Ok(RouteResult::Stale);
    }
    write_claims_and_people(tx, tenant, c).await?;
    settle_event(tx, tenant, c).await?;
    if !c.order.is_nil() {
        let routed = "UPDATE orders SET routed_at = $3 WHERE id = $1 AND tenant_id = $2";
        sql::exec(
            tx,
            routed,
            values![c.order.uuid(), tenant, micros(c.routed_at)],
        )
        .await?;
    }
    for decision in &c.decisions {
        insert_decision(tx, tenant, decision).await?;
    }
    for delivery in &c.deliveries {
        insert_delivery(tx, tenant, delivery, c.routed_at).await?;
    }
    Ok(RouteResult::Committed)
}

/// Locks the document row, made by insert-or-ignore first, and checks its version; then writes the
/// next state. Every commit that involves the document raises the version, so that a claim alone
/// also makes a parallel decision start over.
async fn take_document(
    tx: &Tx,
    tenant: Uuid,
    c: &RouteCommit,
    d: &DocumentCommit,
    lock: &str,
) -> Result<bool, StoreError> {
    let key = || values![c.connection.uuid(), d.kind.as_str(), d.id.clone()];
    let query = format!(
        "SELECT version FROM documents WHERE connection_id = $1 AND kind = $2 AND document_id = $3{lock}"
    );
    let had = sql::one(tx, &query, key())
        .await?
        .map_or(Ok(0), |r| r.get::<i64>("version"))?;
    if had != d.version {
        return Ok(false);
    }
    let Some(state) = &d.state else {
        if d.version == 0 {
            // Still unknown, and this body does not make it known: there is nothing to lock.
            return Ok(d.claims.is_empty());
        }
        let mut bound = key();
        bound.push(d.version.into());
        let raise = "UPDATE documents SET version = version + 1 WHERE connection_id = $1 \
                     AND kind = $2 AND document_id = $3 AND version = $4";
        return Ok(sql::exec(tx, raise, bound).await? == 1);
    };
    let state = serde_json::to_string(state).unwrap_or_default();
    let mut bound = key();
    bound.extend(values![
        tenant,
        d.version + 1,
        state,
        c.event.uuid(),
        micros(c.routed_at),
        d.version
    ]);
    let upsert = "INSERT INTO documents (connection_id, kind, document_id, tenant_id, version, \
                  state, last_event_id, first_received_at, updated_at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) \
                  ON CONFLICT (connection_id, kind, document_id) DO UPDATE SET \
                  version = excluded.version, state = excluded.state, \
                  last_event_id = excluded.last_event_id, updated_at = excluded.updated_at \
                  WHERE documents.version = $9";
    Ok(sql::exec(tx, upsert, bound).await? == 1)
}

async fn write_claims_and_people(tx: &Tx, tenant: Uuid, c: &RouteCommit) -> Result<(), StoreError> {
    let Some(d) = &c.document else {
        return Ok(());
    };
    for claim in &d.claims {
        sql::exec(
            tx,
            "INSERT INTO transitions (connection_id, kind, document_id, event_type, discriminator, \
             tenant_id, event_id, told, claimed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            values![
                c.connection.uuid(),
                d.kind.as_str(),
                d.id.clone(),
                claim.event_type.as_str(),
                claim.discriminator.clone(),
                tenant,
                claim.event.uuid(),
                claim.told.as_str(),
                micros(c.routed_at)
            ],
        )
        .await?;
    }
    let Some(party) = &d.party else {
        return Ok(());
    };
    // In one order everywhere: two documents of one customer are routed at the same time.
    let people: BTreeMap<_, _> = d.people.iter().map(|p| (&p.id, p)).collect();
    for person in people.into_values() {
        sql::exec(
            tx,
            "INSERT INTO people (connection_id, party_id, person_id, tenant_id, person, seen_at) \
             VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (connection_id, party_id, person_id) DO UPDATE SET \
             person = excluded.person, seen_at = excluded.seen_at",
            values![
                c.connection.uuid(),
                party.clone(),
                person.id.clone(),
                tenant,
                serde_json::to_string(person).unwrap_or_default(),
                micros(c.routed_at)
            ],
        )
        .await?;
    }
    Ok(())
}

async fn settle_event(tx: &Tx, tenant: Uuid, c: &RouteCommit) -> Result<(), StoreError> {
    let Some(s) = &c.settled else {
        return Ok(());
    };
    sql::exec(
        tx,
        "UPDATE events SET routed_at = COALESCE(routed_at, $3), event_type = $4, state = $5, \
         document_kind = $6, document_id = $7, document_number = $8, party_id = $9, \
         party_name = $10, amount = $11, currency = $12, rules_not_asked = $13 \
         WHERE id = $1 AND tenant_id = $2",
        values![
            c.event.uuid(),
            tenant,
            micros(c.routed_at),
            s.event_type.map_or("", EventType::as_str),
            s.state.as_str(),
            s.kind.map_or("", DocumentKind::as_str),
            s.document_id.clone(),
            s.number.clone(),
            s.party_id.clone(),
            s.party_name.clone(),
            s.amount.map(|a| a.0),
            s.currency.clone(),
            s.rules_not_asked
        ],
    )
    .await
    .map(drop)
}

async fn insert_decision(tx: &Tx, tenant: Uuid, d: &Decision) -> Result<(), StoreError> {
    sql::exec(
        tx,
        "INSERT INTO decisions (event_id, id, tenant_id, order_id, rule_id, rule_version, rule_name, \
         matched, kind, reason, met, decided_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        values![d.event.uuid(), d.id.uuid(), tenant, d.order.uuid(),
            d.rule.map_or(Uuid::nil(), RuleId::uuid), d.rule_version, d.rule_name.clone(),
            d.is_match, d.kind.as_str(), d.reason.clone(), d.met.clone(), micros(d.decided_at)],
    )
    .await
    .map(drop)
}

pub(super) async fn insert_delivery(
    tx: &Tx,
    tenant: Uuid,
    d: &NewDelivery,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let text_hash = text_hash(&d.body);
    sql::exec(
        tx,
        "INSERT INTO deliveries (event_id, id, tenant_id, rule_id, rule_version, rule_name, order_id, \
         replay_of, channel, address, recipient, sender, body, text_hash, state, reason, hold, \
         due_at, expires_at, connection_id, account, lease_owner, lease_until, attempt_no, tries, \
         absents, looks, sid, provider_rank, error_code, created_at, updated_at, \
         is_to_contact, is_rehearsal, rehearsal_to) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, '', \
         $17, $18, $19, '', '', NULL, 0, 0, 0, 0, '', -1, 0, $20, $20, $21, $22, $23) \
         ON CONFLICT (event_id, rule_id, channel, address, order_id) DO NOTHING",
        values![d.id.event.uuid(), d.id.own, tenant, d.rule.uuid(), d.rule_version,
            d.rule_name.clone(), d.order.uuid(), d.replay_of.map_or(Uuid::nil(), |r| r.own),
            d.channel.as_str(), d.address.clone(), d.recipient.clone(), d.sender.clone(),
            d.body.clone(), text_hash, d.state.as_str(), d.reason.clone(), micros_opt(d.due_at),
            micros(d.expires_at), Uuid::nil(), micros(now), d.is_to_contact, d.is_rehearsal,
            d.rehearsal_to.clone()],
    )
    .await
    .map(drop)
}

/// Equal texts to one address go one at a time; this is what makes them equal.
fn text_hash(body: &str) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::digest(body.as_bytes()).to_vec()
}
