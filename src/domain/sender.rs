//! What a tenant's messages come from, and which of it a message takes.
//!
//! A rule says [`rule::Sender`] where it spells one out; a [`SenderProfile`] is kept by the tenant, has a
//! name, and may be chosen without any rule naming it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::address::Email;
use super::channel::Channel;
use super::ids::SenderId;
use super::phone::CountryCode;
use super::rule::{self, sender_address};
use super::transport::TransportName;

/// How many a tenant may have.
pub const MOST_SENDERS: i64 = 100;

/// How many countries, and how many customers, one of them may be for.
pub const MOST_CHOSEN_BY: usize = 300;

/// As many segments of texts as a sender may be said to send in a second.
pub const FASTEST: u16 = 1000;

/// Something that messages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderProfile {
    pub id: SenderId,
    pub transport: TransportName,
    pub address: SenderAddress,
    /// Beside an e-mail address readers see it; a number is only called so on our pages.
    pub name: String,
    /// What goes out where nothing else says from what. One of each transport at most.
    pub is_default: bool,
    /// Recipients in these countries get messages from it.
    pub countries: Vec<CountryCode>,
    /// These customers do, by their ids in the books.
    pub customers: Vec<String>,
    /// How many segments of texts it sends in a second; more wait here. None where nothing is known.
    pub segments_per_second: Option<u16>,
    /// When a test from it was last taken by the provider.
    pub tested_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// The address of a sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderAddress {
    /// Of text messages: a number, a short code, a name or a service.
    Text(rule::Sender),
    Email(Email),
}

impl SenderAddress {
    /// Reads what text messages are sent from: a number, a short code, a name of at most 11 characters, or
    /// a service by its id.
    ///
    /// # Errors
    ///
    /// What to type instead.
    pub fn text(typed: &str, country: Option<CountryCode>) -> Result<Self, String> {
        let typed = typed.trim();
        if is_service(typed) {
            return Ok(Self::Text(rule::Sender::MessagingService(typed.to_owned())));
        }
        let from = sender_address(typed, country)?;
        Ok(Self::Text(rule::Sender::From(from)))
    }

    /// Reads what e-mails are sent from.
    ///
    /// # Errors
    ///
    /// What to type instead.
    pub fn email(typed: &str) -> Result<Self, String> {
        let email = Email::parse(typed).map_err(|problem| problem.to_string())?;
        Ok(Self::Email(email))
    }

    /// Reads a stored address: only e-mail addresses have an `@`.
    pub fn from_stored(text: &str) -> Option<Self> {
        if text.contains('@') {
            return Email::parse(text).ok().map(Self::Email);
        }
        let text = text.to_owned();
        Some(Self::Text(if is_service(&text) {
            rule::Sender::MessagingService(text)
        } else {
            rule::Sender::From(text)
        }))
    }

    /// What is sent from it.
    pub const fn channel(&self) -> Channel {
        match self {
            Self::Text(_) => Channel::Sms,
            Self::Email(_) => Channel::Email,
        }
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(sender) => sender.as_str(),
            Self::Email(email) => email.as_str(),
        }
    }

    /// What tells whether two addresses are one.
    pub fn key(&self) -> String {
        match self {
            Self::Text(sender) => sender.as_str().to_lowercase(),
            Self::Email(email) => email.key(),
        }
    }

    /// The domain whose DNS has to vouch for it; none for text messages.
    pub fn domain(&self) -> Option<String> {
        match self {
            Self::Text(_) => None,
            Self::Email(email) => email.key().rsplit_once('@').map(|(_, d)| d.to_owned()),
        }
    }
}

/// What an e-mail comes from, as its delivery bears it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    pub address: String,
    #[serde(default)]
    pub name: String,
}

impl Mailbox {
    /// Reads what a delivery bears; `None` where that is of another channel.
    pub fn from_frozen(frozen: &str) -> Option<Self> {
        let mailbox: Self = serde_json::from_str(frozen).ok()?;
        mailbox.address.contains('@').then_some(mailbox)
    }

    /// Its domain, which must be verified at the provider.
    pub fn domain(&self) -> &str {
        let parts = self.address.rsplit_once('@');
        parts.map_or(&*self.address, |(_, domain)| domain)
    }

    /// What readers see; the address, which they see anyway, where it has no name.
    pub fn shown_name(&self) -> &str {
        match self.name.trim() {
            "" => &self.address,
            name => name,
        }
    }
}

