//! Permissions: why an address may be written to. They are a ledger: nothing is refused by them, but they
//! answer who says so, since when and from where.

use chrono::{DateTime, Utc};
use strum::VariantArray as _;

use super::channel::Channel;
use super::ids::PermissionId;

/// On what it rests.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Basis {
    /// They gave the address for this purpose.
    Given,
    /// Business with them asks for it: their own document brought the address.
    Contract,
    /// They were asked, and said yes.
    Asked,
}

impl Basis {
    /// Every basis.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The stable text, as stored and shown by the API.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// What a clerk calls it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Given => "Given for this purpose",
            Self::Contract => "Contract",
            Self::Asked => "Asked",
        }
    }

    /// Reads the stable text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// One reason why an address may be written to.
#[derive(Debug, Clone)]
pub struct Permission {
    pub id: PermissionId,
    pub channel: Channel,
    /// Normalised; none once the person was erased.
    pub address: Option<String>,
    pub basis: Basis,
    /// In words: the document that first brought it, or where somebody has it from.
    pub source: String,
    /// Who wrote it down; empty where a document brought it.
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}
