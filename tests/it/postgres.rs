//! What is only so on `PostgreSQL`.

use std::process::Stdio;

use sea_orm::{ConnectionTrait as _, Database};

use crate::harness::TestApp;
use crate::harness::database::TestDatabase;
use crate::harness::process::{Service, bare};

/// A service on a database whose server was told `setting` for it; `None` where that is a file.
async fn with_setting(setting: &str) -> Option<Service> {
    let app = TestApp::spawn_in_real_time().await;
    let service = Service::new(app.sandbox.base_url()).await;
    if service.database.is_file() {
        return None;
    }
    let url = service.database.url();
    let (_, name) = url.rsplit_once('/').unwrap();
    let db = Database::connect(&url).await.unwrap();
    let alter = format!("ALTER DATABASE {name} SET {setting}");
    db.execute_unprepared(&alter).await.unwrap();
    Some(service)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_acknowledges_before_it_keeps_is_refused() {
    let Some(service) = with_setting("synchronous_commit = off").await else {
        return;
    };
    for command in [&["serve"][..], &["work"], &["migrate"], &["check"]] {
        let refused = service.run(command, "");
        assert!(!refused.status.success());
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("synchronous_commit"), "{said}");
        assert!(said.contains("ALTER DATABASE"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_keeps_first_serves() {
    let Some(mut service) = with_setting("synchronous_commit = local").await else {
        return;
    };
    service.start();
    service.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_that_migrate_an_empty_database_at_once_all_end_well() {
    let database = TestDatabase::empty().await;
    if database.is_file() {
        return;
    }
    let begun: Vec<_> = (0..8)
        .map(|_| {
            let mut migrate = bare(&["migrate"]);
            migrate.env("DATABASE_URL", database.url());
            let migrate = migrate.stdout(Stdio::piped()).stderr(Stdio::piped());
            migrate.spawn().unwrap()
        })
        .collect();
    for migrate in begun {
        let done = migrate.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{said}");
    }
    let steps = database.count("seaql_migrations").await;
    assert_eq!(database.count("schema_steps").await, steps);
    let months = "pg_inherits WHERE inhparent = 'events'::regclass";
    assert_eq!(database.count(months).await, 5, "four months and the rest");
}
