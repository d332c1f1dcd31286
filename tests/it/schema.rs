//! The schema goes up, down and up again, and both databases read it.

use migrations::Migrator;
use ml_connector::domain::clock::{Clock as _, SystemClock};
use ml_connector::sandbox::samples::Standing;
use ml_connector::store::Store;
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use sea_orm_migration::MigratorTrait as _;

use crate::harness::TestApp;
use crate::harness::company::invoice;
use crate::harness::database::TestDatabase;
use crate::harness::process::Service;

/// Everything that a migration can leave behind, by kind and name, each with its definition.
const SQLITE_SCHEMA: &str = "SELECT type || ' ' || name || ' ' || COALESCE(sql, '') AS line FROM sqlite_master \
                             WHERE name <> 'seaql_migrations' AND tbl_name <> 'seaql_migrations' ORDER BY 1";
const POSTGRES_SCHEMA: &str = "SELECT line FROM ( \
     SELECT concat_ws(' ', 'column', table_name, column_name, data_type, is_nullable, column_default) AS line, \
            table_name FROM information_schema.columns WHERE table_schema = 'public' \
     UNION ALL SELECT 'index ' || indexdef, tablename FROM pg_indexes WHERE schemaname = 'public' \
     UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid)), \
            conrelid::regclass::TEXT FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
     UNION ALL SELECT 'partitioned ' || partrelid::regclass || ' ' || pg_get_partkeydef(partrelid), \
            partrelid::regclass::TEXT FROM pg_partitioned_table \
     UNION ALL SELECT 'trigger ' || pg_get_triggerdef(oid), tgrelid::regclass::TEXT FROM pg_trigger \
            WHERE NOT tgisinternal \
     UNION ALL SELECT 'function ' || pg_get_functiondef(oid), '' FROM pg_proc \
            WHERE pronamespace = 'public'::regnamespace) AS all_of_it \
     WHERE table_name <> 'seaql_migrations' ORDER BY 1";

async fn schema(db: &sea_orm::DatabaseConnection) -> Vec<String> {
    let query = match db.get_database_backend() {
        DbBackend::Postgres => POSTGRES_SCHEMA,
        _ => SQLITE_SCHEMA,
    };
    let statement = Statement::from_string(db.get_database_backend(), query);
    let rows = db.query_all_raw(statement).await.unwrap();
    rows.iter()
        .map(|r| r.try_get("", "line").unwrap())
        .collect()
}

async fn up_down_up(url: &str) {
    let db = Database::connect(url).await.unwrap();
    Migrator::up(&db, None).await.unwrap();
    let first = schema(&db).await;
    for part in ["delivery_steps", "INDEX", "TRIGGER"] {
        assert!(
            first.iter().any(|line| line.contains(part)),
            "{part}: {first:#?}"
        );
    }
    Migrator::down(&db, None).await.unwrap();
    assert_eq!(schema(&db).await, [""; 0], "down leaves nothing behind");
    Migrator::up(&db, None).await.unwrap();
    assert_eq!(schema(&db).await, first);
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

/// A database as a later version leaves it: its step needs a program that knows `needs`.
async fn from_later(needs: Option<&str>) -> Service {
    let app = TestApp::spawn_in_real_time().await;
    let mut service = Service::new(app.sandbox.base_url()).await;
    service.start();
    service.kill();
    let database = &service.database;
    let step = "m20990101_000001_later";
    let applied = format!("INSERT INTO seaql_migrations VALUES ('{step}', 0)");
    database.run(&applied).await;
    let needs = needs.unwrap_or(step);
    let told = format!("INSERT INTO schema_steps VALUES ('{step}', '{needs}', '9.8.7')");
    database.run(&told).await;
    service
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_names_the_version_that_it_needs() {
    let service = from_later(None).await;
    for command in ["serve", "work", "check", "migrate"] {
        if command == "work" && service.database.is_file() {
            continue;
        }
        let refused = service.run(&[command], "");
        assert!(!refused.status.success(), "{command}");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            said.contains("brought up to date by ml-connector 9.8.7"),
            "{command}: {said}"
        );
        assert!(
            said.contains("start ml-connector 9.8.7 or a later version"),
            "{command}: {said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_before_goes_on_beside_a_step_that_only_adds() {
    let last = Migrator::migrations().pop().unwrap();
    let mut service = from_later(Some(last.name())).await;
    let done = service.run(&["migrate"], "");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    assert!(said.contains("goes on"), "{said}");
    service.start();
    let acme = service.tenant("acme");
    let sent = invoice(1, Standing::Sent, SystemClock.now());
    assert!(acme.post("", sent).await.is_some());
    assert!(
        service
            .log()
            .contains("brought up to date by ml-connector 9.8.7")
    );
    service.kill();
}
