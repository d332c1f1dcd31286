//! What can go wrong in the database.

use std::time::Duration;

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, sqlx};
use uuid::Uuid;

use super::codec::CodecError;
use super::faults::{self, Fault};
use super::server_trouble::ServerTrouble;
use super::write_fault::WriteFault;

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
    Codec(#[from] CodecError),
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

    /// Whose fault it is.
    pub(in crate::store) fn whose(&self) -> Fault {
        match self {
            Self::Db(error) => faults::of(error),
            Self::Untrusted(_) | Self::SharedSessions => Fault::Server,
            _ => Fault::Own,
        }
    }

    /// The server has said nothing for so long.
    pub(in crate::store) fn silence(span: Duration) -> Self {
        let says = format!("the database has not answered for {span:?}");
        Self::Db(DbErr::Conn(RuntimeErr::Internal(says)))
    }

    /// Whether the transaction is known to have left nothing, although its commit failed.
    pub(in crate::store) fn left_nothing(&self) -> bool {
        self.whose() == Fault::RolledBack || self.code().as_deref() == Some("25P03")
    }

    /// Whether a session showed it, and not that none could be had.
    pub(in crate::store) fn was_shown_by_a_session(&self) -> bool {
        match self {
            Self::Db(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)) => false,
            Self::Db(error) => {
                !matches!(faults::sqlx_error(error), Some(sqlx::Error::PoolTimedOut))
            }
            _ => false,
        }
    }

    /// The SQLSTATE.
    pub(in crate::store) fn code(&self) -> Option<String> {
        match self {
            Self::Db(error) => match faults::sqlx_error(error)? {
                sqlx::Error::Database(error) => error.code().map(std::borrow::Cow::into_owned),
                _ => None,
            },
            _ => None,
        }
    }
}

/// It happened while connecting; never holds the password.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Unreachable {
    /// What happened, as a clause.
    pub what: String,
    /// What to do, as a request.
    pub advice: &'static str,
    #[source]
    pub(super) source: Option<sqlx::Error>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_the_servers_fault_and_a_panic_our_own() {
        assert_eq!(
            StoreError::silence(Duration::from_secs(5)).whose(),
            Fault::Server
        );
        let timed_out = DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
        assert_eq!(StoreError::Db(timed_out).whose(), Fault::Server);
        assert_eq!(StoreError::Panicked.whose(), Fault::Own);
    }
}
