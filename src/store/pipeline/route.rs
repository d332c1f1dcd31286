//! The route transaction: claim the event, check that nothing moved, write everything, once. Many events
//! are routed in one, in as many statements as one would take.

mod batch;

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use chrono::{DateTime, Utc};

use super::claims::{self, Claim, Claiming};
use super::decisions;
use super::documents::pack_claims;
use crate::domain::address_hash::AddressHasher;
use crate::domain::decision::Decision;
use crate::domain::delivery::NewDelivery;
use crate::domain::document::{Applied, Document, DocumentKind, Person};
use crate::domain::event::{EventState, EventType};
use crate::domain::ids::{ConnectionId, DeliveryId, EventId, ReplayId, TenantId};
use crate::domain::money::Amount;
use crate::domain::permission::Basis;
use crate::domain::transition;
use crate::store::engine::db::BatchDb;
use crate::store::engine::packed::Packed;
use crate::store::engine::writer::{BatchCommand, TenantLock};
use crate::store::tenant::permissions::{Contact, NewPermission};
use crate::store::{StoreError, TenantStore};
use batch::Routings;

/// All that routing one event (or one replay) writes.
#[derive(Debug, Clone)]
pub struct RouteCommit {
    pub event: EventId,
    /// The nil id when the event itself is routed.
    pub replay: ReplayId,
    pub connection: ConnectionId,
    pub routed_at: DateTime<Utc>,
    /// The number of the rule set that was evaluated.
    pub rule_set: i64,
    /// What the event row says from now on; `None` for a replay, which classifies nothing.
    pub classified: Option<ClassifiedEvent>,
    /// The document and the version that was read (0 at first sight); `None` when no document is
    /// involved.
    pub document: Option<DocumentCommit>,
    /// What the payment that this event tells of leaves open of its invoices.
    pub applied: Vec<AppliedCommit>,
    pub decisions: Vec<Decision>,
    pub deliveries: Vec<NewDelivery>,
}

/// What is known of an event once it is routed.
#[derive(Debug, Clone)]
pub struct ClassifiedEvent {
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
    /// All of them, those before and the new ones.
    pub claims: Vec<transition::Claim>,
    pub party: Option<String>,
    pub people: Vec<Person>,
}

/// A change of what payments left open of an invoice.
#[derive(Debug, Clone)]
pub struct AppliedCommit {
    /// Zoho's id of the invoice.
    pub id: String,
    /// The version of its row that was read; 0 where there is none.
    pub version: i64,
    pub applied: Vec<Applied>,
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

/// How it ended, and what may be called for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    pub result: RouteResult,
    /// The deliveries that were written as claimed, their attempts with them.
    pub claimed: BTreeSet<DeliveryId>,
}

/// A commit and whose it is.
pub(in crate::store) struct Routing {
    tenant: TenantId,
    commit: RouteCommit,
    claims: Vec<Claiming>,
    /// Gone when nobody waits for the answer any more, and would call.
    caller: Weak<()>,
    /// Its decisions, and the claims on its document.
    verdicts: Packed,
    document_claims: Packed,
    /// Whom it writes to that the books know.
    contacts: Vec<Contact>,
}

impl TenantStore {
    /// Commits the routing of one event or replay.
    pub async fn commit_route(&self, commit: RouteCommit) -> Result<RouteResult, StoreError> {
        let routed = self.commit_and_claim(commit, Vec::new()).await?;
        Ok(routed.result)
    }

    /// Commits the routing of one event or replay, and with it the claims of those of its deliveries that
    /// may leave at once: what stands against the others is told by a claim of their own.
    pub async fn commit_and_claim(
        &self,
        commit: RouteCommit,
        claims: Vec<Claim>,
    ) -> Result<Routed, StoreError> {
        let caller = Arc::new(());
        let document = commit.document.as_ref();
        let claims = claims.into_iter().map(|c| Claiming::new(self, c));
        let routing = Routing {
            tenant: self.id,
            verdicts: decisions::pack(&commit.decisions),
            document_claims: pack_claims(document.map_or(&[], |d| &d.claims)),
            claims: claims.collect::<Result<_, _>>()?,
            caller: Arc::downgrade(&caller),
            contacts: contacts_of(self.hasher()?, &commit),
            commit,
        };
        self.store.commands.routes.submit(Arc::new(routing)).await
    }
}

/// The contacts that a commit writes to: their own document brought the address.
fn contacts_of(hasher: &AddressHasher, commit: &RouteCommit) -> Vec<Contact> {
    let known = commit.classified.as_ref().filter(|c| !c.number.is_empty());
    let source = || match known.and_then(|c| c.kind.zip(Some(&c.number))) {
        Some((kind, number)) => format!("{} {number}", kind.label()),
        None => commit.event.to_string(),
    };
    let contacts = commit.deliveries.iter();
    let contacts = contacts.filter(|d| d.is_to_contact && !d.address.is_empty());
    contacts
        .map(|d| Contact {
            hash: hasher.hash(d.channel, &d.address),
            permission: NewPermission {
                channel: d.channel,
                address: d.address.clone(),
                basis: Basis::Contract,
                source: source(),
            },
        })
        .collect()
}

impl BatchCommand for Routing {
    type Answer = Routed;

    fn tenant_lock(&self) -> TenantLock {
        TenantLock::Shared(self.tenant)
    }

    /// Every check comes before the first change, so that a refusal needs no roll-back.
    async fn carry_out(tx: BatchDb<'_>, all: &[&Self]) -> Result<Vec<Routed>, StoreError> {
        let mut batch = Routings::of(all);
        batch.refuse_what_is_routed(tx).await?;
        batch.refuse_old_rules(tx).await?;
        batch.refuse_old_documents(tx).await?;
        // First, and harmless where the rest is refused: it is true whatever becomes of this event.
        batch.write_applied(tx).await?;
        batch.write_documents(tx).await?;
        batch.write_people(tx).await?;
        batch.mark_events(tx).await?;
        batch.mark_replays(tx).await?;
        batch.write_decisions(tx).await?;
        batch.claimed = claims::claim_new(tx, &batch.leaving()).await?;
        batch.write_deliveries(tx).await?;
        batch.write_permissions(tx).await?;
        Ok(batch.ended())
    }
}
