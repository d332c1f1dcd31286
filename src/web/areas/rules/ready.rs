//! Ready rules: each fills the editor of a new rule, to be changed and saved.

use crate::domain::group::Group;
use crate::domain::rule::{ReadyEmail, RuleChannel};
use crate::web::areas::rules::form;
use crate::web::areas::rules::page::ReadyRule;
use crate::web::form::FormState;

/// A rule that is nearly written.
pub(in crate::web) struct Ready {
    /// `?ready=…` of the editor.
    pub(in crate::web) key: &'static str,
    name: &'static str,
    /// What it does, in one sentence.
    words: &'static str,
    event_type: &'static str,
    condition: Option<[&'static str; 3]>,
    to: To,
    says: Says,
}

/// Whom it tells.
#[derive(Clone, Copy)]
enum To {
    /// The document's contact.
    Contact,
    /// A number of whoever writes the rule.
    OwnNumber,
    /// A group of this name, which the company may not have yet.
    Group(&'static str),
}

/// Over which channel, and what.
#[derive(Clone, Copy)]
enum Says {
    Sms(&'static str),
    /// The ready text of this key.
    Email(&'static str),
}

/// Every ready rule, in the order of the list.
pub(in crate::web) const READY: [Ready; 15] = [
    Ready {
        key: "invoice-sent",
        name: "Invoice sent",
        words: "Tells the contact that an invoice is there, with the link to pay it.",
        event_type: "invoice.sent",
        condition: None,
        to: To::Contact,
        says: Says::Sms(
            "Hello {{ contact.first_name }}, invoice {{ invoice_number }} over \
             {{ total|money }} is due on {{ due_date|date }}. Pay here: {{ payment_link }}",
        ),
    },
    Ready {
        key: "invoice-sent-email",
        name: "Invoice sent, by e-mail",
        words: "Sends the contact the invoice with its details, items and a button to pay it.",
        event_type: "invoice.sent",
        condition: None,
        to: To::Contact,
        says: Says::Email("invoice-sent"),
    },
    Ready {
        key: "payment-thanks",
        name: "Thank you for a payment",
        words: "Thanks the contact when a payment is received.",
        event_type: "payment.received",
        condition: None,
        to: To::Contact,
        says: Says::Sms("Thank you, {{ contact.first_name }}: we received {{ amount|money }}."),
    },
    Ready {
        key: "payment-received-email",
        name: "Payment received",
        words: "Sends the contact a receipt with the invoices that it pays.",
        event_type: "payment.received",
        condition: None,
        to: To::Contact,
        says: Says::Email("payment-received"),
    },
    Ready {
        key: "invoice-overdue",
        name: "Invoice 7 days overdue",
        words: "Reminds the contact a week after the due date.",
        event_type: "invoice.overdue",
        condition: Some(["label", "eq", "7d"]),
        to: To::Contact,
        says: Says::Sms(
            "Hello {{ contact.first_name }}, {{ balance|money }} of invoice \
             {{ invoice_number }} was due on {{ due_date|date }}. If you have paid, thank you; \
             if not: {{ payment_link }}",
        ),
    },
    Ready {
        key: "invoice-overdue-email",
        name: "Invoice 7 days overdue, by e-mail",
        words: "Reminds the contact with what is open and a button to pay it.",
        event_type: "invoice.overdue",
        condition: Some(["label", "eq", "7d"]),
        to: To::Contact,
        says: Says::Email("invoice-overdue"),
    },
    Ready {
        key: "overdue-collections",
        name: "Invoice 30 days overdue, to Collections",
        words: "Tells your group Collections who has not paid, and how to reach them.",
        event_type: "invoice.overdue",
        condition: Some(["label", "eq", "30d"]),
        to: To::Group("Collections"),
        says: Says::Email("overdue-collections"),
    },
    Ready {
        key: "bill-created",
        name: "Bill created, to Finance",
        words: "Sends your group Finance every new bill with its items.",
        event_type: "bill.created",
        condition: None,
        to: To::Group("Finance"),
        says: Says::Email("bill-created"),
    },
    Ready {
        key: "bill-due-email",
        name: "Bill due soon, to Finance",
        words: "Reminds your group Finance before a bill is due.",
        event_type: "bill.due_soon",
        condition: None,
        to: To::Group("Finance"),
        says: Says::Email("bill-due-soon"),
    },
    Ready {
        key: "bill-due",
        name: "Bill due soon",
        words: "Reminds one number of yours before a bill is due.",
        event_type: "bill.due_soon",
        condition: None,
        to: To::OwnNumber,
        says: Says::Sms(
            "Bill {{ bill_number }} of {{ vendor_name }} over {{ balance|money }} is due on \
             {{ due_date|date }}.",
        ),
    },
    Ready {
        key: "purchase-order-issued",
        name: "Purchase order issued, to the vendor",
        words: "Sends the vendor’s contact the order with its items.",
        event_type: "purchase_order.issued",
        condition: None,
        to: To::Contact,
        says: Says::Email("purchase-order-issued"),
    },
    Ready {
        key: "vendor-payment",
        name: "Vendor paid, to the vendor",
        words: "Tells the vendor’s contact what a payment is for.",
        event_type: "vendor_payment.sent",
        condition: None,
        to: To::Contact,
        says: Says::Email("vendor-payment"),
    },
    Ready {
        key: "vendor-payment-approvers",
        name: "Vendor paid, to Approvers",
        words: "Texts your group Approvers when money goes out.",
        event_type: "vendor_payment.sent",
        condition: None,
        to: To::Group("Approvers"),
        says: Says::Sms("We paid {{ vendor_name }} {{ amount|money }} ({{ payment_mode }})."),
    },
    Ready {
        key: "big-expense",
        name: "Expense over 500, to Finance",
        words: "Tells your group Finance of expenses over an amount.",
        event_type: "expense.recorded",
        condition: Some(["total", "gt", "500"]),
        to: To::Group("Finance"),
        says: Says::Email("big-expense"),
    },
    Ready {
        key: "big-payment",
        name: "Big payment",
        words: "Tells one number of yours when much money comes in.",
        event_type: "payment.received",
        condition: Some(["amount", "gte", "1000"]),
        to: To::OwnNumber,
        says: Says::Sms("{{ customer_name }} paid {{ amount|money }} ({{ payment_mode }})."),
    },
];

/// The ready rule of a key.
pub(in crate::web) fn find(key: &str) -> Option<&'static Ready> {
    READY.iter().find(|r| r.key == key)
}

/// Every ready rule, as the editor lists it.
pub(in crate::web) fn list() -> impl Iterator<Item = ReadyRule> {
    READY.iter().map(|ready| ReadyRule {
        key: ready.key,
        name: ready.name,
        words: ready.words,
        channel: ready.channel(),
    })
}

impl Ready {
    const fn channel(&self) -> RuleChannel {
        match self.says {
            Says::Sms(_) => RuleChannel::Sms,
            Says::Email(_) => RuleChannel::Email,
        }
    }

