//! What a failed statement says about the session it failed on, and about the rest of its batch.
//!
//! Only a fault that is known to be the statement's own leaves everything else as it was. Whatever else
//! comes back (a read-only server, a full disk, a shutdown, silence) may be so for the whole session or
//! the whole server, so the session is not used again and the statements are not tried one by one.

use std::time::Duration;

use sea_orm::sqlx;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};

use crate::store::error::StoreError;

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Fault {
    /// The statement's or its values': run again it fails again, and nothing else is concerned.
    Own,
    /// Nobody's: the server took the transaction back to let others pass. Run again it may well go
    /// through, on the same session.
    RolledBack,
    /// The session's or the server's. Run again on another session it may go through.
    Server,
}

/// Classes of SQLSTATE that only the statement itself can cause: cardinality, values, constraints, `WITH
/// CHECK OPTION`, syntax and names and rights, limits, and what a function of ours raises.
const OWN: [&str; 6] = ["21", "22", "23", "42", "44", "54"];

/// A deadlock (40P01), a serialization failure (40001), a lock (55P03) or a statement (57014) that took
/// longer than the session allows.
const ROLLED_BACK: [&str; 4] = ["40001", "40P01", "55P03", "57014"];

pub(in crate::store) fn of(error: &StoreError) -> Fault {
    match error {
        StoreError::Db(error) => of_db(error),
        StoreError::Untrusted(_) | StoreError::SharedSessions => Fault::Server,
        _ => Fault::Own,
    }
}

pub(in crate::store) fn of_db(error: &DbErr) -> Fault {
    match sqlx_error(error) {
        Some(sqlx::Error::Database(error)) => of_code(error.code().as_deref().unwrap_or_default()),
        // Values that do not fit what the statement says.
        Some(
            sqlx::Error::Encode(_)
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::TypeNotFound { .. }
            | sqlx::Error::RowNotFound
            | sqlx::Error::InvalidArgument(_),
        ) => Fault::Own,
        Some(_) => Fault::Server,
        None => match error {
            DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => Fault::Server,
            _ => Fault::Own,
        },
    }
}

pub(in crate::store) fn of_code(code: &str) -> Fault {
    if ROLLED_BACK.contains(&code) {
        Fault::RolledBack
    } else if code == "P0001" || OWN.iter().any(|class| code.starts_with(class)) {
        Fault::Own
    } else {
        Fault::Server
    }
}

/// Whether the transaction is known to have left nothing, although its commit failed.
pub(in crate::store) fn left_nothing(error: &StoreError) -> bool {
    of(error) == Fault::RolledBack || code(error).as_deref() == Some("25P03")
}

/// The SQLSTATE.
pub(in crate::store) fn code(error: &StoreError) -> Option<String> {
    match sqlx_error(db_error(error)?)? {
        sqlx::Error::Database(error) => error.code().map(std::borrow::Cow::into_owned),
        _ => None,
    }
}

/// The server has said nothing for so long.
pub(in crate::store) fn silence(span: Duration) -> StoreError {
    let says = format!("the database has not answered for {span:?}");
    StoreError::Db(DbErr::Conn(RuntimeErr::Internal(says)))
}

/// Whether a session showed it, and not that none could be had.
pub(in crate::store) fn was_shown_by_a_session(error: &StoreError) -> bool {
    match db_error(error) {
        Some(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)) | None => false,
        Some(error) => !matches!(sqlx_error(error), Some(sqlx::Error::PoolTimedOut)),
    }
}

fn db_error(error: &StoreError) -> Option<&DbErr> {
    match error {
        StoreError::Db(error) => Some(error),
        _ => None,
    }
}

pub(in crate::store) fn sqlx_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_be_the_statements_own_leaves_its_session_in_use() {
        for own in [
            "21000", "22021", "23505", "42P01", "42501", "54000", "P0001",
        ] {
            assert_eq!(of_code(own), Fault::Own, "{own}");
        }
        for rolled_back in ["40001", "40P01", "55P03", "57014"] {
            assert_eq!(of_code(rolled_back), Fault::RolledBack, "{rolled_back}");
        }
        for server in [
            "", "0A000", "08006", "25006", "25P02", "25P03", "26000", "28P01", "3D000", "53100",
            "53300", "55000", "57P01", "57P03", "58030", "XX000", "XX001", "99999",
        ] {
            assert_eq!(of_code(server), Fault::Server, "{server}");
        }
        assert_eq!(of(&silence(Duration::from_secs(5))), Fault::Server);
        let timed_out = DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
        assert_eq!(of(&StoreError::Db(timed_out)), Fault::Server);
        assert_eq!(of(&StoreError::Panicked), Fault::Own);
    }
}
