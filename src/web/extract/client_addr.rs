//! Who really asks: the peer, or whom our own proxies say it is.
//!
//! `X-Forwarded-For` grows to the right, so it is read from the right: whatever stands left of the
//! first address that is not ours was written by the caller. Fly's proxy writes the address that it
//! was reached by last of all, which nobody here knows; but it sets `Fly-Client-IP` itself.

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
        let (_, client) = peer_and_client(request);
        Self(client)
    }

    /// The same, where it tells clients apart. `None` where the peer is on this machine or in a private
    /// network and seems to be a proxy that `TRUSTED_PROXIES` does not name: then everybody comes from
    /// there, and a limit on this address would be a limit on all of them.
    pub fn apart(request: &HttpRequest) -> Option<Self> {
        let (peer, client) = peer_and_client(request);
        if client != peer || !is_local(peer) {
            return Some(Self(client));
        }
        let trusted = request.app_data::<Data<TrustedProxies>>();
        let trusted = trusted.filter(|t| !t.is_empty())?;
        let is_proxy = trusted.trusts(peer)
            || trusted.is_fly(peer)
            || FORWARDED.iter().any(|h| request.headers().contains_key(*h));
        (!is_proxy).then_some(Self(client))
    }
}

/// The headers by which proxies tell for whom they ask.
const FORWARDED: [&str; 4] = ["x-forwarded-for", "forwarded", "x-real-ip", FLY_CLIENT_IP];

const FLY_CLIENT_IP: &str = "fly-client-ip";

fn peer_and_client(request: &HttpRequest) -> (IpAddr, IpAddr) {
    let peer = request
        .peer_addr()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |a| a.ip())
        .to_canonical();
    let headers = request.headers();
    let client = match request.app_data::<Data<TrustedProxies>>() {
        Some(trusted) if trusted.is_fly(peer) => {
            let said = headers.get(FLY_CLIENT_IP).and_then(|v| v.to_str().ok());
            said.and_then(|s| s.trim().parse().ok()).unwrap_or(peer)
        }
        Some(trusted) => {
            let forwarded = headers.get_all("x-forwarded-for");
            // A value that is no text becomes an entry that is no address.
            let lines: Vec<&str> = forwarded.map(|line| line.to_str().unwrap_or("?")).collect();
            client_of(peer, &lines, trusted)
        }
        None => peer,
    };
    (peer, client.to_canonical())
}

/// This machine, a private network, or no network at all.
fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
        }
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

    fn asked(peer: &str, trusted: &str, headers: &[(&'static str, &'static str)]) -> HttpRequest {
        let mut request = TestRequest::default()
            .peer_addr(peer.parse().unwrap())
            .app_data(Data::new(TrustedProxies::parse(trusted).unwrap()));
        for header in headers {
            request = request.append_header(*header);
        }
        request.to_http_request()
    }

    #[test]
    fn flys_proxy_is_believed_in_the_header_that_it_sets_itself() {
        let forged = ("X-Forwarded-For", "1.1.1.1, 8.8.8.8, 66.241.124.230");
        let told = ("Fly-Client-IP", "8.8.8.8");
        let of = |peer: &str, trusted: &str| {
            ClientAddr::of(&asked(peer, trusted, &[forged, told])).to_string()
        };
        assert_eq!(of("172.16.5.2:4711", "fly"), "8.8.8.8");
        assert_eq!(of("[fdaa:0:1::3]:4711", "fly"), "8.8.8.8");
        assert_eq!(of("203.0.113.5:4711", "fly"), "203.0.113.5");
        assert_eq!(of("172.16.5.2:4711", "172.16.0.0/12"), "66.241.124.230");
        let bare = asked("172.16.5.2:4711", "fly", &[forged]);
        assert_eq!(ClientAddr::of(&bare).to_string(), "172.16.5.2");
        assert_eq!(ClientAddr::apart(&bare), None);
    }

    #[test]
    fn an_address_that_everybody_has_tells_nobody_apart() {
        let apart = |peer: &str, trusted: &str, headers: &[(&'static str, &'static str)]| {
            ClientAddr::apart(&asked(peer, trusted, headers)).map(|c| c.to_string())
        };
        let said = [("X-Forwarded-For", "8.8.8.8")];
        for peer in [
            "127.0.0.1:1",
            "172.16.5.2:1",
            "[fdaa::1]:1",
            "100.64.0.1:1",
            "[::1]:1",
        ] {
            assert_eq!(apart(peer, "", &[]), None, "{peer}");
            assert_eq!(apart(peer, "", &said), None, "{peer}");
        }
        let here = Some("192.168.1.4".to_owned());
        assert_eq!(apart("192.168.1.4:1", "127.0.0.1", &[]), here);
        assert_eq!(apart("192.168.1.4:1", "127.0.0.1", &said), None);
        assert_eq!(
            apart("127.0.0.1:1", "127.0.0.1", &said),
            Some("8.8.8.8".to_owned())
        );
        assert_eq!(apart("127.0.0.1:1", "127.0.0.1", &[]), None);
        assert_eq!(
            apart("203.0.113.5:1", "", &said),
            Some("203.0.113.5".to_owned())
        );
    }

    proptest! {
        #[test]
        fn nothing_a_caller_writes_hides_the_stranger_our_proxy_saw(forged in "[ -~]{0,60}") {
            let line = format!("{forged}, 192.0.2.9");
            prop_assert_eq!(client("10.0.0.1", &[line.as_str()]), "192.0.2.9");
        }
    }
}
