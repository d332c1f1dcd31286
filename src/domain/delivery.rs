//! Deliveries: one message to one address, its states and what may follow what.

mod hold;
mod rehearsal;
mod state;
mod step;

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::address::key_of;
use super::assertion::Assertion;
pub use super::channel::{Channel, Channels};
use super::content::Content;
use super::ids::{ConnectionId, DeliveryId, EventId, MemberId, ReplayId, RuleId, TenantId};

pub use self::hold::Hold;
pub use self::rehearsal::rehearsal_mark;
pub use self::state::DeliveryState;
pub use self::step::{Attempt, Receipt, Step, StepKind};

/// A stored delivery.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub id: DeliveryId,
    pub tenant: TenantId,
    pub rule: RuleId,
    pub rule_version: i64,
    pub rule_name: String,
    /// The replay or escalation that asked for it, or the nil id.
    pub replay: ReplayId,
    /// The delivery (of the same event) that this one sends again.
    pub replay_of: Option<DeliveryId>,
    pub channel: Channel,
    /// Normalised; empty when no address could be found.
    pub address: String,
    /// Whom it goes to, in words.
    pub recipient: String,
    /// The recipient is a contact of the books, not a fixed address of the rule.
    pub is_to_contact: bool,
    /// The member of a group whom it goes to, or nil: it is called off when they are off or gone.
    pub member: MemberId,
    /// What it says of its document; `None` where there is none.
    pub asserts: Option<Assertion>,
    /// Goes to the owner instead, marked with whom it was meant for; permanently, whatever the tenant
    /// does later.
    pub is_rehearsal: bool,
    /// The owner's own address in a rehearsal; empty while nobody has confirmed one.
    pub rehearsal_to: String,
    /// The rule's sender as JSON, or empty for the connection's.
    pub sender: String,
    /// That of its content.
    pub fingerprint: Vec<u8>,
    pub state: DeliveryState,
    /// Why it is in this state, in words.
    pub reason: String,
    pub hold: Option<Hold>,
    /// When a worker must look at it next: to send, to look, to poll, to expire.
    pub due_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
    /// Bound at the claim; nil before.
    pub connection: ConnectionId,
    /// The provider's account, bound at the claim; empty before.
    pub account: String,
    pub lease_owner: String,
    pub lease_until: Option<DateTime<Utc>>,
    pub attempt_no: i64,
    /// Safe retries so far.
    pub tries: i64,
    /// How often no trace was found and the message was sent once more.
    pub absents: i64,
    /// Looks since it became unknown, or polls since it was accepted.
    pub looks: i64,
    pub sid: String,
    pub provider_rank: i16,
    /// The provider's error code, or 0.
    pub error_code: i64,
    /// When a person dealt with its failure: sent it again, or said that there is nothing more to do.
    pub dealt_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A delivery with what it says.
#[derive(Debug, Clone)]
pub struct Message {
    pub delivery: Delivery,
    pub content: Content,
}

/// A delivery that routing asks for.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    pub id: DeliveryId,
    pub rule: RuleId,
    pub rule_version: i64,
    pub rule_name: String,
    pub replay: ReplayId,
    pub replay_of: Option<DeliveryId>,
    pub channel: Channel,
    pub address: String,
    pub recipient: String,
    pub is_to_contact: bool,
    pub member: MemberId,
    pub asserts: Option<Assertion>,
    pub is_rehearsal: bool,
    pub rehearsal_to: String,
    pub sender: String,
    /// As it goes out: in a rehearsal with its mark.
    pub content: Content,
    pub state: DeliveryState,
    pub reason: String,
    pub due_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
}

impl Delivery {
    /// Whether it failed and nobody has dealt with that.
    pub const fn is_undealt(&self) -> bool {
        matches!(
            self.state,
            DeliveryState::Failed | DeliveryState::Undelivered
        ) && self.dealt_at.is_none()
    }

    /// The event that this message tells of.
    pub const fn event(&self) -> EventId {
        self.id.event
    }

    /// Whom it is meant for: the same for two messages to one person.
    pub fn person(&self) -> (Channel, Cow<'_, str>) {
        (self.channel, key_of(self.channel, &self.address))
    }

    /// Which suppressions concern it besides those of everything.
    pub fn scope(&self) -> String {
        self.asserts
            .as_ref()
            .map(Assertion::scope)
            .unwrap_or_default()
    }

    /// Where it really goes: what the provider is given. [`Delivery::address`] stays the address
    /// that was meant; in a rehearsal the two differ, and this one is empty until an owner has
    /// confirmed a number.
    pub fn to(&self) -> &str {
        if self.is_rehearsal {
            &self.rehearsal_to
        } else {
            &self.address
        }
    }

    /// Whose number [`Delivery::to`] is, in words.
    pub fn reader(&self) -> &str {
        if self.is_rehearsal {
            "the owner"
        } else {
            &self.recipient
        }
    }

    /// What was meant to be said: its content without the mark of a rehearsal; `None` if it does not bear
    /// the mark it should.
    pub fn content_meant(&self, content: &Content) -> Option<Content> {
        if self.is_rehearsal {
            content.without_mark(&rehearsal_mark(&self.recipient, &self.address))
        } else {
            Some(content.clone())
        }
    }
}

impl NewDelivery {
    /// Whom it is meant for, as [`Delivery::person`].
    pub fn person(&self) -> (Channel, Cow<'_, str>) {
        (self.channel, key_of(self.channel, &self.address))
    }
}
