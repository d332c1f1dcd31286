//! The few words that `SQLite` and `PostgreSQL` spell differently.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

/// Runs a script of statements separated by `;`, with the words of the database filled in:
///
/// - `{id}` a UUID, `{bytes}` a byte string
/// - `{narrow}` a table that is only its key and little more
/// - `{by_event}`, `{by_id}` partitioned by the month in a v7 id
pub(crate) async fn run(manager: &SchemaManager<'_>, script: &str) -> Result<(), DbErr> {
    let postgres = manager.get_database_backend() == DbBackend::Postgres;
    let words: [(&str, &str); 6] = if postgres {
        [
            ("{id}", "uuid"),
            ("{any_id}", "gen_random_uuid()"),
            ("{bytes}", "bytea"),
            ("{narrow}", ""),
            ("{by_event}", "PARTITION BY RANGE (event_id)"),
            ("{by_id}", "PARTITION BY RANGE (id)"),
        ]
    } else {
        [
            ("{id}", "blob"),
            ("{any_id}", "randomblob(16)"),
            ("{bytes}", "blob"),
            ("{narrow}", "WITHOUT ROWID"),
            ("{by_event}", ""),
            ("{by_id}", ""),
        ]
    };
    let script = words.iter().fold(script.to_owned(), |sql, (word, says)| {
        sql.replace(word, says)
    });
    for statement in script.split(';').map(str::trim).filter(|s| !s.is_empty()) {
        manager
            .get_connection()
            .execute_unprepared(statement)
            .await?;
    }
    Ok(())
}
