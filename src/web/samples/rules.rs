//! Samples of Rules and the editor.

use uuid::Uuid;

use super::{HOSTILE, Sample, chrome, form, hostile_chrome, push};
use crate::domain::content::Content;
use crate::domain::event::EventType;
use crate::domain::ids::{GroupId, RuleId};
use crate::domain::rule::RuleChannel;
use crate::domain::user::Role;
use crate::web::areas::rules::page::{
    EmailPreview, Lack, ReadyRule, RuleDeletePage, RuleEditPage, RuleEditView, RuleLine, RulesPage,
    TemplateName,
};
use crate::web::chrome::{Chrome, Section};
use crate::web::form::FormState;
use crate::web::ui::field::Choice;
use crate::web::ui::phone::Length;
use crate::web::ui::rule_sentence::RuleSentence;

fn rule(
    number: u128,
    name: &str,
    event_type: EventType,
    conditions: &[&str],
    enabled: bool,
) -> RuleLine {
    RuleLine {
        id: RuleId::from_uuid(Uuid::from_u128(number)),
        name: name.into(),
        sentence: RuleSentence {
            event_type,
            conditions: conditions.iter().map(|c| (*c).to_owned()).collect(),
            all: number != 3,
            channel: if number == 4 { RuleChannel::Email } else { RuleChannel::Sms },
            recipient: match number {
                3 => "+44 7700 900456".into(),
                4 => "Finance".into(),
                _ => "the contact".into(),
            },
            sender: if number == 4 { "the default sender".into() } else { "+44 7700 900123".into() },
        },
        template: (number != 4).then(|| "Hello {{ contact.first_name }}, invoice {{ invoice_number }} over {{ total | money }} is due on {{ due_date | date }}.".into()),
        subject: (number == 4).then(|| "Bill {{ bill_number }} of {{ vendor_name }}".into()),
        warning: None,
        enabled,
        lacks: if number == 4 {
            let finance = GroupId::from_uuid(Uuid::from_u128(1));
            vec![Lack::EmailSender, Lack::People(finance, "Finance".into())]
        } else {
            Vec::new()
        },
    }
}

pub(super) fn add(to: &mut Vec<Sample>) {
    let list = |chrome, rules| RulesPage { chrome, rules };
    let three = || {
        vec![
            rule(
                1,
                "Big invoices",
                EventType::InvoiceSent,
                &["total is at least 1,000", "currency is EUR"],
                true,
            ),
            rule(2, "Friendly reminder", EventType::InvoiceOverdue, &[], true),
            rule(
                3,
                "Tell the boss",
                EventType::PaymentReceived,
                &["amount is at least 10,000", "customer is Sato Shokai"],
                false,
            ),
        ]
    };
    push(to, "rules-empty", &list(chrome(Section::Rules), Vec::new()));
    push(
        to,
        "rules-one",
        &list(
            Chrome {
                role: Role::Viewer,
                ..chrome(Section::Rules)
            },
            three().into_iter().take(1).collect(),
        ),
    );
    let mut many = three();
    let bills = rule(
        4,
        "Bills",
        EventType::BillCreated,
        &["total is more than 1,000"],
        true,
    );
    many.push(bills);
    push(to, "rules-many", &list(chrome(Section::Rules), many));
    push(
        to,
        "rules-hostile",
        &list(
            hostile_chrome(Section::Rules),
            vec![rule(1, HOSTILE, EventType::InvoiceSent, &[HOSTILE], true)],
        ),
    );

    let typed = form(&[
        ("name", "Big invoices"),
        ("event_type", "invoice.sent"),
        ("joint", "all"),
        ("condition.0.field", "total"),
        ("condition.0.op", "at_least"),
        ("condition.0.value", "1000"),
        ("condition.1.field", "currency_code"),
        ("condition.1.op", "is"),
        ("condition.1.value", "EUR"),
        ("recipient", "first"),
        ("sender", "default"),
        ("send_within", "24"),
        ("enabled", "1"),
        (
            "template",
            "Hello {{ contact.first_name }}, your invoice {{ invoice_number }} over {{ total | money }} is due on {{ due_date | date }}. Pay here: {{ payment_link }}",
        ),
    ]);
    push(
        to,
        "rule-new",
        &editor(
            chrome(Section::Rules),
            None,
            form(&[("enabled", "1"), ("send_within", "24")]),
        ),
    );
    push(
        to,
        "rule-edit",
        &editor(chrome(Section::Rules), Some(()), typed),
    );
    let mut wanting = editor(
        chrome(Section::Rules),
        None,
        form(&[
            ("channel", "email"),
            ("recipient", "fixed"),
            (
                "email_subject",
                "Bill {{ bill_number }} of {{ vendor_name }}",
            ),
            (
                "email_body",
                "Bill **{{ bill_number }}** was entered.\n\n[[details]]\n\n[[items]]\n",
            ),
        ]),
    );
    wanting.view.missing_group = Some(("Finance".into(), "bill-created"));
    wanting.view.chosen = Some("bill-created");
    let Content::Email(shown) = super::event::email("Bill BILL-00012 of Molly Johnson") else {
        return;
    };
    wanting.view.email = EmailPreview {
        shown: Some(Ok(shown)),
        answers_to: Some("billing@northwind.example".into()),
        warnings: vec!["Pictures in the text are left out; only your logo is shown.".into()],
    };
    push(to, "rule-new-email", &wanting);
    let mut refused = form(&[
        ("name", ""),
        ("template", HOSTILE),
        ("condition.0.field", "total"),
        ("condition.0.value", HOSTILE),
        ("recipient", "fixed"),
        ("addresses", HOSTILE),
    ]);
    refused.refuse("name", "Give the rule a name.");
    refused.refuse(
        "condition.0.value",
        "Type a number, such as 1000 or 1000.50.",
    );
    refused.refuse(
        "addresses",
        "Type the number with its country code, such as +44 7700 900123.",
    );
    refused.refuse(
        "template",
        "The name invoice_nummer is unknown. Did you mean invoice_number?",
    );
    push(to, "rule-edit-hostile", &{
        let mut page = editor(hostile_chrome(Section::Rules), None, refused);
        page.view.email = EmailPreview {
            shown: Some(Err(HOSTILE.into())),
            answers_to: Some(HOSTILE.into()),
            warnings: vec![HOSTILE.into()],
        };
        page.view.missing_group = Some((HOSTILE.into(), "bill-created"));
        page
    });
    let delete = |rule: RuleLine, form| RuleDeletePage {
        chrome: chrome(Section::Rules),
        rule,
        form,
    };
    push(
        to,
        "rule-delete",
        &delete(three().remove(0), FormState::new()),
    );
    push(
        to,
        "rule-delete-hostile",
        &delete(
            rule(1, HOSTILE, EventType::InvoiceSent, &[HOSTILE], true),
            form(&[("name", HOSTILE)]),
        ),
    );
}

