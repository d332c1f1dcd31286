//! Senders: what messages come from, and how the DNS of an e-mail address stands.

use std::borrow::Borrow;

use askama::Template;
use maud::{Markup, html};

use crate::domain::address::Phone;
use crate::domain::delivery::Channel;
use crate::domain::sender::{SenderAddress, SenderProfile};
use crate::domain::sender_dns::{DnsRecord, DnsState, Purpose};
use crate::domain::user::Ability;
use crate::web::chrome::Chrome;
use crate::web::form::FormState;
use crate::web::ui::confirm::act;
use crate::web::ui::empty::{Drawing, empty};
use crate::web::ui::field::{Choice, field};
use crate::web::ui::figure::counted;
use crate::web::ui::time::{self, Moment};
use crate::web::ui::tone::Tone;
use crate::web::ui::{badge, filters, icon, notice};

/// `GET /t/{tenant}/senders?ready=`; posts `transport`, `address`, `name`, `is_default`, `countries` and `customers`
/// there.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/senders/index.html")]
pub struct SendersPage {
    pub chrome: Chrome,
    pub senders: Vec<SenderProfile>,
    /// The ways of sending, as choices.
    pub transports: Vec<Choice>,
    /// E-mail addresses need no test, since nothing real is sent.
    pub is_sandboxed: bool,
    /// Names of customers and vendors, as they may be typed.
    pub parties: Vec<String>,
    /// `ready` besides: the ready rule that wants a sender.
    pub form: FormState,
}

impl SendersPage {
    fn nothing() -> Markup {
        empty(
            Drawing::Plug,
            "No senders yet",
            "A number that is entered under Connections stands here by itself. Add an e-mail address \
             below to send invoices from it.",
            None,
        )
    }
}

/// Its address, a number grouped for reading.
fn shown(of: &SenderProfile) -> String {
    let address = of.address.as_str();
    let number = address
        .starts_with('+')
        .then(|| Phone::from_stored(address));
    let number = number.flatten();
    number.map_or_else(|| address.to_owned(), |number| number.grouped())
}

/// What is sent from it.
fn channel(of: &SenderProfile) -> &'static str {
    match of.address.channel() {
        Channel::Sms => Channel::Sms.label(),
        Channel::Email => "E-mail",
    }
}

/// For whom it is.
fn meant_for(of: &SenderProfile) -> Markup {
    let (countries, customers) = (&of.countries, of.customers.len() as u64);
    html! {
        @if of.is_default { (badge::state(Tone::Ok, "Default")) " " }
        @for (n, country) in countries.iter().enumerate() {
            @if n > 0 { ", " }
            abbr title=(country.name()) { (country) }
        }
        @if customers > 0 {
            @if !countries.is_empty() { " · " }
            (counted(customers, "customer", "customers"))
        }
        @if !of.is_default && countries.is_empty() && of.customers.is_empty() {
            span class="muted" { "rules that name it" }
        }
    }
}

/// Whether it may be used.
fn standing(of: &SenderProfile, is_sandboxed: impl Borrow<bool>, moment: Moment) -> Markup {
    let is_sandboxed = *is_sandboxed.borrow();
    html! {
        @match (&of.address, of.tested_at) {
            (SenderAddress::Text(_), _) => {}
            (_, Some(at)) => { (badge::state(Tone::Ok, "Tested")) " " (time::short(moment, at)) }
            (_, None) if is_sandboxed => (badge::state(Tone::Quiet, "No test needed here")),
            (_, None) => (badge::state(Tone::Needs, "Test it first")),
        }
    }
}

/// `GET /t/{tenant}/senders/{sender}?look=&digits=&ready=`; posts `address`, `name`, `is_default`, `countries` and
/// `customers` there, nothing to `…/tests` and to `…/deletion`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/senders/sender.html")]
pub struct SenderPage {
    pub chrome: Chrome,
    pub sender: SenderProfile,
    pub is_sandboxed: bool,
    /// Where a test goes.
    pub own_address: String,
    pub dns: Vec<DnsRecord>,
    /// How fast senders of its kind usually are, in segments a second.
    pub usual_pace: Option<u16>,
    /// Whether somebody has just looked.
    pub has_looked: bool,
    /// The ready rule that wants it, to go on with.
    pub ready: Option<&'static str>,
    /// Names of customers and vendors, as they may be typed.
    pub parties: Vec<String>,
    /// `digits`, of the name for what comes back.
    pub look: FormState,
    pub form: FormState,
    /// What stands against a test or the deletion.
    pub refused: FormState,
}

impl SenderPage {
    fn at(&self, below: &str) -> String {
        self.chrome
            .path(&format!("/senders/{}{below}", self.sender.id))
    }

    fn pace(&self) -> Markup {
        let usual = self
            .usual_pace
            .map_or_else(String::new, |pace| format!(" Usual for its kind: {pace}."));
        let help = format!(
            "How many messages it sends in a second; a long text costs several. More wait here, where a STOP or \
             a payment still calls them off. Empty for no limit of ours.{usual}"
        );
        field("segments_per_second", "Messages a second")
            .code()
            .optional()
            .help(&help)
            .render(&self.form)
    }

    fn may(&self) -> bool {
        self.chrome.may(Ability::Connect)
    }

    fn is_email(&self) -> bool {
        matches!(self.sender.address, SenderAddress::Email(_))
    }

    fn test(&self) -> Markup {
        let ready = self.ready.unwrap_or_default();
        act(&self.at("/tests"), &self.chrome.csrf, "Send me a test")
            .hidden(&[("ready", ready)])
            .render()
    }

    fn deletion(&self) -> Markup {
        act(&self.at("/deletion"), &self.chrome.csrf, "Delete")
            .class("button danger")
            .render()
    }

    fn purpose(of: &DnsRecord) -> &'static str {
        match of.purpose {
            Purpose::Returns => "For what could not be delivered",
            Purpose::Key => "For the signature",
            Purpose::Policy => "What receivers do with mail that is not signed",
            Purpose::Senders => "Who may send",
        }
    }

    fn found(of: &DnsRecord) -> Markup {
        html! {
            @match &of.state {
                DnsState::NotLooked => (badge::state(Tone::Queued, "Not looked up")),
                DnsState::Found(text) => {
                    (badge::state(Tone::Ok, "Found"))
                    div class="muted small wrap" { bdi { (text) } }
                }
                DnsState::Other(text) => {
                    (badge::state(Tone::Failed, "Another value"))
                    div class="muted small wrap" { bdi { (text) } }
                }
                DnsState::Missing if of.purpose == Purpose::Senders => {
                    (badge::state(Tone::Quiet, "None, and none is needed"))
                }
                DnsState::Missing => (badge::state(Tone::Needs, "Missing")),
                DnsState::Unasked => (badge::state(Tone::Quiet, "Could not be asked")),
            }
        }
    }
}
