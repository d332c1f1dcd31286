//! Samples of an event.

use chrono::TimeDelta;

use super::history::id;
use super::{HOSTILE, Sample, ago, chrome, hostile_chrome, now, push};
use crate::domain::content::{Content, EmailContent};
use crate::domain::delivery::{Channel, DeliveryState};
use crate::domain::event::{EventSource, EventState, EventType};
use crate::domain::ids::{DeliveryId, EventId, RuleId};
use crate::domain::money::Amount;
use crate::domain::user::Role;
use crate::web::areas::event::page::{
    Again, DecisionView, DeliveryActions, DeliveryView, EventPage, EventView, Exchange, RuleRef,
    StepView,
};
use crate::web::chrome::Section;
use crate::web::ui::tone::Tone;

pub(super) fn add(to: &mut Vec<Sample>) {
    push(to, "event-delivered", &event(delivered(), Role::Owner));
    push(to, "event-rehearsal", &event(rehearsal(), Role::Owner));
    push(to, "event-emails", &event(emails(), Role::Owner));
    push(to, "event-unknown", &event(unknown(), Role::Editor));
    push(to, "event-unmatched", &event(unmatched(), Role::Viewer));
    push(
        to,
        "event-unrecognised",
        &event(unrecognised(), Role::Owner),
    );
    push(
        to,
        "event-hostile",
        &EventPage {
            chrome: hostile_chrome(Section::History),
            ..event(hostile_event(), Role::Owner)
        },
    );
}

fn event(view: EventView, role: Role) -> EventPage {
    let mut chrome = chrome(Section::History);
    chrome.role = role;
    EventPage {
        chrome,
        view,
        has_pictures: false,
    }
}

pub(super) fn rule(name: &str) -> RuleRef {
    RuleRef {
        id: RuleId::from_uuid(id(90)),
        name: name.into(),
        version: 3,
    }
}

pub(super) fn decision(
    millis: i64,
    rule: Option<RuleRef>,
    yes: bool,
    reason: &str,
) -> DecisionView {
    DecisionView {
        at: now() - TimeDelta::minutes(5) + TimeDelta::milliseconds(millis),
        rule,
        yes,
        reason: reason.into(),
        met: if yes {
            vec![
                ("total".into(), "1,350.00".into()),
                ("currency_code".into(), "EUR".into()),
            ]
        } else {
            Vec::new()
        },
        replay: None,
    }
}

fn delivered() -> EventView {
    EventView {
        id: EventId::from_uuid(id(1)),
        at: ago(5),
        event_type: Some(EventType::InvoiceSent),
        state: EventState::Matched,
        source: EventSource::Webhook,
        label: None,
        document_kind: Some("invoice".into()),
        document: Some("INV-00003".into()),
        customer: Some("Bowman & Co".into()),
        amount: Some(Amount(13_500_000)),
        currency: Some("EUR".into()),
        decisions: vec![
            decision(180, Some(rule("Big invoices")), true, "total 1,350.00 is at least 1,000.00"),
            decision(180, Some(rule("Thank regulars")), false, "customer_name is not Sato Shokai"),
            decision(180, Some(rule("Dollar invoices")), false, "currency_code EUR is not USD"),
        ],
        rules_not_asked: 4,
        deliveries: vec![delivery(DeliveryState::Delivered)],
        body: Some("{\n  \"invoice\": {\n    \"invoice_number\": \"INV-00003\",\n    \"total\": 1350.00,\n    \"status\": \"sent\"\n  }\n}".into()),
        replay_blocked: None,
        is_undealt: false,
    }
}

fn step(millis: i64, tone: Tone, sentence: &str, exchange: Option<Exchange>) -> StepView {
    StepView {
        at: now() - TimeDelta::minutes(5) + TimeDelta::milliseconds(millis),
        tone,
        sentence: sentence.into(),
        exchange,
    }
}

