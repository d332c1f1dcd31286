//! One `serve` per database file: the lock on the file itself, taken before `SQLite` opens it.
//!
//! It is `flock`, which belongs to the file by whatever name it is opened, ends with the process
//! however that ends, and does not meet `SQLite`'s own locks (`fcntl`). Those have a trap: when a
//! process closes *any* descriptor of a file, it loses all its `fcntl` locks on it. So the descriptor
//! here is opened before `SQLite`'s and closed after them, and nothing else in the process may open
//! the file. `<database>.pid` says who holds it and since when; it is for people, and no lock.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};

use super::files;

/// Why the database is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("the database {} is in use by {holder}", database.display())]
    Held { database: PathBuf, holder: Holder },
    #[error("the database {} is on a network file system ({kind}), where SQLite's locks do not hold", database.display())]
    Network { database: PathBuf, kind: String },
    #[error("the file system of the database {} does not lock files", database.display())]
    NoLocks {
        database: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the database {} cannot be opened", database.display())]
    Io {
        database: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Who holds a database, as far as is known.
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
    file: File,
}

/// How often a file that was put in another's place is opened anew.
const TRIES: usize = 5;

impl DatabaseLock {
    /// Takes the lock at once or tells who has it. Makes the file when it is missing, and its folder,
    /// both open to their owner only, since a generated master key may stand there too.
    pub fn take(database: &Path, now: DateTime<Utc>) -> Result<Self, LockError> {
        let failed = |source| LockError::Io {
            database: database.to_owned(),
            source,
        };
        make_folder(database).map_err(failed)?;
        for _ in 0..TRIES {
            let file = options()
                .create(true)
                .open(locked_file(database))
                .map_err(failed)?;
            if let Some(kind) = network_file_system(&file) {
                return Err(LockError::Network {
                    database: database.to_owned(),
                    kind,
                });
            }
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Held {
                        database: database.to_owned(),
                        holder: Holder::of(&file, database),
                    });
                }
                Err(TryLockError::Error(source)) => {
                    return Err(LockError::NoLocks {
                        database: database.to_owned(),
                        source,
                    });
                }
            }
            // Another may have been moved here between the two steps; `SQLite` would open that one.
            if is_at(&file, database) {
                if let Err(error) = say_who(database, now) {
                    tracing::warn!(%error, "Beside the database cannot be written who uses it");
                }
                return Ok(Self { file });
            }
        }
        Err(failed(io::Error::other("it is replaced again and again")))
    }

    /// Who holds the lock on a database, if anybody does. Makes nothing.
    pub fn holder(database: &Path) -> Option<Holder> {
        let file = File::open(locked_file(database)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(Holder::of(&file, database)),
            _ => None,
        }
    }

    /// Never closes the descriptor: the system does it when all of the process has ended.
    pub fn hold_until_exit(self) {
        std::mem::forget(self.file);
    }
}

#[cfg(unix)]
fn locked_file(database: &Path) -> PathBuf {
    database.to_owned()
}

/// On Windows nobody else reads a locked file, `SQLite` included.
#[cfg(not(unix))]
fn locked_file(database: &Path) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(".lock");
    PathBuf::from(name)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn make_folder(database: &Path) -> io::Result<()> {
    match database.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => files::make_folder(folder),
        _ => Ok(()),
    }
}

