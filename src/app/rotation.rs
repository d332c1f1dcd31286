//! Changing the master key while everything runs.
//!
//! ```text
//! 1  a second master key stands above the first, where processes read them
//! 2  a new data key, wrapped by it; the others are wrapped anew
//! 3  running processes meet the new data key within seconds, read the master keys again, seal under it
//! 4  every sealed value is sealed anew under it, batch by batch, by compare-and-swap
//! 5  the first master key is taken away: nothing needs it any more
//! ```
//!
//! Each step can be done twice, so a change that was cut short is taken up by the same command. Old
//! data keys stay: what is derived from the oldest must not change.

use std::time::Duration;

use uuid::Uuid;

use super::{App, AppError};
use crate::crypto::master_key::{KeySource, MasterKeyError};
use crate::crypto::vault::{Place, VaultError};
use crate::domain::ids::{TenantId, UserId, new_v7};
use crate::store::{Resealed, SEALED, SealedColumn, SealedOwner, SealedRow};

/// How often running processes look for a new data key.
pub const KEYS_EVERY: Duration = Duration::from_secs(3);

/// How long until all of them have found one: two looks and a slow answer.
const FOUND_WITHIN: Duration = Duration::from_secs(8);

/// Values sealed anew in one transaction.
const BATCH: u64 = 100;

/// Walks over all columns: one after the other until nothing was left, since a process may have
/// sealed under an old data key meanwhile.
const WALKS: usize = 5;

/// What happens, for whoever watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// This master key wraps from now on.
    MasterKey(String),
    /// So many data keys are wrapped anew.
    Rewrapped(usize),
    /// Running processes are given time to find the new data key.
    Waiting(Duration),
    /// So many values of a table are sealed anew so far.
    Resealed(&'static str, u64),
}

/// What a change of the master key did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The name of the master key that is needed from now on.
    pub master: String,
    pub resealed: u64,
    /// Values that did not open before either; they are as they were.
    pub unopened: u64,
    /// Whether the old key still stands where the keys are kept, and the operator takes it away.
    pub old_stays: bool,
}

/// Why the master key was not changed.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    #[error("{place} holds one key, and it needs a new one in front of it")]
    OneKey { place: String },
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<crate::store::StoreError> for RotationError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::App(error.into())
    }
}

impl From<VaultError> for RotationError {
    fn from(error: VaultError) -> Self {
        Self::App(error.into())
    }
}

impl App {
    /// Changes the master key and seals everything anew.
    pub async fn rotate_key(
        &self,
        tell: impl Fn(Progress) + Send + Sync,
    ) -> Result<Rotated, RotationError> {
        let vault = &self.parts.vault;
        let source = vault.source().cloned().unwrap_or(KeySource::Nowhere);
        let change = source.begin_change()?;
        vault.reload()?;
        if !vault.masters().is_changing() {
            let place = source.place();
            return Err(RotationError::OneKey { place });
        }
        let master = vault.master_key_id();
        tell(Progress::MasterKey(master.to_string()));
        let target = self.newest_data_key().await?;
        tell(Progress::Rewrapped(self.rewrap_data_keys().await?));
        tell(Progress::Waiting(FOUND_WITHIN));
        tokio::time::sleep(FOUND_WITHIN).await;
        let (mut resealed, mut unopened) = (0, 0);
        for _ in 0..WALKS {
            let mut walked = 0;
            unopened = 0;
            for column in SEALED {
                let (done, shut) = self.reseal_column(column, target, &tell).await?;
                walked += done;
                unopened += shut;
            }
            resealed += walked;
            if walked == 0 {
                break;
            }
        }
        // A key that anything still needs is never taken away.
        let keys = self.store().platform().data_keys().await?;
        let is_needed = keys.iter().any(|k| k.master_key_id != master.as_str());
        let old_stays = match change {
            Some(change) if !is_needed => change.end().is_err(),
            _ => true,
        };
        Ok(Rotated {
            master: master.to_string(),
            resealed,
            unopened,
            old_stays,
        })
    }

    /// The data key under which everything is to be sealed: a new one, unless this change, cut short
    /// before, made it.
    async fn newest_data_key(&self) -> Result<Uuid, RotationError> {
        let (vault, platform) = (&self.parts.vault, self.store().platform());
        let master = vault.master_key_id();
        let newest = platform.data_keys().await?.into_iter().max_by_key(|k| k.id);
        if let Some(key) = newest.filter(|k| k.master_key_id == master.as_str()) {
            self.refresh_keys().await?;
            return Ok(key.id);
        }
        let key = vault.new_data_key(new_v7(self.now()))?;
        platform
            .add_data_key(super::keys::stored(&key), self.now())
            .await?;
        vault.admit(&key)?;
        Ok(key.id)
    }

    async fn rewrap_data_keys(&self) -> Result<usize, RotationError> {
        let (vault, platform) = (&self.parts.vault, self.store().platform());
        let master = vault.master_key_id();
        let mut count = 0;
        for old in platform.data_keys().await? {
            if old.master_key_id == master.as_str() {
                continue;
            }
            let new = vault.rewrap(&super::keys::wrapped(old.clone()))?;
            let swapped = platform.rewrap_data_key(old, super::keys::stored(&new));
            count += usize::from(swapped.await?);
        }
        Ok(count)
    }

    /// Seals a column's values anew under the data key `target`; how many, and how many do not open.
    async fn reseal_column(
        &self,
        column: SealedColumn,
        target: Uuid,
        tell: &(impl Fn(Progress) + Send + Sync),
    ) -> Result<(u64, u64), RotationError> {
        let (vault, platform) = (&self.parts.vault, self.store().platform());
        let (mut done, mut shut, mut after) = (0, 0, Uuid::nil());
        loop {
            let rows = platform
                .sealed_elsewhere(column, target, after, BATCH)
                .await?;
            let Some(last) = rows.last() else {
                return Ok((done, shut));
            };
            after = last.row;
            let mut anew = Vec::with_capacity(rows.len());
            for row in rows {
                let place = place(column, &row);
                match self.open_bytes(&place, &row.sealed).await {
                    Ok(opened) => anew.push(Resealed {
                        row: row.row,
                        new: vault.seal_bytes(&place, &opened)?,
                        old: row.sealed,
                    }),
                    Err(AppError::Vault(error)) => {
                        tracing::warn!(%error, "A sealed value does not open; it stays as it is");
                        shut += 1;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            done += platform.reseal(column, anew).await?;
            tell(Progress::Resealed(column.table, done));
        }
    }
}

/// Where a value stands, as it was sealed.
fn place(column: SealedColumn, row: &SealedRow) -> Place<'static> {
    let SealedColumn {
        table,
        column: cell,
        owner,
        ..
    } = column;
    match owner {
        SealedOwner::Tenant => Place::tenant(TenantId::from_uuid(row.owner), table, cell, row.row),
        SealedOwner::User => Place::user(UserId::from_uuid(row.owner), table, cell, row.row),
        SealedOwner::Platform => Place::platform(table, cell, row.row),
    }
}
