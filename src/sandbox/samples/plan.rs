//! What a generated document will be: standing, amounts and times that fit each other.

use chrono::{DateTime, FixedOffset, NaiveDate, Utc};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Map, Number, Value};

use crate::domain::document::DocumentKind;
use crate::domain::money::Amount;

/// Where a document stands; each kind has its own words for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    Draft,
    /// Sent to the customer; of a bill: open; of a purchase order: issued.
    Sent,
    /// Sent, and its due date has passed.
    Overdue,
    PartiallyPaid,
    Paid,
    Void,
}

impl Standing {
    /// Every standing.
    pub const ALL: [Self; 6] = [
        Self::Draft,
        Self::Sent,
        Self::Overdue,
        Self::PartiallyPaid,
        Self::Paid,
        Self::Void,
    ];

    /// Zoho's status word; payments and expenses have but one.
    pub const fn status(self, kind: DocumentKind) -> &'static str {
        match (kind, self) {
            (DocumentKind::CustomerPayment | DocumentKind::VendorPayment, _) => "success",
            (DocumentKind::Expense, _) => "unbilled",
            (_, Self::Draft) => "draft",
            (DocumentKind::Bill, Self::Sent) => "open",
            (DocumentKind::PurchaseOrder, Self::Sent | Self::Overdue) => "issued",
            (DocumentKind::PurchaseOrder, Self::PartiallyPaid) => "partially_billed",
            (DocumentKind::PurchaseOrder, Self::Paid) => "billed",
            (DocumentKind::PurchaseOrder, Self::Void) => "cancelled",
            (_, Self::Sent) => "sent",
            (_, Self::Overdue) => "overdue",
            (_, Self::PartiallyPaid) => "partially_paid",
            (_, Self::Paid) => "paid",
            (_, Self::Void) => "void",
        }
    }
}

/// What a document shall be like; what is `None` is left to chance. To tell the life of one
/// document, keep `id`, `number`, `total`, `trader` and `created` and change the rest.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    pub standing: Option<Standing>,
    pub id: Option<String>,
    pub number: Option<String>,
    pub total: Option<Amount>,
    /// What is still to pay; else it follows from the standing.
    pub balance: Option<Amount>,
    /// Which customer or vendor; the same index is the same company in every run.
    pub trader: Option<usize>,
    /// When it was created; else a few minutes ago.
    pub created: Option<DateTime<Utc>>,
    /// When it was last changed; else shortly after its creation.
    pub modified: Option<DateTime<Utc>>,
    /// Days from today to the due date; negative when overdue.
    pub due_in_days: Option<i64>,
    /// Days from its date to the due date.
    pub terms: Option<i64>,
}

/// What one document will be.
pub(super) struct Plan {
    pub(super) id: String,
    pub(super) number: String,
    pub(super) standing: Standing,
    pub(super) money: Money,
    pub(super) created: DateTime<FixedOffset>,
    pub(super) modified: DateTime<FixedOffset>,
    pub(super) terms: i64,
    pub(super) date: NaiveDate,
    pub(super) due_date: NaiveDate,
    pub(super) due_in: i64,
}

/// Amounts that fit each other, in ten-thousandths.
pub(super) struct Money {
    pub(super) quantity: i64,
    pub(super) rate: i64,
    pub(super) sub_total: i64,
    pub(super) tax: i64,
    pub(super) tax_percent: &'static str,
    pub(super) total: i64,
    pub(super) balance: i64,
}

impl Money {
    pub(super) fn plan(
        rng: &mut StdRng,
        kind: DocumentKind,
        wish: &Wish,
        standing: Standing,
    ) -> Self {
        let is_taxed = kind != DocumentKind::PurchaseOrder;
        let (tax_percent, thousandths) = match rng.random_range(0..4) {
            _ if !is_taxed => ("0", 0),
            0 => ("5", 50),
            1 => ("10.5", 105),
            2 => ("12.5", 125),
            _ => ("20", 200),
        };
        let cent = |units: i64| units / 100 * 100;
        let (quantity, sub_total, total) = if let Some(Amount(total)) = wish.total {
            let net = i128::from(total) * 1000 / i128::from(1000 + thousandths);
            (1, cent(i64::try_from(net).unwrap_or(total)), total)
        } else {
            let quantity = rng.random_range(1..=20);
            let rate = match rng.random_range(0..3) {
                0 => rng.random_range(5..2000) * 10_000,
                1 => rng.random_range(5..900) * 5_000,
                _ => rng.random_range(500..90_000) * 100,
            };
            let sub_total = quantity * rate;
            (
                quantity,
                sub_total,
                sub_total + cent(sub_total * thousandths / 1000),
            )
        };
        let balance = match (wish.balance, standing) {
            (Some(Amount(balance)), _) => balance,
            (None, Standing::Paid | Standing::Void) => 0,
            (None, Standing::PartiallyPaid) => cent(total / rng.random_range(2..5)),
            (None, _) => total,
        };
        Self {
            quantity,
            rate: sub_total / quantity,
            sub_total,
            tax: total - sub_total,
            tax_percent,
            total,
            balance,
        }
    }

