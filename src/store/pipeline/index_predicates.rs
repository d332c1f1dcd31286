//! What a planner has to know.
//!
//! The messages of an event are asked for with `(tenant_id = …) IS TRUE`: both keys lead into an index, and
//! SQLite would go through all messages of the tenant, which are in the order of the list.
//!
//! What partial indexes hold. A query has to say so in the same words, or its planner cannot know that
//! the index has all that is asked for.

use crate::domain::delivery::DeliveryState;
use crate::domain::event::EventState;

/// Messages that are about to be sent.
pub(in crate::store) const MOVING: &str = "state IN ('queued', 'sending')";

/// All other messages.
pub(in crate::store) const RESTING: &str = "state NOT IN ('queued', 'sending')";

/// What failed and nobody has dealt with.
pub(in crate::store) const UNDEALT: &str =
    "state IN ('failed', 'undelivered') AND dealt_at IS NULL";

/// What was not understood and nobody has dealt with.
pub(in crate::store) const UNDEALT_EVENT: &str = "state = 'unrecognised' AND dealt_at IS NULL";

/// The messages that wait for a person, by name, each part in the words of its own index: with several in
/// one query, a planner may prefer to go through the whole history in its order.
pub(in crate::store) const NEEDS_PERSON: [(&str, &str); 3] = [
    (
        "unknown",
        "state = 'unknown' AND state NOT IN ('queued', 'sending')",
    ),
    (
        "held",
        "state = 'held' AND state NOT IN ('queued', 'sending')",
    ),
    ("failed", UNDEALT),
];

/// The state of a message where others ask for it by its key. No index knows it: a planner that takes the
/// messages of a state for few would read all of them, with all that have left the state since the last
/// `VACUUM`.
pub(in crate::store) const PLAIN_STATE: &str = "(deliveries.state || '')";

/// The part of the messages that a state is in.
pub(in crate::store) const fn of_delivery(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Queued | DeliveryState::Sending => MOVING,
        _ => RESTING,
    }
}

/// The part of the events that a state is in.
pub(in crate::store) const fn of_event(state: EventState) -> &'static str {
    match state {
        EventState::Received => "state = 'received'",
        _ => "state <> 'received'",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_person_is_asked_for_in_the_words_of_an_index() {
        for (name, such) in NEEDS_PERSON {
            assert!(such == UNDEALT || such.ends_with(RESTING), "{name}");
        }
    }

    #[test]
    fn each_state_is_in_its_part() {
        for &state in DeliveryState::ALL {
            let is_named = MOVING.contains(&format!("'{state}'"));
            assert_eq!(of_delivery(state) == MOVING, is_named, "{state}");
        }
    }
}
