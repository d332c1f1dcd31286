//! Realistic documents of Zoho Books: the full key sets of captured payloads, other values.
//!
//! Numbers fit each other (lines, tax, total and their `…_formatted` twins), and every phone number
//! lies in a range reserved for fiction, so a document that escapes from a demo calls nobody.

mod formatted;
mod people;
mod plan;
mod shift;

use chrono::{DateTime, Days, FixedOffset, NaiveDate, Offset, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value};

pub use self::people::Trader;
use self::plan::{Money, Plan};
pub use self::plan::{Standing, Wish};
pub use self::shift::shift_to_now;
use crate::domain::document::DocumentKind;

type Record = Map<String, Value>;

/// Makes documents; the same seed and wishes make the same ones.
#[derive(Debug)]
pub struct Generator {
    rng: StdRng,
    zone: FixedOffset,
    next_number: u32,
}

impl Generator {
    /// A generator whose chance is settled by `seed`; times are written in UTC.
    pub fn seeded(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let next_number = rng.random_range(10..4000);
        Self {
            rng,
            zone: Utc.fix(),
            next_number,
        }
    }

    /// Writes times in `zone`, as an organisation there would have them.
    #[must_use]
    pub fn in_zone(mut self, zone: FixedOffset) -> Self {
        self.zone = zone;
        self
    }

    /// An invoice in its envelope.
    pub fn invoice(&mut self, wish: &Wish, now: DateTime<Utc>) -> Value {
        self.document(DocumentKind::Invoice, wish, now)
    }

    /// A document of any kind and standing, mostly invoices, as a business makes them.
    pub fn any(&mut self, now: DateTime<Utc>) -> Value {
        let kind = match self.rng.random_range(0..12) {
            0..6 => DocumentKind::Invoice,
            6..8 => DocumentKind::CustomerPayment,
            8 => DocumentKind::Bill,
            9 => DocumentKind::PurchaseOrder,
            10 => DocumentKind::VendorPayment,
            _ => DocumentKind::Expense,
        };
        self.document(kind, &Wish::default(), now)
    }

    /// A document of one kind in its envelope, as Zoho's default payload is.
    pub fn document(&mut self, kind: DocumentKind, wish: &Wish, now: DateTime<Utc>) -> Value {
        let (envelope, mut record) = template(kind);
        let plan = self.plan(kind, wish, now);
        let trader = self.trader(kind, wish);
        shift::shift(&mut record, plan.created, now);
        self.exchange(kind, &mut record, &plan, &trader);
        plan::settle(kind, &mut record, &plan);
        formatted::refresh(&mut record, trader.currency_symbol);
        let mut top = Record::new();
        top.insert(envelope.to_owned(), Value::Object(record));
        Value::Object(top)
    }

    fn trader(&mut self, kind: DocumentKind, wish: &Wish) -> Trader {
        let index = wish.trader.unwrap_or_else(|| self.rng.random_range(0..400));
        if is_bought(kind) {
            Trader::vendor(index)
        } else {
            Trader::customer(index)
        }
    }

    fn plan(&mut self, kind: DocumentKind, wish: &Wish, now: DateTime<Utc>) -> Plan {
        let rng = &mut self.rng;
        let standing = wish
            .standing
            .or_else(|| Standing::ALL[..5].choose(rng).copied())
            .unwrap_or(Standing::Sent);
        let ago = TimeDelta::seconds(rng.random_range(120..540));
        let created = wish.created.unwrap_or(now - ago).with_timezone(&self.zone);
        let edited = created + TimeDelta::seconds(rng.random_range(1..60));
        let modified = wish
            .modified
            .map_or(edited, |at| at.with_timezone(&self.zone))
            .clamp(created, now.with_timezone(&self.zone).max(created));
        let drawn = *[7, 14, 15, 30, 45].choose(rng).unwrap_or(&30);
        let terms = wish.terms.unwrap_or(drawn);
        let due_in = wish.due_in_days.unwrap_or_else(|| match standing {
            Standing::Overdue => -rng.random_range(1..30),
            _ => rng.random_range(1..=terms),
        });
        let today = now.with_timezone(&self.zone).date_naive();
        let due_date = days_from(today, due_in);
        self.next_number += 1;
        Plan {
            id: wish.id.clone().unwrap_or_else(|| id(&mut self.rng)),
            number: wish
                .number
                .clone()
                .unwrap_or_else(|| number(kind, self.next_number)),
            standing,
            money: Money::plan(&mut self.rng, kind, wish, standing),
            created,
            modified,
            terms,
            date: days_from(due_date, -terms).min(today),
            due_date,
            due_in,
        }
    }

