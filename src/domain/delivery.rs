//! Deliveries: one message to one address, its states and what may follow what.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use strum::VariantArray as _;

use super::address::key_of;
use super::assertion::Assertion;
use super::content::Content;
use super::ids::{
    AttemptId, ConnectionId, DeliveryId, EventId, MemberId, ReceiptId, ReplayId, RuleId, StepId,
    TenantId,
};
use super::provider::ProviderWords;

/// Where a message goes.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Channel {
    Sms,
    Email,
}

impl Channel {
    /// Every channel.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The stable text, as stored and shown by the API.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// A clerk's word.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::Email => "e-mail",
        }
    }

    /// Reads the stable text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// Channels in their own order, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Channels(Vec<Channel>);

impl Channels {
    /// The stable text, as stored: `sms email`; empty for none.
    pub fn to_text(&self) -> String {
        let words: Vec<&str> = self.iter().map(Channel::as_str).collect();
        words.join(" ")
    }

    /// Reads the stable text.
    pub fn parse(text: &str) -> Option<Self> {
        text.split_whitespace().map(Channel::parse).collect()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Channel> + '_ {
        self.0.iter().copied()
    }

    /// There are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Channel> for Channels {
    fn from_iter<T: IntoIterator<Item = Channel>>(of: T) -> Self {
        let mut of: Vec<Channel> = of.into_iter().collect();
        of.sort_unstable();
        of.dedup();
        Self(of)
    }
}

/// How far a delivery has come.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum DeliveryState {
    /// Waits for its turn or its due time.
    Queued,
    /// Waits for a person: stopped, paused, no connection or a broken one.
    Held,
    /// A worker has it; the call is under way.
    Sending,
    /// The provider may or may not have it.
    Unknown,
    /// The provider has it.
    Accepted,
    /// The provider handed it to the carrier.
    Sent,
    /// The carrier confirmed it.
    Delivered,
    /// The recipient opened it.
    Read,
    /// Refused for good.
    Failed,
    /// The carrier could not deliver it.
    Undelivered,
    /// The address must not be written to.
    Suppressed,
    /// A person called it off.
    Canceled,
    /// Its time ran out before it could be sent.
    Expired,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The stable text, as stored and shown by the API.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// What a clerk calls it, where the message goes through this provider.
    pub const fn label(self, provider: &ProviderWords) -> &'static str {
        match self {
            Self::Queued => "Waiting",
            Self::Held => "Held",
            Self::Sending => "Sending",
            Self::Unknown => "Needs you",
            Self::Accepted => provider.has_it,
            Self::Sent => "Sent",
            Self::Delivered => "Delivered",
            Self::Read => "Read",
            Self::Failed => "Failed",
            Self::Undelivered => "Not delivered",
            Self::Suppressed => "Suppressed",
            Self::Canceled => "Canceled",
            Self::Expired => "Expired",
        }
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    /// Nothing will change this any more, save a receipt that ranks higher.
    pub const fn is_final(self) -> bool {
        !matches!(
            self,
            Self::Queued | Self::Held | Self::Sending | Self::Unknown | Self::Accepted | Self::Sent
        )
    }

    /// The same event and address must not be replayed while one of these is open.
    pub const fn blocks_replay(self) -> bool {
        matches!(
            self,
            Self::Queued | Self::Sending | Self::Held | Self::Unknown
        )
    }
}

/// Why a delivery waits: for a person, or for the hour.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Hold {
    /// All sending is stopped.
    Stopped,
    /// No usable connection to a provider.
    NoConnection,
    /// The provider refused the credential.
    Broken,
    /// The tenant is suspended.
    Suspended,
    /// It was meant for its recipient, and the tenant is in rehearsal by now.
    Rehearsal,
    /// A rehearsal, and no owner has confirmed a number of their own.
    OwnNumber,
    /// Its recipient wrote something that may mean STOP.
    OptOut,
    /// It waits by itself, *queued*, until contacts may be written to again.
    Hours,
    /// It waits by itself, *queued*, for its place in its sender's line.
    Turn,
    /// Nobody but a person can tell whether the message exists.
    Person,
}

impl Hold {
    /// The stable text, as stored.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Reads the stored text; empty text is no hold.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

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
    /// Goes to the owner instead, marked with whom it was meant for; for ever, whatever the tenant
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

/// One call to the provider, written before the call.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub id: AttemptId,
    pub delivery: DeliveryId,
    pub attempt_no: i64,
    pub connection: ConnectionId,
    pub account: String,
    /// The request as JSON, without credentials.
    pub request: String,
    pub started_at: DateTime<Utc>,
    pub lease_until: DateTime<Utc>,
}

