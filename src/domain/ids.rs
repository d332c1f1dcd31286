//! Identifiers: UUID v7 inside, a checked prefix outside (`evt_…`).
//!
//! A v7 id carries the time it was made at, so lists page by id and `PostgreSQL` prunes its monthly
//! partitions by it.

use std::sync::{LazyLock, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use uuid::{ContextV7, Timestamp, Uuid};

/// Ids made in the same millisecond still sort in the order in which they were made.
static ORDER: LazyLock<Mutex<ContextV7>> =
    LazyLock::new(|| Mutex::new(ContextV7::new().with_additional_precision()));

/// A new UUID v7 for the instant `at`.
pub fn new_v7(at: DateTime<Utc>) -> Uuid {
    let order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    let seconds = u64::try_from(at.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(
        &*order,
        seconds,
        at.timestamp_subsec_nanos(),
    ))
}

/// The smallest UUID v7 of the millisecond of `at`: where a range of time begins.
pub fn floor_v7(at: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
    let mut bytes = [0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0];
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    Uuid::from_bytes(bytes)
}

/// When a UUID v7 was made, to the millisecond.
pub fn time_of_v7(id: Uuid) -> DateTime<Utc> {
    let millis = i64::try_from(id.as_u128() >> 80).unwrap_or_default();
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}

/// The text of an id did not have the expected prefix and 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a {kind} id: expected `{prefix}_` and 32 hexadecimal digits")]
pub struct IdError {
    kind: &'static str,
    prefix: &'static str,
}

macro_rules! define_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// What the text form begins with, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id for the instant `at`.
            pub fn new(at: DateTime<Utc>) -> Self {
                Self(new_v7(at))
            }

            /// Wraps the id of a stored row.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The bare UUID, for keys.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The nil id, which stands for "none" in keys.
            pub const fn nil() -> Self {
                Self(Uuid::nil())
            }

            /// Whether this is the nil id.
            pub fn is_nil(self) -> bool {
                self.0.is_nil()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(parse_hex)
                    .map(Self)
                    .ok_or(IdError { kind: $kind, prefix: $prefix })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

define_id!(
    /// Why an address may be written to.
    PermissionId, "prm", "permission"
);
define_id!(
    /// A customer of the service.
    TenantId, "ten", "tenant"
);
define_id!(
    /// A person who signs in.
    UserId, "usr", "user"
);
define_id!(
    /// A tenant's link to Zoho Books or to a provider of messages.
    ConnectionId, "con", "connection"
);
define_id!(
    /// A routing rule.
    RuleId, "rul", "rule"
);
define_id!(
    /// One thing that happened in Zoho Books.
    EventId, "evt", "event"
);
define_id!(
    /// A wish to decide or send once more.
    ReplayId, "rpl", "replay"
);
define_id!(
    /// One call to the provider.
    AttemptId, "att", "attempt"
);
define_id!(
    /// One appended step of a delivery.
    StepId, "stp", "step"
);
define_id!(
    /// What the provider said later.
    ReceiptId, "rcp", "receipt"
);
define_id!(
    /// A bearer token of the JSON API.
    ApiTokenId, "tok", "API token"
);
define_id!(
    /// A wish that somebody joins a tenant.
    InvitationId, "inv", "invitation"
);
define_id!(
    /// One line of a tenant's history.
    AuditId, "aud", "audit entry"
);
define_id!(
    /// A request that could not be verified.
    RejectedId, "rej", "rejected request"
);
define_id!(
    /// One reason why an address must not be written to.
    SuppressionId, "sup", "suppression"
);
define_id!(
    /// A message that somebody sent back.
    ReplyId, "rep", "reply"
);
define_id!(
    /// Something that a tenant's messages come from.
    SenderId, "snd", "sender"
);
define_id!(
    /// People whom rules write to.
    GroupId, "grp", "group"
);
define_id!(
    /// One of the people of a group.
    MemberId, "gme", "group member"
);
define_id!(
    /// A text of bank details, in force or not yet.
    BankDetailsId, "bnk", "bank details"
);

/// One message to one address. The history is partitioned by event, so a delivery is only found
/// together with its event; the text form therefore bears both: `dlv_` and 64 digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId {
    /// The event that the message tells of.
    pub event: EventId,
    /// The delivery's own key.
    pub own: Uuid,
}

impl DeliveryId {
    /// A new id for a message about `event`.
    pub fn new(event: EventId, at: DateTime<Utc>) -> Self {
        Self {
            event,
            own: new_v7(at),
        }
    }
}

impl std::fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "dlv_{}{}", self.event.uuid().simple(), self.own.simple())
    }
}

impl std::fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for DeliveryId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = IdError {
            kind: "delivery",
            prefix: "dlv",
        };
        let digits = text.strip_prefix("dlv_").ok_or(error)?;
        let (event, own) = digits.split_at_checked(32).ok_or(error)?;
        Ok(Self {
            event: EventId::from_uuid(parse_hex(event).ok_or(error)?),
            own: parse_hex(own).ok_or(error)?,
        })
    }
}

impl serde::Serialize for DeliveryId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for DeliveryId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Exactly 32 lower-case hexadecimal digits, so that one id has one text.
fn parse_hex(digits: &str) -> Option<Uuid> {
    let plain = digits.len() == 32
        && digits
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| Uuid::try_parse(digits).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    #[test]
    fn an_id_survives_its_text_form() {
        let id = EventId::new(noon());
        assert_eq!(id.to_string().parse::<EventId>(), Ok(id));
        let delivery = DeliveryId::new(id, noon());
        assert_eq!(delivery.to_string().parse::<DeliveryId>(), Ok(delivery));
    }

    #[test]
    fn a_foreign_prefix_is_refused() {
        let id = RuleId::new(noon()).to_string();
        assert!(id.parse::<EventId>().is_err());
        assert!("evt_".parse::<EventId>().is_err());
        assert!(
            "evt_ABCDEFABCDEFABCDEFABCDEFABCDEFAB"
                .parse::<EventId>()
                .is_err()
        );
        assert!("dlv_é".parse::<DeliveryId>().is_err());
    }

    #[test]
    fn ids_of_one_instant_sort_in_the_order_they_were_made() {
        let ids: Vec<_> = (0..1000).map(|_| EventId::new(noon())).collect();
        assert!(ids.is_sorted());
    }
}
