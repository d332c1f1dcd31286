//! What messages are sent with: a connection and the way to send over it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::app::cache::AsOf;
use crate::app::connections::login;
use crate::app::{App, AppError};
use crate::brakes::{Admission, Brakes, Turn, TurnWish};
use crate::domain::connection::Connection;
use crate::domain::content::Content;
use crate::domain::delivery::{Channel, Delivery, Hold};
use crate::domain::ids::{ConnectionId, SenderId, TenantId};
use crate::domain::provider::{ProviderWords, Providers};
use crate::domain::report::Report;
use crate::domain::sender::{SenderProfile, SenderWish, choose};
use crate::domain::sender_rest::{LimitHit, SenderRest};
use crate::domain::tenant::Tenant;
use crate::domain::transport::TransportName;
use crate::render::segments::Segments;
use crate::store::{TenantStore, lock_scope};
use crate::transport::{Transport, TransportKind};

/// What the messages of a tenant over a channel are sent with.
pub(in crate::app) struct SendingContext {
    pub(in crate::app) tenant: Tenant,
    pub(in crate::app) link: Option<Link>,
    /// How the provider is called that messages go through, connected or not.
    pub(in crate::app) words: &'static ProviderWords,
    /// What messages go out from that bear no sender of their own, as messages bear it.
    default_sender: String,
    /// Limits of carriers for which senders rest.
    rests: Vec<SenderRest>,
    /// Senders with a pace, as messages bear them.
    paces: Vec<(String, SenderId, u16)>,
}

impl SendingContext {
    /// What a message goes out from; empty for what its connection has.
    pub(in crate::app) fn sender_of<'a>(&'a self, d: &'a Delivery) -> &'a str {
        if d.sender.is_empty() {
            &self.default_sender
        } else {
            &d.sender
        }
    }

    /// Whether a message must take its sender's turn.
    pub(in crate::app) fn takes_turns(&self, d: &Delivery) -> bool {
        self.pace_of(d).is_some()
    }

    /// The turn that a message must take.
    pub(in crate::app) fn turn_of(&self, d: &Delivery, content: &Content) -> Option<TurnWish> {
        let (_, sender, pace) = self.pace_of(d)?;
        let segments = Segments::of(content.text()).count.max(1);
        let segments = u32::try_from(segments).unwrap_or(u32::MAX);
        Some(TurnWish {
            sender: sender.uuid(),
            takes: Duration::from_secs(1).saturating_mul(segments) / u32::from(*pace),
            has_place: d.hold == Some(Hold::Turn),
            latest: d.expires_at,
        })
    }

    fn pace_of(&self, d: &Delivery) -> Option<&(String, SenderId, u16)> {
        let mut paces = self.paces.iter();
        paces.find(|(sender, ..)| sender == self.sender_of(d))
    }

    /// The limit of a carrier for which a message's sender rests.
    pub(in crate::app) fn rest_of(&self, d: &Delivery, now: DateTime<Utc>) -> Option<&SenderRest> {
        let mut rests = self.rests.iter();
        rests.find(|rest| rest.holds(self.sender_of(d), now))
    }
}

/// A connection and the way to send over it by one channel.
#[derive(Clone)]
pub(in crate::app) struct Link {
    pub(in crate::app) connection: Connection,
    pub(in crate::app) transport: Arc<dyn Transport>,
    brakes: Brakes,
}

impl Link {
    /// Asks for one call.
    pub(in crate::app) fn admit(&self) -> impl Future<Output = Admission> {
        self.brakes.admit(self.connection.id.uuid())
    }

    /// Asks for a sender's turn.
    pub(in crate::app) fn turn(&self, wish: TurnWish) -> impl Future<Output = Turn> {
        self.brakes.turn(wish)
    }

    /// Among whose messages an equal one is waited for: those of the account, once the provider has
    /// accepted the credentials. Before that only the tenant's own, since anybody may type any account.
    pub(in crate::app) fn scope(&self, tenant: TenantId) -> String {
        let connection = &self.connection;
        lock_scope(tenant, &connection.account, connection.is_accepted())
    }
}

impl App {
    /// What a tenant's messages over a channel are sent with.
    pub(in crate::app) async fn sending_context(
        &self,
        store: &TenantStore,
        channel: Channel,
        as_of: AsOf,
    ) -> Result<Arc<SendingContext>, AppError> {
        let read = async {
            let tenant = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
            let link = self.link_for(store, channel).await?;
            let kept = store.senders().await?;
            Ok(SendingContext {
                rests: self.rests_over(store, link.as_ref()).await?,
                tenant,
                link,
                words: self.provider_words(channel),
                default_sender: self.default_sender(&kept, channel),
                paces: paces(&kept),
            })
        };
        let contexts = &self.caches.sending_contexts;
        let key = (store.tenant_id(), channel);
        contexts.get(self, key, as_of, read).await
    }

