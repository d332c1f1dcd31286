//! Why a `PostgreSQL` server did not let us in, and what to do about it.

use std::io::ErrorKind;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, ConnectOptions as _};

use super::error::{StoreError, Unreachable};

/// How long one more try may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A pool tells only that it had no connection in time, so once more without one.
pub(in crate::store) async fn explain(url: &str, error: StoreError) -> StoreError {
    let Ok(options) = url.parse::<PgConnectOptions>() else {
        return error;
    };
    let options = options.extra_float_digits(None);
    match tokio::time::timeout(PATIENCE, options.connect()).await {
        Ok(Ok(session)) => {
            drop::<PgConnection>(session);
            error
        }
        Ok(Err(again)) => {
            let (what, advice) = words(&options, &again);
            StoreError::Unreachable(Box::new(Unreachable {
                what,
                advice,
                source: Some(again),
            }))
        }
        Err(_) => StoreError::Unreachable(Box::new(Unreachable {
            what: format!("{} does not answer", place(&options)),
            advice: "see that the server of DATABASE_URL runs and that no firewall stands between",
            source: None,
        })),
    }
}

fn words(options: &PgConnectOptions, error: &sqlx::Error) -> (String, &'static str) {
    let (place, user) = (place(options), options.get_username());
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            let database = options.get_database().unwrap_or(user);
            match code.as_ref() {
                "28P01" => (
                    format!("PostgreSQL refuses the password of the user {user}"),
                    "correct the password in DATABASE_URL (write @ as %40, / as %2F, : as %3A)",
                ),
                "28000" => (
                    format!("PostgreSQL does not let the user {user} in from here"),
                    "see that the user exists, and that pg_hba.conf of the server lets it in from this \
                     machine, with or without TLS as DATABASE_URL asks for",
                ),
                "42501" => (
                    format!("the user {user} may not connect to the database {database}"),
                    "GRANT CONNECT on the database to that user",
                ),
                "3D000" => (
                    format!("there is no database {database} at {place}"),
                    "make it (CREATE DATABASE), or correct the name in DATABASE_URL",
                ),
                _ if error.message().contains("no such database") => (
                    format!("the pooler at {place} knows no database {database}"),
                    "add it to the pooler's list of databases, or correct the name in DATABASE_URL",
                ),
                "53300" => (
                    format!("{place} has no connection left"),
                    "raise max_connections (each process of ours takes 24), or run fewer processes",
                ),
                "57P03" => (
                    format!("{place} starts, stops or recovers at the moment"),
                    "wait until it is ready, then try again",
                ),
                _ if error.message().contains("startup parameter") => (
                    format!(
                        "what answers at {place} is a pooler that refuses how we begin a session"
                    ),
                    crate::store::POOLER_ADVICE,
                ),
                _ => (
                    format!("PostgreSQL at {place} refuses the connection"),
                    "see the reason above and the log of the server",
                ),
            }
        }
        sqlx::Error::Tls(error) if error.to_string().contains("does not support TLS") => (
            format!("{place} does not offer TLS, which DATABASE_URL asks for"),
            "switch TLS on at the server (ssl = on), or, where nobody can listen in between, take \
             sslmode out of DATABASE_URL",
        ),
        sqlx::Error::Tls(_) => (
            format!("the TLS connection to {place} fails"),
            "see that the certificate is for that name and that sslrootcert in DATABASE_URL names the \
             authority that signed it",
        ),
        sqlx::Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused => (
                format!("nobody listens at {place}"),
                "start PostgreSQL, or correct host and port in DATABASE_URL; see listen_addresses if it \
                 runs on another machine",
            ),
            ErrorKind::NotFound | ErrorKind::PermissionDenied if is_socket(options) => (
                format!("the socket at {place} cannot be opened"),
                "see that PostgreSQL runs, and that its socket folder is the one in DATABASE_URL and may \
                 be entered by this user",
            ),
            _ if error.to_string().contains("lookup address") => (
                format!("the name {} is not known", options.get_host()),
                "correct the host in DATABASE_URL, or the name service of this machine",
            ),
            _ => (
                format!("{place} cannot be reached"),
                "see that the server of DATABASE_URL runs and that no firewall stands between",
            ),
        },
        _ => (
            format!("{place} does not speak to us as PostgreSQL does"),
            "see that host and port in DATABASE_URL lead to PostgreSQL",
        ),
    }
}

fn is_socket(options: &PgConnectOptions) -> bool {
    options.get_socket().is_some() || options.get_host().starts_with('/')
}

fn place(options: &PgConnectOptions) -> String {
    let port = options.get_port();
    match options.get_socket() {
        Some(folder) => format!("{} (port {port})", folder.display()),
        None => format!("{}:{port}", options.get_host()),
    }
}
