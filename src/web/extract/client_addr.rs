//! Who really asks: the peer, or whom our own proxies say it is.
//!
//! `X-Forwarded-For` grows to the right, so it is read from the right: whatever stands left of the
//! first address that is not ours was written by the caller.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};

use crate::config::web::TrustedProxies;

/// The address of the client, as far as it can be believed. `TrustedProxies` comes from
/// `app_data`; without it nobody is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddr(pub IpAddr);

impl ClientAddr {
    /// The client of this request. Without a peer (a Unix socket, a test) it is `0.0.0.0`.
    pub fn of(request: &HttpRequest) -> Self {
        let peer = request
            .peer_addr()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |a| a.ip());
        let forwarded = request.headers().get_all("x-forwarded-for");
        // A value that is no text becomes an entry that is no address.
        let lines: Vec<&str> = forwarded.map(|line| line.to_str().unwrap_or("?")).collect();
        let client = match request.app_data::<Data<TrustedProxies>>() {
            Some(trusted) => client_of(peer, &lines, trusted),
            None => peer,
        };
        Self(client.to_canonical())
    }
}

impl fmt::Display for ClientAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromRequest for ClientAddr {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

/// Walks from the peer outwards while the address reached is a proxy of ours. An entry that is no
/// address ends the walk at the last one that could be read.
fn client_of(peer: IpAddr, lines: &[&str], trusted: &TrustedProxies) -> IpAddr {
    let mut client = peer;
    let entries = lines.iter().rev().flat_map(|line| line.rsplit(','));
    for entry in entries {
        if !trusted.trusts(client) {
            break;
        }
        let Some(ip) = parse_entry(entry.trim()) else {
            break;
        };
        client = ip;
    }
    client
}

/// Some proxies add the port.
fn parse_entry(entry: &str) -> Option<IpAddr> {
    entry
        .parse()
        .ok()
        .or_else(|| entry.parse::<SocketAddr>().ok().map(|a| a.ip()))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;

    fn client(peer: &str, lines: &[&str]) -> String {
        let trusted = TrustedProxies::parse("10.0.0.0/8 fd00::/8").unwrap();
        client_of(peer.parse().unwrap(), lines, &trusted).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(client("192.0.2.1", &["8.8.8.8"]), "192.0.2.1");
    }

    #[test]
    fn our_own_proxy_is_believed_up_to_the_first_stranger() {
        assert_eq!(client("10.0.0.1", &["8.8.8.8"]), "8.8.8.8");
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1, 8.8.8.8, 10.0.0.2"]),
            "8.8.8.8"
        );
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1", "8.8.8.8", "10.0.0.2:4711"]),
            "8.8.8.8"
        );
        assert_eq!(client("fd00::1", &["2606:4700::1"]), "2606:4700::1");
        assert_eq!(client("fd00::1", &["[2606:4700::1]:443"]), "2606:4700::1");
    }

    #[test]
    fn what_is_no_address_ends_the_walk() {
        assert_eq!(
            client("10.0.0.1", &["8.8.8.8, unknown, 10.0.0.2"]),
            "10.0.0.2"
        );
        assert_eq!(client("10.0.0.1", &[""]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn a_request_is_read_through_the_proxies_of_the_app() {
        let request = |trusted: &str| {
            TestRequest::default()
                .peer_addr("[::ffff:10.0.0.1]:4711".parse().unwrap())
                .insert_header(("X-Forwarded-For", "8.8.8.8"))
                .app_data(Data::new(TrustedProxies::parse(trusted).unwrap()))
                .to_http_request()
        };
        assert_eq!(
            ClientAddr::of(&request("10.0.0.0/8")).to_string(),
            "8.8.8.8"
        );
        assert_eq!(ClientAddr::of(&request("")).to_string(), "10.0.0.1");
        let bare = TestRequest::default().to_http_request();
        assert_eq!(ClientAddr::of(&bare).to_string(), "0.0.0.0");
    }

    proptest! {
        #[test]
        fn nothing_a_caller_writes_hides_the_stranger_our_proxy_saw(forged in "[ -~]{0,60}") {
            let line = format!("{forged}, 192.0.2.9");
            prop_assert_eq!(client("10.0.0.1", &[line.as_str()]), "192.0.2.9");
        }
    }
}
