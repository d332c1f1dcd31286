//! The few words that `SQLite` and `PostgreSQL` spell differently.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

/// Runs a script with the words of the database filled in:
///
/// - `{id}` a UUID, `{bytes}` a byte string
/// - `{narrow}` a table that is only its key and little more
/// - `{by_event}`, `{by_id}` partitioned by the month in a v7 id
pub(crate) async fn run(manager: &SchemaManager<'_>, script: &str) -> Result<(), DbErr> {
    let words: [(&str, &str); 5] = if manager.get_database_backend() == DbBackend::Postgres {
        [
            ("{id}", "uuid"),
            ("{bytes}", "bytea"),
            ("{narrow}", ""),
            ("{by_event}", "PARTITION BY RANGE (event_id)"),
            ("{by_id}", "PARTITION BY RANGE (id)"),
        ]
    } else {
        [
            ("{id}", "blob"),
            ("{bytes}", "blob"),
            ("{narrow}", "WITHOUT ROWID"),
            ("{by_event}", ""),
            ("{by_id}", ""),
        ]
    };
    let script = words.iter().fold(script.to_owned(), |sql, (word, says)| {
        sql.replace(word, says)
    });
    let db = manager.get_connection();
    db.execute_unprepared(&script).await.map(drop)
}
