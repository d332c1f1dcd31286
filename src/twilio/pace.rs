//! How fast senders usually are at Twilio ("Understanding Twilio Rate Limits and Message Queues"): an account may
//! have been granted more, and a registered campaign has a rate of its own.

use crate::domain::rule::Sender;

/// The area codes of toll-free numbers in the United States and Canada.
const TOLL_FREE: [&str; 7] = ["800", "833", "844", "855", "866", "877", "888"];

/// Segments in a second; a Messaging Service sends as fast as all of its numbers together.
pub(super) fn usual(sender: &Sender) -> Option<u16> {
    let Sender::From(from) = sender else {
        return None;
    };
    Some(match from.strip_prefix("+1") {
        Some(rest) if rest.get(..3).is_some_and(|area| TOLL_FREE.contains(&area)) => 3,
        Some(_) => 1,
        None if from.len() <= 6 && from.bytes().all(|b| b.is_ascii_digit()) => 100,
        None => 10,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_own_pace() {
        let of = |from: &str| usual(&Sender::From(from.to_owned()));
        assert_eq!(of("+14155550100"), Some(1));
        assert_eq!(of("+18335550100"), Some(3));
        assert_eq!(of("24365"), Some(100));
        assert_eq!(of("+447700900123"), Some(10));
        assert_eq!(of("Bowman"), Some(10));
        let service = Sender::MessagingService(format!("MG{}", "0a".repeat(16)));
        assert_eq!(usual(&service), None);
    }
}
