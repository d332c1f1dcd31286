//! One `serve` per database file, whatever it is called; and `SQLite` keeps its own locks.

use std::fs;
use std::path::Path;
use std::process::Command;

use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DbBackend, Statement};

use crate::crash::sandbox;
use crate::harness::process::{Service, free_port, refusal_of};

/// A `serve` on another name, with the key of the first.
fn serve_on(service: &Service, file: &Path) -> Command {
    let mut command = service.command(&["serve"]);
    let key = service.database.folder.path().join("test.db.key");
    command
        .env("DATABASE_URL", format!("sqlite://{}", file.display()))
        .env("MASTER_KEY_FILE", key)
        .env("BIND", format!("127.0.0.1:{}", free_port()));
    command
}

fn assert_in_use(command: Command) {
    let said = refusal_of(command);
    assert!(said.contains("is in use by process"), "{said}");
}

/// Whether another program can take the file out of WAL mode, for which nobody else may have it
/// open: `SQLite` knows that by the `fcntl` lock that each connection holds on the file.
async fn can_be_had_alone(file: &Path) -> bool {
    let url = format!("sqlite://{}", file.display());
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await.unwrap();
    let ask = async |sql: &str| {
        let statement = Statement::from_string(DbBackend::Sqlite, sql);
        db.query_one_raw(statement).await
    };
    ask("PRAGMA busy_timeout = 50").await.unwrap();
    let changed = ask("PRAGMA journal_mode = DELETE").await;
    let mode = changed.map(|row| row.unwrap().try_get_by_index::<String>(0).unwrap());
    let alone = mode.is_ok_and(|mode| mode == "delete");
    db.close().await.unwrap();
    alone
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_serve_is_refused_by_every_name_and_takes_no_lock_from_the_first() {
    let sandbox = sandbox().await;
    let mut service = Service::new(sandbox.base_url()).await;
    if !service.database.is_file() {
        return;
    }
    service.start();
    let folder = service.database.folder.path().to_owned();
    let place = |name: &str| folder.join(name);
    let database = place("test.db");
    std::os::unix::fs::symlink(&database, place("symbolic.db")).unwrap();
    fs::hard_link(&database, place("hard.db")).unwrap();
    for name in ["test.db", "symbolic.db", "hard.db"] {
        assert_in_use(serve_on(&service, &place(name)));
    }
    // What only tells who holds it holds nothing.
    fs::remove_file(place("test.db.pid")).unwrap();
    assert_in_use(serve_on(&service, &database));
    assert!(!can_be_had_alone(&database).await);

    // A copy is a database of its own: it is not the lock that stops it.
    fs::copy(&database, place("copy.db")).unwrap();
    let mut copy = serve_on(&service, &place("copy.db"));
    copy.env("BIND", format!("127.0.0.1:{}", service.port));
    let said = refusal_of(copy);
    assert!(said.contains("cannot listen on"), "{said}");

    // Nor does it help to call the file something else while it is held.
    fs::rename(&database, place("renamed.db")).unwrap();
    assert_in_use(serve_on(&service, &place("renamed.db")));
    fs::rename(place("renamed.db"), &database).unwrap();

    service.kill();
    assert!(can_be_had_alone(&database).await);
    service.start();
}