/// `MG` and 32 hexadecimal digits.
fn is_service(text: &str) -> bool {
    text.strip_prefix("MG")
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

impl SenderProfile {
    /// What a delivery bears that goes out from it.
    pub fn frozen(&self) -> String {
        let sender = match &self.address {
            SenderAddress::Text(rule::Sender::From(from)) => json!({ "from": from }),
            SenderAddress::Text(rule::Sender::MessagingService(sid)) => {
                json!({ "messaging_service_sid": sid })
            }
            SenderAddress::Email(email) => json!(Mailbox {
                address: email.as_str().to_owned(),
                name: self.name.clone(),
            }),
        };
        sender.to_string()
    }

    /// Whether it may be used: an e-mail address must have shown that mail from it goes out, unless
    /// nothing real is sent.
    pub fn is_usable(&self, is_sandboxed: bool) -> bool {
        match self.address {
            SenderAddress::Text(_) => true,
            SenderAddress::Email(_) => is_sandboxed || self.tested_at.is_some(),
        }
    }
}

/// What a message says about where it should come from.
#[derive(Debug, Clone, Copy, Default)]
pub struct SenderWish<'a> {
    /// The transports that it may go over.
    pub transports: &'a [TransportName],
    /// Named by its rule.
    pub rule: Option<SenderId>,
    /// The customer that its document is about, by the id in the books; may be empty.
    pub customer: &'a str,
    /// Where its recipient is.
    pub country: Option<CountryCode>,
    /// Nothing real is sent, so addresses need not have been tested.
    pub is_sandboxed: bool,
}

