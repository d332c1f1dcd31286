//! Which states of a document may tell which event: the one table that webhooks, replays and the gate go by.
//!
//! A status that is not listed is neutral: Zoho has words of its own for some organisations, and customers
//! may invent more. The words are those of the filters of Zoho's API (`status` of invoices, bills, purchase
//! orders, customer payments and expenses) and, as the state of a write-off or of an approval, those that
//! its reports show.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::document::{Clearing, Document, DocumentKind};
use super::event::EventType;

/// Nobody may say anything of it any more.
const GONE: &[&str] = &["void", "voided", "deleted"];
const CANCELLED: &[&str] = &["cancelled", "canceled"];
const REJECTED: &[&str] = &["rejected"];
/// The company itself has not said yes to it.
const UNAPPROVED: &[&str] = &[
    "draft",
    "pending",
    "pending_approval",
    "approval_overdue",
    "my_approvals",
    "rejected",
];
/// Said yes to, but not given to anybody.
const APPROVED: &[&str] = &["approved"];
const PAID: &[&str] = &["paid"];
const WRITTEN_OFF: &[&str] = &["write_off", "written_off", "writeoff"];
/// Money that did not move, or came back.
const FAILED: &[&str] = &[
    "failure", "failed", "declined", "bounced", "returned", "reversed",
];

/// The states that forbid to tell this event.
const fn forbidding(event_type: EventType) -> &'static [&'static [&'static str]] {
    match event_type {
        EventType::InvoiceCreated | EventType::BillCreated | EventType::ExpenseRecorded => {
            &[GONE, REJECTED]
        }
        EventType::InvoiceSent | EventType::InvoiceDueSoon | EventType::InvoiceOverdue => {
            &[GONE, UNAPPROVED, APPROVED, PAID, WRITTEN_OFF]
        }
        EventType::InvoicePaid => &[GONE, UNAPPROVED, APPROVED, WRITTEN_OFF],
        EventType::PaymentReceived | EventType::VendorPaymentSent => {
            &[GONE, FAILED, UNAPPROVED, CANCELLED]
        }
        EventType::BillDueSoon | EventType::BillOverdue => &[GONE, UNAPPROVED, PAID, WRITTEN_OFF],
        EventType::PurchaseOrderCreated => &[GONE, REJECTED, CANCELLED],
        EventType::PurchaseOrderIssued => &[GONE, UNAPPROVED, APPROVED, CANCELLED],
    }
}

/// The day and the zone that a state is judged in.
#[derive(Debug, Clone, Copy)]
pub struct Calendar {
    pub today: NaiveDate,
    pub zone: Tz,
}

impl Calendar {
    /// The tenant's day at this time.
    pub fn at(now: DateTime<Utc>, zone: Tz) -> Self {
        Self {
            today: now.with_timezone(&zone).date_naive(),
            zone,
        }
    }
}

/// Why this event must not be told of a document in this state, as in "INV-3 is void"; `None` when it may.
pub fn forbids(event_type: EventType, d: &Document, calendar: Calendar) -> Option<String> {
    let status = status(d);
    let name = name(d);
    let is_listed = forbidding(event_type)
        .iter()
        .any(|list| list.contains(&status));
    if is_listed {
        return Some(format!("{name} {}{}", is(status), since(d, calendar.zone)));
    }
    if event_type == EventType::InvoicePaid {
        return not_paid(d, name, status);
    }
    if event_type.is_reminder() {
        return not_to_remind(event_type, d, calendar);
    }
    None
}

/// Whether a payment in this state is one.
pub fn has_moved_money(payment: &Document) -> bool {
    let status = status(payment);
    let forbidding = forbidding(EventType::PaymentReceived);
    !forbidding.iter().any(|list| list.contains(&status))
}

/// Whether it is the company's own affair still: drafts are told to nobody outside.
pub fn is_draft(d: &Document) -> bool {
    UNAPPROVED.contains(&status(d)) && !matches!(d.kind, DocumentKind::Expense)
}

/// "INV-3 is a draft", "BILL-1 waits for approval".
pub fn described(d: &Document) -> String {
    format!("{} {}", name(d), is(status(d)))
}

fn not_paid(d: &Document, name: &str, status: &str) -> Option<String> {
    let is_owed = d.balance.is_none_or(|b| b.0 > 0);
    if !status.is_empty() && status != "paid" && is_owed {
        return Some(format!("{name} {}", is(status)));
    }
    let how = match d.clearing? {
        Clearing::NothingOwed => "its total is zero",
        Clearing::Credit => "it was cleared by a credit",
        Clearing::WriteOff => "what was left of it was written off",
    };
    Some(format!("nobody has paid {name}: {how}"))
}

fn not_to_remind(event_type: EventType, d: &Document, calendar: Calendar) -> Option<String> {
    let name = name(d);
    if d.balance.is_some_and(|b| b.0 <= 0) {
        let since = since(d, calendar.zone);
        return Some(format!("nothing is owed on {name} any more{since}"));
    }
    let (due, today) = (d.due_date?, calendar.today);
    let on = due.format("%-d %b %Y");
    match event_type {
        EventType::InvoiceOverdue | EventType::BillOverdue => {
            // The books' day may have ended where the tenant's has not.
            let slack = i64::from(status(d) == "overdue");
            (due > today + chrono::TimeDelta::days(slack))
                .then(|| format!("{name} is due on {on} only, so it is not overdue"))
        }
        _ => (due < today).then(|| format!("{name} was due on {on}, so it is no longer due soon")),
    }
}

fn status(d: &Document) -> &str {
    d.status.as_deref().unwrap_or("")
}

fn name(d: &Document) -> &str {
    d.number.as_deref().unwrap_or("the document")
}

/// A state in words, after the name of the document.
fn is(status: &str) -> String {
    match status {
        "" => "has no status".to_owned(),
        "draft" => "is a draft".to_owned(),
        "pending" | "pending_approval" | "approval_overdue" | "my_approvals" => {
            "waits for approval".to_owned()
        }
        "approved" => "is approved, but not sent yet".to_owned(),
        "rejected" | "deleted" | "cancelled" | "canceled" | "reversed" | "returned"
        | "declined" => format!("was {status}"),
        "write_off" | "written_off" | "writeoff" => "was written off".to_owned(),
        "failure" | "failed" | "bounced" => "failed".to_owned(),
        other => format!("is {}", other.replace('_', " ")),
    }
}

/// When the document came into its state, as far as we know.
fn since(d: &Document, zone: Tz) -> String {
    let at = d.modified_at.map(|at| at.with_timezone(&zone));
    at.map_or_else(String::new, |at| {
        format!(" ({})", at.format("%-d %b %Y, %H:%M"))
    })
}

#[cfg(test)]
mod tests;
