//! One `serve` per database file: the lock that is taken before the file is opened.
//!
//! The lock is the operating system's, on `<database>.lock`, and ends with the process however it
//! ends. The file stays: to delete it would let two processes lock two files of one name.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};

use super::files;

/// Why the database is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("the database {} is in use by {holder}", database.display())]
    Held { database: PathBuf, holder: Holder },
    #[error("the lock file {} could not be used", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Who holds a database, as far as the lock file tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holder {
    /// The process's number on this machine.
    pub pid: Option<u32>,
    /// When it took the lock, in RFC 3339.
    pub since: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid}")?,
            None => f.write_str("another process")?,
        }
        match &self.since {
            Some(since) => write!(f, ", since {since}"),
            None => Ok(()),
        }
    }
}

/// The right to open a database file as its only `serve`. Ends when dropped.
#[derive(Debug)]
pub struct DatabaseLock {
    _file: File,
    path: PathBuf,
}

impl DatabaseLock {
    /// Takes the lock at once or tells who has it. Makes the folder when it is missing, open to
    /// its owner only, since a generated master key may stand there too.
    pub fn take(database: &Path, now: DateTime<Utc>) -> Result<Self, LockError> {
        let path = lock_path(database).map_err(|source| LockError::Io {
            path: database.to_owned(),
            source,
        })?;
        let failed = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        files::close(&path);
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = read_holder(&mut file);
                return Err(LockError::Held {
                    database: database.to_owned(),
                    holder,
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        write_holder(&mut file, now).map_err(failed)?;
        Ok(Self { _file: file, path })
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// `<database>.lock`, where links are followed, so that one file has one lock by whatever name it
/// is called.
fn lock_path(database: &Path) -> io::Result<PathBuf> {
    let folder = match database.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    files::make_folder(folder)?;
    let real = match fs::canonicalize(database) {
        Ok(real) => real,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let name = database.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
            fs::canonicalize(folder)?.join(name)
        }
        Err(e) => return Err(e),
    };
    let mut name = OsString::from(real);
    name.push(".lock");
    Ok(PathBuf::from(name))
}

fn write_holder(file: &mut File, now: DateTime<Utc>) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    let since = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    write!(file, "pid {}\nsince {since}\n", std::process::id())?;
    file.flush()
}

/// An empty or strange file says nothing: its holder may not have written yet.
fn read_holder(file: &mut File) -> Holder {
    let mut text = String::new();
    if file.take(1024).read_to_string(&mut text).is_err() {
        return Holder::default();
    }
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key))
            .map(str::trim)
    };
    Holder {
        pid: value("pid ").and_then(|pid| pid.parse().ok()),
        since: value("since ")
            .filter(|since| DateTime::parse_from_rfc3339(since).is_ok())
            .map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    #[test]
    fn a_second_process_is_told_who_holds_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("deep/er/x.db");
        let lock = DatabaseLock::take(&database, noon()).unwrap();
        assert!(lock.path().ends_with("deep/er/x.db.lock"));
        assert!(!database.exists());
        let error = DatabaseLock::take(&database, noon()).unwrap_err();
        let LockError::Held { holder, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(holder.pid, Some(std::process::id()));
        let text = error.to_string();
        assert!(
            text.ends_with(&format!(
                "process {}, since 2026-11-18T11:06:40Z",
                std::process::id()
            )),
            "{text}"
        );
    }

    #[test]
    fn a_lock_ends_with_its_holder_and_old_words_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("x.db");
        fs::write(
            folder.path().join("x.db.lock"),
            "pid 1\nsince 1999-01-01T00:00:00Z and much more\n",
        )
        .unwrap();
        drop(DatabaseLock::take(&database, noon()).unwrap());
        let lock = DatabaseLock::take(&database, noon()).unwrap();
        let told = fs::read_to_string(lock.path()).unwrap();
        assert_eq!(
            told,
            format!("pid {}\nsince 2026-11-18T11:06:40Z\n", std::process::id())
        );
    }

    #[cfg(unix)]
    #[test]
    fn another_name_of_the_same_file_has_the_same_lock() {
        let folder = tempfile::tempdir().unwrap();
        let (database, link) = (folder.path().join("x.db"), folder.path().join("link.db"));
        fs::write(&database, "").unwrap();
        std::os::unix::fs::symlink(&database, &link).unwrap();
        let _lock = DatabaseLock::take(&database, noon()).unwrap();
        assert!(matches!(
            DatabaseLock::take(&link, noon()),
            Err(LockError::Held { .. })
        ));
    }

    #[test]
    fn a_holder_who_has_not_written_yet_is_another_process() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("x.db");
        let lock = DatabaseLock::take(&database, noon()).unwrap();
        fs::write(lock.path(), "").unwrap();
        let error = DatabaseLock::take(&database, noon())
            .unwrap_err()
            .to_string();
        assert!(error.ends_with("is in use by another process"), "{error}");
    }
}
