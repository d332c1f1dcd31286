//! The web server: where it listens, what it is called, whom it believes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use url::{Host, Url};

use super::reader::{self, Reader};

/// How the web server is set up.
#[derive(Debug, Clone)]
pub struct WebConfig {
    /// `BIND` and `PORT`: where to listen. Default `127.0.0.1:8080`; `PORT` wins over the port of
    /// `BIND`; port 0 takes any free one.
    pub bind: SocketAddr,
    /// `PUBLIC_URL`: the address in links and callbacks. Default: the address really bound
    /// ([`PublicUrl::of_bound`]); never from a Host header.
    pub public_url: Option<PublicUrl>,
    /// `TRUSTED_PROXIES`: whose `X-Forwarded-For` is believed; `fly` is Fly's proxy, whose
    /// `Fly-Client-IP` is. Default: nobody's.
    pub trusted_proxies: TrustedProxies,
    /// `SIGNUP`: whether strangers may open an account. Default `closed`.
    pub signup: Signup,
    /// `STOP_DELAY`: how long a process that was told to stop goes on serving while `/readyz` says
    /// 503. Default: see [`Config::stop_delay`](super::Config::stop_delay).
    pub stop_delay: Option<Duration>,
}

/// Nobody waits longer for a process to stop.
const LONGEST_STOP_DELAY: u64 = 300;

/// Whether strangers may open an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signup {
    Open,
    Closed,
}

impl WebConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let mut bind = reader
            .parsed(
                "BIND",
                "write an address and a port, like 0.0.0.0:8080",
                |text| {
                    text.parse()
                        .map_err(|_| "is not an IP address with a port".to_owned())
                },
            )
            .unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
        if let Some(port) = reader.parsed("PORT", "write a number up to 65535, like 8080", |text| {
            text.parse().map_err(|_| "is not a port".to_owned())
        }) {
            bind.set_port(port);
        }
        Self {
            bind,
            public_url: reader.parsed(
                "PUBLIC_URL",
                "write where browsers and providers reach this server, like https://sms.example.com",
                PublicUrl::parse,
            ),
            trusted_proxies: reader
                .parsed(
                    "TRUSTED_PROXIES",
                    "write the proxies' addresses or networks, like 10.0.0.0/8, 127.0.0.1, or fly",
                    TrustedProxies::parse,
                )
                .unwrap_or_default(),
            signup: reader.one_of(
                "SIGNUP",
                &[("open", Signup::Open), ("closed", Signup::Closed)],
                Signup::Closed,
            ),
            stop_delay: reader.parsed(
                "STOP_DELAY",
                "write seconds, from 0 to 300, like 10",
                |text| match text.parse() {
                    Ok(seconds @ 0..=LONGEST_STOP_DELAY) => Ok(Duration::from_secs(seconds)),
                    _ => Err("is not such a number of seconds".to_owned()),
                },
            ),
        }
    }
}

/// The address under which the outside reaches us: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    base: Url,
}

impl PublicUrl {
    /// Reads an http or https address that ends after the host.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(Self {
            base: reader::bare_url(text)?,
        })
    }

    /// The address really bound, with loopback for "every address", which nobody can visit.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "a socket address always makes a URL"
    )]
    pub fn of_bound(bound: SocketAddr) -> Self {
        let ip = match bound.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        let text = format!("http://{}/", SocketAddr::new(ip, bound.port()));
        Self {
            base: Url::parse(&text).expect("an address makes a URL"),
        }
    }

    /// The base, ending in a slash.
    pub const fn base(&self) -> &Url {
        &self.base
    }

    /// The absolute address of a path that begins with a slash.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// The base as browsers send it in `Origin`: without the trailing slash.
    pub fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// Whether pages are read over TLS: cookies are then `Secure`.
    pub fn is_https(&self) -> bool {
        self.base.scheme() == "https"
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        reader::is_loopback(&self.base)
    }

    /// Whether Twilio would accept a callback there: https, and a host that is not private by its
    /// address or name (Twilio refuses others with 21609, and the message with them).
    pub fn is_public_https(&self) -> bool {
        let public = match self.base.host() {
            Some(Host::Domain(name)) => is_public_name(name),
            Some(Host::Ipv4(ip)) => is_public_v4(ip),
            Some(Host::Ipv6(ip)) => match IpAddr::from(ip).to_canonical() {
                IpAddr::V4(ip) => is_public_v4(ip),
                IpAddr::V6(ip) => is_public_v6(ip),
            },
            None => false,
        };
        self.is_https() && public
    }
}

