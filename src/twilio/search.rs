//! Looking for a message that Twilio may or may not have.
//!
//! Its list is recent enough to show the lost message once it shows a *freshness marker*: a message of the
//! same account that we know was accepted after the lost attempt began.
//!
//! Attempts bear the time of the database where several processes share one. Nothing may be sent twice
//! because a clock was set all the same, so a message that fits in all but its time is no absence, and
//! a marker must be new by Twilio's own clock as well.

use std::ops::RangeInclusive;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::credentials::MessageSid;
use super::error::{CallError, CallFailure};
use super::list::{ListQuery, Listing};
use super::lookup::{self, Likeness};
use super::transport::Messages;
use crate::domain::clock::TOLERANCE;
use crate::transport::{CallTime, FindFailure, Finding, Ledger, Lost, Search, Transport as _};

/// How far before the attempt a list is read, for clocks that were an hour off.
const READ_BACK: TimeDelta = TimeDelta::hours(2);

/// How far our clock may differ from Twilio's, as `check` has it, and two seconds, since Twilio's
/// creation times are whole.
const SLACK: TimeDelta = TimeDelta::seconds(TOLERANCE.num_seconds() + 2);

impl Messages {
    /// One search.
    pub(super) async fn search(
        &self,
        lost: &Lost<'_>,
        ledger: &dyn Ledger,
    ) -> Result<Search, FindFailure> {
        if let Some(sid) = self.hinted(lost, ledger).await? {
            return Ok(Search {
                evidence: json!({ "hint": sid.as_str() }),
                finding: Finding::Found(sid.to_string()),
            });
        }
        // The marker first: a list that was read after it was shown is as recent at least.
        let shown_elsewhere = match lost.marker {
            Some(marker) if marker.to != lost.to => {
                let (theirs, window) = self.list_for(&marker.to, lost).await?;
                shows(&theirs, &marker.id, &window)
            }
            _ => false,
        };
        let (listing, window) = self.list_for(lost.to, lost).await?;
        let sids: Vec<String> = listing.messages.iter().map(|m| m.sid.to_string()).collect();
        let taken = ledger.held_by_others(&sids).await?;
        let wanted = lookup::Lost {
            window: window.clone(),
            to: lost.to,
            body: lost.content.text(),
        };
        let is_held = |sid: &MessageSid| taken.iter().any(|t| t == sid.as_str());
        let likeness = lookup::find(&listing.messages, &wanted, is_held);
        let is_shown = lost
            .marker
            .map(|marker| shown_elsewhere || shows(&listing, &marker.id, &window));
        let evidence = json!({
            "listed": sids.len(),
            "window": [window.start(), window.end()],
            "already_ours": taken,
            "witness": lost.marker.map(|marker| &marker.id),
            "witness_shown": is_shown,
        });
        Ok(Search {
            finding: conclude(&likeness, is_shown, listing.complete),
            evidence,
        })
    }

    /// A status report that nobody signed may still name the message: Twilio itself says whether it
    /// is ours.
    async fn hinted(
        &self,
        lost: &Lost<'_>,
        ledger: &dyn Ledger,
    ) -> Result<Option<MessageSid>, FindFailure> {
        if lost.hints.is_empty() {
            return Ok(None);
        }
        let taken = ledger.held_by_others(lost.hints).await?;
        for hint in lost.hints.iter().filter(|h| !taken.contains(h)) {
            let Ok(sid) = MessageSid::parse(hint) else {
                continue;
            };
            let time = CallTime::of(self.limits().call);
            let Ok(message) = self.twilio.get(&self.account, &sid, time).await else {
                continue;
            };
            let hour = TimeDelta::hours(1);
            let wanted = lookup::Lost {
                window: lost.started_at - hour..=lost.clock.now() + hour,
                to: lost.to,
                body: lost.content.text(),
            };
            if let Likeness::One(sid) = lookup::find([&message], &wanted, |_| false) {
                return Ok(Some(sid));
            }
        }
        Ok(None)
    }

