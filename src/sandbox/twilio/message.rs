//! The messages the sandbox has taken, and their listing.
//!
//! Lists are newest first and filter like Twilio's: there is none on body, status or creation
//! time, and `DateSent` never shows a message that has not left yet.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

/// One message as taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// `SM…`, or `MM…` with media.
    pub sid: String,
    /// The owner.
    pub account_sid: String,
    /// The recipient as given.
    pub to: String,
    /// The sender; none until a Messaging Service has picked one.
    pub from: Option<String>,
    /// The text, with a trial account's prefix.
    pub body: String,
    /// Twilio's word: `queued`, `sent` ...
    pub status: String,
    /// Set by a plan that fails the message.
    pub error_code: Option<u32>,
    /// The service that was asked to send.
    pub messaging_service_sid: Option<String>,
    /// Where states are posted, with its fragment.
    pub status_callback: Option<String>,
    /// Number of media.
    pub num_media: usize,
    /// Taken at.
    pub date_created: DateTime<Utc>,
    /// Last change.
    pub date_updated: DateTime<Utc>,
    /// Left at.
    pub date_sent: Option<DateTime<Utc>>,
    /// The form's other parameters, in order.
    pub params: Vec<(String, String)>,
}

/// Twilio's order of states; final ones are 9 and above (facts 1.3).
fn rank(status: &str) -> u8 {
    match status {
        "queued" => 1,
        "sending" => 2,
        "sent" => 3,
        "delivered" => 4,
        "read" => 5,
        "failed" | "undelivered" | "canceled" => 9,
        _ => 0,
    }
}

impl Message {
    /// Takes a state, unless the message is already past it.
    pub(super) fn advance(&mut self, status: &str, error_code: Option<u32>, now: DateTime<Utc>) {
        let past = match rank(&self.status) {
            4.. => rank(status) != 5 || self.status != "delivered",
            here => rank(status) <= here,
        };
        if past {
            return;
        }
        status.clone_into(&mut self.status);
        if matches!(status, "failed" | "undelivered") {
            self.error_code = error_code.or(self.error_code);
        }
        if (3..=5).contains(&rank(status)) || status == "undelivered" {
            self.date_sent.get_or_insert(now);
        }
        self.date_updated = now;
    }

    /// As Twilio shows it.
    pub(super) fn json(&self) -> Value {
        let base = format!(
            "/2010-04-01/Accounts/{}/Messages/{}",
            self.account_sid, self.sid
        );
        let segments = if self.from.is_none() {
            0
        } else {
            segments(&self.body)
        };
        json!({
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "body": self.body,
            "date_created": rfc2822(self.date_created),
            "date_sent": self.date_sent.map(rfc2822),
            "date_updated": rfc2822(self.date_updated),
            "direction": if self.status == "received" { "inbound" } else { "outbound-api" },
            "error_code": self.error_code,
            "error_message": null,
            "from": self.from,
            "messaging_service_sid": self.messaging_service_sid,
            "num_media": self.num_media.to_string(),
            "num_segments": segments.to_string(),
            "price": null,
            "price_unit": "USD",
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": { "media": format!("{base}/Media.json") },
            "tags": null,
            "to": self.to,
            "uri": format!("{base}.json"),
        })
    }
}

