//! The steps that a document comes to, and what tells one from the next of its kind.

use super::Observation;
use crate::domain::document::{Document, DocumentKind};
use crate::domain::event::EventType;

/// A step that a document has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) event_type: EventType,
    pub(super) discriminator: String,
}

/// The steps that a document in this state has come to, nearest first, whether or not they may be told.
pub(super) fn steps(state: &Document) -> Vec<Step> {
    let status = state.status.as_deref().unwrap_or("");
    let types: &[EventType] = match state.kind {
        DocumentKind::Invoice => match status {
            "paid" | "write_off" | "written_off" => &[
                EventType::InvoiceCreated,
                EventType::InvoiceSent,
                EventType::InvoicePaid,
            ],
            "sent" | "overdue" | "viewed" | "unpaid" | "partially_paid" => {
                &[EventType::InvoiceCreated, EventType::InvoiceSent]
            }
            _ => &[EventType::InvoiceCreated],
        },
        DocumentKind::CustomerPayment => &[EventType::PaymentReceived],
        DocumentKind::VendorPayment => &[EventType::VendorPaymentSent],
        DocumentKind::Bill => &[EventType::BillCreated],
        DocumentKind::PurchaseOrder => match status {
            "open" | "issued" | "accepted" | "billed" | "partially_billed" | "received"
            | "partially_received" | "closed" => &[
                EventType::PurchaseOrderCreated,
                EventType::PurchaseOrderIssued,
            ],
            _ => &[EventType::PurchaseOrderCreated],
        },
        DocumentKind::Expense => &[EventType::ExpenseRecorded],
    };
    types
        .iter()
        .map(|&event_type| Step {
            event_type,
            discriminator: plain_discriminator(event_type, state),
        })
        .collect()
}

pub(super) fn discriminator(typed: EventType, seen: &Observation<'_>, state: &Document) -> String {
    if !typed.is_reminder() {
        return plain_discriminator(typed, state);
    }
    // The body's own due date: an older body speaks of the date that it knew.
    let due = seen.parsed.due_date;
    let offset = label_days(seen.label).or_else(|| {
        let days = (due? - seen.calendar.today).num_days();
        let soon = matches!(typed, EventType::InvoiceDueSoon | EventType::BillDueSoon);
        Some(if soon { days } else { -days })
    });
    let offset = offset.map_or_else(|| "-".to_owned(), |d| d.to_string());
    // Without a due date that can be read, each day's reminder is one of its own; a label of days
    // tells one from the next by itself.
    let due = match due {
        Some(due) => due.to_string(),
        None if label_days(seen.label).is_some() => "-".to_owned(),
        None => format!("received {}", seen.calendar.today),
    };
    format!("{offset}@{due}")
}

fn plain_discriminator(event_type: EventType, state: &Document) -> String {
    match event_type {
        EventType::PaymentReceived | EventType::VendorPaymentSent => state.id.clone(),
        EventType::InvoiceSent => state.round.to_string(),
        _ => String::new(),
    }
}

/// `14d` is 14; any other label says nothing about days.
fn label_days(label: &str) -> Option<i64> {
    let digits = label.strip_suffix('d')?;
    let plain =
        !digits.is_empty() && digits.len() <= 4 && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}
