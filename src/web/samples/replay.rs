//! Samples of the question before *Send again* and *Decide again*.

use super::event::{decision, email, rule};
use super::history::id;
use super::{HOSTILE, Sample, ago, chrome, hostile_chrome, push};
use crate::domain::content::Content;
use crate::domain::delivery::{Channel, DeliveryState};
use crate::domain::event::EventType;
use crate::domain::ids::{DeliveryId, EventId};
use crate::domain::money::Amount;
use crate::web::areas::replay::page::{
    Again, DocumentView, FactsView, HadView, Question, RecipientView, ReplayPage,
};
use crate::web::chrome::Section;

pub(super) fn add(to: &mut Vec<Sample>) {
    let received = Question::Received {
        who: "Benjamin George".into(),
        at: ago(4),
    };
    for (name, question) in [
        ("send-again-received", received),
        ("send-again-plain", Question::Plain),
        ("send-again-twilio", Question::Accepted(Channel::Sms)),
        ("send-again-unknown", Question::Unknown),
        (
            "send-again-open",
            Question::Open(message(), DeliveryState::Queued),
        ),
        (
            "send-again-suppressed",
            Question::Suppressed("The recipient wrote STOP".into()),
        ),
    ] {
        push(to, name, &page(Again::Send(message()), question));
    }
    push(to, "decide-again", &page(Again::Decide, Question::Decide));
    let mut paid = page(Again::Decide, Question::Decide);
    paid.facts.forbidden = Some("INV-00003 is paid (28 Nov 2026, 14:02)".into());
    paid.refused = Some(
        "Something changed since this page was drawn, so nothing was sent. Look once more.".into(),
    );
    for to in &mut paid.facts.recipients {
        to.ticked = false;
    }
    push(to, "decide-again-paid", &paid);
    let mut by_email = page(Again::Decide, Question::Decide);
    for to in &mut by_email.facts.recipients {
        to.channel = Channel::Email;
        to.address = "benjamin@bowman.example".into();
        to.answers_to = Some("billing@northwind.example".into());
        to.content = email("Invoice INV-00003 over €1,350.00");
    }
    push(to, "decide-again-email", &by_email);
    let mut nobody = page(Again::Decide, Question::Decide);
    nobody.facts.recipients.clear();
    nobody.facts.document = None;
    nobody.facts.unreadable = Some("this is not JSON".into());
    push(to, "decide-again-nobody", &nobody);
    push(to, "decide-again-hostile", &hostile());
}

fn message() -> DeliveryId {
    DeliveryId {
        event: EventId::from_uuid(id(1)),
        own: id(50),
    }
}

fn page(what: Again, question: Question) -> ReplayPage {
    let mut recipients = vec![recipient("k1", "Benjamin George", "+16175550123")];
    let mut decisions = Vec::new();
    if what == Again::Decide {
        let mut silent = recipient("k2", "Finance", "+12025550199");
        silent.had.clear();
        silent.refused = Some("The recipient wrote STOP".into());
        silent.ticked = false;
        recipients.push(silent);
        decisions = vec![
            decision(
                0,
                Some(rule("Big invoices")),
                true,
                "total 1,350.00 is at least 1,000.00",
            ),
            decision(
                0,
                Some(rule("Dollar invoices")),
                false,
                "currency_code EUR is not USD",
            ),
        ];
    }
    ReplayPage {
        chrome: chrome(Section::History),
        event: EventId::from_uuid(id(1)),
        what,
        facts: FactsView {
            fingerprint: "0123456789abcdef".into(),
            document: Some(DocumentView {
                kind: "invoice",
                number: Some("INV-00003".into()),
                status: Some("partially_paid".into()),
                balance: Some(Amount(13_500_000)),
                currency: Some("EUR".into()),
                due: chrono::NaiveDate::from_ymd_opt(2026, 11, 30),
                heard_at: Some(ago(90)),
            }),
            forbidden: None,
            unreadable: None,
            decisions,
            recipients,
        },
        question,
        refused: None,
        notes: vec![
            "Contacts are not written to at this time of day: it waits until 08:00 in \
             Europe/Berlin."
                .into(),
        ],
        has_pictures: false,
        nonce: "nonce-2".into(),
    }
}

fn recipient(key: &str, name: &str, address: &str) -> RecipientView {
    RecipientView {
        key: key.into(),
        channel: Channel::Sms,
        name: Some(name.into()),
        address: address.into(),
        rule: Some("Big invoices".into()),
        sender: "+44 7700 900123".into(),
        answers_to: None,
        content: Content::Text(
            "Hello Benjamin, your invoice INV-00003 over 1,350.00 EUR is due on 30 Nov.".into(),
        ),
        refused: None,
        ticked: true,
        had: vec![
            HadView {
                event: EventId::from_uuid(id(1)),
                event_type: Some(EventType::InvoiceOverdue),
                state: DeliveryState::Delivered,
                at: ago(5),
                is_rehearsal: false,
            },
            HadView {
                event: EventId::from_uuid(id(2)),
                event_type: Some(EventType::InvoiceSent),
                state: DeliveryState::Failed,
                at: ago(20_000),
                is_rehearsal: true,
            },
        ],
    }
}

fn hostile() -> ReplayPage {
    let mut page = page(Again::Decide, Question::Decide);
    page.chrome = hostile_chrome(Section::History);
    page.notes = vec![HOSTILE.into()];
    page.refused = Some(HOSTILE.into());
    let facts = &mut page.facts;
    facts.forbidden = Some(HOSTILE.into());
    facts.unreadable = Some(HOSTILE.into());
    if let Some(document) = &mut facts.document {
        document.number = Some(HOSTILE.into());
        document.status = Some(HOSTILE.into());
        document.currency = Some(HOSTILE.into());
    }
    for to in &mut facts.recipients {
        for text in [&mut to.address, &mut to.sender] {
            *text = HOSTILE.into();
        }
        to.content = Content::Text(HOSTILE.into());
        to.answers_to = Some(HOSTILE.into());
        for text in [&mut to.name, &mut to.rule, &mut to.refused] {
            *text = Some(HOSTILE.into());
        }
    }
    for decision in &mut facts.decisions {
        decision.reason = HOSTILE.into();
        decision.rule = Some(rule(HOSTILE));
    }
    page
}
