//! Samples of the history and of the rejected requests.

use uuid::Uuid;

use super::{HOSTILE, Sample, ago, chrome, hostile_chrome, push};
use crate::domain::delivery::{Channel, DeliveryState};
use crate::domain::event::{EventState, EventType};
use crate::domain::ids::EventId;
use crate::domain::money::Amount;
use crate::domain::page::{Cursor, Page};
use crate::web::areas::history::page::{
    EventRow, HistoryFilters, HistoryPage, HistoryView, RejectedPage, RejectedRow, ResultFilter,
};
use crate::web::chrome::Section;

pub(super) fn add(to: &mut Vec<Sample>) {
    push(to, "history-empty", &history(Vec::new(), false));
    push(to, "history-connected", &history(Vec::new(), true));
    push(
        to,
        "history-one",
        &history(rows().into_iter().take(1).collect(), true),
    );
    push(to, "history-many", &many());
    push(to, "history-filtered", &filtered());
    push(to, "history-hostile", &hostile_history());
    push(to, "rejected-empty", &rejected(Vec::new()));
    push(to, "rejected-many", &rejected(rejected_rows()));
    push(
        to,
        "rejected-hostile",
        &rejected(vec![RejectedRow {
            reason: HOSTILE.into(),
            compared: HOSTILE.into(),
            path: HOSTILE.into(),
            at: ago(1),
            size_bytes: 1,
        }]),
    );
}

fn page<T>(rows: Vec<T>, older: bool) -> Page<T> {
    Page {
        older: older.then(|| Cursor::Before(id(7))),
        ..Page::whole(rows)
    }
}

pub(super) fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x019a_4c1e_7d00_7000_8000_0000_0000_0000 + number)
}

fn history(rows: Vec<EventRow>, has_connection: bool) -> HistoryPage {
    HistoryPage {
        chrome: chrome(Section::History),
        view: HistoryView {
            events: page(rows, false),
            filters: HistoryFilters::default(),
            is_newest: true,
            has_connection,
            rejected: 0,
        },
    }
}

fn many() -> HistoryPage {
    let mut sample = history(rows(), true);
    sample.chrome.needs_you = 2;
    sample.view.events.older = Some(Cursor::Before(id(1)));
    sample.view.rejected = 3;
    sample
}

fn filtered() -> HistoryPage {
    let mut sample = history(Vec::new(), true);
    sample.view.filters = HistoryFilters {
        result: Some(ResultFilter::Failed),
        event_type: Some(EventType::InvoiceOverdue),
        customer: "Bowman & Co".into(),
        ..HistoryFilters::default()
    };
    sample.view.is_newest = false;
    sample.view.events.newer = Some(Cursor::After(id(1)));
    sample.view.events.older = Some(Cursor::Before(id(1)));
    sample.view.events.searched_to = Some(ago(60 * 24 * 9));
    sample
}

fn hostile_history() -> HistoryPage {
    let mut rows = rows();
    for row in &mut rows {
        row.document = Some(HOSTILE.into());
        row.customer = Some(HOSTILE.into());
        row.currency = Some("<b>".into());
    }
    let mut sample = history(rows, true);
    sample.chrome = hostile_chrome(Section::History);
    sample.view.filters.customer = HOSTILE.into();
    sample.view.filters.document = HOSTILE.into();
    sample
}

/// Minutes ago, type, document, customer, total, deliveries.
type Line = (
    i64,
    Option<EventType>,
    &'static str,
    &'static str,
    i64,
    &'static [DeliveryState],
);

