//! Who waits for an equal message to the same number, so that the next one goes at once.
//!
//! Only a shortcut: whoever is forgotten here asks again by itself a moment later.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::domain::delivery::Channel;
use crate::domain::ids::{DeliveryId, TenantId};

/// More than these are not remembered.
const MOST: usize = 10_000;

/// Among whose messages (`lock_scope`), a channel, an address and the fingerprint of a text.
pub(in crate::app) type Equal = (String, Channel, String, Vec<u8>);

/// Lines of deliveries, one for each equal text.
#[derive(Default)]
pub(in crate::app) struct DuplicateWaiters(Mutex<HashMap<Equal, VecDeque<(TenantId, DeliveryId)>>>);

impl DuplicateWaiters {
    /// Puts a delivery into the line, unless it stands there already.
    pub(super) fn wait(&self, key: Equal, tenant: TenantId, delivery: DeliveryId) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.values().map(VecDeque::len).sum::<usize>() >= MOST {
            return;
        }
        let line = lines.entry(key).or_default();
        if !line.iter().any(|(_, waiting)| *waiting == delivery) {
            line.push_back((tenant, delivery));
        }
    }

    /// Whose turn it is, now that an equal message is settled.
    pub(super) fn next(&self, key: &Equal) -> Option<(TenantId, DeliveryId)> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.get_mut(key)?;
        let next = line.pop_front();
        if line.is_empty() {
            lines.remove(key);
        }
        next
    }
}
