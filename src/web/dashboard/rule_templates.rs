//! Ready rules: each fills the editor of a new rule, to be changed and saved.

use crate::web::form::FormState;

/// A rule that is nearly written.
pub(super) struct Ready {
    /// `?ready=…` of the editor.
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    /// What it does, in one sentence.
    pub(super) words: &'static str,
    event_type: &'static str,
    condition: Option<[&'static str; 3]>,
    /// To a fixed number instead of the contact.
    is_fixed: bool,
    text: &'static str,
    /// Customers are told who writes.
    is_signed: bool,
}

/// Every ready rule, in the order of the list.
pub(super) const READY: [Ready; 5] = [
    Ready {
        key: "invoice-sent",
        name: "Invoice sent",
        words: "Tells the contact that an invoice is there, with the link to pay it.",
        event_type: "invoice.sent",
        condition: None,
        is_fixed: false,
        text: "Hello {{ contact.first_name }}, invoice {{ invoice_number }} over \
               {{ total|money }} is due on {{ due_date|date }}. Pay here: {{ payment_link }}",
        is_signed: true,
    },
    Ready {
        key: "invoice-overdue",
        name: "Invoice 7 days overdue",
        words: "Reminds the contact a week after the due date.",
        event_type: "invoice.overdue",
        condition: Some(["label", "eq", "7d"]),
        is_fixed: false,
        text: "Hello {{ contact.first_name }}, {{ balance|money }} of invoice \
               {{ invoice_number }} was due on {{ due_date|date }}. If you have paid, thank you; \
               if not: {{ payment_link }}",
        is_signed: true,
    },
    Ready {
        key: "payment-thanks",
        name: "Thank you for a payment",
        words: "Thanks the contact when a payment is received.",
        event_type: "payment.received",
        condition: None,
        is_fixed: false,
        text: "Thank you, {{ contact.first_name }}: we received {{ amount|money }}.",
        is_signed: true,
    },
    Ready {
        key: "big-payment",
        name: "Big payment",
        words: "Tells one number of yours when much money comes in.",
        event_type: "payment.received",
        condition: Some(["amount", "gte", "1000"]),
        is_fixed: true,
        text: "{{ customer_name }} paid {{ amount|money }} ({{ payment_mode }}).",
        is_signed: false,
    },
    Ready {
        key: "bill-due",
        name: "Bill due soon",
        words: "Reminds one number of yours before a bill is due.",
        event_type: "bill.due_soon",
        condition: None,
        is_fixed: true,
        text: "Bill {{ bill_number }} of {{ vendor_name }} over {{ balance|money }} is due on \
               {{ due_date|date }}.",
        is_signed: false,
    },
];

/// The ready rule of a key.
pub(super) fn find(key: &str) -> Option<&'static Ready> {
    READY.iter().find(|r| r.key == key)
}

impl Ready {
    /// Fills the form of a new rule. `company` signs, and `own_number` is proposed where a rule tells
    /// one number.
    pub(super) fn fill(
        &self,
        form: FormState,
        company: &str,
        own_number: Option<&str>,
    ) -> FormState {
        // A name that would be read as a part of the template does not sign.
        let signs = self.is_signed && !company.contains(['{', '}']);
        let text = if signs {
            format!("{} {company}", self.text)
        } else {
            self.text.to_owned()
        };
        let form = form
            .with("name", self.name)
            .with("event_type", self.event_type)
            .with("template", text);
        let form = match self.condition {
            Some([field, op, value]) => form
                .with("condition.0.field", field)
                .with("condition.0.op", op)
                .with("condition.0.value", value),
            None => form,
        };
        if self.is_fixed {
            form.with("recipient", "fixed")
                .with("addresses", own_number.unwrap_or_default())
        } else {
            form
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rule::RuleDefinition;
    use crate::render::Template;
    use crate::web::dashboard::rule_form;
    use crate::web::extract::csrf_form::Form;

    #[test]
    fn every_ready_rule_can_be_saved_once_it_has_a_number() {
        for ready in &READY {
            let form = ready.fill(
                rule_form::empty(),
                "Acme {{ x }} & Co",
                Some("+447700900123"),
            );
            let names = [
                "name",
                "event_type",
                "joint",
                "recipient",
                "addresses",
                "sender",
                "send_within",
                "template",
                "condition.0.field",
                "condition.0.op",
                "condition.0.value",
            ];
            let pairs = names.map(|n| (n.to_owned(), form.value(n).to_owned()));
            let typed = rule_form::read(&Form::from_pairs(pairs));
            let definition = RuleDefinition::parse(&typed.definition, None)
                .unwrap_or_else(|e| panic!("{}: {e:?}", ready.key));
            Template::parse(&definition.template.body, definition.event_type.document())
                .unwrap_or_else(|e| panic!("{}: {e}", ready.key));
        }
    }

    #[test]
    fn what_customers_read_is_signed_by_the_company() {
        let form = find("invoice-sent")
            .unwrap()
            .fill(rule_form::empty(), "Acme & Co", None);
        assert!(form.value("template").ends_with(" Acme & Co"));
        let form = find("big-payment")
            .unwrap()
            .fill(rule_form::empty(), "Acme & Co", None);
        assert!(!form.value("template").contains("Acme"));
        assert!(find("no-such").is_none());
    }
}
