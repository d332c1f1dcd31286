//! The master key: the one secret that the operator keeps. It only ever wraps data keys.
//!
//! A key is generated for an empty instance only. Were it also generated when the configured one
//! is lost, a typing error in a variable would look like a working start with unreadable secrets.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::key_ring::KeyRing;
use crate::config::secrets::MasterKeyConfig;

/// Standard alphabet; accepts keys with and without the trailing `=`.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The public name of a master key: `mk_` and 12 hexadecimal digits of its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MasterKeyId(String);

impl MasterKeyId {
    /// Wraps the name stored with a data key.
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, as stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why there is no master key to work with. Never names the key itself.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    #[error("{place} does not hold a master key: expected 32 bytes as base64 (44 characters)")]
    Malformed { place: String },
    #[error("the file {} named by MASTER_KEY_FILE could not be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("a new master key could not be written to {}", path.display())]
    Unwritable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "the database holds secrets sealed under master key {need}, and {place} holds no key; \
         put that key back, for without it they cannot be read"
    )]
    Missing { need: MasterKeyId, place: String },
    #[error(
        "the database holds secrets sealed under master key {need}, but {place} holds {have}; \
         put the right key back, for without it they cannot be read"
    )]
    Wrong {
        need: MasterKeyId,
        have: String,
        place: String,
    },
    #[error(
        "there is no master key: {place} holds none; write 32 random bytes as base64 there \
         (`openssl rand -base64 32`)"
    )]
    NotGiven { place: String },
}

/// 32 bytes that wrap data keys. Wiped when dropped, never printed.
pub struct MasterKey {
    bytes: Zeroizing<[u8; 32]>,
    id: MasterKeyId,
}

impl MasterKey {
    /// A new random key.
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rand::fill(bytes.as_mut_slice());
        Self::from_bytes(bytes)
    }

    /// Reads base64; `place` names the variable or file in the error.
    pub fn from_base64(text: &str, place: &str) -> Result<Self, MasterKeyError> {
        let malformed = || MasterKeyError::Malformed {
            place: place.to_owned(),
        };
        let decoded = Zeroizing::new(BASE64.decode(text.trim()).map_err(|_| malformed())?);
        let mut bytes = Zeroizing::new([0; 32]);
        if decoded.len() != bytes.len() {
            return Err(malformed());
        }
        bytes.copy_from_slice(&decoded);
        Ok(Self::from_bytes(bytes))
    }

    /// The key as base64, for the file that keeps it.
    pub fn to_base64(&self) -> SecretString {
        SecretString::from(BASE64.encode(self.bytes.as_slice()))
    }

    /// The public name of this key.
    pub const fn id(&self) -> &MasterKeyId {
        &self.id
    }

    /// For the vault only.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        let digest = hex::encode(Sha256::digest(bytes.as_slice()));
        let id = MasterKeyId(format!("mk_{}", &digest[..12]));
        Self { bytes, id }
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// Where the master key is looked for.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// The variable `MASTER_KEY`.
    Inline(SecretString),
    /// The file named by `MASTER_KEY_FILE`; it must exist.
    File(PathBuf),
    /// A file beside the database; the only place where a key may be generated.
    Beside(PathBuf),
    /// Neither variable is set, and the database has no folder to keep a key in (PostgreSQL).
    Nowhere,
}

/// How the key came to be, so that the start can say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOrigin {
    /// Given by the operator in a variable or a file of their own.
    Given,
    /// Found in the file beside the database; `check` advises moving it.
    FoundBeside(PathBuf),
    /// Generated just now, beside the database.
    Generated(PathBuf),
}

impl KeySource {
    /// What the operator set, else the file beside the database
    /// ([`key_file`](crate::config::database::DatabaseUrl::key_file)), if it has one.
    pub fn choose(config: &MasterKeyConfig, beside: Option<PathBuf>) -> Self {
        match (config, beside) {
            (MasterKeyConfig::Inline(text), _) => Self::Inline(text.clone()),
            (MasterKeyConfig::File(path), _) => Self::File(path.clone()),
            (MasterKeyConfig::Unset, Some(path)) => Self::Beside(path),
            (MasterKeyConfig::Unset, None) => Self::Nowhere,
        }
    }

    /// Finds the key and holds it against those under which the database's data keys are wrapped:
    /// generates one only when there are none, and refuses keys of which none fits.
    pub fn select_keys(
        &self,
        wrapped_by: &[MasterKeyId],
    ) -> Result<(KeyRing, KeyOrigin), MasterKeyError> {
        if let Some(ring) = self.load()? {
            if let Some(need) = wrapped_by.iter().find(|need| ring.find(need).is_none()) {
                return Err(MasterKeyError::Wrong {
                    need: need.clone(),
                    have: ring.names(),
                    place: self.place(),
                });
            }
            let origin = match self {
                Self::Beside(path) => KeyOrigin::FoundBeside(path.clone()),
                Self::Inline(_) | Self::File(_) | Self::Nowhere => KeyOrigin::Given,
            };
            return Ok((ring, origin));
        }
        if let Some(need) = wrapped_by.first() {
            return Err(MasterKeyError::Missing {
                need: need.clone(),
                place: self.place(),
            });
        }
        let Self::Beside(path) = self else {
            return Err(MasterKeyError::NotGiven {
                place: self.place(),
            });
        };
        let key = MasterKey::generate();
        write_new(path, &key).map_err(|source| MasterKeyError::Unwritable {
            path: path.clone(),
            source,
        })?;
        Ok((key.into(), KeyOrigin::Generated(path.clone())))
    }