    /// The name of the group that it tells, where there is none of that name.
    pub(in crate::web) fn missing_group(&self, groups: &[Group]) -> Option<&'static str> {
        match self.to {
            To::Group(name) => group(name, groups).is_none().then_some(name),
            To::Contact | To::OwnNumber => None,
        }
    }

    /// The form of a new rule. `company` signs, and `own_number` is proposed where a rule tells one number.
    pub(in crate::web) fn fill(
        &self,
        company: &str,
        own_number: Option<&str>,
        groups: &[Group],
    ) -> FormState {
        let form = form::empty()
            .with("name", self.name)
            .with("event_type", self.event_type)
            .with("channel", self.channel().as_str());
        let form = match self.condition {
            Some([field, op, value]) => form
                .with("condition.0.field", field)
                .with("condition.0.op", op)
                .with("condition.0.value", value),
            None => form,
        };
        self.told(self.said(form, company), own_number, groups)
    }

    fn said(&self, form: FormState, company: &str) -> FormState {
        match self.says {
            Says::Sms(text) => {
                // Customers are told who writes; a name that would be read as a part of the template does not
                // sign.
                let signs = matches!(self.to, To::Contact) && !company.contains(['{', '}']);
                let text = if signs {
                    format!("{text} {company}")
                } else {
                    text.to_owned()
                };
                form.with("template", text)
            }
            Says::Email(key) => match ReadyEmail::find(key) {
                Some(ready) => form
                    .with("email_subject", ready.subject)
                    .with("email_preview", ready.preview)
                    .with("email_body", ready.body),
                None => form,
            },
        }
    }

