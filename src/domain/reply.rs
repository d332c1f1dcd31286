//! What recipients write back.

use chrono::{DateTime, Utc};
use strum::VariantArray as _;

use super::ids::ReplyId;

/// What a message from a recipient asks for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Wish {
    /// No more messages from this sender, or from any sender of its Messaging Service.
    Stop,
    /// Messages again.
    Start,
    /// What this is about; the provider has answered already.
    Help,
    /// It may ask for no more messages: nothing goes out until a person has said.
    Unclear,
    /// It asks for nothing of that kind: somebody should read it.
    Read,
}

impl Wish {
    /// Every wish.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The stable text, as stored.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Reads the stable text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// A message that somebody sent back.
#[derive(Debug, Clone)]
pub struct Reply {
    pub id: ReplyId,
    /// Who wrote: E.164, or as the provider says.
    pub address: String,
    /// Their name, as the last message to them had it; empty when unknown.
    pub name: String,
    /// Our number that they wrote to.
    pub sender: String,
    pub wish: Wish,
    /// As written; data from outside.
    pub body: String,
    /// Signed by the provider, or confirmed by it when asked.
    pub is_proven: bool,
    pub received_at: DateTime<Utc>,
    /// When somebody read it off the list; what asks for nothing of a person is born so.
    pub seen_at: Option<DateTime<Utc>>,
}
