//! What routing writes.

use chrono::{DateTime, Utc};

use crate::domain::decision::Decision;
use crate::domain::delivery::NewDelivery;
use crate::domain::document::{Applied, Document, DocumentKind, Person};
use crate::domain::event::{EventState, EventType};
use crate::domain::ids::{ConnectionId, EventId, ReplayId};
use crate::domain::money::Amount;
use crate::domain::transition;

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
    /// What the payment of this event leaves open of its invoices.
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
