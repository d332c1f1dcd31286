//! Who may read the files of a `SQLite` database: its owner only, whatever the umask says.
//!
//! The files are changed by name, never through a descriptor of ours: to close any descriptor of a
//! database file drops the locks that `SQLite` holds on it in this process.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// What `SQLite` keeps beside the file. New ones get the mode of the file by themselves.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Prepares a file before `SQLite` opens it: makes it and its folder when they are missing, and closes
/// both, and what an earlier version left beside it, to others.
pub(in crate::store) fn prepare(file: &Path) -> io::Result<()> {
    let is_file = !matches!(file.to_str(), Some("" | ":memory:"));
    if !is_file {
        return Ok(());
    }
    if let Some(folder) = file.parent().filter(|f| !f.as_os_str().is_empty()) {
        make_folder(folder)?;
    }
    // What else is wrong with the path, SQLite says better.
    if make(file).is_ok() {
        return Ok(());
    }
    for path in std::iter::once(file.to_owned()).chain(BESIDE.map(|end| beside(file, end))) {
        close(&path);
    }
    Ok(())
}

/// Makes an empty file that nobody else can read; an error when it is there.
pub(in crate::store) fn make(file: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

/// Takes a file that is there from everybody but its owner.
pub(in crate::store) fn close(file: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let Ok(is) = fs::metadata(file) else { return };
        let others = is.permissions().mode() & 0o077;
        if !is.is_file() || others == 0 {
            return;
        }
        if let Err(error) = fs::set_permissions(file, fs::Permissions::from_mode(0o600)) {
            let file = file.display();
            tracing::warn!("Others can read {file}, and it is not ours to change: {error}");
        }
    }
}

/// A folder for data, open to its owner only where it is made here.
pub(in crate::store) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(end);
    PathBuf::from(name)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::store::Store;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn nobody_else_reads_the_database_its_log_and_its_copies() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("made/here");
        let file = folder.join("x.db");
        let url = format!("sqlite://{}", file.display());
        let store = Store::open(&url).await.unwrap();
        store.migrate().await.unwrap();
        let copy = folder.join("x.db.before-1");
        store.copy_to(&copy).await.unwrap();
        assert_eq!(mode(&folder), 0o700);
        assert!(fs::metadata(&copy).unwrap().len() > 0);
        for path in [&file, &beside(&file, "-wal"), &beside(&file, "-shm"), &copy] {
            assert_eq!(mode(path), 0o600, "{}", path.display());
        }
        let twice = store.copy_to(&copy).await;
        assert!(twice.is_err(), "a copy is never written over");
    }

    #[tokio::test]
    async fn files_of_an_earlier_version_are_closed_when_they_are_opened() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("x.db");
        let url = format!("sqlite://{}", file.display());
        let first = Store::open(&url).await.unwrap();
        first.migrate().await.unwrap();
        let all = [file.clone(), beside(&file, "-wal"), beside(&file, "-shm")];
        for path in &all {
            fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        let second = Store::open(&url).await.unwrap();
        for path in &all {
            assert_eq!(mode(path), 0o600, "{}", path.display());
        }
        drop((first, second));
    }
}