fn editor(chrome: Chrome, rule: Option<()>, form: FormState) -> RuleEditPage {
    let choices = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(v, w)| Choice::new(*v, *w))
            .collect::<Vec<_>>()
    };
    let name = |name: &str, sample: &str| TemplateName {
        name: name.into(),
        sample: sample.into(),
    };
    let empty = form.value("template").is_empty();
    RuleEditPage {
        chrome,
        view: RuleEditView {
            rule: rule.map(|()| RuleId::from_uuid(Uuid::from_u128(1))),
            ready: if rule.is_none() {
                vec![
                    ReadyRule {
                        key: "invoice-sent",
                        name: "Invoice sent",
                        words: "Tells the contact that an invoice is there, with the link to pay it.",
                        channel: RuleChannel::Sms,
                    },
                    ReadyRule {
                        key: "bill-created",
                        name: "Bill created, to Finance",
                        words: "Sends your group Finance every new bill with its items.",
                        channel: RuleChannel::Email,
                    },
                    ReadyRule {
                        key: "big-payment",
                        name: "Big payment",
                        words: "Tells one number of yours when much money comes in.",
                        channel: RuleChannel::Sms,
                    },
                ]
            } else {
                Vec::new()
            },
            form,
            condition_rows: 4,
            fields: choices(&[
                ("total", "Total"),
                ("currency_code", "Currency"),
                ("customer_name", "Customer"),
            ]),
            operators: choices(&[
                ("is", "is"),
                ("is_not", "is not"),
                ("at_least", "is at least"),
                ("below", "is below"),
                ("contains", "contains"),
            ]),
            recipients: choices(&[
                ("first", "The contact on the document"),
                ("all", "All contact persons on it"),
                ("fixed", "Always these numbers and addresses"),
            ]),
            email_senders: choices(&[("default", "Billing <billing@acme.example>")]),
            senders: choices(&[
                ("default", "Default sender, +44 7700 900123"),
                ("MG0123", "Messaging Service “Billing”"),
            ]),
            has_email_sender: rule.is_some(),
            chosen: None,
            email: EmailPreview {
                shown: None,
                answers_to: None,
                warnings: Vec::new(),
            },
            email_frame: None,
            missing_group: None,
            empty_group: None,
            names: vec![
                name("contact.first_name", "Benjamin"),
                name("invoice_number", "INV-00003"),
                name("total", "1,350.00 EUR"),
                name("due_date", "30 May 2026"),
                name("customer_name", "Bowman & Co"),
                name("payment_link", "https://pay.example/3f2a"),
            ],
            preview: if empty {
                String::new()
            } else {
                "Hello Benjamin, your invoice INV-00003 over 1,350.00 EUR is due on 30 May 2026. Pay here: https://pay.example/3f2a".into()
            },
            preview_length: if empty {
                Length::default()
            } else {
                Length {
                    segments: 2,
                    characters: 290,
                    unicode: false,
                }
            },
            counted_with: (!empty).then(|| "Counted with a payment link of 200 characters.".into()),
            warning: None,
        },
    }
}