/// What happened to a delivery, appended.
#[derive(Debug, Clone)]
pub struct Step {
    pub id: StepId,
    pub delivery: DeliveryId,
    pub attempt_no: i64,
    pub kind: StepKind,
    /// One sentence for the page.
    pub sentence: String,
    /// JSON: the response, the proof of a look; `{}` when there is none.
    pub detail: String,
    pub at: DateTime<Utc>,
}

/// The kinds of steps.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum StepKind {
    Accepted,
    Refused,
    Retry,
    Unknown,
    LeaseExpired,
    Held,
    Released,
    Expired,
    Suppressed,
    Canceled,
    /// Its document says otherwise by now.
    Untrue,
    /// Its text was made anew, since its document has changed.
    Renewed,
    Look,
    Found,
    Absent,
    NeedsPerson,
    Resolved,
    Waits,
    Double,
    Unconfirmed,
    GaveUp,
    /// Its reader stopped reminders by the link in it.
    ReaderStopped,
    /// Its reader took that back.
    ReaderResumed,
}

impl StepKind {
    /// The stable text, as stored and shown by the API.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// What the provider said later.
#[derive(Debug, Clone)]
pub struct Receipt {
    pub id: ReceiptId,
    pub delivery: DeliveryId,
    pub sid: String,
    /// The provider's own word.
    pub status: String,
    /// The provider's error code, or 0.
    pub error_code: i64,
    /// `callback`, `poll`, `look` or `answer`.
    pub source: String,
    pub is_verified: bool,
    /// JSON.
    pub detail: String,
    pub at: DateTime<Utc>,
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

/// How much of a name stands in the mark.
const LONGEST_NAME: usize = 40;

/// What stands before the text of a rehearsal: `[would go to Bowman & Co, +447700900123] `.
pub fn rehearsal_mark(recipient: &str, address: &str) -> String {
    let is_plain = |c: &char| {
        // Nor marks of direction, which would turn the rest of the line around.
        !c.is_control()
            && !matches!(c, '[' | ']' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}')
    };
    let words = recipient.split_whitespace().flat_map(|word| [word, " "]);
    let letters = words.flat_map(str::chars).filter(is_plain);
    // Readers of headers decode what looks like an encoded word.
    let name = letters
        .take(LONGEST_NAME)
        .collect::<String>()
        .replace("=?", "= ");
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    // A fixed address has no name but its own number.
    if name.trim().is_empty() || digits(&name) == digits(address) {
        format!("[would go to {address}] ")
    } else {
        format!("[would go to {}, {address}] ", name.trim())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn channels_are_read_back_in_their_order() {
        let both: Channels = [Channel::Email, Channel::Sms, Channel::Email]
            .into_iter()
            .collect();
        assert_eq!(both.to_text(), "sms email");
        assert_eq!(Channels::parse("sms email"), Some(both));
        assert_eq!(Channels::parse(""), Some(Channels::default()));
        assert_eq!(Channels::parse("sms pigeon"), None);
    }

    #[test]
    fn the_mark_names_whom_it_was_meant_for() {
        let mark = |name| rehearsal_mark(name, "+447700900123");
        assert_eq!(
            mark("Bowman & Co"),
            "[would go to Bowman & Co, +447700900123] "
        );
        assert_eq!(mark("+44 7700 900123"), "[would go to +447700900123] ");
        assert_eq!(mark(""), "[would go to +447700900123] ");
        assert_eq!(mark("a]\u{2028}\n[b"), "[would go to a b, +447700900123] ");
    }

    proptest! {
        /// One pair of brackets, one line, and never longer than a segment: whatever a name holds.
        #[test]
        fn no_name_breaks_out_of_the_mark(name in ".{0,80}") {
            let mark = rehearsal_mark(&name, "+447700900123");
            prop_assert_eq!(mark.matches(['[', ']']).count(), 2);
            prop_assert!(!mark.chars().any(char::is_control));
            prop_assert!(mark.ends_with(", +447700900123] ") || mark == "[would go to +447700900123] ");
            prop_assert!(mark.chars().count() <= 13 + LONGEST_NAME + 17);
        }
    }
}
