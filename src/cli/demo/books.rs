//! The books of the demo's company: its customers and vendors, and the documents that Zoho Books would
//! post of them.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::domain::document::DocumentKind;
use crate::domain::money::Amount;
use crate::domain::phone::{CountryCode, to_e164};
use crate::sandbox::samples::{Generator, Standing, Trader, Wish};

/// Customers who pay and read what they get, by their index among the samples.
pub(super) const CUSTOMERS: [usize; 6] = [0, 2, 4, 14, 3, 24];
/// Whose numbers cannot be reached, and Twilio's reason: a landline, a phone without signal, a filter.
pub(super) const UNREACHABLE: [(usize, u32); 3] = [(6, 30006), (22, 30003), (15, 30007)];
/// Zoho Books knows no number of theirs.
pub(super) const WITHOUT_NUMBER: usize = 18;
/// They wrote STOP.
pub(super) const OPTED_OUT: usize = 16;
/// They wrote what may mean STOP.
pub(super) const UNCLEAR: usize = 12;
/// Twilio's answer about a message to them was lost, and the message found.
pub(super) const FOUND: usize = 8;
/// Another one was lost, and nobody but a person can tell whether it arrived.
pub(super) const UNKNOWN: usize = 10;
/// Who is bought from.
pub(super) const VENDORS: [usize; 3] = [21, 23, 25];

/// What Zoho Books posts, and where to below the hook.
pub(super) struct Webhook {
    pub(super) path: &'static str,
    pub(super) document: Value,
}

/// An invoice or a bill, whose documents have the same id, number and total all its life.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Of the customer or vendor.
    pub(super) trader: usize,
    pub(super) created: DateTime<Utc>,
    id: String,
    number: String,
    total: Amount,
    terms: i64,
}

/// Makes documents that fit each other.
pub(super) struct Books {
    samples: Generator,
    chance: StdRng,
    zone: FixedOffset,
    next_invoice: u32,
    next_bill: u32,
}

impl Books {
    pub(super) fn new(seed: u64, zone: FixedOffset) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        Self {
            samples: Generator::seeded(seed).in_zone(zone),
            next_invoice: chance.random_range(2100..2900),
            next_bill: chance.random_range(300..700),
            chance,
            zone,
        }
    }

    pub(super) fn new_invoice(
        &mut self,
        customer: usize,
        created: DateTime<Utc>,
        terms: i64,
    ) -> Entry {
        self.next_invoice += 1;
        let number = format!("INV-{:05}", self.next_invoice);
        self.entry(customer, created, terms, number)
    }

    pub(super) fn new_bill(&mut self, vendor: usize, created: DateTime<Utc>) -> Entry {
        self.next_bill += 1;
        let number = format!("BILL-{:05}", self.next_bill);
        self.entry(vendor, created, 30, number)
    }

    fn entry(
        &mut self,
        trader: usize,
        created: DateTime<Utc>,
        terms: i64,
        number: String,
    ) -> Entry {
        // Most are small, in steps of five cents.
        let twentieths = match self.chance.random_range(0..10) {
            0..6 => self.chance.random_range(900..9_000),
            6..9 => self.chance.random_range(9_000..28_000),
            _ => self.chance.random_range(28_000..80_000),
        };
        Entry {
            trader,
            created,
            id: format!(
                "87543100000{}",
                self.chance.random_range(10_000_000..99_999_999)
            ),
            number,
            total: Amount(twentieths * 500),
            terms,
        }
    }

    pub(super) fn invoice_sent(&mut self, of: &Entry, now: DateTime<Utc>) -> Webhook {
        let mut document = self.document(DocumentKind::Invoice, of, Standing::Sent, now);
        if of.trader == WITHOUT_NUMBER {
            forget_numbers(&mut document);
        }
        untyped(document)
    }

    /// The reminder of Zoho Books a week after the due date.
    pub(super) fn invoice_overdue(&mut self, of: &Entry, now: DateTime<Utc>) -> Webhook {
        Webhook {
            path: "/invoice.overdue/7d",
            document: self.document(DocumentKind::Invoice, of, Standing::Overdue, now),
        }
    }

    /// The payment of an invoice, which Zoho Books posts beside the invoice itself.
    pub(super) fn payment_received(&mut self, of: &Entry, now: DateTime<Utc>) -> Webhook {
        let mut payment = self.payment(DocumentKind::CustomerPayment, of, now);
        let applied = &mut payment["payment"]["invoices"][0];
        applied["invoice_id"] = json!(of.id);
        applied["invoice_number"] = json!(of.number);
        applied["date"] = json!(self.day(of.created));
        payment["payment"]["description"] = json!(format!("Payment for {}", of.number));
        untyped(payment)
    }

    pub(super) fn invoice_paid(&mut self, of: &Entry, now: DateTime<Utc>) -> Webhook {
        untyped(self.document(DocumentKind::Invoice, of, Standing::Paid, now))
    }

    pub(super) fn bill_entered(&mut self, of: &Entry, now: DateTime<Utc>) -> Webhook {
        untyped(self.document(DocumentKind::Bill, of, Standing::Sent, now))
    }

    pub(super) fn bill_paid(&mut self, of: &Entry, now: DateTime<Utc>) -> Webhook {
        let mut payment = self.payment(DocumentKind::VendorPayment, of, now);
        let applied = &mut payment["vendorpayment"]["bills"][0];
        applied["bill_id"] = json!(of.id);
        applied["bill_number"] = json!(of.number);
        applied["date"] = json!(self.day(of.created));
        payment["vendorpayment"]["description"] = json!(format!("Payment for {}", of.number));
        untyped(payment)
    }

    /// What is posted once, and paid elsewhere.
    pub(super) fn other(
        &mut self,
        kind: DocumentKind,
        standing: Standing,
        trader: usize,
        now: DateTime<Utc>,
    ) -> Webhook {
        let entry = self.entry(trader, now - TimeDelta::minutes(2), 30, String::new());
        let wish = Wish {
            standing: Some(standing),
            total: Some(entry.total),
            trader: Some(trader),
            created: Some(entry.created),
            due_in_days: Some(entry.terms),
            terms: Some(entry.terms),
            ..Wish::default()
        };
        untyped(self.samples.document(kind, &wish, now))
    }

    /// A kind of document that no rule can be about.
    pub(super) fn estimate(&mut self, now: DateTime<Utc>) -> Webhook {
        let trader = Trader::customer(CUSTOMERS[1]);
        let of = self.entry(CUSTOMERS[1], now, 30, "EST-00184".to_owned());
        untyped(json!({ "estimate": {
            "estimate_id": of.id,
            "estimate_number": of.number,
            "date": self.day(now),
            "status": "sent",
            "customer_id": trader.id,
            "customer_name": trader.company,
            "currency_code": trader.currency_code,
            "created_time": now.with_timezone(&self.zone).format("%Y-%m-%dT%H:%M:%S%z").to_string(),
        } }))
    }

    fn document(
        &mut self,
        kind: DocumentKind,
        of: &Entry,
        standing: Standing,
        now: DateTime<Utc>,
    ) -> Value {
        let age = (self.day(now) - self.day(of.created)).num_days();
        // Zoho Books writes each change down some seconds before it posts it.
        let changed = (now - TimeDelta::seconds(3)).max(of.created);
        let wish = Wish {
            standing: Some(standing),
            id: Some(of.id.clone()),
            number: Some(of.number.clone()),
            total: Some(of.total),
            trader: Some(of.trader),
            created: Some(of.created),
            modified: Some(changed),
            due_in_days: Some(of.terms - age),
            terms: Some(of.terms),
            ..Wish::default()
        };
        self.samples.document(kind, &wish, now)
    }

    fn payment(&mut self, kind: DocumentKind, of: &Entry, now: DateTime<Utc>) -> Value {
        let wish = Wish {
            standing: Some(Standing::Paid),
            total: Some(of.total),
            trader: Some(of.trader),
            created: Some(now - TimeDelta::seconds(5)),
            ..Wish::default()
        };
        self.samples.document(kind, &wish, now)
    }

    fn day(&self, at: DateTime<Utc>) -> chrono::NaiveDate {
        at.with_timezone(&self.zone).date_naive()
    }
}

