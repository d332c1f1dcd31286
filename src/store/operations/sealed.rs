//! Every column that holds sealed values, and the data keys they are sealed under: what a change of
//! the master key has to go through.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::platform::StoredDataKey;
use crate::store::engine::sql::{micros, values};
use crate::store::engine::writer::work;
use crate::store::{Platform, StoreError};

/// Whose a sealed value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedOwner {
    /// The row's tenant.
    Tenant,
    /// The user who is the row's key.
    User,
    /// Nobody's: the service's own.
    Platform,
}

/// A column of sealed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedColumn {
    pub table: &'static str,
    pub column: &'static str,
    /// The column of the row's id.
    pub key: &'static str,
    pub owner: SealedOwner,
}

/// All of them; a test holds the list against the schema.
pub const SEALED: [SealedColumn; 4] = [
    SealedColumn {
        table: "secrets",
        column: "sealed",
        key: "id",
        owner: SealedOwner::Tenant,
    },
    SealedColumn {
        table: "consents",
        column: "client_secret",
        key: "id",
        owner: SealedOwner::Tenant,
    },
    SealedColumn {
        table: "second_factors",
        column: "sealed",
        key: "user_id",
        owner: SealedOwner::User,
    },
    SealedColumn {
        table: "mails",
        column: "sealed",
        key: "id",
        owner: SealedOwner::Platform,
    },
];

/// A sealed value where it stands.
#[derive(Debug, Clone)]
pub struct SealedRow {
    pub row: Uuid,
    /// The tenant or user; nil for the service's own.
    pub owner: Uuid,
    pub sealed: Vec<u8>,
}

/// A value sealed anew.
#[derive(Debug, Clone)]
pub struct Resealed {
    pub row: Uuid,
    pub old: Vec<u8>,
    pub new: Vec<u8>,
}

impl Platform {
    /// Values of a column behind `after`, by the ids of their rows, that are not sealed under
    /// `data_key`.
    pub async fn sealed_elsewhere(
        &self,
        of: SealedColumn,
        data_key: Uuid,
        after: Uuid,
        limit: u64,
    ) -> Result<Vec<SealedRow>, StoreError> {
        let SealedColumn {
            table, column, key, ..
        } = of;
        let owner = match of.owner {
            SealedOwner::Tenant => "tenant_id",
            SealedOwner::User | SealedOwner::Platform => key,
        };
        // Behind the version stands the data key's id.
        let query = format!(
            "SELECT {key} AS row_id, {owner} AS owner_id, {column} AS sealed FROM {table} \
             WHERE {key} > $1 AND length({column}) > 0 AND substr({column}, 2, 16) <> $2 \
             ORDER BY {key} LIMIT $3"
        );
        let bound = values![after, data_key.as_bytes().to_vec(), limit];
        let rows = self.db().all(&query, bound).await?;
        rows.iter()
            .map(|row| {
                Ok(SealedRow {
                    row: row.get("row_id")?,
                    owner: match of.owner {
                        SealedOwner::Platform => Uuid::nil(),
                        SealedOwner::Tenant | SealedOwner::User => row.get("owner_id")?,
                    },
                    sealed: row.get("sealed")?,
                })
            })
            .collect()
    }

    /// Puts values that were sealed anew in place of those that were read; how many were still there.
    pub async fn reseal(&self, of: SealedColumn, rows: Vec<Resealed>) -> Result<u64, StoreError> {
        let work = self.writer().edit(work!([rows], async |tx| {
            let SealedColumn {
                table, column, key, ..
            } = of;
            let swap =
                format!("UPDATE {table} SET {column} = $3 WHERE {key} = $1 AND {column} = $2");
            let mut count = 0;
            for r in rows {
                count += tx.exec(&swap, values![r.row, r.old, r.new]).await?;
            }
            Ok(count)
        }));
        work.await
    }

    /// Keeps another data key.
    pub async fn add_data_key(
        &self,
        key: StoredDataKey,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let work = self.writer().edit(work!([key], async |tx| {
            let insert = "INSERT INTO data_keys (id, master_key_id, wrapped, created_at) \
                          VALUES ($1, $2, $3, $4)";
            let row = values![key.id, key.master_key_id, key.wrapped, micros(now)];
            tx.exec(insert, row).await.map(drop)
        }));
        work.await
    }

    /// Puts a data key's new wrapping in place of the old one; `false` when somebody did already.
    pub async fn rewrap_data_key(
        &self,
        old: StoredDataKey,
        new: StoredDataKey,
    ) -> Result<bool, StoreError> {
        let work = self.writer().edit(work!([old, new], async |tx| {
            let swap = "UPDATE data_keys SET master_key_id = $3, wrapped = $4 \
                        WHERE id = $1 AND wrapped = $2";
            let bound = values![old.id, old.wrapped, new.master_key_id, new.wrapped];
            Ok(tx.exec(swap, bound).await? == 1)
        }));
        work.await
    }
}