const TEXT: &str = "Hello Benjamin, your invoice INV-00003 over 1,350.00 EUR is due on 30 May. Pay here: \
                    https://pay.example/3f2a\nNorthwind Paper";

/// An e-mail beside an SMS, and one whose text could not be made.
fn emails() -> EventView {
    let mut view = delivered();
    let mut first = delivery(DeliveryState::Delivered);
    first.id.own = id(52);
    as_email(&mut first);
    let mut second = delivery(DeliveryState::Undelivered);
    as_email(&mut second);
    second.id.own = id(53);
    second.recipient = None;
    second.address = "accounts@sato-shokai.example".into();
    second.content = Content::nothing(Channel::Email);
    second.reason =
        Some("The recipient's mail server did not take it. Twilio says no more than that.".into());
    second.steps = vec![step(
        900,
        Tone::Failed,
        "The recipient's mail server could not deliver it.",
        None,
    )];
    view.deliveries = vec![delivery(DeliveryState::Delivered), first, second];
    view
}

fn as_email(of: &mut DeliveryView) {
    of.channel = Channel::Email;
    of.address = "benjamin.george@bowman.example".into();
    of.sender = "Northwind Paper <billing@northwind.example>".into();
    of.answers_to = Some("billing@northwind.example".into());
    of.content = email("Invoice INV-00003 over €1,350.00");
}

pub(super) fn email(subject: &str) -> Content {
    Content::Email(EmailContent {
        subject: subject.into(),
        text: "Hello Benjamin,\n\nhere is invoice INV-00003.\n\nInvoice  INV-00003\nDue  30 May 2026\nTotal  €1,350.00\n\nView and pay: https://pay.example/3f2a\n\n-- \nNorthwind Paper\n".into(),
        html: "<img src=\"https://sms.example.com/logos/3f2a.png\" alt=\"\"><p>Hello</p>".into(),
        attachments: Vec::new(),
    })
}

fn delivery(state: DeliveryState) -> DeliveryView {
    let event = EventId::from_uuid(id(1));
    let exchange = Exchange {
        request: "POST /2010-04-01/Accounts/AC…/Messages.json\nAuthorization: (taken out)\n\nTo=%2B16175550123&From=%2B447700900123&Body=Hello…".into(),
        response: "201 Created\n\n{\"sid\": \"SM3f2a…\", \"status\": \"queued\", \"num_segments\": \"1\"}".into(),
    };
    DeliveryView {
        id: DeliveryId { event, own: id(50) },
        state,
        channel: Channel::Sms,
        at: now() - TimeDelta::minutes(5) + TimeDelta::milliseconds(190),
        recipient: Some("Benjamin George".into()),
        address: "+16175550123".into(),
        rehearsal: None,
        sender: "+44 7700 900123".into(),
        answers_to: None,
        rule: Some(rule("Big invoices")),
        again: None,
        content: Content::Text(TEXT.into()),
        reason: None,
        steps: vec![
            step(
                620,
                Tone::Waiting,
                "Twilio has it (SM3f2a…).",
                Some(exchange),
            ),
            step(
                1_900,
                Tone::Waiting,
                "Twilio handed it to the carrier.",
                None,
            ),
            step(4_720, Tone::Ok, "Delivered 4.1 s later.", None),
        ],
        proof: Vec::new(),
        actions: DeliveryActions {
            send_again: true,
            ..DeliveryActions::default()
        },
    }
}

fn rehearsal() -> EventView {
    let mut view = delivered();
    let mut first = delivery(DeliveryState::Delivered);
    first.rehearsal = Some(Some("+491715550188".into()));
    first.content = first
        .content
        .with_mark("[would go to Benjamin George, +16175550123] ");
    let mut second = delivery(DeliveryState::Held);
    second.id.own = id(51);
    second.rehearsal = Some(None);
    second.reason = Some("Confirm your own number: in rehearsal messages go to you.".into());
    second.steps = Vec::new();
    view.deliveries = vec![first, second];
    view
}

