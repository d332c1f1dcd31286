//! The lanes of what comes by the thousand, one for each kind of command, and where they are joined.

use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt as _;
use sea_orm::{DatabaseConnection, DbBackend};
use tokio::sync::{mpsc, oneshot};

use super::command::{Command, only};
use super::edits::{EditInbox, EditLane, Purpose};
use super::postgres::{self, ServerPool};
use super::sqlite::{self, Pending};
use super::{BatchCommand, TenantLock, WITHIN, Writer};
use crate::store::engine::db::BatchDb;
use crate::store::engine::error::StoreError;
use crate::store::engine::server::Server;

/// How many commands of a lane may wait before callers do.
const WAITING: usize = 4096;

/// Where commands of one kind are handed over.
pub(in crate::store) struct CommandLane<C: BatchCommand> {
    commands: mpsc::Sender<Command<C>>,
    edits: EditLane,
}

impl<C: BatchCommand> Clone for CommandLane<C> {
    fn clone(&self) -> Self {
        Self {
            commands: self.commands.clone(),
            edits: self.edits.clone(),
        }
    }
}

impl<C: BatchCommand> CommandLane<C> {
    /// Hands a command over; answers once it is committed.
    pub(in crate::store) async fn submit(&self, what: Arc<C>) -> Result<C::Answer, StoreError> {
        match what.tenant_lock() {
            // It may have to wait for its lock, which others must not wait for.
            lock @ TenantLock::Exclusive(_) => self.submit_alone(lock, what).await,
            TenantLock::None | TenantLock::Shared(_) => {
                let (reply, answer) = oneshot::channel();
                let command = Command {
                    what,
                    asked: Instant::now(),
                    reply,
                };
                let sent = self.commands.send(command).await;
                sent.map_err(|_| StoreError::Closed)?;
                answer.await.map_err(|_| StoreError::Closed)?
            }
        }
    }

    async fn submit_alone(&self, lock: TenantLock, what: Arc<C>) -> Result<C::Answer, StoreError> {
        let purpose = if C::IS_RETRIED {
            Purpose::Outcome
        } else {
            Purpose::Record
        };
        let done = self.edits.write(purpose, lock, move |tx| {
            let what = what.clone();
            async move { only(C::carry_out(BatchDb::new(tx), &[&*what]).await?) }.boxed()
        });
        done.await
    }

    /// The same lane, but what is handed over is answered and never carried out.
    pub(in crate::store) fn answered_unwritten(&self, answer: fn(&C) -> C::Answer) -> Self {
        let (commands, mut inbox) = mpsc::channel::<Command<C>>(WAITING);
        drop(tokio::spawn(async move {
            while let Some(Command { what, reply, .. }) = inbox.recv().await {
                drop(reply.send(Ok(answer(&what))));
            }
        }));
        let edits = self.edits.clone();
        Self { commands, edits }
    }
}

/// The lanes of a writer that has not begun: their order is that in which a batch is carried out.
pub(in crate::store) struct Lanes {
    inboxes: Vec<Box<dyn Inbox>>,
    edits: EditLane,
    edit_inbox: EditInbox,
}

/// The other end of a lane.
trait Inbox: Send {
    fn start_on_postgres(self: Box<Self>, pool: &ServerPool);
    fn on_sqlite(self: Box<Self>) -> Box<dyn Pending>;
}

impl<C: BatchCommand> Inbox for mpsc::Receiver<Command<C>> {
    fn start_on_postgres(self: Box<Self>, pool: &ServerPool) {
        postgres::start_lane(pool, *self);
    }

    fn on_sqlite(self: Box<Self>) -> Box<dyn Pending> {
        Box::new(sqlite::Batch::of(*self))
    }
}

impl Lanes {
    pub(in crate::store) fn new() -> Self {
        let (edits, edit_inbox) = EditLane::new(WAITING);
        Self {
            inboxes: Vec::new(),
            edits,
            edit_inbox,
        }
    }

    /// Adds a lane behind the others.
    pub(in crate::store) fn add<C: BatchCommand>(&mut self) -> CommandLane<C> {
        let (commands, inbox) = mpsc::channel::<Command<C>>(WAITING);
        self.inboxes.push(Box::new(inbox));
        let edits = self.edits.clone();
        CommandLane { commands, edits }
    }

    /// How many connections write at the same time.
    pub(in crate::store) fn connections(&self, backend: DbBackend) -> u32 {
        match backend {
            DbBackend::Postgres => postgres::connections(self.inboxes.len()),
            _ => 1,
        }
    }

    /// Starts writing on a pool of its own; on `SQLite` with one connection more, for the log.
    pub(in crate::store) fn start(
        self,
        db: DatabaseConnection,
        log: Option<DatabaseConnection>,
        server: &Server,
    ) -> Writer {
        if db.get_database_backend() == DbBackend::Postgres {
            let pool = ServerPool::new(&db, server);
            for inbox in self.inboxes {
                inbox.start_on_postgres(&pool);
            }
            postgres::start_edits(&pool, self.edit_inbox);
        } else {
            let lanes = self.inboxes.into_iter().map(Inbox::on_sqlite).collect();
            drop(tokio::spawn(sqlite::run(db, log, lanes, self.edit_inbox)));
        }
        Writer {
            edits: self.edits,
            within: WITHIN,
        }
    }
}
