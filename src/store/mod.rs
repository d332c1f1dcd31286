//! The database. sea-orm lives here and nowhere else.
//!
//! [`Store::tenant`] yields the only handle with a tenant's rows in it, and a statement of its that is
//! not filtered by that tenant is refused (see `db`); [`Store::platform`] holds the few look-ups that
//! must come before a tenant is known. Reads use a pool; every write goes through one writer (see `writer`).

mod accounts;
pub mod engine;
mod error;
mod history;
mod operations;
mod pipeline;
mod tenant;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use sea_orm::sqlx::Connection as _;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbBackend};

pub use accounts::invitations::{Invitation, Invited, Joined, Joining};
pub use accounts::members::{MOST_MEMBERS, MemberEdit, TeamChange, Teammate};
pub use accounts::second_factors::{Proof, SecondFactor};
pub use accounts::sessions::{MOST_SESSIONS, NewSession, Session, SessionLine};
pub use accounts::tokens::{ApiToken, MOST_TOKENS, TokenFound, TokenGrant};
pub use accounts::user_tokens::{Purpose, UserToken};
pub use accounts::users::{NewHash, User};
pub use engine::schema::{NewerSchema, Schema};
pub use engine::server::ServerTrouble;
pub use engine::unreachable::Unreachable;
pub use engine::write_fault::WriteFault;
pub use error::StoreError;
pub use history::audit::AuditFilter;
pub use history::rejected::RejectedRequest;
pub use history::{DeliveryFilter, EventFilter, EventSearch, HourTally, Timeline};
pub use operations::mails::{ClaimedMail, MailOutcome, StoredMail};
pub use operations::operator::{Backlog, BrakedConnection, TenantSummary};
pub use operations::platform::{Member, NewTenant, Platform, Standbys, StoredDataKey};
pub use operations::processes::Process;
pub use operations::sealed::{Resealed, SEALED, SealedColumn, SealedOwner, SealedRow};
pub use pipeline::claims::{Claim, ClaimResult, lock_scope};
pub use pipeline::deliveries::{Due, RELEASE_AT_ONCE};
pub use pipeline::documents::KnownDocument;
pub use pipeline::due::DueCursor;
pub use pipeline::outcomes::{Change, Guard, KnownMessage, NewStep};
pub use pipeline::receipts::{
    CALLBACK, HINTS_KEPT, NewReceipt, RECEIPTS_KEPT, ReceiptResult, UNMATCHED_KEPT,
};
pub use pipeline::renewals::Renewal;
pub use pipeline::replays::{NewReplay, ReplayResult};
pub use pipeline::route::{
    AppliedCommit, ClassifiedEvent, DocumentCommit, RouteCommit, RouteResult, Routed,
};
pub use tenant::account_figures::StoredFigures;
pub use tenant::bank_details::BankDetailsEdit;
pub use tenant::brand::NewLogo;
pub use tenant::connections::{EnteredSenders, HookTarget, SaveConnection, StoredSecret};
pub use tenant::consents::StoredConsent;
pub use tenant::deletion::{COUNTED_TO, Deleting, DigestCursor, Holdings};
pub use tenant::message_settings::{MessageEdit, MessageSettings};
pub use tenant::notices::{Trouble, TroubleKind};
pub use tenant::own_numbers::PhoneCode;
pub use tenant::permissions::{Attestation, MOST_PERMISSIONS, NewPermission};
pub use tenant::replies::{NewReply, Said, UNPROVEN_KEPT};
pub use tenant::rules::{MOST_RULE_EDITS, MOST_RULES, RuleEdit};
pub use tenant::suppressions::{Added, MOST_SUPPRESSIONS, SuppressionFilter};

use crate::domain::address_hash::AddressHasher;
use crate::domain::ids::TenantId;
use engine::db::{TenantDb, UnscopedDb};
use engine::server::Server;
use engine::writer::{TenantWriter, Writer};
use operations::platform::Hooks;
use pipeline::deliveries::Deliveries;
use pipeline::documents::Documents;
use pipeline::events::Events;
use tenant::connections::{Belongings, Connections};
use tenant::message_settings::AllMessageSettings;
use tenant::rules::Rules;
use tenant::settings::Tenants;

/// What works where a pooler such as `PgBouncer` stands before the server.
pub const POOLER_ADVICE: &str = "let PgBouncer lend sessions, not transactions: pool_mode = session, with a \
    default_pool_size of at least 24 for each process of ours; or let DATABASE_URL lead to PostgreSQL itself";

/// A cheap-to-clone handle to the database.
#[derive(Clone)]
pub struct Store {
    read: DatabaseConnection,
    writer: Writer,
    look_ups: LookUps,
    server: Server,
    hasher: Option<AddressHasher>,
}