    /// The keys that stand there; `None` when there are none.
    pub fn load(&self) -> Result<Option<KeyRing>, MasterKeyError> {
        let path = match self {
            Self::Inline(text) => {
                return KeyRing::parse(text.expose_secret(), "MASTER_KEY").map(Some);
            }
            Self::Nowhere => return Ok(None),
            Self::File(path) | Self::Beside(path) => path,
        };
        match fs::read_to_string(path).map(Zeroizing::new) {
            Ok(text) => KeyRing::parse(&text, &path.display().to_string()).map(Some),
            Err(e) if e.kind() == io::ErrorKind::NotFound && matches!(self, Self::Beside(_)) => {
                Ok(None)
            }
            Err(source) => Err(MasterKeyError::Unreadable {
                path: path.clone(),
                source,
            }),
        }
    }

    /// What to call this place in a message.
    pub fn place(&self) -> String {
        match self {
            Self::Inline(_) => "MASTER_KEY".to_owned(),
            Self::File(path) | Self::Beside(path) => path.display().to_string(),
            Self::Nowhere => "MASTER_KEY or MASTER_KEY_FILE".to_owned(),
        }
    }
}

/// Keeps a new key in a file that did not exist, readable by its owner only. The folder is synced
/// too: secrets sealed in the next second must not outlive the name of their key.
pub fn write_new(path: &Path, key: &MasterKey) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{}", key.to_base64().expose_secret())?;
    file.sync_all()?;
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_base64_form_with_and_without_padding() {
        let key = MasterKey::generate();
        let text = key.to_base64();
        let text = text.expose_secret();
        assert_eq!(text.len(), 44);
        for form in [
            text.to_owned(),
            text.trim_end_matches('=').to_owned(),
            format!(" {text}\n"),
        ] {
            assert_eq!(
                MasterKey::from_base64(&form, "MASTER_KEY").unwrap().id(),
                key.id()
            );
        }
    }

    #[test]
    fn the_id_is_the_start_of_the_digest() {
        let key = MasterKey::from_base64(&BASE64.encode([0; 32]), "x").unwrap();
        assert_eq!(key.id().as_str(), "mk_66687aadf862");
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_repeated() {
        for text in [
            "",
            "short",
            "c2VjcmV0LXNlY3JldC1zZWNyZXQ=",
            &"A".repeat(48),
            "ä".repeat(44).as_str(),
        ] {
            let error = MasterKey::from_base64(text, "MASTER_KEY")
                .unwrap_err()
                .to_string();
            assert!(error.starts_with("MASTER_KEY does not hold"), "{error}");
            assert!(text.is_empty() || !error.contains(text));
        }
        assert!(!format!("{:?}", MasterKey::generate()).contains('['));
    }

    #[test]
    fn a_key_is_generated_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let source = KeySource::Beside(folder.path().join("db.key"));
        let (first, origin) = source.select_keys(&[]).unwrap();
        assert!(matches!(origin, KeyOrigin::Generated(_)));
        let (again, origin) = source
            .select_keys(std::slice::from_ref(first.first().id()))
            .unwrap();
        assert!(matches!(origin, KeyOrigin::FoundBeside(_)));
        assert_eq!(again.first().id(), first.first().id());
    }

    #[cfg(unix)]
    #[test]
    fn a_generated_key_is_for_its_owner_only_and_never_overwritten() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db.key");
        write_new(&path, &MasterKey::generate()).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let error = write_new(&path, &MasterKey::generate()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_lost_key_is_named_and_nothing_is_generated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db.key");
        let lost = MasterKey::generate();
        let error = KeySource::Beside(path.clone())
            .select_keys(&[lost.id().clone()])
            .unwrap_err();
        assert!(matches!(error, MasterKeyError::Missing { .. }));
        assert!(error.to_string().contains(lost.id().as_str()));
        assert!(!path.exists());
    }

    #[test]
    fn a_key_that_does_not_fit_is_refused() {
        let sealed = MasterKey::generate();
        let source = KeySource::Inline(MasterKey::generate().to_base64());
        let error = source.select_keys(&[sealed.id().clone()]).unwrap_err();
        assert!(matches!(error, MasterKeyError::Wrong { .. }));
        assert!(error.to_string().contains(sealed.id().as_str()));
    }

    #[test]
    fn what_the_operator_set_comes_before_the_file_beside_the_database() {
        let beside = || Some(PathBuf::from("x.db.key"));
        let inline = MasterKeyConfig::Inline(MasterKey::generate().to_base64());
        assert_eq!(KeySource::choose(&inline, beside()).place(), "MASTER_KEY");
        let file = MasterKeyConfig::File(PathBuf::from("/run/key"));
        assert_eq!(KeySource::choose(&file, beside()).place(), "/run/key");
        assert_eq!(
            KeySource::choose(&MasterKeyConfig::Unset, beside()).place(),
            "x.db.key"
        );
        let nowhere = KeySource::choose(&MasterKeyConfig::Unset, None);
        assert!(matches!(nowhere, KeySource::Nowhere));
    }

    #[test]
    fn a_named_file_must_exist_and_no_place_generates_nothing() {
        let gone = KeySource::File(PathBuf::from("/nowhere/at/all.key"));
        assert!(matches!(
            gone.select_keys(&[]),
            Err(MasterKeyError::Unreadable { .. })
        ));
        assert!(matches!(
            KeySource::Nowhere.select_keys(&[]),
            Err(MasterKeyError::NotGiven { .. })
        ));
    }
}
