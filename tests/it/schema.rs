//! The schema goes up, down and up again, and both databases read it.

use migrations::Migrator;
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use sea_orm_migration::MigratorTrait as _;

async fn tables(db: &sea_orm::DatabaseConnection) -> Vec<String> {
    let query = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        }
        _ => "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1",
    };
    let statement = Statement::from_string(db.get_database_backend(), query);
    let rows = db.query_all_raw(statement).await.unwrap();
    rows.iter()
        .map(|r| r.try_get("", "name").unwrap())
        .collect()
}

async fn up_down_up(url: &str) {
    let db = Database::connect(url).await.unwrap();
    Migrator::up(&db, None).await.unwrap();
    let first = tables(&db).await;
    assert!(first.iter().any(|t| t == "delivery_steps"), "{first:?}");
    Migrator::down(&db, None).await.unwrap();
    assert_eq!(tables(&db).await, ["seaql_migrations"]);
    Migrator::up(&db, None).await.unwrap();
    assert_eq!(tables(&db).await, first);
}

#[tokio::test]
async fn the_schema_goes_up_down_and_up_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("schema.db");
    up_down_up(&format!("sqlite://{}?mode=rwc", file.display())).await;
}

/// `tests/run` starts the server and names it.
#[tokio::test]
async fn the_schema_goes_up_down_and_up_on_postgresql() {
    let Some(url) = ml_connector::config::environment("TEST_POSTGRES_URL") else {
        println!("no server was started: run ./tests/run");
        return;
    };
    up_down_up(&url).await;
}
