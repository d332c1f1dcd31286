//! What is stored of an account besides its secrets.

use serde::{Deserialize, Serialize};

use crate::domain::connection::Settings;
use crate::domain::rule::Sender;

/// What was entered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwilioSettings {
    /// Empty when the Auth Token is used.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_key_sid: String,
    /// The default sender …
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// … or the default Messaging Service, which wins.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub messaging_service_sid: String,
}

impl TwilioSettings {
    /// The settings of a connection to Twilio.
    pub fn of(settings: &Settings) -> Self {
        settings.read()
    }

    /// What the account sends from, the number first.
    pub(super) fn senders(&self) -> impl DoubleEndedIterator<Item = Sender> + use<> {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        let number = some(&self.from).map(Sender::From);
        let service = some(&self.messaging_service_sid).map(Sender::MessagingService);
        number.into_iter().chain(service)
    }

    pub(super) fn default_sender(&self) -> Option<Sender> {
        self.senders().next_back()
    }
}
