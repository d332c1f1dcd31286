//! A document as people read it: its details, its items and how its total comes about.
//!
//! Only data: how it looks in HTML and in plain text is decided elsewhere. What is not given is left out.

use rust_decimal::Decimal;
use serde_json::Value;

use super::escape::{cut, one_line, tidy};
use crate::domain::currency::Currency;
use crate::domain::decimal;
use crate::domain::document::DocumentKind;
use crate::domain::money::{self, MoneyStyle};
use crate::domain::rule::{Fact, Facts};

/// How many items are shown; of the rest, their number.
const MOST_ITEMS: usize = 100;
const LONGEST_VALUE: usize = 200;
const LONGEST_DESCRIPTION: usize = 500;
/// A unit price may be finer than its currency, but not by a float's tail.
const MOST_PRICE_PLACES: u32 = 6;

/// A line of the details or of the totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) label: String,
    pub(super) value: String,
    /// The one that matters: what is still owed.
    pub(super) is_main: bool,
}

/// What a column holds; all but words are figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Words,
    Quantity,
    Rate,
    Amount,
}

/// A table of items.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Table {
    pub(super) head: Vec<(String, Column)>,
    pub(super) rows: Vec<Row>,
    /// How many more there are.
    pub(super) more: usize,
}

/// An item: a cell for each column of the head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) cells: Vec<String>,
    /// What stands below the first cell.
    pub(super) note: Option<String>,
}

/// What reads a document.
#[derive(Clone, Copy)]
pub(super) struct Document<'a> {
    pub(super) kind: DocumentKind,
    pub(super) facts: &'a Facts<'a>,
}

