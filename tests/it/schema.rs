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

#[tokio::test]
async fn what_was_there_before_is_counted_and_sorted() {
    let database = TestDatabase::empty().await;
    let mode = if database.is_file() { "?mode=rwc" } else { "" };
    let db = Database::connect(database.url() + mode).await.unwrap();
    Migrator::up(&db, Some(4)).await.unwrap();
    let id = |n: u128| {
        let id = uuid::Uuid::from_u128(n);
        if database.is_file() {
            format!("X'{}'", id.simple())
        } else {
            format!("'{id}'")
        }
    };
    let (tenant, hash) = (
        id(1),
        if database.is_file() {
            "X'00'"
        } else {
            "'\\x00'"
        },
    );
    let hour = 3_600_000_000_i64;
    for (n, state) in ["queued", "sent", "read", "failed", "expired", "accepted"]
        .into_iter()
        .enumerate()
    {
        let own = id(n as u128 + 10);
        let at = 400_000 * hour + i64::try_from(n).unwrap() * hour / 4;
        for statement in [
            format!(
                "INSERT INTO suppressions (tenant_id, channel, address, source, reason, created_at) \
                 VALUES ({tenant}, 'sms', '{n}', 'stop', '', {at})"
            ),
            format!(
                "INSERT INTO deliveries (event_id, id, tenant_id, rule_id, rule_version, rule_name, \
                 order_id, replay_of, channel, address, recipient, sender, body, text_hash, state, \
                 reason, hold, expires_at, connection_id, account, lease_owner, attempt_no, tries, \
                 absents, looks, sid, provider_rank, error_code, created_at, updated_at) VALUES \
                 ({own}, {own}, {tenant}, {own}, 1, '', {own}, {own}, 'sms', '', '', '', '', {hash}, \
                 '{state}', '', '', 0, {own}, '', '', 0, 0, 0, 0, '', 0, 0, {at}, {at})"
            ),
        ] {
            db.execute_unprepared(&statement).await.unwrap();
        }
    }
    Migrator::up(&db, None).await.unwrap();
    let all = async |query: &str| {
        let statement = Statement::from_string(db.get_database_backend(), query);
        let rows = db.query_all_raw(statement).await.unwrap();
        rows.iter()
            .map(|r| r.try_get::<String>("", "line").unwrap())
            .collect::<Vec<_>>()
    };
    let counts = "SELECT CAST(hour AS text) || ' ' || CAST(sent AS text) || ' ' \
                  || CAST(failed AS text) AS line FROM delivery_counts ORDER BY hour";
    assert_eq!(all(counts).await, ["400000 2 1", "400001 1 0"]);
    let order = "SELECT address AS line FROM suppressions ORDER BY id";
    assert_eq!(all(order).await, ["0", "1", "2", "3", "4", "5"]);
}