fn rfc2822(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// The number of SMS segments: 160 or 153 septets, 70 or 67 UTF-16 units (facts 1.4).
fn segments(body: &str) -> usize {
    const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                         ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
    const EXTENSION: &str = "^{}\\[~]|€\u{c}";
    let mut septets = 0;
    let mut gsm = true;
    for character in body.chars() {
        if BASIC.contains(character) {
            septets += 1;
        } else if EXTENSION.contains(character) {
            septets += 2;
        } else {
            gsm = false;
        }
    }
    let (units, single, part) = if gsm {
        (septets, 160, 153)
    } else {
        (body.encode_utf16().count(), 70, 67)
    };
    if units <= single {
        1
    } else {
        usize::div_ceil(units, part)
    }
}

/// What a list shows.
#[derive(Debug, Clone, Default)]
pub(super) struct ListFilter {
    pub(super) to: Option<String>,
    pub(super) from: Option<String>,
    pub(super) sent_after: Option<DateTime<Utc>>,
    pub(super) sent_before: Option<DateTime<Utc>>,
}

impl ListFilter {
    /// Reads `To`, `From`, `DateSent`, `DateSent>` and `DateSent<`; a date that cannot be read
    /// is given back.
    pub(super) fn from_pairs(pairs: &[(String, String)]) -> Result<Self, String> {
        let mut filter = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                _ if value.is_empty() => {}
                "To" => filter.to = Some(value.clone()),
                "From" => filter.from = Some(value.clone()),
                "DateSent" => {
                    let (start, end) = span(value)?;
                    filter.sent_after = Some(start);
                    filter.sent_before = Some(end);
                }
                "DateSent>" => filter.sent_after = Some(span(value)?.0),
                "DateSent<" => filter.sent_before = Some(span(value)?.1),
                _ => {}
            }
        }
        Ok(filter)
    }

    fn shows(&self, message: &Message) -> bool {
        let dated = self.sent_after.is_some() || self.sent_before.is_some();
        self.to.as_ref().is_none_or(|to| *to == message.to)
            && self
                .from
                .as_ref()
                .is_none_or(|from| message.from.as_ref() == Some(from))
            && match message.date_sent {
                None => !dated,
                Some(sent) => {
                    self.sent_after.is_none_or(|after| sent >= after)
                        && self.sent_before.is_none_or(|before| sent <= before)
                }
            }
    }
}

/// The first and last instant of a GMT day, or one instant twice.
fn span(text: &str) -> Result<(DateTime<Utc>, DateTime<Utc>), String> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        let start = day.and_time(NaiveTime::MIN).and_utc();
        return Ok((
            start,
            start + chrono::TimeDelta::days(1) - chrono::TimeDelta::microseconds(1),
        ));
    }
    DateTime::parse_from_rfc3339(text)
        .map(|at| (at.to_utc(), at.to_utc()))
        .map_err(|_| text.to_owned())
}

/// All messages, up to a bound: the oldest are forgotten.
#[derive(Debug)]
pub(super) struct Ledger {
    cap: usize,
    first: u64,
    messages: VecDeque<Message>,
    by_sid: HashMap<String, u64>,
    by_recipient: HashMap<(String, String), VecDeque<u64>>,
}

impl Ledger {
    pub(super) fn new(cap: usize) -> Self {
        Self {
            cap: cap.max(1),
            first: 0,
            messages: VecDeque::new(),
            by_sid: HashMap::new(),
            by_recipient: HashMap::new(),
        }
    }

    pub(super) fn push(&mut self, message: Message) {
        if self.messages.len() >= self.cap
            && let Some(old) = self.messages.pop_front()
        {
            self.by_sid.remove(&old.sid);
            let key = (old.account_sid, old.to);
            if let Some(rows) = self.by_recipient.get_mut(&key) {
                rows.pop_front();
                if rows.is_empty() {
                    self.by_recipient.remove(&key);
                }
            }
            self.first += 1;
        }
        let row = self.first + self.messages.len() as u64;
        self.by_sid.insert(message.sid.clone(), row);
        let key = (message.account_sid.clone(), message.to.clone());
        self.by_recipient.entry(key).or_default().push_back(row);
        self.messages.push_back(message);
    }

    pub(super) fn get(&self, sid: &str) -> Option<&Message> {
        self.at(*self.by_sid.get(sid)?)
    }

    pub(super) fn get_mut(&mut self, sid: &str) -> Option<&mut Message> {
        let index = self.by_sid.get(sid)?.checked_sub(self.first)?;
        self.messages.get_mut(usize::try_from(index).ok()?)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter()
    }

