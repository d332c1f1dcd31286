//! The vault: seals secrets for the place where they are stored, under data keys that a master
//! key wraps.
//!
//! ```text
//!  master key ──wraps──► data key ──seals──► value
//!  (operator)            (row of the store)   version | data key id | nonce | ciphertext
//!                                                 1         16          24     len + 16
//! ```
//!
//! The place (whose, table, column, row) is authenticated but not stored, so that a sealed value
//! copied to another row, even of the same tenant, does not open there.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::key_ring::KeyRing;
use super::master_key::{KeySource, MasterKey, MasterKeyError, MasterKeyId};
pub use super::place::Place;
use super::place::length_prefixed;
use crate::domain::address_hash::AddressHasher;

const VERSION: u8 = 1;
const ID_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;
const HEAD_BYTES: usize = 1 + ID_BYTES + NONCE_BYTES;
const WRAP_LABEL: &str = "ml-connector data key";
const DERIVE_LABEL: &str = "ml-connector derived";

/// A data key as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// A UUID v7: the newest seals.
    pub id: Uuid,
    /// Which master key opens it.
    pub master_key_id: MasterKeyId,
    /// Version, nonce and ciphertext.
    pub wrapped: Vec<u8>,
}

/// Why a value could not be sealed or opened. Names keys and places, never values.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum VaultError {
    #[error("data key {id} is wrapped by master key {need}, but the master key here is {have}")]
    OtherMasterKey {
        id: Uuid,
        need: MasterKeyId,
        have: String,
    },
    #[error("data key {id} does not open under master key {master}: its row is damaged")]
    DamagedKey { id: Uuid, master: MasterKeyId },
    #[error("the vault holds no data key, so nothing can be sealed")]
    NoDataKey,
    #[error("the value in {place} is sealed under data key {id}, which the vault does not hold")]
    UnknownDataKey { id: Uuid, place: String },
    #[error("the value in {place} does not open under data key {id}: damaged, or moved there")]
    DoesNotOpen { id: Uuid, place: String },
    #[error("the value in {place} is not a sealed value of a version that is known here")]
    NotSealed { place: String },
    #[error("the value in {place}, sealed under data key {id}, is not text")]
    NotText { id: Uuid, place: String },
    #[error("sealing under data key {id} failed")]
    Sealing { id: Uuid },
}

type DataKey = Zeroizing<[u8; 32]>;

/// Seals and opens secrets. Cheap to clone; clones share their keys.
#[derive(Clone)]
pub struct Vault {
    masters: Arc<RwLock<Arc<KeyRing>>>,
    /// Where to look again when another process changes the master key.
    source: Option<Arc<KeySource>>,
    keys: Arc<RwLock<BTreeMap<Uuid, Arc<DataKey>>>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("masters", &self.masters())
            .finish_non_exhaustive()
    }
}

impl Vault {
    /// A vault that holds the data keys of `rows`.
    pub fn new(masters: impl Into<KeyRing>, rows: &[WrappedKey]) -> Result<Self, VaultError> {
        let vault = Self {
            masters: Arc::new(RwLock::new(Arc::new(masters.into()))),
            source: None,
            keys: Arc::default(),
        };
        for row in rows {
            vault.admit(row)?;
        }
        Ok(vault)
    }

    /// The same, which looks for new master keys where the first ones came from.
    #[must_use]
    pub fn from_source(mut self, source: KeySource) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Where the master keys came from.
    pub fn source(&self) -> Option<&KeySource> {
        self.source.as_deref()
    }

    /// Reads the master keys again; what stands there now wraps and opens from then on.
    pub fn reload(&self) -> Result<(), MasterKeyError> {
        if let Some(ring) = self.source().map(KeySource::load).transpose()?.flatten() {
            *self.masters.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        }
        Ok(())
    }