/// A name with a dot whose last label is not set apart for private or test use (RFC 2606, 6761,
/// 6762, 8375, and ICANN's `internal`).
fn is_public_name(name: &str) -> bool {
    const PRIVATE: [&str; 9] = [
        "localhost",
        "local",
        "internal",
        "lan",
        "home",
        "test",
        "invalid",
        "arpa",
        "example",
    ];
    let name = name.trim_end_matches('.');
    name.rsplit_once('.')
        .is_some_and(|(_, last)| !PRIVATE.contains(&last))
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    let carrier_nat = a == 100 && (64..128).contains(&b);
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_multicast()
        || ip.is_broadcast()
        || a == 0
        || a >= 240
        || carrier_nat)
}

/// Global unicast is `2000::/3`; `2001:db8::/32` is documentation.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    a & 0xe000 == 0x2000 && !(a == 0x2001 && b == 0x0db8)
}

/// Addresses and networks of proxies that we run ourselves, and whether Fly's stands in front.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    is_fly: bool,
}

/// The word for Fly's proxy, which has no fixed address.
const FLY: &str = "fly";

impl TrustedProxies {
    /// Reads addresses and networks, apart by commas or blanks; `fly` is Fly's proxy.
    pub fn parse(text: &str) -> Result<Self, String> {
        let entries = text
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|e| !e.is_empty());
        let mut proxies = Self::default();
        for entry in entries {
            if entry.eq_ignore_ascii_case(FLY) {
                proxies.is_fly = true;
                continue;
            }
            let net = entry.parse::<IpNet>();
            let net = net.or_else(|_| {
                entry
                    .parse::<IpAddr>()
                    .map(|ip| IpNet::from(ip.to_canonical()))
            });
            let net =
                net.map_err(|_| format!("has an entry that is no address or network: {entry}"));
            proxies.networks.push(net?);
        }
        Ok(proxies)
    }

    /// Whether a proxy with this address is ours.
    pub fn trusts(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.networks.iter().any(|net| net.contains(&ip))
    }

    /// Whether this is Fly's proxy: it reaches machines from private addresses, IPv4 or those of the
    /// organisation's own network, where nobody else is.
    pub fn is_fly(&self, ip: IpAddr) -> bool {
        self.is_fly
            && match ip.to_canonical() {
                IpAddr::V4(ip) => ip.is_private(),
                IpAddr::V6(ip) => ip.segments()[0] == 0xfdaa,
            }
    }

    /// Whether no proxy is named.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.is_fly
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{mistake, parse};
    use super::*;

    #[test]
    fn port_wins_over_the_port_of_bind() {
        let web = parse(&[("BIND", "0.0.0.0:9000"), ("PORT", "8081")])
            .unwrap()
            .web;
        assert_eq!(web.bind.to_string(), "0.0.0.0:8081");
        let web = parse(&[("PORT", "0")]).unwrap().web;
        assert_eq!(web.bind.to_string(), "127.0.0.1:0");
    }

    #[test]
    fn the_public_url_falls_back_to_the_address_bound() {
        assert_eq!(parse(&[]).unwrap().web.public_url, None);
        let bound = |text: &str| PublicUrl::of_bound(text.parse().unwrap()).origin();
        assert_eq!(bound("0.0.0.0:8080"), "http://127.0.0.1:8080");
        assert_eq!(bound("[::]:8080"), "http://[::1]:8080");
        assert_eq!(bound("192.0.2.7:80"), "http://192.0.2.7");
    }

    #[test]
    fn a_public_url_ends_after_the_host() {
        let url = PublicUrl::parse("https://sms.example.com/").unwrap();
        assert_eq!(
            url.join("/hooks/zoho/x"),
            "https://sms.example.com/hooks/zoho/x"
        );
        assert_eq!(
            url,
            PublicUrl::parse("https://SMS.example.com:443").unwrap()
        );
        for text in [
            "sms.example.com",
            "ftp://a.com",
            "https://a.com/x",
            "https://a.com/?q",
            "https://u@a.com",
        ] {
            assert_eq!(mistake(&[("PUBLIC_URL", text)]).variable, "PUBLIC_URL");
        }
    }

    #[test]
    fn callbacks_need_a_public_https_address() {
        let public = |text: &str| PublicUrl::parse(text).unwrap().is_public_https();
        for yes in [
            "https://sms.example.com",
            "https://8.8.8.8",
            "https://[2606:4700::1]:8443",
        ] {
            assert!(public(yes), "{yes}");
        }
        for no in [
            "http://sms.example.com",
            "https://localhost",
            "https://intranet",
            "https://a.localhost",
            "https://a.local",
            "https://a.internal.",
            "https://127.0.0.1",
            "https://10.1.2.3",
            "https://100.64.0.1",
            "https://169.254.1.1",
            "https://0.0.0.0",
            "https://[::1]",
            "https://[fd00::1]",
            "https://[fe80::1]",
            "https://[::ffff:10.0.0.1]",
        ] {
            assert!(!public(no), "{no}");
        }
    }

    #[test]
    fn proxies_are_addresses_or_networks() {
        let proxies = TrustedProxies::parse("10.0.0.0/8, 192.0.2.7 fd00::/8").unwrap();
        let trusts = |ip: &str| proxies.trusts(ip.parse().unwrap());
        assert!(trusts("10.9.8.7") && trusts("192.0.2.7") && trusts("fd00::1"));
        assert!(trusts("::ffff:10.9.8.7"));
        assert!(!trusts("11.0.0.1") && !trusts("192.0.2.8") && !trusts("::1"));
        assert!(!TrustedProxies::default().trusts("127.0.0.1".parse().unwrap()));
        let fly = TrustedProxies::parse("Fly").unwrap();
        let is_fly = |ip: &str| fly.is_fly(ip.parse().unwrap());
        assert!(is_fly("172.16.5.2") && is_fly("::ffff:172.19.0.1") && is_fly("fdaa:0:1::3"));
        assert!(!is_fly("8.8.8.8") && !is_fly("fd00::1") && !is_fly("2a09:8280:1::1"));
        assert!(!proxies.is_fly("172.16.5.2".parse().unwrap()) && !fly.is_empty());
        assert!(!fly.trusts("172.16.5.2".parse().unwrap()));
        assert_eq!(
            mistake(&[("TRUSTED_PROXIES", "10.0.0.0/8, proxy")]).variable,
            "TRUSTED_PROXIES"
        );
    }

    #[test]
    fn only_where_another_process_can_take_over_is_the_stop_put_off() {
        let delay = |set: &[(&str, &str)]| parse(set).unwrap().stop_delay().as_secs();
        let postgres = ("DATABASE_URL", "postgres://localhost/x");
        let key = ("MASTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        assert_eq!(delay(&[]), 0);
        assert_eq!(delay(&[postgres, key]), 5);
        assert_eq!(delay(&[postgres, key, ("STOP_DELAY", "0")]), 0);
        assert_eq!(delay(&[("STOP_DELAY", "20")]), 20);
        for text in ["301", "-1", "1.5", "5s"] {
            assert_eq!(mistake(&[("STOP_DELAY", text)]).variable, "STOP_DELAY");
        }
    }

    #[test]
    fn strangers_stay_out_unless_told_otherwise() {
        assert_eq!(parse(&[]).unwrap().web.signup, Signup::Closed);
        assert_eq!(
            parse(&[("SIGNUP", "open")]).unwrap().web.signup,
            Signup::Open
        );
        assert_eq!(
            mistake(&[("SIGNUP", "yes")]).write,
            "write `open` or `closed`"
        );
    }
}
