//! Which callback addresses are accepted, and which are really called.
//!
//! Public addresses are accepted, as Twilio does, but never called: nothing leaves the machine.

use std::net::{IpAddr, Ipv6Addr};

use url::{Host, Url};

/// What the sandbox does with a callback address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// On this machine: accepted and called.
    Loopback,
    /// Elsewhere on the internet: accepted, not called.
    Public,
    /// Not an address that Twilio would call: 21609.
    Refused,
}

pub(super) fn reach(text: &str) -> Reach {
    let Ok(url) = Url::parse(text) else {
        return Reach::Refused;
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Reach::Refused;
    }
    match url.host() {
        None => Reach::Refused,
        Some(Host::Domain("localhost")) => Reach::Loopback,
        Some(Host::Domain(name)) => {
            let local = [
                "localhost",
                "local",
                "internal",
                "lan",
                "home.arpa",
                "invalid",
                "test",
            ];
            let ends = |end: &str| {
                name.strip_suffix(end)
                    .is_some_and(|rest| rest.ends_with('.'))
            };
            if !name.contains('.') || name.contains('_') || local.into_iter().any(ends) {
                Reach::Refused
            } else {
                Reach::Public
            }
        }
        Some(Host::Ipv4(ip)) => of_ip(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => of_ip(IpAddr::V6(ip).to_canonical()),
    }
}

fn of_ip(ip: IpAddr) -> Reach {
    if ip.is_loopback() {
        return Reach::Loopback;
    }
    let private = match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            ip.is_private()
                || ip.is_link_local()
                || ip.is_multicast()
                || first == 0
                || first >= 240
                // Shared address space of carriers (RFC 6598).
                || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(ip) => {
            ip == Ipv6Addr::UNSPECIFIED
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip.is_multicast()
        }
    };
    if private {
        Reach::Refused
    } else {
        Reach::Public
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_called_and_private_networks_are_refused() {
        for (url, expected) in [
            ("http://127.0.0.1:8080/hooks?d=1#rc=3", Reach::Loopback),
            ("http://localhost:8080/", Reach::Loopback),
            ("http://[::1]:8080/", Reach::Loopback),
            ("http://[::ffff:127.0.0.1]/", Reach::Loopback),
            ("https://example.com/hook", Reach::Public),
            ("http://10.0.0.1/", Reach::Refused),
            ("http://192.168.1.2/", Reach::Refused),
            ("http://169.254.169.254/", Reach::Refused),
            ("http://100.64.0.1/", Reach::Refused),
            ("http://0.0.0.0:8080/", Reach::Refused),
            ("http://[fd00::1]/", Reach::Refused),
            ("http://db.internal/", Reach::Refused),
            ("http://evil.localhost/", Reach::Refused),
            ("http://intranet/", Reach::Refused),
            ("https://under_score.example.com/", Reach::Refused),
            ("ftp://example.com/", Reach::Refused),
            ("/relative", Reach::Refused),
        ] {
            assert_eq!(reach(url), expected, "{url}");
        }
    }
}