/// Where a customer's messages go.
pub(super) fn mobile(customer: usize) -> String {
    let trader = Trader::customer(customer);
    let country = CountryCode::parse(trader.country_code).ok();
    // A test of the samples reads each of them.
    to_e164(&trader.mobile, country).map_or(trader.mobile, |number| number.to_string())
}

const fn untyped(document: Value) -> Webhook {
    Webhook { path: "", document }
}

/// Blanks every number of a person, wherever it stands.
fn forget_numbers(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(forget_numbers),
        Value::Object(fields) => {
            for (key, field) in fields {
                if matches!(key.as_str(), "phone" | "mobile") {
                    *field = json!("");
                } else {
                    forget_numbers(field);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn everybody_has_a_part_and_a_number_of_their_own() {
        let parts = [WITHOUT_NUMBER, OPTED_OUT, UNCLEAR, FOUND, UNKNOWN];
        let customers = CUSTOMERS.into_iter().chain(parts);
        let customers: Vec<usize> = customers.chain(UNREACHABLE.map(|(c, _)| c)).collect();
        let traders: Vec<Trader> = customers.iter().map(|c| Trader::customer(*c)).collect();
        let vendors: Vec<Trader> = VENDORS.iter().map(|v| Trader::vendor(*v)).collect();
        let all: Vec<&Trader> = traders.iter().chain(&vendors).collect();
        let names: HashSet<&str> = all.iter().map(|t| t.last_name).collect();
        assert_eq!(names.len(), all.len(), "no two firms bear one name");
        let numbers: HashSet<String> = customers.iter().map(|c| mobile(*c)).collect();
        assert_eq!(numbers.len(), customers.len());
        assert!(numbers.iter().all(|n| n.starts_with('+')), "{numbers:?}");
    }

    #[test]
    fn a_documents_dates_fit_its_life() {
        let zone = FixedOffset::west_opt(5 * 3600).unwrap();
        let mut books = Books::new(3, zone);
        let sent: DateTime<Utc> = "2026-11-20T15:00:00Z".parse().unwrap();
        let of = books.new_invoice(CUSTOMERS[0], sent, 14);
        let overdue = sent + TimeDelta::days(21);
        let posted = [
            books.invoice_sent(&of, sent),
            books.invoice_overdue(&of, overdue),
            books.invoice_paid(&of, overdue + TimeDelta::days(1)),
        ];
        for webhook in &posted {
            let invoice = &webhook.document["invoice"];
            assert_eq!(invoice["date"], "2026-11-20");
            assert_eq!(invoice["due_date"], "2026-12-04");
            assert_eq!(
                invoice["invoice_number"],
                posted[0].document["invoice"]["invoice_number"]
            );
            assert_eq!(invoice["total"], posted[0].document["invoice"]["total"]);
        }
        let payment = books.payment_received(&of, overdue).document;
        let applied = &payment["payment"]["invoices"][0];
        assert_eq!(
            applied["invoice_id"],
            posted[0].document["invoice"]["invoice_id"]
        );
        assert_eq!(
            applied["amount_applied"],
            posted[0].document["invoice"]["total"]
        );
    }
}
