//! Is a message whose answer was lost among those that Twilio lists? Pure functions.
//!
//! The surprise: Twilio may list another text than was sent. Smart encoding replaces curly quotes
//! and long dashes, and a trial account puts a line before the text, so texts are compared in a
//! plain form and by their end. Its list of characters is not known whole, so any other text in the
//! window that no delivery of ours holds may be ours as well.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};

use super::{Message, MessageSid};

/// How far full-width characters stand from the plain ones.
const FULL_WIDTH: u32 = 0xfee0;

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Likeness {
    /// Exactly one message fits: it is ours.
    One(MessageSid),
    /// None fits.
    Missing,
    /// None fits, but one does in all but its time: a clock was wrong, or it is somebody else's.
    Mistimed,
    /// None fits, but another text went to the number in the window: it may be ours, rewritten.
    Foreign(MessageSid),
    /// Several fit, or one fits as far as it shows (no text, no time): a person must decide.
    Unclear,
}

/// A text in plain form, only for comparing: trimmed, line ends as `\n`, the look-alikes that smart
/// encoding replaces made plain, invisible marks dropped, runs of blanks made one.
pub fn normalise_body(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.replace("\r\n", "\n").chars() {
        match letter {
            '\r' => plain.push('\n'),
            '\u{201a}' | '\u{3001}' => plain.push(','),
            '\u{3002}' => plain.push('.'),
            '\u{00bc}' => plain.push_str("1/4"),
            '\u{00bd}' => plain.push_str("1/2"),
            '\u{00be}' => plain.push_str("3/4"),
            '\u{ff01}'..='\u{ff5e}' => {
                plain.extend(char::from_u32(u32::from(letter) - FULL_WIDTH));
            }
            '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' | '\u{2035}' | '\u{02bc}'
            | '\u{02b9}' | '\u{00b4}' | '\u{2039}' | '\u{203a}' | '`' => plain.push('\''),
            '\u{201c}'..='\u{201f}'
            | '\u{2033}'
            | '\u{2036}'
            | '\u{00ab}'
            | '\u{00bb}'
            | '\u{02ba}' => plain.push('"'),
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{2043}' => plain.push('-'),
            '\u{2026}' => plain.push_str("..."),
            '\u{2044}' | '\u{2215}' => plain.push('/'),
            '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{00ad}' => {}
            '\u{00a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\t' => {
                plain.push(' ');
            }
            other => plain.push(other),
        }
    }
    let mut after_blank = false;
    plain.retain(|letter| {
        let is_double = after_blank && letter == ' ';
        after_blank = letter == ' ';
        !is_double
    });
    plain.trim().to_owned()
}

/// Whether a listed text is ours: equal, or ending with ours after a trial's prefix. An empty text
/// matches nothing.
pub fn matches(ours: &str, listed: &str) -> bool {
    let (ours, listed) = (normalise_body(ours), normalise_body(listed));
    !ours.is_empty() && listed.ends_with(&ours)
}

/// The lost message that is looked for.
#[derive(Debug, Clone)]
pub struct Lost<'a> {
    /// When Twilio may have made it, by Twilio's clock.
    pub window: RangeInclusive<DateTime<Utc>>,
    /// E.164.
    pub to: &'a str,
    /// The text as sent.
    pub body: &'a str,
}