/// What a message comes from: what its rule names, else what is for its customer, else what is for the
/// recipient's country, else the default. Of several the default comes first, then the oldest.
pub fn choose<'s>(
    senders: &'s [SenderProfile],
    wish: &SenderWish<'_>,
) -> Option<&'s SenderProfile> {
    let of = |is_meant: &dyn Fn(&SenderProfile) -> bool| {
        senders
            .iter()
            .filter(|s| wish.transports.contains(&s.transport) && s.is_usable(wish.is_sandboxed))
            .filter(|s| is_meant(s))
            .min_by_key(|s| (!s.is_default, s.id))
    };
    of(&|s| Some(s.id) == wish.rule)
        .or_else(|| of(&|s| s.customers.iter().any(|c| c == wish.customer)))
        .or_else(|| of(&|s| wish.country.is_some_and(|c| s.countries.contains(&c))))
        .or_else(|| of(&|s| s.is_default))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const TEXTS: TransportName = TransportName::named("texts");
    const MAILS: TransportName = TransportName::named("mails");

    fn profile(n: u128, transport: TransportName, address: &str) -> SenderProfile {
        SenderProfile {
            id: SenderId::from_uuid(Uuid::from_u128(n)),
            transport,
            address: SenderAddress::from_stored(address).unwrap(),
            name: "Acme".to_owned(),
            is_default: false,
            countries: Vec::new(),
            customers: Vec::new(),
            segments_per_second: None,
            tested_at: Some(DateTime::UNIX_EPOCH),
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    fn country(code: &str) -> CountryCode {
        CountryCode::parse(code).unwrap()
    }

    fn four() -> Vec<SenderProfile> {
        let mut all: Vec<_> = (1..=4)
            .map(|n| profile(n, TEXTS, &format!("+1617555010{n}")))
            .collect();
        all[0].is_default = true;
        all[1].countries = vec![country("GB"), country("IE")];
        all[2].customers = vec!["c7".to_owned()];
        all
    }

    fn chosen(senders: &[SenderProfile], wish: SenderWish<'_>) -> Option<u128> {
        let wish = SenderWish {
            transports: &[TEXTS, MAILS],
            ..wish
        };
        choose(senders, &wish).map(|s| s.id.uuid().as_u128())
    }

    #[test]
    fn the_rule_comes_before_the_customer_the_country_and_the_default() {
        let all = four();
        let mut wish = SenderWish {
            rule: Some(all[3].id),
            customer: "c7",
            country: Some(country("GB")),
            ..SenderWish::default()
        };
        assert_eq!(chosen(&all, wish), Some(4));
        wish.rule = None;
        assert_eq!(chosen(&all, wish), Some(3));
        wish.customer = "c8";
        assert_eq!(chosen(&all, wish), Some(2));
        wish.country = Some(country("US"));
        assert_eq!(chosen(&all, wish), Some(1));
        assert_eq!(chosen(&all[1..], wish), None, "nothing is the default");
    }

    #[test]
    fn another_transport_and_what_was_never_tested_are_not_chosen() {
        let mut mail = profile(9, MAILS, "billing@acme.example");
        mail.is_default = true;
        mail.tested_at = None;
        let wish = SenderWish {
            transports: &[MAILS],
            rule: Some(mail.id),
            ..SenderWish::default()
        };
        let all = [four(), vec![mail]].concat();
        assert!(choose(&all, &wish).is_none(), "never tested");
        let sandboxed = SenderWish {
            is_sandboxed: true,
            ..wish
        };
        assert_eq!(choose(&all, &sandboxed).map(|s| s.id), wish.rule);
        let texts = SenderWish {
            transports: &[TEXTS],
            ..sandboxed
        };
        let other = choose(&all, &texts).map(|s| s.id);
        assert_eq!(other, Some(all[0].id), "the default of its own");
    }

    #[test]
    fn what_goes_out_is_frozen_as_deliveries_bear_it() {
        let frozen = |address: &str| profile(1, TEXTS, address).frozen();
        assert_eq!(frozen("+16175550101"), r#"{"from":"+16175550101"}"#);
        let sid = format!("MG{}", "0a".repeat(16));
        let service = format!(r#"{{"messaging_service_sid":"{sid}"}}"#);
        assert_eq!(frozen(&sid), service);
        assert_eq!(
            frozen("billing@acme.example"),
            r#"{"address":"billing@acme.example","name":"Acme"}"#
        );
    }

    #[test]
    fn a_mailbox_is_read_as_deliveries_bear_it() {
        let frozen = profile(1, MAILS, "billing@acme.example").frozen();
        let mailbox = Mailbox::from_frozen(&frozen).unwrap();
        assert_eq!(
            (mailbox.shown_name(), mailbox.domain()),
            ("Acme", "acme.example")
        );
        let bare = Mailbox::from_frozen(r#"{"address":"a@example.com"}"#).unwrap();
        assert_eq!(bare.shown_name(), "a@example.com");
        for none in ["", "{}", r#"{"from":"+1"}"#, r#"{"address":"+1617"}"#] {
            assert_eq!(Mailbox::from_frozen(none), None, "{none}");
        }
    }

    #[test]
    fn an_address_is_read_as_its_transport_has_them() {
        let gb = CountryCode::parse("GB").ok();
        let text = |typed: &str| SenderAddress::text(typed, gb).map(|a| a.as_str().to_owned());
        assert_eq!(text(" 07700 900456 ").as_deref(), Ok("+447700900456"));
        assert_eq!(text("Bowman & Co").as_deref(), Ok("Bowman & Co"));
        assert_eq!(text("24365").as_deref(), Ok("24365"));
        assert!(text("billing@acme.example").is_err());
        assert!(SenderAddress::email("Acme").is_err());
        let email = SenderAddress::email("Billing@Acme.example").unwrap();
        assert_eq!(email.key(), "billing@acme.example");
        assert_eq!(email.domain().as_deref(), Some("acme.example"));
    }

    proptest! {
        #[test]
        fn the_order_of_the_list_does_not_matter_and_what_is_chosen_is_usable(
            kinds in prop::collection::vec((0..2_u8, any::<bool>(), any::<bool>(), 0..3_u8, 0..3_u8), 0..8),
            rule in prop::option::of(0..8_u128),
            customer in 0..3_u8,
            turn in 0..8_usize,
        ) {
            let countries = ["US", "GB", "IN"].map(country);
            let mut all: Vec<_> = (0_u128..).zip(&kinds).map(|(n, kind)| {
                let (transport, address) = [(TEXTS, "+16175550101"), (MAILS, "a@acme.example")][usize::from(kind.0)];
                let mut one = profile(n, transport, address);
                one.is_default = kind.1;
                one.tested_at = kind.2.then_some(DateTime::UNIX_EPOCH);
                one.countries = vec![countries[usize::from(kind.3)]];
                one.customers = vec![format!("c{}", kind.4)];
                one
            }).collect();
            let customer = format!("c{customer}");
            let wish = SenderWish {
                transports: &[MAILS],
                rule: rule.map(|n| SenderId::from_uuid(Uuid::from_u128(n))),
                customer: &customer,
                country: Some(countries[0]),
                is_sandboxed: false,
            };
            let first = choose(&all, &wish).cloned();
            if let Some(one) = &first {
                prop_assert!(one.transport == MAILS && one.tested_at.is_some());
                let is_for_them = one.customers.contains(&customer);
                let has_any_reason = Some(one.id) == wish.rule || is_for_them
                    || one.countries.contains(&countries[0]) || one.is_default;
                prop_assert!(has_any_reason);
            }
            if !all.is_empty() {
                let by = turn % all.len();
                all.rotate_left(by);
            }
            prop_assert_eq!(choose(&all, &wish), first.as_ref());
        }

        #[test]
        fn no_text_panics_and_what_is_read_is_read_again(typed in "\\PC{0,40}") {
            for read in [SenderAddress::text(&typed, None), SenderAddress::email(&typed)] {
                let Ok(address) = read else { continue };
                prop_assert_eq!(SenderAddress::from_stored(address.as_str()), Some(address));
            }
        }
    }
}
