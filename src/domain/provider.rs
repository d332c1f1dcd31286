//! How providers of messages are called in reasons and on pages. The words come from their adapters.

use std::borrow::Borrow;

use serde_json::Value;

use super::channel::Channel;
use super::connection::Provider;
use super::report::Report;

/// The words for one provider.
#[derive(Debug)]
pub struct ProviderWords {
    /// The stable word of its connections, also the name of their section on the page Connections.
    pub provider: Provider,
    /// As it calls itself.
    pub name: &'static str,
    /// How a message stands that it has taken, and of which it says nothing more yet.
    pub has_it: &'static str,
    /// To whom it hands messages.
    pub carrier: &'static str,
    /// Why it refuses to write to somebody who told it so.
    pub opted_out: &'static str,
    /// That it could not be asked.
    pub unasked: &'static str,
    /// What is needed to connect it, to follow "you need".
    pub needed: &'static str,
    /// What it calls its own number of a call, by which its support finds it.
    pub call_id: &'static str,
    /// What is entered to connect it, where a clerk has other words for it than our names.
    pub fields: &'static [(&'static str, &'static str)],
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
    /// What a message was sent from, as its kept request says.
    pub sender_of: fn(request: &Value) -> Option<String>,
}

impl ProviderWords {
    /// Where no provider of a channel is known to this service.
    pub const NOBODY: Self = Self {
        provider: Provider::named("nobody"),
        name: "the provider",
        has_it: "The provider has it",
        carrier: "the carrier",
        opted_out: "Opted out at the provider",
        unasked: "The provider could not be asked",
        needed: "an account",
        call_id: "Request",
        fields: &[],
        connect: "This service cannot send over this channel yet",
        no_sender: "This service cannot send over this channel yet",
        console: "its console",
        midnight: "when its day begins",
        forged: "is not signed by the provider",
        proof: "connect it again",
        explain: |report, _, _| format!("The provider says: {}", report.word),
        sender_of: |_| None,
    };

    /// Where its connections stand on the page Connections, below the tenant.
    pub fn section(&self) -> String {
        format!("/connections#{}", self.provider.as_str())
    }
}

/// How the providers of messages are called, by what they send.
#[derive(Debug, Clone, Default)]
pub struct Providers(Vec<(Channel, &'static ProviderWords)>);

impl Providers {
    /// These; of two for one channel the first is what a tenant without a connection is told of.
    pub fn new(of: impl IntoIterator<Item = (Channel, &'static ProviderWords)>) -> Self {
        Self(of.into_iter().collect())
    }

    /// The provider of a channel.
    pub fn of(&self, channel: impl Borrow<Channel>) -> &'static ProviderWords {
        let mut those = self.0.iter().filter(|(of, _)| of == channel.borrow());
        those
            .next()
            .map_or(&ProviderWords::NOBODY, |(_, words)| words)
    }

    /// The provider of messages of any channel: the only one, or none by name.
    pub fn any(&self) -> &'static ProviderWords {
        match self.0.as_slice() {
            [(_, first), rest @ ..] if rest.iter().all(|(_, one)| one.name == first.name) => first,
            _ => &ProviderWords::NOBODY,
        }
    }

    /// The provider whose connections bear this word.
    pub fn named(&self, provider: &str) -> Option<&'static ProviderWords> {
        let mut those = self.0.iter().map(|(_, words)| *words);
        those.find(|words| words.provider.as_str() == provider)
    }

    /// All their names: "One and Another".
    pub fn names(&self) -> String {
        let mut names: Vec<&str> = self.0.iter().map(|(_, words)| words.name).collect();
        names.dedup();
        names.join(" and ")
    }

    /// What a clerk calls something that is entered to connect one of them.
    pub fn field(&self, name: &str) -> Option<&'static str> {
        let mut fields = self.0.iter().flat_map(|(_, words)| words.fields);
        fields
            .find(|(field, _)| *field == name)
            .map(|(_, words)| *words)
    }
}
