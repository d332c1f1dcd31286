//! A state as a small shape, a word and a colour.
//!
//! Templates hand fields over by reference and results by value, so components that pages call
//! take either (`impl Borrow`).

use std::borrow::Borrow;

use maud::{Markup, html};

use crate::domain::delivery::DeliveryState;
use crate::domain::event::EventState;
use crate::domain::provider::ProviderWords;
use crate::web::ui::tone::Tone;

/// The badge of any state.
pub fn state(tone: impl Borrow<Tone>, word: &str) -> Markup {
    let tone = tone.borrow();
    html! { span class={ "badge " (tone.class()) } { (tone.shape()) (word) } }
}

/// How far a delivery has come that goes through this provider.
pub fn delivery(of: impl Borrow<DeliveryState>, provider: &ProviderWords) -> Markup {
    let of = *of.borrow();
    state(delivery_tone(of), of.label(provider))
}

/// The tone of a delivery's state.
pub const fn delivery_tone(of: DeliveryState) -> Tone {
    match of {
        DeliveryState::Delivered | DeliveryState::Read => Tone::Ok,
        DeliveryState::Sending | DeliveryState::Accepted | DeliveryState::Sent => Tone::Waiting,
        DeliveryState::Queued => Tone::Queued,
        DeliveryState::Held => Tone::Held,
        DeliveryState::Unknown => Tone::Needs,
        DeliveryState::Failed | DeliveryState::Undelivered => Tone::Failed,
        DeliveryState::Suppressed | DeliveryState::Canceled | DeliveryState::Expired => Tone::Quiet,
    }
}

/// How far an event has come.
pub fn event(of: impl Borrow<EventState>) -> Markup {
    let of = *of.borrow();
    state(event_tone(of), event_words(of))
}

/// The tone of an event's state.
pub const fn event_tone(of: EventState) -> Tone {
    match of {
        EventState::Received => Tone::Queued,
        EventState::Matched => Tone::Ok,
        EventState::Unmatched | EventState::Settled => Tone::Quiet,
        EventState::Unrecognised => Tone::Needs,
    }
}

/// A clerk's words for an event's state.
pub const fn event_words(of: EventState) -> &'static str {
    match of {
        EventState::Received => "Received",
        EventState::Matched => "Matched",
        EventState::Unmatched => "No rule matched",
        EventState::Settled => "Nothing to tell",
        EventState::Unrecognised => "Not understood",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_bears_a_shape_and_its_word() {
        for &of in DeliveryState::ALL {
            let provider = &ProviderWords::NOBODY;
            let (html, word) = (delivery(of, provider).into_string(), of.label(provider));
            assert!(html.contains("<svg") && html.contains(word), "{html}");
        }
        for &of in EventState::ALL {
            assert!(event(of).into_string().contains(event_words(of)));
        }
    }
}
