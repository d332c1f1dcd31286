//! What is left on the accounts that messages go over, and what they cost: asked of their providers each hour,
//! while they are used, by whichever process comes first. Owners are told when little is left.

use chrono::TimeDelta;

use super::connections::login;
use super::{App, AppError};
use crate::domain::account_figures::AccountFigures;
use crate::domain::connection::{Connection, ConnectionState};
use crate::store::TenantStore;

/// How old what a provider said may become.
pub(super) const FRESH: TimeDelta = TimeDelta::hours(1);

/// An account is used while messages were made within so long.
const USED: TimeDelta = TimeDelta::days(3);

/// Accounts of one look.
const AT_ONCE: u64 = 200;

impl App {
    /// Asks about every account that is used and was not asked about within the hour.
    pub async fn ask_accounts(&self) -> Result<(), AppError> {
        let (platform, now) = (self.store().platform(), self.now());
        let due = platform.accounts_to_ask(now - FRESH, now - USED, AT_ONCE);
        for (tenant, connection) in due.await? {
            let store = self.tenant(tenant);
            if let Some(connection) = store.connection_by_id(connection).await? {
                // Trouble with one, such as a lost key, is not that of the others.
                if let Err(error) = self.ask_account(&store, &connection, FRESH).await {
                    tracing::warn!(%error, tenant.id = %tenant, "What is left on an account could not be asked");
                }
            }
        }
        Ok(())
    }

    /// Asks about an account that nobody asked about for so long. Of one that says nothing what it said before
    /// is kept, with its age.
    pub(super) async fn ask_account(
        &self,
        store: &TenantStore,
        of: &Connection,
        fresh: TimeDelta,
    ) -> Result<(), AppError> {
        let Some(kind) = self.parts.transports.provider(of.provider) else {
            return Ok(());
        };
        let now = self.now();
        if of.state != ConnectionState::Ready || !store.claim_figures(of, now - fresh, now).await? {
            return Ok(());
        }
        let secrets = self.secrets(store.tenant_id(), of.id).await?;
        let figures = kind.figures(&login(of, &secrets)).await;
        if figures == AccountFigures::default() {
            return Ok(());
        }
        let is_low = figures.is_low(now);
        store.keep_figures(of, figures, now).await?;
        if is_low {
            self.tell_trouble(store.tenant_id()).await;
        }
        Ok(())
    }
}
