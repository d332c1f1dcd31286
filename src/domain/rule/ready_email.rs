//! Ready texts for e-mails: each fills the editor, to be changed and saved.

use super::EmailSource;
use crate::domain::event::EventType;

/// A text that is nearly what a company wants to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadyEmail {
    /// Its name in addresses.
    pub key: &'static str,
    pub event_type: EventType,
    /// Who reads it: a customer or vendor, or the company's own people.
    pub is_internal: bool,
    pub subject: &'static str,
    pub preview: &'static str,
    pub body: &'static str,
}

/// Every ready text.
pub const READY_EMAILS: [ReadyEmail; 9] = [
    ReadyEmail {
        key: "invoice-sent",
        event_type: EventType::InvoiceSent,
        is_internal: false,
        subject: "Invoice {{ invoice_number }} over {{ total|money }}",
        preview: "Due on {{ due_date|date }}",
        body: "\
Hello {{ contact.first_name|default(customer_name) }},

thank you for your business. Here is invoice **{{ invoice_number }}**, due on {{ due_date|date }}.

[[details]]

[[pay button]]

[[items]]

[[totals]]

[[bank details]]

If anything is not as you expected, just answer this e-mail.

[[signature]]
",
    },
    ReadyEmail {
        key: "payment-received",
        event_type: EventType::PaymentReceived,
        is_internal: false,
        subject: "We received your payment of {{ amount|money }}",
        preview: "Thank you. Nothing else is to be done.",
        body: "\
Hello {{ contact.first_name|default(customer_name) }},

thank you: we received **{{ amount|money }}** on {{ date|date }}.

[[details]]

[[items]]

[[signature]]
",
    },
    ReadyEmail {
        key: "invoice-overdue",
        event_type: EventType::InvoiceOverdue,
        is_internal: false,
        subject: "Invoice {{ invoice_number }} was due on {{ due_date|date }}",
        preview: "{{ balance|money }} is still open. If you have paid, thank you.",
        body: "\
Hello {{ contact.first_name|default(customer_name) }},

**{{ balance|money }}** of invoice {{ invoice_number }} was due on {{ due_date|date }}. If you have paid \
in the meantime, thank you, and please ignore this reminder.

[[details]]

[[pay button]]

[[bank details]]

If there is a reason why it is open, answer this e-mail and we will find a way.

[[signature]]
",
    },
    ReadyEmail {
        key: "bill-created",
        event_type: EventType::BillCreated,
        is_internal: true,
        subject: "Bill {{ bill_number }} of {{ vendor_name }} over {{ total|money }}",
        preview: "Due on {{ due_date|date }}",
        body: "\
Bill **{{ bill_number }}** of {{ vendor_name }} was entered. It is due on {{ due_date|date }}.

[[details]]

[[items]]

[[totals]]
{% if notes %}

Notes: {{ notes }}
{% endif %}
",
    },
    ReadyEmail {
        key: "bill-due-soon",
        event_type: EventType::BillDueSoon,
        is_internal: true,
        subject: "Due on {{ due_date|date }}: bill {{ bill_number }} of {{ vendor_name }}",
        preview: "{{ balance|money }} is to be paid",
        body: "\
**{{ balance|money }}** of bill {{ bill_number }} of {{ vendor_name }} is due on {{ due_date|date }}.

[[details]]
",
    },
    ReadyEmail {
        key: "purchase-order-issued",
        event_type: EventType::PurchaseOrderIssued,
        is_internal: false,
        subject: "Purchase order {{ purchaseorder_number }}",
        preview: "{{ total|money }}",
        body: "\
Hello {{ contact.first_name|default(vendor_name) }},

please take this order, **{{ purchaseorder_number }}** of {{ date|date }}, and confirm it by answering this e-mail.

[[details]]

[[items]]

[[totals]]
{% if notes %}

{{ notes }}
{% endif %}

Please name the order number on your delivery note and invoice.

[[signature]]
",
    },
    ReadyEmail {
        key: "vendor-payment",
        event_type: EventType::VendorPaymentSent,
        is_internal: false,
        subject: "We paid you {{ amount|money }}",
        preview: "What the payment is for",
        body: "\
Hello {{ contact.first_name|default(vendor_name) }},

on {{ date|date }} we paid you **{{ amount|money }}** for:

[[items]]

[[details]]

[[signature]]
",
    },
    ReadyEmail {
        key: "big-expense",
        event_type: EventType::ExpenseRecorded,
        is_internal: true,
        subject: "Expense of {{ total|money }}: {{ account_name }}",
        preview: "{{ description }}",
        body: "\
An expense of **{{ total|money }}** was recorded{% if vendor_name %} with {{ vendor_name }}{% endif %}.

[[details]]
",
    },
    ReadyEmail {
        key: "overdue-collections",
        event_type: EventType::InvoiceOverdue,
        is_internal: true,
        subject: "Overdue: {{ customer_name }} owes {{ balance|money }}",
        preview: "Invoice {{ invoice_number }}, due on {{ due_date|date }}",
        body: "\
**{{ customer_name }}** has not paid invoice {{ invoice_number }}, which was due on {{ due_date|date }}.

[[details]]

Contact: {{ contact.name }}{% if contact.phone %}, {{ contact.phone }}{% endif %}{% if contact.email %}, \
{{ contact.email }}{% endif %}
",
    },
];

impl ReadyEmail {
    /// The ready text of a key.
    pub fn find(key: &str) -> Option<&'static Self> {
        READY_EMAILS.iter().find(|ready| ready.key == key)
    }

    /// The text, to be edited.
    pub fn source(&self) -> EmailSource {
        EmailSource {
            subject: self.subject.to_owned(),
            preview: self.preview.to_owned(),
            body: self.body.to_owned(),
        }
    }
}
