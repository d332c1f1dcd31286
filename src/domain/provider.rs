//! How a provider of messages is called in reasons and on pages. The words come from its adapter.

use super::report::Report;

/// The words for one provider.
#[derive(Debug)]
pub struct ProviderWords {
    /// As it calls itself.
    pub name: &'static str,
    /// Why a message waits while there is no account to send with, and what to do.
    pub connect: &'static str,
    /// Why a message waits while there is nothing to send it from, and what to do.
    pub no_sender: &'static str,
    /// Where a person looks a message up, to follow "look in".
    pub console: &'static str,
    /// When the day begins by which it counts its limits, to follow "tomorrow, when its day begins".
    pub midnight: &'static str,
    /// What is wrong with a request that it did not sign, to follow "The status report", and what to do.
    pub forged: &'static str,
    /// What to do so that its requests can be checked, to follow "could not be checked: ".
    pub proof: &'static str,
    /// How a message to an address of this reader stands, for a clerk: why it failed, and what to do. The
    /// address is empty where the message is not known yet.
    pub explain: fn(report: &Report, to: &str, reader: &str) -> String,
}

impl ProviderWords {
    /// Where no provider of a channel is known to this service.
    pub const NOBODY: Self = Self {
        name: "the provider",
        connect: "This service cannot send over this channel yet",
        no_sender: "This service cannot send over this channel yet",
        console: "its console",
        midnight: "when its day begins",
        forged: "is not signed by the provider",
        proof: "connect it again",
        explain: |report, _, _| format!("The provider says: {}", report.word),
    };
}
