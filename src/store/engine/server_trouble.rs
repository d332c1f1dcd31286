//! What may be wrong with a `PostgreSQL` server, and what an operator can do about it.

use std::fmt;

/// Something about the server that an operator must mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerTrouble {
    /// `fsync = off`: what was acknowledged is gone when the machine crashes.
    ForgetsInCrash,
    /// `synchronous_commit = off`: our writers set it for themselves, so nothing of ours is lost.
    AcknowledgesEarly,
    /// A standby, which takes no writes.
    Standby,
    /// It takes no writes at the moment.
    ReadOnly,
    /// Commits wait for a synchronous standby that does not answer.
    StandbyAway,
}

impl ServerTrouble {
    /// Whether nothing may be written while it lasts: it could be lost, or would wait with no end.
    pub const fn forbids_writing(self) -> bool {
        matches!(self, Self::ForgetsInCrash | Self::StandbyAway)
    }

    /// Whether nothing can be written while it lasts.
    pub const fn stops_writing(self) -> bool {
        !matches!(self, Self::AcknowledgesEarly)
    }

    /// What an operator can do, as a request.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::ForgetsInCrash => {
                "set fsync = on for the server, for example with ALTER SYSTEM SET fsync = on and \
                 SELECT pg_reload_conf()"
            }
            Self::AcknowledgesEarly => {
                "set synchronous_commit to on for this database, for example with \
                 ALTER DATABASE … SET synchronous_commit = on"
            }
            Self::Standby => "let DATABASE_URL lead to the primary",
            Self::ReadOnly => {
                "set default_transaction_read_only = off for the server, the database and our role"
            }
            Self::StandbyAway => {
                "bring the standby back, or take it out of synchronous_standby_names"
            }
        }
    }
}

impl fmt::Display for ServerTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ForgetsInCrash => {
                "PostgreSQL has fsync = off, so what it says is kept is lost when its machine crashes"
            }
            Self::AcknowledgesEarly => {
                "PostgreSQL has synchronous_commit = off, so it says that something is kept before it is"
            }
            Self::Standby => "the PostgreSQL server is a standby, which takes no writes",
            Self::ReadOnly => {
                "PostgreSQL takes no writes (default_transaction_read_only, or read-only in another way)"
            }
            Self::StandbyAway => {
                "PostgreSQL waits for a synchronous standby that does not answer, so nothing is committed"
            }
        })
    }
}