/// Look-ups that are made together.
#[derive(Clone)]
struct LookUps {
    events: Events,
    documents: Documents,
    deliveries: Deliveries,
    hooks: Hooks,
    tenants: Tenants,
    rules: Rules,
    message_settings: AllMessageSettings,
    connections: Connections,
    belongings: Belongings,
}

impl LookUps {
    fn start(db: &DatabaseConnection) -> Self {
        let (connections, belongings) = tenant::connections::look_ups(db);
        Self {
            events: pipeline::events::look_ups(db),
            documents: pipeline::documents::look_ups(db),
            deliveries: pipeline::deliveries::look_ups(db),
            hooks: operations::platform::look_ups(db),
            tenants: tenant::settings::look_ups(db),
            rules: tenant::rules::look_ups(db),
            message_settings: tenant::message_settings::look_ups(db),
            connections,
            belongings,
        }
    }
}

/// How many connections read at the same time.
const READERS: u32 = 6;

/// How many statements a connection remembers: a batched one has a text for each number of rows.
const STATEMENTS: usize = 512;

/// How many rows of an answer may wait on their way from the thread that reads a `SQLite` file.
const ROWS_ON_THE_WAY: usize = 512;

/// Of a `SQLite` file's pages, how much a connection remembers; negative, so in KiB. A batch changes a
/// page or more for each row in the indexes that are in no order of time, and what is forgotten within
/// it is written twice.
const fn cache_size(r#use: Use) -> &'static str {
    match r#use {
        Use::Write => "-32768",
        Use::Read | Use::LookUp => "-4096",
        Use::Checkpoint => "-64",
    }
}

/// How long a lock of another program's on a `SQLite` file is waited for.
const fn lock_patience(r#use: Use) -> Duration {
    match r#use {
        Use::Checkpoint => Duration::from_millis(100),
        // Whoever waits for the writer is told within seconds, see [`engine::writer::WITHIN`].
        Use::Write => Duration::from_secs(3),
        Use::Read | Use::LookUp => Duration::from_secs(30),
    }
}

impl Store {
    /// Opens the database; on `SQLite` the file and its folder are made when missing.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        if let Some(file) = sqlite_path(url) {
            engine::files::prepare(&file)
                .map_err(|e| sea_orm::DbErr::Custom(format!("cannot make the folder: {e}")))?;
        }
        let backend = if sqlite_path(url).is_some() {
            DbBackend::Sqlite
        } else {
            DbBackend::Postgres
        };
        let server = Server::default();
        let connect = |connections, r#use| connect(url, connections, r#use, &server);
        // Who writes is opened first, so that readers find a file in WAL mode.
        let write = match connect(engine::writer::connections(backend), Use::Write).await {
            Err(error) if backend == DbBackend::Postgres => {
                return Err(engine::unreachable::explain(url, error).await);
            }
            opened => opened?,
        };
        if backend == DbBackend::Postgres {
            engine::server::refuse_shared_sessions(&write).await?;
        }
        let read = connect(READERS, Use::Read).await?;
        if backend == DbBackend::Postgres {
            server.watch(read.clone()).await?;
        }
        let log = match backend {
            DbBackend::Postgres => None,
            _ => Some(connect(1, Use::Checkpoint).await?),
        };
        let look_ups = match backend {
            DbBackend::Postgres => connect(engine::look_ups::CONNECTIONS, Use::LookUp).await?,
            _ => read.clone(),
        };
        Ok(Self {
            look_ups: LookUps::start(&look_ups),
            read,
            writer: Writer::start(write, log, &server),
            server,
            hasher: None,
        })
    }

    /// Acknowledges events without keeping them, which breaks the first law: only for `benches`, to
    /// tell what keeping costs.
    #[doc(hidden)]
    #[must_use]
    pub fn bare(self) -> Self {
        let writer = self.writer.without_events();
        Self { writer, ..self }
    }

    /// The same, able to compare addresses. Its key comes from the vault, whose own keys come from here.
    #[must_use]
    pub fn with_hasher(self, hasher: AddressHasher) -> Self {
        let hasher = Some(hasher);
        Self { hasher, ..self }
    }

    /// The same, but whoever edits waits for so long, for commands in a shell.
    #[must_use]
    pub fn patient(self, within: Duration) -> Self {
        let writer = self.writer.patient(within);
        Self { writer, ..self }
    }

    /// How many edits this process has made: what was read before the last one may be out of date.
    pub fn edits(&self) -> u64 {
        self.writer.edits()
    }

    /// Keeps a consistent copy of a `SQLite` database; the file must not exist yet.
    pub async fn copy_to(&self, file: &std::path::Path) -> Result<(), StoreError> {
        // SQLite writes into an empty file, and would make one that everybody can read.
        engine::files::make(file)
            .map_err(|e| sea_orm::DbErr::Custom(format!("cannot make the copy: {e}")))?;
        let copy = engine::sql::values![file.display().to_string()];
        let copied = UnscopedDb::itself(&self.read)
            .exec("VACUUM INTO $1", copy)
            .await;
        if copied.is_err() {
            // Half a copy would be taken for one; that it stays is the lesser trouble.
            let _ = std::fs::remove_file(file);
        }
        copied.map(drop)
    }

    /// What is wrong with the `PostgreSQL` server, as of two seconds ago at most; nothing on `SQLite`.
    pub fn server_troubles(&self) -> Vec<ServerTrouble> {
        self.server.troubles()
    }

    /// The rows of one tenant.
    pub fn tenant(&self, id: TenantId) -> TenantStore {
        TenantStore {
            store: self.clone(),
            id,
        }
    }

    /// The few look-ups that know no tenant yet.
    pub fn platform(&self) -> Platform {
        Platform {
            store: self.clone(),
        }
    }
}

