//! How often somebody may try to sign in.
//!
//! Two counts, since either alone is easy to walk around: one per client address, one per account.
//! An account's count also slows its owner down, so it is generous; a success clears it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

const WINDOW: TimeDelta = TimeDelta::minutes(15);
const PER_ADDRESS: u32 = 30;
const PER_ACCOUNT: u32 = 20;
/// How many keys are remembered; beyond it the windows that are over are forgotten.
const MOST_KEYS: usize = 20_000;

/// Counts of tries, shared by all workers of the process.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<HashMap<Key, Count>>);

#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    Account(String),
}

#[derive(Debug)]
struct Count {
    since: DateTime<Utc>,
    tries: u32,
}

impl Attempts {
    /// Whether one more try is allowed; counts it.
    pub(super) fn admit(&self, address: IpAddr, account: &str, now: DateTime<Utc>) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST_KEYS {
            counts.retain(|_, count| now - count.since < WINDOW);
            if counts.len() >= MOST_KEYS {
                return false;
            }
        }
        let mut within = |key: Key, most: u32| {
            let fresh = Count {
                since: now,
                tries: 0,
            };
            let count = counts.entry(key).or_insert(fresh);
            if now - count.since >= WINDOW {
                *count = Count {
                    since: now,
                    tries: 0,
                };
            }
            count.tries = count.tries.saturating_add(1);
            count.tries <= most
        };
        let by_address = within(Key::Address(network(address)), PER_ADDRESS);
        by_address && within(Key::Account(account_key(account)), PER_ACCOUNT)
    }

    /// A success: the account's tries are forgotten.
    pub(super) fn succeeded(&self, account: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.remove(&Key::Account(account_key(account)));
    }
}

/// A household has a whole /64 of IPv6 addresses.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

fn account_key(account: &str) -> String {
    account.trim().to_lowercase().chars().take(254).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    #[test]
    fn an_account_is_slowed_down_from_many_addresses_until_the_window_is_over() {
        let attempts = Attempts::default();
        let try_from = |n: u8, now| attempts.admit(IpAddr::from([10, 0, 0, n]), "Ann@x.com", now);
        assert!((0..20).all(|n| try_from(n, at(0))));
        assert!(!try_from(99, at(14)));
        assert!(try_from(99, at(16)));
    }

    #[test]
    fn an_address_is_slowed_down_over_many_accounts() {
        let attempts = Attempts::default();
        let ip: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::2".parse().unwrap();
        assert!((0..30).all(|n| attempts.admit(ip, &format!("{n}@x.com"), at(0))));
        assert!(!attempts.admit(neighbour, "new@x.com", at(0)));
    }

    #[test]
    fn a_success_clears_the_account() {
        let attempts = Attempts::default();
        for n in 0..20 {
            attempts.admit(IpAddr::from([10, 0, 0, n]), "ann@x.com", at(0));
        }
        attempts.succeeded("ANN@x.com");
        assert!(attempts.admit(IpAddr::from([10, 0, 1, 1]), "ann@x.com", at(0)));
    }
}
