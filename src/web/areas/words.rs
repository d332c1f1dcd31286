//! Small texts that several pages share.

use std::borrow::Borrow;

use crate::domain::delivery::Channel;
use crate::domain::event::{EventSource, EventType};

/// The text with its first letter in upper case: "Invoice is sent".
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// What happened, as a line of a list; a body that nobody understood has a name too.
pub fn event_title(event_type: impl Borrow<Option<EventType>>) -> String {
    event_type
        .borrow()
        .map_or_else(|| "Not understood".to_owned(), |t| capital(t.label()))
}

/// Who told us, at the start of a sentence.
pub const fn teller(source: EventSource) -> &'static str {
    match source {
        EventSource::Webhook => "Zoho Books told us",
        EventSource::Sweep => "The daily look into Zoho Books found",
        EventSource::Schedule => "The calendar says",
        EventSource::Test => "A test says",
    }
}

/// "SMS to Benjamin George (+1617 … 0123)"; without a name "SMS to +1617 … 0123"; without an address
/// "E-mail to Bowman & Co".
pub fn message_to(channel: Channel, name: Option<&str>, short_address: &str) -> String {
    let (short_address, channel) = (straight(short_address), capital(channel.label()));
    match name.map(straight) {
        Some(name) if short_address.is_empty() => format!("{channel} to {name}"),
        // An address that a rule names is called by itself.
        Some(name) if !is_address(&name) => format!("{channel} to {name} ({short_address})"),
        _ => format!("{channel} to {short_address}"),
    }
}

/// Whether what a message calls its recipient is only their address.
pub fn is_address(name: &str) -> bool {
    name.starts_with('+') || (name.contains('@') && !name.contains(' '))
}

/// The text without marks of direction, for names inside a sentence that no element sets apart:
/// one of them would turn the words after it around.
pub fn straight(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_of_direction_does_not_turn_the_sentence() {
        let told = message_to(Channel::Sms, Some("Ann\u{202e}a"), "+1617");
        assert_eq!(told, "SMS to Anna (+1617)");
    }

    #[test]
    fn a_message_is_named_by_what_is_known() {
        let to = |name, number| message_to(Channel::Sms, name, number);
        assert_eq!(to(Some("Ada"), "+1202 … 0199"), "SMS to Ada (+1202 … 0199)");
        assert_eq!(to(Some("Bauer & Sons"), ""), "SMS to Bauer & Sons");
        assert_eq!(
            to(Some("+1 202-555-0199"), "+1202 … 0199"),
            "SMS to +1202 … 0199"
        );
        assert_eq!(to(None, "+1202 … 0199"), "SMS to +1202 … 0199");
    }

    #[test]
    fn a_capital_may_be_more_than_one_letter() {
        assert_eq!(capital("ßa"), "SSa");
        assert_eq!(capital(""), "");
        assert_eq!(event_title(Some(EventType::InvoiceSent)), "Invoice is sent");
    }
}
