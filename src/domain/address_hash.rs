//! Addresses as keyed hashes: whether two are the same person's can be known where neither is kept any more.
//!
//! The key is the installation's and never changes: of an address that was erased no other hash can be made.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::address::key_of;
use super::channel::Channel;

/// What an address is compared by. Without the key it can be neither read nor guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressHash([u8; 32]);

impl AddressHash {
    /// The hash as stored; `None` when it has another length.
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// As it is stored.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Makes the hashes of an installation. Cheap to clone.
#[derive(Clone)]
pub struct AddressHasher(Arc<Hmac<Sha256>>);

impl AddressHasher {
    /// Under the installation's key.
    pub fn new(key: &[u8; 32]) -> Self {
        // HMAC itself fills a shorter key up with zeros.
        let mut block = [0; 64];
        block[..key.len()].copy_from_slice(key);
        Self(Arc::new(KeyInit::new(&block.into())))
    }

    /// The hash of an address, the same for all spellings of it.
    pub fn hash(&self, channel: Channel, address: &str) -> AddressHash {
        self.hash_of(channel.as_str(), &key_of(channel, address))
    }

    fn hash_of(&self, channel: &str, key: &str) -> AddressHash {
        let mut mac = Hmac::clone(&self.0);
        for part in [channel, "\0", key] {
            mac.update(part.as_bytes());
        }
        AddressHash(mac.finalize().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_number_hash_alike_and_all_else_differs() {
        let hasher = AddressHasher::new(&[7; 32]);
        let hash = |address| hasher.hash(Channel::Sms, address);
        let known = hash("+525512345678");
        assert_eq!(hash("+5215512345678"), known);
        assert_ne!(hash("+525512345679"), known);
        assert_ne!(hasher.hash_of("whatsapp", "+525512345678"), known);
        let other = AddressHasher::new(&[8; 32]);
        assert_ne!(other.hash(Channel::Sms, "+525512345678"), known);
        assert_eq!(AddressHash::from_stored(known.as_bytes()), Some(known));
        assert_eq!(AddressHash::from_stored(b"short"), None);
    }
}
