//! Claims: each transition of a document is claimed by one event, once.

use super::step::Step;
use crate::domain::event::EventType;
use crate::domain::ids::EventId;

/// A transition that an earlier event claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub event_type: EventType,
    /// Tells one occurrence from the next: a round, an offset and due date, a payment's id.
    pub discriminator: String,
    pub event: EventId,
    pub kind: ClaimKind,
}

/// How a transition was claimed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum ClaimKind {
    /// As itself.
    #[strum(serialize = "told")]
    AsItself,
    /// Passed over: a further transition was told instead.
    PassedOver,
    /// Step by the first body of a document that was no news.
    Baseline,
}

impl ClaimKind {
    /// The stable text, as stored.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// How many claims of one document are kept; only reminders come again and again.
pub(super) const MOST_CLAIMS: usize = 256;

/// The claims of a document with these added. Where they are too many, the oldest reminders go first.
pub fn with_claims(known: &[Claim], new: &[Claim]) -> Vec<Claim> {
    let mut all = [known, new].concat();
    let mut excess = all.len().saturating_sub(MOST_CLAIMS);
    all.retain(|claim| {
        let goes = excess > 0 && claim.event_type.is_reminder();
        excess -= usize::from(goes);
        !goes
    });
    all.drain(..excess);
    all
}

/// The claims so far and the event that wants more.
pub(super) struct Ledger<'a> {
    pub(super) event: EventId,
    pub(super) known: &'a [Claim],
}

impl Ledger<'_> {
    pub(super) fn holder(&self, of: &Step) -> Option<&Claim> {
        self.known
            .iter()
            .find(|c| c.event_type == of.event_type && c.discriminator == of.discriminator)
    }

    /// Claims for those of `shown` that nobody holds.
    pub(super) fn claim<'s>(
        &self,
        shown: impl IntoIterator<Item = &'s Step>,
        kind: ClaimKind,
    ) -> Vec<Claim> {
        shown
            .into_iter()
            .filter(|s| self.holder(s).is_none())
            .map(|s| Claim {
                event_type: s.event_type,
                discriminator: s.discriminator.clone(),
                event: self.event,
                kind,
            })
            .collect()
    }
}
