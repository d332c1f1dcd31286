//! The table, said once more in a clerk's words.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::domain::document::Applied;
use crate::domain::money::Amount;

fn day(n: i64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 28).unwrap() + TimeDelta::days(n)
}

fn calendar() -> Calendar {
    Calendar {
        today: day(0),
        zone: chrono_tz::UTC,
    }
}

fn document(kind: DocumentKind, status: &str) -> Document {
    Document {
        kind,
        id: "1".to_owned(),
        number: Some("INV-3".to_owned()),
        status: Some(status.to_owned()).filter(|s| !s.is_empty()),
        due_date: None,
        total: Some(Amount(1_000_000)),
        balance: None,
        currency: Some("USD".to_owned()),
        party: None,
        modified_at: Some("2026-11-28T14:02:00Z".parse().unwrap()),
        round: 0,
        clearing: None,
    }
}

fn no(event_type: EventType, status: &str) -> Option<String> {
    forbids(
        event_type,
        &document(event_type.document(), status),
        calendar(),
    )
}

#[test]
fn a_state_that_forbids_an_event_is_told_in_words() {
    use EventType as E;
    let forbidden = [
        (
            E::PaymentReceived,
            "failure",
            "INV-3 failed (28 Nov 2026, 14:02)",
        ),
        (
            E::PaymentReceived,
            "void",
            "INV-3 is void (28 Nov 2026, 14:02)",
        ),
        (
            E::PaymentReceived,
            "draft",
            "INV-3 is a draft (28 Nov 2026, 14:02)",
        ),
        (
            E::InvoiceOverdue,
            "pending_approval",
            "INV-3 waits for approval (28 Nov 2026, 14:02)",
        ),
        (
            E::InvoiceOverdue,
            "rejected",
            "INV-3 was rejected (28 Nov 2026, 14:02)",
        ),
        (
            E::InvoiceOverdue,
            "write_off",
            "INV-3 was written off (28 Nov 2026, 14:02)",
        ),
        (
            E::InvoiceOverdue,
            "paid",
            "INV-3 is paid (28 Nov 2026, 14:02)",
        ),
        (
            E::VendorPaymentSent,
            "void",
            "INV-3 is void (28 Nov 2026, 14:02)",
        ),
        (
            E::PurchaseOrderCreated,
            "cancelled",
            "INV-3 was cancelled (28 Nov 2026, 14:02)",
        ),
        (
            E::PurchaseOrderIssued,
            "draft",
            "INV-3 is a draft (28 Nov 2026, 14:02)",
        ),
        (
            E::BillCreated,
            "rejected",
            "INV-3 was rejected (28 Nov 2026, 14:02)",
        ),
        (
            E::InvoiceSent,
            "rejected",
            "INV-3 was rejected (28 Nov 2026, 14:02)",
        ),
        (E::InvoiceSent, "paid", "INV-3 is paid (28 Nov 2026, 14:02)"),
        (E::InvoicePaid, "sent", "INV-3 is sent"),
        (
            E::ExpenseRecorded,
            "deleted",
            "INV-3 was deleted (28 Nov 2026, 14:02)",
        ),
    ];
    for (event_type, status, words) in forbidden {
        assert_eq!(
            no(event_type, status).as_deref(),
            Some(words),
            "{event_type} {status}"
        );
    }
    let allowed = [
        (E::PaymentReceived, ""),
        (E::PaymentReceived, "success"),
        (E::InvoiceOverdue, "overdue"),
        (E::InvoiceOverdue, "partially_paid"),
        (E::InvoiceCreated, "draft"),
        (E::InvoiceSent, "viewed"),
        (E::InvoicePaid, "paid"),
        (E::BillOverdue, "approved"),
        (E::PurchaseOrderIssued, "open"),
        (E::PurchaseOrderCreated, "draft"),
        (E::ExpenseRecorded, "unbilled"),
    ];
    for (event_type, status) in allowed {
        assert_eq!(no(event_type, status), None, "{event_type} {status}");
    }
}