fn unknown() -> EventView {
    let mut view = delivered();
    view.event_type = Some(EventType::InvoiceOverdue);
    view.label = Some("14d".into());
    let mut first = delivery(DeliveryState::Unknown);
    first.reason = Some("Twilio was asked and did not answer in time, so it may or may not have the message. Ask Bowman & Co, or look into Twilio's log, then decide.".into());
    first.steps = vec![
        step(
            10_620,
            Tone::Needs,
            "Twilio did not answer within 10 s.",
            Some(Exchange {
                request: "POST /2010-04-01/Accounts/AC…/Messages.json".into(),
                response: String::new(),
            }),
        ),
        step(
            70_000,
            Tone::Waiting,
            "First look: no trace at Twilio yet, and no witness.",
            None,
        ),
        step(90_000, Tone::Waiting, "Second look: the same.", None),
        step(
            110_000,
            Tone::Needs,
            "Undecided after three looks: a person must say.",
            None,
        ),
    ];
    first.proof = vec![
        "Messages to +1617 … 0123 between 08:37:20 and 08:37:45: none.".into(),
        "Witness: no message of this account is known to have been taken since the attempt began."
            .into(),
    ];
    first.actions = DeliveryActions {
        send_again: true,
        it_arrived: true,
        call_off: false,
    };
    let mut second = delivery(DeliveryState::Failed);
    second.id.own = id(51);
    second.recipient = None;
    second.address = "+493012345678".into();
    second.reason = Some("Twilio refused the number +49 30 12345678: it is a landline (30006). Ask Bowman & Co for a mobile number.".into());
    second.steps = vec![step(
        900,
        Tone::Failed,
        "Twilio refused the number: it is a landline (30006).",
        None,
    )];
    view.deliveries = vec![first, second];
    view.replay_blocked = Some("A message of this event is still open. Decide about it first, then the event can be decided again.".into());
    view
}

fn unmatched() -> EventView {
    let mut view = delivered();
    view.state = EventState::Unmatched;
    view.deliveries = Vec::new();
    view.decisions = vec![decision(
        200,
        Some(rule("Big invoices")),
        false,
        "total 950.00 is not at least 1,000.00",
    )];
    view.body = None;
    view
}

fn unrecognised() -> EventView {
    EventView {
        event_type: None,
        state: EventState::Unrecognised,
        document: None,
        document_kind: None,
        customer: None,
        amount: None,
        currency: None,
        decisions: vec![decision(
            20,
            None,
            false,
            "the body is no record of Zoho Books that we know; decide again after a fix",
        )],
        deliveries: Vec::new(),
        rules_not_asked: 0,
        ..delivered()
    }
}

fn hostile_event() -> EventView {
    let mut view = unknown();
    for text in [
        &mut view.document,
        &mut view.customer,
        &mut view.label,
        &mut view.currency,
        &mut view.body,
        &mut view.replay_blocked,
    ] {
        *text = Some(HOSTILE.into());
    }
    for decision in &mut view.decisions {
        decision.reason = HOSTILE.into();
        decision.met = vec![(HOSTILE.into(), HOSTILE.into())];
        decision.replay = Some(HOSTILE.into());
    }
    for delivery in &mut view.deliveries {
        for text in [&mut delivery.address, &mut delivery.sender] {
            *text = HOSTILE.into();
        }
        delivery.content = Content::Text(HOSTILE.into());
        delivery.recipient = Some(HOSTILE.into());
        delivery.answers_to = Some(HOSTILE.into());
        delivery.again = Some(Again {
            replay: HOSTILE.into(),
            after: Some((delivery.id, delivery.at)),
        });
        delivery.reason = Some(HOSTILE.into());
        delivery.rule = Some(rule(HOSTILE));
        delivery.proof = vec![HOSTILE.into()];
        for step in &mut delivery.steps {
            step.sentence = HOSTILE.into();
            step.exchange = Some(Exchange {
                request: HOSTILE.into(),
                response: HOSTILE.into(),
            });
        }
    }
    view
}