    /// The planned number for one of the template's, told by the key and the template's value.
    pub(super) fn exchange(&self, key: &str, old: &str) -> Option<Number> {
        let units = match (key, old) {
            ("quantity", _) => self.quantity * 10_000,
            ("tax_percentage", "0") => return None,
            ("tax_percentage", _) => return self.tax_percent.parse().ok(),
            ("rate" | "bcy_rate" | "sales_rate", _) => self.rate,
            ("balance" | "customer_balance", "135.0" | "840.0") => self.balance,
            ("item_total_inclusive_of_tax", _) | (_, "135.0" | "840.0" | "112" | "124.35") => {
                self.total
            }
            (_, "120" | "700.0" | "112.5") => self.sub_total,
            (_, "15.0" | "140.0" | "11.85") => self.tax,
            _ => return None,
        };
        decimal(units)
    }
}
/// Writes the fields that follow from the plan as a whole.
pub(super) fn settle(kind: DocumentKind, record: &mut Map<String, Value>, plan: &Plan) {
    let instant = |at: DateTime<FixedOffset>| at.format("%Y-%m-%dT%H:%M:%S%z").to_string();
    let status = plan.standing.status(kind);
    let is_open = plan.money.balance > 0;
    // Only keys that the template has: the key set is Zoho's, not ours.
    let mut set = |key: &str, value: Value| {
        if let Some(field) = record.get_mut(key) {
            *field = value;
        }
    };
    for key in ["status", "current_sub_status"] {
        set(key, status.into());
    }
    for key in ["date", "issued_date", "created_date"] {
        set(key, plan.date.to_string().into());
    }
    if matches!(
        kind,
        DocumentKind::CustomerPayment | DocumentKind::VendorPayment
    ) {
        set("date", plan.created.date_naive().to_string().into());
        set("payment_number", plan.number.clone().into());
        set("description", format!("Payment {}", plan.number).into());
    }
    for key in [
        "invoice_number",
        "bill_number",
        "purchaseorder_number",
        "expense_number",
    ] {
        if kind != DocumentKind::Expense {
            set(key, plan.number.clone().into());
        }
    }
    set("due_date", plan.due_date.to_string().into());
    set("created_time", instant(plan.created).into());
    set("last_modified_time", instant(plan.modified).into());
    set("payment_terms", plan.terms.into());
    set("payment_terms_label", format!("Net {}", plan.terms).into());
    set(
        "payment_made",
        number_of(plan.money.total - plan.money.balance),
    );
    if kind == DocumentKind::Bill {
        let (late, ahead) = (plan.due_in < 0 && is_open, plan.due_in >= 0 && is_open);
        let days = plan.due_in.abs();
        let blank = || Value::from("");
        set("due_in_days", if ahead { days.into() } else { blank() });
        set("due_by_days", if late { days.into() } else { blank() });
        let words = match (late, ahead) {
            (true, _) => format!("Overdue by {days} day(s)"),
            (_, true) => format!("Due in {days} day(s)"),
            _ => String::new(),
        };
        set("due_days", words.into());
    }
    if kind == DocumentKind::Expense {
        set("reference_number", plan.number.clone().into());
    }
}

/// Ten-thousandths as Zoho writes numbers: `135.0`, `124.35`.
fn decimal(units: i64) -> Option<Number> {
    let size = units.unsigned_abs();
    let fraction = format!("{:04}", size % 10_000);
    let fraction = fraction.trim_end_matches('0');
    let fraction = if fraction.is_empty() { "0" } else { fraction };
    let sign = if units < 0 { "-" } else { "" };
    format!("{sign}{}.{fraction}", size / 10_000).parse().ok()
}

fn number_of(units: i64) -> Value {
    decimal(units).map_or(Value::Null, Value::Number)
}
