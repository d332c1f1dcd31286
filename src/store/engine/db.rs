//! Who may say what to the database. Nobody holds a bare connection; a statement goes through one of
//! three handles, and each asks of it what it is there for:
//!
//! ```text
//!  TenantDb    one tenant      every table of tenants' is filtered by `$1`, which is the tenant
//!  BatchDb     many tenants    every table of tenants' is filtered by `v.tenant_id`, of a list of records
//!  UnscopedDb  no tenant       anything, for a reason that is given in words
//! ```
//!
//! What a statement filters by is read from its text ([`tenancy`]), once for each text. One that leaves a
//! table of tenants' unfiltered is not carried out.

pub(in crate::store) mod bulk;
mod statement;
mod tenancy;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, QueryResult,
    RuntimeErr, Statement, Value,
};
use uuid::Uuid;

use super::sql::{Backend, Row, values};
use crate::domain::ids::TenantId;
use crate::store::engine::error::StoreError;
use tenancy::Filter;

/// Where statements go.
#[derive(Clone, Copy)]
pub(in crate::store) enum Db<'a> {
    Pool(&'a DatabaseConnection),
    Transaction(&'a DatabaseTransaction),
}

impl<'a> From<&'a DatabaseConnection> for Db<'a> {
    fn from(pool: &'a DatabaseConnection) -> Self {
        Self::Pool(pool)
    }
}

impl<'a> From<&'a DatabaseTransaction> for Db<'a> {
    fn from(transaction: &'a DatabaseTransaction) -> Self {
        Self::Transaction(transaction)
    }
}

impl<'a, D: Into<Db<'a>> + Copy> Backend for D {
    fn backend(self) -> DbBackend {
        match self.into() {
            Db::Pool(pool) => pool.get_database_backend(),
            Db::Transaction(transaction) => transaction.get_database_backend(),
        }
    }
}

/// The rows of one tenant: in each statement `$1` is the tenant, and values are counted from `$2`.
#[derive(Clone, Copy)]
pub(in crate::store) struct TenantDb<'a> {
    db: Db<'a>,
    tenant: TenantId,
}

impl<'a> TenantDb<'a> {
    pub(in crate::store) fn new(db: impl Into<Db<'a>>, tenant: TenantId) -> Self {
        let db = db.into();
        Self { db, tenant }
    }

    /// Whose rows these are.
    pub(in crate::store) fn tenant(self) -> Uuid {
        self.tenant.uuid()
    }

    /// For lists of records, each of which bears the tenant.
    pub(in crate::store) fn batch(self) -> BatchDb<'a> {
        BatchDb {
            db: self.db,
            scope: Scope::Tenant(self.tenant),
        }
    }

    /// For what belongs to no tenant, and the reason.
    pub(in crate::store) fn unscoped(self, why: &'static str) -> UnscopedDb<'a> {
        UnscopedDb::new(self.db, why)
    }

    /// Runs a statement; how many rows it changed.
    pub(in crate::store) async fn exec(
        self,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<u64, StoreError> {
        let bound = self.bound(sql, values)?;
        exec(self.db, sql, bound).await
    }

    /// All rows of a query.
    pub(in crate::store) async fn all(
        self,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let bound = self.bound(sql, values)?;
        all(self.db, sql, bound).await
    }

    /// The first row of a query.
    pub(in crate::store) async fn one(
        self,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Option<Row>, StoreError> {
        let bound = self.bound(sql, values)?;
        one(self.db, sql, bound).await
    }

    /// Whether there are as many rows of these (a table and `WHERE …`) as there may be: asked within the
    /// transaction that adds one, which runs alone within the tenant.
    pub(in crate::store) async fn is_full(self, such: &str, most: i64) -> Result<bool, StoreError> {
        let last = format!("SELECT 1 AS one FROM {such} LIMIT 1 OFFSET $2");
        Ok(self.one(&last, values![most - 1]).await?.is_some())
    }

    fn bound(self, sql: &str, values: Vec<Value>) -> Result<Vec<Value>, StoreError> {
        tenancy::admit(sql, Filter::Parameter(values.len() + 1))?;
        let mut bound = Vec::with_capacity(values.len() + 1);
        bound.push(self.tenant.uuid().into());
        bound.extend(values);
        Ok(bound)
    }
}

/// The rows of many tenants at once: only [`bulk::Bulk`] speaks through it, whose records name the tenant.
#[derive(Clone, Copy)]
pub(in crate::store) struct BatchDb<'a> {
    db: Db<'a>,
    scope: Scope,
}

/// Whose rows a list of records may be about.
#[derive(Debug, Clone, Copy)]
enum Scope {
    /// Of the tenant that each names.
    Each,
    /// Of this one.
    Tenant(TenantId),
    /// Anybody's.
    None,
}

impl<'a> BatchDb<'a> {
    pub(in crate::store) fn new(db: impl Into<Db<'a>>) -> Self {
        Self {
            db: db.into(),
            scope: Scope::Each,
        }
    }

    /// The rows of one of the tenants.
    pub(in crate::store) fn of(self, tenant: TenantId) -> TenantDb<'a> {
        TenantDb::new(self.db, tenant)
    }

    /// For what belongs to no tenant, and the reason.
    pub(in crate::store) fn unscoped(self, why: &'static str) -> UnscopedDb<'a> {
        UnscopedDb::new(self.db, why)
    }
}

/// Why look-ups over all tenants filter by none.
pub(in crate::store) const WHOLE: &str = "no tenant is known yet, or all are meant";

/// The rows of all tenants, and of none.
#[derive(Clone, Copy)]
pub(in crate::store) struct UnscopedDb<'a>(Db<'a>);

