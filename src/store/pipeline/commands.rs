//! What the pipeline writes by the thousand: a lane of the writer for each kind of command.

use super::claims::Claiming;
use super::ingest::PreparedEvent;
use super::outcomes::Changing;
use super::receipts::Receiving;
use super::route::Routing;
use crate::domain::event::Ingested;
use crate::store::engine::writer::{CommandLane, Lanes};

/// The lanes of the pipeline.
#[derive(Clone)]
pub(in crate::store) struct Commands {
    pub(super) events: CommandLane<PreparedEvent>,
    pub(super) routes: CommandLane<Routing>,
    pub(super) claims: CommandLane<Claiming>,
    pub(super) changes: CommandLane<Changing>,
    pub(super) receipts: CommandLane<Receiving>,
}

impl Commands {
    /// Adds the lanes, in the order in which a batch is carried out: whoever posts an event waits for it.
    pub(in crate::store) fn add(lanes: &mut Lanes) -> Self {
        Self {
            events: lanes.add(),
            routes: lanes.add(),
            claims: lanes.add(),
            changes: lanes.add(),
            receipts: lanes.add(),
        }
    }

    /// The same, but events are acknowledged and not kept.
    pub(in crate::store) fn without_events(self) -> Self {
        let events = self.events.answered_unwritten(|prepared| Ingested {
            event: prepared.event.id,
            is_duplicate: false,
        });
        Self { events, ..self }
    }
}
