//! Twilio's error codes as data: what they mean to a clerk and what to do about them.
//!
//! The surprise: Twilio says not to build logic on codes, since the code for one cause can change
//! (its spec, `error_code`). So the table is data with a default for unknown codes, and the only
//! codes that steer anything do so through [`Class`].

mod table;

use chrono_tz::Tz;

use crate::domain::report::HitLimit;

/// As many characters of Twilio's own words are shown.
const LONGEST_WORDS: usize = 200;

/// What kind of trouble a code stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Class {
    /// The number itself: wrong, a landline, unreachable.
    Recipient,
    /// The recipient wrote STOP: suppress the address.
    OptedOut,
    /// Something to settle in the Twilio Console: sender, registration, country.
    SetUp,
    /// The account or its credentials: no message will fare better, pause the connection.
    Account,
    /// The text or template.
    Content,
    /// Too many calls at once: not processed, safe to send again.
    Throttle,
    /// The sender's queue at Twilio is full: not taken, safe to send again later.
    QueueFull,
    /// Twilio's own trouble while answering: the message may exist.
    ServerTrouble,
    /// The carrier, on the way.
    Carrier,
    /// Filtered as spam or fraud.
    Filtered,
    /// A sending limit of the carrier or the account.
    Limit,
    /// The rules of WhatsApp or RCS.
    Channel,
    /// The request was wrong, which is ours to mend.
    OurBug,
    /// Not in our table.
    Unknown,
}

impl Class {
    /// The stable text, for metrics and the API.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

/// Whether a new message, which costs again, has a chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResendAdvice {
    /// It will fail again.
    Never,
    /// Once, some hours later.
    Once,
    /// Later, and slower.
    Later,
    /// The next day.
    NextDay,
    /// Once the set-up is mended.
    AfterSetUp,
    /// At an hour when it is allowed.
    AllowedHour,
    /// It may have arrived, or may no longer be true: a person decides.
    AskAPerson,
}

/// What is known about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Twilio's code, 0 for the default.
    pub code: i32,
    /// Twilio's title, shortened.
    pub title: &'static str,
    pub class: Class,
    /// What is wrong, to follow "Twilio refused the number +44 7...: ".
    pub what: &'static str,
    /// What to do, a sentence; `{who}` stands for the recipient.
    todo: &'static str,
    /// Whether sending again has a chance.
    pub later: ResendAdvice,
}

/// What stands for a code that is not in the table: final, never sent again by itself.
pub const UNKNOWN: Entry = Entry {
    code: 0,
    title: "Unknown code",
    class: Class::Unknown,
    what: "Twilio gave a reason that we do not know",
    todo: "Open Twilio's page about it, or ask Twilio's support.",
    later: ResendAdvice::AskAPerson,
};

/// The entry of a code, or [`UNKNOWN`].
pub fn explain(code: i32) -> &'static Entry {
    find(code).unwrap_or(&UNKNOWN)
}

/// The entry of a code, if it is in the table.
pub fn find(code: i32) -> Option<&'static Entry> {
    table::TABLES.into_iter().find_map(|rows| {
        let place = rows.binary_search_by_key(&code, |entry| entry.code).ok()?;
        rows.get(place)
    })
}

/// The limit that a code tells of. Carriers' caps for the day are T-Mobile's alone, which lifts them at midnight
/// Pacific (Twilio's pages on 30023 and 30027; "T-Mobile daily message limits ... with A2P 10DLC").
pub fn hit_limit(code: i32) -> Option<HitLimit> {
    match code {
        30022 => Some(HitLimit::SenderRate),
        30023 | 30027 => Some(HitLimit::CarrierDay(Tz::America__Los_Angeles)),
        63038 => Some(HitLimit::AccountDay),
        _ => None,
    }
}

/// Twilio's page about a code.
pub fn page(code: i32) -> String {
    format!("https://www.twilio.com/docs/api/errors/{code}")
}

impl Entry {
    /// What is wrong, with the code: "it is a landline or its carrier cannot be reached (30006)".
    pub fn what_with(&self, code: i32) -> String {
        match code {
            0 => "Twilio gave no reason".to_owned(),
            _ => format!("{} ({code})", self.what),
        }
    }