impl<'a> UnscopedDb<'a> {
    /// Why its statements filter by no tenant stands where it is made.
    pub(in crate::store) fn new(db: impl Into<Db<'a>>, _why: &'static str) -> Self {
        Self(db.into())
    }

    /// For what is about the database itself: its schema, its clock, its locks.
    pub(in crate::store) fn itself(db: impl Into<Db<'a>>) -> Self {
        Self(db.into())
    }

    /// The rows of one tenant, once it is known.
    pub(in crate::store) fn of(self, tenant: TenantId) -> TenantDb<'a> {
        TenantDb::new(self.0, tenant)
    }

    /// For lists of records.
    pub(in crate::store) fn batch(self) -> BatchDb<'a> {
        BatchDb {
            db: self.0,
            scope: Scope::None,
        }
    }

    /// Runs a statement; how many rows it changed.
    pub(in crate::store) async fn exec(
        self,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<u64, StoreError> {
        exec(self.0, sql, values).await
    }

    /// All rows of a query.
    pub(in crate::store) async fn all(
        self,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        all(self.0, sql, values).await
    }

    /// The first row of a query.
    pub(in crate::store) async fn one(
        self,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Option<Row>, StoreError> {
        one(self.0, sql, values).await
    }
}

impl<'a> From<TenantDb<'a>> for Db<'a> {
    fn from(of: TenantDb<'a>) -> Self {
        of.db
    }
}

impl<'a> From<BatchDb<'a>> for Db<'a> {
    fn from(of: BatchDb<'a>) -> Self {
        of.db
    }
}

impl<'a> From<UnscopedDb<'a>> for Db<'a> {
    fn from(of: UnscopedDb<'a>) -> Self {
        of.0
    }
}

async fn exec(db: Db<'_>, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
    let statement = Statement::from_sql_and_values(db.backend(), sql, values);
    let done = match db {
        Db::Pool(pool) => pool.execute_raw(statement),
        Db::Transaction(transaction) => transaction.execute_raw(statement),
    };
    Ok(done.await?.rows_affected())
}

async fn all(db: Db<'_>, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
    let statement = Statement::from_sql_and_values(db.backend(), sql, values);
    #[cfg(test)]
    plans::refuse_long_ways(db, &statement).await;
    let rows = match query(db, statement.clone()).await {
        Err(error) if is_outdated(&error) => query(db, prepared_anew(statement)).await?,
        rows => rows?,
    };
    Ok(rows.into_iter().map(Row::of).collect())
}

async fn query(db: Db<'_>, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
    match db {
        Db::Pool(pool) => pool.query_all_raw(statement).await,
        Db::Transaction(transaction) => transaction.query_all_raw(statement).await,
    }
}

async fn one(db: Db<'_>, sql: &str, values: Vec<Value>) -> Result<Option<Row>, StoreError> {
    let statement = Statement::from_sql_and_values(db.backend(), sql, values);
    let row = match query_one(db, statement.clone()).await {
        Err(error) if is_outdated(&error) => query_one(db, prepared_anew(statement)).await?,
        row => row?,
    };
    Ok(row.map(Row::of))
}

async fn query_one(db: Db<'_>, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
    match db {
        Db::Pool(pool) => pool.query_one_raw(statement).await,
        Db::Transaction(transaction) => transaction.query_one_raw(statement).await,
    }
}

/// A newer version has added a column to a table since this connection prepared its `SELECT *`;
/// `PostgreSQL` then refuses the statement for as long as the connection lasts (0A000).
fn is_outdated(error: &DbErr) -> bool {
    let (DbErr::Query(RuntimeErr::SqlxError(error)) | DbErr::Exec(RuntimeErr::SqlxError(error))) =
        error
    else {
        return false;
    };
    error.as_database_error().is_some_and(|error| {
        error.code().as_deref() == Some("0A000") && error.message().contains("cached plan")
    })
}

/// Another text is another statement, which is prepared on the table as it is now.
fn prepared_anew(mut statement: Statement) -> Statement {
    statement.sql.push_str(" -- again");
    statement
}

/// What an event has is asked for by its id: a plan that goes through all messages of the tenant instead is
/// as fast as any other while these are few.
#[cfg(test)]
mod plans {
    use super::*;

    pub(in crate::store) async fn refuse_long_ways(db: Db<'_>, statement: &Statement) {
        let text = &statement.sql;
        if db.backend() != DbBackend::Sqlite || !text.contains("event_id") || text.starts_with('E')
        {
            return;
        }
        let mut explain = statement.clone();
        explain.sql = format!("EXPLAIN QUERY PLAN {text}");
        for row in query(db, explain).await.unwrap() {
            let step: String = row.try_get("", "detail").unwrap();
            let is_long = step.contains("INDEX deliveries_tenant (tenant_id=?)");
            assert!(!is_long, "{step}: {text}");
        }
    }
}
