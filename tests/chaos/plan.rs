//! The load, settled before it begins: which webhooks, and which messages each should lead to.
//!
//! The rules are few and plain, so that the wishes are reckoned here and not asked of the service:
//!
//! | webhook | path | leads to |
//! |---|---|---|
//! | an invoice is sent | untyped, or typed | a text of its own to the contact, and an e-mail |
//! | an invoice is overdue | typed, with a label | two such; a second rule says they are already told |
//! | an invoice is paid | typed | the same words for everybody: equal ones to equal addresses |
//! | an expense | untyped | the same words to one fixed number, from every tenant |
//! | an invoice is drafted | untyped | nothing |

use chrono::{DateTime, Utc};
use ml_connector::domain::document::DocumentKind;
use ml_connector::sandbox::samples::{self, Generator, Standing, Trader, Wish};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

/// Whom every tenant tells of its expenses.
const OFFICE: &str = "+12025550177";

/// One webhook to come.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    /// Unlike that of any other; the documents' numbers are made of it.
    pub(crate) number: usize,
    pub(crate) tenant: usize,
    kind: Kind,
    recipient: usize,
    /// Posted again although it was acknowledged, so much later.
    pub(crate) again_after_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sent { typed: bool },
    Overdue,
    Paid,
    Expense,
    Draft,
}

/// The main load: the same seed and sizes, the same webhooks.
pub(crate) fn main_load(
    seed: u64,
    events: usize,
    tenants: usize,
    recipients: usize,
) -> Vec<Planned> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..events)
        .map(|number| Planned {
            number,
            tenant: rng.random_range(0..tenants),
            kind: match rng.random_range(0..100) {
                0..45 => Kind::Sent { typed: false },
                45..60 => Kind::Sent { typed: true },
                60..78 => Kind::Overdue,
                78..93 => Kind::Paid,
                93..95 => Kind::Expense,
                _ => Kind::Draft,
            },
            recipient: rng.random_range(0..recipients),
            again_after_ms: rng.random_bool(0.05).then(|| rng.random_range(0..5000)),
        })
        .collect()
}

/// What follows the main load, tenant after tenant: later messages are the proof that a list is
/// recent enough for a missing one to mean something.
pub(crate) fn afterwards(number: usize, tenants: usize, recipients: usize) -> Planned {
    sent(number, number % tenants, number % recipients)
}

/// One invoice that is sent.
pub(crate) const fn sent(number: usize, tenant: usize, recipient: usize) -> Planned {
    Planned {
        number,
        tenant,
        kind: Kind::Sent { typed: false },
        recipient,
        again_after_ms: None,
    }
}

impl Planned {
    /// What is appended to the hook's address.
    pub(crate) const fn path(&self) -> &'static str {
        match self.kind {
            Kind::Sent { typed: true } => "/invoice.sent",
            Kind::Overdue => "/invoice.overdue/14d",
            Kind::Paid => "/invoice.paid",
            Kind::Sent { typed: false } | Kind::Expense | Kind::Draft => "",
        }
    }

    /// The body as Zoho posts it, every time the same for the same `now`.
    pub(crate) fn body(&self, now: DateTime<Utc>) -> Vec<u8> {
        let (kind, standing) = match self.kind {
            Kind::Sent { .. } => (DocumentKind::Invoice, Standing::Sent),
            Kind::Overdue => (DocumentKind::Invoice, Standing::Overdue),
            Kind::Paid => (DocumentKind::Invoice, Standing::Paid),
            Kind::Draft => (DocumentKind::Invoice, Standing::Draft),
            Kind::Expense => (DocumentKind::Expense, Standing::Sent),
        };
        let wish = Wish {
            standing: Some(standing),
            id: Some(format!("{}", 700_000_000_000 + self.number)),
            number: Some(self.document_number()),
            trader: Some(self.recipient),
            due_in_days: (self.kind == Kind::Overdue).then_some(-14),
            ..Wish::default()
        };
        let mut generator = Generator::seeded(u64::try_from(self.number).unwrap_or_default());
        let document = generator.document(kind, &wish, now);
        samples::to_body(&document, self.number.is_multiple_of(2))
    }

    /// To whom which words should go: by the rules below. An e-mail bears them as its subject.
    pub(crate) fn wishes(&self) -> Vec<(String, String)> {
        let number = self.document_number();
        let customer = Trader::customer(self.recipient);
        let both = |words: String| {
            let number = international(&customer.mobile);
            vec![(number, words.clone()), (customer.email.clone(), words)]
        };
        match self.kind {
            Kind::Sent { .. } => both(format!("Invoice {number} is on its way")),
            Kind::Overdue => both(format!("Please look at invoice {number}")),
            Kind::Paid => both("Thank you for your payment".to_owned()),
            Kind::Expense => vec![(OFFICE.to_owned(), "An expense was recorded".to_owned())],
            Kind::Draft => Vec::new(),
        }
    }

    fn document_number(&self) -> String {
        format!("C-{:06}", self.number)
    }
}

/// The rules of every tenant.
pub(crate) fn rules() -> Vec<Value> {
    let contact = json!({ "kind": "contact" });
    let office = json!({ "kind": "fixed", "address": OFFICE });
    [
        (
            "sent",
            "invoice.sent",
            &contact,
            "Invoice {{ invoice_number }} is on its way",
        ),
        (
            "overdue",
            "invoice.overdue",
            &contact,
            "Please look at invoice {{ invoice_number }}",
        ),
        (
            "overdue again",
            "invoice.overdue",
            &contact,
            "Please look at invoice {{ invoice_number }}",
        ),
        (
            "paid",
            "invoice.paid",
            &contact,
            "Thank you for your payment",
        ),
        (
            "expense",
            "expense.recorded",
            &office,
            "An expense was recorded",
        ),
    ]
    .into_iter()
    .map(|(name, event_type, recipient, text)| {
        let channel = if recipient["kind"] == "contact" {
            "both"
        } else {
            "sms"
        };
        let email = json!({ "subject": text, "body": format!("{text}.\n\n[[details]]") });
        json!({
            "name": name, "event_type": event_type, "channel": channel,
            "recipient": recipient, "template": { "body": text, "email": email },
        })
    })
    .collect()
}

/// The samples' numbers all bear their country, with a plus or without.
fn international(written: &str) -> String {
    let digits = written.chars().filter(char::is_ascii_digit);
    std::iter::once('+').chain(digits).collect()
}
