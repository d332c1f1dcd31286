//! The providers of messages that this service knows, whoever's account it is, and the transports over them.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Before, CallLimits, Examined, Inbound, Limits, Login, Problem, ProviderReport, Secrets, SetUp,
    SignedRequest, Transport, Trial, Trust, Typed,
};
use crate::brakes::Brakes;
use crate::domain::account_figures::AccountFigures;
use crate::domain::connection::{Provider, Settings};
use crate::domain::delivery::{Channel, Channels};
use crate::domain::provider::{ProviderWords, Providers};
use crate::domain::rule::Sender;
use crate::domain::sender_dns::DnsNeeds;
use crate::domain::transport::TransportName;

/// A provider of messages: what `startup` joins for each of them.
#[async_trait]
pub trait ProviderKind: Send + Sync {
    /// How it is called.
    fn words(&self) -> &'static ProviderWords;

    /// Its APIs that send, at most one for a channel.
    fn transports(&self) -> Vec<Arc<dyn TransportKind>>;

    /// Understands what was typed to connect it; problems name the fields.
    fn read_set_up(&self, typed: &Typed, before: &Before<'_>) -> Result<SetUp, Vec<Problem>>;

    /// Asks the provider about credentials and the sender that goes with them. Nothing is sent.
    async fn try_out(&self, login: &Login<'_>) -> Trial;

    /// How the account stands, for whoever runs this service.
    async fn examine(&self, login: &Login<'_>) -> Examined;

    /// What the account has left and has cost, as far as the provider says so within a moment.
    async fn figures(&self, login: &Login<'_>) -> AccountFigures;

    /// What a request to one of its addresses can be believed; `origin` is ours, as the provider was told.
    fn trust(&self, request: &SignedRequest, origin: &str, secrets: &Secrets) -> Trust;

    /// The reports in such a request; `None` where it is no report.
    fn read_reports(&self, request: &SignedRequest) -> Option<Vec<ProviderReport>>;

    /// The message of a recipient in such a request; `None` where it is none.
    fn read_inbound(&self, request: &SignedRequest) -> Option<Inbound>;
}

/// One API of a provider that sends.
#[async_trait]
pub trait TransportKind: Send + Sync {
    /// Its stable word.
    fn name(&self) -> TransportName;

    /// What it sends.
    fn channel(&self) -> Channel;

    /// How its provider is called where messages go this way.
    fn words(&self) -> &'static ProviderWords;

    /// How long calls may take, and how often it is asked.
    fn limits(&self) -> &'static Limits;

    /// What is entered of a connection that a rule may choose to send from.
    fn senders(&self, settings: &Settings) -> Vec<Sender>;

    /// What is wrong with a rule's own sender, where the provider knows it within a moment.
    async fn refuses_sender(&self, login: &Login<'_>, sender: &Sender) -> Option<String>;

    /// How many segments in a second a sender of its kind usually sends.
    fn usual_pace(&self, _sender: &Sender) -> Option<u16> {
        None
    }

    /// What it wants to find in the DNS of a domain that it sends for; none where it sends no e-mail.
    fn dns(&self) -> Option<&'static DnsNeeds> {
        None
    }

    /// The way to send over a connection; `None` where what is stored of it is not enough.
    fn open(&self, login: &Login<'_>, hook_token: Option<String>) -> Option<Arc<dyn Transport>>;
}

/// The transports of all providers, each with the brakes of its connections.
#[derive(Clone)]
pub struct Transports(Arc<[Joined]>);

struct Joined {
    provider: Arc<dyn ProviderKind>,
    kind: Arc<dyn TransportKind>,
    brakes: Brakes,
}

impl Joined {
    fn is_of(&self, provider: Provider) -> bool {
        self.provider.words().provider == provider
    }
}

impl Transports {
    /// At least one; of two for one channel the first is what a tenant without a connection is told of.
    /// `brakes` makes those of a transport from its limits.
    pub fn new(
        providers: Vec<Arc<dyn ProviderKind>>,
        brakes: impl Fn(CallLimits, TransportName) -> Brakes,
    ) -> Self {
        let of_one = |provider: Arc<dyn ProviderKind>| {
            let kinds = provider.transports().into_iter();
            kinds.map(move |kind| (provider.clone(), kind))
        };
        let joined = |(provider, kind): (_, Arc<dyn TransportKind>)| Joined {
            brakes: brakes(kind.limits().calls, kind.name()),
            provider,
            kind,
        };
        Self(providers.into_iter().flat_map(of_one).map(joined).collect())
    }

    /// A single provider, whose brakes no other process shares.
    #[cfg(test)]
    pub fn alone(
        provider: impl ProviderKind + 'static,
        clock: crate::domain::clock::SharedClock,
    ) -> Self {
        let rng = || <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(7);
        Self::new(vec![Arc::new(provider)], move |limits, _| {
            Brakes::new(limits, clock.clone(), rng())
        })
    }

    /// All that send over a channel.
    pub fn of_channel(&self, channel: Channel) -> impl Iterator<Item = &dyn TransportKind> {
        let kinds = self.0.iter().map(|joined| &*joined.kind);
        kinds.filter(move |kind| kind.channel() == channel)
    }

    /// Every transport.
    pub fn kinds(&self) -> impl Iterator<Item = &dyn TransportKind> {
        self.0.iter().map(|joined| &*joined.kind)
    }

    /// The transport of this name.
    pub fn named(&self, name: TransportName) -> Option<&dyn TransportKind> {
        let mut kinds = self.0.iter().map(|joined| &*joined.kind);
        kinds.find(|kind| kind.name() == name)
    }

    /// Whose connections these are; `None` for what sends nothing.
    pub fn provider(&self, provider: Provider) -> Option<&dyn ProviderKind> {
        let mut of = self.0.iter().filter(|joined| joined.is_of(provider));
        of.next().map(|joined| &*joined.provider)
    }

    /// How connections to a provider send over a channel, and what slows that down.
    pub fn over(
        &self,
        provider: Provider,
        channel: Channel,
    ) -> Option<(&dyn TransportKind, &Brakes)> {
        let mut of = self.0.iter().filter(|joined| joined.is_of(provider));
        let joined = of.find(|joined| joined.kind.channel() == channel)?;
        Some((&*joined.kind, &joined.brakes))
    }

    /// What is sent over connections to a provider.
    pub fn channels(&self, provider: Provider) -> Channels {
        let of = self.0.iter().filter(|joined| joined.is_of(provider));
        of.map(|joined| joined.kind.channel()).collect()
    }

    /// What slows calls over connections to a provider down, for each of its transports.
    pub fn brakes(
        &self,
        provider: Provider,
    ) -> impl Iterator<Item = (&dyn TransportKind, &Brakes)> {
        let of = self.0.iter().filter(move |joined| joined.is_of(provider));
        of.map(|joined| (&*joined.kind, &joined.brakes))
    }

    /// How they are called.
    pub fn providers(&self) -> Providers {
        let kinds = self.0.iter().map(|joined| &joined.kind);
        Providers::new(kinds.map(|kind| (kind.channel(), kind.words())))
    }

    /// The longest text that every transport of a channel takes, in characters.
    pub fn longest_text(&self, channel: Channel) -> usize {
        let limits = self
            .of_channel(channel)
            .map(|kind| kind.limits().longest_text);
        limits.min().unwrap_or(usize::MAX)
    }
}