fn rows() -> Vec<EventRow> {
    use DeliveryState::{Accepted, Delivered, Failed, Held, Queued, Suppressed, Unknown};
    use EventType::{
        BillCreated, InvoiceCreated, InvoiceOverdue, InvoicePaid, InvoiceSent, PaymentReceived,
    };
    let lines: [Line; 14] = [
        (
            0,
            Some(InvoiceSent),
            "INV-00412",
            "Bowman & Co",
            1350,
            &[Accepted],
        ),
        (
            3,
            Some(PaymentReceived),
            "PAY-00087",
            "Harbour Light Trading",
            420,
            &[Delivered],
        ),
        (
            9,
            Some(InvoiceOverdue),
            "INV-00371",
            "Van der Meer Interieur en Verlichting B.V.",
            12_990,
            &[Unknown],
        ),
        (
            21,
            Some(InvoiceOverdue),
            "INV-00368",
            "Castellano Hermanos",
            88,
            &[Failed, Delivered],
        ),
        (
            34,
            Some(InvoiceCreated),
            "INV-00412",
            "Bowman & Co",
            1350,
            &[],
        ),
        (
            48,
            Some(BillCreated),
            "BILL-0199",
            "Alder Freight",
            2_400,
            &[Queued],
        ),
        (55, None, "", "", 0, &[]),
        (
            70,
            Some(InvoicePaid),
            "INV-00340",
            "Sato Shokai",
            560,
            &[Delivered, Delivered, Delivered],
        ),
        (
            95,
            Some(InvoiceSent),
            "INV-00411",
            "Quill & Sons",
            75,
            &[Suppressed],
        ),
        (
            1_300,
            Some(InvoiceSent),
            "INV-00410",
            "Marlow Studio",
            3_100,
            &[Delivered],
        ),
        (
            1_420,
            Some(PaymentReceived),
            "PAY-00086",
            "Marlow Studio",
            3_100,
            &[Delivered],
        ),
        (
            1_600,
            Some(InvoiceOverdue),
            "INV-00355",
            "Okafor Logistics",
            940,
            &[Held],
        ),
        (
            3_000,
            Some(InvoiceSent),
            "INV-00409",
            "Okafor Logistics",
            940,
            &[Delivered],
        ),
        (
            200_000,
            Some(InvoiceSent),
            "INV-00155",
            "Harbour Light Trading",
            210,
            &[Delivered],
        ),
    ];
    lines
        .into_iter()
        .zip(1..)
        .map(
            |((minutes, event_type, document, customer, total, deliveries), number)| EventRow {
                id: EventId::from_uuid(id(number)),
                at: ago(minutes),
                event_type,
                state: match event_type {
                    None => EventState::Unrecognised,
                    Some(_) if deliveries.is_empty() => EventState::Unmatched,
                    Some(_) => EventState::Matched,
                },
                document: (!document.is_empty()).then(|| document.to_owned()),
                customer: (!customer.is_empty()).then(|| customer.to_owned()),
                amount: (total > 0).then_some(Amount(total * 10_000)),
                currency: (total > 0).then(|| "EUR".to_owned()),
                deliveries: deliveries.iter().map(|s| (Channel::Sms, *s)).collect(),
                is_rehearsal: number % 4 == 0,
            },
        )
        .collect()
}

fn rejected(rows: Vec<RejectedRow>) -> RejectedPage {
    RejectedPage {
        chrome: chrome(Section::History),
        rejected: page(rows, false),
    }
}

fn rejected_rows() -> Vec<RejectedRow> {
    vec![
        RejectedRow {
            at: ago(12),
            reason: "The signature does not match".into(),
            compared:
                "The digest of the body and the secret made yesterday differ from the header. \
                Paste the present secret into the webhook in Zoho Books."
                    .into(),
            path: "/hooks/zoho/6f2c…/invoice.sent".into(),
            size_bytes: 16_204,
        },
        RejectedRow {
            at: ago(1_500),
            reason: "There is no signature".into(),
            compared:
                "The header X-Zoho-Webhook-Signature is missing. Tick “I want to secure this \
                webhook” in Zoho Books."
                    .into(),
            path: "/hooks/zoho/6f2c…".into(),
            size_bytes: 512,
        },
    ]
}
