//! Documents: what a body says about a Zoho record, and our last known state of it.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::VariantArray as _;

use super::day::DateFormat;
use super::money::Amount;

/// The six kinds of Zoho Books records that we read.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum DocumentKind {
    Invoice,
    CustomerPayment,
    Bill,
    PurchaseOrder,
    VendorPayment,
    Expense,
}

impl DocumentKind {
    /// All kinds.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The stable text, as stored.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Whether Zoho's bodies of this kind name no people.
    pub const fn names_nobody(self) -> bool {
        matches!(
            self,
            Self::CustomerPayment | Self::Bill | Self::VendorPayment | Self::Expense
        )
    }

    /// A clerk's words.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::CustomerPayment => "payment",
            Self::Bill => "bill",
            Self::PurchaseOrder => "purchase order",
            Self::VendorPayment => "vendor payment",
            Self::Expense => "expense",
        }
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl fmt::Display for DocumentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A person named by a payload, who may become the recipient.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Person {
    /// Zoho's `contact_person_id`; empty when the payload names none.
    pub id: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<String>,
    /// Free text, as typed in Zoho.
    pub phone: Option<String>,
    /// Free text, as typed in Zoho; tried before `phone`.
    pub mobile: Option<String>,
    pub is_primary: bool,
    /// Whether SMS are allowed, where Zoho says (`communication_preference.is_sms_enabled`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_sms: Option<bool>,
    /// Whether they get e-mails, where Zoho says (`communication_preference.is_email_enabled`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_email: Option<bool>,
    /// When a document last named them, where they are remembered only.
    #[serde(skip)]
    pub seen_at: Option<DateTime<Utc>>,
}

impl Person {
    /// "David John", as far as known.
    pub fn name(&self) -> Option<String> {
        let parts: Vec<&str> = [&self.first_name, &self.last_name]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }
}

/// The customer or vendor of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Zoho's `customer_id` or `vendor_id`, as text.
    pub id: String,
    pub name: Option<String>,
}

/// How an invoice became paid although nobody paid it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clearing {
    /// Its total is zero.
    NothingOwed,
    /// Credits cover it, and no payment was made.
    Credit,
    /// What was left of it was written off.
    WriteOff,
}

/// A line of a payment: what it leaves open of one invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Zoho's id of the invoice.
    pub invoice: String,
    pub balance: Amount,
}

/// What a payment left open of an invoice, kept beside the invoice: payments never change its document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Zoho's id of the payment.
    pub payment: String,
    pub balance: Amount,
    /// When Zoho last changed the payment.
    pub at: DateTime<Utc>,
}

impl ParsedDocument {
    /// Reads the dates that could mean two days as the company's books write them. Conditions and
    /// texts read the record, so they stand there as any other day.
    #[must_use]
    pub fn with_days(mut self, format: DateFormat) -> Self {
        if format == DateFormat::Unknown {
            return self;
        }
        for (name, value) in &mut self.fields {
            let Some(day) = value.as_str().and_then(|text| format.choose(text)) else {
                continue;
            };
            match name.as_str() {
                "date" => self.date = Some(day),
                "due_date" => self.due_date = Some(day),
                name if name.ends_with("_date") || name.starts_with("cf_") => {}
                _ => continue,
            }
            *value = Value::String(day.to_string());
        }
        self
    }
}

/// One body, understood. Blank values of the wire are `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedDocument {
    pub kind: DocumentKind,
    /// Zoho's id of the record, as text: up to 19 digits.
    pub id: String,
    /// What a clerk calls it: `INV-00003`.
    pub number: Option<String>,
    /// Lower-cased status word of Zoho's.
    pub status: Option<String>,
    pub date: Option<NaiveDate>,
    pub due_date: Option<NaiveDate>,
    pub created_time: Option<DateTime<Utc>>,
    pub last_modified_time: Option<DateTime<Utc>>,
    /// `total`, or a payment's `amount`.
    pub total: Option<Amount>,
    pub balance: Option<Amount>,
    /// ISO 4217 code, upper case.
    pub currency: Option<String>,
    pub party: Option<Party>,
    /// The record's own e-mail address.
    pub email: Option<String>,
    /// Country of the billing address, as Zoho has it: a code or free text.
    pub country: Option<String>,
    /// How an invoice that nothing is owed on was cleared without a payment.
    pub clearing: Option<Clearing>,
    /// What a payment leaves open of each invoice that it was applied to.
    pub applications: Vec<Application>,
    /// In the order in which they are asked: associated first, then details with the primary first.
    pub persons: Vec<Person>,
    /// Zoho's ids of people who are named by that alone.
    pub person_ids: Vec<String>,
    /// The customer's payment page, trimmed.
    pub payment_link: Option<String>,
    /// The whole record with Zoho's own top-level names, raw.
    pub fields: Map<String, Value>,
}

/// Our last known state of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    pub kind: DocumentKind,
    pub id: String,
    pub number: Option<String>,
    pub status: Option<String>,
    pub due_date: Option<NaiveDate>,
    pub total: Option<Amount>,
    pub balance: Option<Amount>,
    pub currency: Option<String>,
    pub party: Option<Party>,
    /// The body's `last_modified_time`, never more than ten minutes after its receipt.
    pub modified_at: Option<DateTime<Utc>>,
    /// How often an invoice went back to draft or void; tells one sending from the next.
    pub round: i64,
    /// How an invoice that nothing is owed on was cleared without a payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clearing: Option<Clearing>,
}

impl Document {
    /// The state with what payments have applied since: a payment's body comes without its invoice's.
    pub fn with_applied(&self, applied: &[Applied]) -> Cow<'_, Self> {
        let had = self.modified_at.unwrap_or(DateTime::UNIX_EPOCH);
        let newest = applied.iter().filter(|a| a.at >= had).max_by_key(|a| a.at);
        newest.map_or(Cow::Borrowed(self), |a| {
            Cow::Owned(Self {
                balance: Some(a.balance),
                modified_at: Some(a.at),
                ..self.clone()
            })
        })
    }
}

/// Most payments whose word is kept beside one invoice; the oldest is forgotten first.
const MOST_APPLIED: usize = 50;

/// What is kept beside an invoice once this payment is known: `balance` is what it leaves open, or nothing
/// for a payment that failed. `None` where that changes nothing.
pub fn with_payment(
    applied: &[Applied],
    payment: &str,
    balance: Option<Amount>,
    at: DateTime<Utc>,
) -> Option<Vec<Applied>> {
    let mut kept = applied.to_vec();
    kept.retain(|a| a.payment != payment);
    if let Some(balance) = balance {
        let payment = payment.to_owned();
        kept.push(Applied {
            payment,
            balance,
            at,
        });
        kept.sort_by_key(|a| a.at);
        let too_many = kept.len().saturating_sub(MOST_APPLIED);
        kept.drain(..too_many);
    }
    (kept != applied).then_some(kept)
}