/// The only handle with a tenant's rows in it.
#[derive(Clone)]
pub struct TenantStore {
    store: Store,
    id: TenantId,
}

impl TenantStore {
    /// Whose rows these are.
    pub const fn tenant_id(&self) -> TenantId {
        self.id
    }

    fn db(&self) -> TenantDb<'_> {
        TenantDb::new(&self.store.read, self.id)
    }

    fn hasher(&self) -> Result<&AddressHasher, StoreError> {
        self.store.hasher.as_ref().ok_or(StoreError::NoHasher)
    }

    fn writer(&self) -> TenantWriter<'_> {
        TenantWriter {
            writer: &self.store.writer,
            tenant: self.id,
        }
    }
}

/// The file behind a `sqlite://…` address; `None` for other databases.
pub fn sqlite_path(url: &str) -> Option<PathBuf> {
    let rest = url
        .strip_prefix("sqlite://")
        .or_else(|| url.strip_prefix("sqlite:"))?;
    let path = rest.split('?').next().unwrap_or(rest);
    Some(PathBuf::from(path))
}

/// What connections are for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Read,
    /// Reading by keys, many at once.
    LookUp,
    Write,
    Checkpoint,
}

/// What a session on `PostgreSQL` is told when it begins.
fn settings(r#use: Use) -> String {
    match r#use {
        Use::Write => {
            let all = engine::writer::PATIENCE
                .into_iter()
                .chain(engine::sql::BY_KEYS);
            format!(
                "{}, {}",
                engine::server::settings(all),
                engine::server::SYNCHRONOUS
            )
        }
        Use::LookUp => engine::server::settings(engine::sql::BY_KEYS),
        Use::Read | Use::Checkpoint => String::new(),
    }
}

async fn connect(
    url: &str,
    connections: u32,
    r#use: Use,
    server: &Server,
) -> Result<DatabaseConnection, StoreError> {
    let mut options = ConnectOptions::new(url);
    server.watch_sessions(&mut options, settings(r#use));
    options
        .max_connections(connections)
        // Whoever posts waits for look-ups and writes.
        .acquire_timeout(Duration::from_secs(match r#use {
            Use::Write | Use::LookUp => 3,
            Use::Read | Use::Checkpoint => 10,
        }))
        // A file does not go away, and a writer that finds its connection broken runs again: asking
        // first would cost each transaction one more way to the server and back.
        .test_before_acquire(matches!(r#use, Use::Read | Use::LookUp) && sqlite_path(url).is_none())
        .sqlx_logging(false)
        .connect_lazy(r#use == Use::Checkpoint)
        .map_sqlx_postgres_opts(move |server| {
            // Floats are not among our values, and poolers do not know this one.
            let server = server.extra_float_digits(None);
            server.statement_cache_capacity(STATEMENTS)
        })
        // Else the next transaction would be a savepoint in one that was given up, and never committed.
        .map_sqlx_sqlite_before_acquire(|connection, _| {
            let is_clean = !connection.is_in_transaction();
            Box::pin(std::future::ready(Ok(is_clean)))
        })
        .map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(lock_patience(r#use))
                .foreign_keys(false)
                .statement_cache_capacity(STATEMENTS)
                .row_buffer_size(ROWS_ON_THE_WAY)
                .pragma("cache_size", cache_size(r#use))
                .pragma("temp_store", "MEMORY")
                // Else a list of rows gets an index of its own, and the table is read from end to end.
                .pragma("automatic_index", "OFF")
                .pragma("wal_autocheckpoint", engine::writer::BY_THE_WRITER)
        });
    if sqlite_path(url).is_some() {
        options
            .idle_timeout(None::<Duration>)
            .max_lifetime(None::<Duration>);
    }
    Ok(Database::connect(options).await?)
}
