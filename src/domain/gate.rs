//! The gate: whether a message that is due may go now. One pure function; the claim repeats its judgement
//! in the database, clause by clause or by the version of what was read.

use chrono::{DateTime, Utc};

use super::address::Address;
use super::connection::{Connection, ConnectionState};
use super::delivery::{Delivery, Hold};
use super::document::Document;
use super::hours;
use super::provider::ProviderWords;
use super::sender_rest::SenderRest;
use super::states::{self, Calendar};
use super::suppression::Suppressed;
use super::tenant::Tenant;

/// All that the judgement goes by.
#[derive(Debug, Clone, Copy)]
pub struct Gate<'a> {
    pub delivery: &'a Delivery,
    pub tenant: &'a Tenant,
    /// Why its address must not be written to.
    pub suppression: Option<&'a Suppressed>,
    /// Why it is not wanted any more by the group that it was meant for: its member is off or gone.
    pub unwanted: Option<&'a str>,
    /// Its document as it is known now, with what payments have applied to it; `None` where nothing is.
    pub document: Option<&'a Document>,
    /// The connection that it would go through.
    pub connection: Option<&'a Connection>,
    /// Whether that connection has a sender for it.
    pub has_sender: bool,
    /// The limit of a carrier for which its sender rests.
    pub resting: Option<&'a SenderRest>,
    /// How the provider of that connection is called, or of the one that is to be made.
    pub provider: &'static ProviderWords,
    /// The owner's own address over its channel: where rehearsals go.
    pub own_address: Option<&'a Address>,
    pub now: DateTime<Utc>,
}

/// What stands against a message, in the order of precedence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing.
    Go,
    /// Its address must not be written to.
    Suppressed(String),
    /// Its time is over.
    Expired,
    /// It is no longer true.
    Untrue(String),
    /// Whom it is meant for is off, or gone from the group.
    Unwanted(String),
    /// A person has to do something first.
    Held(Hold, String),
    /// A rehearsal is to go to another address of the owner's than the one it bears.
    Readdress(Address),
    /// The balance has changed: its text must be made anew.
    Outdated,
    /// Contacts may be written to from then on.
    Closed(DateTime<Utc>, String),
    /// Its sender rests until then.
    Resting(DateTime<Utc>, String),
    /// The provider wants no calls until then.
    Paused(DateTime<Utc>),
}

impl Gate<'_> {
    /// Judges.
    pub fn judge(&self) -> Judgement {
        if let Some(suppressed) = self.suppression.filter(|s| !s.is_asked) {
            return Judgement::Suppressed(suppressed.reason.clone());
        }
        if self.delivery.expires_at <= self.now {
            return Judgement::Expired;
        }
        if let Some(why) = self.refuted() {
            return Judgement::Untrue(why);
        }
        if let Some(why) = self.unwanted {
            return Judgement::Unwanted(why.to_owned());
        }
        if let Some((hold, why)) = self.hold() {
            return Judgement::Held(hold, why);
        }
        if let Some(own) = self.readdressed() {
            return Judgement::Readdress(own.clone());
        }
        if self.is_outdated() {
            return Judgement::Outdated;
        }
        let is_limited = self.delivery.is_to_contact && !self.delivery.is_rehearsal;
        if let Some(opening) = self.tenant.opening_for(is_limited, self.now) {
            let why = hours::waits_until(opening, self.tenant.zone);
            return Judgement::Closed(opening, why);
        }
        let pause = self
            .connection
            .and_then(|c| c.pauses.of(self.delivery.channel));
        match pause.filter(|until| *until > self.now) {
            Some(until) => Judgement::Paused(until),
            None => self.resting(),
        }
    }

    /// The claim does not repeat this, as it does not ask the brakes: what is on its way when a rest begins is
    /// not called back either.
    fn resting(&self) -> Judgement {
        let Some(rest) = self.resting else {
            return Judgement::Go;
        };
        let until = rest.until.with_timezone(&self.tenant.zone);
        let mut why = format!(
            "Waits until {} in {}: carriers took too many messages from its sender at once ({})",
            until.format("%H:%M"),
            self.tenant.zone.name(),
            rest.code
        );
        if self.delivery.expires_at <= rest.until {
            why.push_str("; its time runs out before");
        }
        Judgement::Resting(rest.until, why)
    }

    /// Why the message is no longer true of its document.
    fn refuted(&self) -> Option<String> {
        let (asserts, document) = (self.delivery.asserts.as_ref()?, self.document?);
        let calendar = Calendar::at(self.now, self.tenant.zone);
        let refuted = asserts.refuted_by(document, calendar);
        let is_outside = self.delivery.is_to_contact && asserts.says.confirmed.is_none();
        refuted.or_else(|| {
            (is_outside && states::is_draft(document)).then(|| states::described(document))
        })
    }

    /// Tries that may have reached somebody were made with the text as it is.
    fn is_outdated(&self) -> bool {
        let asserts = self.delivery.asserts.as_ref();
        let both = asserts.zip(self.document);
        self.delivery.attempt_no == 0 && both.is_some_and(|(a, d)| a.is_outdated_by(d))
    }

    fn hold(&self) -> Option<(Hold, String)> {
        let (tenant, d) = (self.tenant, self.delivery);
        if tenant.is_suspended {
            let why = format!(
                "This account is suspended ({}). Ask the operator of this service",
                tenant.suspended_for
            );
            return Some((Hold::Suspended, why));
        }
        if let Some((_, by)) = &tenant.stopped {
            let why = format!("All sending was stopped by {by}. Resume it on the Overview");
            return Some((Hold::Stopped, why));
        }
        if tenant.is_rehearsal && !d.is_rehearsal {
            let why = "Made before the rehearsal began, so it waits: in rehearsal nothing goes to \
                       its recipient. Go live to send it, or cancel it";
            return Some((Hold::Rehearsal, why.to_owned()));
        }
        if let Some(asked) = self.suppression.filter(|s| s.is_asked) {
            return Some((Hold::OptOut, asked.reason.clone()));
        }
        let none = || Some((Hold::NoConnection, self.provider.connect.to_owned()));
        match self.connection {
            None => return none(),
            Some(c) if c.state == ConnectionState::New => return none(),
            Some(c) if c.state == ConnectionState::Broken => {
                let why = format!(
                    "{} refused the credentials: {}",
                    self.provider.name, c.reason
                );
                return Some((Hold::Broken, why));
            }
            Some(_) => {}
        }
        if !self.has_sender {
            return Some((Hold::NoConnection, self.provider.no_sender.to_owned()));
        }
        if self.is_unaddressed() && self.own_address.is_none() {
            let why = "Confirm your own number: in rehearsal messages go to you";
            return Some((Hold::OwnNumber, why.to_owned()));
        }
        None
    }

    /// A rehearsal goes to the address that is the owner's when it is first tried; later tries and looks must
    /// ask about the same one.
    fn is_unaddressed(&self) -> bool {
        self.delivery.is_rehearsal && self.delivery.attempt_no == 0
    }

    fn readdressed(&self) -> Option<&Address> {
        let own = self.own_address.filter(|_| self.is_unaddressed());
        own.filter(|own| own.as_str() != self.delivery.rehearsal_to)
    }
}
