//! How many connections there may be: each has buffers, and a request's head may fill 128 KiB of them
//! before anybody knows what it is about.

use std::any::Any;
use std::collections::HashMap;
use std::net::{IpAddr, Shutdown};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use socket2::SockRef;

use super::intake;
use crate::config::web::TrustedProxies;

/// All of a process. More wait outside until one of these ends.
pub const MOST: usize = 512;

/// Of one stranger's network, so that no single one takes them all. Proxies bring many people.
const MOST_OF_ONE: usize = 128;

/// Counts the connections of strangers by their network. Clones share the counts.
#[derive(Debug, Clone)]
pub struct Connections {
    proxies: TrustedProxies,
    of: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection that is counted; it lives as long as the connection.
#[derive(Debug)]
pub struct Counted {
    network: IpAddr,
    of: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Connections {
    pub fn new(proxies: TrustedProxies) -> Self {
        Self {
            proxies,
            of: Arc::default(),
        }
    }

    /// Counts a new connection, or ends it: its first read then finds the end.
    pub fn meet(&self, stream: &dyn Any, data: &mut Extensions) {
        let Some(stream) = stream.downcast_ref::<TcpStream>() else {
            return;
        };
        let Some(peer) = stream.peer_addr().ok().map(|peer| peer.ip().to_canonical()) else {
            return;
        };
        if self.brings_many(peer) {
            return;
        }
        match self.admit(peer) {
            Some(counted) => {
                data.insert(counted);
            }
            None => drop(SockRef::from(stream).shutdown(Shutdown::Both)),
        }
    }

    /// A proxy, also one that nobody has named: it is on this machine or network.
    fn brings_many(&self, peer: IpAddr) -> bool {
        let is_near = match peer {
            IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
            IpAddr::V6(ip) => {
                ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
            }
        };
        is_near || self.proxies.trusts(peer)
    }

    fn admit(&self, peer: IpAddr) -> Option<Counted> {
        let network = intake::network(peer);
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let count = of.entry(network).or_default();
        if *count >= MOST_OF_ONE {
            return None;
        }
        *count += 1;
        let of = Arc::clone(&self.of);
        Some(Counted { network, of })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = of.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                of.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_network_has_a_quarter_of_the_connections() {
        let connections = Connections::new(TrustedProxies::default());
        let eve: Vec<_> = (0..MOST_OF_ONE)
            .map(|n| connections.admit(ip(&format!("2001:db8::{n:x}"))).unwrap())
            .collect();
        assert!(connections.admit(ip("2001:db8::ffff")).is_none());
        let ann = connections.admit(ip("2001:db8:0:1::1"));
        assert!(ann.is_some());
        drop((eve, ann));
        assert!(connections.of.lock().unwrap().is_empty());
        assert!(connections.admit(ip("2001:db8::ffff")).is_some());
    }

    #[test]
    fn proxies_bring_many_people() {
        let proxies = TrustedProxies::parse("198.51.100.7").unwrap();
        let connections = Connections::new(proxies);
        for near in ["127.0.0.1", "172.17.0.1", "fdaa::3", "::1", "198.51.100.7"] {
            assert!(connections.brings_many(ip(near)), "{near}");
        }
        for far in ["198.51.100.8", "2001:db8::1"] {
            assert!(!connections.brings_many(ip(far)), "{far}");
        }
    }
}
