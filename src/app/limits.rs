//! The limits of an account that messages go over, as a page and the API tell them.

pub use crate::store::StoredFigures;

use chrono::{DateTime, Utc};

use super::account_figures::FRESH;
use super::{App, AppError};
use crate::domain::connection::Connection;
use crate::domain::delivery::Channel;
use crate::domain::ids::TenantId;
use crate::domain::sender::SenderProfile;
use crate::domain::sender_rest::SenderRest;
use crate::store::TenantStore;

/// How an account stands to its limits.
#[derive(Debug, Clone)]
pub struct AccountLimits {
    /// What its provider last said; none where it was never asked.
    pub figures: Option<StoredFigures>,
    pub calls: Vec<CallsUnderWay>,
    pub paces: Vec<Pace>,
    /// The limits of carriers that messages ran into and that are not lifted yet.
    pub carriers: Vec<SenderRest>,
}

/// Calls of one of its APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallsUnderWay {
    pub channel: Channel,
    pub now: usize,
    /// As many as we make at once.
    pub most: usize,
    pub paused_until: Option<DateTime<Utc>>,
}

/// A sender that sends so much in a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// What messages come from, for people.
    pub sender: String,
    pub segments_per_second: u16,
    /// How many messages wait for their turn.
    pub waiting: i64,
}

impl App {
    /// How the account of a connection stands to its limits.
    pub async fn account_limits(
        &self,
        tenant: TenantId,
        of: &Connection,
    ) -> Result<AccountLimits, AppError> {
        let (store, now) = (self.tenant(tenant), self.now());
        let mut calls = Vec::new();
        for (kind, brakes) in self.parts.transports.brakes(of.provider) {
            let status = brakes.status(of.id.uuid()).await;
            let kept = of.pauses.of(kind.channel()).filter(|until| now < *until);
            calls.push(CallsUnderWay {
                channel: kind.channel(),
                now: status.in_flight,
                most: kind.limits().calls.concurrency,
                paused_until: status.paused_until.max(kept),
            });
        }
        Ok(AccountLimits {
            figures: store.account_figures(of).await?,
            calls,
            paces: self.paces_over(&store, of).await?,
            carriers: store.sender_rests(of.id, now).await?,
        })
    }

    /// The senders with a pace whose messages go over a connection.
    async fn paces_over(
        &self,
        store: &TenantStore,
        of: &Connection,
    ) -> Result<Vec<Pace>, AppError> {
        let transports = self.parts.transports.brakes(of.provider);
        let names: Vec<_> = transports
            .into_iter()
            .map(|(kind, _)| kind.name())
            .collect();
        let mut senders = store.senders().await?;
        senders.retain(|s| s.segments_per_second.is_some() && names.contains(&s.transport));
        if senders.is_empty() {
            return Ok(Vec::new());
        }
        let waiting = store.waiting_for_turns().await?;
        let waits = |sender: &str| waiting.get(sender).copied().unwrap_or_default();
        let pace = |s: SenderProfile| {
            let own = waits(&s.frozen());
            Some(Pace {
                segments_per_second: s.segments_per_second?,
                waiting: own + if s.is_default { waits("") } else { 0 },
                sender: s.address.as_str().to_owned(),
            })
        };
        Ok(senders.into_iter().filter_map(pace).collect())
    }

    /// The same for somebody who looks: what the provider said is renewed where it is old.
    pub async fn look_at_limits(
        &self,
        tenant: TenantId,
        of: &Connection,
    ) -> Result<AccountLimits, AppError> {
        self.ask_account(&self.tenant(tenant), of, FRESH).await?;
        self.account_limits(tenant, of).await
    }
}