impl<'a> Document<'a> {
    /// Number, dates, total and balance, as far as the kind has them and they are given.
    pub(super) fn details(self) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut add = |label: &str, value: Option<String>| {
            if let Some(value) = value {
                lines.push(line(label, value, false));
            }
        };
        match self.kind {
            DocumentKind::Invoice => {
                add("Invoice number", self.words("invoice_number"));
                add("Reference", self.words("reference_number"));
                add("Invoice date", self.day("date"));
                add("Due date", self.day("due_date"));
            }
            DocumentKind::Bill => {
                add("Bill number", self.words("bill_number"));
                add("Vendor", self.words("vendor_name"));
                add("Reference", self.words("reference_number"));
                add("Bill date", self.day("date"));
                add("Due date", self.day("due_date"));
            }
            DocumentKind::PurchaseOrder => {
                add("Purchase order", self.words("purchaseorder_number"));
                add("Reference", self.words("reference_number"));
                add("Order date", self.day("date"));
                let delivery = self.day("delivery_date");
                add(
                    "Delivery date",
                    delivery.or_else(|| self.day("expected_delivery_date")),
                );
                add("Ship via", self.words("ship_via"));
            }
            DocumentKind::CustomerPayment | DocumentKind::VendorPayment => {
                add("Payment number", self.words("payment_number"));
                add("Date", self.day("date"));
                add("Paid by", self.words("payment_mode"));
                add("Reference", self.words("reference_number"));
                lines.extend(self.money("amount").map(|sum| line("Amount", sum, true)));
                return lines;
            }
            DocumentKind::Expense => {
                add("Date", self.day("date"));
                add("Account", self.words("account_name"));
                add("Paid through", self.words("paid_through_account_name"));
                add("Vendor", self.words("vendor_name"));
                add("Reference", self.words("reference_number"));
                add("Description", self.words("description"));
                let total = self.money("total").or_else(|| self.money("amount"));
                lines.extend(total.map(|total| line("Total", total, true)));
                return lines;
            }
        }
        let (total, balance) = (self.money("total"), self.money("balance"));
        if total.is_some() && total == balance {
            lines.extend(total.map(|total| line("Amount due", total, true)));
            return lines;
        }
        // A purchase order has no balance.
        lines.extend(total.map(|total| line("Total", total, balance.is_none())));
        lines.extend(balance.map(|balance| line("Balance due", balance, true)));
        lines
    }

    /// The items; of a payment, the documents that it pays.
    pub(super) fn items(self) -> Table {
        match self.kind {
            DocumentKind::CustomerPayment => self.paid("invoices", "Invoice", "invoice_number"),
            DocumentKind::VendorPayment => self.paid("bills", "Bill", "bill_number"),
            _ => self.line_items(),
        }
    }

    /// From the subtotal to what is still owed.
    pub(super) fn totals(self) -> Vec<Line> {
        if matches!(
            self.kind,
            DocumentKind::CustomerPayment | DocumentKind::VendorPayment
        ) {
            return self.payment_totals();
        }
        let mut sums = Sums {
            of: self,
            lines: Vec::new(),
        };
        sums.add("Subtotal", "sub_total", false);
        // Discounts of single items are in their amounts already.
        if self.words("discount_type").as_deref() != Some("item_level") {
            if self.is_given("discount_total") {
                sums.add("Discount", "discount_total", true);
            } else {
                sums.add("Discount", "discount_amount", true);
            }
        }
        sums.add("Shipping", "shipping_charge", false);
        sums.taxes();
        let adjustment = self.words("adjustment_description");
        sums.add(
            adjustment.as_deref().unwrap_or("Adjustment"),
            "adjustment",
            false,
        );
        sums.add("Rounding", "roundoff_value", false);
        let total = if self.is_given("total") {
            "total"
        } else {
            "amount"
        };
        // Where nothing is paid, the total is what is owed.
        let is_last = !self.is_given("balance") || self.money("balance") == self.money("total");
        sums.always("Total", total, is_last);
        if is_last {
            return sums.lines;
        }
        sums.add("Paid", "payment_made", true);
        sums.add("Credits applied", "credits_applied", true);
        sums.add("Credits applied", "vendor_credits_applied", true);
        sums.add("Tax withheld", "tax_amount_withheld", true);
        sums.add("Written off", "write_off_amount", true);
        sums.always("Balance due", "balance", true);
        sums.lines
    }

    /// Whether a customer still owes money on it.
    pub(super) fn is_payable(self) -> bool {
        if self.kind != DocumentKind::Invoice {
            return false;
        }
        let status = self.words("status").unwrap_or_default().to_lowercase();
        if matches!(status.as_str(), "paid" | "void" | "draft") {
            return false;
        }
        let owed = self.amount("balance").or_else(|| self.amount("total"));
        owed.is_none_or(|owed| owed > Decimal::ZERO)
    }

    fn payment_totals(self) -> Vec<Line> {
        let mut sums = Sums {
            of: self,
            lines: Vec::new(),
        };
        sums.add("Bank charges", "bank_charges", false);
        sums.add("Tax withheld", "tax_amount_withheld", false);
        sums.always("Amount", "amount", true);
        sums.add("Not yet applied", "unused_amount", false);
        sums.lines
    }

    fn line_items(self) -> Table {
        let items = self.list("line_items");
        let single = self.facts.fields.get("line_item");
        let all: Vec<&Value> = match (items, single) {
            (Some(items), _) => items.iter().collect(),
            (None, Some(single)) => vec![single],
            (None, None) => Vec::new(),
        };
        let shown: Vec<Item> = all
            .iter()
            .take(MOST_ITEMS)
            .map(|item| self.item(item))
            .collect();
        let has_quantity = shown.iter().any(|item| item.quantity.is_some());
        let has_rate = shown.iter().any(|item| item.rate.is_some());
        let amount = match self.facts.currency {
            Some(currency) => format!("Amount, {currency}"),
            None => "Amount".to_owned(),
        };
        let columns = [
            ("Item".to_owned(), Column::Words, true),
            ("Quantity".to_owned(), Column::Quantity, has_quantity),
            ("Rate".to_owned(), Column::Rate, has_rate),
            (amount, Column::Amount, true),
        ];
        let kept = columns.each_ref().map(|(_, _, kept)| *kept);
        let head = columns.into_iter().filter(|(.., kept)| *kept);
        let rows = shown.into_iter().map(|item| {
            let cells = [Some(item.name), item.quantity, item.rate, item.amount];
            let cells = cells.into_iter().zip(kept).filter(|(_, kept)| *kept);
            Row {
                cells: cells.map(|(cell, _)| cell.unwrap_or_default()).collect(),
                note: item.note,
            }
        });
        Table {
            rows: rows.collect(),
            head: head.map(|(name, column, _)| (name, column)).collect(),
            more: all.len().saturating_sub(MOST_ITEMS),
        }
    }

    fn item(self, item: &Value) -> Item {
        let words =
            |name: &str| part(item, name).map(|fact| one_line(&fact.label(), LONGEST_VALUE));
        let mut note = part(item, "description").map(|fact| {
            let text = cut(tidy(&fact.label()).into_owned(), LONGEST_DESCRIPTION);
            text.trim().to_owned()
        });
        let name = words("name").or_else(|| words("account_name"));
        let name = name.or_else(|| note.take().map(|note| one_line(&note, LONGEST_VALUE)));
        if let Some(less) = decimal_of(item, "discount_amount").filter(|less| *less > Decimal::ZERO)
        {
            let less = format!("Discount {}", self.bare(less, 0));
            note = Some(note.map_or(less.clone(), |note| format!("{note}\n{less}")));
        }
        let quantity = words("quantity").map(|quantity| {
            let quantity = trimmed_number(&quantity);
            match words("unit") {
                Some(unit) => format!("{quantity} {}", cut(unit, 20)),
                None => quantity,
            }
        });
        let rate = decimal_of(item, "rate").map(|rate| self.bare(rate, MOST_PRICE_PLACES));
        let amount = decimal_of(item, "item_total").or_else(|| decimal_of(item, "amount"));
        Item {
            name: name.unwrap_or_default(),
            note: note.filter(|note| !note.is_empty()),
            quantity,
            rate,
            amount: amount.map(|amount| self.bare(amount, 0)),
        }
    }

    /// What a payment pays.
    fn paid(self, list: &str, what: &str, number: &str) -> Table {
        let all = self.list(list).unwrap_or_default();
        let rows = all.iter().take(MOST_ITEMS).map(|paid| {
            let of = |name: &str| part(paid, name);
            let day = of("date").and_then(|fact| fact.date());
            let total = decimal_of(paid, "invoice_amount").or_else(|| decimal_of(paid, "total"));
            let sums = [total, decimal_of(paid, "amount_applied")];
            let sums = sums.map(|sum| sum.map_or_else(String::new, |sum| self.bare(sum, 0)));
            let [total, applied] = sums;
            let number = of(number).map(|fact| one_line(&fact.label(), LONGEST_VALUE));
            Row {
                cells: vec![
                    number.unwrap_or_default(),
                    day.map_or_else(String::new, written_day),
                    total,
                    applied,
                ],
                note: None,
            }
        });
        let paid = match self.facts.currency {
            Some(currency) => format!("Paid, {currency}"),
            None => "Paid".to_owned(),
        };
        Table {
            rows: rows.collect(),
            head: vec![
                (what.to_owned(), Column::Words),
                ("Date".to_owned(), Column::Words),
                ("Total".to_owned(), Column::Amount),
                (paid, Column::Amount),
            ],
            more: all.len().saturating_sub(MOST_ITEMS),
        }
    }

    fn list(self, name: &str) -> Option<&'a [Value]> {
        let items = self.facts.fields.get(name)?.as_array()?;
        (!items.is_empty()).then_some(items.as_slice())
    }

    fn words(self, name: &str) -> Option<String> {
        let fact = self.facts.get(name)?;
        let line = one_line(&fact.label(), LONGEST_VALUE);
        (!line.is_empty()).then_some(line)
    }

    fn is_given(self, name: &str) -> bool {
        self.facts.get(name).is_some()
    }

    fn day(self, name: &str) -> Option<String> {
        let fact = self.facts.get(name)?;
        fact.date().map(written_day).or_else(|| self.words(name))
    }

    fn amount(self, name: &str) -> Option<Decimal> {
        self.facts.get(name)?.decimal()
    }

    fn money(self, name: &str) -> Option<String> {
        match self.amount(name) {
            Some(amount) => Some(self.written(amount)),
            // Written for people already, such as "1,350.00".
            None => self.words(name),
        }
    }

    fn written(self, amount: Decimal) -> String {
        money::format(amount, self.facts.currency, MoneyStyle::Short)
    }

    /// An amount below a head that names its currency.
    fn bare(self, amount: Decimal, finest: u32) -> String {
        let places = self.facts.currency.map_or(2, Currency::places);
        let places = places.max(decimal::places(amount).min(finest));
        decimal::fixed(amount, places, Some(','))
    }
}

