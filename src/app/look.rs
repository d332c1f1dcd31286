//! Looking for a message that Twilio may or may not have.
//!
//! ```text
//!              ┌─ found: one listed message fits ────────────► accepted
//!  unknown ────┼─ absent: three looks show the witness,
//!   (looks)    │          and not ours ──► sent once more; the second time a person decides
//!              └─ undecided: no witness, several fit, another text
//!                 that is not ours, no list ──► waits; in the end for a person
//! ```
//!
//! A *witness* is a message of the same account that we know was accepted after the lost attempt
//! began: a list that shows it is recent enough for a missing one to mean something.
//!
//! Attempts bear the time of the database where several processes share one. Nothing may be sent twice
//! because a clock was set all the same, so a message that fits in all but its time is no absence, and
//! a witness must be new by Twilio's own clock as well.

use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::connections::TwilioAccess;
use super::deliver::Next;
use super::health_report::CLOCK_TOLERANCE;
use super::{App, AppError};
use crate::domain::delivery::{Attempt, Delivery, DeliveryState, Hold, ProviderStatus, StepKind};
use crate::store::{Change, Guard, KnownMessage, TenantStore};
use crate::twilio::credentials::MessageSid;
use crate::twilio::error::{CallError, CallFailure};
use crate::twilio::list::{ListQuery, Listing};
use crate::twilio::lookup::{self, Finding, Lost};
use crate::twilio::messages::CallTime;

/// How many looks without a trace make an absence.
const LOOKS: i64 = 3;

/// Seconds between looks, at least.
const APART: i64 = 15;

/// Seconds between looks that cannot decide, at most.
const LONGEST_APART: i64 = 900;

/// How far before the attempt a list is read, for clocks that were an hour off.
const READ_BACK: TimeDelta = TimeDelta::hours(2);

/// By how much a witness has to be later than the lost attempt where several processes share a database:
/// no two of them know its time better.
const LATER: TimeDelta = TimeDelta::milliseconds(500);

/// How far our clock may differ from Twilio's, as `check` has it, and two seconds, since Twilio's
/// creation times are whole.
const SLACK: TimeDelta = TimeDelta::seconds(CLOCK_TOLERANCE.num_seconds() + 2);

const CALL: Duration = Duration::from_secs(15);

/// What a look saw.
struct Sight {
    finding: Finding,
    /// When the lost attempt began.
    began: DateTime<Utc>,
    witness: Option<Witness>,
    /// Whether the list was read to the end of what matters.
    is_complete: bool,
    proof: serde_json::Value,
}

/// A message known to be newer than the lost attempt, and whether the list shows it.
struct Witness {
    sid: String,
    is_shown: bool,
}

impl App {
    /// One look.
    pub(super) async fn look(&self, store: &TenantStore, d: &Delivery) -> Result<Next, AppError> {
        if d.hold == Some(Hold::Person) {
            return Ok(Next::Done);
        }
        let attempt = store.attempt(d.id, d.attempt_no).await?;
        let access = self.twilio_by_id(store, d.connection).await?;
        let (Some(attempt), Some(access)) = (attempt, access) else {
            let why = "The Twilio account that it was given to is no longer connected";
            return self
                .ask_person(store, d, why, serde_json::Value::Null)
                .await;
        };
        if access.account.account_sid.as_str() != d.account {
            let why = "Twilio was connected to another account since, so we cannot look";
            return self
                .ask_person(store, d, why, serde_json::Value::Null)
                .await;
        }
        if let Some(sid) = self.hinted(store, d, &attempt, &access).await? {
            self.accept(store, &access).await?;
            let proof = serde_json::json!({ "hint": sid.as_str() }).to_string();
            return self
                .found(store, d, sid.as_str(), attempt.started_at, proof)
                .await;
        }
        let next = match self.see(store, d, &attempt, &access).await {
            Ok(sight) => {
                self.accept(store, &access).await?;
                self.judge(store, d, &sight).await
            }
            Err(Unseen::Store(error)) => Err(error),
            Err(Unseen::Twilio(error)) => self.could_not_look(store, d, &error).await,
        };
        self.wake_equal(access.scope(d.tenant), d).await;
        next
    }

