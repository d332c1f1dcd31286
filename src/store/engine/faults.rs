//! What a failed statement says about the session it failed on, and about the rest of its batch.
//!
//! Only a fault that is known to be the statement's own leaves everything else as it was. Whatever else
//! comes back (a read-only server, a full disk, a shutdown, silence) may be so for the whole session or
//! the whole server, so the session is not used again and the statements are not tried one by one.

use sea_orm::sqlx;
use sea_orm::{DbErr, RuntimeErr};

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

pub(in crate::store) fn of(error: &DbErr) -> Fault {
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
    }
}
