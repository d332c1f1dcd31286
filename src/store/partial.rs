//! What a planner has to be told.
//!
//! The messages of an event are asked for with `(tenant_id = …) IS TRUE`: both keys lead into an index, and
//! SQLite would go through all messages of the tenant, which are in the order of the list.
//!
//! What partial indexes hold. A query has to say so in the same words, or its planner cannot know that
//! the index has all that is asked for.

use crate::domain::delivery::DeliveryState;
use crate::domain::event::EventState;

/// Messages that are about to be sent.
pub(super) const MOVING: &str = "state IN ('queued', 'sending')";

/// All other messages.
pub(super) const RESTING: &str = "state NOT IN ('queued', 'sending')";

/// The state of a message where others ask for it by its key. No index knows it: a planner that takes the
/// messages of a state for few would read all of them, with all that have left the state since the last
/// `VACUUM`.
pub(super) const PLAIN_STATE: &str = "(deliveries.state || '')";

/// The part of the messages that a state is in.
pub(super) const fn of_delivery(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Queued | DeliveryState::Sending => MOVING,
        _ => RESTING,
    }
}

/// The part of the events that a state is in.
pub(super) const fn of_event(state: EventState) -> &'static str {
    match state {
        EventState::Received => "state = 'received'",
        _ => "state <> 'received'",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_is_in_its_part() {
        for state in DeliveryState::ALL {
            let is_named = MOVING.contains(&format!("'{state}'"));
            assert_eq!(of_delivery(state) == MOVING, is_named, "{state}");
        }
    }
}