/// Looks for a lost message among `listed`, leaving out those that `is_held` by a delivery. The
/// list must be complete for the window before `Missing` may be believed.
pub fn find<'a>(
    listed: impl IntoIterator<Item = &'a Message>,
    lost: &Lost<'_>,
    is_held: impl Fn(&MessageSid) -> bool,
) -> Likeness {
    let mut certain: Option<&MessageSid> = None;
    let mut foreign: Option<&MessageSid> = None;
    let (mut doubtful, mut mistimed) = (false, false);
    for message in listed {
        if !message.outbound || is_held(&message.sid) || message.to.as_deref() != Some(lost.to) {
            continue;
        }
        // A page may shift between two calls and show a message twice.
        if certain == Some(&message.sid) {
            continue;
        }
        let in_time = message
            .date_created
            .map(|created| lost.window.contains(&created));
        let text = message
            .body
            .as_deref()
            .filter(|text| !text.trim().is_empty());
        let same_text = text.map(|text| matches(lost.body, text));
        match (in_time, same_text) {
            (Some(false), Some(true)) => mistimed = true,
            (Some(false), _) => {}
            (_, Some(false)) => foreign = Some(&message.sid),
            (Some(true), Some(true)) if certain.is_none() => certain = Some(&message.sid),
            _ => doubtful = true,
        }
    }
    match certain {
        _ if doubtful => Likeness::Unclear,
        Some(sid) => Likeness::One(sid.clone()),
        None if mistimed => Likeness::Mistimed,
        None => foreign.map_or(Likeness::Missing, |sid| Likeness::Foreign(sid.clone())),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    const TO: &str = "+447700900123";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }

    fn message(number: u32, body: &str, seconds: i64) -> Message {
        Message {
            sid: MessageSid::parse(&format!("SM{number:032x}")).unwrap(),
            to: Some(TO.to_owned()),
            from: None,
            body: Some(body.to_owned()),
            outbound: true,
            status: None,
            error_code: None,
            error_message: None,
            num_segments: None,
            date_created: Some(at(seconds)),
            date_sent: None,
        }
    }

    fn look(listed: &[Message]) -> Likeness {
        let lost = Lost {
            window: at(0)..=at(60),
            to: TO,
            body: "INV-7 is due",
        };
        find(listed, &lost, |sid| sid.as_str().ends_with('9'))
    }

    #[test]
    fn one_message_that_fits_is_ours_at_either_edge_of_the_window() {
        for seconds in [0, 30, 60] {
            let ours = message(1, "INV-7 is due", seconds);
            assert_eq!(
                look(std::slice::from_ref(&ours)),
                Likeness::One(ours.sid.clone())
            );
        }
    }

    #[test]
    fn others_are_left_out() {
        let inbound = Message {
            outbound: false,
            ..message(2, "INV-7 is due", 30)
        };
        let elsewhere = Message {
            to: Some("+1".to_owned()),
            ..message(3, "INV-7 is due", 30)
        };
        let listed = [inbound, elsewhere, message(9, "INV-7 is due", 30)];
        assert_eq!(look(&listed), Likeness::Missing);
        assert_eq!(look(&[]), Likeness::Missing);
    }

    #[test]
    fn another_text_in_the_window_may_be_ours_rewritten() {
        let other = message(4, "INV-8 is due", 30);
        let timeless = Message {
            date_created: None,
            ..other.clone()
        };
        for odd in [other.clone(), timeless] {
            assert_eq!(look(&[odd]), Likeness::Foreign(other.sid.clone()));
        }
        assert_eq!(look(&[message(4, "INV-8 is due", 61)]), Likeness::Missing);
        assert_eq!(look(&[message(9, "INV-8 is due", 30)]), Likeness::Missing);
        let ours = message(1, "INV-7 is due", 30);
        assert_eq!(look(&[other, ours.clone()]), Likeness::One(ours.sid));
    }

    #[test]
    fn one_of_another_time_is_neither_ours_nor_nobodys() {
        for seconds in [-1, 61, 3600] {
            let other = message(5, "INV-7 is due", seconds);
            assert_eq!(look(std::slice::from_ref(&other)), Likeness::Mistimed);
            let ours = message(1, "INV-7 is due", 30);
            assert_eq!(look(&[other, ours.clone()]), Likeness::One(ours.sid));
        }
        let held = message(9, "INV-7 is due", 61);
        assert_eq!(look(&[held]), Likeness::Missing);
    }

    #[test]
    fn two_that_fit_are_unclear_but_one_shown_twice_is_one() {
        let (one, two) = (message(1, "INV-7 is due", 1), message(2, "INV-7 is due", 2));
        assert_eq!(look(&[one.clone(), two]), Likeness::Unclear);
        assert_eq!(look(&[one.clone(), one.clone()]), Likeness::One(one.sid));
    }

    #[test]
    fn a_message_that_hides_its_text_or_time_is_unclear() {
        let hidden = Message {
            body: None,
            ..message(1, "", 30)
        };
        let empty = message(2, " ", 30);
        let timeless = Message {
            date_created: None,
            ..message(3, "INV-7 is due", 30)
        };
        for odd in [hidden, empty, timeless] {
            assert_eq!(look(std::slice::from_ref(&odd)), Likeness::Unclear);
            assert_eq!(
                look(&[message(4, "INV-7 is due", 30), odd]),
                Likeness::Unclear
            );
        }
        let old = Message {
            body: None,
            ..message(5, "", -TimeDelta::days(1).num_seconds())
        };
        assert_eq!(look(&[old]), Likeness::Missing);
    }

    #[test]
    fn a_trials_prefix_and_smart_encoding_do_not_hide_a_text() {
        assert!(matches(
            "INV-7 is due",
            "Sent from your Twilio trial account - INV-7 is due"
        ));
        assert!(matches(
            "\u{201c}INV\u{2013}7\u{201d}\u{2026}\r\nsoon\u{a0}",
            "\"INV-7\"...\nsoon"
        ));
        assert!(!matches("INV-7 is due", "INV-7 is due today"));
        assert!(!matches(" \u{200b}", "anything"));
    }

    proptest! {
        #[test]
        fn every_text_that_shows_something_matches_itself(text in ".{0,200}") {
            let shows = !normalise_body(&text).is_empty();
            prop_assert_eq!(matches(&text, &text), shows);
        }

        /// Whatever else is in the text, an unheld one in the window is never taken for absence.
        #[test]
        fn no_unheld_text_in_the_window_is_an_absence(text in "\\PC{0,80}", seconds in 0_i64..=60) {
            prop_assert_ne!(look(&[message(1, &text, seconds)]), Likeness::Missing);
        }

        /// Blanks of any kind and number read as one.
        #[test]
        fn blanks_and_widths_do_not_hide_a_text(blanks in "[ \u{a0}\u{202f}\u{3000}]{1,4}") {
            let ours = format!("INV-7{blanks}is due\u{3002}\u{ff01}");
            prop_assert!(matches(&ours, "INV-7 is due.!"));
            prop_assert!(!matches(&ours, "INV-8 is due.!"));
        }

        #[test]
        fn the_plain_form_is_stable(text in "[a-z\u{2018}-\u{201f}\u{2010}-\u{2015}\u{2026}\u{a0}\r\n ]{0,60}") {
            let once = normalise_body(&text);
            prop_assert_eq!(normalise_body(&once), once);
        }
    }
}
