//! The kinds of record the stand-in serves, and what Zoho calls each of them where.

use serde::{Deserialize, Serialize};

/// A kind of record, named as in its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Invoices,
    Bills,
    Contacts,
    CustomerPayments,
    VendorPayments,
    PurchaseOrders,
    Expenses,
}

use Kind::{Bills, Contacts, CustomerPayments, Expenses, Invoices, PurchaseOrders, VendorPayments};

impl Kind {
    /// The kind of a path's segment.
    pub fn from_path(segment: &str) -> Option<Self> {
        [
            Invoices,
            Bills,
            Contacts,
            CustomerPayments,
            VendorPayments,
            PurchaseOrders,
            Expenses,
        ]
        .into_iter()
        .find(|kind| kind.path() == segment)
    }

    /// The path's segment, which is also the area of the scope.
    pub fn path(self) -> &'static str {
        match self {
            Invoices => "invoices",
            Bills => "bills",
            Contacts => "contacts",
            CustomerPayments => "customerpayments",
            VendorPayments => "vendorpayments",
            PurchaseOrders => "purchaseorders",
            Expenses => "expenses",
        }
    }

    /// The key of the rows in a list; the payments' underscore is documented (facts 6).
    pub(super) fn list_key(self) -> &'static str {
        if self == CustomerPayments {
            "customer_payments"
        } else {
            self.path()
        }
    }

    /// The key of one record.
    pub(super) fn envelope(self) -> &'static str {
        match self {
            Invoices => "invoice",
            Bills => "bill",
            Contacts => "contact",
            CustomerPayments => "payment",
            VendorPayments => "vendorpayment",
            PurchaseOrders => "purchaseorder",
            Expenses => "expense",
        }
    }

    pub(super) fn id_field(self) -> &'static str {
        match self {
            Invoices => "invoice_id",
            Bills => "bill_id",
            Contacts => "contact_id",
            CustomerPayments | VendorPayments => "payment_id",
            PurchaseOrders => "purchaseorder_id",
            Expenses => "expense_id",
        }
    }

    /// The noun of "… does not exist."
    pub(super) fn noun(self) -> &'static str {
        match self {
            Invoices => "Invoice",
            Bills => "Bill",
            Contacts => "Contact",
            CustomerPayments | VendorPayments => "Payment",
            PurchaseOrders => "Purchase Order",
            Expenses => "Expense",
        }
    }

    /// Filters by equality.
    pub(super) fn equals(self) -> &'static [&'static str] {
        match self {
            Invoices => &["customer_id", "invoice_number", "reference_number"],
            Bills => &["vendor_id", "bill_number"],
            Contacts => &["contact_type", "email"],
            CustomerPayments => &["customer_id"],
            PurchaseOrders => &["vendor_id", "purchaseorder_number"],
            VendorPayments | Expenses => &["vendor_id"],
        }
    }

    /// Whether the list filters by `last_modified_time`.
    pub(super) fn knows_modified(self) -> bool {
        !matches!(self, Expenses | CustomerPayments)
    }

    /// Columns that the list may be sorted by.
    pub(super) fn sort_columns(self) -> &'static [&'static str] {
        match self {
            Invoices => &[
                "customer_name",
                "invoice_number",
                "date",
                "due_date",
                "total",
                "balance",
                "created_time",
            ],
            Bills => &[
                "vendor_name",
                "bill_number",
                "date",
                "due_date",
                "total",
                "balance",
                "created_time",
                "last_modified_time",
            ],
            Contacts => &["contact_name", "created_time", "last_modified_time"],
            CustomerPayments => &["customer_name", "date", "amount", "created_time"],
            VendorPayments => &[
                "vendor_name",
                "date",
                "amount",
                "created_time",
                "last_modified_time",
            ],
            PurchaseOrders => &[
                "vendor_name",
                "purchaseorder_number",
                "date",
                "delivery_date",
                "total",
                "created_time",
                "last_modified_time",
            ],
            Expenses => &[
                "date",
                "account_name",
                "total",
                "customer_name",
                "created_time",
            ],
        }
    }
}