    /// Read only while there are any.
    async fn rests_over(
        &self,
        store: &TenantStore,
        link: Option<&Link>,
    ) -> Result<Vec<SenderRest>, AppError> {
        let now = self.now();
        match link.map(|link| &link.connection) {
            Some(of) if of.pauses.senders.is_some_and(|until| now < until) => {
                Ok(store.sender_rests(of.id, now).await?)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// What a report says of a limit, with the sender that ran into it.
    pub(in crate::app) async fn limit_hit(
        &self,
        store: &TenantStore,
        (d, connection): (&Delivery, ConnectionId),
        report: &Report,
    ) -> Result<Option<LimitHit>, AppError> {
        let Some(limit) = report.limit else {
            return Ok(None);
        };
        let context = self.sending_context(store, d.channel, AsOf::Lately).await?;
        Ok(Some(LimitHit {
            connection,
            sender: context.sender_of(d).to_owned(),
            code: report.error_code,
            limit,
        }))
    }

    fn default_sender(&self, kept: &[SenderProfile], channel: Channel) -> String {
        let wish = SenderWish {
            transports: &self.transport_names(channel),
            is_sandboxed: self.is_sandboxed(),
            ..SenderWish::default()
        };
        let chosen = choose(kept, &wish);
        chosen.map(SenderProfile::frozen).unwrap_or_default()
    }

    /// The transports of a channel.
    pub(in crate::app) fn transport_names(&self, channel: Channel) -> Vec<TransportName> {
        let kinds = self.parts.transports.of_channel(channel);
        kinds.map(TransportKind::name).collect()
    }

    /// How the provider of a channel is called.
    pub(in crate::app) fn provider_words(&self, channel: Channel) -> &'static ProviderWords {
        let mut kinds = self.parts.transports.of_channel(channel);
        kinds
            .next()
            .map_or(&ProviderWords::NOBODY, |kind| kind.words())
    }

    /// How the providers of messages are called.
    pub fn providers(&self) -> Providers {
        self.parts.transports.providers()
    }

    /// The tenant's way to send over a channel, as far as it is connected.
    pub(in crate::app) async fn link_for(
        &self,
        store: &TenantStore,
        channel: Channel,
    ) -> Result<Option<Link>, AppError> {
        match self.connection_for(store, channel).await? {
            Some(connection) => self.link(store, connection, channel).await,
            None => Ok(None),
        }
    }

    /// The connection that a channel's messages go through, whole or not.
    pub(in crate::app) async fn connection_for(
        &self,
        store: &TenantStore,
        channel: Channel,
    ) -> Result<Option<Connection>, AppError> {
        for kind in self.parts.transports.of_channel(channel) {
            if let Some(connection) = store.connection(kind.words().provider).await? {
                return Ok(Some(connection));
            }
        }
        Ok(None)
    }

    /// The way to send that a delivery was bound to.
    pub(in crate::app) async fn link_by_id(
        &self,
        store: &TenantStore,
        id: ConnectionId,
        channel: Channel,
    ) -> Result<Option<Link>, AppError> {
        match store.connection_by_id(id).await? {
            Some(connection) => self.link(store, connection, channel).await,
            None => Ok(None),
        }
    }

    async fn link(
        &self,
        store: &TenantStore,
        connection: Connection,
        channel: Channel,
    ) -> Result<Option<Link>, AppError> {
        let transports = &self.parts.transports;
        let Some((kind, brakes)) = transports.over(connection.provider, channel) else {
            return Ok(None);
        };
        let secrets = self.secrets(store.tenant_id(), connection.id).await?;
        let hook_token = store.hook_token(connection.id).await?;
        let transport = kind.open(&login(&connection, &secrets), hook_token);
        Ok(transport.map(|transport| Link {
            connection,
            transport,
            brakes: brakes.clone(),
        }))
    }

    /// Notes that the provider answered a call that was made with these credentials.
    pub(in crate::app) async fn accept(
        &self,
        store: &TenantStore,
        used: &Connection,
    ) -> Result<(), AppError> {
        if !used.is_accepted() {
            store.accept_login(used.id, used.login, self.now()).await?;
        }
        Ok(())
    }
}

fn paces(kept: &[SenderProfile]) -> Vec<(String, SenderId, u16)> {
    let of = |s: &SenderProfile| Some((s.frozen(), s.id, s.segments_per_second?));
    kept.iter().filter_map(of).collect()
}
