//! Events: one thing that happened in Zoho Books.

use bytes::Bytes;
use chrono::{DateTime, SubsecRound as _, Utc};
use serde::{Deserialize, Serialize};
use strum::VariantArray as _;

use super::document::DocumentKind;
use super::ids::{ConnectionId, EventId, TenantId};
use super::money::Amount;

/// What happened. The text forms are part of webhook URLs, the API and stored rows.
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
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(into = "&'static str", try_from = "String")]
#[strum(const_into_str, parse_err_ty = UnknownEventType, parse_err_fn = unknown)]
pub enum EventType {
    #[strum(serialize = "invoice.created")]
    InvoiceCreated,
    #[strum(serialize = "invoice.sent")]
    InvoiceSent,
    #[strum(serialize = "invoice.due_soon")]
    InvoiceDueSoon,
    #[strum(serialize = "invoice.overdue")]
    InvoiceOverdue,
    #[strum(serialize = "invoice.paid")]
    InvoicePaid,
    #[strum(serialize = "payment.received")]
    PaymentReceived,
    #[strum(serialize = "bill.created")]
    BillCreated,
    #[strum(serialize = "bill.due_soon")]
    BillDueSoon,
    #[strum(serialize = "bill.overdue")]
    BillOverdue,
    #[strum(serialize = "purchase_order.created")]
    PurchaseOrderCreated,
    #[strum(serialize = "purchase_order.issued")]
    PurchaseOrderIssued,
    #[strum(serialize = "vendor_payment.sent")]
    VendorPaymentSent,
    #[strum(serialize = "expense.recorded")]
    ExpenseRecorded,
}

impl EventType {
    /// Every event type, in the order in which pages list them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The stable text, as in `/hooks/zoho/{hook}/invoice.overdue`.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// A clerk's words, as in "When an *invoice is overdue*".
    pub const fn label(self) -> &'static str {
        match self {
            Self::InvoiceCreated => "invoice is created",
            Self::InvoiceSent => "invoice is sent",
            Self::InvoiceDueSoon => "invoice is due soon",
            Self::InvoiceOverdue => "invoice is overdue",
            Self::InvoicePaid => "invoice is paid",
            Self::PaymentReceived => "payment is received",
            Self::BillCreated => "bill is created",
            Self::BillDueSoon => "bill is due soon",
            Self::BillOverdue => "bill is overdue",
            Self::PurchaseOrderCreated => "purchase order is created",
            Self::PurchaseOrderIssued => "purchase order is issued",
            Self::VendorPaymentSent => "vendor payment is sent",
            Self::ExpenseRecorded => "expense is recorded",
        }
    }

    /// The kind of document whose change this is.
    pub const fn document(self) -> DocumentKind {
        match self {
            Self::InvoiceCreated
            | Self::InvoiceSent
            | Self::InvoiceDueSoon
            | Self::InvoiceOverdue
            | Self::InvoicePaid => DocumentKind::Invoice,
            Self::PaymentReceived => DocumentKind::CustomerPayment,
            Self::BillCreated | Self::BillDueSoon | Self::BillOverdue => DocumentKind::Bill,
            Self::PurchaseOrderCreated | Self::PurchaseOrderIssued => DocumentKind::PurchaseOrder,
            Self::VendorPaymentSent => DocumentKind::VendorPayment,
            Self::ExpenseRecorded => DocumentKind::Expense,
        }
    }

    /// `*.due_soon` and `*.overdue`: told by the calendar, so the same body may come on many days.
    pub const fn is_reminder(self) -> bool {
        matches!(
            self,
            Self::InvoiceDueSoon | Self::InvoiceOverdue | Self::BillDueSoon | Self::BillOverdue
        )
    }
}

impl TryFrom<String> for EventType {
    type Error = UnknownEventType;

    fn try_from(text: String) -> Result<Self, UnknownEventType> {
        text.parse()
    }
}

/// A text that is no event type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown event type; known are invoice.created, invoice.sent, invoice.due_soon, invoice.overdue, invoice.paid, payment.received, bill.created, bill.due_soon, bill.overdue, purchase_order.created, purchase_order.issued, vendor_payment.sent and expense.recorded"
)]
pub struct UnknownEventType;

const fn unknown(_: &str) -> UnknownEventType {
    UnknownEventType
}

/// Who reported an event.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum EventSource {
    Webhook,
    Sweep,
    Schedule,
    Test,
}

impl EventSource {
    /// The stable text, as stored and shown by the API.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// How far an event has come.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum EventState {
    /// Kept, not yet decided.
    Received,
    /// Decided; at least one rule matched.
    Matched,
    /// Decided; no rule matched.
    Unmatched,
    /// Decided as a whole: already handled, baseline, nothing new, contradiction.
    Settled,
    /// Signed, kept, but not understood; can be routed again after a fix.
    Unrecognised,
}

impl EventState {
    /// The stable text, as stored and shown by the API.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Every state, in the order of the filter chips.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// A stored event, without its body.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: EventId,
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub source: EventSource,
    /// The event type in the path of the request, if any.
    pub path_type: Option<EventType>,
    /// The label in the path, or empty.
    pub label: String,
    /// The type once classified.
    pub event_type: Option<EventType>,
    pub state: EventState,
    pub document_kind: Option<DocumentKind>,
    /// Zoho's id of the record; empty until routed.
    pub document_id: String,
    pub document_number: String,
    pub party_id: String,
    pub party_name: String,
    pub amount: Option<Amount>,
    pub currency: String,
    /// How many active rules are of other types and were not asked.
    pub rules_not_asked: i64,
    pub received_at: DateTime<Utc>,
    pub routed_at: Option<DateTime<Utc>>,
    /// When a person said that there is nothing to do about what was not understood.
    pub dealt_at: Option<DateTime<Utc>>,
}

impl Event {
    /// Whether it was not understood and nobody has dealt with that.
    pub const fn is_undealt(&self) -> bool {
        matches!(self.state, EventState::Unrecognised) && self.dealt_at.is_none()
    }
}

/// The body of an event, as received.
#[derive(Debug, Clone)]
pub struct Body {
    pub content_type: String,
    pub query: String,
    pub bytes: Bytes,
}

/// A verified request that wants to become an event.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub id: EventId,
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub source: EventSource,
    pub path_type: Option<EventType>,
    pub label: String,
    pub body: Body,
    /// Refuses repeats of hook, path, query and body permanently; for reminders, within 12 hours.
    pub fingerprint: [u8; 32],
    /// For reminders: the same with the calendar day in the tenant's zone.
    pub day_fingerprint: Option<[u8; 32]>,
    pub received_at: DateTime<Utc>,
}

impl NewEvent {
    /// The event as it stands once it is kept.
    pub fn as_kept(&self) -> Event {
        Event {
            id: self.id,
            tenant: self.tenant,
            connection: self.connection,
            source: self.source,
            path_type: self.path_type,
            label: self.label.clone(),
            event_type: self.path_type,
            state: EventState::Received,
            document_kind: None,
            document_id: String::new(),
            document_number: String::new(),
            party_id: String::new(),
            party_name: String::new(),
            amount: None,
            currency: String::new(),
            rules_not_asked: 0,
            // As it is stored: in microseconds.
            received_at: self.received_at.trunc_subsecs(6),
            routed_at: None,
            dealt_at: None,
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ingested {
    /// The new event, or the first one with the same fingerprint.
    pub event: EventId,
    pub is_duplicate: bool,
}
