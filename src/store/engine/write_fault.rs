//! Why the database takes no writes, as far as its error tells.
//!
//! Errors are classified on the safe side: what is not known as a fault of the statement itself counts
//! as a fault of the database, since `SQLite` may have ended the transaction by itself (a full disk, a
//! failed read or write, no memory), and a server may be on its way out.

use std::fmt;

use sea_orm::DbErr;
use sea_orm::sqlx;
use sea_orm::sqlx::sqlite::SqliteError;

use super::faults::{self, Fault};

/// What keeps writes from coming back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteFault {
    DiskFull,
    /// Somebody else holds a lock that we need.
    Locked,
    ReadOnly,
    DiskFails,
    Damaged,
    /// The server restarts, is full, or cannot be reached.
    Away,
    /// Nothing came back in time.
    Silent,
    /// Committed by its own word, but another connection does not see it.
    Unseen,
    Other,
}

impl WriteFault {
    /// What an error says about the database; `None` when the statement itself was at fault.
    pub(in crate::store) fn of(error: &DbErr) -> Option<Self> {
        match faults::sqlx_error(error) {
            Some(sqlx::Error::Database(error)) => {
                let code = error.code().unwrap_or_default();
                if error.try_downcast_ref::<SqliteError>().is_some() {
                    of_sqlite(&code)
                } else {
                    of_postgres(&code)
                }
            }
            _ if faults::of(error) == Fault::Own => None,
            None if matches!(error, DbErr::Conn(_)) => Some(Self::Silent),
            _ => Some(Self::Away),
        }
    }
}

/// By the primary part of the code: <https://www.sqlite.org/rescode.html>.
fn of_sqlite(code: &str) -> Option<WriteFault> {
    let primary = code.parse::<u32>().map_or(0, |code| code & 0xff);
    match primary {
        // A logic error, too big, a constraint, a wrong type, a parameter out of range.
        1 | 18 | 19 | 20 | 25 => None,
        5 | 6 => Some(WriteFault::Locked),
        8 => Some(WriteFault::ReadOnly),
        10 | 14 => Some(WriteFault::DiskFails),
        11 | 26 => Some(WriteFault::Damaged),
        13 => Some(WriteFault::DiskFull),
        _ => Some(WriteFault::Other),
    }
}

/// By the class of the code: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn of_postgres(code: &str) -> Option<WriteFault> {
    if faults::of_code(code) == Fault::Own {
        return None;
    }
    Some(match (code, code.get(..2)) {
        ("53100", _) => WriteFault::DiskFull,
        ("25006", _) => WriteFault::ReadOnly,
        ("55P03" | "57014" | "25P03" | "40P01" | "40001", _) => WriteFault::Locked,
        (_, Some("08" | "53" | "57")) => WriteFault::Away,
        (_, Some("58")) => WriteFault::DiskFails,
        (_, Some("XX")) => WriteFault::Damaged,
        _ => WriteFault::Other,
    })
}

impl fmt::Display for WriteFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DiskFull => "the disk of the database is full; free some space there",
            Self::Locked => "another program holds a lock on the database; end it or wait for it",
            Self::ReadOnly => {
                "the database is read-only; make it writable or connect to the primary"
            }
            Self::DiskFails => {
                "the disk of the database cannot be read or written; look at the disk"
            }
            Self::Damaged => "the database is damaged; restore a backup",
            Self::Away => "the database cannot be reached; it may be restarting",
            Self::Silent => "the database has not answered in time; something may hold it up",
            Self::Unseen => "what was written is not there when it is read; restart this process",
            Self::Other => "the database refuses writes; its own words are in the log",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_faults_of_the_statement_itself_are_no_fault_of_the_database() {
        for (code, fault) in [
            ("2067", None),
            ("1", None),
            ("13", Some(WriteFault::DiskFull)),
            ("5", Some(WriteFault::Locked)),
            ("517", Some(WriteFault::Locked)),
            ("778", Some(WriteFault::DiskFails)),
            ("7", Some(WriteFault::Other)),
            ("9", Some(WriteFault::Other)),
        ] {
            assert_eq!(of_sqlite(code), fault, "{code}");
        }
        for (code, fault) in [
            ("23505", None),
            ("22P02", None),
            ("42P01", None),
            ("53100", Some(WriteFault::DiskFull)),
            ("25006", Some(WriteFault::ReadOnly)),
            ("57P01", Some(WriteFault::Away)),
            ("53300", Some(WriteFault::Away)),
            ("55P03", Some(WriteFault::Locked)),
            ("XX001", Some(WriteFault::Damaged)),
            ("", Some(WriteFault::Other)),
        ] {
            assert_eq!(of_postgres(code), fault, "{code}");
        }
    }
}
