//! What can go wrong in the database.

use sea_orm::DbErr;
use uuid::Uuid;

use crate::store::engine::server::ServerTrouble;
use crate::store::engine::unreachable::Unreachable;
use crate::store::engine::write_fault::WriteFault;

/// A failed read or write.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused, or could not be reached.
    #[error("the database failed")]
    Db(#[from] DbErr),
    /// The database takes no writes at the moment; nothing of this one was kept.
    #[error("the database takes no writes: {0}")]
    Refused(WriteFault),
    /// The database has not said in time whether the write was kept.
    #[error("the database has not answered in time, so this may be stored or not")]
    Late,
    /// The server did not let us in.
    #[error(transparent)]
    Unreachable(Box<Unreachable>),
    /// A stored value does not mean anything to this version.
    #[error("column {column} of table {table} holds a value that is not understood (row {row})")]
    BadRow {
        table: &'static str,
        column: &'static str,
        row: Uuid,
    },
    /// A stored body could not be decompressed.
    #[error("the body of event {0} could not be read back")]
    BadBody(Uuid),
    /// A body could not be compressed.
    #[error("the body could not be compressed")]
    Codec(#[from] crate::store::engine::codec::CodecError),
    /// The writer has stopped: the process is shutting down.
    #[error("the database is closed: the process is shutting down")]
    Closed,
    /// One write failed in a way that its own code did not expect.
    #[error("a write panicked; nothing of it was kept")]
    Panicked,
    /// The server acknowledges what could be lost.
    #[error("{0}")]
    Untrusted(ServerTrouble),
    /// Several of our connections speak to one session.
    #[error(
        "several connections share one session of PostgreSQL: a pooler stands in between and lends \
         sessions for one transaction only"
    )]
    SharedSessions,
    /// A statement of ours would have reached another tenant's rows; it was not carried out.
    #[error("a statement is not kept to one tenant: {0}")]
    NotOfTenant(String),
    /// An address was to be compared by a store that has no key for it.
    #[error("the database was opened without the key of its address hashes")]
    NoHasher,
    /// A name that must be unique is taken.
    #[error("{0} is taken")]
    Taken(&'static str),
}

impl StoreError {
    /// What the error says about the database itself; `None` when only this one write is at fault.
    pub fn fault(&self) -> Option<WriteFault> {
        match self {
            Self::Db(error) => WriteFault::of(error),
            Self::Refused(fault) => Some(*fault),
            Self::Late => Some(WriteFault::Silent),
            Self::Unreachable(_) => Some(WriteFault::Away),
            Self::Untrusted(_) | Self::SharedSessions => Some(WriteFault::Other),
            _ => None,
        }
    }
}
