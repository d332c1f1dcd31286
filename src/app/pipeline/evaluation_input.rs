//! What the rules are asked about: an event, its document as it is known with it, and the people of both.

use chrono::{DateTime, Utc};

use super::context::RoutingContext;
use super::people::OtherPeople;
use crate::domain::assertion::{Assertion, Says, Seen};
use crate::domain::document::{Document, ParsedDocument};
use crate::domain::event::{Event, EventType};
use crate::domain::ids::ReplayId;

/// What is decided about.
pub(super) struct EvaluationInput<'a> {
    pub(super) context: &'a RoutingContext,
    pub(super) event: &'a Event,
    /// The replay that asks, or the nil id.
    pub(super) replay: ReplayId,
    pub(super) event_type: EventType,
    /// Steps that it passed over and that may be told, the latest first.
    pub(super) passed_over: &'a [EventType],
    /// The document as it is known with this event.
    pub(super) document: &'a Document,
    pub(super) parsed: &'a ParsedDocument,
    /// People whom it does not name itself.
    pub(super) other_people: &'a OtherPeople,
    /// From when `send_within` runs.
    pub(super) wished_at: DateTime<Utc>,
    pub(super) now: DateTime<Utc>,
}

impl EvaluationInput<'_> {
    fn reminds(&self, event_type: EventType) -> Option<String> {
        let party = self
            .parsed
            .party
            .as_ref()
            .filter(|_| event_type.is_reminder());
        party.map(|p| p.id.clone()).filter(|id| !id.is_empty())
    }

    /// What a message about the event says of the document. A replay is a person's word: they saw the
    /// document as it is now.
    pub(super) fn assertion(&self, event_type: EventType) -> Assertion {
        let seen = Seen::of(self.document);
        Assertion {
            source: self.event.connection,
            kind: self.parsed.kind,
            document: self.parsed.id.clone(),
            says: Says {
                event_type,
                reminds: self.reminds(event_type),
                confirmed: (!self.replay.is_nil()).then(|| seen.clone()),
                seen,
            },
        }
    }
}