    /// A status report that nobody signed may still name the message: Twilio itself says whether it
    /// is ours.
    async fn hinted(
        &self,
        store: &TenantStore,
        d: &Delivery,
        attempt: &Attempt,
        access: &TwilioAccess,
    ) -> Result<Option<MessageSid>, AppError> {
        let hints = store.unsigned_sids(d.id).await?;
        let taken = store.taken_sids(&d.account, &hints, d.id).await?;
        for hint in hints.iter().filter(|h| !taken.contains(h)) {
            let Ok(sid) = MessageSid::parse(hint) else {
                continue;
            };
            let asked = self
                .parts
                .twilio
                .get(&access.account, &sid, CallTime::of(CALL))
                .await;
            let Ok(message) = asked else { continue };
            let hour = TimeDelta::hours(1);
            let lost = Lost {
                window: attempt.started_at - hour..=self.now() + hour,
                to: d.to(),
                body: &d.body,
            };
            if let Finding::Found(sid) = lookup::find([&message], &lost, |_| false) {
                return Ok(Some(sid));
            }
        }
        Ok(None)
    }

    async fn see(
        &self,
        store: &TenantStore,
        d: &Delivery,
        attempt: &Attempt,
        access: &TwilioAccess,
    ) -> Result<Sight, Unseen> {
        // The witness first: a list that was read after it was shown is as recent at least.
        let witness = self.known_witness(store, d, attempt, access).await?;
        let (listing, window) = self.list(access, d.to(), attempt).await?;
        let sids: Vec<String> = listing.messages.iter().map(|m| m.sid.to_string()).collect();
        let taken = store
            .taken_sids(&d.account, &sids, d.id)
            .await
            .map_err(|e| Unseen::Store(e.into()))?;
        let lost = Lost {
            window: window.clone(),
            to: d.to(),
            body: &d.body,
        };
        let is_held = |sid: &MessageSid| taken.iter().any(|t| t == sid.as_str());
        let finding = lookup::find(&listing.messages, &lost, is_held);
        let witness = witness.map(|w| Witness {
            is_shown: w.is_shown || shows(&listing, &w.sid, &window),
            ..w
        });
        let proof = serde_json::json!({
            "listed": sids.len(),
            "window": [window.start(), window.end()],
            "already_ours": taken,
            "witness": witness.as_ref().map(|w| &w.sid),
            "witness_shown": witness.as_ref().map(|w| w.is_shown),
        });
        Ok(Sight {
            finding,
            began: attempt.started_at,
            witness,
            is_complete: listing.complete,
            proof,
        })
    }

    async fn list(
        &self,
        access: &TwilioAccess,
        to: &str,
        attempt: &Attempt,
    ) -> Result<(Listing, Window), Unseen> {
        let query = ListQuery {
            to: Some(to),
            page_size: 100,
            max_pages: 10,
            not_before: attempt.started_at - READ_BACK,
        };
        let asked_at = self.now();
        let listed = self
            .parts
            .twilio
            .list(&access.account, &query, CallTime::of(CALL))
            .await;
        let listing = listed.map_err(Unseen::Twilio)?;
        let window = window(attempt, listing.date, asked_at..=self.now());
        Ok((listing, window))
    }

    /// A witness, and whether a list of its own shows it; one to the same number is looked for in
    /// the list that is read next.
    async fn known_witness(
        &self,
        store: &TenantStore,
        d: &Delivery,
        attempt: &Attempt,
        access: &TwilioAccess,
    ) -> Result<Option<Witness>, Unseen> {
        let margin = self
            .clock()
            .comparison()
            .map_or(TimeDelta::zero(), |_| LATER);
        let since = attempt.started_at + margin;
        let found = store.witness(&d.account, since, d.id).await;
        let Some((sid, address)) = found.map_err(|e| Unseen::Store(e.into()))? else {
            return Ok(None);
        };
        let is_shown = if address == d.to() {
            false
        } else {
            let (theirs, window) = self.list(access, &address, attempt).await?;
            shows(&theirs, &sid, &window)
        };
        Ok(Some(Witness { sid, is_shown }))
    }

    async fn judge(
        &self,
        store: &TenantStore,
        d: &Delivery,
        sight: &Sight,
    ) -> Result<Next, AppError> {
        let proof = sight.proof.to_string();
        match (&sight.finding, &sight.witness) {
            (Finding::Found(sid), _) => {
                self.found(store, d, sid.as_str(), sight.began, proof).await
            }
            (Finding::Unclear, _) => {
                let why = "Several messages at Twilio could be this one";
                self.ask_person(store, d, why, sight.proof.clone()).await
            }
            // Ours, rewritten; or another lost one of ours, which its own look will find.
            (Finding::Foreign(sid), _) => {
                let why = format!(
                    "Twilio has another text to this number from that moment ({sid}), which may be \
                     this message with characters replaced"
                );
                self.not_there(store, d, Some(&why), proof).await
            }
            (finding, Some(witness)) if witness.is_shown && sight.is_complete => {
                let doubt = (*finding == Finding::Mistimed)
                    .then_some("Twilio has this text to this number, but from another time");
                self.not_there(store, d, doubt, proof).await
            }
            (_, witness) => {
                let why = match witness {
                    _ if !sight.is_complete => "Twilio's list was too long to be read to its end",
                    Some(_) => "Twilio's list is not yet recent enough to tell",
                    None => "nothing newer of this account proves that Twilio's list is complete",
                };
                self.undecided(store, d, why, proof).await
            }
        }
    }

