//! Messages that recipients send back: STOP, START and the rest.
//!
//! The surprise: Twilio has already acted on a STOP, and answered it, before we hear of it. We
//! only take note, so that no later message is refused (21610); we never answer ourselves.

use super::Message;
use super::callback::{CallbackError, Fields};
use super::kept::cut;
use crate::domain::opt_out::wish;
use crate::domain::reply::Wish;
use crate::transport::Inbound;

/// Longest text that is kept, in bytes: 1,600 characters of up to four bytes.
const LONGEST_TEXT: usize = 6_400;

/// Reads the raw form body of an inbound message.
pub fn parse(body: &[u8]) -> Result<Inbound, CallbackError> {
    let fields = Fields::read(body)?;
    let text = cut(fields.value("Body").unwrap_or_default(), LONGEST_TEXT);
    Ok(Inbound {
        id: fields.message_sid()?.to_string(),
        from: fields.kept("From"),
        to: fields.kept("To"),
        body: text.replace(|letter: char| letter.is_control() && letter != '\n', ""),
        // Only Advanced Opt-Out tells the type; without it the word must do.
        wish: match fields.value("OptOutType") {
            Some("STOP") => Wish::Stop,
            Some("START") => Wish::Start,
            Some("HELP") => Wish::Help,
            _ => wish(text),
        },
        account: fields.account_sid().map(|sid| sid.to_string()),
    })
}

/// What was told, as Twilio has it; `None` where it has no such message of a recipient.
pub(super) fn confirmed(told: &Inbound, found: Message) -> Option<Inbound> {
    if found.outbound || found.from.is_none() {
        return None;
    }
    let body = found.body.unwrap_or_default();
    let wish = match wish(&body) {
        // Advanced Opt-Out has words of its own, which only the request tells.
        Wish::Read if told.wish != Wish::Start => told.wish,
        wish => wish,
    };
    Some(Inbound {
        from: found.from,
        to: found.to,
        body,
        wish,
        ..told.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(rest: &str) -> Inbound {
        parse(format!("MessageSid=SM0123456789abcdef0123456789abcdef&{rest}").as_bytes()).unwrap()
    }

    #[test]
    fn the_whole_message_must_be_the_word_in_any_case() {
        assert_eq!(parsed("Body=+stop%0D%0A").wish, Wish::Stop);
        assert_eq!(parsed("Body=UnStop").wish, Wish::Start);
        assert_eq!(parsed("Body=info").wish, Wish::Help);
        for other in ["", "yes", "paid"] {
            assert_eq!(parsed(&format!("Body={other}")).wish, Wish::Read, "{other}");
        }
        for unclear in ["stop+please", "don%27t+stop"] {
            assert_eq!(
                parsed(&format!("Body={unclear}")).wish,
                Wish::Unclear,
                "{unclear}"
            );
        }
    }

    #[test]
    fn twilios_own_reading_wins() {
        assert_eq!(parsed("Body=basta&OptOutType=STOP").wish, Wish::Stop);
        assert_eq!(parsed("Body=STOP&OptOutType=HELP").wish, Wish::Help);
        assert_eq!(parsed("Body=STOP&OptOutType=new").wish, Wish::Stop);
    }

    #[test]
    fn the_text_keeps_its_lines_and_nothing_hidden() {
        let inbound = parsed("Body=one%0Atwo%00%07&From=%2B447700900123&To=%2B15005550006");
        assert_eq!(inbound.body, "one\ntwo");
        assert_eq!(inbound.from.as_deref(), Some("+447700900123"));
        assert!(parse(b"Body=STOP").is_err());
    }
}
