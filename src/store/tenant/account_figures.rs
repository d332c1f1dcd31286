//! What providers last said of the accounts behind connections.

use chrono::{DateTime, Utc};

use crate::domain::account_figures::{AccountFigures, Sum};
use crate::domain::connection::Connection;
use crate::domain::ids::{ConnectionId, TenantId, floor_v7};
use crate::domain::money::Amount;
use crate::store::engine::db::bulk::record;
use crate::store::engine::sql::{Row, micros, micros_opt, values};
use crate::store::engine::writer::work;
use crate::store::{Platform, StoreError, TenantStore};

/// What a provider last said of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFigures {
    /// When it was last asked.
    pub asked_at: DateTime<Utc>,
    /// When it last said any of this; none where it tells these credentials nothing.
    pub told_at: Option<DateTime<Utc>>,
    pub figures: AccountFigures,
    /// Since when little is left.
    pub low_at: Option<DateTime<Utc>>,
}

impl Platform {
    /// Usable connections for messages, of tenants with deliveries made after `used_since`, whose provider was
    /// last asked before `asked_before`, if ever.
    pub async fn accounts_to_ask(
        &self,
        asked_before: DateTime<Utc>,
        used_since: DateTime<Utc>,
        limit: u64,
    ) -> Result<Vec<(TenantId, ConnectionId)>, StoreError> {
        let query = "SELECT k.tenant_id, k.id FROM connections k \
                     JOIN tenants t ON t.id = k.tenant_id \
                     LEFT JOIN account_figures f ON f.connection_id = k.id AND f.login = k.login \
                     WHERE t.status = 'active' AND k.state = 'ready' AND k.channels <> '' \
                     AND (f.asked_at IS NULL OR f.asked_at <= $1) AND EXISTS (SELECT 1 \
                     FROM deliveries d WHERE d.tenant_id = k.tenant_id AND d.id >= $2) LIMIT $3";
        let since = floor_v7(used_since);
        let bound = values![micros(asked_before), since, limit];
        let rows = self.db().all(query, bound).await?;
        let read = |row: &Row| {
            let tenant = TenantId::from_uuid(row.get("tenant_id")?);
            Ok((tenant, ConnectionId::from_uuid(row.get("id")?)))
        };
        rows.iter().map(read).collect()
    }
}

impl TenantStore {
    /// What the provider last said of the account to the credentials that are stored.
    pub async fn account_figures(
        &self,
        of: &Connection,
    ) -> Result<Option<StoredFigures>, StoreError> {
        let query = "SELECT * FROM account_figures \
                     WHERE tenant_id = $1 AND connection_id = $2 AND login = $3";
        let bound = values![of.id.uuid(), of.login];
        let row = self.db().one(query, bound).await?;
        row.map(|row| stored(&row)).transpose()
    }

    /// Notes that the provider is asked now; `false` where it was asked after `before` with the same
    /// credentials.
    pub async fn claim_figures(
        &self,
        of: &Connection,
        before: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let (id, login) = (of.id.uuid(), of.login);
        self.writer()
            .record(work!(async |tx| {
                // What was said to other credentials may be of another account.
                let other = "DELETE FROM account_figures WHERE tenant_id = $1 \
                             AND connection_id = $2 AND login <> $3";
                tx.exec(other, values![id, login]).await?;
                let again = "UPDATE account_figures SET asked_at = $4 WHERE tenant_id = $1 \
                             AND connection_id = $2 AND login = $3 AND asked_at <= $5";
                let bound = values![id, login, micros(now), micros(before)];
                if tx.exec(again, bound).await? == 1 {
                    return Ok(true);
                }
                let row = record![
                    connection_id: id,
                    login: login,
                    asked_at: micros(now),
                    told_at: None::<i64>,
                    balance: None::<i64>,
                    balance_currency: "",
                    month_cost: None::<i64>,
                    month_currency: "",
                    month_messages: None::<i64>,
                    calls_at_once: None::<i64>,
                    low_at: None::<i64>,
                ];
                let new = tx.insert("account_figures", row, " ON CONFLICT DO NOTHING");
                Ok(new.await? == 1)
            }))
            .await
    }

    /// Keeps what the provider said to these credentials.
    pub async fn keep_figures(
        &self,
        of: &Connection,
        figures: AccountFigures,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (id, login) = (of.id.uuid(), of.login);
        self.writer()
            .record(work!([figures], async |tx| {
                let keep = "UPDATE account_figures SET told_at = $4, balance = $5, \
                            balance_currency = $6, month_cost = $7, month_currency = $8, \
                            month_messages = $9, calls_at_once = $10, \
                            low_at = CASE WHEN $11 THEN COALESCE(low_at, $4) END \
                            WHERE tenant_id = $1 AND connection_id = $2 AND login = $3";
                let (balance, balance_currency) = parts(figures.balance.as_ref());
                let (cost, cost_currency) = parts(figures.month_cost.as_ref());
                let bound = values![
                    id,
                    login,
                    micros_opt(Some(now)),
                    balance,
                    balance_currency,
                    cost,
                    cost_currency,
                    figures.month_messages,
                    figures.calls_at_once,
                    figures.is_low(now)
                ];
                tx.exec(keep, bound).await.map(drop)
            }))
            .await
    }
}

fn parts(of: Option<&Sum>) -> (Option<i64>, String) {
    let amount = of.map(|sum| sum.amount().0);
    (amount, of.map_or("", Sum::currency).to_owned())
}

/// An amount and its currency; none where it was not reported.
pub(in crate::store) fn sum(
    row: &Row,
    amount: &str,
    currency: &str,
) -> Result<Option<Sum>, StoreError> {
    let amount: Option<i64> = row.get(amount)?;
    let currency: Option<String> = row.get(currency)?;
    let both = amount.zip(currency);
    Ok(both.and_then(|(amount, currency)| Sum::of(Amount(amount), &currency)))
}

fn stored(row: &Row) -> Result<StoredFigures, StoreError> {
    Ok(StoredFigures {
        asked_at: row.time("asked_at")?,
        told_at: row.time_opt("told_at")?,
        figures: AccountFigures {
            balance: sum(row, "balance", "balance_currency")?,
            month_cost: sum(row, "month_cost", "month_currency")?,
            month_messages: row.get("month_messages")?,
            calls_at_once: row.get("calls_at_once")?,
        },
        low_at: row.time_opt("low_at")?,
    })
}
