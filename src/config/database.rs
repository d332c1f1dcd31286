//! The database: one SQLite file, or PostgreSQL.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use super::reader::Reader;

/// Where the data lives.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// `DATABASE_URL`: `sqlite://<file>` or `postgres://…`. Default
    /// `sqlite://data/ml-connector.db`.
    pub url: DatabaseUrl,
}

/// A parsed `DATABASE_URL`.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    /// A file, which `serve` locks; the master key may stand beside it in `<file>.key`.
    Sqlite(PathBuf),
    /// A server, with its user name and password in the address.
    Postgres(SecretString),
}

impl DatabaseConfig {
    /// A database in this file.
    pub const fn sqlite(file: PathBuf) -> Self {
        Self {
            url: DatabaseUrl::Sqlite(file),
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let url = reader.parsed(
            "DATABASE_URL",
            "write sqlite://data/ml-connector.db or postgres://user:password@host/database",
            DatabaseUrl::parse,
        );
        Self {
            url: url.unwrap_or_else(|| DatabaseUrl::Sqlite("data/ml-connector.db".into())),
        }
    }
}

impl DatabaseUrl {
    /// Reads `sqlite:` and `postgres:` addresses.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("sqlite:") {
            return sqlite_file(rest.strip_prefix("//").unwrap_or(rest)).map(Self::Sqlite);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            // The parser's error may repeat the password, so only its kind is told.
            url::Url::parse(text).map_err(|e| format!("is not an address ({e})"))?;
            return Ok(Self::Postgres(SecretString::from(text)));
        }
        Err("begins neither with sqlite:// nor with postgres://".to_owned())
    }

    /// The database file, unless a server holds the data.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(file) => Some(file),
            Self::Postgres(_) => None,
        }
    }

    /// Where a generated master key is kept: `<file>.key`.
    pub fn key_file(&self) -> Option<PathBuf> {
        self.file().map(|file| with_suffix(file, ".key"))
    }
}

/// `<path><suffix>`, keeping the extension that is there.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

fn sqlite_file(rest: &str) -> Result<PathBuf, String> {
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    // The modes of other tools' addresses that mean what we do anyway.
    if !matches!(parameters, "" | "mode=rwc" | "mode=rw") {
        return Err("has parameters that are not known here".to_owned());
    }
    if path.is_empty() || path == "/" {
        return Err("names no file".to_owned());
    }
    if path.contains(":memory:") {
        return Err("names no file; a database in memory would lose every event".to_owned());
    }
    let path = percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| "is not UTF-8".to_owned())?;
    if path.contains('\0') || path.contains('\u{fffd}') || path.ends_with('/') {
        return Err("names no file".to_owned());
    }
    Ok(PathBuf::from(path.into_owned()))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::super::tests::{mistake, parse};
    use super::*;

    fn file(url: &str) -> PathBuf {
        let config = parse(&[("DATABASE_URL", url)]).unwrap();
        config.database.url.file().unwrap().to_owned()
    }

    #[test]
    fn sqlite_addresses_name_a_file() {
        assert_eq!(
            parse(&[]).unwrap().database.url.file(),
            Some(Path::new("data/ml-connector.db"))
        );
        assert_eq!(file("sqlite://data/x.db"), Path::new("data/x.db"));
        assert_eq!(file("sqlite:x.db"), Path::new("x.db"));
        assert_eq!(
            file("sqlite:///var/lib/x.db?mode=rwc"),
            Path::new("/var/lib/x.db")
        );
        assert_eq!(file("sqlite://my%20data/x.db"), Path::new("my data/x.db"));
    }

    #[test]
    fn the_key_stands_beside_the_file() {
        let url = DatabaseUrl::parse("sqlite://data/x.db").unwrap();
        assert_eq!(url.key_file(), Some(PathBuf::from("data/x.db.key")));
    }

    #[test]
    fn postgres_addresses_are_kept_as_secrets() {
        let config = parse(&[("DATABASE_URL", "postgres://me:hush@db/x")]).unwrap();
        let DatabaseUrl::Postgres(url) = config.database.url else {
            panic!("not PostgreSQL")
        };
        assert_eq!(url.expose_secret(), "postgres://me:hush@db/x");
    }

    #[test]
    fn what_would_lose_or_hide_data_is_refused() {
        for url in [
            "sqlite://",
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite://data/",
            "sqlite://x.db?cache=shared",
            "mysql://x",
            "data/x.db",
            "postgres://me:a/b@db",
        ] {
            assert_eq!(
                mistake(&[("DATABASE_URL", url)]).variable,
                "DATABASE_URL",
                "{url}"
            );
        }
    }
}