    /// Exchanges the values of the template for the planned ones, wherever they stand.
    fn exchange(&mut self, kind: DocumentKind, record: &mut Record, plan: &Plan, trader: &Trader) {
        let mut exchanged: Vec<(String, String)> = people::exchanges(trader)
            .into_iter()
            .map(|(old, new)| (old.to_owned(), new))
            .collect();
        let own = record
            .get(id_key(kind))
            .and_then(Value::as_str)
            .unwrap_or_default();
        exchanged.push((own.to_owned(), plan.id.clone()));
        let item = people::ITEMS
            .choose(&mut self.rng)
            .copied()
            .unwrap_or_default();
        for old in ["Access Point", "A4 paper, 80 gsm (box)", "Hard Drive"] {
            exchanged.push((old.to_owned(), item.to_owned()));
        }
        for (key, old) in record.iter_mut() {
            self.exchange_in(key, old, &mut exchanged, &plan.money);
        }
    }

    fn exchange_in(
        &mut self,
        key: &str,
        value: &mut Value,
        exchanged: &mut Vec<(String, String)>,
        money: &Money,
    ) {
        match value {
            Value::String(old) => {
                if let Some((_, new)) = exchanged.iter().find(|(known, _)| known == old) {
                    new.clone_into(old);
                } else if old.len() >= 12 && old.bytes().all(|b| b.is_ascii_digit()) {
                    // One id stands in many places and stays one.
                    let new = id(&mut self.rng);
                    exchanged.push((std::mem::replace(old, new.clone()), new));
                } else if key == "reference_number" && !old.is_empty() {
                    *old = format!("REF-{}", self.rng.random_range(10_000..999_999));
                } else if key == "invoice_url" {
                    let token = hex::encode(self.rng.random::<[u8; 48]>());
                    // The blank at the end is Zoho's.
                    *old = format!(
                        "https://zohosecurepay.com/books/zillum/secure?CInvoiceID=2-{token} "
                    );
                }
            }
            Value::Number(old) => {
                if let Some(new) = money.exchange(key, old.as_str()) {
                    *old = new;
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.exchange_in(key, item, exchanged, money);
                }
            }
            Value::Object(fields) => {
                for (key, field) in fields.iter_mut() {
                    self.exchange_in(key, field, exchanged, money);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }
}

/// A document as bytes: compact as Zoho posts it, or indented as other senders do.
pub fn to_body(document: &Value, indented: bool) -> Vec<u8> {
    let text = if indented {
        format!("{document:#}")
    } else {
        document.to_string()
    };
    text.into_bytes()
}

/// The envelope and the record that a document starts from.
fn template(kind: DocumentKind) -> (&'static str, Record) {
    let (envelope, text) = match kind {
        DocumentKind::Invoice => ("invoice", include_str!("samples/invoice.json")),
        DocumentKind::CustomerPayment => ("payment", include_str!("samples/customerpayment.json")),
        DocumentKind::Bill => ("bill", include_str!("samples/bill.json")),
        DocumentKind::PurchaseOrder => {
            ("purchaseorder", include_str!("samples/purchaseorder.json"))
        }
        DocumentKind::VendorPayment => {
            ("vendorpayment", include_str!("samples/vendorpayment.json"))
        }
        DocumentKind::Expense => ("expense", include_str!("samples/expense.json")),
    };
    // The files are part of the program and a test reads each of them.
    let mut top: Record = serde_json::from_str(text).unwrap_or_default();
    match top.remove(envelope) {
        Some(Value::Object(record)) => (envelope, record),
        _ => (envelope, Record::new()),
    }
}

const fn id_key(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::Invoice => "invoice_id",
        DocumentKind::Bill => "bill_id",
        DocumentKind::PurchaseOrder => "purchaseorder_id",
        DocumentKind::Expense => "expense_id",
        DocumentKind::CustomerPayment | DocumentKind::VendorPayment => "payment_id",
    }
}

const fn is_bought(kind: DocumentKind) -> bool {
    matches!(
        kind,
        DocumentKind::Bill | DocumentKind::PurchaseOrder | DocumentKind::VendorPayment
    )
}

/// 19 digits, as Zoho's ids have, beyond what a float holds.
fn id(rng: &mut StdRng) -> String {
    format!("87543100000{:08}", rng.random_range(10_000_000..99_999_999))
}

fn number(kind: DocumentKind, number: u32) -> String {
    match kind {
        DocumentKind::Invoice => format!("INV-{number:05}"),
        DocumentKind::Bill => format!("BILL-{number:05}"),
        DocumentKind::PurchaseOrder => format!("PO-{number:05}"),
        DocumentKind::Expense => format!("EXP-{number}"),
        DocumentKind::CustomerPayment | DocumentKind::VendorPayment => number.to_string(),
    }
}

fn days_from(day: NaiveDate, days: i64) -> NaiveDate {
    let span = Days::new(days.unsigned_abs());
    let moved = if days < 0 {
        day.checked_sub_days(span)
    } else {
        day.checked_add_days(span)
    };
    moved.unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Amount;

    fn now() -> DateTime<Utc> {
        "2027-03-04T10:20:30Z".parse().unwrap()
    }

    fn record(document: &Value) -> &Record {
        document
            .as_object()
            .unwrap()
            .values()
            .next()
            .unwrap()
            .as_object()
            .unwrap()
    }

    fn units(value: &Value) -> i64 {
        let (whole, fraction) = value.to_string().split_once('.').map_or_else(
            || (value.to_string(), String::new()),
            |(w, f)| (w.to_owned(), f.to_owned()),
        );
        format!("{whole}{fraction:0<4}").parse().unwrap()
    }

    /// Every key path, so that key sets can be compared.
    fn paths(value: &Value, at: &str, all: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (key, field) in fields {
                    all.push(format!("{at}.{key}"));
                    paths(field, &format!("{at}.{key}"), all);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| paths(item, at, all)),
            _ => {}
        }
    }

    #[test]
    fn every_kind_keeps_the_key_set_of_its_sample() {
        let mut generator = Generator::seeded(1);
        for &kind in DocumentKind::ALL {
            let (envelope, sample) = template(kind);
            let document = generator.document(kind, &Wish::default(), now());
            let made = &document[envelope];
            let (mut had, mut has) = (Vec::new(), Vec::new());
            paths(&Value::Object(sample), "", &mut had);
            paths(made, "", &mut has);
            assert!(had.len() > 20, "{kind}");
            assert_eq!(had, has, "{kind}");
        }
    }

    #[test]
    fn one_seed_makes_one_sequence() {
        let bodies = |seed| {
            let mut generator = Generator::seeded(seed);
            (0..20)
                .map(|_| to_body(&generator.any(now()), false))
                .collect::<Vec<_>>()
        };
        assert_eq!(bodies(7), bodies(7));
        assert_ne!(bodies(7), bodies(8));
    }

    #[test]
    fn a_wish_is_granted() {
        let wish = Wish {
            standing: Some(Standing::Overdue),
            id: Some("8754310000010306009".to_owned()),
            number: Some("INV-77".to_owned()),
            total: Some(Amount(12_345_600)),
            trader: Some(3),
            due_in_days: Some(-14),
            ..Wish::default()
        };
        let document = Generator::seeded(5).invoice(&wish, now());
        let invoice = &document["invoice"];
        let customer = Trader::customer(3);
        assert_eq!(invoice["status"], "overdue");
        assert_eq!(invoice["status_formatted"], "Overdue");
        assert_eq!(invoice["invoice_id"], "8754310000010306009");
        assert_eq!(invoice["invoice_number"], "INV-77");
        assert_eq!(invoice["due_date"], "2027-02-18");
        assert_eq!(invoice["due_date_formatted"], "18 Feb 2027");
        assert_eq!(invoice["customer_id"], customer.id.as_str());
        assert_eq!(invoice["customer_name"], customer.company.as_str());
        assert_eq!(
            invoice["contact_persons_details"][0]["mobile"],
            customer.mobile.as_str()
        );
        assert_eq!(invoice["email"], customer.email.as_str());
        assert_eq!(
            (units(&invoice["total"]), units(&invoice["balance"])),
            (12_345_600, 12_345_600)
        );
        let formatted = format!("{}1,234.56", customer.currency_symbol);
        assert_eq!(invoice["total_formatted"], formatted.as_str());
        assert!(invoice["invoice_url"].as_str().unwrap().ends_with(' '));
    }

    #[test]
    fn amounts_and_times_fit_each_other() {
        let zone = FixedOffset::west_opt(8 * 3600).unwrap();
        let mut generator = Generator::seeded(11).in_zone(zone);
        for round in 0..200 {
            let standing = Standing::ALL[round % 6];
            let wish = Wish {
                standing: Some(standing),
                ..Wish::default()
            };
            let document = generator.invoice(&wish, now());
            let invoice = record(&document);
            let of = |key: &str| units(&invoice[key]);
            let line = &invoice["line_items"][0];
            assert_eq!(of("sub_total") + of("tax_total"), of("total"));
            assert_eq!(of("total") - of("payment_made"), of("balance"));
            assert_eq!(
                units(&line["rate"]) * (units(&line["quantity"]) / 10_000),
                of("sub_total")
            );
            assert_eq!(units(&line["item_total"]), of("sub_total"));
            let time = |key: &str| {
                DateTime::parse_from_str(invoice[key].as_str().unwrap(), "%Y-%m-%dT%H:%M:%S%z")
            };
            let (created, modified) = (
                time("created_time").unwrap(),
                time("last_modified_time").unwrap(),
            );
            assert!(created <= modified && modified <= now());
            assert!(now() - created.to_utc() < TimeDelta::minutes(10));
            let due: NaiveDate = invoice["due_date"].as_str().unwrap().parse().unwrap();
            let today = now().with_timezone(&zone).date_naive();
            assert_eq!(due < today, standing == Standing::Overdue);
            assert_eq!(
                of("balance") == 0,
                matches!(standing, Standing::Paid | Standing::Void)
            );
        }
    }

    #[test]
    fn the_life_of_one_document_can_be_told() {
        let mut generator = Generator::seeded(2);
        let mut wish = Wish {
            standing: Some(Standing::Draft),
            id: Some("875".repeat(6)),
            number: Some("INV-1".to_owned()),
            total: Some(Amount(990_000)),
            trader: Some(0),
            created: Some(now() - TimeDelta::hours(2)),
            ..Wish::default()
        };
        let draft = generator.invoice(&wish, now());
        wish.standing = Some(Standing::Paid);
        wish.modified = Some(now() - TimeDelta::seconds(5));
        let paid = generator.invoice(&wish, now());
        for same in [
            "invoice_id",
            "invoice_number",
            "total",
            "customer_id",
            "created_time",
        ] {
            assert_eq!(draft["invoice"][same], paid["invoice"][same], "{same}");
        }
        assert_eq!(
            paid["invoice"]["last_modified_time"],
            "2027-03-04T10:20:25+0000"
        );
        assert_eq!(units(&paid["invoice"]["balance"]), 0);
    }

    #[test]
    fn no_value_of_the_templates_people_is_left() {
        let mut generator = Generator::seeded(3);
        for &kind in DocumentKind::ALL {
            let text = generator
                .document(kind, &Wish::default(), now())
                .to_string();
            for old in [
                "Bowman",
                "Harbour Paper",
                "david.john",
                "Petra",
                "202-555-0187",
                "900456",
            ] {
                assert!(!text.contains(old), "{kind}: {old}");
            }
        }
    }

    #[test]
    fn bodies_come_compact_and_indented() {
        let document = Generator::seeded(4).invoice(&Wish::default(), now());
        let (compact, indented) = (to_body(&document, false), to_body(&document, true));
        assert!(compact.len() > 9_000 && indented.len() > compact.len() + 2_000);
        let read: Value = serde_json::from_slice(&indented).unwrap();
        assert_eq!(read, document);
    }
}