    async fn found(
        &self,
        store: &TenantStore,
        d: &Delivery,
        sid: &str,
        began: DateTime<Utc>,
        proof: String,
    ) -> Result<Next, AppError> {
        let now = self.now();
        // What somebody hinted at about it is asked at once.
        let hints = store.unsigned_sids(d.id).await?;
        let wait = if hints.iter().any(|hint| hint == sid) {
            TimeDelta::zero()
        } else {
            super::poll::first(false)
        };
        let message = KnownMessage {
            account: d.account.clone(),
            sid: sid.to_owned(),
            address: d.to().to_owned(),
            status: ProviderStatus::Accepted,
            accepted_at: began,
        };
        let sentence = format!("Found: Twilio has it ({sid}); it was not sent again");
        let change = Change {
            due_at: Some(now + wait),
            looks: Some(0),
            leaves_flight: true,
            message: Some(message),
            ..Change::to(DeliveryState::Accepted, d.id, unknown(d), now).because(
                StepKind::Found,
                sentence,
                proof,
            )
        };
        store.change(change).await?;
        let wait = wait.to_std().unwrap_or_default();
        Ok(Next::In(wait.max(Duration::from_millis(1))))
    }

    /// Ours is not shown: the witness is, or there is a `doubt` that only a person can settle.
    async fn not_there(
        &self,
        store: &TenantStore,
        d: &Delivery,
        doubt: Option<&str>,
        proof: String,
    ) -> Result<Next, AppError> {
        let now = self.now();
        let looks = d.looks + 1;
        if looks < LOOKS {
            let seen = doubt.unwrap_or("no trace at Twilio yet");
            let sentence = format!("Look {looks} of {LOOKS}: {seen}");
            let change = Change {
                due_at: Some(now + TimeDelta::seconds(APART)),
                looks: Some(looks),
                ..Change::to(DeliveryState::Unknown, d.id, unknown(d), now).because(
                    StepKind::Look,
                    sentence,
                    proof,
                )
            };
            store.change(change).await?;
            return Ok(Next::In(Duration::from_secs(APART.unsigned_abs())));
        }
        let twice = "Twice there was no trace of it at Twilio";
        if let Some(why) = doubt.or((d.absents > 0).then_some(twice)) {
            return self
                .ask_person(
                    store,
                    d,
                    why,
                    serde_json::from_str(&proof).unwrap_or_default(),
                )
                .await;
        }
        let absent = format!("No trace at Twilio after {LOOKS} looks; sending it once more");
        let change = Change {
            due_at: Some(now),
            looks: Some(0),
            absents: Some(d.absents + 1),
            leaves_flight: true,
            ..Change::to(DeliveryState::Queued, d.id, unknown(d), now).because(
                StepKind::Absent,
                absent,
                proof,
            )
        };
        store.change(change).await?;
        // Whether its time has run out is tested where the send begins.
        Ok(Next::In(Duration::from_millis(1)))
    }

    /// This look could not tell. Later ones may, until its time runs out.
    async fn undecided(
        &self,
        store: &TenantStore,
        d: &Delivery,
        why: &str,
        proof: String,
    ) -> Result<Next, AppError> {
        let now = self.now();
        if d.expires_at <= now {
            let why = format!("Its time to be sent is over, and {why}");
            let proof = serde_json::from_str(&proof).unwrap_or_default();
            return self.ask_person(store, d, &why, proof).await;
        }
        let wait = apart(d, now);
        let sentence = format!("Looked: no trace at Twilio, but {why}");
        let change = Change {
            due_at: Some(now + wait),
            ..Change::to(DeliveryState::Unknown, d.id, unknown(d), now).because(
                StepKind::Look,
                sentence,
                proof,
            )
        };
        store.change(change).await?;
        Ok(Next::In(wait.to_std().unwrap_or_default()))
    }