/// Whether the name still leads to this file.
#[cfg(unix)]
fn is_at(file: &File, database: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let named = |m: fs::Metadata| (m.dev(), m.ino());
    match (
        file.metadata().map(named),
        fs::metadata(database).map(named),
    ) {
        (Ok(ours), Ok(there)) => ours == there,
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// The kind of file system that the file is on, where that is another machine's: there `flock` is
/// made of the very locks that `SQLite` uses, or of none.
fn network_file_system(file: &File) -> Option<String> {
    #[cfg(target_os = "linux")]
    {
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(file);
        let about = fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).ok()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        network_mount(&about, &mounts).map(str::to_owned)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = file;
        None
    }
}

/// Reads the two files of `proc(5)`: in which mount a descriptor is, and what each mount is.
fn network_mount<'a>(about: &str, mounts: &'a str) -> Option<&'a str> {
    const KINDS: [&str; 9] = [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "ceph",
        "afs",
        "fuse.sshfs",
        "fuse.glusterfs",
    ];
    let id = about
        .lines()
        .find_map(|l| l.strip_prefix("mnt_id:"))?
        .trim();
    let mount = mounts
        .lines()
        .find(|line| line.split(' ').next() == Some(id))?;
    let (_, after) = mount.split_once(" - ")?;
    let kind = after.split(' ').next()?;
    KINDS.contains(&kind).then_some(kind)
}

/// `<database>.pid`, where links are followed.
fn pid_file(database: &Path) -> io::Result<PathBuf> {
    let mut name = OsString::from(fs::canonicalize(database)?);
    name.push(".pid");
    Ok(PathBuf::from(name))
}

fn say_who(database: &Path, now: DateTime<Utc>) -> io::Result<()> {
    let mut file = options()
        .create(true)
        .truncate(true)
        .open(pid_file(database)?)?;
    let since = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    write!(file, "pid {}\nsince {since}\n", std::process::id())?;
    file.flush()
}

impl Holder {
    /// The system knows best; what stands beside the file may be old, or be of another name of it.
    fn of(file: &File, database: &Path) -> Self {
        let written = Self::written(database).unwrap_or_default();
        match flock_owner(file) {
            Some(pid) if written.pid != Some(pid) => Self {
                pid: Some(pid),
                since: None,
            },
            _ => written,
        }
    }

    /// An empty or strange file says nothing: the holder may not have written yet.
    fn written(database: &Path) -> io::Result<Self> {
        let mut text = String::new();
        let file = File::open(pid_file(database)?)?;
        file.take(1024).read_to_string(&mut text)?;
        let value = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key))
                .map(str::trim)
        };
        Ok(Self {
            pid: value("pid ").and_then(|pid| pid.parse().ok()),
            since: value("since ")
                .filter(|since| DateTime::parse_from_rfc3339(since).is_ok())
                .map(str::to_owned),
        })
    }
}

/// The process that holds the lock, from `/proc/locks`. Nobody on file systems that show another
/// device there than to `stat`, and for a process of another container.
fn flock_owner(file: &File) -> Option<u32> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt as _;

        let is = file.metadata().ok()?;
        let (major, minor) = (
            (is.dev() >> 8) & 0xfff,
            (is.dev() & 0xff) | ((is.dev() >> 12) & 0xf_ff00),
        );
        let place = format!("{major:02x}:{minor:02x}:{}", is.ino());
        let locks = fs::read_to_string("/proc/locks").ok()?;
        owner_of(&place, &locks)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = file;
        None
    }
}