    /// What to do, naming the recipient: "Ask Bowman & Co for a mobile number, ...".
    pub fn advice(&self, who: Option<&str>) -> String {
        self.todo.replace("{who}", who.unwrap_or("the recipient"))
    }

    /// Whether the recipient must not be written to again.
    pub const fn is_opt_out(&self) -> bool {
        matches!(self.class, Class::OptedOut)
    }
}

/// Two sentences for a clerk: what happened to the number, and what to do. `to` is the number as
/// it may be shown, `who` the recipient's name.
pub fn sentence(code: i32, to: &str, who: Option<&str>) -> String {
    sentence_with(code, to, who, "")
}

/// The same; for a code that we do not know, with Twilio's own words, which are data.
pub fn sentence_with(code: i32, to: &str, who: Option<&str>, words: &str) -> String {
    let entry = explain(code);
    let about = match entry.class {
        Class::Recipient | Class::OptedOut => format!("Twilio refused the number {to}"),
        _ => format!("Twilio did not deliver the message to {to}"),
    };
    let words: String = words
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|letter| !letter.is_control())
        .take(LONGEST_WORDS)
        .collect();
    let says = match entry.class {
        Class::Unknown if !words.is_empty() => format!(" Twilio says: \u{201c}{words}\u{201d}."),
        _ => String::new(),
    };
    let todo = match code {
        0 => "Look at the message in the Twilio Console, or ask Twilio's support.".to_owned(),
        _ => entry.advice(who),
    };
    format!("{about}: {}.{says} {todo}", entry.what_with(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> impl Iterator<Item = &'static Entry> {
        table::TABLES.into_iter().flatten()
    }

    #[test]
    fn the_tables_are_sorted_and_no_code_is_twice() {
        for rows in table::TABLES {
            assert!(rows.windows(2).all(|pair| pair[0].code < pair[1].code));
        }
        let codes: std::collections::HashSet<_> = entries().map(|entry| entry.code).collect();
        assert_eq!(codes.len(), entries().count());
        assert!(entries().all(|entry| explain(entry.code) == entry));
    }

    #[test]
    fn every_sentence_keeps_the_voice() {
        for entry in entries().chain([&UNKNOWN]) {
            let todo = entry.advice(Some("Bowman & Co"));
            assert!(todo.ends_with('.') && !todo.contains('{'), "{entry:?}");
            assert!(todo.starts_with(char::is_uppercase), "{entry:?}");
            assert!(
                !entry.what.ends_with('.') && !entry.what.is_empty(),
                "{entry:?}"
            );
            for text in [entry.what, todo.as_str()] {
                assert!(!text.contains('!') && !text.contains("Oops"), "{text}");
                assert!(
                    !text.contains("webhook") && !text.contains("callback"),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn a_landline_is_told_with_what_to_do() {
        assert_eq!(
            sentence(30006, "+44 7...", Some("Bowman & Co")),
            "Twilio refused the number +44 7...: it is a landline, or its carrier cannot be \
             reached (30006). Ask Bowman & Co for a mobile number."
        );
    }

    #[test]
    fn an_opt_out_is_marked_and_an_unknown_code_is_never_sent_again_by_itself() {
        assert!(explain(21610).is_opt_out());
        assert_eq!(entries().filter(|entry| entry.is_opt_out()).count(), 1);
        for code in [0, -1, 21_999, 572_005, i32::MAX] {
            assert_eq!(explain(code), &UNKNOWN);
        }
        assert!(sentence(572_005, "+1...", None).contains("(572005)"));
    }

    #[test]
    fn steering_codes_have_their_classes() {
        for (code, class) in [
            (20003, Class::Account),
            (20404, Class::Account),
            (20429, Class::Throttle),
            (20500, Class::ServerTrouble),
            (21211, Class::Recipient),
            (21408, Class::SetUp),
            (21611, Class::QueueFull),
            (30002, Class::Account),
            (30003, Class::Carrier),
            (63016, Class::Channel),
        ] {
            assert_eq!(explain(code).class, class, "{code}");
        }
    }
}
