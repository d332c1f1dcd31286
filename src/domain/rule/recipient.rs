//! Whom a rule tells.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use strum::VariantArray as _;

use crate::domain::address::Address;
use crate::domain::ids::GroupId;

/// The most fixed addresses of one rule.
pub const MAX_ADDRESSES: usize = 20;

/// Whom a message goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// People whom the document names.
    Contact {
        who: Who,
        /// Where it names nobody, the customer's primary contact as the books have it.
        else_customer: bool,
    },
    /// Always these.
    Fixed(Vec<Address>),
    /// People whom the tenant keeps.
    Group(GroupId),
    /// Those who approve the document, and who submitted it.
    Approvers,
}

/// Which of the people whom a document names.
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
pub enum Who {
    /// The first who can be reached.
    First,
    /// The primary contact, or nobody.
    Primary,
    /// Each of them.
    All,
}

impl Who {
    /// Every one.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The stable text, as stored and shown by the API.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Reads the stable text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    /// A clerk's words, to follow "to".
    pub const fn label(self) -> &'static str {
        match self {
            Self::First => "the contact",
            Self::Primary => "the primary contact",
            Self::All => "all its contact persons",
        }
    }
}

impl Recipient {
    /// The document's contact, as most rules have it.
    pub const CONTACT: Self = Self::Contact {
        who: Who::First,
        else_customer: false,
    };

    /// Whether the customer's primary contact stands in where the document names nobody.
    pub const fn falls_back(&self) -> bool {
        matches!(self, Self::Contact { else_customer, .. } if *else_customer)
    }

    /// Somebody of the books, who is written to at decent hours and never about drafts.
    pub const fn is_contact(&self) -> bool {
        matches!(self, Self::Contact { .. })
    }
}

impl Serialize for Recipient {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Contact { who, else_customer } => {
                map.serialize_entry("kind", "contact")?;
                map.serialize_entry("who", who.as_str())?;
                if *else_customer {
                    map.serialize_entry("else_customer", &true)?;
                }
            }
            Self::Fixed(addresses) => {
                let texts: Vec<&str> = addresses.iter().map(Address::as_str).collect();
                map.serialize_entry("kind", "fixed")?;
                map.serialize_entry("addresses", &texts)?;
            }
            Self::Group(id) => {
                map.serialize_entry("kind", "group")?;
                map.serialize_entry("group", id)?;
            }
            Self::Approvers => map.serialize_entry("kind", "approvers")?,
        }
        map.end()
    }
}
