//! The master keys at hand: the first wraps, the others still open what they wrapped.
//!
//! Several stand side by side only while one replaces another. In a file each has a line, newest
//! first; in a variable they stand apart by commas.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::master_key::{KeySource, MasterKey, MasterKeyError, MasterKeyId};

/// One master key or more.
pub struct KeyRing {
    first: MasterKey,
    others: Vec<MasterKey>,
}

impl From<MasterKey> for KeyRing {
    fn from(first: MasterKey) -> Self {
        Self {
            first,
            others: Vec::new(),
        }
    }
}

impl KeyRing {
    /// Reads keys apart by line ends, commas or blanks; `place` names the variable or file in the
    /// error.
    pub fn parse(text: &str, place: &str) -> Result<Self, MasterKeyError> {
        let texts = text.split(|c: char| c == ',' || c.is_whitespace());
        let mut keys = texts
            .filter(|t| !t.is_empty())
            .map(|t| MasterKey::from_base64(t, place))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter();
        let first = keys.next().ok_or_else(|| MasterKeyError::Malformed {
            place: place.to_owned(),
        })?;
        Ok(Self {
            first,
            others: keys.collect(),
        })
    }

    /// The key that wraps.
    pub const fn first(&self) -> &MasterKey {
        &self.first
    }

    /// The key of this name.
    pub fn find(&self, id: &MasterKeyId) -> Option<&MasterKey> {
        std::iter::once(&self.first)
            .chain(&self.others)
            .find(|key| key.id() == id)
    }

    /// Whether one key replaces another.
    pub const fn is_changing(&self) -> bool {
        !self.others.is_empty()
    }

    /// Their names, in order.
    pub fn names(&self) -> String {
        let names: Vec<_> = std::iter::once(&self.first)
            .chain(&self.others)
            .map(|key| key.id().as_str())
            .collect();
        names.join(" and ")
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({})", self.names())
    }
}

/// The right to change a key file; ends when dropped. Two changes at once would lose a key.
#[derive(Debug)]
pub struct KeyFileChange {
    path: PathBuf,
    _lock: File,
}

impl KeySource {
    /// Begins to change the key: the file then holds a new one above the old one, unless a change
    /// was begun before. `None` where the operator keeps the keys, in a variable.
    pub fn begin_change(&self) -> Result<Option<KeyFileChange>, MasterKeyError> {
        let (Self::File(path) | Self::Beside(path)) = self else {
            return Ok(None);
        };
        let unwritable = |source| MasterKeyError::Unwritable {
            path: path.clone(),
            source,
        };
        // What is replaced is the file, not a link to it.
        let path = fs::canonicalize(path).map_err(unwritable)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(beside(&path, ".lock"))
            .map_err(unwritable)?;
        lock.try_lock()
            .map_err(|error| unwritable(io::Error::from(error)))?;
        let change = KeyFileChange { path, _lock: lock };
        let ring = change.read()?;
        if !ring.is_changing() {
            let new = MasterKey::generate();
            change.replace(&[&new, ring.first()])?;
            // A key that cannot be read again must wrap nothing.
            if change.read()?.first().id() != new.id() {
                return Err(MasterKeyError::Malformed {
                    place: self.place(),
                });
            }
        }
        Ok(Some(change))
    }
}

impl KeyFileChange {
    /// Leaves only the first key in the file.
    pub fn end(self) -> Result<(), MasterKeyError> {
        let ring = self.read()?;
        self.replace(&[ring.first()])
    }

    fn read(&self) -> Result<KeyRing, MasterKeyError> {
        let place = self.path.display().to_string();
        let text = fs::read_to_string(&self.path).map_err(|source| MasterKeyError::Unreadable {
            path: self.path.clone(),
            source,
        })?;
        KeyRing::parse(&zeroize::Zeroizing::new(text), &place)
    }

    fn replace(&self, keys: &[&MasterKey]) -> Result<(), MasterKeyError> {
        replace(&self.path, keys).map_err(|source| MasterKeyError::Unwritable {
            path: self.path.clone(),
            source,
        })
    }
}

/// Puts a file with these keys in place of the one that stands there, at once and for the same
/// reader: a service that runs as another user must still be able to read it.
fn replace(path: &Path, keys: &[&MasterKey]) -> io::Result<()> {
    let new = beside(path, ".new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
        let old = fs::metadata(path)?;
        let now = file.metadata()?;
        if (old.uid(), old.gid()) != (now.uid(), now.gid()) {
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        let group_reads = old.mode() & 0o040;
        file.set_permissions(fs::Permissions::from_mode(0o600 | group_reads))?;
    }
    for key in keys {
        writeln!(file, "{}", key.to_base64().expose_secret())?;
    }
    file.sync_all()?;
    fs::rename(&new, path)?;
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(key: &MasterKey) -> String {
        key.to_base64().expose_secret().to_owned()
    }

    #[test]
    fn the_first_key_wraps_and_the_others_open() {
        let (new, old) = (MasterKey::generate(), MasterKey::generate());
        for joined in [
            format!("{}\n{}\n", text(&new), text(&old)),
            format!("{}, {}", text(&new), text(&old)),
            format!("{},{}\r\n\r\n", text(&new), text(&old)),
        ] {
            let ring = KeyRing::parse(&joined, "x").unwrap();
            assert_eq!(ring.first().id(), new.id());
            assert!(ring.is_changing() && ring.find(old.id()).is_some());
        }
        let broken = format!("{}\nnonsense", text(&new));
        for wrong in ["", " \n,", broken.as_str()] {
            assert!(KeyRing::parse(wrong, "x").is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_change_keeps_the_old_key_until_its_end_and_can_be_taken_up_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db.key");
        let old = MasterKey::generate();
        super::super::master_key::write_new(&path, &old).unwrap();
        let source = KeySource::File(path.clone());
        let change = source.begin_change().unwrap().unwrap();
        assert!(source.begin_change().is_err(), "one change at a time");
        let new = source.load().unwrap().unwrap().first().id().clone();
        assert_ne!(new, *old.id());
        drop(change);
        let again = source.begin_change().unwrap().unwrap();
        let ring = source.load().unwrap().unwrap();
        assert_eq!(*ring.first().id(), new);
        assert!(ring.find(old.id()).is_some());
        again.end().unwrap();
        let ring = source.load().unwrap().unwrap();
        assert_eq!(*ring.first().id(), new);
        assert!(!ring.is_changing());
    }

    #[cfg(unix)]
    #[test]
    fn a_changed_file_is_for_its_owner_only_and_a_link_stays_one() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("db.key"), folder.path().join("link"));
        super::super::master_key::write_new(&path, &MasterKey::generate()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        KeySource::File(link.clone()).begin_change().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    }

    #[test]
    fn a_variable_is_the_operators_to_change() {
        let source = KeySource::Inline(MasterKey::generate().to_base64());
        assert!(source.begin_change().unwrap().is_none());
    }
}
