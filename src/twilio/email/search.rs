//! Looking for an e-mail that Twilio may or may not have: by our own tags.
//!
//! ```text
//!  list by tag `delivery` ─ ours, this attempt ─────► Found
//!          │                ours, another attempt ──► Absent, with that doubt
//!          ▼ none
//!  the marker's operation ─ not shown ──────────────► Undecided: the list is not recent enough
//!          ▼
//!  list of that moment ──── ours after all ─────────► Found: the filter by tags does not work
//!          │                not read to its end ────► Undecided
//!          │                to the same address, whose we do not know ─► Absent, with that doubt
//!          ▼ nothing
//!        Absent
//! ```
//!
//! Twilio's pages show the filter by tags, but nobody has shown us an answer to it; so an empty one is no
//! absence by itself, and the second list, which needs no tags, has to agree. A marker is not needed for an
//! absence, but one that we have must be shown.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;

use super::super::error::{CallError, CallFailure};
use super::Emails;
use super::list::{Listed, Listing};
use crate::domain::address::key_of;
use crate::domain::clock::TOLERANCE;
use crate::domain::delivery::Channel;
use crate::transport::{FindFailure, Finding, Ledger, Lost, Search};

/// Twilio forgets after seven days; an hour less for clocks.
const KEPT: TimeDelta = TimeDelta::hours(7 * 24 - 1);

/// How much earlier or later than our clock says an e-mail may have been made: clocks of senders and of Twilio
/// may be off, and mending one in between must not hide it.
const SLACK: TimeDelta = TimeDelta::seconds(TOLERANCE.num_seconds() + 60);

impl Emails {
    /// One search.
    pub(super) async fn search(
        &self,
        lost: &Lost<'_>,
        ledger: &dyn Ledger,
    ) -> Result<Search, FindFailure> {
        if lost.clock.now() - lost.started_at > KEPT {
            return Err(FindFailure::Provider {
                is_lasting: true,
                why: "Twilio keeps e-mails for seven days, and this one is older".to_owned(),
            });
        }
        let delivery = lost.delivery.to_string();
        let tagged = self
            .listed(&[("tags", &format!("delivery:{delivery};"))])
            .await?;
        let mut evidence = json!({ "tagged": names(&tagged.emails) });
        let ours = ours(&tagged, lost);
        if !matches!(ours, Ours::None) {
            let finding = ours.conclude();
            return Ok(Search { finding, evidence });
        }
        if let Some(marker) = lost.marker {
            let shown = self.listed(&[("operationId", &marker.id)]).await?;
            let is_shown = !shown.emails.is_empty();
            evidence["witness"] = json!(marker.id);
            evidence["witness_shown"] = json!(is_shown);
            if !is_shown {
                let why = "Twilio's list is not yet recent enough to tell".to_owned();
                let finding = Finding::Undecided(why);
                return Ok(Search { finding, evidence });
            }
        }
        let (from, until) = (lost.started_at - SLACK, lost.lease_until + SLACK);
        let window = [
            ("startDate", &*instant(from)),
            ("endDate", &*instant(until)),
        ];
        let around = self.listed(&window).await?;
        evidence["window"] = json!([from, until]);
        evidence["listed"] = json!(around.emails.len());
        let finding = match self::ours(&around, lost) {
            Ours::None if !around.is_whole => {
                Finding::Undecided("Twilio's list was too long to be read to its end".to_owned())
            }
            Ours::None => {
                let strangers = strangers(&around, lost);
                let taken = ledger.held_by_others(&names(&strangers)).await?;
                evidence["already_ours"] = json!(taken);
                let stranger = strangers
                    .into_iter()
                    .find(|one| !taken.contains(&one.name()));
                let doubt = stranger.map(|one| {
                    format!(
                        "Twilio has another e-mail to this address from that moment ({}), which may be \
                         this one",
                        one.name()
                    )
                });
                Finding::Absent { doubt }
            }
            ours => ours.conclude(),
        };
        Ok(Search { finding, evidence })
    }

    async fn listed(&self, filter: &[(&str, &str)]) -> Result<Listing, FindFailure> {
        self.list(filter).await.map_err(|error| not_listed(&error))
    }
}

/// Which of the e-mails bear the name of the delivery.
enum Ours {
    None,
    /// This attempt.
    One(String),
    /// This attempt, twice; or nobody says which attempt.
    Unclear,
    /// Only another attempt.
    Another(String),
}

fn ours(listing: &Listing, lost: &Lost<'_>) -> Ours {
    let (delivery, attempt) = (lost.delivery.to_string(), lost.attempt_no.to_string());
    let named = |one: &&Listed| one.delivery.as_deref() == Some(&delivery);
    let all: Vec<&Listed> = listing.emails.iter().filter(named).collect();
    let of_attempt = all
        .iter()
        .filter(|one| one.attempt.as_deref() == Some(&attempt));
    let mut of_attempt: Vec<String> = of_attempt.map(|one| one.name()).collect();
    of_attempt.dedup();
    match (of_attempt.as_slice(), all.first()) {
        ([one], _) => Ours::One(one.clone()),
        ([], None) => Ours::None,
        ([], Some(other)) if other.attempt.is_some() => Ours::Another(other.name()),
        _ => Ours::Unclear,
    }
}

impl Ours {
    fn conclude(self) -> Finding {
        match self {
            Self::One(name) => Finding::Found(name),
            Self::Another(name) => Finding::Absent {
                doubt: Some(format!(
                    "Twilio has this e-mail from an earlier try ({name})"
                )),
            },
            Self::Unclear => {
                Finding::AskPerson("Several e-mails at Twilio could be this one".to_owned())
            }
            Self::None => Finding::Absent { doubt: None },
        }
    }
}

/// E-mails to the same address that bear no name of ours: this one, if Twilio does not show tags, or somebody
/// else's.
fn strangers(listing: &Listing, lost: &Lost<'_>) -> Vec<Listed> {
    let wanted = key_of(Channel::Email, lost.to);
    let is_near =
        |at: DateTime<Utc>| at >= lost.started_at - SLACK && at <= lost.lease_until + SLACK;
    let is_like = |one: &&Listed| {
        one.delivery.is_none()
            && one.created_at.is_none_or(is_near)
            && one.to.iter().any(|to| key_of(Channel::Email, to) == wanted)
    };
    listing.emails.iter().filter(is_like).cloned().collect()
}

fn names(emails: &[Listed]) -> Vec<String> {
    emails.iter().map(Listed::name).collect()
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn not_listed(error: &CallError) -> FindFailure {
    let is_lasting = matches!(
        error.kind,
        CallFailure::Credentials(_) | CallFailure::NotFound(_) | CallFailure::Refused(_)
    );
    let why = if is_lasting {
        format!("Twilio does not let us list e-mails ({error})")
    } else {
        format!("the list could not be read ({error})")
    };
    FindFailure::Provider { is_lasting, why }
}
