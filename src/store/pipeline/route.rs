//! The route transaction: claim the event, check that nothing moved, write everything, once. Many events
//! are routed in one, in as many statements as one would take.

mod batch;

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use super::claims::{self, Claim, Claiming};
use super::decisions;
use super::documents::pack_claims;
use super::route_commit::RouteCommit;
use crate::domain::address_hash::AddressHasher;
use crate::domain::ids::{DeliveryId, TenantId};
use crate::domain::permission::Basis;
use crate::store::engine::db::BatchDb;
use crate::store::engine::packed::Packed;
use crate::store::engine::writer::{BatchCommand, TenantLock};
use crate::store::tenant::permissions::{Contact, NewPermission};
use crate::store::{StoreError, TenantStore};
use batch::Routings;

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
    /// may leave at once: what stands against the others is found by a claim of their own.
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