    /// Up to `limit` messages older than `before` (a sid), newest first, and whether more follow.
    pub(super) fn list(
        &self,
        account: &str,
        filter: &ListFilter,
        before: Option<&str>,
        limit: usize,
    ) -> (Vec<&Message>, bool) {
        let end = match before {
            // A sid that was forgotten is older than everything kept.
            Some(sid) => self.by_sid.get(sid).copied().unwrap_or(self.first),
            None => u64::MAX,
        };
        let rows: Box<dyn Iterator<Item = &Message>> = if let Some(to) = &filter.to {
            let rows = self.by_recipient.get(&(account.to_owned(), to.clone()));
            let rows = rows.into_iter().flatten().rev().copied();
            Box::new(
                rows.filter(move |row| *row < end)
                    .filter_map(|row| self.at(row)),
            )
        } else {
            let older = usize::try_from(end.saturating_sub(self.first)).unwrap_or(usize::MAX);
            Box::new(self.messages.range(..older.min(self.messages.len())).rev())
        };
        let mut found: Vec<&Message> = rows
            .filter(|message| message.account_sid == account && filter.shows(message))
            .take(limit + 1)
            .collect();
        let more = found.len() > limit;
        found.truncate(limit);
        (found, more)
    }

    fn at(&self, row: u64) -> Option<&Message> {
        self.messages
            .get(usize::try_from(row.checked_sub(self.first)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sid: &str, to: &str) -> Message {
        Message {
            sid: sid.to_owned(),
            account_sid: "AC1".to_owned(),
            to: to.to_owned(),
            from: Some("+15005550006".to_owned()),
            body: "Hello".to_owned(),
            status: "queued".to_owned(),
            error_code: None,
            messaging_service_sid: None,
            status_callback: None,
            num_media: 0,
            date_created: DateTime::UNIX_EPOCH,
            date_updated: DateTime::UNIX_EPOCH,
            date_sent: None,
            params: Vec::new(),
        }
    }

    fn sids(found: &[&Message]) -> Vec<String> {
        found.iter().map(|message| message.sid.clone()).collect()
    }

    #[test]
    fn a_full_ledger_forgets_the_oldest_and_still_finds_the_rest() {
        let mut ledger = Ledger::new(2);
        for (sid, to) in [("1", "+1"), ("2", "+2"), ("3", "+1")] {
            ledger.push(message(sid, to));
        }
        assert!(ledger.get("1").is_none());
        let to = ListFilter {
            to: Some("+1".to_owned()),
            ..ListFilter::default()
        };
        assert_eq!(sids(&ledger.list("AC1", &to, None, 10).0), ["3"]);
        assert_eq!(
            sids(&ledger.list("AC1", &ListFilter::default(), None, 10).0),
            ["3", "2"]
        );
        assert!(
            ledger
                .list("AC1", &ListFilter::default(), Some("1"), 10)
                .0
                .is_empty()
        );
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat() {
        let mut ledger = Ledger::new(10);
        for sid in ["1", "2", "3"] {
            ledger.push(message(sid, "+1"));
        }
        let all = ListFilter::default();
        let (first, more) = ledger.list("AC1", &all, None, 2);
        assert_eq!(
            (sids(&first), more),
            (vec!["3".to_owned(), "2".to_owned()], true)
        );
        let (rest, more) = ledger.list("AC1", &all, Some("2"), 2);
        assert_eq!((sids(&rest), more), (vec!["1".to_owned()], false));
        assert!(ledger.list("AC2", &all, None, 2).0.is_empty());
    }

    #[test]
    fn states_never_go_back_and_failures_are_final() {
        let mut one = message("1", "+1");
        for status in [
            "sent",
            "sending",
            "delivered",
            "failed",
            "read",
            "delivered",
        ] {
            one.advance(status, Some(30003), DateTime::UNIX_EPOCH);
        }
        assert_eq!((one.status.as_str(), one.error_code), ("read", None));
        let mut other = message("2", "+1");
        other.advance("failed", Some(30003), DateTime::UNIX_EPOCH);
        other.advance("delivered", None, DateTime::UNIX_EPOCH);
        assert_eq!(
            (other.status.as_str(), other.error_code),
            ("failed", Some(30003))
        );
    }

    #[test]
    fn segments_count_septets_and_utf16_units() {
        for (body, expected) in [
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            ("ы".repeat(70), 1),
            ("ы".repeat(71), 2),
            ("😀".repeat(36), 2),
        ] {
            assert_eq!(segments(&body), expected, "{body}");
        }
    }
}
