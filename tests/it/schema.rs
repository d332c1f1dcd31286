//! The schema goes up, down and up again, and both databases read it.

use migrations::Migrator;
use ml_connector::store::Store;
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use sea_orm_migration::MigratorTrait as _;

use crate::harness::database::TestDatabase;

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
async fn the_schema_goes_up_down_and_up() {
    let database = TestDatabase::empty().await;
    let mode = if database.is_file() { "?mode=rwc" } else { "" };
    up_down_up(&(database.url() + mode)).await;
}

#[tokio::test]
async fn two_processes_that_bring_the_schema_up_to_date_at_once_do_it_once() {
    let database = TestDatabase::empty().await;
    let [one, two] = [
        Store::open(&database.url()).await.unwrap(),
        Store::open(&database.url()).await.unwrap(),
    ];
    let (first, second) = tokio::join!(one.migrate(), two.migrate());
    first.unwrap();
    second.unwrap();
    assert_eq!(two.pending_migrations().await.unwrap(), 0);
}