    fn told(&self, form: FormState, own_number: Option<&str>, groups: &[Group]) -> FormState {
        match self.to {
            To::Contact => form,
            To::OwnNumber => form
                .with("recipient", "fixed")
                .with("addresses", own_number.unwrap_or_default()),
            // Until there is such a group nobody is chosen, least of all the customer.
            To::Group(name) => match group(name, groups) {
                Some(group) => form.with("recipient", group.id.to_string()),
                None => form.with("recipient", "fixed"),
            },
        }
    }
}

fn group<'g>(name: &str, groups: &'g [Group]) -> Option<&'g Group> {
    let mut same = groups
        .iter()
        .filter(|g| g.name.trim().eq_ignore_ascii_case(name));
    same.next()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::GroupId;
    use crate::domain::rule::RuleDefinition;
    use crate::render::Template;
    use crate::render::email::EmailTemplate;
    use crate::web::areas::rules::form;
    use crate::web::extract::csrf_form::Form;

    #[test]
    fn every_ready_rule_can_be_saved_once_it_has_a_number() {
        for ready in &READY {
            let groups = ["Finance", "Collections", "Approvers"].map(|name| Group {
                id: GroupId::from_uuid(Uuid::from_u128(name.len() as u128)),
                name: name.to_lowercase(),
                members: Vec::new(),
                created_at: chrono::DateTime::UNIX_EPOCH,
            });
            let form = ready.fill("Acme {{ x }} & Co", Some("+447700900123"), &groups);
            assert_eq!(ready.missing_group(&groups), None);
            let names = [
                "name",
                "event_type",
                "joint",
                "channel",
                "email_subject",
                "email_preview",
                "email_body",
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
            let typed = form::read(&Form::from_pairs(pairs));
            let definition = RuleDefinition::parse(&typed.definition, None)
                .unwrap_or_else(|e| panic!("{}: {e:?}", ready.key));
            let kind = definition.event_type.document();
            Template::parse(&definition.template.body, kind)
                .unwrap_or_else(|e| panic!("{}: {e}", ready.key));
            if let Some(email) = &definition.template.email {
                EmailTemplate::parse(email, kind).unwrap_or_else(|e| panic!("{}: {e}", ready.key));
            }
        }
    }

    #[test]
    fn what_customers_read_is_signed_by_the_company() {
        let form = find("invoice-sent").unwrap().fill("Acme & Co", None, &[]);
        assert!(form.value("template").ends_with(" Acme & Co"));
        let form = find("big-payment").unwrap().fill("Acme & Co", None, &[]);
        assert!(!form.value("template").contains("Acme"));
        assert!(find("no-such").is_none());
    }

    #[test]
    fn without_its_group_a_ready_rule_tells_nobody() {
        let ready = find("bill-created").unwrap();
        assert_eq!(ready.missing_group(&[]), Some("Finance"));
        let form = ready.fill("Acme", Some("+447700900123"), &[]);
        assert_eq!(
            (form.value("recipient"), form.value("addresses")),
            ("fixed", "")
        );
    }
}