    /// The master keys at hand.
    pub fn masters(&self) -> Arc<KeyRing> {
        Arc::clone(&self.masters.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The name of the master key that wraps.
    pub fn master_key_id(&self) -> MasterKeyId {
        self.masters().first().id().clone()
    }

    /// Whether this data key is held.
    pub fn holds(&self, id: Uuid) -> bool {
        self.keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(&id)
    }

    /// The data key that seals, when there is one.
    pub fn sealing_key_id(&self) -> Option<Uuid> {
        self.keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .next_back()
            .copied()
    }

    /// Makes a random data key for the row `id` (a UUID v7). It is to be stored first and then
    /// given to [`Vault::admit`]: a key that seals before it is on disk loses what it sealed.
    pub fn new_data_key(&self, id: Uuid) -> Result<WrappedKey, VaultError> {
        let mut key = DataKey::new([0; 32]);
        rand::fill(key.as_mut_slice());
        wrap(self.masters().first(), id, &key)
    }

    /// Unwraps a stored data key and holds it; the newest id seals from then on.
    pub fn admit(&self, row: &WrappedKey) -> Result<(), VaultError> {
        let key = Arc::new(unwrap(&self.masters(), row)?);
        self.keys
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(row.id, key);
        Ok(())
    }

    /// The data key of `row`, wrapped anew by the first master key.
    pub fn rewrap(&self, row: &WrappedKey) -> Result<WrappedKey, VaultError> {
        let masters = self.masters();
        wrap(masters.first(), row.id, &unwrap(&masters, row)?)
    }

    /// Seals a text for its place.
    pub fn seal(&self, place: &Place<'_>, secret: &SecretString) -> Result<Vec<u8>, VaultError> {
        self.seal_bytes(place, secret.expose_secret().as_bytes())
    }

    /// Seals bytes for their place.
    pub fn seal_bytes(&self, place: &Place<'_>, secret: &[u8]) -> Result<Vec<u8>, VaultError> {
        let (id, key) = self.newest().ok_or(VaultError::NoDataKey)?;
        let mut sealed = Vec::with_capacity(HEAD_BYTES + secret.len() + 16);
        sealed.push(VERSION);
        sealed.extend_from_slice(id.as_bytes());
        let aad = place.associated_data(&sealed);
        encrypt_onto(&mut sealed, &key, secret, &aad).ok_or(VaultError::Sealing { id })?;
        Ok(sealed)
    }

    /// Opens a text that was sealed for this place. [`VaultError::UnknownDataKey`] may mean that
    /// another process has rotated: admit that row and try again.
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<SecretString, VaultError> {
        let bytes = self.open_bytes(place, sealed)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| VaultError::NotText {
            id: data_key_of(sealed).unwrap_or_default(),
            place: place.to_string(),
        })?;
        Ok(SecretString::from(text))
    }

    /// Opens bytes that were sealed for this place.
    pub fn open_bytes(
        &self,
        place: &Place<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let id = data_key_of(sealed).ok_or_else(|| VaultError::NotSealed {
            place: place.to_string(),
        })?;
        let held = self
            .keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned();
        let key = held.ok_or_else(|| VaultError::UnknownDataKey {
            id,
            place: place.to_string(),
        })?;
        let (prefix, body) = sealed.split_at(1 + ID_BYTES);
        decrypt(&key, body, &place.associated_data(prefix)).ok_or_else(|| VaultError::DoesNotOpen {
            id,
            place: place.to_string(),
        })
    }

    /// 32 bytes that every process on this database derives alike and nobody else can: an HMAC under
    /// the oldest data key, which no rotation changes. Another `label` gives others.
    pub fn derive(&self, label: &str) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let (id, key) = keys.first_key_value().ok_or(VaultError::NoDataKey)?;
        let key: &[u8; 32] = key;
        let mut mac =
            <Hmac<Sha256> as KeyInit>::new_from_slice(key).map_err(|_| VaultError::NoDataKey)?;
        mac.update(&length_prefixed(&[
            DERIVE_LABEL.as_bytes(),
            label.as_bytes(),
            id.as_bytes(),
        ]));
        Ok(Zeroizing::new(mac.finalize().into_bytes().into()))
    }

    /// Hashes addresses under a key that is derived so.
    pub fn address_hasher(&self) -> Result<AddressHasher, VaultError> {
        self.derive("addresses").map(|key| AddressHasher::new(&key))
    }

    fn newest(&self) -> Option<(Uuid, Arc<DataKey>)> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.last_key_value()
            .map(|(id, key)| (*id, Arc::clone(key)))
    }
}

/// The data key that a sealed value names; `None` when it is no sealed value.
pub fn data_key_of(sealed: &[u8]) -> Option<Uuid> {
    if sealed.len() < HEAD_BYTES || sealed.first() != Some(&VERSION) {
        return None;
    }
    Uuid::from_slice(sealed.get(1..=ID_BYTES)?).ok()
}

fn wrap(master: &MasterKey, id: Uuid, key: &DataKey) -> Result<WrappedKey, VaultError> {
    let mut wrapped = vec![VERSION];
    encrypt_onto(
        &mut wrapped,
        master.bytes(),
        key.as_slice(),
        &wrap_data(master, id),
    )
    .ok_or(VaultError::Sealing { id })?;
    Ok(WrappedKey {
        id,
        master_key_id: master.id().clone(),
        wrapped,
    })
}