struct Item {
    name: String,
    note: Option<String>,
    quantity: Option<String>,
    rate: Option<String>,
    amount: Option<String>,
}

/// Collects the lines of the totals.
struct Sums<'a> {
    of: Document<'a>,
    lines: Vec<Line>,
}

impl Sums<'_> {
    /// A sum that is worth a line: a given one that is not zero.
    fn add(&mut self, label: &str, name: &str, is_taken_off: bool) {
        let Some(amount) = self.of.amount(name).filter(|amount| !amount.is_zero()) else {
            return;
        };
        let written = self.of.written(amount);
        let written = match (is_taken_off, written.strip_prefix('-')) {
            (false, _) => written,
            (true, Some(positive)) => positive.to_owned(),
            (true, None) => format!("-{written}"),
        };
        self.lines.push(line(label, written, false));
    }

    fn always(&mut self, label: &str, name: &str, is_main: bool) {
        if let Some(written) = self.of.money(name) {
            self.lines.push(line(label, written, is_main));
        }
    }

    fn taxes(&mut self) {
        let is_inclusive = matches!(
            self.of.facts.get("is_inclusive_tax"),
            Some(Fact::Bool(true))
        );
        let label = |name: &str| {
            if is_inclusive {
                format!("Includes {name}")
            } else {
                name.to_owned()
            }
        };
        let taxes = self.of.facts.fields.get("taxes").and_then(Value::as_array);
        let before = self.lines.len();
        for tax in taxes.into_iter().flatten().take(20) {
            let amount = decimal_of(tax, "tax_amount").filter(|amount| !amount.is_zero());
            let name = part(tax, "tax_name").map(|fact| one_line(&fact.label(), 60));
            if let Some(amount) = amount {
                let name = label(name.as_deref().unwrap_or("Tax"));
                self.lines.push(line(&name, self.of.written(amount), false));
            }
        }
        if self.lines.len() == before {
            let name = if self.of.is_given("tax_total") {
                "tax_total"
            } else {
                "tax_amount"
            };
            self.add(&label("Tax"), name, false);
        }
    }
}

fn line(label: &str, value: String, is_main: bool) -> Line {
    Line {
        label: label.to_owned(),
        value,
        is_main,
    }
}

fn part<'v>(of: &'v Value, name: &str) -> Option<Fact<'v>> {
    of.get(name).and_then(Fact::json)
}

fn decimal_of(of: &Value, name: &str) -> Option<Decimal> {
    part(of, name)?.decimal()
}

/// `20` for the `20.0` that Zoho sends.
fn trimmed_number(text: &str) -> String {
    match decimal::parse_json(text) {
        Some(number) => decimal::fixed(number, decimal::places(number).min(6), Some(',')),
        None => cut(text.to_owned(), 20),
    }
}

fn written_day(day: chrono::NaiveDate) -> String {
    day.format("%-d %b %Y").to_string()
}
