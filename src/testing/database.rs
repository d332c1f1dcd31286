//! A database of its own for each test: a file, or a database on the PostgreSQL server that
//! `tests/run` starts, as `TEST_DATABASE` says. Both the unit tests and `tests/it` use this file.

use std::time::Duration;

use migrations::Migrator;
use ml_connector::config::environment as setting;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection};
use sea_orm_migration::MigratorTrait as _;
use tempfile::TempDir;

/// The server's database with our schema in it, from which the others are copied. A later schema has
/// another one, so that a server may outlive a step of it.
fn template() -> String {
    let last = Migrator::migrations().pop().expect("a schema");
    format!("mlc_template_{}", last.name())
}

/// Gone when dropped.
pub(crate) struct TestDatabase {
    /// For files beside the database, whichever it is.
    pub(crate) folder: TempDir,
    server: Option<Server>,
}

struct Server {
    /// Of the database that is always there.
    url: String,
    database: String,
}

impl TestDatabase {
    /// With our schema.
    pub(crate) async fn migrated() -> Self {
        let made = Self::empty_but(true).await;
        if made.server.is_none() {
            let db = Database::connect(made.url() + "?mode=rwc").await.unwrap();
            Migrator::up(&db, None).await.unwrap();
            db.close().await.unwrap();
        }
        made
    }

    /// Without any table.
    pub(crate) async fn empty() -> Self {
        Self::empty_but(false).await
    }

    async fn empty_but(with_schema: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = match setting("TEST_DATABASE").as_deref() {
            None | Some("sqlite") => None,
            Some("postgres") => Some(Server::with_database(with_schema).await),
            Some(other) => panic!("TEST_DATABASE is {other}, neither sqlite nor postgres"),
        };
        Self { folder, server }
    }

    /// What `DATABASE_URL` says.
    pub(crate) fn url(&self) -> String {
        match &self.server {
            Some(server) => on(&server.url, &server.database),
            None => format!("sqlite://{}", self.folder.path().join("test.db").display()),
        }
    }

    /// Whether it is a file, for what only a file has.
    pub(crate) fn is_file(&self) -> bool {
        self.server.is_none()
    }

    /// Runs a statement that no use case does.
    pub(crate) async fn run(&self, sql: &str) {
        let db = one_connection(&self.url()).await;
        run(&db, sql).await;
        db.close().await.unwrap();
    }

    /// How many rows of a table there are, `such` as have to be.
    pub(crate) async fn count(&self, such: &str) -> i64 {
        let db = one_connection(&self.url()).await;
        let query = format!("SELECT COUNT(*) AS n FROM {such}");
        let statement = sea_orm::Statement::from_string(db.get_database_backend(), query);
        let row = db.query_one_raw(statement).await.unwrap().unwrap();
        let count = row.try_get("", "n").unwrap();
        db.close().await.unwrap();
        count
    }

    /// Ends every connection to it and lets nobody in; only a server can.
    pub(crate) async fn lock_out(&self) {
        let Server { url, database } = self.server.as_ref().expect("a server");
        let db = one_connection(url).await;
        let close = format!("ALTER DATABASE {database} ALLOW_CONNECTIONS false");
        run(&db, &close).await;
        let end = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
        );
        run(&db, &end).await;
        db.close().await.unwrap();
    }

    /// Another with the same rows, on the same server; whoever is connected to this one is cut off once.
    pub(crate) async fn copy(&self) -> Self {
        let Server { url, database } = self.server.as_ref().expect("a server");
        self.lock_out().await;
        let copy = format!("t{}", uuid::Uuid::new_v4().simple());
        let db = one_connection(url).await;
        for step in [
            format!("CREATE DATABASE {copy} TEMPLATE {database}"),
            format!("ALTER DATABASE {database} ALLOW_CONNECTIONS true"),
        ] {
            run(&db, &step).await;
        }
        db.close().await.unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            server: Some(Server {
                url: url.clone(),
                database: copy,
            }),
        }
    }

    /// Everything that is in it, for whoever looks for what must not be there.
    pub(crate) async fn contents(&self) -> Vec<u8> {
        if let Some(server) = &self.server {
            return every_row(&on(&server.url, &server.database)).await;
        }
        let mut bytes = Vec::new();
        for file in std::fs::read_dir(self.folder.path()).unwrap() {
            bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
        }
        bytes
    }
}

impl Server {
    async fn with_database(with_schema: bool) -> Self {
        let url = setting("TEST_POSTGRES_URL").expect("run ./tests/run: it starts a server");
        let database = format!("t{}", uuid::Uuid::new_v4().simple());
        let db = one_connection(&url).await;
        if with_schema {
            make_template(&db, &url).await;
            let template = template();
            run(
                &db,
                &format!("CREATE DATABASE {database} TEMPLATE {template}"),
            )
            .await;
        } else {
            run(
                &db,
                &format!("CREATE DATABASE {database} TEMPLATE template0"),
            )
            .await;
        }
        db.close().await.unwrap();
        Self { url, database }
    }
}

/// A dump of every row as text; what was written as bytes comes in their own form as well.
async fn every_row(url: &str) -> Vec<u8> {
    let db = one_connection(url).await;
    let ask = async |query: String| {
        let statement = sea_orm::Statement::from_string(db.get_database_backend(), query);
        let rows = db.query_all_raw(statement).await.unwrap();
        rows.iter()
            .map(|row| row.try_get::<String>("", "line").unwrap())
            .collect::<Vec<_>>()
    };
    let tables = "SELECT tablename::text AS line FROM pg_tables WHERE schemaname = 'public'";
    let mut dump = Vec::new();
    for table in ask(tables.to_owned()).await {
        for line in ask(format!("SELECT t::text AS line FROM {table} t")).await {
            for word in line.split(['\\', '"', ',', ')']) {
                let bytes = word.strip_prefix('x').and_then(|w| hex::decode(w).ok());
                dump.extend(bytes.unwrap_or_default());
            }
            dump.extend(line.into_bytes());
        }
    }
    db.close().await.unwrap();
    dump
}

/// Made by whichever test comes first; the others wait for it.
async fn make_template(db: &DatabaseConnection, url: &str) {
    run(db, "SELECT pg_advisory_lock(4711)").await;
    let template = template();
    let query = format!("SELECT 1 FROM pg_database WHERE datname = '{template}'");
    let statement = sea_orm::Statement::from_string(db.get_database_backend(), query);
    if db.query_one_raw(statement).await.unwrap().is_none() {
        run(db, "DROP DATABASE IF EXISTS mlc_half_made").await;
        run(db, "CREATE DATABASE mlc_half_made TEMPLATE template0").await;
        let made = one_connection(&on(url, "mlc_half_made")).await;
        Migrator::up(&made, None).await.unwrap();
        made.close().await.unwrap();
        run(
            db,
            &format!("ALTER DATABASE mlc_half_made RENAME TO {template}"),
        )
        .await;
    }
    run(db, "SELECT pg_advisory_unlock(4711)").await;
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some(Server { url, database }) = self.server.take() else {
            return;
        };
        // The test's own runtime may be ending; a thread has one of its own.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let db = one_connection(&url).await;
                run(&db, &format!("DROP DATABASE {database} WITH (FORCE)")).await;
            });
        });
        drop(dropping.join());
    }
}

async fn one_connection(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(30))
        .sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

async fn run(db: &DatabaseConnection, sql: &str) {
    db.execute_unprepared(sql).await.unwrap();
}

/// The same server, another database.
fn on(url: &str, database: &str) -> String {
    let (server, _) = url.rsplit_once('/').expect("an address with a database");
    format!("{server}/{database}")
}