#[test]
fn nothing_owed_or_another_day_is_no_reminder() {
    let ask = |event_type: EventType, due: i64, status: &str, balance: i64| {
        let mut d = document(event_type.document(), status);
        (d.due_date, d.balance) = (Some(day(due)), Some(Amount(balance)));
        forbids(event_type, &d, calendar())
    };
    for (soon, over) in [
        (EventType::InvoiceDueSoon, EventType::InvoiceOverdue),
        (EventType::BillDueSoon, EventType::BillOverdue),
    ] {
        assert_eq!(
            ask(over, -3, "sent", 0).as_deref(),
            Some("nothing is owed on INV-3 any more (28 Nov 2026, 14:02)")
        );
        assert_eq!(
            ask(over, 400, "sent", 1).as_deref(),
            Some("INV-3 is due on 2 Jan 2028 only, so it is not overdue")
        );
        assert_eq!(
            ask(soon, -1, "sent", 1).as_deref(),
            Some("INV-3 was due on 27 Nov 2026, so it is no longer due soon")
        );
        // On the day itself both are said; the books' day may be a day ahead.
        assert_eq!(ask(soon, 0, "sent", 1), None);
        assert_eq!(ask(over, 0, "sent", 1), None);
        assert_eq!(ask(over, 1, "overdue", 1), None);
        assert!(ask(over, 1, "sent", 1).is_some());
        assert!(ask(over, 2, "overdue", 1).is_some());
    }
}

#[test]
fn what_nobody_paid_is_not_thanked_for() {
    for (clearing, words) in [
        (
            Clearing::NothingOwed,
            "nobody has paid INV-3: its total is zero",
        ),
        (
            Clearing::Credit,
            "nobody has paid INV-3: it was cleared by a credit",
        ),
        (
            Clearing::WriteOff,
            "nobody has paid INV-3: what was left of it was written off",
        ),
    ] {
        let mut d = document(DocumentKind::Invoice, "paid");
        d.clearing = Some(clearing);
        assert_eq!(
            forbids(EventType::InvoicePaid, &d, calendar()).as_deref(),
            Some(words)
        );
    }
}

proptest! {
    /// A payment counts from when it was made until the invoice itself says something newer.
    #[test]
    fn the_newest_word_about_a_balance_counts(
        own in -50..50_i64,
        payments in prop::collection::vec((-50..50_i64, 0..3_i64), 0..6),
    ) {
        let start: DateTime<Utc> = "2026-11-28T14:02:00Z".parse().unwrap();
        let at = |minutes: i64| start + TimeDelta::minutes(minutes);
        let mut d = document(DocumentKind::Invoice, "overdue");
        (d.balance, d.modified_at) = (Some(Amount(9)), Some(at(own)));
        let applied: Vec<Applied> = payments
            .iter()
            .enumerate()
            .map(|(n, (minutes, balance))| Applied {
                payment: n.to_string(),
                balance: Amount(*balance),
                at: at(*minutes),
            })
            .collect();
        let newest = payments.iter().map(|(m, _)| *m).max().filter(|m| *m >= own);
        let current = d.with_applied(&applied);
        let said = forbids(EventType::InvoiceOverdue, &current, calendar());
        match newest {
            None => prop_assert_eq!(said, None),
            Some(newest) => {
                let candidates: Vec<i64> =
                    payments.iter().filter(|(m, _)| *m == newest).map(|(_, b)| *b).collect();
                prop_assert!(candidates.contains(&current.balance.unwrap().0));
                prop_assert_eq!(said.is_some(), current.balance.unwrap().0 <= 0);
            }
        }
    }

    /// Whatever comes, a reminder asks for nothing that is settled, void or not yet agreed upon.
    #[test]
    fn no_reminder_asks_for_what_is_settled(
        status in prop::sample::select(vec!["paid", "void", "draft", "write_off", "rejected", "pending_approval"]),
        event_type in prop::sample::select(vec![
            EventType::InvoiceDueSoon, EventType::InvoiceOverdue, EventType::BillDueSoon, EventType::BillOverdue,
        ]),
        due in proptest::option::of(-400..400_i64),
        balance in proptest::option::of(-5..100_i64),
    ) {
        let mut d = document(event_type.document(), status);
        (d.due_date, d.balance) = (due.map(day), balance.map(Amount));
        prop_assert!(forbids(event_type, &d, calendar()).is_some());
    }
}
