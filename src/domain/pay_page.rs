//! Pages on which customers pay: only Zoho's own, from a fixed table of hosts.
//!
//! The link comes with a body that anybody may have composed, and a button that says *Pay* is what a thief
//! would turn to a page of his.

use url::Url;

/// What Zoho's payment and portal pages are served under, per data centre: the host itself or one below it.
const HOSTS: &[&str] = &[
    "zohosecurepay.com",
    "zohosecurepay.eu",
    "zohosecurepay.in",
    "zohosecurepay.com.au",
    "zohosecurepay.jp",
    "zohosecurepay.ca",
    "zohosecurepay.com.cn",
    "zohosecurepay.sa",
    "zohosecurepay.uk",
    "zohosecurepay.ae",
    "books.zoho.com",
    "books.zoho.eu",
    "books.zoho.in",
    "books.zoho.com.au",
    "books.zoho.jp",
    "books.zohocloud.ca",
    "books.zoho.com.cn",
    "books.zoho.sa",
    "books.zoho.uk",
    "books.zoho.ae",
    "books.zohosecure.com",
    "books.zohosecure.eu",
    "books.zohosecure.in",
    "books.zohosecure.com.au",
    "books.zohosecure.jp",
    "books.zohosecure.ca",
    "books.zohosecure.com.cn",
    "books.zohosecure.sa",
];

/// A page of Zoho's on which an invoice is shown and paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayPage(Url);

impl PayPage {
    /// Reads an `https` address under one of Zoho's hosts, or of exactly one of `also`: the stand-in's, or a
    /// portal's own domain.
    pub fn parse(link: &str, also: &[String]) -> Option<Self> {
        let url = Url::parse(link.trim()).ok()?;
        let host = url.host_str()?;
        let is_also = also.iter().any(|known| known.eq_ignore_ascii_case(host));
        let is_plain = url.username().is_empty() && url.password().is_none();
        let is_zohos = url.scheme() == "https" && url.port().is_none() && is_under(host);
        let is_taken = is_zohos || (is_also && matches!(url.scheme(), "https" | "http"));
        (is_plain && is_taken).then_some(Self(url))
    }

    /// The address, as it goes into a link.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

fn is_under(host: &str) -> bool {
    HOSTS.iter().any(|known| {
        let before = host.strip_suffix(known);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zohos_own_pages_are_paid_on() {
        for link in [
            "https://zohosecurepay.com/books/zillum/secure?CInvoiceID=2-0011 ",
            "https://ZohoSecurePay.eu/books/a/secure",
            "https://books.zoho.in/SecurePayment?CInvoiceID=1",
            "https://books.zohosecure.com/portal/acme/secure",
        ] {
            assert!(PayPage::parse(link, &[]).is_some(), "{link}");
        }
        for link in [
            "",
            "zohosecurepay.com/x",
            "http://zohosecurepay.com/x",
            "https://zohosecurepay.com.evil.example/x",
            "https://evilzohosecurepay.com/x",
            "https://zohosecurepay.com@evil.example/x",
            "https://user@zohosecurepay.com/x",
            "https://zohosecurepay.com:8443/x",
            "https://zohosecurepаy.com/x",
            "javascript:alert(1)//zohosecurepay.com",
            "https://evil.example/?zohosecurepay.com",
            "data:text/html,x",
        ] {
            assert!(PayPage::parse(link, &[]).is_none(), "{link}");
        }
    }

    #[test]
    fn hosts_of_ones_own_are_taken_exactly() {
        let also = ["portal.acme.example".to_owned(), "127.0.0.1".to_owned()];
        assert!(PayPage::parse("https://portal.acme.example/x", &also).is_some());
        assert!(PayPage::parse("http://127.0.0.1:9000/pay", &also).is_some());
        assert!(PayPage::parse("https://x.portal.acme.example/", &also).is_none());
        assert!(PayPage::parse("ftp://127.0.0.1/", &also).is_none());
    }
}
