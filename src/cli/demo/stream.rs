//! What happens while somebody looks: a sample event every few seconds.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::books::{Books, CUSTOMERS, Entry, FOUND, UNREACHABLE, VENDORS, Webhook};
use super::hook::Hook;
use crate::app::App;
use crate::domain::document::DocumentKind;
use crate::lifecycle::Lifecycle;
use crate::sandbox::samples::Standing;

/// The wait between two events.
const BETWEEN: Duration = Duration::from_secs(5);

/// The wait where there is no past, so that the pages are not empty: for that many events.
const AT_FIRST: (usize, Duration) = (14, Duration::from_millis(120));

/// One thing that happens in the demo's books; customers by their place in the list.
enum Happening {
    Sent(usize),
    /// To somebody who cannot be reached.
    Unreached(usize),
    /// To the customer whose first message is lost and found where there is no past.
    Lost,
    Overdue(usize),
    Paid,
    Bill(usize),
    BillPaid,
    Other(DocumentKind, Standing, usize),
}

const ROUND: [Happening; 14] = {
    use Happening::{Bill, BillPaid, Lost, Other, Overdue, Paid, Sent, Unreached};
    [
        Sent(0),
        Other(DocumentKind::PurchaseOrder, Standing::Sent, VENDORS[0]),
        Sent(1),
        Other(DocumentKind::Expense, Standing::Sent, CUSTOMERS[2]),
        Paid,
        Unreached(0),
        Sent(2),
        Bill(0),
        Overdue(4),
        Paid,
        Other(DocumentKind::Invoice, Standing::Draft, CUSTOMERS[5]),
        BillPaid,
        Lost,
        Paid,
    ]
};

/// The books as they go on.
pub(super) struct Stream {
    pub(super) books: Books,
    pub(super) hook: Hook,
    /// What customers owe, the oldest first.
    pub(super) unpaid: Vec<Entry>,
    pub(super) has_past: bool,
}

impl Stream {
    /// Signed sample webhooks, over HTTP like Zoho's own, until the demo stops.
    pub(super) async fn run(mut self, app: App, life: Lifecycle) {
        let mut bill = None;
        if !self.has_past
            && let Err(error) = self.hook.forge().await
        {
            tracing::warn!(%error, "The forged webhook could not be posted");
        }
        for number in 0_usize.. {
            let happening = &ROUND[number % ROUND.len()];
            for webhook in self.happen(happening, number / ROUND.len(), &mut bill, app.now()) {
                if let Err(error) = self.hook.post(&webhook).await {
                    tracing::warn!(%error, "A sample webhook could not be posted");
                }
            }
            let wait = if self.has_past || number >= AT_FIRST.0 {
                BETWEEN
            } else {
                AT_FIRST.1
            };
            tokio::select! {
                () = life.soft().cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Customers take turns over the rounds.
    fn happen(
        &mut self,
        happening: &Happening,
        round: usize,
        bill: &mut Option<Entry>,
        now: DateTime<Utc>,
    ) -> Vec<Webhook> {
        let customer = |nth: &usize| CUSTOMERS[(nth + round) % CUSTOMERS.len()];
        match happening {
            Happening::Sent(nth) => {
                let entry = self.books.new_invoice(customer(nth), written(now), 14);
                let sent = self.books.invoice_sent(&entry, now);
                self.unpaid.push(entry);
                vec![sent]
            }
            Happening::Unreached(nth) => {
                let (trader, _) = UNREACHABLE[(nth + round) % UNREACHABLE.len()];
                let entry = self.books.new_invoice(trader, written(now), 14);
                vec![self.books.invoice_sent(&entry, now)]
            }
            Happening::Lost => {
                let entry = self.books.new_invoice(FOUND, written(now), 14);
                vec![self.books.invoice_sent(&entry, now)]
            }
            Happening::Overdue(nth) => {
                let created = now - TimeDelta::days(21);
                let entry = self.books.new_invoice(customer(nth), created, 14);
                vec![self.books.invoice_overdue(&entry, now)]
            }
            Happening::Paid if self.unpaid.is_empty() => Vec::new(),
            Happening::Paid => {
                let entry = self.unpaid.remove(0);
                vec![
                    self.books.payment_received(&entry, now),
                    self.books.invoice_paid(&entry, now),
                ]
            }
            Happening::Bill(nth) => {
                let vendor = VENDORS[(nth + round) % VENDORS.len()];
                let entry = self.books.new_bill(vendor, written(now));
                let entered = self.books.bill_entered(&entry, now);
                *bill = Some(entry);
                vec![entered]
            }
            Happening::BillPaid => {
                let paid = bill.take().map(|entry| self.books.bill_paid(&entry, now));
                paid.into_iter().collect()
            }
            Happening::Other(kind, standing, trader) => {
                vec![self.books.other(*kind, *standing, *trader, now)]
            }
        }
    }
}

/// A document is written for some minutes before it is sent.
fn written(now: DateTime<Utc>) -> DateTime<Utc> {
    now - TimeDelta::minutes(4)
}
