//! The limits of an account that messages go over, as a page and the API tell them.

use chrono::{DateTime, Utc};

use super::account_figures::FRESH;
use super::{App, AppError};
use crate::domain::connection::Connection;
use crate::domain::delivery::Channel;
use crate::domain::ids::TenantId;
use crate::domain::sender_rest::SenderRest;
use crate::store::StoredFigures;

/// How an account stands to its limits.
#[derive(Debug, Clone)]
pub struct AccountLimits {
    /// What its provider last said; none where it was never asked.
    pub figures: Option<StoredFigures>,
    pub calls: Vec<CallsUnderWay>,
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
            carriers: store.sender_rests(of.id, now).await?,
        })
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
