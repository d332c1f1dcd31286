//! Senders.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::senders::SenderInput;
use crate::domain::ids::SenderId;
use crate::domain::sender::SenderProfile;

/// What messages come from.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sender {
    #[schema(value_type = String)]
    pub id: SenderId,
    /// `twilio_messages` or `twilio_email`.
    pub transport: String,
    pub address: String,
    /// Beside an e-mail address readers see it.
    pub name: String,
    /// What goes out where nothing else says from what.
    pub is_default: bool,
    /// Recipients in these countries get messages from it: two letters each.
    pub countries: Vec<String>,
    /// These customers do, by their ids in the books.
    pub customers: Vec<String>,
    /// How many segments of SMS it sends in a second; more wait here. `null` where no limit is known.
    pub segments_per_second: Option<u16>,
    /// When the provider took a test from it. An e-mail address is used only once it did.
    pub tested_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

impl From<SenderProfile> for Sender {
    fn from(sender: SenderProfile) -> Self {
        Self {
            id: sender.id,
            transport: sender.transport.to_string(),
            address: sender.address.as_str().to_owned(),
            name: sender.name,
            is_default: sender.is_default,
            countries: sender.countries.iter().map(ToString::to_string).collect(),
            customers: sender.customers,
            segments_per_second: sender.segments_per_second,
            tested_at: sender.tested_at,
            created_at: sender.created_at,
        }
    }
}

/// A sender to be kept.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewSender {
    /// `twilio_messages` or `twilio_email`. It cannot be changed.
    pub transport: String,
    /// A number, a short code, a name of at most 11 characters or a Messaging Service; of `twilio_email` an
    /// e-mail address.
    pub address: String,
    /// At most 100 characters. Needed for an e-mail address.
    pub name: String,
    pub is_default: bool,
    /// Two letters each.
    pub countries: Vec<String>,
    /// Their ids in the books.
    pub customers: Vec<String>,
    /// Of SMS, 1 to 1000: what is over it waits here, where it can still be called off. `null` for no limit.
    pub segments_per_second: Option<i64>,
}

impl From<NewSender> for SenderInput {
    fn from(new: NewSender) -> Self {
        Self {
            transport: new.transport,
            address: new.address,
            name: new.name,
            is_default: new.is_default,
            countries: new.countries,
            customers: new.customers,
            segments_per_second: new
                .segments_per_second
                .map_or_else(String::new, |pace| pace.to_string()),
        }
    }
}
