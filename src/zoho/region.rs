//! Zoho's data centres: the fixed table of hosts that a secret may be sent to.
//!
//! The callback's `accounts-server` and the token reply's `api_domain` come from outside. They only
//! ever *choose a row* of this table; the address that is called is always the table's own text.

use std::fmt;

use strum::VariantArray as _;
use url::Url;

use super::message::Message;

/// A Zoho data centre. An organisation lives in exactly one. (Zoho Books API v3, *Introduction*;
/// Zoho Accounts, *Multi DC support*.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, strum::VariantArray)]
pub enum Region {
    UnitedStates,
    Europe,
    India,
    Australia,
    Japan,
    Canada,
    China,
    SaudiArabia,
    /// Not in Zoho Books' own list of data centres.
    UnitedKingdom,
    /// Not in Zoho Books' own list of data centres.
    Emirates,
}

/// One row of the table.
struct Row {
    location: &'static str,
    accounts_host: &'static str,
    accounts_base: &'static str,
    api_base: &'static str,
    web_host: Option<&'static str>,
    words: &'static str,
}

/// The text names no known data centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a Zoho data centre")]
pub struct UnknownRegion;

impl Region {
    /// Every data centre, in the order in which pages list them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The stable text, as stored and as in the callback's `location`: `us`, `eu`, …
    pub const fn location(self) -> &'static str {
        self.row().location
    }

    /// The host of the accounts server, for showing: `accounts.zoho.eu`.
    pub const fn accounts_host(self) -> &'static str {
        self.row().accounts_host
    }

    /// The accounts server without a trailing slash: `https://accounts.zoho.eu`.
    pub const fn accounts_base(self) -> &'static str {
        self.row().accounts_base
    }

    /// The API root without a trailing slash and without `/books/v3`: `https://www.zohoapis.eu`.
    pub const fn api_base(self) -> &'static str {
        self.row().api_base
    }

    /// Where people use Zoho Books: `books.zoho.eu`. `None` where that is not known.
    pub const fn web_host(self) -> Option<&'static str> {
        self.row().web_host
    }

    /// A clerk's words: "Europe".
    pub const fn label(self) -> &'static str {
        self.row().words
    }

    /// Whether Zoho lists the data centre for Books; the others may or may not answer.
    pub const fn is_confirmed(self) -> bool {
        !matches!(self, Self::UnitedKingdom | Self::Emirates)
    }

    /// Reads a `location` of the table, exactly.
    pub fn from_location(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| r.location() == text)
    }

    /// Reads the callback's `accounts-server`: only the exact address of the table, so no other
    /// scheme, port, path, user information or spelling.
    pub fn from_accounts_server(url: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| r.accounts_base() == url)
    }

    /// Reads a token reply's `api_domain`: only the exact address of the table.
    pub fn from_api_domain(url: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| r.api_base() == url)
    }

    /// The data centre that a consent callback names: `accounts_server` must be in the table (or be
    /// the sandbox), then `location`, then the one where consent began. A stranger is an error, never
    /// a default: the client secret is sent there.
    pub fn of_callback(
        accounts_server: Option<&str>,
        location: Option<&str>,
        began_at: Self,
        sandbox: Option<&Url>,
    ) -> Result<Self, UnknownRegion> {
        let is_sandbox = |server: &str| {
            sandbox.is_some_and(|base| {
                base.as_str().trim_end_matches('/') == server.trim_end_matches('/')
            })
        };
        if let Some(server) = accounts_server.filter(|server| !is_sandbox(server)) {
            return Self::from_accounts_server(server).ok_or(UnknownRegion);
        }
        match location {
            Some(location) => Self::from_location(location).ok_or(UnknownRegion),
            None => Ok(began_at),
        }
    }

    const fn row(self) -> Row {
        macro_rules! row {
            ($location:literal, $accounts:literal, $api:literal, $web:expr, $words:literal) => {
                Row {
                    location: $location,
                    accounts_host: $accounts,
                    accounts_base: concat!("https://", $accounts),
                    api_base: concat!("https://", $api),
                    web_host: $web,
                    words: $words,
                }
            };
        }
        match self {
            Self::UnitedStates => row!(
                "us",
                "accounts.zoho.com",
                "www.zohoapis.com",
                Some("books.zoho.com"),
                "United States"
            ),
            Self::Europe => {
                row!(
                    "eu",
                    "accounts.zoho.eu",
                    "www.zohoapis.eu",
                    Some("books.zoho.eu"),
                    "Europe"
                )
            }
            Self::India => {
                row!(
                    "in",
                    "accounts.zoho.in",
                    "www.zohoapis.in",
                    Some("books.zoho.in"),
                    "India"
                )
            }
            Self::Australia => row!(
                "au",
                "accounts.zoho.com.au",
                "www.zohoapis.com.au",
                Some("books.zoho.com.au"),
                "Australia"
            ),
            Self::Japan => {
                row!(
                    "jp",
                    "accounts.zoho.jp",
                    "www.zohoapis.jp",
                    Some("books.zoho.jp"),
                    "Japan"
                )
            }
            // The web host is inferred from the accounts host: Zoho's pages do not name it.
            Self::Canada => row!(
                "ca",
                "accounts.zohocloud.ca",
                "www.zohoapis.ca",
                Some("books.zohocloud.ca"),
                "Canada"
            ),
            Self::China => row!(
                "cn",
                "accounts.zoho.com.cn",
                "www.zohoapis.com.cn",
                Some("books.zoho.com.cn"),
                "China"
            ),
            Self::SaudiArabia => row!(
                "sa",
                "accounts.zoho.sa",
                "www.zohoapis.sa",
                Some("books.zoho.sa"),
                "Saudi Arabia"
            ),
            Self::UnitedKingdom => {
                row!(
                    "uk",
                    "accounts.zoho.uk",
                    "www.zohoapis.uk",
                    None,
                    "United Kingdom"
                )
            }
            Self::Emirates => {
                row!(
                    "ae",
                    "accounts.zoho.ae",
                    "www.zohoapis.ae",
                    None,
                    "United Arab Emirates"
                )
            }
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// Where to call: a data centre's hosts, or a sandbox in place of every host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    region: Region,
    accounts_base: String,
    api_base: String,
    is_sandbox: bool,
}

impl Endpoints {
    /// The hosts of `region`; `sandbox`, when set, replaces them all.
    pub fn new(region: Region, sandbox: Option<&Url>) -> Self {
        let sandbox = sandbox.map(|base| base.as_str().trim_end_matches('/').to_owned());
        Self {
            region,
            is_sandbox: sandbox.is_some(),
            accounts_base: sandbox
                .clone()
                .unwrap_or_else(|| region.accounts_base().to_owned()),
            api_base: sandbox.unwrap_or_else(|| region.api_base().to_owned()),
        }
    }

    /// The data centre.
    pub const fn region(&self) -> Region {
        self.region
    }

    /// The accounts server, without a trailing slash.
    pub fn accounts_base(&self) -> &str {
        &self.accounts_base
    }

    /// The API root, without a trailing slash and without `/books/v3`.
    pub fn api_base(&self) -> &str {
        &self.api_base
    }

    /// The API root to use after a reply that named `api_domain`: believed when it is in the table,
    /// else this region's own.
    pub(super) fn checked_api_base(&self, api_domain: Option<&str>) -> String {
        let named = api_domain
            .filter(|_| !self.is_sandbox)
            .map(|d| (d, Region::from_api_domain(d)));
        match named {
            Some((_, Some(region))) => region.api_base().to_owned(),
            Some((domain, None)) => {
                tracing::warn!(
                    zoho.region = self.region.location(),
                    "Zoho named an unknown api_domain, \"{}\"; using {}",
                    Message::new(domain),
                    self.api_base,
                );
                self.api_base.clone()
            }
            None => self.api_base.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_row_reads_back_and_no_two_rows_share_an_address() {
        for &region in Region::ALL {
            assert_eq!(Region::from_location(region.location()), Some(region));
            assert_eq!(
                Region::from_accounts_server(region.accounts_base()),
                Some(region)
            );
            assert_eq!(Region::from_api_domain(region.api_base()), Some(region));
        }
    }

    #[test]
    fn every_address_is_https_with_a_host_and_nothing_else() {
        for base in Region::ALL
            .iter()
            .flat_map(|r| [r.accounts_base(), r.api_base()])
        {
            let url = Url::parse(base).unwrap();
            assert_eq!(format!("https://{}", url.host_str().unwrap()), base);
        }
    }

    #[test]
    fn an_accounts_server_that_only_resembles_one_is_refused() {
        for url in [
            "",
            "accounts.zoho.eu",
            "http://accounts.zoho.eu",
            "https://accounts.zoho.eu/",
            "https://accounts.zoho.eu:443",
            "https://accounts.zoho.eu:8443",
            "https://accounts.zoho.eu/oauth",
            "https://accounts.zoho.eu?x=1",
            "https://accounts.zoho.eu#x",
            "https://accounts.zoho.eu@evil.example",
            "https://u:p@accounts.zoho.eu",
            "https://accounts.zoho.eu.evil.example",
            "https://accounts.zoho.eu\\@evil.example",
            "https://ACCOUNTS.zoho.eu",
            "https://accounts.zoho.eu.",
            " https://accounts.zoho.eu",
            "https://accounts.zoho.eu\n",
            "https://www.zohoapis.eu",
            "https://169.254.169.254",
        ] {
            assert_eq!(Region::from_accounts_server(url), None, "{url:?}");
        }
    }

    #[test]
    fn an_api_domain_outside_the_table_is_refused() {
        for url in [
            "https://api.zoho.com",
            "https://www.zohoapis.com.evil.example",
            "www.zohoapis.eu",
        ] {
            assert_eq!(Region::from_api_domain(url), None, "{url:?}");
        }
    }

    #[test]
    fn the_two_data_centres_that_books_does_not_list_are_marked() {
        let unlisted: Vec<_> = Region::ALL
            .iter()
            .copied()
            .filter(|r| !r.is_confirmed())
            .map(Region::location)
            .collect();
        assert_eq!(unlisted, ["uk", "ae"]);
    }

    #[test]
    fn an_api_domain_is_believed_only_from_the_table() {
        let europe = Endpoints::new(Region::Europe, None);
        let own = "https://www.zohoapis.eu";
        assert_eq!(europe.checked_api_base(None), own);
        assert_eq!(europe.checked_api_base(Some(own)), own);
        assert_eq!(
            europe.checked_api_base(Some("https://www.zohoapis.in")),
            "https://www.zohoapis.in"
        );
        for stranger in [
            "https://api.zoho.com",
            "https://evil.example",
            "http://www.zohoapis.eu",
            "",
        ] {
            assert_eq!(europe.checked_api_base(Some(stranger)), own);
        }
    }

    #[test]
    fn a_callback_leads_only_to_a_known_server() {
        let began = Region::UnitedStates;
        let region = |server, location| Region::of_callback(server, location, began, None);
        assert_eq!(
            region(Some("https://accounts.zoho.eu"), Some("eu")).unwrap(),
            Region::Europe
        );
        assert_eq!(
            region(Some("https://accounts.zoho.in"), None).unwrap(),
            Region::India
        );
        assert_eq!(region(None, Some("au")).unwrap(), Region::Australia);
        assert_eq!(region(None, None).unwrap(), began);
        for stranger in [
            "https://evil.example",
            "https://accounts.zoho.eu:444",
            "http://127.0.0.1",
            "",
        ] {
            assert!(matches!(
                region(Some(stranger), Some("eu")),
                Err(UnknownRegion)
            ));
        }
        assert!(matches!(region(None, Some("moon")), Err(UnknownRegion)));

        let sandbox = Url::parse("http://127.0.0.1:9000").unwrap();
        let named = Some("http://127.0.0.1:9000");
        assert!(Region::of_callback(named, Some("eu"), began, None).is_err());
        assert_eq!(
            Region::of_callback(named, Some("eu"), began, Some(&sandbox)).unwrap(),
            Region::Europe
        );
    }

    #[test]
    fn a_sandbox_replaces_every_host() {
        let base = Url::parse("http://127.0.0.1:9000/").unwrap();
        let endpoints = Endpoints::new(Region::Japan, Some(&base));
        assert_eq!(endpoints.accounts_base(), "http://127.0.0.1:9000");
        assert_eq!(endpoints.api_base(), "http://127.0.0.1:9000");
        assert_eq!(endpoints.region(), Region::Japan);
    }

    proptest! {
        #[test]
        fn nothing_around_an_address_is_forgiven(
            which in 0..Region::ALL.len(), before in ".{0,4}", after in ".{0,4}",
        ) {
            let base = Region::ALL[which].accounts_base();
            let url = format!("{before}{base}{after}");
            // `.com` + `.au` and the like are rows themselves.
            let known = Region::ALL.iter().any(|r| r.accounts_base() == url);
            prop_assert_eq!(Region::from_accounts_server(&url).is_some(), known);
        }
    }
}
