//! The statements of a batch of routings.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::{RouteResult, Routed, Routing};
use crate::domain::delivery::NewDelivery;
use crate::domain::document::DocumentKind;
use crate::domain::event::EventType;
use crate::domain::ids::DeliveryId;
use crate::store::StoreError;
use crate::store::engine::db::BatchDb;
use crate::store::engine::db::bulk::{Bulk, Record, record};
use crate::store::engine::packed::Packed;
use crate::store::engine::sql::{self, Row, micros};
use crate::store::pipeline::claims::Claiming;
use crate::store::pipeline::decisions::{self, DECISIONS};
use crate::store::pipeline::new_deliveries::{self, Written};
use crate::store::pipeline::route_commit::{AppliedCommit, RouteCommit};
use crate::store::tenant::permissions;

/// Commits that are carried out together, with how each ends.
pub(super) struct Routings<'a> {
    all: &'a [&'a Routing],
    results: Vec<RouteResult>,
    /// What is written as claimed.
    pub(super) claimed: BTreeSet<DeliveryId>,
}

type DocumentKey = (Uuid, String, String);

impl<'a> Routings<'a> {
    /// Of two that are about the same event or document, the later starts over: it was made up before
    /// the earlier one was committed.
    pub(super) fn of(all: &'a [&'a Routing]) -> Self {
        let (mut events, mut documents) = (HashSet::new(), HashSet::new());
        let results = all.iter().map(|r| {
            let mut is_first = events.insert(r.commit.event);
            for (key, _) in document_keys(&r.commit) {
                is_first &= documents.insert(key);
            }
            if is_first {
                RouteResult::Committed
            } else {
                RouteResult::Stale
            }
        });
        Self {
            results: results.collect(),
            all,
            claimed: BTreeSet::new(),
        }
    }

    /// How each ended. Who wanted to route what another one of the batch has routed has nothing to do.
    pub(super) fn ended(mut self) -> Vec<Routed> {
        let done: HashSet<Uuid> = self.good().map(|(_, c)| subject(c)).collect();
        for (routing, end) in self.all.iter().zip(&mut self.results) {
            if *end == RouteResult::Stale && done.contains(&subject(&routing.commit)) {
                *end = RouteResult::Gone;
            }
        }
        let ends = self.all.iter().zip(self.results);
        ends.map(|(routing, result)| {
            let claims = routing.claims.iter().map(Claiming::delivery);
            Routed {
                result,
                claimed: claims.filter(|id| self.claimed.contains(id)).collect(),
            }
        })
        .collect()
    }

    /// Those that nothing was found against so far.
    fn good_routings(&self) -> impl Iterator<Item = &'a Routing> {
        let both = self.all.iter().zip(&self.results);
        both.filter(|(_, result)| **result == RouteResult::Committed)
            .map(|(r, _)| *r)
    }

    /// The same: whose they are, and what they write.
    fn good(&self) -> impl Iterator<Item = (Uuid, &'a RouteCommit)> {
        self.good_routings().map(|r| (r.tenant.uuid(), &r.commit))
    }

    /// Ends those for which `is_bad` as `result`.
    fn refuse(&mut self, result: RouteResult, is_bad: impl Fn(Uuid, &RouteCommit) -> bool) {
        for (routing, end) in self.all.iter().zip(&mut self.results) {
            if *end == RouteResult::Committed && is_bad(routing.tenant.uuid(), &routing.commit) {
                *end = result;
            }
        }
    }

    pub(super) async fn refuse_what_is_routed(
        &mut self,
        tx: BatchDb<'_>,
    ) -> Result<(), StoreError> {
        let in_order = if sql::is_postgres(tx) {
            " ORDER BY t.id FOR UPDATE OF t"
        } else {
            ""
        };
        let mut waiting = HashSet::new();
        for table in ["events", "replays"] {
            let wanted = self
                .good()
                .filter(|(_, c)| (table == "replays") != c.replay.is_nil());
            let keys: BTreeMap<Uuid, Record> = wanted
                .map(|(tenant, c)| (subject(c), record![id: subject(c), tenant_id: tenant]))
                .collect();
            let keys = keys.into_values().collect();
            let query = format!(
                "SELECT t.id, t.tenant_id FROM v JOIN {table} t \
                 ON t.id = v.id AND t.tenant_id = v.tenant_id WHERE t.routed_at IS NULL{in_order}"
            );
            for row in Bulk::Joined(&query).all(tx, keys).await? {
                waiting.insert((row.get::<Uuid>("tenant_id")?, row.get::<Uuid>("id")?));
            }
        }
        self.refuse(RouteResult::Gone, |tenant, c| {
            !waiting.contains(&(tenant, subject(c)))
        });
        Ok(())
    }

    /// Edits of rules run alone, so these numbers stay until we have committed.
    pub(super) async fn refuse_old_rules(&mut self, tx: BatchDb<'_>) -> Result<(), StoreError> {
        let tenants: BTreeSet<Uuid> = self.good().map(|(tenant, _)| tenant).collect();
        let tenants = tenants.into_iter().map(|id| record![tenant_id: id]);
        let select =
            Bulk::Joined("SELECT t.id, t.rule_set FROM v JOIN tenants t ON t.id = v.tenant_id");
        let mut current: HashMap<Uuid, i64> = HashMap::new();
        for row in select.all(tx, tenants.collect()).await? {
            current.insert(row.get("id")?, row.get("rule_set")?);
        }
        self.refuse(RouteResult::Stale, |tenant, c| {
            current.get(&tenant) != Some(&c.rule_set)
        });
        Ok(())
    }

    /// Locks the documents' rows and checks their versions.
    pub(super) async fn refuse_old_documents(&mut self, tx: BatchDb<'_>) -> Result<(), StoreError> {
        let keys: BTreeSet<(DocumentKey, Uuid)> = self
            .good()
            .flat_map(|(tenant, c)| document_keys(c).map(move |(key, _)| (key, tenant)))
            .collect();
        let keys = keys.into_iter().map(|((connection, kind, id), tenant)| {
            record![
                connection_id: connection,
                kind: kind,
                document_id: id,
                tenant_id: tenant,
            ]
        });
        let select = format!(
            "SELECT d.connection_id, d.kind, d.document_id, d.version FROM v JOIN documents d \
             ON d.connection_id = v.connection_id AND d.kind = v.kind \
             AND d.document_id = v.document_id AND d.tenant_id = v.tenant_id {}",
            if sql::is_postgres(tx) {
                "ORDER BY d.connection_id, d.kind, d.document_id FOR UPDATE OF d"
            } else {
                ""
            }
        );
        let mut known: HashMap<DocumentKey, i64> = HashMap::new();
        for row in Bulk::Joined(&select).all(tx, keys.collect()).await? {
            known.insert(key_of(&row)?, row.get("version")?);
        }
        self.refuse(RouteResult::Stale, |_, c| {
            let is_current = document_keys(c)
                .all(|(key, version)| known.get(&key).copied().unwrap_or(0) == version);
            // Still unknown, and this body does not make it known: there is nothing to lock.
            let is_nothing = c
                .document
                .as_ref()
                .is_some_and(|d| d.version == 0 && d.state.is_none() && !d.claims.is_empty());
            !is_current || is_nothing
        });
        Ok(())
    }

    /// Writes what payments left open of their invoices, and raises the versions of these: a reminder that
    /// was found true before must be judged anew.
    pub(super) async fn write_applied(&mut self, tx: BatchDb<'_>) -> Result<(), StoreError> {
        let mut records = BTreeMap::new();
        for (tenant, c) in self.good() {
            for a in &c.applied {
                let key = invoice_key(c, a);
                let (connection, kind, id) = key.clone();
                let record = record![
                    connection_id: connection,
                    kind: kind,
                    document_id: id,
                    tenant_id: tenant,
                    version: a.version + 1,
                    claims: Packed::default().value(),
                    applied: serde_json::to_string(&a.applied).unwrap_or_default(),
                    last_event_id: c.event.uuid(),
                    first_received_at: micros(c.routed_at),
                    updated_at: micros(c.routed_at),
                ];
                records.insert(key, record);
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        let wanted: HashSet<DocumentKey> = records.keys().cloned().collect();
        let upsert = Bulk::Insert {
            into: "documents",
            constants: &[("state", "''")],
            after: " ON CONFLICT (connection_id, kind, document_id) DO UPDATE SET \
                    version = excluded.version, applied = excluded.applied, \
                    updated_at = excluded.updated_at \
                    WHERE documents.version = excluded.version - 1 \
                    AND documents.tenant_id = excluded.tenant_id \
                    RETURNING connection_id, kind, document_id",
        };
        let mut written = HashSet::new();
        for row in upsert.all(tx, records.into_values().collect()).await? {
            written.insert(key_of(&row)?);
        }
        self.refuse(RouteResult::Stale, |_, c| {
            c.applied.iter().any(|a| {
                let key = invoice_key(c, a);
                wanted.contains(&key) && !written.contains(&key)
            })
        });
        Ok(())
    }

    /// Writes the next states. Every commit that involves a document raises its version, so that a claim
    /// alone also makes a parallel decision start over. What somebody else made known meanwhile is refused
    /// here, before anything else of the commit is written.
    pub(super) async fn write_documents(&mut self, tx: BatchDb<'_>) -> Result<(), StoreError> {
        let (mut changed, mut raised) = (BTreeMap::new(), BTreeMap::new());
        for r in self.good_routings() {
            let c = &r.commit;
            let Some((key, d)) = document_key(c).zip(c.document.as_ref()) else {
                continue;
            };
            let (connection, kind, id) = key.clone();
            match &d.state {
                Some(state) => {
                    let record = record![
                        connection_id: connection,
                        kind: kind,
                        document_id: id,
                        tenant_id: r.tenant.uuid(),
                        version: d.version + 1,
                        state: serde_json::to_string(state).unwrap_or_default(),
                        claims: r.document_claims.value(),
                        last_event_id: c.event.uuid(),
                        first_received_at: micros(c.routed_at),
                        updated_at: micros(c.routed_at),
                    ];
                    changed.insert(key, record);
                }
                None if d.version == 0 => {}
                None => {
                    let record = record![
                        connection_id: connection,
                        kind: kind,
                        document_id: id,
                        tenant_id: r.tenant.uuid(),
                        version: d.version,
                        claims: r.document_claims.value(),
                    ];
                    raised.insert(key, record);
                }
            }
        }
        let wanted: HashSet<DocumentKey> = changed.keys().chain(raised.keys()).cloned().collect();
        let upsert = Bulk::Insert {
            into: "documents",
            constants: &[("applied", "''")],
            after: " ON CONFLICT (connection_id, kind, document_id) DO UPDATE SET \
                    version = excluded.version, state = excluded.state, \
                    claims = excluded.claims, last_event_id = excluded.last_event_id, \
                    updated_at = excluded.updated_at \
                    WHERE documents.version = excluded.version - 1 \
                    AND documents.tenant_id = excluded.tenant_id \
                    RETURNING connection_id, kind, document_id",
        };
        let raise = Bulk::Joined(
            "UPDATE documents SET version = v.version + 1, claims = v.claims FROM v \
             WHERE documents.connection_id = v.connection_id AND documents.kind = v.kind \
             AND documents.document_id = v.document_id AND documents.version = v.version \
             AND documents.tenant_id = v.tenant_id \
             RETURNING documents.connection_id, documents.kind, documents.document_id",
        );
        let mut written = HashSet::new();
        for (statement, records) in [(upsert, changed), (raise, raised)] {
            for row in statement.all(tx, records.into_values().collect()).await? {
                written.insert(key_of(&row)?);
            }
        }
        self.refuse(RouteResult::Stale, |_, c| {
            document_key(c).is_some_and(|key| wanted.contains(&key) && !written.contains(&key))
        });
        Ok(())
    }

    /// In one order everywhere: two documents of one customer are routed at the same time.
    pub(super) async fn write_people(&self, tx: BatchDb<'_>) -> Result<(), StoreError> {
        let mut people = BTreeMap::new();
        for (tenant, c) in self.good() {
            let Some((party, d)) = c
                .document
                .as_ref()
                .and_then(|d| d.party.as_ref().zip(Some(d)))
            else {
                continue;
            };
            for person in &d.people {
                let key = (c.connection.uuid(), party.clone(), person.id.clone());
                let record = record![
                    connection_id: c.connection.uuid(),
                    party_id: party.clone(),
                    person_id: person.id.clone(),
                    tenant_id: tenant,
                    person: serde_json::to_string(person).unwrap_or_default(),
                    seen_at: micros(c.routed_at),
                ];
                people.insert(key, record);
            }
        }
        let upsert = Bulk::insert(
            "people",
            " ON CONFLICT (connection_id, party_id, person_id) DO UPDATE SET \
             person = excluded.person, seen_at = excluded.seen_at \
             WHERE people.tenant_id = excluded.tenant_id",
        );
        let records = people.into_values().collect();
        upsert.exec(tx, records).await.map(drop)
    }

    pub(super) async fn mark_events(&self, tx: BatchDb<'_>) -> Result<(), StoreError> {
        let events = self.good().filter_map(|(tenant, c)| {
            let s = c.classified.as_ref()?;
            Some(record![
                id: c.event.uuid(),
                tenant_id: tenant,
                routed_at: micros(c.routed_at),
                event_type: s.event_type.map_or("", EventType::as_str),
                state: s.state.as_str(),
                document_kind: s.kind.map_or("", DocumentKind::as_str),
                document_id: s.document_id.clone(),
                document_number: s.number.clone(),
                party_id: s.party_id.clone(),
                party_name: s.party_name.clone(),
                amount: s.amount.map(|a| a.0),
                currency: s.currency.clone(),
                rules_not_asked: s.rules_not_asked,
            ])
        });
        let mark = Bulk::Joined(
            "UPDATE events SET routed_at = COALESCE(events.routed_at, v.routed_at), \
             event_type = v.event_type, state = v.state, document_kind = v.document_kind, \
             document_id = v.document_id, document_number = v.document_number, \
             party_id = v.party_id, party_name = v.party_name, amount = v.amount, \
             currency = v.currency, rules_not_asked = v.rules_not_asked FROM v \
             WHERE events.id = v.id AND events.tenant_id = v.tenant_id",
        );
        mark.exec(tx, events.collect()).await.map(drop)
    }

    pub(super) async fn mark_replays(&self, tx: BatchDb<'_>) -> Result<(), StoreError> {
        let replays = self.good().filter(|(_, c)| !c.replay.is_nil());
        let records = replays.map(|(tenant, c)| {
            record![id: c.replay.uuid(), tenant_id: tenant, routed_at: micros(c.routed_at)]
        });
        let mark = Bulk::Joined(
            "UPDATE replays SET routed_at = v.routed_at FROM v \
             WHERE replays.id = v.id AND replays.tenant_id = v.tenant_id",
        );
        mark.exec(tx, records.collect()).await.map(drop)
    }

    pub(super) async fn write_decisions(&self, tx: BatchDb<'_>) -> Result<(), StoreError> {
        let records = self
            .good_routings()
            .filter_map(|r| decisions::record_of(r.tenant.uuid(), &r.commit, &r.verdicts));
        DECISIONS.exec(tx, records.collect()).await.map(drop)
    }

    /// The claims of those that would be written, each the first of its kind, while somebody waits.
    pub(super) fn leaving(&self) -> Vec<(&'a Claiming, &'a NewDelivery)> {
        let mut leaving = Vec::new();
        for routing in self.good_routings().filter(|r| r.caller.strong_count() > 0) {
            let all = &routing.commit.deliveries;
            for claiming in &routing.claims {
                let Some(new) = all.iter().find(|d| d.id == claiming.delivery()) else {
                    continue;
                };
                let is_same = |d: &&NewDelivery| {
                    (d.rule, d.channel, &d.address) == (new.rule, new.channel, &new.address)
                };
                // The second of its kind is not written.
                if all.iter().find(is_same).is_some_and(|d| d.id == new.id) {
                    leaving.push((claiming, new));
                }
            }
        }
        leaving
    }

    pub(super) async fn write_deliveries(&self, tx: BatchDb<'_>) -> Result<(), StoreError> {
        let all = self.good_routings().flat_map(|r| {
            r.commit.deliveries.iter().map(move |new| {
                let claim = r.claims.iter().find(|c| c.delivery() == new.id);
                Written {
                    tenant: r.tenant.uuid(),
                    new,
                    at: r.commit.routed_at,
                    claim: claim
                        .filter(|_| self.claimed.contains(&new.id))
                        .map(Claiming::claim),
                }
            })
        });
        new_deliveries::insert(tx, &all.collect::<Vec<_>>()).await
    }

    pub(super) async fn write_permissions(&self, tx: BatchDb<'_>) -> Result<(), StoreError> {
        let mut rows = permissions::Rows::default();
        for r in self.good_routings() {
            rows.add_contacts(r.tenant.uuid(), &r.contacts, r.commit.routed_at);
        }
        rows.insert(tx).await.map(drop)
    }
}

/// What must not be routed yet: the replay, or the event itself.
fn subject(c: &RouteCommit) -> Uuid {
    if c.replay.is_nil() {
        c.event.uuid()
    } else {
        c.replay.uuid()
    }
}

fn document_key(c: &RouteCommit) -> Option<DocumentKey> {
    let d = c.document.as_ref()?;
    Some((
        c.connection.uuid(),
        d.kind.as_str().to_owned(),
        d.id.clone(),
    ))
}

/// Every document whose row a commit changes, with the version that it was read at.
fn document_keys(c: &RouteCommit) -> impl Iterator<Item = (DocumentKey, i64)> {
    let own = document_key(c).zip(c.document.as_ref().map(|d| d.version));
    let invoices = c.applied.iter().map(|a| (invoice_key(c, a), a.version));
    own.into_iter().chain(invoices)
}

fn invoice_key(c: &RouteCommit, a: &AppliedCommit) -> DocumentKey {
    let kind = DocumentKind::Invoice.as_str().to_owned();
    (c.connection.uuid(), kind, a.id.clone())
}

fn key_of(row: &Row) -> Result<DocumentKey, StoreError> {
    Ok((
        row.get("connection_id")?,
        row.get("kind")?,
        row.get("document_id")?,
    ))
}