    async fn list_for(&self, to: &str, lost: &Lost<'_>) -> Result<(Listing, Window), FindFailure> {
        let query = ListQuery {
            to: Some(to),
            page_size: 100,
            max_pages: 10,
            not_before: lost.started_at - READ_BACK,
        };
        let asked_at = lost.clock.now();
        let time = CallTime::of(self.limits().call);
        let listed = self.twilio.list(&self.account, &query, time).await;
        let listing = listed.map_err(|error| not_listed(&error))?;
        let call = (lost.started_at, lost.lease_until);
        let window = window(call, listing.date, asked_at..=lost.clock.now());
        Ok((listing, window))
    }
}

fn conclude(likeness: &Likeness, is_marker_shown: Option<bool>, is_complete: bool) -> Finding {
    match likeness {
        Likeness::One(sid) => Finding::Found(sid.to_string()),
        Likeness::Unclear => {
            Finding::AskPerson("Several messages at Twilio could be this one".to_owned())
        }
        // Ours, rewritten; or another lost one of ours, which its own search will find.
        Likeness::Foreign(sid) => Finding::Absent {
            doubt: Some(format!(
                "Twilio has another text to this number from that moment ({sid}), which may be \
                 this message with characters replaced"
            )),
        },
        _ if is_marker_shown == Some(true) && is_complete => Finding::Absent {
            doubt: (*likeness == Likeness::Mistimed)
                .then(|| "Twilio has this text to this number, but from another time".to_owned()),
        },
        _ if !is_complete => {
            Finding::Undecided("Twilio's list was too long to be read to its end".to_owned())
        }
        _ if is_marker_shown.is_some() => {
            Finding::Undecided("Twilio's list is not yet recent enough to tell".to_owned())
        }
        _ => Finding::Undecided(
            "nothing newer of this account proves that Twilio's list is complete".to_owned(),
        ),
    }
}

fn not_listed(error: &CallError) -> FindFailure {
    let is_lasting = matches!(
        error.kind,
        CallFailure::Credentials(_) | CallFailure::NotFound(_) | CallFailure::Refused(_)
    );
    let why = if is_lasting {
        format!(
            "Twilio does not let us list messages ({error}), as with trial accounts and restricted \
             keys"
        )
    } else {
        format!("the list could not be read ({error})")
    };
    FindFailure::Provider { is_lasting, why }
}

/// From when to when, by Twilio's clock.
type Window = RangeInclusive<DateTime<Utc>>;

/// Whether a list shows this message, made after the window began: a clock that was set back since may
/// have let an older one seem newer than the lost attempt.
fn shows(listing: &Listing, sid: &str, window: &Window) -> bool {
    let shown = listing.messages.iter().find(|m| m.sid.as_str() == sid);
    shown.is_some_and(|m| m.date_created.is_none_or(|made| made >= *window.start()))
}

/// When Twilio may have made a message whose call began and was over then, by Twilio's own clock. The
/// answer was dated at some moment of `asked`, so the window is as wide as that leaves open: too narrow a
/// one hides the message.
///
/// The answer is held against the same clock by which the attempt was made, but that may have been set
/// since, so the correction only ever widens the window.
fn window(
    (began, over): (DateTime<Utc>, DateTime<Utc>),
    dated: Option<DateTime<Utc>>,
    asked: RangeInclusive<DateTime<Utc>>,
) -> Window {
    let ahead_of = |ours| dated.map_or(TimeDelta::zero(), |date| date - ours);
    let least = ahead_of(*asked.end()).min(TimeDelta::zero()) - SLACK;
    let most = ahead_of(*asked.start()).max(TimeDelta::zero()) + SLACK;
    began + least..=over + most
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One machine sends and another looks; each clock is off by its own.
    #[test]
    fn the_window_holds_the_message_whoever_sent_and_whoever_looks() {
        let truly: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        let seconds = TimeDelta::seconds;
        for sender in -5..=5 {
            for looker in -5..=5 {
                let began = truly + seconds(sender);
                let looks = truly + seconds(60);
                let asked = looks + seconds(looker)..=looks + seconds(looker + 1);
                let window = window((began, began + seconds(30)), Some(looks), asked);
                for made in [truly, truly + seconds(15)] {
                    assert!(window.contains(&made), "{sender} {looker} {made}");
                }
            }
        }
    }
}