fn unwrap(masters: &KeyRing, row: &WrappedKey) -> Result<DataKey, VaultError> {
    let Some(master) = masters.find(&row.master_key_id) else {
        return Err(VaultError::OtherMasterKey {
            id: row.id,
            need: row.master_key_id.clone(),
            have: masters.names(),
        });
    };
    let damaged = || VaultError::DamagedKey {
        id: row.id,
        master: master.id().clone(),
    };
    let body = row.wrapped.strip_prefix(&[VERSION]).ok_or_else(damaged)?;
    let bytes = decrypt(master.bytes(), body, &wrap_data(master, row.id)).ok_or_else(damaged)?;
    let mut key = DataKey::new([0; 32]);
    if bytes.len() != key.len() {
        return Err(damaged());
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

fn wrap_data(master: &MasterKey, id: Uuid) -> Vec<u8> {
    length_prefixed(&[
        WRAP_LABEL.as_bytes(),
        &[VERSION],
        master.id().as_str().as_bytes(),
        id.as_bytes(),
    ])
}

/// Appends a random nonce and the ciphertext. 24 random bytes do not repeat in practice, so no
/// counter has to be shared between processes.
fn encrypt_onto(out: &mut Vec<u8>, key: &[u8; 32], message: &[u8], aad: &[u8]) -> Option<()> {
    let mut nonce = [0; NONCE_BYTES];
    rand::fill(&mut nonce);
    let cipher = XChaCha20Poly1305::new(&(*key).into());
    let text = cipher
        .encrypt(&XNonce::from(nonce), Payload { msg: message, aad })
        .ok()?;
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&text);
    Some(())
}

fn decrypt(key: &[u8; 32], body: &[u8], aad: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, text) = body.split_first_chunk::<NONCE_BYTES>()?;
    let cipher = XChaCha20Poly1305::new(&(*key).into());
    cipher
        .decrypt(&XNonce::from(*nonce), Payload { msg: text, aad })
        .ok()
        .map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::{TenantId, UserId, new_v7};

    fn id() -> Uuid {
        new_v7(DateTime::from_timestamp(1_795_000_000, 0).unwrap())
    }

    fn vault() -> (Vault, WrappedKey) {
        let vault = Vault::new(MasterKey::generate(), &[]).unwrap();
        let row = vault.new_data_key(id()).unwrap();
        vault.admit(&row).unwrap();
        (vault, row)
    }

    fn place(row: Uuid) -> Place<'static> {
        Place::tenant(
            TenantId::from_uuid(Uuid::from_u128(7)),
            "twilio",
            "auth_token",
            row,
        )
    }

    #[test]
    fn what_is_sealed_opens_in_its_place() {
        let (vault, _) = vault();
        let at = place(Uuid::from_u128(1));
        let sealed = vault.seal(&at, &SecretString::from("s3cret")).unwrap();
        assert_eq!(vault.open(&at, &sealed).unwrap().expose_secret(), "s3cret");
        assert_ne!(
            sealed,
            vault.seal(&at, &SecretString::from("s3cret")).unwrap()
        );
        assert!(!sealed.windows(6).any(|w| w == b"s3cret"));
    }

    #[test]
    fn a_value_copied_elsewhere_does_not_open() {
        let (vault, row) = vault();
        let (owner, cell) = (TenantId::from_uuid(Uuid::from_u128(7)), Uuid::from_u128(1));
        let at = place(cell);
        let sealed = vault.seal(&at, &SecretString::from("s3cret")).unwrap();
        let elsewhere = [
            place(Uuid::from_u128(2)),
            Place::tenant(
                TenantId::from_uuid(Uuid::from_u128(8)),
                "twilio",
                "auth_token",
                cell,
            ),
            Place::user(
                UserId::from_uuid(owner.uuid()),
                "twilio",
                "auth_token",
                cell,
            ),
            Place::tenant(owner, "twilioauth", "_token", cell),
            Place::tenant(owner, "twilio", "api_key", cell),
            Place::platform("twilio", "auth_token", cell),
        ];
        for other in elsewhere {
            let error = vault.open(&other, &sealed).unwrap_err();
            assert_eq!(
                error,
                VaultError::DoesNotOpen {
                    id: row.id,
                    place: other.to_string()
                }
            );
            assert!(error.to_string().contains(&row.id.to_string()));
            assert!(!error.to_string().contains("s3cret"));
        }
    }

    #[test]
    fn a_restart_opens_what_was_sealed_before() {
        let master = MasterKey::generate();
        let same = MasterKey::from_base64(master.to_base64().expose_secret(), "x").unwrap();
        let vault = Vault::new(master, &[]).unwrap();
        let row = vault.new_data_key(id()).unwrap();
        vault.admit(&row).unwrap();
        let at = place(Uuid::from_u128(1));
        let sealed = vault.seal(&at, &SecretString::from("s3cret")).unwrap();
        let again = Vault::new(same, &[row]).unwrap();
        assert_eq!(again.open(&at, &sealed).unwrap().expose_secret(), "s3cret");
    }

    #[test]
    fn the_newest_key_seals_and_older_values_still_open() {
        let (vault, first) = vault();
        let at = place(Uuid::from_u128(1));
        let old = vault.seal(&at, &SecretString::from("old")).unwrap();
        let second = vault.new_data_key(id()).unwrap();
        vault.clone().admit(&second).unwrap();
        let new = vault.seal(&at, &SecretString::from("new")).unwrap();
        assert_eq!(data_key_of(&old), Some(first.id));
        assert_eq!(data_key_of(&new), Some(second.id));
        assert_eq!(vault.open(&at, &old).unwrap().expose_secret(), "old");
        assert_eq!(vault.open(&at, &new).unwrap().expose_secret(), "new");
    }

    #[test]
    fn an_unknown_key_is_named() {
        let (mine, row) = vault();
        let (other, _) = vault();
        let at = place(Uuid::from_u128(1));
        let sealed = mine.seal(&at, &SecretString::from("s3cret")).unwrap();
        let error = other.open(&at, &sealed).unwrap_err();
        assert_eq!(
            error,
            VaultError::UnknownDataKey {
                id: row.id,
                place: at.to_string()
            }
        );
    }

    #[test]
    fn a_data_key_opens_under_its_own_master_and_row_only() {
        let (vault, row) = vault();
        let stranger = Vault::new(MasterKey::generate(), std::slice::from_ref(&row));
        assert!(matches!(stranger, Err(VaultError::OtherMasterKey { .. })));
        let swapped = WrappedKey { id: id(), ..row };
        assert!(matches!(
            vault.admit(&swapped),
            Err(VaultError::DamagedKey { .. })
        ));
    }

    #[test]
    fn a_new_master_key_takes_over_the_same_data_key() {
        let (vault, row) = vault();
        let at = place(Uuid::from_u128(1));
        let sealed = vault.seal(&at, &SecretString::from("s3cret")).unwrap();
        let (folder, old) = (tempfile::tempdir().unwrap(), vault.master_key_id());
        let path = folder.path().join("key");
        crate::crypto::master_key::write_new(&path, vault.masters().first()).unwrap();
        let vault = vault.from_source(KeySource::File(path.clone()));
        let change = vault.source().unwrap().begin_change().unwrap().unwrap();
        vault.reload().unwrap();
        let moved = vault.rewrap(&row).unwrap();
        assert_ne!(moved.master_key_id, old);
        change.end().unwrap();
        let alone = KeySource::File(path).load().unwrap().unwrap();
        assert_eq!(moved.master_key_id, *alone.first().id());
        let next = Vault::new(alone, &[moved]).unwrap();
        assert!(matches!(
            next.admit(&row),
            Err(VaultError::OtherMasterKey { .. })
        ));
        assert_eq!(next.open(&at, &sealed).unwrap().expose_secret(), "s3cret");
    }

    #[test]
    fn nothing_is_sealed_without_a_data_key() {
        let vault = Vault::new(MasterKey::generate(), &[]).unwrap();
        let sealed = vault.seal(&place(Uuid::nil()), &SecretString::from("s3cret"));
        assert_eq!(sealed, Err(VaultError::NoDataKey));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_come_back(secret in prop::collection::vec(any::<u8>(), 0..300)) {
            let (vault, _) = vault();
            let at = place(Uuid::from_u128(1));
            let sealed = vault.seal_bytes(&at, &secret).unwrap();
            prop_assert_eq!(&*vault.open_bytes(&at, &sealed).unwrap(), &secret);
        }

        #[test]
        fn one_changed_bit_closes_a_value(at_byte in 0_usize..64, bit in 0_u8..8) {
            let (vault, _) = vault();
            let at = place(Uuid::from_u128(1));
            let mut sealed = vault.seal(&at, &SecretString::from("s3cret!")).unwrap();
            let index = at_byte % sealed.len();
            sealed[index] ^= 1 << bit;
            prop_assert!(vault.open(&at, &sealed).is_err());
        }

        #[test]
        fn garbage_never_opens(sealed in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(vault().0.open_bytes(&place(Uuid::nil()), &sealed).is_err());
        }
    }
}