    /// Twilio did not let us look, or not now.
    async fn could_not_look(
        &self,
        store: &TenantStore,
        d: &Delivery,
        error: &CallError,
    ) -> Result<Next, AppError> {
        let lasting = matches!(
            error.kind,
            CallFailure::Credentials(_) | CallFailure::NotFound(_) | CallFailure::Refused(_)
        );
        if lasting {
            let why = format!(
                "Twilio does not let us list messages ({error}), as with trial accounts \
                               and restricted keys"
            );
            return self
                .ask_person(store, d, &why, serde_json::Value::Null)
                .await;
        }
        self.undecided(
            store,
            d,
            &format!("the list could not be read ({error})"),
            "{}".to_owned(),
        )
        .await
    }

    /// Nobody but a person can tell.
    async fn ask_person(
        &self,
        store: &TenantStore,
        d: &Delivery,
        why: &str,
        proof: serde_json::Value,
    ) -> Result<Next, AppError> {
        let sentence = format!(
            "{why}. Twilio may or may not have it: look in the Twilio Console, then choose “It \
             arrived” or “Send again”"
        );
        let proof = if proof.is_null() {
            "{}".to_owned()
        } else {
            proof.to_string()
        };
        // Looking ends here, so equal messages need not wait for it any longer.
        let change = Change {
            hold: Some(Hold::Person),
            leaves_flight: true,
            ..Change::to(DeliveryState::Unknown, d.id, unknown(d), self.now()).because(
                StepKind::NeedsPerson,
                sentence,
                proof,
            )
        };
        store.change(change).await?;
        Ok(Next::Done)
    }
}

/// Why nothing was seen.
enum Unseen {
    Twilio(CallError),
    Store(AppError),
}

/// From when to when, by Twilio's clock.
type Window = RangeInclusive<DateTime<Utc>>;

/// Whether a list shows this message, made after the window began: a clock that was set back since may
/// have let an older one seem newer than the lost attempt.
fn shows(listing: &Listing, sid: &str, window: &Window) -> bool {
    let shown = listing.messages.iter().find(|m| m.sid.as_str() == sid);
    shown.is_some_and(|m| m.date_created.is_none_or(|made| made >= *window.start()))
}

/// When Twilio may have made the message, by Twilio's own clock. The answer was dated at some moment
/// of the call, so the window is as wide as that leaves open: too narrow a one hides the message.
///
/// The answer is held against the same clock by which the attempt was made, but that may have been set
/// since, so the correction only ever widens the window.
fn window(
    attempt: &Attempt,
    dated: Option<DateTime<Utc>>,
    call: RangeInclusive<DateTime<Utc>>,
) -> Window {
    let ahead_of = |ours| dated.map_or(TimeDelta::zero(), |date| date - ours);
    let least = ahead_of(*call.end()).min(TimeDelta::zero()) - SLACK;
    let most = ahead_of(*call.start()).max(TimeDelta::zero()) + SLACK;
    attempt.started_at + least..=attempt.lease_until + most
}

/// The longer it has been unknown, the rarer we look.
fn apart(d: &Delivery, now: DateTime<Utc>) -> TimeDelta {
    let age = (now - d.created_at).num_seconds();
    TimeDelta::seconds((age / 4).clamp(APART, LONGEST_APART))
}

fn unknown(d: &Delivery) -> Guard {
    Guard {
        states: &[DeliveryState::Unknown],
        attempt_no: d.attempt_no,
        lease_owner: None,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::{AttemptId, ConnectionId, DeliveryId, EventId};

    fn attempt(started_at: DateTime<Utc>) -> Attempt {
        Attempt {
            id: AttemptId::new(started_at),
            delivery: DeliveryId::new(EventId::new(started_at), started_at),
            attempt_no: 1,
            connection: ConnectionId::from_uuid(Uuid::nil()),
            account: String::new(),
            request: String::new(),
            started_at,
            lease_until: started_at + TimeDelta::seconds(30),
        }
    }

    /// One machine sends and another looks; each clock is off by its own.
    #[test]
    fn the_window_holds_the_message_whoever_sent_and_whoever_looks() {
        let truly: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        let seconds = TimeDelta::seconds;
        for sender in -5..=5 {
            for looker in -5..=5 {
                let attempt = attempt(truly + seconds(sender));
                let looks = truly + seconds(60);
                let call = looks + seconds(looker)..=looks + seconds(looker + 1);
                let window = window(&attempt, Some(looks), call);
                for made in [truly, truly + seconds(15)] {
                    assert!(window.contains(&made), "{sender} {looker} {made}");
                }
            }
        }
    }
}