/// Reads `/proc/locks`: `1: FLOCK  ADVISORY  WRITE 4711 fe:00:131 0 EOF`. Who waits has `->` there.
fn owner_of(place: &str, locks: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", pid, at, ..] = words[..] else {
            return None;
        };
        pid.parse().ok().filter(|pid| at == place && *pid > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    fn refused(database: &Path) -> String {
        let error = DatabaseLock::take(database, noon()).unwrap_err();
        assert!(matches!(error, LockError::Held { .. }), "{error}");
        error.to_string()
    }

    fn us() -> String {
        format!("process {}", std::process::id())
    }

    #[test]
    fn a_second_process_is_told_who_holds_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("deep/er/x.db");
        assert_eq!(DatabaseLock::holder(&database), None);
        assert!(!database.exists(), "to look makes nothing");
        let lock = DatabaseLock::take(&database, noon()).unwrap();
        assert_eq!(database.metadata().unwrap().len(), 0);
        let holder = format!("{}, since 2026-11-18T11:06:40Z", us());
        assert!(refused(&database).ends_with(&holder));
        assert_eq!(DatabaseLock::holder(&database).unwrap().to_string(), holder);
        drop(lock);
        assert_eq!(DatabaseLock::holder(&database), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_is_its_owners_only() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("x.db");
        let _lock = DatabaseLock::take(&database, noon()).unwrap();
        for name in ["x.db", "x.db.pid"] {
            let mode = folder.path().join(name).metadata().unwrap().permissions();
            assert_eq!(mode.mode() & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_lock_ends_with_its_holder_and_old_words_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("x.db");
        let beside = folder.path().join("x.db.pid");
        let old = "pid 1\nsince 1999-01-01T00:00:00Z and much more\n";
        fs::write(&beside, old).unwrap();
        drop(DatabaseLock::take(&database, noon()).unwrap());
        let _lock = DatabaseLock::take(&database, noon()).unwrap();
        assert_eq!(
            fs::read_to_string(&beside).unwrap(),
            format!("pid {}\nsince 2026-11-18T11:06:40Z\n", std::process::id())
        );
        fs::write(&beside, old).unwrap();
        let said = refused(&database);
        assert!(
            said.contains("is in use by ") && !said.contains("1999"),
            "{said}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn every_name_of_a_file_leads_to_the_same_lock() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let database = place("x.db");
        let _lock = DatabaseLock::take(&database, noon()).unwrap();
        std::os::unix::fs::symlink(&database, place("symbolic.db")).unwrap();
        fs::hard_link(&database, place("hard.db")).unwrap();
        for name in ["x.db", "symbolic.db", "hard.db"] {
            refused(&place(name));
        }
        fs::remove_file(place("x.db.pid")).unwrap();
        let said = refused(&database);
        assert!(said.contains("is in use by "), "{said}");
        fs::rename(&database, place("renamed.db")).unwrap();
        refused(&place("renamed.db"));
    }

    #[test]
    fn a_copy_is_a_database_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (database, copy) = (folder.path().join("x.db"), folder.path().join("copy.db"));
        let _lock = DatabaseLock::take(&database, noon()).unwrap();
        fs::copy(&database, &copy).unwrap();
        DatabaseLock::take(&copy, noon()).unwrap();
    }

    #[test]
    fn what_is_no_file_is_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        let error = DatabaseLock::take(folder.path(), noon()).unwrap_err();
        assert!(matches!(error, LockError::Io { .. }), "{error}");
    }

    #[test]
    fn a_mount_of_another_machine_is_known() {
        let mounts = "\
            22 27 0:21 / /proc rw,relatime - proc proc rw\n\
            29 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
            41 29 0:45 / /srv rw,relatime shared:7 master:2 - nfs4 files:/srv rw,vers=4.2\n";
        let about = |id| format!("pos:\t0\nflags:\t0100002\nmnt_id:\t{id}\nino:\t131\n");
        assert_eq!(network_mount(&about(41), mounts), Some("nfs4"));
        assert_eq!(network_mount(&about(29), mounts), None);
        assert_eq!(network_mount(&about(2), mounts), None);
        assert_eq!(network_mount("", mounts), None);
    }

    #[test]
    fn the_owner_of_a_lock_stands_in_the_list_of_all() {
        let locks = "\
            1: POSIX  ADVISORY  WRITE 11 fe:00:131 0 EOF\n\
            2: FLOCK  ADVISORY  WRITE 12 fe:00:1310 0 EOF\n\
            3: FLOCK  ADVISORY  WRITE 13 fe:00:131 0 EOF\n\
            3: -> FLOCK  ADVISORY  WRITE 14 fe:00:131 0 EOF\n\
            4: FLOCK  ADVISORY  WRITE 0 fe:00:99 0 EOF\n";
        assert_eq!(owner_of("fe:00:131", locks), Some(13));
        assert_eq!(owner_of("fe:00:99", locks), None);
        assert_eq!(owner_of("fe:00:7", locks), None);
    }
}
